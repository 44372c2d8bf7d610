"""Link patients whom the hospital keeps apart though it knows them to be one person. Nothing moves."""

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from ris.actions import patients
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import MergeRefused
from ris.models import Event, EventKind, Patient, PatientLink


@verb
def link(*, by: Actor, one: Patient, other: Patient) -> bool:
    """Link two patients; returns False when they are linked already. Raises MergeRefused for one and the same."""
    if one.pk == other.pk:
        raise MergeRefused(_("A patient cannot be linked with themselves."))
    first, second = _pair(one, other)
    patients.current(first)  # guards against a second link at the same moment
    if _active(first, second).exists():
        return False
    PatientLink.new(first=first, second=second)
    _tell(EventKind.PATIENT_LINKED, first, second, by=by)
    return True


@verb
def unlink(*, by: Actor, one: Patient, other: Patient) -> bool:
    """Take the link between two patients away; returns False when there is none."""
    first, second = _pair(one, other)
    if not _active(first, second).update(undone_at=timezone.now()):
        return False
    _tell(EventKind.PATIENT_UNLINKED, first, second, by=by)
    return True


def _pair(one: Patient, other: Patient) -> tuple[Patient, Patient]:
    return (one, other) if one.pk < other.pk else (other, one)


def _active(first: Patient, second: Patient) -> QuerySet[PatientLink]:
    return PatientLink.objects.filter(first=first, second=second, undone_at__isnull=True)


def _tell(kind: EventKind, first: Patient, second: Patient, *, by: Actor) -> None:
    for patient in (first, second):
        Event.objects.record(kind, by=by, patient=patient, data={"patients": [first.pk, second.pk]})
