"""Messages that did nothing, mended: sent again as they are or edited, one or many, or dismissed with a reason.

What came is never changed. A message that is sent again is a new row with the address of the old one's sender; it takes
the same road as any other. The old row is mended once the new one is applied.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from hl7 import intake
from hl7.models import APPLIED_STATES, OPEN_STATES, InboundMessage, MessageState, Replay, ReplayItem
from hl7.settling import close_copies, settle
from ris import audit
from ris.actor import Actor
from ris.errors import ForbiddenMove
from ris.models import Event, EventKind

log = logging.getLogger(__name__)

MOST = 10_000
"""Messages of one replay."""
_HELD = timedelta(seconds=60)
_UNSETTLED = (*OPEN_STATES, MessageState.WAITING)
DONE = (*APPLIED_STATES, MessageState.REPEATED)


def send_again(*, by: Actor, message: InboundMessage, raw: bytes | None = None) -> InboundMessage | None:
    """Send a message again, edited where `raw` is given, and return the new one; None when the database is away.

    Raises ForbiddenMove for a message that was applied or settled meanwhile and is not edited, or whose text was
    deleted because it was kept long enough. Not in a transaction of the caller: the message is stored in a commit of
    its own, as all are.
    """
    state, purged_at = InboundMessage.objects.values_list("state", "purged_at").get(pk=message.pk)
    if purged_at or (raw is None and state not in OPEN_STATES):
        raise ForbiddenMove
    origin = intake.Origin(message.pk, by.user_id)
    attempts = InboundMessage.objects.filter(replay_of=message, entered_by=by.user_id).order_by("-pk")
    last = attempts.values_list("pk", flat=True).first() or 0
    intake.receive(bytes(message.raw) if raw is None else raw, message.peer, origin)
    made = attempts.filter(pk__gt=last).first()
    if made is not None:
        with transaction.atomic():
            _mend(by, message, made, edited=raw is not None)
    return made


def _mend(by: Actor, message: InboundMessage, made: InboundMessage, *, edited: bool) -> None:
    """Note what became of a message; once it is applied, all attempts before it and what they stand for are mended."""
    data = {"new": made.pk, "state": made.state, "edited": edited}
    Event.objects.record(EventKind.MESSAGE_REPLAYED, by=by, subject=audit.subject_of(message), data=data)
    if made.state not in DONE:
        return
    chain, above = [message], message
    while above.replay_of is not None:
        above = above.replay_of
        chain.append(above)
    keys = [one.pk for one in chain]
    attempts = InboundMessage.objects.filter(Q(pk__in=keys) | Q(replay_of__in=keys))
    settle(attempts.filter(state__in=_UNSETTLED), by, MessageState.MENDED)
    for one in chain:
        close_copies(one, by=by, applied=made.repeat_of or made)


def advance() -> int:
    """Apply the messages that wait for no other one any more, the oldest first; returns how many there were."""
    done, last = 0, 0
    while True:
        waiting = InboundMessage.objects.filter(state=MessageState.WAITING, pk__gt=last).order_by("pk")
        key = waiting.values_list("pk", flat=True).first()
        if key is None:
            return done
        done += intake.resume(key)
        last = key


def dismiss(*, by: Actor, message: InboundMessage, reason: str) -> None:
    """Settle a message that is not to be applied. Raises ForbiddenMove without a reason, or when it is settled."""
    if not reason:
        raise ForbiddenMove(_("Say why this message is not needed."), field="reason")
    with transaction.atomic():
        rows = InboundMessage.objects.filter(pk=message.pk, state__in=_UNSETTLED)
        if not settle(rows, by, MessageState.DISMISSED, reason):
            raise ForbiddenMove
        Event.objects.record(EventKind.MESSAGE_DISMISSED, by=by, subject=audit.subject_of(message), reason=reason)


def once(rows: "QuerySet[InboundMessage]") -> "QuerySet[InboundMessage]":
    """Return those of these messages that are sent again together: the text is there, and no attempt is beside it.

    An attempt failed as the message did that it stands for; with both, each replay would make twice as many.
    """
    attempts = rows.filter(replay_of__in=rows.values("pk"), content_hash=F("replay_of__content_hash"))
    return rows.filter(purged_at=None).exclude(pk__in=attempts.values("pk"))


def start(*, by: Actor, messages: Iterable[int], about: str) -> Replay:
    """Note which messages are to be sent again; those that are not open are left out when their turn comes.

    messages: their primary keys, MOST at most. about: which ones they are: a code of Chosen, or words of no language.
    """
    with transaction.atomic():
        replay = Replay.objects.create(started_by_id=by.user_id, about=about[:250])
        keys = sorted(set(messages))[:MOST]
        ReplayItem.objects.bulk_create([ReplayItem(replay=replay, message_id=key) for key in keys], batch_size=500)
        data = {"messages": len(keys), "about": replay.about}
        Event.objects.record(EventKind.MESSAGE_REPLAYED, by=by, subject=audit.subject_of(replay), data=data)
    return replay


def stop(*, by: Actor, replay: Replay) -> None:
    """Have no further message sent again; the one in hand is finished. Nothing when it has ended already."""
    with transaction.atomic():
        stopped = Replay.objects.filter(pk=replay.pk, finished_at=None, stopped_by=None).update(stopped_by=by.user_id)
        if stopped:
            data = {"change": "stopped"}
            Event.objects.record(EventKind.MESSAGE_REPLAYED, by=by, subject=audit.subject_of(replay), data=data)


def unfinished() -> list[int]:
    """Return the replays that nobody works on."""
    free = Q(held_until=None) | Q(held_until__lt=timezone.now())
    return list(Replay.objects.filter(free, finished_at=None).order_by("pk").values_list("pk", flat=True))


def _hold(key: int) -> bool:
    """Take a replay for one message; False when another process has it or it has ended."""
    now = timezone.now()
    free = Q(held_until=None) | Q(held_until__lt=now)
    return bool(Replay.objects.filter(free, pk=key, finished_at=None).update(held_until=now + _HELD))


def work_off(key: int, by: Actor, tell: Callable[[int], None] | None = None) -> int:
    """Send the messages of a replay again, in the order in which they came, until it is done or stopped.

    One process at a time does it; one that dies leaves the rest to whoever comes next. Returns how many were sent.
    tell: is told after each message how many this call has gone through.
    """
    sent = passed = 0
    while _hold(key):
        item = (
            ReplayItem.objects.filter(replay=key, done_at=None).select_related("message").order_by("message_id").first()
        )
        stopped = Replay.objects.filter(pk=key, stopped_by__isnull=False).exists()
        if item is None or stopped:
            Replay.objects.filter(pk=key).update(finished_at=timezone.now(), held_until=None)
            log.info("replay %d has ended: %d message(s) were sent now", key, sent)
            break
        try:
            item.result = send_again(by=by, message=item.message)
        except ForbiddenMove:
            item.result = None  # settled meanwhile
        else:
            if item.result is None:
                Replay.objects.filter(pk=key).update(held_until=None)
                break  # the database is away: the clock comes back
            sent += 1
        item.done_at = timezone.now()
        item.save(update_fields=["result", "done_at"])
        Replay.objects.filter(pk=key).update(held_until=None)
        passed += 1
        if tell is not None:
            tell(passed)
    return sent
