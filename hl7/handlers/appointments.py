"""SIU: appointments that another scheduling system makes on our schedule (HL7 v2.5.1 sections 10.3 and 10.4).

The order is found by SCH-26 and SCH-27, else the steps by the appointment's own number (SCH-1, else SCH-2). A time that
is taken or closed here is refused: whoever schedules can choose another one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hl7 import mapping, values
from hl7.ack import Condition, Place, Problem
from hl7.handlers import people, stays
from hl7.handlers.appointment_groups import Service, services
from hl7.handlers.refusals import refusals
from hl7.handlers.requests import Catalogue, ordered_codes
from hl7.handlers.sites import site_of, zone_of
from hl7.mapping import Filled
from hl7.message import NULL, Message
from hl7.values import FieldError
from ris.actions import appointments, exams, orders, schedule
from ris.actions.requests import ProcedureRequest
from ris.actor import Actor
from ris.errors import DuplicateOrder, UnknownOrder
from ris.models import Order, Patient, Resource, ScheduledProcedureStep, Station
from ris.models.step import end_of
from ris.states import OPEN, StepState

Number = tuple[str, str]
_NONE: Number = ("", "")
_STANDING = OPEN | {StepState.NO_SHOW}


@dataclass(slots=True)
class _Case:
    """One scheduling message."""

    message: Message
    by: Actor
    warnings: list[str]
    zone: ZoneInfo
    services: list[Service]
    appointment: Number = _NONE
    order: Order | None = None
    steps: list[ScheduledProcedureStep] = field(default_factory=list)

    @classmethod
    def of(cls, message: Message, by: Actor, warnings: list[str]) -> "_Case":
        """Read the message and find the steps that it is about; raises FieldError when SCH is missing."""
        if not message["SCH"]:
            raise FieldError(Problem(Condition.SEGMENT_SEQUENCE, "The message has no SCH segment.", Place("SCH")))
        case = cls(message, by, warnings, zone_of(message), services(message))
        case.appointment = case.number("1") if case.number("1")[0] else case.number("2")
        case.order = case._find_order()
        steps = ScheduledProcedureStep.objects.filter(state__in=_STANDING).select_related(
            "station", "requested_procedure__order"
        )
        if case.appointment[0]:
            case.steps = list(steps.of_appointment(*case.appointment).order_by("pk"))
        if not case.steps and case.order is not None:
            case.steps = list(steps.filter(requested_procedure__order=case.order).order_by("pk"))
        if case.order is None and case.steps:
            case.order = case.steps[0].requested_procedure.order
        return case

    def number(self, path: str) -> Number:
        """Return a number (EI) of SCH and its issuer, the sender where none is named."""
        sch = self.message["SCH"]
        value, namespace, universal = (_said(sch.get(f"{path}.{part}")) for part in (1, 2, 3))
        return (value, (namespace or universal or _said(self.message["MSH"].get("3.1")))[:64]) if value else _NONE

    def _find_order(self) -> Order | None:
        """Return the order of SCH-26 (placer) or SCH-27 (filler or accession number)."""
        placer, filler = self.number("26"), self.number("27")
        found = None
        if placer[0]:
            found = Order.objects.placed_as(placer[1], placer[0]).first()
        if found is None and filler[0]:
            found = Order.objects.filter(filler_order_number=filler[0], filler_issuer=filler[1]).first()
            found = found or Order.objects.filter(accession_number=filler[0]).first()
        return found

    @property
    def names_order(self) -> bool:
        """Whether SCH names an order."""
        return bool(self.number("26")[0] or self.number("27")[0])

    @property
    def place(self) -> Place:
        """Where the message says what it is about."""
        named = next((path for path in ("26", "27", "1", "2") if self.number(path)[0]), "1")
        return values.place(self.message["SCH"], named)

    def known_steps(self) -> list[ScheduledProcedureStep]:
        """Return the steps meant; raises FieldError when there are none, or when they are another patient's."""
        with refusals({}, self.place):
            if not self.steps or self.order is None:
                raise UnknownOrder("No appointment and no order has this number, or nothing of it is open.")
            wanted = people.identifiers(self.message["PID"], 3, 2, 4)
            row = people.look_up(wanted).row() if wanted else None
            if wanted and (row is None or row.patient.survivor().pk != self.order.patient_id):
                raise DuplicateOrder
        return self.steps

    def read(self, service: Service) -> Filled:
        """Return start, minutes, end and reason of a service."""
        return service.read(self.message, self.zone, self.warnings)

    def reason(self) -> str:
        """Return SCH-6, else SCH-7."""
        return str(self.read(Service()).values.get("reason", ""))

    def station(self, service: Service) -> Station | None:
        """Return the station that AIG-3 or AIL-3 names; a warning where none of the names is one."""
        names = service.names()
        found = next((station for name in names if (station := schedule.station_named(name))), None)
        if names and found is None:
            self.warnings.append("AIG-3, AIL-3: no station in use has this name, so one was chosen here")
        return found


