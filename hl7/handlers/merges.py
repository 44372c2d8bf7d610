"""ADT about two patients, or two visits, that are one (HL7 v2.5.1 section 3.6)."""

from collections.abc import Iterator
from dataclasses import dataclass

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


@dataclass(slots=True)
class Pair:
    """A PID with what it says of the MRG below it; PV1 where one follows."""

    pid: Segment
    mrg: Segment
    pv1: Segment | None = None


def merge(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Merge each MRG patient into the PID patient before it; a loser nobody knows leaves a tombstone.

    Later messages that still use the loser's number then find the survivor. A36 names the two accounts as well.
    """
    zone = zone_of(message)
    for pair in pairs(message):
        said = mapping.fill(mapping.PATIENT, {"PID": pair.pid}, zone, warnings)
        survivor = people.keep_patient(pair.pid, said, by=by, warnings=warnings)
        if survivor.deleted_at is not None:
            patients.restore(by=by, patient=survivor)
        loser = _loser(pair.mrg, by=by)
        with refusals({}, Place("MRG", pair.mrg.number, 1)):
            patients.merge(by=by, survivor=survivor, loser=loser)
        if event == "A36":
            _merge_visits(pair, survivor, event, by=by, warnings=warnings, required=False)


def merge_visits(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Merge the account (A35 A41: MRG-3 into PID-18) or the visit (A42: MRG-5 into PV1-19) of each pair."""
    zone = zone_of(message)
    for pair in pairs(message):
        said = mapping.fill(mapping.PATIENT, {"PID": pair.pid}, zone, warnings)
        patient = people.keep_patient(pair.pid, said, by=by, warnings=warnings)
        _merge_visits(pair, patient, event, by=by, warnings=warnings)


def _merge_visits(
    pair: Pair, patient: Patient, event: str, *, by: Actor, warnings: list[str], required: bool = True
) -> None:
    """Merge the visits of a pair, both opened where nobody knows them."""
    segment, path, prior = (pair.pv1, "19", "5") if event == "A42" else (pair.pid, "18", "3")
    number = stays.number_in(segment, path)
    if number is None or stays.number_in(pair.mrg, prior) is None:
        if not required:
            return
        if number is None:
            raise values.missing(segment or pair.mrg, path if segment else prior, "the visit that stays has no number.")
        raise values.missing(pair.mrg, prior, "the visit to merge has no number.")
    stays.merge_prior(pair.mrg, stays.keep_numbered(number, patient, by=by), by=by, warnings=warnings, path=prior)


def pairs(message: Message) -> Iterator[Pair]:
    """Return each MRG with the PID before it and the PV1 after it; raises FieldError where there is none."""
    found: list[Pair] = []
    pid: Segment | None = None
    for segment in message:
        if segment.name == "PID":
            pid = segment
        elif segment.name == "MRG":
            if pid is None:
                place = Place("MRG", segment.number)
                raise FieldError(Problem(Condition.SEGMENT_SEQUENCE, "MRG stands before any PID.", place))
            found.append(Pair(pid, segment))
        elif segment.name == "PV1" and found and found[-1].pid is pid:
            found[-1].pv1 = found[-1].pv1 or segment
    if not found:
        raise values.missing(message["MRG"], "1", "a merge needs an MRG segment.")
    return iter(found)


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
