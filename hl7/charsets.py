"""Character sets of HL7 v2 (table 0211): bytes to text by MSH-18, before anything is split.

Splitting first would cut multi-byte characters whose second byte looks like a delimiter.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Charset:
    """How a value of MSH-18 is read. `western` sets are checked for UTF-8 that calls itself something else."""

    codec: str
    western: bool = False


# MSH-18 in capitals without blanks, "-" and "/" -> how to read it.
CHARSETS: dict[str, Charset] = {
    "ASCII": Charset("ascii"),
    "ISOIR6": Charset("ascii"),
    "88591": Charset("iso8859-1", western=True),
    "88592": Charset("iso8859-2"),
    "88593": Charset("iso8859-3"),
    "88594": Charset("iso8859-4"),
    "88595": Charset("iso8859-5"),
    "88596": Charset("iso8859-6"),
    "88597": Charset("iso8859-7"),
    "88598": Charset("iso8859-8"),
    "88599": Charset("iso8859-9", western=True),
    "885915": Charset("iso8859-15", western=True),
    "ISOIR14": Charset("shift_jis"),
    "ISOIR87": Charset("iso2022_jp"),
    "ISOIR159": Charset("iso2022_jp_1"),
    "GB180302000": Charset("gb18030"),
    "KSX1001": Charset("euc_kr"),
    "TIS620": Charset("tis_620"),
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
    "TIS6202533": "TIS620",
}
_DROPPED = str.maketrans("", "", " -/_.")


def lookup(name: str) -> Charset | None:
    """Return how one value of MSH-18 is read; None when we do not know it."""
    key = name.upper().translate(_DROPPED)
    return CHARSETS.get(_ALIASES.get(key, key))


def decode(body: bytes, declared: str, repetition: str, warnings: list[str]) -> tuple[str, str]:
    """Return the text of a message and the codec that read it.

    `declared` is MSH-18 as sent. With repetitions the first is the default and the others are reached by escape
    sequences; Python's ISO 2022 codecs follow these by themselves, so the last one that we know decides. When the
    bytes do not fit, UTF-8 and then Windows-1252 are tried, with a warning: the message is never lost, and nobody
    is left to wonder.
    """
    if body.isascii() and b"\x1b" not in body:
        return body.decode("ascii"), _codec_of(declared, repetition)
    charset = _declared(declared, repetition, warnings)
    if charset is not None and not (charset.western and _is_utf8(body)):
        try:
            return body.decode(charset.codec), charset.codec
        except UnicodeDecodeError:
            pass
    return _guess(body, declared, warnings)


def _codec_of(declared: str, repetition: str) -> str:
    charset = _declared(declared, repetition, [])
    return charset.codec if charset else "ascii"


def _declared(declared: str, repetition: str, warnings: list[str]) -> Charset | None:
    chosen: Charset | None = None
    for name in declared.split(repetition):
        charset = lookup(name)
        if charset is None:
            warnings.append("the character set of MSH-18 is not known here")
        elif chosen is None or charset.codec != "ascii":
            chosen = charset
    return chosen


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _guess(body: bytes, declared: str, warnings: list[str]) -> tuple[str, str]:
    said = "MSH-18 names no character set" if not declared else "the text does not fit MSH-18"
    for codec, name in (("utf-8", "UTF-8"), ("cp1252", "Windows-1252")):
        try:
            text = body.decode(codec)
        except UnicodeDecodeError:
            continue
        warnings.append(f"{said}: it was read as {name}")
        return text, codec
    warnings.append(f"{said}: it was read as ISO 8859-1")
    return body.decode("iso8859-1"), "iso8859-1"
