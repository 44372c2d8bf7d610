"""Batches: FHS [BHS {messages} BTS] FTS in one frame (HL7 v2.5.1 sections 2.10.3, 2.15.2 to 2.15.4, 2.15.6, 2.15.7).

Each message inside is stored, applied and answered as if it had come alone. The answer is a batch of the answers in
their order, in the same envelopes. The envelopes are not kept: they say nothing about a patient. A batch that
is sent again finds its messages applied, and gets the same answers.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from hl7 import mllp

_LEADING = b"\xef\xbb\xbf\x00\t\n\r "
_SEGMENTS = re.compile(rb"[\r\n]+")
_STARTS = (b"FHS", b"BHS")
_ECHOED = 180
_CONTROL_ID, _REFERENCE = 11, 12


@dataclass(slots=True)
class Envelope:
    """A file or a batch: its header as sent, and what it holds (batches or messages)."""

    header: bytes = b""
    trailer: bytes = b""
    messages: list[bytes] = field(default_factory=list)

    @property
    def said(self) -> bytes:
        """The count that the trailer names (BTS-1, FTS-1); empty where it names none."""
        return _fields(self.trailer)[1].strip() if self.trailer.count(self.trailer[3:4] or b"|") else b""


@dataclass(slots=True)
class Batch:
    """Everything in one frame. file: empty where the frame begins with BHS."""

    file: Envelope = field(default_factory=Envelope)
    batches: list[Envelope] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many messages there are."""
        return sum(len(one.messages) for one in self.batches)

    @property
    def miscounted(self) -> bool:
        """Whether a trailer is missing or names another count than there is."""
        counts = [(one, len(one.messages)) for one in self.batches if one.header]
        counts += [(self.file, len(self.batches))] if self.file.header else []
        return any(not one.trailer or one.said not in (b"", b"%d" % count) for one, count in counts)


def is_batch(raw: bytes) -> bool:
    """Tell whether a frame holds a batch."""
    return raw[:64].lstrip(_LEADING).startswith(_STARTS)


def split(raw: bytes) -> Batch:
    """Take a frame apart. What is in no envelope and in no message counts as a message: it is kept and refused."""
    batch = Batch()
    lines: list[bytes] = []

    def end_message() -> None:
        if lines:
            batch.batches[-1].messages.append(b"\r".join(lines) + b"\r")
            lines.clear()

    for line in _SEGMENTS.split(raw.lstrip(_LEADING)):
        name = line[:3]
        if name == b"FHS":
            batch.file.header = line
        elif name == b"BHS":
            end_message()
            batch.batches.append(Envelope(line))
        elif name == b"BTS" and batch.batches:
            end_message()
            batch.batches[-1].trailer = line
        elif name == b"FTS":
            end_message()
            batch.file.trailer = line
        elif line.strip():
            if name == b"MSH":
                end_message()
            if not lines and (not batch.batches or batch.batches[-1].trailer):
                batch.batches.append(Envelope())  # a file may hold messages without BHS
            lines.append(line)
    end_message()
    return batch


def receive(raw: bytes, take: Callable[[bytes], bytes], now: datetime) -> tuple[bytes, Batch]:
    """Have every message of a batch taken; returns the answer and the batch.

    take: what takes one message and returns its answer. The answer is empty when there is nothing to answer: the batch
    held answers only.
    """
    batch = split(raw)
    answers = [[answer for message in one.messages for answer in _each(take(message))] for one in batch.batches]
    if batch.count and not any(answers):
        return b"", batch
    parts: list[bytes] = []
    for one, own in zip(batch.batches, answers, strict=True):
        if one.header:
            parts.append(_header(b"BHS", one.header, now))
        parts += own
        if one.header:
            parts.append(_trailer(b"BTS", one.header, len(own)))
    if batch.file.header:
        file = batch.file.header
        parts = [_header(b"FHS", file, now), *parts, _trailer(b"FTS", file, len(batch.batches))]
    return b"\r".join(part.strip(b"\r") for part in parts) + b"\r", batch


def _each(answer: bytes) -> list[bytes]:
    """Return the answers to one message: none, one, or two in enhanced mode."""
    return [one for one in answer.split(mllp.BETWEEN) if one]


def _fields(segment: bytes) -> list[bytes]:
    return segment.split(segment[3:4] or b"|")


def _header(name: bytes, sent: bytes, now: datetime) -> bytes:
    """Return FHS or BHS of the answer: sender and receiver the other way round, the sender's control ID in -12."""
    sign = sent[3:4] or b"|"
    fields = [b"", b"", *_fields(sent)[1:]] + [b""] * _REFERENCE  # numbered as in the standard, -1 is the sign
    own = [fields[number][:_ECHOED] for number in (2, 5, 6, 3, 4)]
    time, control_id = now.strftime("%Y%m%d%H%M%S%z").encode(), secrets.token_hex(10).encode()
    return sign.join([name, *own, time, b"", b"", b"", control_id, fields[_CONTROL_ID][:_ECHOED]])


def _trailer(name: bytes, sent: bytes, count: int) -> bytes:
    return name + (sent[3:4] or b"|") + b"%d" % count
