"""Undo merges: what a merge moved goes back, what came later stays."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from ris.actions import bookings, gate, patients, rollup
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import MergeRefused
from ris.models import Attention, Event, EventKind, Order, Patient, PatientMerge, Visit


@dataclass(frozen=True)
class Parting:
    """What undoing a merge does, worked out from its journal.

    orders, visits: go back to the one who was merged away. later: orders that came after the merge; like everything
    else that the survivor has they stay. gone: orders and visits of the journal that are not the survivor's any more,
    because somebody moved them on; they stay where they are.
    """

    journal: PatientMerge
    survivor: Patient
    orders: QuerySet[Order]
    visits: QuerySet[Visit]
    later: QuerySet[Order]
    gone: int


def parting(loser: Patient) -> Parting | None:
    """Return what undoing the merge of this patient would do now; None when they are not merged."""
    journal = PatientMerge.objects.filter(loser=loser, undone_at__isnull=True).first()
    if journal is None:
        return None
    survivor = loser.survivor()
    theirs = Order.objects.filter(patient=survivor)
    orders = theirs.filter(pk__in=journal.moved_orders)
    visits = Visit.objects.filter(patient=survivor, pk__in=journal.moved_visits)
    return Parting(
        journal,
        survivor,
        orders,
        visits,
        later=theirs.filter(created_at__gte=journal.merged_at).exclude(pk__in=journal.moved_orders),
        gone=len(journal.moved_orders) + len(journal.moved_visits) - orders.count() - visits.count(),
    )


@verb
def unmerge(*, by: Actor, loser: Patient, reason: str = "") -> PatientMerge:
    """Undo the merge of `loser`: the orders and visits that it moved go back, if the survivor still has them.

    What came after the merge stays with the survivor. An order and a visit that part leave each other. The number of
    the loser finds the loser again. Returns the journal entry. Raises MergeRefused for who is not merged.
    """
    loser, survivor = patients.lock_merged(loser)
    plan = parting(loser)
    if plan is None:
        raise MergeRefused(_("The patient is not merged into another one."))
    orders, visits = list(plan.orders.values_list("pk", flat=True)), list(plan.visits.values_list("pk", flat=True))
    data = {
        "survivor": survivor.pk,
        "loser": loser.pk,
        "orders": sorted(orders),
        "visits": sorted(visits),
        "later_orders": list(plan.later.order_by("pk").values_list("pk", flat=True)),
    }
    Order.objects.filter(pk__in=orders).update(patient=loser)
    bookings.hand_over(orders, loser)
    busy = Order.objects.filter(patient__in=(survivor, loser), attention__contains=Attention.PATIENT_BUSY)
    marked = list(busy.values_list("pk", flat=True))  # also what the survivor got after the merge
    free = Order.objects.filter(pk__in=marked).exclude(pk__in=bookings.busy_orders(marked))
    rollup.mark_open(free, by=by, drop=[Attention.PATIENT_BUSY])
    Visit.objects.filter(pk__in=visits).update(patient=loser)
    loser.change(merged_into=None)
    if patients.of_name(loser) != patients.of_name(survivor):
        patients.mark_name(loser, Order.objects.filter(pk__in=orders), by=by)
    plan.journal.change(undone_at=timezone.now())
    for patient in (survivor, loser):
        Event.objects.record(EventKind.PATIENT_UNMERGED, by=by, patient=patient, reason=reason, data=data)
    _part(survivor, loser, by=by)
    for patient in (survivor, loser):
        gate.patient_merged(patient, by=by)
    return plan.journal


def _part(one: Patient, other: Patient, *, by: Actor) -> None:
    """Let go what would hold rows of two patients together: an order its visit, a merged visit its survivor."""
    across = Q(patient=one, visit__patient=other) | Q(patient=other, visit__patient=one)
    for order in Order.objects.filter(across).select_related("patient").order_by("pk"):
        diff = order.change(visit=None)
        Event.objects.record(EventKind.ORDER_CHANGED, by=by, patient=order.patient, order=order, data={"changes": diff})
    merged = Q(patient=one, merged_into__patient=other) | Q(patient=other, merged_into__patient=one)
    for visit in Visit.objects.filter(merged).select_related("patient").order_by("pk"):
        diff = visit.change(merged_into=None)
        subject = f"ris.visit:{visit.pk}"
        Event.objects.record(
            EventKind.VISIT_UPDATED, by=by, patient=visit.patient, subject=subject, data={"changes": diff}
        )
