"""Orders that belong together: one in the place of others, parts of a parent, and the numbers others know them by."""

from collections.abc import Sequence
from dataclasses import replace as with_values
from typing import Any

from django.utils.translation import gettext as _

from ris.actions import orders, procedures
from ris.actions.requests import ProcedureRequest
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import DuplicateOrder, ForbiddenMove
from ris.models import Event, EventKind, Order, Patient, ScheduledProcedureStep
from ris.states import BEFORE_START


@verb
def replace(
    *,
    by: Actor,
    old: Sequence[Order],
    patient: Patient,
    requests: Sequence[ProcedureRequest],
    reason: str = "",
    **fields: Any,
) -> Order:
    """Place an order in the place of others, which are cancelled; returns the new one.

    The first procedure takes over time and station of what it replaces where it names no time and needs the same
    modality. What was replaced before keeps its successor. fields: as for orders.place. Raises what it raises, and
    OrderStarted or OrderClosed when one of the others cannot be cancelled any more, DuplicateOrder when one is
    another patient's.
    """
    locked = [orders.lock(order) for order in sorted(old, key=lambda order: order.pk)]
    if any(order.patient_id != patient.pk for order in locked):
        raise DuplicateOrder
    waiting = [order for order in locked if order.replaced_by_id is None]
    wishes = _in_their_place(waiting, requests)
    for order in waiting:
        orders.cancel(by=by, order=order, reason=reason)
    made = orders.place(by=by, patient=patient, requests=wishes, **fields)
    for order in map(orders.lock, waiting):
        diff = order.change(replaced_by=made)
        Event.objects.record(
            EventKind.ORDER_REPLACED, by=by, patient=order.patient, order=order, reason=reason, data={"changes": diff}
        )
    return made


def _in_their_place(old: Sequence[Order], requests: Sequence[ProcedureRequest]) -> list[ProcedureRequest]:
    """Give the first request the time and station of the first booked step of the orders that it replaces."""
    first, *others = requests or [ProcedureRequest()]
    booked = ScheduledProcedureStep.objects.filter(
        requested_procedure__order__in=old, state__in=BEFORE_START, start__isnull=False
    )
    step = booked.select_related("station").order_by("start", "pk").first()
    if not requests or step is None or first.start is not None:
        return list(requests)
    modality = first.exam.modality if first.exam else first.modality or step.modality
    fits = modality == step.modality and (first.exam is None or procedures.does(step, first.exam))
    return [with_values(first, start=step.start, station=first.station or (step.station if fits else None)), *others]


@verb
def make_part(*, by: Actor, child: Order, parent: Order) -> Order:
    """Note that an order is a part of another one of the same patient; returns it as it is now.

    Raises ForbiddenMove for a circle or a second parent, DuplicateOrder when the two are of two patients.
    """
    child = orders.lock(child)
    if child.parent_id == parent.pk:
        return child
    if child.parent_id is not None:
        raise ForbiddenMove(_("The order is a part of another order already."), field="parent")
    if child.patient_id != parent.patient_id:
        raise DuplicateOrder(field="parent")
    above: Order | None = parent
    while above is not None:
        if above.pk == child.pk:
            raise ForbiddenMove(_("An order cannot be a part of itself."), field="parent")
        above = above.parent
    diff = child.change(parent=parent)
    Event.objects.record(EventKind.ORDER_LINKED, by=by, patient=child.patient, order=child, data={"changes": diff})
    return child


@verb
def take_number(*, by: Actor, order: Order, placer_order_number: str, placer_issuer: str) -> Order:
    """Note the number that the placer gave to an order that was made here, whatever has become of it meanwhile.

    Raises ForbiddenMove when it has another number already, InvalidValue.
    """
    order = orders.lock(order)
    if order.placer_order_number and (order.placer_order_number, order.placer_issuer) != (
        placer_order_number,
        placer_issuer,
    ):
        raise ForbiddenMove(_("The order has another placer number already."), field="placer_order_number")
    diff = order.change(placer_order_number=placer_order_number, placer_issuer=placer_issuer)
    if diff:
        Event.objects.record(EventKind.ORDER_CHANGED, by=by, patient=order.patient, order=order, data={"changes": diff})
    return order
