"""Numbers of patients and visits that change, or that were given to the wrong patient.

A number that was changed stays known, so that late messages still find whom it named.
"""

from dataclasses import asdict

from django.db import IntegrityError

from ris.actions import bookings, patients
from ris.actions.patients import Identifier
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import DuplicateIdentifier, DuplicateVisit
from ris.models import Event, EventKind, Order, Patient, PatientIdentifier, Visit
from ris.models.waiting import refused


@verb
def change_number(*, by: Actor, patient: Patient, old: Identifier, new: Identifier) -> bool:
    """Let a patient be known by `new` from now on, also to scanners if `old` was; `old` still finds them.

    A number that came by a merge stays with the record that was merged, so that the merge can be undone; it never
    becomes the one for scanners. Returns False when nothing changes. Raises DuplicateIdentifier when one of the two
    belongs to somebody else.
    """
    patient = patients.current(patient)
    before, added_before = _of(patient, old)
    after, added_after = _of(patient, new)
    if before.primary and before.patient_id == after.patient_id:
        before.change(primary=False)
        after.change(primary=True)
    elif not (added_before or added_after):
        return False
    data = {"old": asdict(old), "new": asdict(new)}
    Event.objects.record(EventKind.PATIENT_RENUMBERED, by=by, patient=patient, data=data)
    return True


def _of(patient: Patient, identifier: Identifier) -> tuple[PatientIdentifier, bool]:
    """Return the row of a patient's identifier and whether it had to be added."""
    row = PatientIdentifier.objects.named(identifier.issuer, identifier.type, identifier.value).first()
    if row is None:
        try:
            return PatientIdentifier.new(patient=patient, **asdict(identifier)), True
        except IntegrityError as error:
            if not refused(error, PatientIdentifier):
                raise
            raise DuplicateIdentifier from None
    if row.patient_id != patient.pk and row.patient.survivor().pk != patient.pk:
        raise DuplicateIdentifier
    return row, False


@verb
def move_number(*, by: Actor, identifier: Identifier, to: Patient) -> Patient | None:
    """Take a number from the patient who has it and give it to another; returns who had it, None when nothing changes.

    Orders stay where they are. Where it is the only number, everything goes along: that is a merge, which can be
    undone. Raises MergeRefused when such a merge makes no sense.
    """
    row = PatientIdentifier.objects.named(identifier.issuer, identifier.type, identifier.value).first()
    if row is None:
        patients.identify(by=by, patient=to, identifier=identifier)
        return None
    holder = row.patient
    if holder.survivor().pk == to.pk:
        return None
    to = _lock_both(holder, to)[1]
    row.refresh_from_db()
    if row.patient_id != holder.pk:
        raise DuplicateIdentifier  # it was moved while we waited for the lock
    if holder.identifiers.count() == 1:
        patients.merge(by=by, survivor=to, loser=holder)
        return holder
    was_primary = row.primary
    row.change(patient=to, primary=False)
    if was_primary:
        heir = holder.identifiers.order_by("pk").first()
        assert heir is not None
        heir.change(primary=True)
    for patient in (holder, to):
        data = {"identifier": asdict(identifier), "from": holder.pk, "to": to.pk}
        Event.objects.record(EventKind.PATIENT_NUMBER_MOVED, by=by, patient=patient, data=data)
    return holder


@verb
def move_visit(*, by: Actor, visit: Visit, source: Patient, to: Patient) -> bool:
    """Move a visit with its orders from one patient to another; returns False when it is there already.

    Raises DuplicateVisit when it belongs to neither.
    """
    source, to = _lock_both(source, to)
    visit = Visit.objects.get(pk=visit.pk).survivor()
    if visit.patient_id == to.pk:
        return False
    if visit.patient_id != source.pk:
        raise DuplicateVisit
    orders = Order.objects.filter(visit=visit)
    moved = list(orders.order_by("pk").values_list("pk", flat=True))
    data = {"from": source.pk, "to": to.pk, "orders": moved}
    orders.update(patient=to)
    bookings.hand_over(moved, to)
    Visit.objects.filter(pk__in=_with_merged(visit)).update(patient=to)
    for patient in (source, to):
        subject = f"ris.visit:{visit.pk}"
        Event.objects.record(EventKind.VISIT_MOVED, by=by, patient=patient, subject=subject, data=data)
    return True


def _with_merged(visit: Visit) -> list[int]:
    """Return the keys of a visit and of all that were merged into it, also by way of others."""
    found = level = [visit.pk]
    while level:
        level = list(Visit.objects.filter(merged_into__in=level).values_list("pk", flat=True))
        found = found + level
    return found


@verb
def change_visit_number(*, by: Actor, visit: Visit, visit_number: str, issuer: str) -> bool:
    """Give a visit another number; the old one leads to it. Returns False when it has that number already.

    Raises DuplicateVisit when the number belongs to another visit.
    """
    patient = patients.current(visit.patient)
    visit = Visit.objects.get(pk=visit.pk).survivor()
    before = visit.visit_number, visit.issuer
    if before == (visit_number, issuer):
        return False
    if Visit.objects.filter(visit_number=visit_number, issuer=issuer).exists():
        raise DuplicateVisit(field="visit_number")
    diff = visit.change(visit_number=visit_number, issuer=issuer)
    Visit.new(patient=patient, visit_number=before[0], issuer=before[1], state=visit.state, merged_into=visit)
    subject = f"ris.visit:{visit.pk}"
    Event.objects.record(EventKind.VISIT_RENUMBERED, by=by, patient=patient, subject=subject, data={"changes": diff})
    return True


def _lock_both(one: Patient, other: Patient) -> tuple[Patient, Patient]:
    """Lock two patients, or who survived them, and return them in the order in which they were given."""
    locked = {patient.pk: patients.current(patient) for patient in sorted((one, other), key=lambda row: row.pk)}
    return locked[one.pk], locked[other.pk]
