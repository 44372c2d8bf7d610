"""Exams that nobody has closed: find them, close many at once, and open these again; each in its own transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from ris.actions import closing, exams
from ris.actions.verb import verb
from ris.actor import Actor, ActorKind
from ris.errors import DomainError, InvalidValue
from ris.models import BulkClosing, Event, Evidence, ScheduledProcedureStep, StepClosure
from ris.states import StepState

PATIENCE = timedelta(hours=2)
"""How long after its planned end an exam in progress is left alone."""
MOST = 1000
CLAIM = timedelta(minutes=1)
"""How long a worker has a closing for itself; it renews its claim with each exam."""
_NOT_BEGUN = (StepState.SCHEDULED, StepState.ARRIVED, StepState.READY)


def left_over(now: datetime | None = None) -> QuerySet[ScheduledProcedureStep]:
    """Return the steps of earlier days that nobody began, and those in progress that should be over, oldest first.

    Those that wait to be closed already are not among them.
    """
    now = now or timezone.now()
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    forgotten = Q(state__in=_NOT_BEGUN, end__lt=midnight)
    endless = Q(state__in=(StepState.STARTED, StepState.DEPARTED), end__lt=now - PATIENCE)
    found = ScheduledProcedureStep.objects.filter(forgotten | endless, requested_procedure__order__on_hold=False)
    return found.exclude(pk__in=_waiting()).order_by("start", "pk")


@verb
def begin(*, by: Actor, kind: str, steps: Sequence[int], reason: str) -> BulkClosing:
    """Note that left-over steps are to be closed; `work` does it. Raises InvalidValue when there is nothing to do."""
    if not steps:
        raise InvalidValue(_("Tick the exams that are meant."), field="steps")
    known = list(left_over().filter(pk__in=list(steps)[:MOST]).values_list("pk", flat=True))
    if not known:
        raise InvalidValue(_("None of these exams is left over any more."), field="steps")
    return _note(kind, known, reason, by)


@verb
def take_back(*, by: Actor, bulk: BulkClosing, reason: str) -> BulkClosing:
    """Note that what a closing did is to be opened again; `work` does it. Raises InvalidValue when nothing is left."""
    known = list(closed_by(bulk).order_by("pk").values_list("pk", flat=True))
    if not known:
        raise InvalidValue(_("None of these exams is as it was closed any more."), field="steps")
    return _note(BulkClosing.Kind.REOPEN, known, reason, by)


def closed_by(bulk: BulkClosing) -> QuerySet[ScheduledProcedureStep]:
    """Return the steps that a closing closed and that are closed still."""
    if bulk.kind == BulkClosing.Kind.REOPEN:
        return ScheduledProcedureStep.objects.none()
    touched = Event.objects.filter(cause=_cause(bulk), step__in=bulk.steps).values("step")
    standing = StepClosure.objects.standing().filter(evidence=Evidence.PERSON).values("step")
    closed = Q(state=StepState.COMPLETED, pk__in=standing) | Q(state=StepState.NO_SHOW)
    return ScheduledProcedureStep.objects.filter(closed, pk__in=touched).exclude(pk__in=_waiting())


def _note(kind: str, steps: list[int], reason: str, by: Actor) -> BulkClosing:
    return BulkClosing.new(
        kind=kind, reason=reason, steps=steps, actor_name=by.name, user_id=by.user_id, address=by.address
    )


def _unfinished() -> QuerySet[BulkClosing]:
    return BulkClosing.objects.filter(finished_at__isnull=True)


def _waiting() -> list[int]:
    """Return the steps whose turn in some closing is still to come."""
    return [key for bulk in _unfinished() for key in bulk.steps[bulk.done :]]


def _cause(bulk: BulkClosing) -> str:
    return f"leftover:{bulk.pk}"


def work() -> int:
    """Go on with every closing that is not finished and that nobody else works on; returns how many steps were done."""
    return sum(_work_on(bulk) for bulk in _unfinished().order_by("pk"))


def _work_on(bulk: BulkClosing) -> int:
    """Close step after step; a worker that dies in between leaves the rest to the next one."""
    now = timezone.now()
    free = BulkClosing.objects.filter(Q(claimed_until=None) | Q(claimed_until__lt=now), pk=bulk.pk)
    if not free.filter(finished_at__isnull=True).update(claimed_until=now + CLAIM):
        return 0
    bulk.refresh_from_db()
    by = Actor(ActorKind.USER, bulk.actor_name, bulk.user_id, bulk.address, cause=_cause(bulk))
    first = bulk.done
    for key in bulk.steps[first:]:
        with transaction.atomic():
            refused = not _do(bulk, key, by)
            bulk.change(done=bulk.done + 1, refused=bulk.refused + refused, claimed_until=timezone.now() + CLAIM)
    bulk.change(finished_at=timezone.now(), claimed_until=None)
    return bulk.done - first


def _do(bulk: BulkClosing, key: int, by: Actor) -> bool:
    """Close one step, or open it again; False where it was moved on meanwhile."""
    step = ScheduledProcedureStep.objects.get(pk=key)
    try:
        with transaction.atomic():
            if bulk.kind == BulkClosing.Kind.REOPEN:
                return _reopen(step, bulk.reason, by)
            if bulk.kind == BulkClosing.Kind.MISS:
                exams.go("miss", by=by, step=step, reason=bulk.reason)
                return True
            return closing.close(by=by, step=step, evidence=Evidence.PERSON, words=bulk.reason)
    except DomainError:
        return False


def _reopen(step: ScheduledProcedureStep, reason: str, by: Actor) -> bool:
    closure = StepClosure.objects.standing().filter(step=step, evidence=Evidence.PERSON).first()
    if closure is not None:
        closing.undo(by=by, closure=closure, reason=reason)
    elif step.state == StepState.NO_SHOW:
        exams.go("reopen", by=by, step=step, reason=reason)
    else:
        return False
    return True
