"""States of steps and orders, and the legal moves between them: data only.

A step is a DICOM Scheduled Procedure Step; its states are those of Scheduled Procedure Step Status (0040,0020)
with the states of a department around them. An order has no life of its own: its state is rolled up from its steps.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from ris.errors import ForbiddenMove


class StepState(TextChoices):
    """Where one Scheduled Procedure Step stands."""

    REQUESTED = "REQUESTED", _("to be scheduled")
    SCHEDULED = "SCHEDULED", _("scheduled")
    ARRIVED = "ARRIVED", _("arrived")
    READY = "READY", _("ready")
    STARTED = "STARTED", _("in progress")
    DEPARTED = "DEPARTED", _("departed")
    COMPLETED = "COMPLETED", _("completed")
    CANCELED = "CANCELED", _("cancelled")
    DISCONTINUED = "DISCONTINUED", _("discontinued")
    NO_SHOW = "NO_SHOW", _("did not come")


class OrderState(TextChoices):
    """Where an order stands, rolled up from its steps."""

    REQUESTED = "REQUESTED", _("to be scheduled")
    SCHEDULED = "SCHEDULED", _("scheduled")
    IN_PROGRESS = "IN_PROGRESS", _("in progress")
    COMPLETED = "COMPLETED", _("completed")
    CANCELED = "CANCELED", _("cancelled")
    DISCONTINUED = "DISCONTINUED", _("discontinued")
    NO_SHOW = "NO_SHOW", _("did not come")


class PerformedState(TextChoices):
    """Performed Procedure Step Status (0040,0252) (PS3.3 C.4.14)."""

    IN_PROGRESS = "IN PROGRESS", _("in progress")
    COMPLETED = "COMPLETED", _("completed")
    DISCONTINUED = "DISCONTINUED", _("discontinued")


_S = StepState

BEFORE_START = frozenset({_S.REQUESTED, _S.SCHEDULED, _S.ARRIVED, _S.READY})
OPEN = BEFORE_START | {_S.STARTED, _S.DEPARTED}
ON_WORKLIST = frozenset({_S.SCHEDULED, _S.ARRIVED, _S.READY, _S.STARTED})
"""States that a scanner's query may see. STARTED stays: a scanner that was restarted has to find its patient again."""
NEEDS_PLACE = ON_WORKLIST | {_S.DEPARTED, _S.COMPLETED, _S.DISCONTINUED, _S.NO_SHOW}
"""States that make no sense without a station and a start; the database holds this as a constraint."""


OPEN_ORDERS = frozenset({OrderState.REQUESTED, OrderState.SCHEDULED, OrderState.IN_PROGRESS})
"""States of an order in which something may still be done for it."""


@dataclass(frozen=True)
class Move:
    """One legal move of a step: the verb, the states it may start from, the state it ends in."""

    verb: str
    sources: frozenset[StepState]
    target: StepState


STEP_MOVES: dict[str, Move] = {
    move.verb: move
    for move in (
        Move("book", frozenset({_S.REQUESTED, _S.NO_SHOW}), _S.SCHEDULED),
        Move("move", frozenset({_S.SCHEDULED}), _S.SCHEDULED),
        Move("unbook", frozenset({_S.SCHEDULED}), _S.REQUESTED),
        Move("arrive", frozenset({_S.SCHEDULED}), _S.ARRIVED),
        Move("make ready", frozenset({_S.SCHEDULED, _S.ARRIVED}), _S.READY),
        Move("start", frozenset({_S.SCHEDULED, _S.ARRIVED, _S.READY}), _S.STARTED),
        # A scanner that has begun knows better than the schedule: it may take who was not expected any more.
        Move(
            "perform",
            frozenset({_S.REQUESTED, _S.SCHEDULED, _S.ARRIVED, _S.READY, _S.NO_SHOW, _S.DISCONTINUED}),
            _S.STARTED,
        ),
        Move("depart", frozenset({_S.STARTED}), _S.DEPARTED),
        Move("complete", frozenset({_S.STARTED, _S.DEPARTED}), _S.COMPLETED),
        Move("discontinue", frozenset({_S.STARTED, _S.DEPARTED}), _S.DISCONTINUED),
        Move("cancel", BEFORE_START | {_S.NO_SHOW}, _S.CANCELED),
        Move("miss", frozenset({_S.SCHEDULED}), _S.NO_SHOW),
        Move(
            "reopen",
            frozenset({_S.ARRIVED, _S.READY, _S.STARTED, _S.DEPARTED, _S.COMPLETED, _S.DISCONTINUED, _S.NO_SHOW}),
            _S.SCHEDULED,
        ),
    )
}


