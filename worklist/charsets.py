"""Specific Character Set (0008,0005): what can be written in one, and how (PS3.3 C.12.1.1.2, PS3.5 section 6.1).

pydicom's encoder takes the default repertoire for Latin-1 and writes `?` for letters that are in no set; this one tells
beforehand what cannot be written, and switches sets by the letter.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from pydicom.charset import CODES_TO_ENCODINGS, convert_encodings, custom_encoders, default_encoding

ASCII_ONLY = "ISO_IR 6"
"""The default repertoire. It is never named in a data set."""
UTF_8 = "ISO_IR 192"
ALONE: dict[str, str] = {UTF_8: "Unicode (UTF-8)", "GB18030": "Chinese", "GBK": "Chinese"}
"""Sets that stand alone: table C.12-5."""
_SINGLE_BYTE = {
    "100": "Western Europe",
    "101": "Central Europe",
    "109": "Southern Europe",
    "110": "Northern Europe",
    "144": "Cyrillic",
    "127": "Arabic",
    "126": "Greek",
    "138": "Hebrew",
    "148": "Turkish",
    "13": "Japanese, half-width kana",
    "166": "Thai",
}
SINGLE: dict[str, str] = {f"ISO_IR {number}": name for number, name in _SINGLE_BYTE.items()}
"""Sets of one byte without code extensions: table C.12-2."""
EXTENDED: dict[str, str] = {f"ISO 2022 IR {number}": name for number, name in _SINGLE_BYTE.items()}
"""Sets of one byte with code extensions: table C.12-3."""
MULTI_BYTE: dict[str, str] = {
    "ISO 2022 IR 87": "Japanese, kanji and kana",
    "ISO 2022 IR 159": "Japanese, further kanji",
    "ISO 2022 IR 149": "Korean",
    "ISO 2022 IR 58": "Chinese, simplified",
}
"""Sets of several bytes, which come after another one: table C.12-4."""
_DEFAULTS = ("", "ISO 2022 IR 6")
_LINES = "\t\n\f\r"
_ESCAPES = {codec: escape for escape, codec in CODES_TO_ENCODINGS.items()} | {"shift_jis": b"\x1b)I"}
_TO_ASCII, _TO_ROMAN = b"\x1b(B", b"\x1b(J"
_IN_G0 = frozenset({"iso2022_jp", "iso2022_jp_2"})
"""Sets that take the place of ASCII while they are in use; the others stand beside it."""


class BadCharacterSet(ValueError):
    """No Specific Character Set that the standard knows. `reason` is one of REASONS, `value` the value at fault."""

    def __init__(self, reason: str, value: str = "") -> None:
        self.reason = reason
        self.value = value
        super().__init__(reason)


def check(character_set: str) -> None:
    """Raise BadCharacterSet where values with backslashes between them are not a valid combination.

    reason: "unknown", "alone" (a set that stands alone beside others), "first" (a first value that cannot be one),
    "extension" (a set without code extensions among others), "twice".
    """
    first, *more = character_set.split("\\")
    if not more:
        if first not in (ASCII_ONLY, *ALONE, *SINGLE):
            raise BadCharacterSet("first" if first in (*EXTENDED, *MULTI_BYTE, *_DEFAULTS) else "unknown", first)
        return
    for value in (first, *more):
        if value in ALONE:
            raise BadCharacterSet("alone", value)
        if value in SINGLE or value == ASCII_ONLY:
            raise BadCharacterSet("extension", value)
        if value not in (*EXTENDED, *MULTI_BYTE, *_DEFAULTS):
            raise BadCharacterSet("unknown", value)
    if first in MULTI_BYTE or "" in more:
        raise BadCharacterSet("first", first if first in MULTI_BYTE else "")
    if len({first, *more}) <= len(more):
        raise BadCharacterSet("twice")


@lru_cache(maxsize=64)
def codecs_of(character_set: str) -> tuple[str, ...]:
    """Return the codecs of a character set, in its order."""
    return tuple(convert_encodings(character_set.split("\\")))


@lru_cache(maxsize=50_000)
def _encoded(char: str, codec: str) -> bytes | None:
    """Return the bytes of one character without escapes, None where the set does not have it."""
    if codec == default_encoding:
        return char.encode() if char.isascii() else None
    try:
        encode: Callable[[str], bytes] | None = custom_encoders.get(codec)
        return encode(char).removeprefix(_ESCAPES[codec] if codec in _IN_G0 else b"") if encode else char.encode(codec)
    except UnicodeEncodeError:
        return None


def is_writable(text: str, character_set: str) -> bool:
    """Tell whether every character can be written."""
    if text.isascii():
        return True
    codecs = codecs_of(character_set)
    return all(char.isascii() or any(_encoded(char, codec) is not None for codec in codecs) for char in text)


def write(text: str, character_set: str) -> bytes:
    """Return the bytes of a text, or of one component of a name, whose characters can all be written."""
    codecs = codecs_of(character_set)
    written = bytearray()
    in_g0, in_g1 = "", codecs[0]
    to_ascii = _TO_ROMAN if codecs[0] == "shift_jis" else _TO_ASCII
    for char in text:
        codec = "" if char.isascii() else _codec_of(char, (in_g0, in_g1, *codecs))
        if in_g0 and codec != in_g0:
            written += to_ascii
            in_g0 = ""
        if codec in _IN_G0 and not in_g0:
            written += _ESCAPES[codec]
            in_g0 = codec
        elif codec and codec not in _IN_G0 and codec != in_g1:
            written += _ESCAPES[codec]
            in_g1 = codec
        elif char in _LINES:
            in_g1 = codecs[0]  # a new line begins as the text did (PS3.5 6.1.2.5.3)
        written += (_encoded(char, codec) if codec else None) or char.encode("utf-8")
    return bytes(written + (to_ascii if in_g0 else b""))


def _codec_of(char: str, codecs: Sequence[str]) -> str:
    return next(codec for codec in codecs if codec and _encoded(char, codec) is not None)
