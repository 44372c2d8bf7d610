"""How long messages are kept: what an endpoint's days say is over, in words and in deed.

Of a message whose time is over the bytes go, its own and those of its answer. Its line in the log stays: sender,
control ID, type, times, what became of it and a hash of its content, so that a repeat that comes years later is still
known as one (docs/decisions/messages-go-their-line-stays.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from hl7.models import APPLIED_STATES, Endpoint, InboundMessage, MessageState, MessageText
from ris.actor import Actor
from ris.models import Event, EventKind

BATCH = 1000
"""Messages in one transaction: the door must never wait long for a purge."""

DONE = (*APPLIED_STATES, MessageState.REPEATED)
"""States of messages that nobody has to look at any more. All others are kept as the endpoint says for these."""

NEEDED = (MessageState.RECEIVED, MessageState.WAITING)
"""States of messages that are applied now or as soon as an earlier one is; their bytes never go."""


@dataclass(frozen=True, slots=True)
class Share:
    """Messages of one endpoint of which the time is over: done ones, or the others."""

    endpoint: Endpoint
    done: bool
    days: int
    before: datetime

    def messages(self) -> QuerySet[InboundMessage]:
        """Return the messages whose bytes are still here."""
        rows = InboundMessage.objects.filter(received_at__lt=self.before, purged_at__isnull=True)
        rows = rows.filter(state__in=DONE) if self.done else rows.exclude(state__in=[*DONE, *NEEDED])
        if self.endpoint.pk is not None:
            return rows.filter(endpoint=self.endpoint)
        return rows.filter(Q(endpoint__isnull=True) | ~Q(endpoint__in=Endpoint.objects.values("pk")))

    def __str__(self) -> str:
        kind = "applied" if self.done else "other"
        return (
            f"{self.endpoint}: {kind} messages older than {self.days} days (from before {self.before:%Y-%m-%d %H:%M})"
        )


def shares() -> Iterator[Share]:
    """Return what is kept for a limited time: of each endpoint, and of messages without one by its defaults."""
    now = timezone.localtime()
    for endpoint in (*Endpoint.objects.order_by("name"), Endpoint(name="Messages without an endpoint")):
        for done, days in ((True, endpoint.keep_applied_days), (False, endpoint.keep_failed_days)):
            if days is not None:
                yield Share(endpoint, done, days, now - timedelta(days=days))


def purge(share: Share, *, by: Actor) -> Iterator[int]:
    """Forget the bytes of the messages of a share; yields how many have gone, batch by batch, each with its event."""
    last = gone = 0
    while True:
        with transaction.atomic():
            keys = list(share.messages().filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH])
            if not keys:
                return
            # The state is asked once more: somebody may be replaying one of them.
            found = share.messages().filter(pk__in=keys).update(raw=b"", answer=b"", purged_at=timezone.now())
            MessageText.objects.filter(pk__in=keys, message__purged_at__isnull=False).delete()
            data = {"messages": found, "from": keys[0], "to": keys[-1], "before": share.before, "applied": share.done}
            subject = f"hl7.endpoint:{share.endpoint.pk}" if share.endpoint.pk else "hl7.inboundmessage"
            Event.objects.record(EventKind.MESSAGES_PURGED, by=by, subject=subject, data=data)
        last, gone = keys[-1], gone + found
        yield gone
