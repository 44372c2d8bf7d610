"""Register, update, identify and merge patients."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from ris import person_name
from ris.actions import bookings, gate, rollup
from ris.actions.safety import FACTS
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import DuplicateIdentifier, InvalidValue, MergedAway, MergeRefused
from ris.models import (
    Attention,
    Event,
    EventKind,
    Insurance,
    Order,
    Patient,
    PatientIdentifier,
    PatientMerge,
    Visit,
)
from ris.models.compiled import compiled
from ris.models.waiting import made_here, refused


@dataclass(frozen=True)
class Identifier:
    """A number by which somebody knows a patient (HL7 CX)."""

    value: str
    issuer: str
    type: str = "MR"
    issuer_universal_id: str = ""
    issuer_universal_id_type: str = ""


def find(identifier: Identifier) -> Patient | None:
    """Return the patient known by an identifier, following merges to the survivor; None when nobody is."""
    row = (
        PatientIdentifier.objects.named(identifier.issuer, identifier.type, identifier.value)
        .select_related("patient__merged_into")
        .first()
    )
    return row.patient.survivor() if row else None


@verb
def register(*, by: Actor, identifiers: Sequence[Identifier], **fields: Any) -> Patient:
    """Make a patient; the first identifier becomes the primary one (Patient ID).

    fields: columns of Patient. Raises InvalidValue, or DuplicateIdentifier when an identifier is taken.
    """
    if not identifiers:
        raise InvalidValue(_("A patient needs an identifier."), field="identifiers")
    patient = Patient.new(**fields)
    Event.objects.record(
        EventKind.PATIENT_REGISTERED,
        by=by,
        patient=patient,
        data={"fields": fields, "identifiers": [dict(vars(identifier)) for identifier in identifiers]},
    )
    for number, identifier in enumerate(identifiers):
        _add_identifier(patient, identifier, primary=number == 0)
    return patient


@verb
def update(*, by: Actor, patient: Patient, **fields: Any) -> bool:
    """Change columns of a patient; returns whether anything changed. Raises InvalidValue, MergedAway.

    Open orders are marked while the patient has no name, or one that scanners cannot be sent.
    """
    locked = _unmerged(patient)
    marks = of_name(locked)
    diff = locked.change(**fields)
    if diff:
        Event.objects.record(EventKind.PATIENT_UPDATED, by=by, patient=patient, data={"changes": diff})
        if FACTS & diff.keys():
            gate.patient_changed(locked, diff.keys(), by=by)
        if of_name(locked) != marks:
            mark_name(locked, Order.objects.filter(patient=locked), by=by)
        patient.refresh_from_db(fields=list(diff))
    return bool(diff)


@verb
def identify(*, by: Actor, patient: Patient, identifier: Identifier) -> None:
    """Give a patient one more identifier; nothing happens when they have it.

    Raises DuplicateIdentifier, MergedAway.
    """
    patient = _unmerged(patient)
    holder = PatientIdentifier.objects.named(identifier.issuer, identifier.type, identifier.value).first()
    if holder is not None:
        if holder.patient_id != patient.pk:
            raise DuplicateIdentifier
        return
    primary = not patient.identifiers.filter(primary=True).exists()
    _add_identifier(patient, identifier, primary=primary)
    Event.objects.record(
        EventKind.PATIENT_IDENTIFIED, by=by, patient=patient, data={"identifier": dict(vars(identifier))}
    )


@verb
def keep_insurance(*, by: Actor, patient: Patient, sent_along: list[dict[str, Any]]) -> None:
    """Keep what was sent along about who pays for a patient, in the place of what was kept before.

    sent_along: as with an order. Raises MergedAway.
    """
    kept = Insurance.objects.filter(patient=patient).first()
    if kept is not None and kept.sent_along == sent_along:
        return
    patient = _unmerged(patient)
    kept = Insurance.objects.filter(patient=patient).first() or Insurance.new(patient=patient)
    diff = kept.change(sent_along=sent_along)
    if diff:
        subject = f"ris.insurance:{kept.pk}"
        Event.objects.record(EventKind.PATIENT_UPDATED, by=by, patient=patient, subject=subject, data={"changes": diff})


@verb
def merge(*, by: Actor, survivor: Patient, loser: Patient, reason: str = "") -> PatientMerge | None:
    """Merge `loser` into `survivor`: orders and visits move, the loser's identifiers lead to the survivor from now on.

    Returns the journal entry, or None when the two are one already. Raises MergeRefused for a merge of a patient
    into themselves, in a circle, or of one who was merged into somebody else.
    """
    if survivor.pk == loser.pk:
        raise MergeRefused(_("A patient cannot be merged into themselves."))
    # A tombstone is locked before its survivor everywhere, so who was merged already is not locked by key.
    rows = [*_lock(loser), *_lock(survivor)] if loser.merged_into_id else _lock(survivor, loser)
    locked = {row.pk: row for row in rows}
    survivor, loser = _locked_survivor(locked[survivor.pk]), locked[loser.pk]
    if loser.survivor().pk == survivor.pk:
        if loser.pk == survivor.pk:
            raise MergeRefused(_("The survivor was merged into this patient before; undo that merge first."))
        return None
    if loser.merged_into_id is not None:
        raise MergeRefused(_("The patient was merged into another one before; undo that merge first."))
    orders, visits = Order.objects.filter(patient=loser), Visit.objects.filter(patient=loser)
    journal = PatientMerge.new(
        survivor=survivor,
        loser=loser,
        moved_orders=list(orders.order_by("pk").values_list("pk", flat=True)),
        moved_visits=list(visits.order_by("pk").values_list("pk", flat=True)),
    )
    orders.update(patient=survivor)
    bookings.hand_over(journal.moved_orders, survivor)
    busy = bookings.busy_orders(journal.moved_orders)
    if busy:
        rollup.mark_open(Order.objects.filter(pk__in=busy), by=by, add=[Attention.PATIENT_BUSY])
    visits.update(patient=survivor)
    loser.change(merged_into=survivor)
    data = {
        "survivor": survivor.pk,
        "loser": loser.pk,
        "orders": journal.moved_orders,
        "visits": journal.moved_visits,
    }
    for patient in (survivor, loser):
        Event.objects.record(EventKind.PATIENT_MERGED, by=by, patient=patient, reason=reason, data=data)
    if of_name(survivor) != of_name(loser):
        mark_name(survivor, Order.objects.filter(pk__in=journal.moved_orders), by=by)
    gate.patient_merged(survivor, by=by)
    return journal


@verb
def delete(*, by: Actor, patient: Patient, reason: str = "") -> None:
    """Mark a patient's record as deleted by whoever keeps it; nothing goes away. Their open orders are marked."""
    _set_deleted(patient, EventKind.PATIENT_DELETED, by=by, reason=reason)


