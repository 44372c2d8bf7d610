"""A message as text that a person edits: bytes to lines and back, in its own character set, and what was changed."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from django.utils.translation import gettext as _

from hl7 import charsets
from hl7.endpoints import read_from
from hl7.message import Message, NotHL7, read
from ris.views.story import Change

LONGEST = 200_000
"""Characters of a message that is edited on a page; larger ones are sent again as they are."""
_ENDS = re.compile(r"\r\n|\r|\n")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f\u2400-\u2421]")


class NotSendable(ValueError):
    """The text cannot be sent; the argument says why."""


@dataclass(frozen=True)
class EditableText:
    """The lines of a message and the codec that they were read by."""

    text: str
    codec: str


def editable(raw: bytes, peer: str | None = None) -> EditableText:
    """Return a message of a sender as text, a line for each segment; control characters as their pictures (␀ to ␡)."""
    try:
        codec = read_from(raw, peer).codec
    except NotHL7:
        codec = "utf-8"
    text = raw.removeprefix(b"\xef\xbb\xbf").decode(codec, "replace")
    lines = _ENDS.sub("\n", text).strip("\n")
    return EditableText("".join(map(_picture, lines)), codec)


def _picture(char: str) -> str:
    code = ord(char)
    if char in "\n\t":
        return char
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else char


def sendable(text: str, codec: str) -> bytes:
    """Return edited text as it is sent. Raises NotSendable.

    The character set stays the one that the message was read by, unless MSH-18 now names another one that is known.
    """
    body = _ENDS.sub("\r", text).strip("\r") + "\r"
    found = _CONTROLS.search(body.replace("\r", ""))
    if found:
        raise NotSendable(
            _("The text holds a control character or the picture of one (%s): take it out.") % _name(found[0])
        )
    codec = _codec_of(body, codec)
    try:
        raw = body.encode(codec)
    except UnicodeEncodeError as error:
        sign = body[error.start]
        raise NotSendable(
            _("“%(sign)s” cannot be written in the character set of this message (%(codec)s); see MSH-18.")
            % {"sign": sign, "codec": codec}
        ) from None
    try:
        read(raw)
    except NotHL7:
        raise NotSendable(_("The text does not begin with an MSH segment.")) from None
    return raw


def _name(char: str) -> str:
    return char if ord(char) >= 0x2400 else _picture(char)


def _codec_of(body: str, codec: str) -> str:
    """Return the codec of what MSH-18 names, where that is one that holds every letter; else the one given."""
    try:
        message: Message = read(body.split("\r", 1)[0].encode("ascii", "replace"))
    except NotHL7:
        return codec
    known = [charsets.lookup(name) for name in message.charset.split(message.delimiters.repetition) if name]
    codecs = [charset.codec for charset in known if charset is not None]
    for named in (*reversed(codecs), codec):
        try:
            body.encode(named)
        except UnicodeEncodeError:
            continue
        if named in codecs or not codecs:
            return named
    return codecs[-1] if codecs else codec


def differences(old: bytes, new: bytes, peer: str | None = None) -> list[Change]:
    """Return what differs between two messages of a sender, field by field: the place, the text before and after."""
    before, after = (editable(raw, peer).text.split("\n") for raw in (old, new))
    found: list[Change] = []
    for what, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        pairs = min(b - a, d - c)
        for one, other in zip(before[a : a + pairs], after[c : c + pairs], strict=True):
            found += _fields(one, other)
        found += [Change(line[:3], line, "") for line in before[a + pairs : b]]
        found += [Change(line[:3], "", line) for line in after[c + pairs : d]]
    return found


def _fields(one: str, other: str) -> list[Change]:
    if one[:4] != other[:4]:
        return [Change(one[:3], one, ""), Change(other[:3], "", other)]
    sign, first = one[3:4] or "|", 1 if one.startswith("MSH") else 0
    left, right = one.split(sign), other.split(sign)
    size = max(len(left), len(right))
    left += [""] * (size - len(left))
    right += [""] * (size - len(right))
    return [
        Change(f"{one[:3]}-{number + first}", was, now)
        for number, (was, now) in enumerate(zip(left, right, strict=True))
        if was != now
    ]
