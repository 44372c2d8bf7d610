"""Open and update visits."""

from typing import Any

from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import DuplicateVisit
from ris.models import Event, EventKind, Patient, Visit


@verb
def keep(*, by: Actor, patient: Patient, visit_number: str, issuer: str = "", **fields: Any) -> Visit:
    """Open the visit of this number, or bring it up to date; returns it.

    fields: columns of Visit. Raises InvalidValue, or DuplicateVisit when the number belongs to another patient.
    """
    visit = Visit.objects.select_for_update().filter(issuer=issuer, visit_number=visit_number).first()
    if visit is None:
        visit = Visit.new(patient=patient, visit_number=visit_number, issuer=issuer, **fields)
        Event.objects.record(
            EventKind.VISIT_OPENED, by=by, patient=patient, subject=_subject(visit), data={"fields": fields}
        )
        return visit
    if visit.patient_id != patient.pk:
        raise DuplicateVisit(field="visit_number")
    diff = visit.change(**fields)
    if diff:
        Event.objects.record(
            EventKind.VISIT_UPDATED, by=by, patient=patient, subject=_subject(visit), data={"changes": diff}
        )
    return visit


def _subject(visit: Visit) -> str:
    return f"ris.visit:{visit.pk}"
