"""Work of the HL7 door by the clock."""

import logging
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from hl7 import retention
from hl7.models import InboundMessage, MessageState
from ris.actor import system

log = logging.getLogger(__name__)

_ANSWERED_WITHIN = timedelta(minutes=1)


@shared_task
def flag_interrupted() -> int:
    """Mark messages that were stored and never answered: the process or the database died in between.

    Their sender got no answer and sends them again. Returns how many there were.
    """
    found = InboundMessage.objects.filter(
        state=MessageState.RECEIVED, received_at__lt=timezone.now() - _ANSWERED_WITHIN
    ).update(state=MessageState.INTERRUPTED)
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
