"""The patient and the visit that a message speaks about."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from hl7 import mapping, observations, values
from hl7.ack import Condition, Place, Problem
from hl7.dialect import PLAIN, Dialect, MasterMissing
from hl7.handlers.refusals import refusals
from hl7.handlers.unsupported import Undecided
from hl7.mapping import Filled, Segments
from hl7.message import NULL, Message, Repetition, Segment
from hl7.undone import Undone
from hl7.values import FieldError
from ris.actions import patients
from ris.actions.patients import Identifier
from ris.actor import Actor
from ris.models import Patient, PatientIdentifier
from ris.models.compiled import compiled


@dataclass(frozen=True, slots=True)
class Known:
    """Who already has which of the identifiers of a message."""

    identifiers: list[Identifier]
    holders: dict[Identifier, PatientIdentifier]
    master: Identifier | None = None

    def row(self) -> PatientIdentifier | None:
        """Return the row that says who the patient is: by the surest kind of number that somebody has.

        Whoever has another number of the master authority is somebody else.
        """
        for identifier in self.identifiers:
            row = self.holders.get(_key(identifier))
            if row is None or not (row.type in mapping.PATIENT_ID_TYPES or identifier == self.identifiers[0]):
                continue
            if identifier == self.master or not self._is_another(row):
                return row
        return None

    def _is_another(self, row: PatientIdentifier) -> bool:
        if self.master is None:
            return False
        numbers = PatientIdentifier.objects.filter(issuer=self.master.issuer, type=self.master.type)
        return numbers.filter(patient=row.patient.survivor()).exists()

    def names(self, patient: Patient) -> bool:
        """Tell whether one of the surest numbers is the patient's own, not that of a record merged into theirs."""
        own = (holder for holder in self.holders.values() if holder.patient_id == patient.pk)
        return any(holder.type in mapping.PATIENT_ID_TYPES for holder in own)


MOST_NUMBERS = 100
"""Numbers of one patient in one field; a message with more of them is an accident, and no query for it ends."""


def identifiers(segment: Segment, *paths: int) -> list[Identifier]:
    """Return the patient numbers (CX) of the first of these fields that has any, the surest first.

    Raises FieldError when a field has more than MOST_NUMBERS.
    """
    for path in paths:
        repetitions = segment.repetitions(path)
        if len(repetitions) > MOST_NUMBERS:
            place = values.place(segment, str(path))
            text = f"{place} holds more than {MOST_NUMBERS} numbers."
            raise FieldError(Problem(Condition.DATA_TYPE, text, place))
        numbers = (_identifier(repetition, segment.dialect) for repetition in repetitions)
        found = [number for number in numbers if number]
        if found:
            unique = list(dict.fromkeys(found))
            # Stable: as sent within a kind.
            return sorted(unique, key=lambda number: (not _is_master(number, segment.dialect), _rank(number)))
    return []


def _identifier(repetition: Repetition, dialect: Dialect) -> Identifier | None:
    value = repetition.get(1)
    if not value or value is NULL:
        return None
    namespace = _said(repetition.get(4, 1))
    universal_id = _said(repetition.get(4, 2))
    return Identifier(
        value=value,
        issuer=namespace or universal_id or dialect.issuer or settings.BUCKY_PATIENT_ID_ISSUER,
        type=_said(repetition.get(5)) or "MR",
        issuer_universal_id=universal_id,
        issuer_universal_id_type=_said(repetition.get(4, 3)),
    )


def _said(value: str | None) -> str:
    return value if value and value is not NULL else ""


def _rank(identifier: Identifier) -> int:
    types = mapping.PATIENT_ID_TYPES
    return types.index(identifier.type) if identifier.type in types else len(types)


def _is_master(identifier: Identifier, dialect: Dialect) -> bool:
    """Tell whether a number is a patient's number of the authority that the endpoint names."""
    named = dialect.master_authority in (identifier.issuer, identifier.issuer_universal_id)
    return bool(dialect.master_authority) and named and identifier.type in mapping.PATIENT_ID_TYPES


