"""Pages of a replay: which messages are to be sent again, how far it is, what became of each, stop it."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from hl7 import replaying, tasks
from hl7.models import APPLIED_STATES, MessageState, Replay
from hl7.pages import REPLAY, VIEW
from ris import audit
from ris.views import frame

SHOWN = 200
"""Messages on the page: those that went wrong first."""
SECONDS = 2
"""How often the page comes again while the replay runs. It needs no program in the browser."""


def start(request: HttpRequest, keys: list[int], about: str) -> HttpResponse:
    """Start a replay for the signed-in person and go to its page."""
    frame.require(request, VIEW, REPLAY)
    replay = replaying.start(by=audit.actor_of(request), messages=keys, about=about)
    tasks.replay.delay_on_commit(replay.pk)  # type: ignore[attr-defined]  # see ris.celery.NudgeTask
    return frame.leads_to("hl7_replay", replay.pk)


def counts(replay: Replay) -> dict[str, int]:
    """Count the messages of a replay: all, done, applied, not applied, left out because they were settled."""
    done, applied = Q(done_at__isnull=False), Q(result__state__in=(*APPLIED_STATES, MessageState.REPEATED))
    return replay.items.aggregate(
        total=Count("pk"),
        done=Count("pk", filter=done),
        applied=Count("pk", filter=applied),
        failed=Count("pk", filter=done & Q(result__isnull=False) & ~applied),
        left_out=Count("pk", filter=done & Q(result__isnull=True)),
    )


def show(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how far a replay is; the page comes again by itself until it has ended. It names no patient."""
    frame.require(request, VIEW)
    replay = get_object_or_404(Replay.objects.select_related("started_by", "stopped_by"), pk=pk)
    done = replay.items.filter(done_at__isnull=False).select_related("message", "result")
    failed = ~Q(result__state__in=(*APPLIED_STATES, MessageState.REPEATED)) | Q(result=None)
    items = [*done.filter(failed).order_by("message_id")[:SHOWN]]
    items += done.exclude(failed).order_by("-message_id")[: SHOWN - len(items)]
    answer = frame.page(
        request,
        "hl7/replay.html",
        title=_("Messages sent again"),
        replay=replay,
        counts=counts(replay),
        items=items,
        may_replay=request.user.has_perm(REPLAY),
    )
    if "watching" not in request.GET:
        audit.record_viewed(request, audit.subject_of(replay))
    if replay.finished_at is None:
        answer.headers["Refresh"] = f"{SECONDS}; url=?watching"
    return answer


@require_POST
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop a replay after the message in hand."""
    frame.require(request, VIEW, REPLAY)
    replay = get_object_or_404(Replay, pk=pk)
    replaying.stop(by=audit.actor_of(request), replay=replay)
    messages.success(request, _("The replay is being stopped."))
    return frame.leads_to("hl7_replay", replay.pk)


def latest() -> Any:
    """Return the last replays, the newest first."""
    return Replay.objects.select_related("started_by").order_by("-pk")[:5]
