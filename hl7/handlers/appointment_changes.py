"""What an appointment says beside time and place: which exam, who does it, why, and notes (HL7 v2.5.1 section 10.4).

S14 and S19 may name another exam for a service, S14 and S18 one more (AIS-2 is A), S14 and S19 one less (D).
"""

from collections.abc import Sequence
from typing import Any

from hl7 import values
from hl7.handlers.appointment_case import Case
from hl7.handlers.appointment_groups import Service
from hl7.handlers.refusals import refusals
from hl7.handlers.requests import Catalogue, ordered_codes
from hl7.mapping import Filled
from ris.actions import appointments, orders
from ris.actions.requests import ProcedureRequest
from ris.models import RequestedProcedure, ScheduledProcedureStep

ADDING, CHANGING = ("S14", "S18"), ("S14", "S19")
ADD, DELETE = "A", "D"
"""AIS-2 (table 0206)."""

_LONGEST_REASON, _LONGEST_NAME = 250, 64


def request_of(case: Case, catalogue: Catalogue, service: Service, read: Filled) -> ProcedureRequest:
    """Return the exam that a service asks for, at its time and place."""
    assert service.ais is not None
    codes = ordered_codes(service.ais, 3)
    return ProcedureRequest(
        exam=next((exam for entry in codes if (exam := catalogue.find(entry))), None),
        code=codes[0].code,
        coding_scheme=codes[0].coding_scheme,
        meaning=codes[0].meaning,
        start=read.values.get("start"),
        duration=read.values.get("duration"),
        station=case.station(service),
        performing_physician=_short(service.physician()) or None,
        technologist=_short(service.technologist()) or None,
        reason=_reason(case) or None,
        comments=_comments(case, service) or None,
        asked=True,
    )


def is_added(service: Service, steps: Sequence[ScheduledProcedureStep], event: str) -> bool:
    """Tell whether a service is one more: it says so, and none of these steps is of its exam."""
    if event not in ADDING or service.action != ADD or service.ais is None:
        return False
    codes = {entry.code for entry in ordered_codes(service.ais, 3)}
    return bool(codes) and not any(step.requested_procedure.code in codes for step in steps)


def add(case: Case, service: Service) -> None:
    """Add the exam of a service to the order of the appointment; one that nobody knows is told by a warning."""
    assert service.ais is not None
    assert case.order is not None
    request = request_of(case, Catalogue.of([service.ais], 3), service, read := case.read(service))
    if request.exam is None:
        case.miss(service, "this exam is not in the catalogue, so it was not added")
        return
    known = case.order.procedures.order_by("pk").values_list("requested_procedure_id", flat=True)
    others = [ProcedureRequest(requested_procedure_id=number) for number in known]
    place = read.places.get("start", values.place(service.ais, "3"))
    with refusals({"start": place}, place):
        orders.change(by=case.by, order=case.order, requests=[*others, request], reason=case.reason())


def change_exam(case: Case, service: Service, steps: Sequence[ScheduledProcedureStep]) -> bool:
    """Give steps another exam where the service names one, at its time; tells whether they are others now."""
    if service.ais is None or not steps:
        return False
    codes = ordered_codes(service.ais, 3)
    procedure = steps[0].requested_procedure
    if not codes or procedure.code in {entry.code for entry in codes}:
        return False
    request = request_of(case, Catalogue.of([service.ais], 3), service, read := case.read(service))
    if request.exam is None or len({step.requested_procedure_id for step in steps}) > 1:
        case.miss(service, "it is not known which exam takes the place of which, so the exams stay")
        return False
    if request.exam.pk == procedure.exam_id:
        return False
    place = read.places.get("start", values.place(service.ais, "3"))
    with refusals({"start": place}, place):
        _tell(case, procedure, request)
    return True


def describe(case: Case, service: Service, steps: Sequence[ScheduledProcedureStep]) -> None:
    """Note who does the steps, why, and what is to be known of them.

    Comments of an order that came with its appointment are those of the exam. An order of somebody else keeps its own,
    and its reason; the notes of the appointment are the comments of the steps.
    """
    comments, reason = _comments(case, service), _reason(case)
    own = case.is_ordered_by_appointment
    people = {"performing_physician": service.physician(), "technologist": service.technologist()}
    said: dict[str, Any] = {name: _short(who) for name, who in people.items() if who}
    if comments and not own:
        said["comments"] = comments
    for step in steps if said else ():
        with refusals({}, case.place):
            appointments.note(by=case.by, step=step, **said)
    for procedure in {step.requested_procedure_id: step.requested_procedure for step in steps}.values():
        why = reason if own or not procedure.reason else ""
        if why or (comments and own):
            wish = ProcedureRequest(
                requested_procedure_id=procedure.requested_procedure_id,
                reason=why or None,
                comments=comments if comments and own else None,
            )
            with refusals({}, case.place):
                _tell(case, procedure, wish)


def _tell(case: Case, procedure: RequestedProcedure, request: ProcedureRequest) -> None:
    """Change one procedure of the order, and no other."""
    assert case.order is not None
    wish = {**vars(request), "requested_procedure_id": procedure.requested_procedure_id}
    orders.change(by=case.by, order=case.order, requests=[ProcedureRequest(**wish)], reason=case.reason())


def _short(name: str) -> str:
    return name[:_LONGEST_NAME].rstrip()


def _comments(case: Case, service: Service) -> str:
    return "\n".join(filter(None, [*case.notes, *service.comments]))


def _reason(case: Case) -> str:
    """Return SCH-7, why the patient comes; SCH-6 is why the message was sent."""
    sch = case.message["SCH"]
    return (values.coded_text(sch, "7") or "")[:_LONGEST_REASON] if sch.field(7) != '""' else ""
