"""ADT: patients registered, updated, deleted and merged, and their visits (HL7 v2.5.1 chapter 3)."""

from collections.abc import Iterator

from hl7 import mapping, values
from hl7.ack import Condition, Place, Problem
from hl7.handlers import people, stays
from hl7.handlers.refusals import refusals
from hl7.handlers.sites import zone_of
from hl7.message import Message, Segment
from hl7.values import FieldError
from ris.actions import patients
from ris.actor import Actor
from ris.models import Patient

_WITHOUT_VISIT = ("A28", "A31")
"""Events about the person alone; what they carry in PV1 is a filler."""


def keep(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Register the patient or bring them up to date, and their visit; a record that was deleted is in use again."""
    zone = zone_of(message)
    segments = {"EVN": message["EVN"], "PID": message["PID"], "PV1": message["PV1"]}
    rows = mapping.PATIENT + mapping.CLINICAL
    said = mapping.fill(rows, segments, zone, warnings)
    people.clinical(message, segments, warnings, said)
    visit = mapping.fill(mapping.DISCHARGE if event == "A03" else mapping.VISIT, segments, zone, warnings)
    patient = people.keep_patient(message["PID"], said, by=by, warnings=warnings)
    if patient.deleted_at is not None:
        patients.restore(by=by, patient=patient)
    if event not in _WITHOUT_VISIT:
        stays.keep(message, patient, by=by, said=visit, warnings=warnings, event=event)


def delete(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Mark what the sender deletes: the visit that an A23 names, else the patient's record (A23 A29)."""
    row = people.look_up(people.pid_numbers(message["PID"])).row()
    if row is None:
        warnings.append("PID-3: nobody is known by this number, so there is nothing to delete")
        return
    patient = row.patient.survivor()
    if event == "A23" and stays.number_of(message)[0]:
        stays.keep(message, patient, by=by, said=mapping.Filled(), warnings=warnings, event=event)
    elif row.patient.merged_into_id is not None:
        warnings.append("PID-3: this record was merged into another one, so it was not deleted")
    else:
        patients.delete(by=by, patient=patient)


def merge(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Merge each MRG patient into the PID patient before it (A40); a loser nobody knows leaves a tombstone.

    Later messages that still use the loser's number then find the survivor.
    """
    zone = zone_of(message)
    for pid, mrg in _pairs(message):
        said = mapping.fill(mapping.PATIENT, {"PID": pid}, zone, warnings)
        survivor = people.keep_patient(pid, said, by=by, warnings=warnings)
        loser = _loser(mrg, by=by)
        with refusals({}, Place("MRG", mrg.number, 1)):
            patients.merge(by=by, survivor=survivor, loser=loser)


def _pairs(message: Message) -> Iterator[tuple[Segment, Segment]]:
    pid: Segment | None = None
    found = False
    for segment in message:
        if segment.name == "PID":
            pid = segment
        elif segment.name == "MRG":
            if pid is None:
                place = Place("MRG", segment.number)
                raise FieldError(Problem(Condition.SEGMENT_SEQUENCE, "MRG stands before any PID.", place))
            found = True
            yield pid, segment
    if not found:
        raise values.missing(message["MRG"], "1", "a merge needs an MRG segment.")


def _loser(mrg: Segment, *, by: Actor) -> Patient:
    """Return the patient that MRG-1 names (not their survivor), made when unknown. MRG-4 is the field of old."""
    wanted = people.identifiers(mrg, 1, 4)
    if not wanted:
        raise values.missing(mrg, "1", "the patient to merge has no number.")
    row = people.look_up(wanted).row()
    if row is not None:
        return row.patient
    name = values.patient_names(mrg, "7")
    known_name = name.alphabetic if isinstance(name, values.Names) else ""
    with refusals({}, Place("MRG", mrg.number, 1)):
        return patients.register(by=by, identifiers=wanted, patient_name=known_name[:64])
