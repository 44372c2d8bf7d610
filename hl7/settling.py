"""Messages that had no effect and need nobody any more: mended by a later one, applied as a copy, or dismissed."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.utils import timezone

from hl7 import ordering
from hl7.models import APPLIED_STATES, OPEN_STATES, InboundMessage, MessageState
from hl7.storing import APPLIED, MENDED, Twin
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


def effect_of(row: InboundMessage, twins: Iterable[Twin]) -> InboundMessage | None:
    """Return the message that has had the effect of this one: a copy, or an edited one in place of a copy."""
    applied = next((twin.key for twin in twins if twin.same and twin.fate == APPLIED), None)
    if applied is not None:
        return InboundMessage.objects.defer("raw").get(pk=applied)
    return mended_by(row) if any(twin.same and twin.fate == MENDED for twin in twins) else None


def applied_for(row: InboundMessage) -> InboundMessage | None:
    """Return the message that has had the effect of this one, as `effect_of` does for a message that comes in."""
    return applied_copy_of(row) or mended_by(row)


def mended_by(row: InboundMessage) -> InboundMessage | None:
    """Return the message that was applied, edited, for a copy of this one; None when there is none.

    An edited one that says what another one had said already was not applied itself: then it is that one.
    """
    keys = list(copies_of(row).filter(state=MessageState.MENDED).values_list("pk", flat=True))
    while keys:
        attempts = list(InboundMessage.objects.filter(replay_of__in=keys).defer("raw", "answer").order_by("pk"))
        for attempt in attempts:
            if attempt.state in APPLIED_STATES:
                return attempt
            if attempt.state == MessageState.REPEATED:
                return attempt.repeat_of
        keys = [attempt.pk for attempt in attempts]
    return None


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
