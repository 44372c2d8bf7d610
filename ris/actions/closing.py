"""Close exams of scanners that tell nothing, on evidence that is named, and open them again.

A rung of the ladder closes an exam once: where a person has undone it, the same evidence does not close it again.
"""

from datetime import datetime, timedelta

from django.db.models import Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from ris.actions import exams, schedule
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import ForbiddenMove
from ris.models import (
    Event,
    EventKind,
    Evidence,
    PerformedLink,
    ScheduledProcedureStep,
    StepClosure,
)
from ris.states import ON_WORKLIST, STEP_MOVES, PerformedState, StepState

CLOSABLE: dict[str, frozenset[StepState]] = {
    Evidence.ARCHIVE: ON_WORKLIST | {StepState.DEPARTED},
    Evidence.IDLE: frozenset({StepState.STARTED, StepState.DEPARTED}),
    Evidence.PERSON: ON_WORKLIST | {StepState.DEPARTED},
}
"""From which states each evidence closes a step."""
_READS = (EventKind.PATIENT_VIEWED, EventKind.PATIENTS_LISTED, EventKind.RECORD_VIEWED)


@verb
def close(*, by: Actor, step: ScheduledProcedureStep, evidence: Evidence, words: str) -> bool:
    """Complete a step on some evidence; returns whether that was done.

    words: the evidence for people, without the patient. Nothing is done from a state that the evidence does not close
    (CLOSABLE), while a scanner reports the step as in progress to the archive's evidence, and where the same evidence
    was undone before.
    """
    step = schedule.locked(step)
    if step.state not in CLOSABLE[evidence] or step.requested_procedure.order.on_hold:
        return False
    if evidence != Evidence.PERSON and StepClosure.objects.filter(step=step, evidence=evidence).exists():
        return False
    if evidence == Evidence.ARCHIVE and _reports(step):
        return False
    for stale in StepClosure.objects.standing().filter(step=step):
        stale.change(undone_at=timezone.now())  # a person has put the step back without undoing its closure
    before = step.state
    if before in STEP_MOVES["start"].sources:
        exams.make("start", by=by, step=step, reason=words)
    exams.make("complete", by=by, step=step, reason=words)
    StepClosure.new(step=step, evidence=evidence, words=words[:250], state_before=before)
    return True


@verb
def undo(*, by: Actor, closure: StepClosure, reason: str = "") -> ScheduledProcedureStep:
    """Open a step again that was closed, and bring it to where it was; nothing happens when that was done before.

    Raises ForbiddenMove when the step has been moved on since, or a scanner has reported that it is over.
    """
    step = schedule.locked(closure.step)
    closure = StepClosure.objects.get(pk=closure.pk)
    if closure.undone_at is not None:
        return step
    if closure.reported_at is not None:
        raise ForbiddenMove(_("A scanner has reported since that the exam is over."), field="closure")
    if step.state != StepState.COMPLETED:
        raise ForbiddenMove(_("The exam was changed after it was closed."), field="closure")
    closure.change(undone_at=timezone.now())
    exams.put_back(by=by, step=step, state=closure.state_before, reason=reason)
    return step


def close_idle(*, by: Actor, now: datetime | None = None) -> int:
    """Close the exams in progress of which nothing was heard for as long as their station says; returns how many."""
    now = now or timezone.now()
    closed = 0
    for step in _in_progress():
        assert step.station is not None
        minutes = step.station.idle_minutes or 0
        heard = last_word(step)
        if heard is not None and heard <= now - timedelta(minutes=minutes):
            words = _("Nothing was heard of it for %d minutes.") % minutes
            closed += close(by=by, step=step, evidence=Evidence.IDLE, words=words)
    return closed


def last_word(step: ScheduledProcedureStep) -> datetime | None:
    """Return when something last happened to a step or its order; looking at it is nothing."""
    events = Event.objects.filter(order=step.requested_procedure.order_id).exclude(kind__in=_READS)
    latest: datetime | None = events.filter(Q(step=step) | Q(step=None)).aggregate(latest=Max("at"))["latest"]
    return latest


def _in_progress() -> QuerySet[ScheduledProcedureStep]:
    return (
        ScheduledProcedureStep.objects.filter(state__in=CLOSABLE[Evidence.IDLE], station__idle_minutes__isnull=False)
        .exclude(closures__evidence=Evidence.IDLE)
        .select_related("station", "requested_procedure")
        .order_by("pk")
    )


def _reports(step: ScheduledProcedureStep) -> bool:
    """Tell whether a scanner itself reports the step as in progress: then it will tell when it is over."""
    links = PerformedLink.objects.active().filter(step=step)
    return links.filter(performed__state=PerformedState.IN_PROGRESS).exists()