def book(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Give the steps of an appointment their time and place. One that nobody ordered is ordered with it."""
    case = _Case.of(message, by, warnings)
    if not case.steps and not case.names_order and event == "S12":
        _order(case)
        return
    for service, steps in _paired(case, case.known_steps()):
        said = case.read(service)
        start, station = said.values.get("start"), case.station(service)
        if start is None and station is None:
            continue
        for step in steps:
            place = said.places.get("start", case.place)
            with refusals({"start": place}, place):
                schedule.book(
                    by=by,
                    step=step,
                    start=start,
                    station=station,
                    duration=said.values.get("duration") if len(steps) == 1 else None,
                    reason=str(said.values.get("reason", "")),
                )
            step.refresh_from_db()
            start = step.end if start is not None else None
    _note(case, case.steps)


def cancel(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Take an appointment off the schedule: its order waits. An order that came with the appointment goes with it."""
    case = _Case.of(message, by, warnings)
    steps = case.known_steps()
    order = case.order
    assert order is not None
    with refusals({}, case.place):
        if (order.placer_order_number, order.placer_issuer) == case.appointment:
            verb = orders.discontinue if event == "S16" else orders.cancel
            verb(by=by, order=order, reason=case.reason())
            return
        _unbook(case, steps, stop=event == "S16")


def drop(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Take the services or resources that a message names out of their appointment: their steps wait."""
    case = _Case.of(message, by, warnings)
    meant: list[ScheduledProcedureStep] = []
    steps = case.known_steps()
    if any(service.ais is not None for service in case.services):
        meant = [step for _, paired in _paired(case, steps) for step in paired]
    else:
        stations = {station.pk for service in case.services if (station := case.station(service))}
        meant = [step for step in steps if step.station_id in stations]
    if not meant:
        raise FieldError(
            Problem(Condition.UNKNOWN_KEY, "AIS, AIG, AIL: nothing of the appointment is named.", Place("RGS"))
        )
    with refusals({}, case.place):
        _unbook(case, meant, stop=event == "S21")


def miss(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """S26: the patient did not come."""
    case = _Case.of(message, by, warnings)
    with refusals({}, case.place):
        for step in case.known_steps():
            if step.state != StepState.NO_SHOW:
                exams.go("miss", by=by, step=step, reason=case.reason())


def block(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """S23: close the time of the resources that are named."""
    case = _Case.of(message, by, warnings)
    for resource, start, end, place in _periods(case):
        with refusals({"start": place}, place):
            reason = case.reason() or "blocked by the scheduling system"
            appointments.close(by=by, resource=resource, start=start, end=end, reason=reason)


def unblock(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """S24: open the time of the resources that are named."""
    case = _Case.of(message, by, warnings)
    for resource, start, end, place in _periods(case):
        with refusals({"start": place}, place):
            if not appointments.reopen(by=by, resource=resource, start=start, end=end):
                warnings.append(f"{place}: the time was not closed")


def _order(case: _Case) -> None:
    """Place an order under the number of an appointment that names none."""
    message, by = case.message, case.by
    if not case.appointment[0]:
        raise values.missing(message["SCH"], "1", "an appointment without an order needs a number of its own.")
    asked = [service for service in case.services if service.ais is not None and ordered_codes(service.ais, 3)]
    if not asked:
        raise FieldError(
            Problem(Condition.REQUIRED_FIELD_MISSING, "AIS-3 is missing: what shall be done?", Place("AIS", field=3))
        )
    catalogue = Catalogue.of([service.ais for service in asked if service.ais is not None], 3)
    patient, said = _patient(case)
    visit = stays.keep(message, patient, by=by, said=said, warnings=case.warnings)
    readings = [case.read(service) for service in asked]
    place = next((read.places["start"] for read in readings if "start" in read.places), case.place)
    with refusals({"start": place}, place):
        order = orders.place(
            by=by,
            patient=patient,
            site=site_of(message),
            visit=visit,
            requests=[_request(case, catalogue, one, read) for one, read in zip(asked, readings, strict=True)],
            placer_order_number=case.appointment[0],
            placer_issuer=case.appointment[1],
            requesting_physician=values.physician(message["SCH"], "16") or "",
        )
    _note(case, list(ScheduledProcedureStep.objects.filter(requested_procedure__order=order)))
    case.warnings.extend(str(mark.label) for mark in order.attentions)


def _patient(case: _Case) -> tuple[Patient, Filled]:
    """Return the patient of PID, registered where nobody knows them, and what PV1 says of the visit."""
    message = case.message
    segments = {"PID": message["PID"], "PV1": message["PV1"]}
    said = mapping.fill(mapping.PATIENT + mapping.CLINICAL, segments, case.zone, case.warnings)
    people.clinical(message, segments, case.warnings, said)
    patient = people.keep_patient(message["PID"], said, by=case.by, warnings=case.warnings, overwrite=False)
    return patient, mapping.fill(mapping.VISIT, segments, case.zone, case.warnings)


def _request(case: _Case, catalogue: Catalogue, service: Service, read: Filled) -> ProcedureRequest:
    assert service.ais is not None
    codes = ordered_codes(service.ais, 3)
    exam = next((exam for entry in codes if (exam := catalogue.find(entry))), None)
    return ProcedureRequest(
        exam=exam,
        code=codes[0].code,
        coding_scheme=codes[0].coding_scheme,
        meaning=codes[0].meaning,
        start=read.values.get("start"),
        duration=read.values.get("duration"),
        station=case.station(service),
        comments="\n".join(filter(None, service.comments)) or None,
        asked=True,
    )


def _paired(case: _Case, steps: Sequence[ScheduledProcedureStep]) -> list[tuple[Service, list[ScheduledProcedureStep]]]:
    """Pair services with steps: one service with all, several by the code of the exam, else in order."""
    found = case.services or [Service()]
    if len(found) == 1:
        return [(found[0], _of_code(found[0], steps) or list(steps))]
    left = list(steps)
    pairs = []
    for service in found:
        meant = (_of_code(service, left) or left)[:1]
        left = [step for step in left if step not in meant]
        pairs.append((service, meant))
    return pairs


def _of_code(service: Service, steps: Sequence[ScheduledProcedureStep]) -> list[ScheduledProcedureStep]:
    codes = {entry.code for entry in ordered_codes(service.ais, 3)} if service.ais is not None else set()
    return [step for step in steps if step.requested_procedure.code in codes]


def _unbook(case: _Case, steps: Sequence[ScheduledProcedureStep], *, stop: bool) -> None:
    """Take steps off the schedule; those that have begun are discontinued where the appointment is stopped."""
    for step in steps:
        if stop and step.state in (StepState.STARTED, StepState.DEPARTED):
            exams.go("discontinue", by=case.by, step=step, reason=case.reason())
        elif step.state != StepState.REQUESTED:
            schedule.unbook(by=case.by, step=step, reason=case.reason())


def _note(case: _Case, steps: Sequence[ScheduledProcedureStep]) -> None:
    number, issuer = case.appointment
    for step in steps if number else ():
        if (step.appointment_number, step.appointment_issuer) != case.appointment:
            with refusals({}, case.place):
                appointments.note(by=case.by, step=step, number=number, issuer=issuer)


def _periods(case: _Case) -> list[tuple[Resource, datetime, datetime, Place]]:
    """Return the resources that are named with the period of each; raises FieldError where something is missing."""
    found = []
    for service in case.services:
        said = case.read(service)
        start, minutes, end = (said.values.get(name) for name in ("start", "duration", "end"))
        if start is None:
            raise values.missing(case.message["SCH"], "11", "a time has to be named.")
        end = end_of(start, minutes) if minutes else end
        if end is None or end - start < timedelta(minutes=1):
            raise values.missing(case.message["SCH"], "9", "a duration or an end has to be named.")
        resources = _resources(service)
        if not resources:
            place = Place("AIG", field=3)
            raise FieldError(Problem(Condition.UNKNOWN_KEY, "AIG-3, AIL-3, AIP-3: no resource has this name.", place))
        found += [(resource, start, end, said.places["start"]) for resource in resources]
    if not found:
        raise FieldError(Problem(Condition.SEGMENT_SEQUENCE, "No resource is named.", Place("RGS")))
    return found


def _resources(service: Service) -> list[Resource]:
    names = [*service.names(), *service.staff()]
    found = {resource.pk: resource for name in names if (resource := appointments.resource_named(name))}
    return list(found.values())


def _said(value: str | None) -> str:
    return value if value and value is not NULL else ""


HANDLERS: dict[Callable[..., None], tuple[str, ...]] = {
    book: ("S12", "S13", "S14", "S18", "S19"),
    cancel: ("S15", "S16", "S17"),
    drop: ("S20", "S21", "S22"),
    block: ("S23",),
    unblock: ("S24",),
    miss: ("S26",),
}
"""What does it -> trigger events."""
