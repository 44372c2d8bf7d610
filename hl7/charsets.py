"""Character sets of HL7 v2 (table 0211): bytes to text by MSH-18, before anything is split.

Splitting first would cut multi-byte characters whose second byte looks like a delimiter.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from hl7 import iso2022
from hl7.dialect import PLAIN, CharsetPolicy, Dialect


@dataclass(frozen=True, slots=True)
class Charset:
    """How a value of MSH-18 is read.

    western: valid UTF-8 that calls itself so is hardly ever anything else. In other sets it can be: two Korean or Thai
    letters may well be one sign of UTF-8. switched: it is reached by escape sequences. windows: the code page of
    Windows that senders mistake for it.
    """

    codec: str
    western: bool = False
    switched: bool = False
    windows: str = ""

    def is_of(self, body: bytes) -> bool:
        """Tell whether bytes may be of the set.

        Those of ISO 8859 have no letters from 0x80 to 0x9F: a text with such bytes is UTF-8, or a code page of Windows.
        """
        if self.codec.startswith(("iso8859", "tis")) and _NO_LETTER.search(body):
            return False
        return not (self.codec == "iso8859-5" and _SIGN_IN_A_WORD.search(body))


_NO_LETTER = re.compile(rb"[\x80-\x9f]")
_SIGN_IN_A_WORD = re.compile(rb"[\xb0-\xff][\xf0\xfd][\xb0-\xff]")
"""A numero or section sign between two letters of ISO 8859-5. No word has one; in Windows-1251 they are er and e."""


# MSH-18 in capitals without blanks, "-" and "/" -> how to read it.
CHARSETS: dict[str, Charset] = {
    "ASCII": Charset("ascii"),
    "ISOIR6": Charset("ascii"),
    "88591": Charset("iso8859-1", western=True, windows="cp1252"),
    "88592": Charset("iso8859-2", windows="cp1250"),
    "88593": Charset("iso8859-3"),
    "88594": Charset("iso8859-4", windows="cp1257"),
    "88595": Charset("iso8859-5", windows="cp1251"),
    "88596": Charset("iso8859-6", windows="cp1256"),
    "88597": Charset("iso8859-7", windows="cp1253"),
    "88598": Charset("iso8859-8", windows="cp1255"),
    "88599": Charset("iso8859-9", western=True, windows="cp1254"),
    "885915": Charset("iso8859-15", western=True, windows="cp1252"),
    "ISOIR14": Charset("shift_jis", switched=True),
    "ISOIR87": Charset("iso2022_jp", switched=True),
    "ISOIR159": Charset("iso2022_jp_1", switched=True),
    "GB180302000": Charset("gb18030"),
    "KSX1001": Charset("euc_kr", switched=True),
    "BIG5": Charset("big5"),
    "TIS620": Charset("tis_620", windows="cp874"),
    "UNICODE": Charset("utf-8"),
    "UNICODEUTF8": Charset("utf-8"),
}
NAMES: dict[str, str] = {key: f"8859/{key[4:]}" if key.startswith("8859") else key for key in CHARSETS} | {
    "ISOIR6": "ISO IR6",
    "ISOIR14": "ISO IR14",
    "ISOIR87": "ISO IR87",
    "ISOIR159": "ISO IR159",
    "GB180302000": "GB 18030-2000",
    "KSX1001": "KS X 1001",
    "BIG5": "BIG-5",
    "TIS620": "TIS-620",
    "UNICODEUTF8": "UNICODE UTF-8",
}
"""The same sets as table 0211 writes them."""

# Names that senders write though the table has others.
_ALIASES = {
    "": "ASCII",
    "UTF8": "UNICODEUTF8",
    "ISO88591": "88591",
    "ISO885915": "885915",
    "GB18030": "GB180302000",
    "GB2312": "GB180302000",
    "JAS2020": "ISOIR87",
    "JISX0202": "ISOIR87",
    "TIS6202533": "TIS620",
}
_UNREADABLE = ("CNS11643", "CNS116431992")
"""Sets of table 0211 that Python has no codec for. To guess such a text would write signs that nobody sent."""
_DROPPED = str.maketrans("", "", " -/_.")


def lookup(name: str) -> Charset | None:
    """Return how one value of MSH-18 is read; None when we do not know it."""
    key = _key(name)
    return CHARSETS.get(_ALIASES.get(key, key))


def _key(name: str) -> str:
    return name.upper().translate(_DROPPED)


class Decoded(NamedTuple):
    """The text of a message, the codec that fits its sender, and whether MSH-18 and the bytes agree.

    readable: False where the text is in a set that cannot be read here, so that it is not what was sent.
    """

    text: str
    codec: str
    fits: bool = True
    readable: bool = True


def decode(
    body: bytes, declared: str, signs: tuple[str, str], warnings: list[str], dialect: Dialect = PLAIN
) -> Decoded:
    """Read the bytes of a message by `declared`, which is MSH-18 as sent or what the endpoint has for an empty one.

    signs: the sender's repetition separator and escape character.
    With repetitions the first is the default and the others are reached by escape sequences. When the bytes do not
    fit, UTF-8, the endpoint's set, the code page of Windows that goes for the set and then Windows-1252 are tried, with
    a warning: the message is never lost, and nobody is left to wonder.
    """
    repetition, escape = signs
    body = iso2022.with_escapes(body, escape.encode("latin-1"))
    if body.isascii() and b"\x1b" not in body:
        return Decoded(body.decode("ascii"), _codec_of(_declared(declared, repetition, [])))
    if (b"\x1b" in body or not _is_utf8(body)) and any(
        _key(name) in _UNREADABLE for name in declared.split(repetition)
    ):
        return Decoded(body.decode("iso8859-1"), "iso8859-1", fits=False, readable=False)
    charsets = _declared(declared, repetition, warnings)
    codec = _codec_of(charsets)
    if (codec != "utf-8" or body.isascii()) and iso2022.has_escapes(body):
        return _switching(body, charsets, warnings) or _guess(body, declared, charsets, warnings, dialect)
    doubtful = any(charset.western for charset in charsets) and _is_utf8(body)
    if not doubtful or dialect.charset_policy == CharsetPolicy.DECLARED:
        for charset in charsets:
            if not charset.is_of(body):
                continue
            try:
                text = body.decode(charset.codec)
            except UnicodeDecodeError:
                continue
            if doubtful:
                warnings.append("the text would be valid UTF-8 too: it was read as MSH-18 says")
            return Decoded(text, charset.codec, not doubtful)
    return _guess(body, declared, charsets, warnings, dialect)


def _declared(declared: str, repetition: str, warnings: list[str]) -> list[Charset]:
    """Return the sets that MSH-18 names, those known here."""
    found = []
    for name in declared.split(repetition):
        charset = lookup(name)
        if charset is None:
            warnings.append("the character set of MSH-18 is not known here")
        else:
            found.append(charset)
    return found


def _codec_of(charsets: list[Charset]) -> str:
    """Return the codec for an answer: the last set that is more than ASCII."""
    return next((charset.codec for charset in reversed(charsets) if charset.codec != "ascii"), "ascii")


def _switching(body: bytes, charsets: list[Charset], warnings: list[str]) -> Decoded | None:
    """Read a text with escape sequences; None where it cannot be read so."""
    default = charsets[0].codec if charsets else "ascii"
    if default.startswith("iso2022_jp"):
        default = "shift_jis"  # ASCII, and the half-width katakana that such senders write beside it
    try:
        text = iso2022.decode(body, default)
    except UnicodeDecodeError:
        return None
    named = len(charsets) > 1 or any(charset.switched for charset in charsets)
    if not named:
        warnings.append("the text switches its character set though MSH-18 does not say so")
    return Decoded(text, _codec_of(charsets) if named else "utf-8", named)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _guess(body: bytes, declared: str, charsets: list[Charset], warnings: list[str], dialect: Dialect) -> Decoded:
    said = "MSH-18 names no character set" if not declared else "the text does not fit MSH-18"
    agreed = lookup(dialect.charset) if dialect.charset and dialect.charset != declared else None
    for codec, name in (
        ("utf-8", "UTF-8"),
        *([(agreed.codec, dialect.charset)] if agreed and agreed.is_of(body) else []),
        *((charset.windows, f"Windows-{charset.windows[2:]}") for charset in charsets if charset.windows),
        ("cp1252", "Windows-1252"),
    ):
        try:
            text = body.decode(codec)
        except UnicodeDecodeError:
            continue
        warnings.append(f"{said}: it was read as {name}")
        return Decoded(text, codec, fits=False)
    warnings.append(f"{said}: it was read as ISO 8859-1")
    return Decoded(body.decode("iso8859-1"), "iso8859-1", fits=False)