def _key(identifier: Identifier) -> Identifier:
    return Identifier(identifier.value, identifier.issuer, identifier.type)


def look_up(wanted: Sequence[Identifier], dialect: Dialect = PLAIN) -> Known:
    """Find in one query who has these identifiers, the surest of which comes first."""
    rows = _holders(tuple((wish.issuer, wish.type, wish.value) for wish in wanted)) if wanted else ()
    holders = {Identifier(row.value, row.issuer, row.type): row for row in rows}
    master = wanted[0] if wanted and _is_master(wanted[0], dialect) else None
    return Known(list(wanted), holders, master)


@compiled
def _holders(numbers: tuple[tuple[str, str, str], ...]) -> QuerySet[PatientIdentifier]:
    terms = Q(pk__in=())
    for issuer, kind, value in numbers:
        terms |= Q(issuer=issuer, type=kind, value=value)
    return PatientIdentifier.objects.filter(terms).select_related("patient")


def pid_numbers(pid: Segment) -> list[Identifier]:
    """Return the numbers of PID. Raises FieldError when there are none.

    Where the endpoint wants one of its master authority and there is none, that is a FieldError or Undecided as well.
    """
    if not pid:
        raise values.missing(pid, "3", "there is no PID segment, so no patient.")
    wanted = identifiers(pid, 3, 2, 4)
    if not wanted:
        raise values.missing(pid, "3", "the patient has no number.")
    dialect = pid.dialect
    if dialect.master_authority and not _is_master(wanted[0], dialect):
        error = values.missing(pid, "3", "the patient has no number of the authority that the endpoint asks for.")
        if dialect.master_missing == MasterMissing.REFUSE:
            raise error
        if dialect.master_missing == MasterMissing.KEEP:
            raise Undecided(error.problem)
    return wanted


def check_one(message: Message, warnings: list[str]) -> None:
    """Raise FieldError where a message that is about one patient has a PID of another one.

    What follows such a PID is not about the first one, and an order on the wrong patient is worse than none. A further
    PID of the same patient is a warning.
    """
    first, *others = message.all("PID") or [message["PID"]]
    for pid in others:
        place = Place("PID", pid.number)
        if not _are_of_one(first, pid):
            text = f"{place}: another patient than in the first PID. Send a message for each of them."
            raise FieldError(Problem(Condition.SEGMENT_SEQUENCE, text, place))
        warnings.append(f"{place}: only the first PID was read")


def _are_of_one(first: Segment, other: Segment) -> bool:
    """Tell whether two PID are of one patient: by a number, by our records, or by all that they say without numbers."""
    numbers, others = identifiers(first, 3, 2, 4), identifiers(other, 3, 2, 4)
    if not numbers or not others:
        return [first.get(field) for field in _ALIKE] == [other.get(field) for field in _ALIKE]
    if {(one.issuer, one.value) for one in numbers} & {(one.issuer, one.value) for one in others}:
        return True
    rows = look_up(numbers).row(), look_up(others).row()
    keys = {row.patient.survivor().pk if row else None for row in rows}
    return len(keys) == 1 and None not in keys


_ALIKE = ("5.1", "5.2", "7", "8")
"""What two PID of one patient have in common: family name, given name, birth date and sex."""


