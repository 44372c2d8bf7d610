"""The text of messages, ready to be searched: decoded by their character set, without case and accents.

It is written a moment after the message came and not on the way to the answer, which must be quick.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Min, Q, QuerySet

from hl7 import lookups as lookups  # registers `holds`
from hl7.endpoints import read_from
from hl7.escapes import unescape
from hl7.message import NotHL7
from hl7.models import InboundMessage, MessageText
from ris.person_name import fold

LONGEST = 100_000
"""Characters of one message that are searched."""
MOST_FOUND = 1000
SHORT_WORD = 3
"""Shorter words are in no index: alone they are looked for in the newest messages only."""
NEWEST = 10_000
AT_ONCE = 1000
_UNSEEN = 2000  # a row with a smaller key may be committed after one with a larger key


def text_of(raw: bytes, peer: str) -> str:
    """Return the text of a sender's message as it is searched, with the escapes undone as well where there are any."""
    try:
        message = read_from(raw[: 4 * LONGEST], peer)
    except NotHL7:
        return fold(raw[:LONGEST].decode("latin-1").replace("\x00", ""))
    text = "\n".join(segment.raw for segment in message)[:LONGEST]
    if message.delimiters.escape in text[9:]:
        text += "\n" + unescape(text, message.delimiters, message.codec)
    return fold(text.encode("utf-8", "replace").decode().replace("\x00", ""))


def catch_up(most: int = AT_ONCE) -> int:
    """Write the texts that are missing, the oldest first and no more than `most`; returns how many there were."""
    known = MessageText.objects.aggregate(newest=Max("pk"))["newest"] or 0
    missing = InboundMessage.objects.filter(pk__gt=known - _UNSEEN, text__isnull=True, purged_at=None).order_by("pk")
    rows = [
        MessageText(message_id=row.pk, text=text_of(bytes(row.raw), row.peer))
        for row in missing.only("raw", "peer")[:most]
    ]
    MessageText.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


@dataclass(frozen=True)
class Found:
    """Messages that hold the words, the newest MOST_FOUND. since, until: when the searched ones came."""

    keys: list[int]
    since: datetime | None
    until: datetime | None
    cut: bool


def words_in(typed: str) -> list[str]:
    """Return the words that a message has to hold."""
    return fold(typed.replace("\x00", "")).split()


def search(typed: str) -> Found:
    """Find messages whose text holds every word."""
    catch_up()
    words = words_in(typed)
    rows = MessageText.objects.all()
    if words and all(len(word) < SHORT_WORD for word in words):
        rows = rows.filter(pk__gt=(rows.aggregate(newest=Max("pk"))["newest"] or 0) - NEWEST)
    since, until = _span(rows)
    found = rows.filter(holding(words)).order_by("-pk").values_list("pk", flat=True)
    keys = list(found[: MOST_FOUND + 1]) if words else []
    return Found(keys[:MOST_FOUND], since, until, len(keys) > MOST_FOUND)


def holding(words: list[str]) -> Q:
    """Return the condition on texts that hold every word."""
    return Q(*(Q(text__holds=word) for word in words))


def _span(rows: "QuerySet[MessageText]") -> tuple[datetime | None, datetime | None]:
    """Return when the oldest and the newest of these messages came."""
    ends = rows.aggregate(first=Min("pk"), last=Max("pk"))
    times = dict(InboundMessage.objects.filter(pk__in=filter(None, ends.values())).values_list("pk", "received_at"))
    return times.get(ends["first"]), times.get(ends["last"])
