"""What happens to a step on its day: arrive, start, complete and their opposites."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from ris.actions import attention, bookings, gate, schedule
from ris.actions.placement import How, Placement
from ris.actions.verb import verb
from ris.actor import Actor, ActorKind
from ris.errors import ForbiddenMove
from ris.models import Event, EventKind, Patient, ScheduledProcedureStep, Visit
from ris.states import STEP_MOVES, StepState, check_move

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
_WAY_BACK: dict[str, tuple[str, ...]] = {
    StepState.ARRIVED: ("arrive",),
    StepState.READY: ("make ready",),
    StepState.STARTED: ("start",),
    StepState.DEPARTED: ("start", "depart"),
    StepState.DISCONTINUED: ("start", "discontinue"),
    StepState.NO_SHOW: ("miss",),
}
"""State that a step had -> the moves that lead there from the schedule."""


@verb
def go(move: str, *, by: Actor, step: ScheduledProcedureStep, reason: str = "") -> ScheduledProcedureStep:
    """Make one of the moves in KINDS; returns the step as it is now.

    Raises ForbiddenMove when the step's state does not allow it; the row is locked, so of two people who press the
    same button one is told.
    """
    step = schedule.locked(step)
    if move == "start" and gate.is_shut(step):
        # A scanner that has begun is not stopped: what it performs is taken as it was (see perform).
        raise ForbiddenMove(_("Its safety questions hold it back. Answer them first, or let it through."), field="gate")
    made = make(move, by=by, step=step, reason=reason)
    attention.of_ended(made.requested_procedure.order)
    return made


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
    before, had_place = step.state, step.station_id is not None
    diff = step.change(**values)
    if step.station is not None and not had_place:
        schedule.take(step, Placement(step.station), how=How.PROMISED)
    else:
        bookings.follow(step, before)
    schedule.follow(kind, by=by, step=step, diff=diff, reason=reason)
    return step


def put_back(*, by: Actor, step: ScheduledProcedureStep, state: str, reason: str = "") -> None:
    """Bring a step that was begun or ended since back to the state that it had; the caller has locked its order.

    One that had no place yet waits for one again. Nothing else of the order may be changed with objects read before.
    """
    for move in ("reopen", *_WAY_BACK.get(state, ())):
        if step.state != STEP_MOVES[move].target:
            make(move, by=by, step=step, reason=reason)
    if state == StepState.REQUESTED:
        schedule.unbook(by=by, step=step, reason=reason)


@verb
def check_in(*, by: Actor, patient: Patient, visit: Visit | None, zone: ZoneInfo) -> int:
    """Check a patient in for the exams that are due today; returns for how many steps.

    visit: only its orders, and those without a visit, count; None: all of the patient. zone: whose day today is.
    """
    return _make_today("arrive", StepState.SCHEDULED, by=by, patient=patient, visit=visit, zone=zone)


@verb
def undo_check_in(*, by: Actor, patient: Patient, visit: Visit | None, zone: ZoneInfo) -> int:
    """Take back what `check_in` did for an HL7 sender; returns for how many steps. Who was seen at the desk stays."""
    return _make_today("reopen", StepState.ARRIVED, by=by, patient=patient, visit=visit, zone=zone)


def _make_today(
    move: str, state: StepState, *, by: Actor, patient: Patient, visit: Visit | None, zone: ZoneInfo
) -> int:
    """Make a move of the patient's steps of today that are in a state, order by order as they are locked elsewhere."""
    midnight = timezone.now().astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    steps = ScheduledProcedureStep.objects.filter(
        state=state,
        start__gte=midnight,
        start__lt=midnight + timedelta(days=1),
        requested_procedure__order__patient=patient,
        requested_procedure__order__on_hold=False,
    )
    if visit is not None:
        steps = steps.filter(
            Q(requested_procedure__order__visit=visit) | Q(requested_procedure__order__visit__isnull=True)
        )
    made = 0
    # order_id: by the relation itself Django would sort as Order.Meta says, the newest first
    for found in steps.order_by("requested_procedure__order_id", "pk"):
        step = schedule.locked(found)
        if step.state == state and (move != "reopen" or _came_by_message(step)):
            make(move, by=by, step=step)
            made += 1
    return made


def _came_by_message(step: ScheduledProcedureStep) -> bool:
    arrivals = Event.objects.filter(order=step.requested_procedure.order_id, step=step, kind=EventKind.STEP_ARRIVED)
    return arrivals.order_by("-pk").values_list("actor_kind", flat=True).first() == ActorKind.HL7
