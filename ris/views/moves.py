"""The buttons of a step and of an order: which moves, in which words, for whom. Data, and one function for each."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ris.models import Order, ScheduledProcedureStep
from ris.states import OPEN, STEP_MOVES, OrderState, StepState

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

CHECK_IN = "ris.check_in_step"
PERFORM = "ris.perform_step"
BOOK = "ris.book_step"
OVERBOOK = "ris.overbook_step"
CANCEL = "ris.cancel_order"


@dataclass(frozen=True)
class Button:
    """One thing to press. move: as in ris.states.STEP_MOVES; done: what to say afterwards.

    needs_reason, takes_reason: why has to be said, or may be. only: the states in which it is offered, where those are
    fewer than the move allows. forward: leads on to the end of the exam, so that the first page offers it.
    """

    move: str
    label: "_StrPromise"
    done: "_StrPromise"
    permission: str
    needs_reason: bool = False
    takes_reason: bool = False
    only: frozenset[StepState] | None = None
    forward: bool = False

    def fits(self, state: str) -> bool:
        """Tell whether the button makes sense in a state."""
        return state in STEP_MOVES[self.move].sources and (self.only is None or state in self.only)


_S = StepState

STEP_BUTTONS: tuple[Button, ...] = (
    Button("arrive", _("Check in"), _("The patient is checked in."), CHECK_IN, forward=True),
    Button("start", pgettext_lazy("button", "Start"), _("The exam has started."), PERFORM, forward=True),
    Button("complete", _("Complete"), _("The exam is completed."), PERFORM, forward=True),
    Button("make ready", _("Ready"), _("The patient is ready."), CHECK_IN, only=frozenset({_S.ARRIVED}), forward=True),
    Button("depart", _("Patient left"), _("The patient has left; the exam can be completed later."), PERFORM),
    Button("unbook", _("Take off the schedule"), _("The exam waits for another time."), BOOK, takes_reason=True),
    Button("miss", _("Did not come"), _("It is noted that the patient did not come."), CHECK_IN, takes_reason=True),
    Button(
        "reopen",
        _("Undo the check-in"),
        _("The exam is back on the schedule."),
        CHECK_IN,
        only=frozenset({_S.ARRIVED, _S.READY}),
    ),
    Button(
        "reopen",
        _("Undo “Did not come”"),
        _("The exam is back on the schedule."),
        CHECK_IN,
        only=frozenset({_S.NO_SHOW}),
    ),
    Button(
        "reopen",
        _("Put back on the schedule"),
        _("The exam is back on the schedule."),
        PERFORM,
        needs_reason=True,
        only=frozenset({_S.STARTED, _S.DEPARTED, _S.COMPLETED, _S.DISCONTINUED}),
    ),
    Button("discontinue", _("Stop the exam"), _("The exam was stopped."), PERFORM, needs_reason=True),
    Button("cancel", _("Cancel this step"), _("The step is cancelled."), CANCEL, needs_reason=True),
)
"""The likeliest first."""


def offered(user: Any, step: ScheduledProcedureStep) -> list[Button]:
    """Return the buttons that a person may press on a step in its state."""
    return [button for button in STEP_BUTTONS if button.fits(step.state) and user.has_perm(button.permission)]


def next_move(user: Any, step: ScheduledProcedureStep) -> list[Button]:
    """Return the one button that leads on, if the person may press it."""
    return [button for button in offered(user, step) if button.forward][:1]


def rest_of(user: Any, step: ScheduledProcedureStep) -> list[Button]:
    """Return the buttons besides that one."""
    following = next_move(user, step)
    return [button for button in offered(user, step) if button not in following]


def can_book(user: Any, step: ScheduledProcedureStep) -> bool:
    """Tell whether a person may give a step a time, or another one."""
    sources = STEP_MOVES["book"].sources | STEP_MOVES["move"].sources
    return step.state in sources and user.has_perm(BOOK)


@dataclass(frozen=True)
class OrderButton:
    """One thing to do with a whole order, by the name of its verb in ris.actions.orders."""

    verb: str
    label: "_StrPromise"
    done: "_StrPromise"
    permission: str
    needs_reason: bool = False


ORDER_BUTTONS: tuple[OrderButton, ...] = (
    OrderButton("settle", _("Settled"), _("The marks are off the order."), "ris.settle_order"),
    OrderButton("release", _("Release"), _("The order is on the worklists again."), CANCEL),
    OrderButton("hold", _("Hold"), _("The order is hidden from every worklist."), CANCEL, needs_reason=True),
    OrderButton("cancel", _("Cancel the order"), _("The order is cancelled."), CANCEL, needs_reason=True),
    OrderButton("discontinue", _("Stop the order"), _("The order was stopped."), CANCEL, needs_reason=True),
)


def offered_for_order(user: Any, order: Order, steps: list[ScheduledProcedureStep]) -> list[OrderButton]:
    """Return the buttons that a person may press on an order as it stands."""
    closed = order.state in (OrderState.COMPLETED, OrderState.CANCELED, OrderState.DISCONTINUED)
    started = any(step.state in (StepState.STARTED, StepState.DEPARTED) for step in steps)
    left = any(step.state in OPEN | {StepState.NO_SHOW} for step in steps)
    fits = {
        "settle": bool(order.attention),
        "release": order.on_hold and not closed,
        "hold": not order.on_hold and not closed and order.state != OrderState.IN_PROGRESS,
        "cancel": not closed and left and not started,
        "discontinue": not closed and started,
    }
    return [button for button in ORDER_BUTTONS if fits[button.verb] and user.has_perm(button.permission)]
