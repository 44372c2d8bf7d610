"""SIU: appointments that another scheduling system makes on our schedule (HL7 v2.5.1 sections 10.3 and 10.4).

The order is found by SCH-26 and SCH-27, else the steps by the appointment's own number (SCH-1, else SCH-2). A time that
is taken or closed here is refused: whoever schedules can choose another one.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from hl7 import mapping, values
from hl7.ack import Condition, Place, Problem
from hl7.handlers import appointment_changes as changes
from hl7.handlers import people, stays
from hl7.handlers.appointment_case import Case
from hl7.handlers.appointment_groups import Service
from hl7.handlers.marks import marks_of, unknown_exam
from hl7.handlers.refusals import refusals
from hl7.handlers.requests import Catalogue, ordered_codes
from hl7.handlers.sites import site_of
from hl7.mapping import Filled
from hl7.message import Message
from hl7.undone import Undone
from hl7.values import FieldError
from ris.actions import appointments, exams, orders, schedule
from ris.actor import Actor
from ris.errors import DuplicateOrder, OrderClosed
from ris.models import Order, Patient, Resource, ScheduledProcedureStep
from ris.models.step import end_of
from ris.states import StepState


def book(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Give the steps of an appointment their time and place, and say what else is new about them.

    One that nobody ordered is ordered with it.
    """
    case = Case.of(message, by, warnings)
    if not case.steps and not case.names_order and event == "S12":
        _order(case)
        _warn(case)
        return
    known = case.known_steps()
    changed = False
    for service, steps in _paired(case, known, event):
        if changes.is_added(service, known, event):
            changes.add(case, service)
            changed = True
        elif _is_taken_away(service, event):
            if not steps:
                case.miss(service, "the appointment has no such exam, so none was taken away")
            with refusals({}, case.place):
                _unbook(case, steps, stop=False)
        elif service.ais is not None and not steps:
            case.miss(service, "the order has no exam for this service, so it was not booked")
        elif event in changes.CHANGING and changes.change_exam(case, service, steps):
            changed = True
        else:
            _place(case, service, steps)
            changes.describe(case, service, steps)
    if changed:
        case.read_order_steps()
    _note(case, case.steps)
    if not case.services or not all(_is_taken_away(service, event) for service in case.services):
        _warn(case)


def _warn(case: Case) -> None:
    """Tell where nothing is booked after all, and where what is booked is over already."""
    if all(step.state == StepState.REQUESTED for step in case.steps):
        text = f"{case.place}: nothing is booked: the order waits for a time and a station"
        case.warnings.insert(0, Undone(Condition.UNKNOWN_KEY, text, case.place))
    elif any(step.state == StepState.SCHEDULED and step.end and step.end < timezone.now() for step in case.steps):
        case.warnings.append(f"{case.place}: the time of the appointment has passed")


def _place(case: Case, service: Service, steps: Sequence[ScheduledProcedureStep]) -> None:
    """Book steps one after the other; without time and place a duration alone counts for one that is booked."""
    said = case.read(service)
    start, station = said.values.get("start"), case.station(service)
    minutes = said.values.get("duration") if len(steps) == 1 else None
    for step in steps:
        if start is None and station is None:
            if step.state != StepState.SCHEDULED or minutes in (None, step.duration):
                continue
            station = step.station
        place = said.places.get("start", case.place)
        with refusals({"start": place}, place):
            schedule.book(
                by=case.by,
                step=step,
                start=start,
                station=station,
                duration=minutes,
                reason=str(said.values.get("reason", "")),
            )
        step.refresh_from_db()
        start = step.end if start is not None else None


