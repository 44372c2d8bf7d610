"""Visits: opened, moved through the house, ended, cancelled, taken back.

Every verb locks the patient, which guards their visits, and then the orders of the visit.
"""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from ris.actions import patients, rollup
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import DuplicateVisit, MergeRefused
from ris.models import Attention, Event, EventKind, Order, Patient, Visit, VisitState
from ris.models.compiled import compiled

MARKS: dict[str, Attention] = {
    VisitState.DISCHARGED: Attention.VISIT_DISCHARGED,
    VisitState.CANCELED: Attention.VISIT_CANCELED,
    VisitState.DELETED: Attention.VISIT_CANCELED,
}
"""State of a visit -> why a person has to look at its open orders. They are never cancelled with it."""

TRACKING = frozenset(
    {
        EventKind.VISIT_DEPARTED,
        EventKind.VISIT_ARRIVED,
        EventKind.VISIT_DEPARTURE_CANCELED,
        EventKind.VISIT_ARRIVAL_CANCELED,
    }
)
"""What is told even when it changes no column."""


@verb
def keep(
    *,
    by: Actor,
    patient: Patient,
    visit_number: str,
    issuer: str = "",
    happened: EventKind = EventKind.VISIT_UPDATED,
    **fields: Any,
) -> Visit:
    """Open the visit of this number, or bring it up to date; returns it, or the visit that it was merged into.

    happened: the name under which a change is told. A transfer remembers where the patient was before; a cancelled one
    brings them back there unless `location` says where they are. A new state marks the visit's open orders (MARKS) or
    takes these marks off. fields: columns of Visit. Raises InvalidValue, or DuplicateVisit when the number belongs to
    another patient.
    """
    visit = find(visit_number, issuer)
    if visit is None:
        patient = patients.current(patient)
        visit = Visit.new(patient=patient, visit_number=visit_number, issuer=issuer, **fields)
        _tell(EventKind.VISIT_OPENED, visit, by=by, data={"fields": fields})
        if happened in TRACKING:
            _tell(happened, visit, by=by)
        return visit
    repeats = happened == EventKind.VISIT_UPDATED and all(getattr(visit, name) == fields[name] for name in fields)
    if repeats and visit.patient_id == patient.pk:
        return visit  # most messages say what is known, and locks cost two queries
    patient = patients.current(patient)
    visit = Visit.objects.get(pk=visit.pk).survivor()  # as it is now: the lock may have been waited for
    if visit.patient_id != patient.pk:
        raise DuplicateVisit(field="visit_number")
    visit.patient = patient
    diff = visit.change(**_with_prior_location(visit, happened, fields))
    if diff or happened in TRACKING:
        _tell(happened, visit, by=by, data={"changes": diff} if diff else {})
    if "state" in diff:
        _mark_orders(visit, by=by)
    return visit


@verb
def merge(*, by: Actor, survivor: Visit, loser: Visit, reason: str = "") -> bool:
    """Merge the visit or account `loser` into `survivor`: its orders move, its number leads to the survivor.

    Returns False when the two are one already. Raises MergeRefused for a merge of a visit into itself, in a circle, of
    one that was merged into another, or of the visits of two patients.
    """
    patient = patients.current(survivor.patient)
    loser = Visit.objects.get(pk=loser.pk)
    end = Visit.objects.get(pk=survivor.pk).survivor()
    if loser.pk == end.pk:
        raise MergeRefused(_("A visit cannot be merged into itself, nor in a circle."))
    if loser.survivor().pk == end.pk:
        return False
    if loser.merged_into_id is not None:
        raise MergeRefused(_("The visit was merged into another one before."))
    if {loser.patient_id, end.patient_id} != {patient.pk}:
        raise MergeRefused(_("The visits belong to two patients."))
    orders = Order.objects.filter(visit=loser)
    data = {"survivor": end.pk, "loser": loser.pk, "orders": list(orders.order_by("pk").values_list("pk", flat=True))}
    orders.update(visit=end)
    loser.change(merged_into=end)
    for visit in (end, loser):
        visit.patient = patient
        _tell(EventKind.VISIT_MERGED, visit, by=by, reason=reason, data=data)
    _mark_orders(end, by=by)
    return True


def named(visit_number: str, issuer: str) -> Visit | None:
    """Return the visit of this number itself, merged or not; None when there is none."""
    return next(iter(_named(issuer, visit_number)), None)


@compiled
def _named(issuer: str, visit_number: str) -> QuerySet[Visit]:
    return Visit.objects.filter(issuer=issuer, visit_number=visit_number).select_related("merged_into")


def find(visit_number: str, issuer: str) -> Visit | None:
    """Return the visit of this number, following merges; None when there is none."""
    visit = named(visit_number, issuer)
    return visit.survivor() if visit else None


def named_by_state(patient: Patient, *states: VisitState) -> Visit | None:
    """Return the one visit of a patient that is in one of these states; None when there is none or more than one."""
    found = Visit.objects.filter(patient=patient, state__in=states, merged_into__isnull=True)[:2]
    return found[0] if len(found) == 1 else None


def _with_prior_location(visit: Visit, happened: EventKind, fields: dict[str, Any]) -> dict[str, Any]:
    """Add what a transfer and its cancel say about the place before."""
    if happened == EventKind.VISIT_TRANSFERRED and fields.get("location", visit.location) != visit.location:
        return {**fields, "prior_location": visit.location}
    if happened == EventKind.VISIT_TRANSFER_CANCELED and visit.prior_location:
        return {"location": visit.prior_location, **fields, "prior_location": ""}
    return fields


def _mark_orders(visit: Visit, *, by: Actor) -> None:
    """Put the mark of the visit's state on its open orders, and take those of other states off."""
    mark = MARKS.get(visit.state)
    others = set(MARKS.values()) - {mark}
    rollup.mark_open(Order.objects.filter(visit=visit), by=by, add=[mark] if mark else [], drop=others)


def _tell(kind: EventKind, visit: Visit, *, by: Actor, reason: str = "", data: dict[str, Any] | None = None) -> None:
    subject = f"ris.visit:{visit.pk}"
    Event.objects.record(kind, by=by, patient=visit.patient, subject=subject, reason=reason, data=data)
