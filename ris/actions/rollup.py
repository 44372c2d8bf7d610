"""What every verb on steps and orders does at its end: tell the event, roll the state up, keep the attention marks."""

from collections.abc import Iterable

from django.db.models import QuerySet

from ris.actions.locking import locked_orders
from ris.actor import Actor
from ris.models import Attention, Event, EventKind, Order, Patient, ScheduledProcedureStep
from ris.models.base import Diff
from ris.states import OPEN_ORDERS, roll_up


def tell(kind: EventKind, *, by: Actor, step: ScheduledProcedureStep, diff: Diff, reason: str = "") -> None:
    """Record an event about a step, its order and its patient."""
    order = step.requested_procedure.order
    Event.objects.record(
        kind, by=by, patient=order.patient, order=order, step=step, reason=reason, data={"changes": diff}
    )


def order_state(order: Order) -> None:
    """Bring the state of an order up to date with its steps."""
    states = ScheduledProcedureStep.objects.filter(requested_procedure__order=order).values_list("state", flat=True)
    order.change(state=roll_up(states.distinct().order_by()))


def mark(order: Order, *, add: Iterable[Attention] = (), drop: Iterable[Attention] = ()) -> None:
    """Take attention marks off an order and put others on."""
    marks = [mark for mark in order.attentions if mark not in set(drop)]
    marks += [mark for mark in add if mark not in marks]
    order.change(attention="\n".join(marks))


def mark_open(
    orders: QuerySet[Order], *, by: Actor, add: Iterable[Attention] = (), drop: Iterable[Attention] = ()
) -> None:
    """Mark the open ones of these orders, which are locked for it; each whose marks change tells so."""
    for order in locked_orders(orders.filter(state__in=OPEN_ORDERS)):
        before = order.attention
        mark(order, add=add, drop=drop)
        if order.attention != before:
            data = {"changes": {"attention": [before, order.attention]}}
            patient = Patient(pk=order.patient_id)  # an event needs to know no more
            Event.objects.record(EventKind.ORDER_MARKED, by=by, patient=patient, order=order, data=data)
