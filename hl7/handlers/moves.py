"""ADT about numbers that change or that belong to somebody else: A43 to A50 (HL7 v2.5.1 section 3.6)."""

from collections.abc import Iterator, Sequence

from hl7 import mapping, values
from hl7.ack import Condition, Place, Problem
from hl7.handlers import people, stays
from hl7.handlers.merges import Pair, pairs
from hl7.handlers.refusals import refusals
from hl7.handlers.sites import zone_of
from hl7.handlers.stays import Number
from hl7.message import Message, Segment
from hl7.undone import Undone
from hl7.values import FieldError
from ris.actions import patients, renumbering, visits
from ris.actions.patients import Identifier
from ris.actor import Actor
from ris.errors import DuplicateVisit
from ris.models import Patient, PatientIdentifier

NUMBERS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "A46": ((2, 3), (4, 1)),
    "A47": ((3, 2, 4), (1, 4)),
    "A48": ((4, 3), (2, 1)),
}
"""Event -> fields of PID with the new number and of MRG with the old one; the first that has any counts."""


def change_numbers(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Let each patient be known by the number of PID instead of the one of MRG, which still finds them."""
    zone = zone_of(message)
    new_fields, old_fields = NUMBERS[event]
    for pair in pairs(message):
        new = _numbers(pair.pid, new_fields, "the patient has no new number.")
        old = _numbers(pair.mrg, old_fields, "the patient has no number before.")
        said = mapping.fill(mapping.PATIENT, {"PID": pair.pid}, zone, warnings)
        row = _holder(old, new, people.identifiers(pair.pid, 3, 2, 4), people.identifiers(pair.mrg, 1, 4))
        with refusals({}, Place("PID", pair.pid.number, new_fields[0])):
            patient = row.patient.survivor() if row else patients.register(by=by, identifiers=new, **said.values)
            for before, after in _matched(old, new):
                renumbering.change_number(by=by, patient=patient, old=before, new=after)
        people.keep_patient(pair.pid, said, by=by, warnings=warnings)


def _holder(*numbers: Sequence[Identifier]) -> PatientIdentifier | None:
    """Return the row of the first of these numbers that somebody has: the one that changes, else any that stays."""
    return next((row for wanted in numbers if (row := people.look_up(wanted).row())), None)


def _matched(old: Sequence[Identifier], new: Sequence[Identifier]) -> Iterator[tuple[Identifier, Identifier]]:
    """Pair each number that went with the one of the same authority and type that came for it."""
    gone = [number for number in old if number not in new]
    come = [number for number in new if number not in old]
    if len(gone) == len(come) == 1:
        yield gone[0], come[0]
        return
    for before in gone:
        after = next((n for n in come if (n.issuer, n.type) == (before.issuer, before.type)), None)
        if after is not None:
            come.remove(after)
            yield before, after


def move_numbers(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Give the numbers of MRG-1 to the patient whom PID names by another number (A43)."""
    zone = zone_of(message)
    for pair in pairs(message):
        moved = _numbers(pair.mrg, (1,), "no number is named that moves.")
        said = mapping.fill(mapping.PATIENT, {"PID": pair.pid}, zone, warnings)
        target = _other_than(moved, pair, said, by=by)
        for identifier in moved:
            with refusals({}, Place("MRG", pair.mrg.number, 1)):
                holder = renumbering.move_number(by=by, identifier=identifier, to=target)
            if holder is not None and holder.identifiers.exclude(value=identifier.value).exists():
                place = Place("MRG", pair.mrg.number, 1)
                text = f"{place}: the number moved; the orders stay with the patient who had it"
                warnings.append(Undone(Condition.UNKNOWN_KEY, text, place))


def _other_than(moved: Sequence[Identifier], pair: Pair, said: mapping.Filled, *, by: Actor) -> Patient:
    """Return the patient of PID, found or made by the numbers that do not move."""
    for path in (3, 2, 4):
        wanted = [number for number in people.identifiers(pair.pid, path) if number not in moved]
        if wanted:
            break
    else:
        raise values.missing(pair.pid, "3", "the patient who gets the number has to be named by another one.")
    row = people.look_up(wanted).row()
    if row is not None:
        return row.patient.survivor()
    with refusals(said.places, Place("PID", pair.pid.number, 3)):
        return patients.register(by=by, identifiers=wanted, **said.values)


def move_visits(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Move the account (A44: MRG-3) or visit (A45: MRG-5) with its orders from the patient of MRG-1 to that of PID."""
    zone = zone_of(message)
    for pair in pairs(message):
        said = mapping.fill(mapping.PATIENT, {"PID": pair.pid}, zone, warnings)
        target = people.keep_patient(pair.pid, said, by=by, warnings=warnings)
        number = _visit_number(pair.mrg, "5" if event == "A45" else "3")
        row = people.look_up(_numbers(pair.mrg, (1, 4), "the patient who had it has no number.")).row()
        visit = visits.find(number.value, number.issuer)
        if visit is None:
            stays.keep_numbered(number, target, by=by)
            warnings.append(stays.unmoved(number))
            continue
        source = row.patient.survivor() if row else target
        with refusals({}, number.place):
            renumbering.move_visit(by=by, visit=visit, source=source, to=target)


def change_visit_numbers(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Give the account (A49: MRG-3 to PID-18) or visit (A50: MRG-5 to PV1-19) another number; the old one leads on."""
    zone = zone_of(message)
    for pair in pairs(message):
        said = mapping.fill(mapping.PATIENT, {"PID": pair.pid}, zone, warnings)
        patient = people.keep_patient(pair.pid, said, by=by, warnings=warnings)
        old = _visit_number(pair.mrg, "5" if event == "A50" else "3")
        new = _visit_number(pair.pv1 or message["PV1"], "19") if event == "A50" else _visit_number(pair.pid, "18")
        known = visits.find(new.value, new.issuer)
        before = visits.find(old.value, old.issuer)
        if known is not None and before is not None and known.pk != before.pk:
            text = f"{new.place}: the number already belongs to another visit."
            raise FieldError(Problem(Condition.DUPLICATE_KEY, text, new.place))
        visit = before or known or stays.keep_numbered(old, patient, by=by)
        with refusals({}, new.place):
            if visit.patient_id != patient.pk:
                raise DuplicateVisit
            renumbering.change_visit_number(by=by, visit=visit, visit_number=new.value, issuer=new.issuer)


def _numbers(segment: Segment, fields: tuple[int, ...], why: str) -> list[Identifier]:
    found = people.identifiers(segment, *fields)
    if not found:
        raise values.missing(segment, str(fields[0]), why)
    return found


def _visit_number(segment: Segment, path: str) -> Number:
    number = stays.number_in(segment, path)
    if number is None:
        raise values.missing(segment, path, "the visit has no number.")
    return number
