"""What the listener calls for a frame: one message, or a batch of them."""

import logging

from django.utils import timezone

from hl7 import batches, intake

log = logging.getLogger(__name__)


def receive(raw: bytes, peer: str) -> bytes:
    """Take what stood in a frame and return its answer; never raises on what a sender can cause.

    peer: network address of the sender.
    """
    if not batches.is_batch(raw):
        return intake.receive(raw, peer)
    answer, batch = batches.receive(raw, lambda message: intake.receive(message, peer), timezone.localtime())
    if batch.miscounted and not batch.count:
        return intake.receive(raw, peer)  # there is no message in it, though it does not say so: it is kept and refused
    if batch.miscounted:
        log.warning("a batch has no trailer, or its trailer names another count than came")
    return answer
