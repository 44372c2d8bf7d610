"""Work of the HL7 door by the clock."""

import logging
from datetime import timedelta

from celery import shared_task
from django.db import transaction
from django.utils import timezone

from hl7 import replaying, retention, settling, texts
from hl7.models import InboundMessage, MessageState, Replay
from ris.actor import Actor, ActorKind, system

log = logging.getLogger(__name__)

_ANSWERED_WITHIN = timedelta(minutes=1)


@shared_task
def flag_interrupted() -> int:
    """Mark messages that were stored and never answered: the process or the database died in between.

    Their sender got no answer and sends them again; where that was applied already, they are mended by it. Returns how
    many there were.
    """
    old = InboundMessage.objects.filter(
        state=MessageState.RECEIVED, received_at__lt=timezone.now() - _ANSWERED_WITHIN
    ).defer("raw", "answer")
    found = 0
    for row in old:
        with transaction.atomic():
            if InboundMessage.objects.filter(pk=row.pk, state=MessageState.RECEIVED).update(
                state=MessageState.INTERRUPTED
            ):
                found += 1
                applied = settling.applied_for(row)
                if applied is not None:
                    settling.close_copies(row, by=system("flag_interrupted"), applied=applied)
    if found:
        log.warning("%d message(s) were stored but not applied", found)
    return found


@shared_task
def purge_messages() -> int:
    """Forget the bytes of messages that were kept as long as their endpoint says; returns of how many."""
    gone = sum(max(retention.purge(share, by=system("hl7_purge")), default=0) for share in retention.shares())
    if gone:
        log.info("the bytes of %d message(s) were deleted, because their time was over", gone)
    return gone


@shared_task
def index_texts() -> int:
    """Make the text of new messages searchable; returns how many there were."""
    done = 0
    while found := texts.catch_up():
        done += found
    return done


@shared_task
def replay(key: int) -> int:
    """Send the messages of a replay again for the person who started it; returns how many were sent now."""
    row = Replay.objects.select_related("started_by").get(pk=key)
    person = row.started_by
    by = Actor(ActorKind.USER, person.get_username(), user_id=person.pk) if person else system("hl7_replay")
    sent = replaying.work_off(key, by)
    replaying.advance()
    return sent


@shared_task
def resume_replays() -> int:
    """Go on with replays whose process died, or of which the broker lost the news."""
    return sum(replay(key) for key in replaying.unfinished())


@shared_task
def advance() -> int:
    """Apply messages whose turn has come, because the earlier one of their patient was mended or dismissed."""
    return replaying.advance()