@verb
def restore(*, by: Actor, patient: Patient, reason: str = "") -> None:
    """Take the mark of `delete` off again, also from the orders."""
    _set_deleted(patient, EventKind.PATIENT_RESTORED, by=by, reason=reason)


def of_name(patient: Patient) -> list[Attention]:
    """Return the marks that a patient's name, or the lack of one, gives to their open orders."""
    if not patient.is_named:
        return [Attention.NO_NAME]
    return [] if all(map(person_name.is_writable, patient.names)) else [Attention.BAD_NAME]


def mark_name(patient: Patient, orders: QuerySet[Order], *, by: Actor) -> None:
    """Say on these open orders of the patient's whether there is a name that scanners can be sent."""
    marks = of_name(patient)
    rollup.mark_open(orders, by=by, add=marks, drop={Attention.NO_NAME, Attention.BAD_NAME}.difference(marks))


def _set_deleted(patient: Patient, kind: EventKind, *, by: Actor, reason: str) -> None:
    locked = _locked_survivor(_lock(patient)[0])
    deleted = kind == EventKind.PATIENT_DELETED
    if deleted == (locked.deleted_at is not None):
        return
    diff = locked.change(deleted_at=timezone.now() if deleted else None)
    Event.objects.record(kind, by=by, patient=locked, reason=reason, data={"changes": diff})
    mark = [Attention.PATIENT_DELETED]
    orders = Order.objects.filter(patient=locked)
    rollup.mark_open(orders, by=by, add=mark if deleted else [], drop=[] if deleted else mark)


def _unmerged(patient: Patient) -> Patient:
    """Lock a patient and return them; a record that was merged away is history and raises MergedAway."""
    locked = _lock(patient)[0]
    if locked.merged_into_id is not None:
        raise MergedAway
    return locked


def _add_identifier(patient: Patient, identifier: Identifier, *, primary: bool) -> None:
    """Insert an identifier; the database says whether it is taken."""
    try:
        PatientIdentifier.new(patient=patient, primary=primary, **vars(identifier))
    except IntegrityError as error:
        if not refused(error, PatientIdentifier):
            raise
        raise DuplicateIdentifier from None


def current(patient: Patient) -> Patient:
    """Lock a patient for this transaction and return them, or the survivor when they were merged meanwhile."""
    if made_here(patient):
        return patient
    return _locked_survivor(_lock(patient)[0])


def lock_merged(patient: Patient) -> tuple[Patient, Patient]:
    """Lock a patient and the end of their chain of merges, and return both; the same one twice where there is none."""
    locked = _lock(patient)[0]
    end = _locked_survivor(locked)
    return locked, end


def _locked_survivor(patient: Patient) -> Patient:
    """Return the end of a chain of merges, locked; the chain may change while we wait for the lock."""
    if patient.merged_into_id is None:
        return patient
    while True:
        end = _lock(patient.survivor())[0]
        patient = Patient.objects.get(pk=patient.pk)
        if patient.survivor().pk == end.pk:
            return end


def _lock(*patients: Patient) -> list[Patient]:
    """Lock patients, always in the same order so that two transactions cannot wait for each other."""
    return _rows_to_lock(tuple({patient.pk for patient in patients}))


@compiled
def _rows_to_lock(keys: tuple[int, ...]) -> QuerySet[Patient]:
    return Patient.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=keys).order_by("pk")
