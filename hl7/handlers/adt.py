"""ADT about one patient: registered, updated, deleted, and where they stay (HL7 v2.5.1 chapter 3)."""

from hl7 import mapping
from hl7.handlers import people, stays
from hl7.handlers.sites import zone_of
from hl7.message import Message
from ris.actions import patients
from ris.actor import Actor

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
        kept = stays.keep(message, patient, by=by, said=visit, warnings=warnings, event=event)
        if kept is not None and message["MRG"]:
            stays.merge_prior(message["MRG"], kept, by=by)


def delete(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Mark what the sender deletes: the visit that an A23 names, else the patient's record (A23 A29)."""
    row = people.look_up(people.pid_numbers(message["PID"])).row()
    if row is None:
        warnings.append("PID-3: nobody is known by this number, so there is nothing to delete")
        return
    patient = row.patient.survivor()
    if event == "A23" and stays.number_of(message):
        stays.keep(message, patient, by=by, said=mapping.Filled(), warnings=warnings, event=event)
    elif row.patient.merged_into_id is not None:
        warnings.append("PID-3: this record was merged into another one, so it was not deleted")
    else:
        patients.delete(by=by, patient=patient)
