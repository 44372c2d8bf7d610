"""What happens to a step on its day: arrive, start, complete and their opposites."""

from typing import Any

from ris.actions import rollup, schedule
from ris.actions.verb import verb
from ris.actor import Actor
from ris.models import EventKind, ScheduledProcedureStep
from ris.states import check_move

KINDS: dict[str, EventKind] = {
    "arrive": EventKind.STEP_ARRIVED,
    "make ready": EventKind.STEP_READY,
    "start": EventKind.STEP_STARTED,
    "depart": EventKind.STEP_DEPARTED,
    "complete": EventKind.STEP_COMPLETED,
    "discontinue": EventKind.STEP_DISCONTINUED,
    "cancel": EventKind.STEP_CANCELED,
    "miss": EventKind.STEP_MISSED,
    "reopen": EventKind.STEP_REOPENED,
}
"""Moves of ris.states.STEP_MOVES that need nothing but the step, and the event that each one leaves."""


@verb
def go(move: str, *, by: Actor, step: ScheduledProcedureStep, reason: str = "") -> ScheduledProcedureStep:
    """Make one of the moves in KINDS; returns the step as it is now.

    Raises ForbiddenMove when the step's state does not allow it; the row is locked, so of two people who press the
    same button one is told.
    """
    return make(move, by=by, step=schedule.locked(step), reason=reason)


def make(move: str, *, by: Actor, step: ScheduledProcedureStep, reason: str = "") -> ScheduledProcedureStep:
    """Do the work of `go` on a step whose order the caller has locked."""
    return _moved(KINDS[move], by=by, step=step, reason=reason, state=check_move(move, step.state))


def perform(*, by: Actor, step: ScheduledProcedureStep, **place: Any) -> ScheduledProcedureStep:
    """Start a step because a scanner has begun; the caller has locked its order.

    place: station, start and modality of a step that had none. Raises ForbiddenMove.
    """
    return _moved(EventKind.STEP_STARTED, by=by, step=step, state=check_move("perform", step.state), **place)


def _moved(
    kind: EventKind, *, by: Actor, step: ScheduledProcedureStep, reason: str = "", **values: Any
) -> ScheduledProcedureStep:
    rollup.tell(kind, by=by, step=step, diff=step.change(**values), reason=reason)
    rollup.order_state(step.requested_procedure.order)
    return step