def cancel(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Take an appointment off the schedule: its order waits. An order that came with the appointment goes with it."""
    case = Case.of(message, by, warnings)
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
    case = Case.of(message, by, warnings)
    meant: list[ScheduledProcedureStep] = []
    steps = case.known_steps()
    if any(service.ais is not None for service in case.services):
        is_one_exam = len({step.requested_procedure_id for step in steps}) == 1
        # Of several exams only what has the code: another one must not go because nothing has the one that is named.
        meant = [
            step
            for service, paired in _paired(case, steps)
            for step in (paired if is_one_exam or not _names_exam(service) else _of_code(service, paired))
        ]
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
    """S26: the patient did not come. What was taken out of the appointment before goes on waiting."""
    case = Case.of(message, by, warnings)
    steps = case.known_steps()
    booked = [step for step in steps if step.state != StepState.REQUESTED] or steps
    with refusals({}, case.place):
        for step in booked:
            if step.state != StepState.NO_SHOW:
                exams.go("miss", by=by, step=step, reason=case.reason())


def block(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """S23: close the time of the resources that are named."""
    case = Case.of(message, by, warnings)
    for resource, start, end, place in _periods(case):
        with refusals({"start": place}, place):
            reason = case.reason() or "blocked by the scheduling system"
            appointments.close(by=by, resource=resource, start=start, end=end, reason=reason)


def unblock(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """S24: open the time of the resources that are named."""
    case = Case.of(message, by, warnings)
    for resource, start, end, place in _periods(case):
        with refusals({"start": place}, place):
            if not appointments.reopen(by=by, resource=resource, start=start, end=end):
                warnings.append(Undone(Condition.UNKNOWN_KEY, f"{place}: the time was not closed", place))


def _order(case: Case) -> None:
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
    _check_number(case, patient)
    visit = stays.keep(message, patient, by=by, said=said, warnings=case.warnings)
    readings = [case.read(service) for service in asked]
    place = next((read.places["start"] for read in readings if "start" in read.places), case.place)
    requests = [changes.request_of(case, catalogue, one, read) for one, read in zip(asked, readings, strict=True)]
    with refusals({"start": place}, place):
        order = orders.place(
            by=by,
            patient=patient,
            site=site_of(message),
            visit=visit,
            requests=requests,
            placer_order_number=case.appointment[0],
            placer_issuer=case.appointment[1],
            requesting_physician=values.physician(message["SCH"], "16") or "",
        )
    case.order = order
    case.read_order_steps()
    _note(case, case.steps)
    segments = [one.ais for one in asked if one.ais is not None]
    case.warnings += marks_of(order, place, unknown_exam(zip(segments, requests, strict=True), "3"))


def _check_number(case: Case, patient: Patient) -> None:
    """Refuse the number of an appointment whose order is over, as after S15: a new one needs another number."""
    number, issuer = case.appointment
    known = Order.objects.placed_as(issuer, number).first()
    if known is not None:
        with refusals({}, case.place):
            raise OrderClosed if known.patient_id == patient.pk else DuplicateOrder


def _patient(case: Case) -> tuple[Patient, Filled]:
    """Return the patient of PID, registered where nobody knows them, and what PV1 says of the visit."""
    message = case.message
    segments = {"PID": message["PID"], "PV1": message["PV1"]}
    said = mapping.fill(mapping.PATIENT + mapping.CLINICAL, segments, case.zone, case.warnings)
    people.clinical(message, segments, case.warnings, said)
    patient = people.keep_patient(message["PID"], said, by=case.by, warnings=case.warnings, overwrite=False)
    return patient, mapping.fill(mapping.VISIT, segments, case.zone, case.warnings)


def _paired(
    case: Case, steps: Sequence[ScheduledProcedureStep], event: str = ""
) -> list[tuple[Service, list[ScheduledProcedureStep]]]:
    """Pair services with steps: one service with all, several by the code of the exam, what is left in order.

    A service that is added, or one less of an exam that is not there, has none.
    """
    found = case.services or [Service()]
    if len(found) == 1:
        return [(found[0], _of_code(found[0], steps) or ([] if _alone(found[0], steps, event) else list(steps)))]
    left = list(steps)
    pairs: list[tuple[Service, list[ScheduledProcedureStep]]] = []
    for service in found:
        meant = [] if changes.is_added(service, steps, event) else _of_code(service, left)[:1]
        left = [step for step in left if step not in meant]
        pairs.append((service, meant))
    for service, meant in pairs:
        if not meant and not _alone(service, steps, event):
            meant += left[:1]
            del left[:1]
    return pairs


def _alone(service: Service, steps: Sequence[ScheduledProcedureStep], event: str) -> bool:
    """Tell whether a service is of no step where none has its code: it is added, or taken away by its code."""
    return changes.is_added(service, steps, event) or (_is_taken_away(service, event) and _names_exam(service))


def _names_exam(service: Service) -> bool:
    return service.ais is not None and bool(ordered_codes(service.ais, 3))


def _is_taken_away(service: Service, event: str) -> bool:
    return event in changes.CHANGING and service.action == changes.DELETE


def _of_code(service: Service, steps: Sequence[ScheduledProcedureStep]) -> list[ScheduledProcedureStep]:
    codes = {entry.code for entry in ordered_codes(service.ais, 3)} if service.ais is not None else set()
    return [step for step in steps if step.requested_procedure.code in codes]


def _unbook(case: Case, steps: Sequence[ScheduledProcedureStep], *, stop: bool) -> None:
    """Take steps off the schedule; those that have begun are discontinued where the appointment is stopped."""
    for step in steps:
        if stop and step.state in (StepState.STARTED, StepState.DEPARTED):
            exams.go("discontinue", by=case.by, step=step, reason=case.reason())
        elif step.state != StepState.REQUESTED:
            schedule.unbook(by=case.by, step=step, reason=case.reason())


def _note(case: Case, steps: Sequence[ScheduledProcedureStep]) -> None:
    number, issuer = case.appointment
    for step in steps if number else ():
        if (step.appointment_number, step.appointment_issuer) != case.appointment:
            with refusals({}, case.place):
                appointments.note(by=case.by, step=step, appointment_number=number, appointment_issuer=issuer)


def _periods(case: Case) -> list[tuple[Resource, datetime, datetime, Place]]:
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


HANDLERS: dict[Callable[..., None], tuple[str, ...]] = {
    book: ("S12", "S13", "S14", "S18", "S19"),
    cancel: ("S15", "S16", "S17"),
    drop: ("S20", "S21", "S22"),
    block: ("S23",),
    unblock: ("S24",),
    miss: ("S26",),
}
"""What does it -> trigger events."""
