"""Follow what another system reports of an order: that its exam has begun, or is done."""

from django.utils.translation import gettext as _

from ris.actions import exams, orders
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import ForbiddenMove, OrderClosed
from ris.models import Order
from ris.states import OPEN, OPEN_ORDERS, STEP_MOVES, OrderState

_MOVES: dict[OrderState, tuple[str, ...]] = {
    OrderState.IN_PROGRESS: ("start",),
    OrderState.COMPLETED: ("start", "complete"),
}
"""State that is reported -> moves that lead a step there."""


@verb
def follow(*, by: Actor, order: Order, state: OrderState, reason: str = "") -> Order:
    """Bring an order to the state in _MOVES that another system reports; returns it as it is now.

    IN_PROGRESS starts its first step, COMPLETED completes every open one. Raises OrderClosed, and ForbiddenMove while
    a step has no time and station yet.
    """
    order = orders.lock(order)
    if order.state == state:
        return order
    if order.state not in OPEN_ORDERS:
        raise OrderClosed
    steps = [step for step in orders.steps_of(order) if step.state in OPEN]
    steps.sort(key=lambda step: (step.start is None, step.start, step.pk))
    for step in steps[:1] if state == OrderState.IN_PROGRESS else steps:
        for move in _MOVES[state]:
            if step.state in STEP_MOVES[move].sources:
                exams.make(move, by=by, step=step, reason=reason)
    if order.state != state:
        raise ForbiddenMove(_("An exam that has no time and station yet cannot have begun."), field="state")
    return order
