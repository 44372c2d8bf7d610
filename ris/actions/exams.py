"""What happens to a step on its day: arrive, start, complete and their opposites."""

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
    diff = step.change(state=check_move(move, step.state))
    rollup.tell(KINDS[move], by=by, step=step, diff=diff, reason=reason)
    rollup.order_state(step.requested_procedure.order)
    return step
