r"""Tolerant HL7 v2 reader: bytes to segments, fields and values. No Django, no sockets.

Senders do not agree on line ends, delimiters, character sets or versions, so reading never refuses on content: the one
error is `NotHL7`, when there is no MSH. What had to be guessed is said in `Message.warnings`, without patient data.

Values come back in three states, because they ask for three different things (HL7 v2.5.1 section 2.5.3):
``None`` when the field is absent or empty (no change), `NULL` when the sender wrote ``""`` (erase), else the text with
its escapes undone.

>>> message = read(b"MSH|^~\\&|HIS|GH|BUCKY|GH|20260105||ADT^A08|1|P|2.5.1\rPID|1||4711||Smith^Anna||" + b'""')
>>> message["PID"].get("5.2")
'Anna'
>>> message["PID"].get("7") is NULL
True
>>> message["PID"].get("8") is None
True
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hl7.charsets import decode
from hl7.dialect import PLAIN, Dialect
from hl7.escapes import unescape

NULL: Final = '""'

_LEADING = b"\x00\x09\x0a\x0d\x20"
_BOM = b"\xef\xbb\xbf"
_LINE_ENDS = re.compile(r"[\r\n]+")
_HEADER_END = re.compile(rb"[\r\n]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_STANDARD = "^~\\&"
_MOST_FIELDS = 200


class NotHL7(ValueError):
    """Bytes that are no HL7 version 2 message: they do not begin with an MSH segment."""


@dataclass(frozen=True, slots=True)
class Delimiters:
    """MSH-1 and MSH-2 of the sender."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @property
    def encoding(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent


class Repetition:
    """One repetition of a field; cut into components when first asked."""

    __slots__ = ("_components", "_context", "raw")

    def __init__(self, raw: str, context: "_Context") -> None:
        self.raw = raw
        self._context = context
        self._components: list[str] | None = None

    def get(self, component: int = 1, subcomponent: int = 1) -> str | None:
        """Return one value: None when absent or empty, `NULL` when the sender erases it, else its text."""
        if self.raw == NULL:
            return NULL
        if self._components is None:
            self._components = self.raw.split(self._context.delimiters.component)
        if component > len(self._components):
            return None
        value = self._components[component - 1]
        if value == NULL:
            return NULL
        if self._context.delimiters.subcomponent in value:
            parts = value.split(self._context.delimiters.subcomponent)
            value = parts[subcomponent - 1] if subcomponent <= len(parts) else ""
            if value == NULL:
                return NULL
        elif subcomponent > 1:
            return None
        return self._context.text(value) or None

    def split(self, sign: str) -> "list[Repetition]":
        """Cut what was sent at a sign of the text itself: ``=`` between the groups of a name."""
        return [Repetition(part, self._context) for part in self.raw.split(sign)]

    def texts(self) -> list[str]:
        """Return the first subcomponent of every component, empty where nothing or `NULL` is sent."""
        count = self.raw.count(self._context.delimiters.component) + 1
        values = (self.get(number) for number in range(1, count + 1))
        return ["" if value is None or value is NULL else value for value in values]


class Segment:
    """One segment. Fields are numbered as in the standard, so MSH-1 is the field separator."""

    __slots__ = ("_context", "_fields", "name", "number", "position", "raw")

    def __init__(self, name: str, raw: str, context: "_Context", number: int = 1, position: int = 0) -> None:
        self.name = name
        self.raw = raw
        self.number = number  # which one of its name in the message, from 1: ERR-2.2
        self.position = position  # which segment of the message, from 0
        self._context = context
        self._fields: list[str] | None = None

    @property
    def dialect(self) -> Dialect:
        """What is agreed with the sender."""
        return self._context.dialect

    def following(self, name: str) -> "Segment | None":
        """Return the segment of that name behind this one and before the next of its own, else the message's first."""
        segments = self._context.segments
        for segment in segments[self.position + 1 :]:
            if segment.name == name:
                return segment
            if segment.name == self.name:
                break
        return next((segment for segment in segments if segment.name == name), None)

    def __bool__(self) -> bool:
        """False for a segment that the message does not have."""
        return bool(self.raw)

    def field(self, number: int) -> str:
        """Return a whole field as it was sent, delimiters and escapes included."""
        if self._fields is None:
            self._fields = self.raw.split(self._context.delimiters.field)
            if self.name == "MSH" and self.raw:
                self._fields.insert(1, self._context.delimiters.field)
        return self._fields[number].strip() if number < len(self._fields) else ""

    @property
    def length(self) -> int:
        """How many fields there are, the name of the segment included; no more than make sense."""
        self.field(0)
        return min(len(self._fields or ()), _MOST_FIELDS)

    def repetitions(self, number: int) -> list[Repetition]:
        """Return the repetitions of a field that hold anything."""
        raw = self.field(number)
        if not raw:
            return []
        parts = raw.split(self._context.delimiters.repetition)
        return [Repetition(part, self._context) for part in parts if part]

    def get(self, path: str) -> str | None:
        """Return the value at ``"5"``, ``"5.1"`` or ``"3.4.2"`` of the first repetition (see `Repetition.get`)."""
        number, component, subcomponent = _parse_path(path)
        raw = self.field(number)
        if not raw:
            return None
        first = raw.split(self._context.delimiters.repetition, 1)[0]
        return Repetition(first, self._context).get(component, subcomponent)

    def text(self, number: int) -> str:
        """Return a whole field as one readable text: components joined by spaces, repetitions by lines."""
        lines = (" ".join(filter(None, repetition.texts())) for repetition in self.repetitions(number))
        return "\n".join(line for line in lines if line)


@dataclass(frozen=True, slots=True)
class _Context:
    delimiters: Delimiters
    codec: str
    dialect: Dialect
    segments: list[Segment]

    def text(self, value: str) -> str:
        """Undo the escapes of one value; control characters, which no screen and no scanner can show, are left out."""
        value = value.strip()
        if self.delimiters.escape in value:
            value = unescape(value, self.delimiters, self.codec)
        return value if value.isprintable() else _CONTROLS.sub("", value)


class Message:
    """The segments of one message, in the order in which they came."""

    def __init__(self, segments: list[Segment], context: _Context, charset: str, warnings: list[str]) -> None:
        self.segments = segments
        self.delimiters = context.delimiters
        self.codec = context.codec
        self.dialect = context.dialect
        self.charset = charset
        self.warnings = warnings
        self.charset_fits = True  # whether the bytes are what MSH-18 says
        self.charset_readable = True  # whether there is a codec for what MSH-18 says
        self.terminated = True  # whether the last segment ends as the others do
        self._context = context

    def __getitem__(self, name: str) -> Segment:
        """Return the first segment of that name; an empty one (false) when there is none."""
        for segment in self.segments:
            if segment.name == name:
                return segment
        return Segment(name, "", self._context)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def with_segments(self, segments: list[Segment]) -> "Message":
        """Return the message as if it had these of its segments only."""
        return Message(segments, self._context, self.charset, self.warnings)

    def all(self, name: str) -> list[Segment]:
        """Return every segment of that name."""
        return [segment for segment in self.segments if segment.name == name]


def read(raw: bytes, dialect_of: Callable[[str, str], Dialect] | None = None) -> Message:
    """Read one message. Raises `NotHL7` when it does not begin with MSH; nothing else.

    dialect_of: what is agreed with the sender that MSH-3 and MSH-4 name; without it nothing is.
    """
    body = raw.removeprefix(_BOM).lstrip(_LEADING).removeprefix(_BOM)
    delimiters = _delimiters(body)
    header = _HEADER_END.split(body[:4096], maxsplit=1)[0].split(delimiters.field.encode("latin-1"))
    dialect = dialect_of(_header_field(header, 3), _header_field(header, 4)) if dialect_of else PLAIN
    charset = _header_field(header, 18)
    warnings: list[str] = []
    signs = delimiters.repetition, delimiters.escape
    text, codec, fits, readable = decode(body, charset or dialect.charset, signs, warnings, dialect)
    if "\x00" in text:
        text = text.replace("\x00", "")  # no database keeps it in a text
        warnings.append("zero bytes were left out")
    context = _Context(delimiters, codec, dialect, [])
    _cut(text, context, warnings)
    message = Message(context.segments, context, charset, warnings)
    message.charset_fits, message.charset_readable = fits, readable
    message.terminated = body.endswith((b"\r", b"\n"))
    return message


def _delimiters(body: bytes) -> Delimiters:
    if not body.startswith(b"MSH") or len(body) < 5:
        raise NotHL7
    field = chr(body[3])
    if field.isalnum() or field.isspace() or not 0x20 < body[3] < 0x7F:
        raise NotHL7
    sent = _HEADER_END.split(body[4:64], maxsplit=1)[0].split(body[3:4], 1)[0].decode("latin-1")
    marks = [sent[i] if i < len(sent) else standard for i, standard in enumerate(_STANDARD)]
    if len({field, *marks}) != 5 or any(mark.isalnum() or mark.isspace() for mark in marks):
        marks = list(_STANDARD)
    return Delimiters(field, *marks)


def _header_field(header: list[bytes], number: int) -> str:
    """Read a field of MSH before the character set is known: MSH-18 itself is plain ASCII."""
    if len(header) < number:
        return ""
    try:
        return header[number - 1].decode().strip()
    except UnicodeDecodeError:
        return header[number - 1].decode("latin-1").strip()


def _cut(text: str, context: _Context, warnings: list[str]) -> None:
    """Cut a text into the segments of its message."""
    separator = context.delimiters.field
    found = context.segments
    counts: dict[str, int] = {}
    joined = 0
    for line in _LINE_ENDS.split(text):
        name = line[:3]
        if line[3:4] != separator or not _is_name(name):
            line = line.strip(" \t\x00")
            name = line[:3]
            if not line:
                continue
            if not (line[3:4] in (separator, "") and _is_name(name)):
                found[-1].raw += "\n" + line  # a line break inside a text: it belongs to the field before it
                joined += 1
                continue
        name = name.upper()
        counts[name] = counts.get(name, 0) + 1
        found.append(Segment(name, line, context, counts[name], len(found)))
    if joined:
        warnings.append(f"{joined} line(s) without a segment name were read as part of the field before them")


def _is_name(name: str) -> bool:
    return len(name) == 3 and name.isascii() and name.isalnum() and name[0].isalpha()


@lru_cache(maxsize=1024)
def _parse_path(path: str) -> tuple[int, int, int]:
    numbers = [int(part) for part in path.split(".")]
    return numbers[0], numbers[1] if len(numbers) > 1 else 1, numbers[2] if len(numbers) > 2 else 1
