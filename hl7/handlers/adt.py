"""ADT about one patient: registered, updated, deleted, and where they stay (HL7 v2.5.1 chapter 3)."""

from collections.abc import Callable

from hl7 import mapping, values
from hl7.ack import Condition, Place
from hl7.handlers import people, stays
from hl7.handlers.order_groups import further_segments
from hl7.handlers.sites import zone_of
from hl7.message import Message, Segment
from hl7.undone import Undone
from ris.actions import exams, patients
from ris.actor import Actor
from ris.models import Patient

_WITHOUT_VISIT = ("A28", "A31")
"""Events about the person alone; what they carry in PV1 is a filler."""

_VISIT = {"A03": mapping.DISCHARGE, "A16": mapping.PLANNED, "A25": mapping.PLANNED}
"""Events whose PV1 is read by another table than mapping.VISIT."""


def keep(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Register the patient or bring them up to date, and their visit; a record that was deleted is in use again."""
    _keep(message, event, by=by, warnings=warnings)


def _keep(message: Message, event: str, *, by: Actor, warnings: list[str]) -> Patient:
    zone = zone_of(message)
    segments = {"EVN": message["EVN"], "PID": message["PID"], "PV1": message["PV1"]}
    rows = mapping.PATIENT + mapping.CLINICAL
    said = mapping.fill(rows, segments, zone, warnings)
    people.clinical(message, segments, warnings, said)
    visit = mapping.fill(_VISIT.get(event, mapping.VISIT), segments, zone, warnings)
    along = further_segments(message) or None
    patient = people.keep_patient(message["PID"], said, by=by, warnings=warnings, sent_along=along)
    if patient.deleted_at is not None:
        patients.restore(by=by, patient=patient)
    if event in _WITHOUT_VISIT:
        return patient
    kept = stays.keep(message, patient, by=by, said=visit, warnings=warnings, event=event)
    if kept is not None and message["MRG"]:
        stays.merge_prior(message["MRG"], kept, by=by, warnings=warnings)
    if event in _ARRIVALS and message.dialect.arrival_checks_in:
        verb, otherwise = _ARRIVALS[event]
        if not verb(by=by, patient=patient, visit=kept, zone=zone):
            warnings.append(Undone(Condition.UNKNOWN_KEY, otherwise))
    return patient


_ARRIVALS: dict[str, tuple[Callable[..., int], str]] = {
    "A10": (exams.check_in, "no exam of today waits for the patient, so nobody was checked in"),
    "A32": (exams.undo_check_in, "no arrival told by a message today, so no check-in was taken back"),
}
"""Event -> what it does at an endpoint whose arrivals check in, and what is told where there was nothing to do."""


def keep_without_alternate_number(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Do as `keep` does; the alternate visit number that changes (A51: PV1-50, MRG-6) is not one that is kept here."""
    _keep(message, event, by=by, warnings=warnings)
    text = "PV1-50: alternate visit numbers are not kept here, so none was changed"
    warnings.append(Undone(Condition.UNKNOWN_KEY, text, Place("PV1", field=50)))


def keep_reactions(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Do as `keep` does, then add each IAM-3 to the allergies known, or take it away (IAM-6 is D)."""
    patient = _keep(message, event, by=by, warnings=warnings)
    known = f", {patient.allergies}, " if patient.allergies else ", "
    for segment in message.all("IAM"):
        text = people.allergy(segment)
        if not text:
            continue
        if values.text(segment, "6.1") == "D":
            known = known.replace(f", {text}, ", ", ")
        elif f", {text}, " not in known:
            known += f"{text}, "
    said = values.cut(known.strip(", "), 250, "IAM-3", warnings)
    if said != patient.allergies:
        patients.update(by=by, patient=patient, allergies=said)


def swap(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Bring both patients of an A17 and their visits up to date: each PV1-3 is where the patient is now."""
    heads = [segment for segment in message if segment.name in ("MSH", "EVN")]
    parts: list[list[Segment]] = []
    for segment in message:
        if segment.name == "PID":
            parts.append([*heads])
        if parts:
            parts[-1].append(segment)
    if len(parts) < 2:
        raise values.missing(message["PID"], "3", "two patients are needed, each with a PID segment.")
    for part in parts:
        _keep(message.with_segments(part), event, by=by, warnings=warnings)


def pass_by(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Do nothing: A20 tells of a bed, and no beds are kept here."""


def delete(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Mark what the sender deletes: the visit that an A23 names, else the patient's record (A23 A29)."""
    row = people.look_up(people.pid_numbers(message["PID"])).row()
    if row is None:
        text = "PID-3: nobody is known by this number, so there is nothing to delete"
        warnings.append(Undone(Condition.UNKNOWN_KEY, text, Place("PID", field=3)))
        return
    patient = row.patient.survivor()
    if event == "A23" and stays.number_of(message):
        stays.keep(message, patient, by=by, said=mapping.Filled(), warnings=warnings, event=event)
    elif row.patient.merged_into_id is not None:
        text = "PID-3: this record was merged into another one, so it was not deleted"
        warnings.append(Undone(Condition.RECORD_LOCKED, text, Place("PID", field=3)))
    else:
        patients.delete(by=by, patient=patient)