def keep_patient(
    pid: Segment,
    said: Filled,
    *,
    by: Actor,
    warnings: list[str],
    overwrite: bool = True,
    sent_along: list[dict[str, Any]] | None = None,
) -> Patient:
    """Return the patient of PID, registered or brought up to date with what is said.

    overwrite: False for messages that do not speak about the person (orders): they fill what is empty, and
    a name, birth date or sex that differs is a warning, because it may be another person's order. The same for
    messages with only the number of a record that was merged away: they may be late, or about somebody else.
    sent_along: insurance and further segments about the patient; None where there are none.
    """
    known = look_up(pid_numbers(pid), pid.dialect)
    row = known.row()
    places = said.places | {"identifiers": Place("PID", pid.number, 3)}
    with refusals(places, Place("PID", pid.number, 3)):
        if row is None:
            patient = patients.register(by=by, identifiers=_free(known, None, warnings), **said.values)
            if sent_along:
                patients.keep_insurance(by=by, patient=patient, sent_along=sent_along)
            return patient
        patient = row.patient.survivor()
        for identifier in _free(known, patient, warnings):
            patients.identify(by=by, patient=patient, identifier=identifier)
        merged = row.patient_id != patient.pk and not known.names(patient)
        fields = _filling(patient, said.values, warnings) if merged or not overwrite else said.values
        if merged and _differs(patient, {name: said.values[name] for name in said.values.keys() - fields.keys()}):
            warnings.append(Undone(Condition.RECORD_LOCKED, _MERGED, Place("PID", pid.number, 3)))
        if _differs(patient, fields):
            patients.update(by=by, patient=patient, **fields)
        if sent_along and not merged:
            patients.keep_insurance(by=by, patient=patient, sent_along=sent_along)
        return patient


def _free(known: Known, patient: Patient | None, warnings: list[str]) -> list[Identifier]:
    """Return the identifiers that nobody has yet; one that belongs to somebody else is a warning."""
    free = []
    for identifier in known.identifiers:
        holder = known.holders.get(_key(identifier))
        if holder is None:
            free.append(identifier)
        elif patient is None or holder.patient.survivor().pk != patient.pk:
            text = f"PID-3: the {identifier.type} number belongs to another patient and was left there"
            warnings.append(Undone(Condition.DUPLICATE_KEY, text, Place("PID", field=3)))
    return free


_MERGED = "PID-3: this number was merged into another record; what the message says about the person was not taken over"
_WHO = ("patient_name", "birth_date", "sex")
_PERSON = {row.argument for row in mapping.PATIENT}
_NAME = {row.argument for row in mapping.PATIENT if row.sources == ("PID-5",)}


def _filling(patient: Patient, fields: dict[str, Any], warnings: list[str]) -> dict[str, Any]:
    """Leave out what would overwrite the person; clinical values always count.

    The representations of a name belong together: one is added only to the name that it is said with.
    """
    taken = {}
    other_name = patient.is_named and fields.get("patient_name") != patient.patient_name
    for name, value in fields.items():
        before = getattr(patient, name)
        if name not in _PERSON or (before in ("", None) and not (name in _NAME and other_name)):
            taken[name] = value
        elif name in _WHO and value not in ("", None) and value != before:
            warnings.append(f"the {name.replace('_', ' ')} differs from the one known here and was left as it is")
    return taken


def _differs(patient: Patient, fields: dict[str, Any]) -> bool:
    """Tell whether there is anything to write: most messages repeat what is known, and a lock costs a query."""
    return any(getattr(patient, name) != value for name, value in fields.items())


def clinical(message: Message, segments: Segments, warnings: list[str], said: Filled) -> None:
    """Add what AL1 and OBX say about the patient."""
    allergies = [text for segment in message.all("AL1") if (text := allergy(segment))]
    if allergies:
        said.values["allergies"] = values.cut(", ".join(dict.fromkeys(allergies)), 250, "AL1-3", warnings)
    comments = "\n".join(filter(None, _comments(message)))
    if comments:
        said.values["comments"] = comments
    observations.observe(message, said, warnings)


def _comments(message: Message) -> Iterator[str]:
    """Return NTE-3 of each NTE that stands below PID."""
    below = False
    for segment in message:
        if below and segment.name == "NTE":
            yield segment.text(3)
        else:
            below = segment.name == "PID"


def allergy(segment: Segment) -> str:
    """Return what AL1-3 or IAM-3 names: its words, else its code."""
    return _said(segment.get("3.2")) or _said(segment.get("3.1"))