REFUSALS = {
    "book": _("An exam in the state “%(state)s” cannot be booked."),
    "move": _("An exam in the state “%(state)s” cannot be moved."),
    "unbook": _("An exam in the state “%(state)s” cannot be taken off the schedule."),
    "arrive": _("An exam in the state “%(state)s” cannot be checked in."),
    "make ready": _("An exam in the state “%(state)s” cannot be made ready."),
    "start": _("An exam in the state “%(state)s” cannot be started."),
    "perform": _("An exam in the state “%(state)s” cannot be performed."),
    "depart": _("An exam in the state “%(state)s” has no patient who could leave."),
    "complete": _("An exam in the state “%(state)s” cannot be completed."),
    "discontinue": _("An exam in the state “%(state)s” cannot be discontinued."),
    "cancel": _("An exam in the state “%(state)s” cannot be cancelled."),
    "miss": _("An exam in the state “%(state)s” cannot be missed."),
    "reopen": _("An exam in the state “%(state)s” cannot be put back."),
}
"""Verb -> what is said where the table has no such move."""


def check_move(verb: str, state: str) -> StepState:
    """Return the state that `verb` leads to from `state`; raise ForbiddenMove when the table has no such move."""
    move = STEP_MOVES[verb]
    if state not in move.sources:
        raise ForbiddenMove(REFUSALS[verb] % {"state": StepState(state).label})
    return move.target


WRONG_ENTRY = "110514"
"""Discontinuation reason (DCM) "incorrect worklist entry selected": the step was not even begun."""


def performed_move(performed: Iterable[tuple[str, str]]) -> str | None:
    """Return the move that a step owes to all that was performed for it; None where nothing was.

    performed: state and discontinuation code of each performed step. One that is under way counts most, then one that
    was completed; only where all that was done was begun by mistake does the step wait again.
    """
    found = {
        WRONG_ENTRY if state == PerformedState.DISCONTINUED and code == WRONG_ENTRY else state
        for state, code in performed
    }
    for outcome, move in PERFORMED_MOVES.items():
        if outcome in found:
            return move
    return None


PERFORMED_MOVES: dict[str, str] = {
    PerformedState.IN_PROGRESS: "perform",
    PerformedState.COMPLETED: "complete",
    PerformedState.DISCONTINUED: "discontinue",
    WRONG_ENTRY: "reopen",
}
"""State of performed steps -> move of the scheduled step, the weightiest first."""


@dataclass(frozen=True)
class RollUpRule:
    """An order is in `order_state` when it has a step in `some` and, where given, another in `and_some`."""

    order_state: OrderState
    some: frozenset[StepState]
    and_some: frozenset[StepState] | None = None

    def holds(self, states: frozenset[StepState]) -> bool:
        """Tell whether the rule holds for this set of step states."""
        return bool(states & self.some) and (self.and_some is None or bool(states & self.and_some))


ROLL_UP: tuple[RollUpRule, ...] = (
    RollUpRule(OrderState.IN_PROGRESS, frozenset({_S.STARTED, _S.DEPARTED})),
    RollUpRule(OrderState.IN_PROGRESS, frozenset({_S.COMPLETED}), BEFORE_START),
    RollUpRule(OrderState.SCHEDULED, frozenset({_S.SCHEDULED, _S.ARRIVED, _S.READY})),
    RollUpRule(OrderState.REQUESTED, frozenset({_S.REQUESTED})),
    RollUpRule(OrderState.COMPLETED, frozenset({_S.COMPLETED})),
    RollUpRule(OrderState.DISCONTINUED, frozenset({_S.DISCONTINUED})),
    RollUpRule(OrderState.NO_SHOW, frozenset({_S.NO_SHOW})),
    RollUpRule(OrderState.CANCELED, frozenset({_S.CANCELED})),
)
"""First rule that holds wins."""


def roll_up(states: Iterable[str]) -> OrderState:
    """Return the state of an order whose steps are in `states`; an order without steps is still to be scheduled."""
    present = frozenset(StepState(state) for state in states)
    return next((rule.order_state for rule in ROLL_UP if rule.holds(present)), OrderState.REQUESTED)
