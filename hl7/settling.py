"""Messages that had no effect and need nobody any more: mended by a later one, applied as a copy, or dismissed."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.utils import timezone

from hl7 import ordering
from hl7.models import APPLIED_STATES, OPEN_STATES, InboundMessage, MessageState
from ris.actor import Actor
from ris.models import Event, EventKind

if TYPE_CHECKING:
    from django.db.models import QuerySet


def settle(rows: "QuerySet[InboundMessage]", by: Actor, state: MessageState, reason: str = "") -> list[int]:
    """Settle messages and end what they hold (see replaying.advance); returns their primary keys."""
    keys = list(rows.select_for_update().values_list("pk", flat=True))
    settled = InboundMessage.objects.filter(pk__in=keys)
    settled.update(state=state, settled_by=by.user_id, settled_at=timezone.now(), settled_reason=reason)
    ordering.release(keys)
    return keys


def copies_of(row: InboundMessage) -> "QuerySet[InboundMessage]":
    """Return the messages of the same sender, control ID and content, this one among them."""
    return InboundMessage.objects.filter(
        sending_application=row.sending_application,
        sending_facility=row.sending_facility,
        control_id=row.control_id,
        content_hash=row.content_hash,
    )


def applied_copy_of(row: InboundMessage) -> InboundMessage | None:
    """Return the copy of a message that was applied; None when none was."""
    return copies_of(row).filter(state__in=APPLIED_STATES).defer("raw", "answer").order_by("pk").first()


def close_copies(
    row: InboundMessage, *, by: Actor, applied: InboundMessage, without: Iterable[int | None] = ()
) -> None:
    """Settle the copies of a message that failed, were kept or were interrupted: their effect is there.

    applied: the message that had the effect, this one or another one that stands for it. without: those that the
    caller settles. In a transaction of the caller.
    """
    open_ones = copies_of(row).filter(state__in=OPEN_STATES).exclude(pk__in=[key for key in without if key])
    for key in settle(open_ones, by, MessageState.MENDED, f"applied by message {applied.pk}"):
        subject = f"{InboundMessage._meta.label_lower}:{key}"
        data = {"new": applied.pk, "state": applied.state, "edited": False}
        Event.objects.record(EventKind.MESSAGE_REPLAYED, by=by, subject=subject, data=data)
