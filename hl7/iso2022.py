r"""ISO 2022 as HL7 and DICOM senders write it: escape sequences that switch the character set inside a text.

HL7 v2.5.1 section 2.15.9.18 lets MSH-18 repeat: the first set is in use at the beginning of every line, the others are
reached by escape sequences. A sender may write ESC itself, or ``\Cxxyy\`` and ``\Mxxyyzz\`` (section 2.10.2), which
name the bytes after ESC in hexadecimal. Python's own ISO 2022 codecs each know one country; here they may be mixed.

>>> decode(b"Yamada=\x1b$B;3ED\x1b(B", "ascii")
'Yamada=山田'
"""

import re

_LINES = re.compile(rb"([\r\n]+)")
_WRITTEN = re.compile(rb"([^\w\s])[CM]((?:[0-9A-Fa-f]{2}){2,3})\1")

# Bytes after ESC -> (prefix, codec) of a set that takes the place of ASCII until another one is named; its bytes make
# sense only behind the prefix. The yen sign of JIS X 0201 stands where HL7 has its escape sign: it is read as ASCII.
_G0: dict[bytes, tuple[bytes, str] | None] = {
    b"(B": None,
    b"(J": None,
    b"(I": (b"\x1b(I", "iso2022_jp_ext"),
    b"$@": (b"\x1b$@", "iso2022_jp"),
    b"$B": (b"\x1b$B", "iso2022_jp"),
    b"$(D": (b"\x1b$(D", "iso2022_jp_1"),
}
# Bytes after ESC -> codec of a set for the bytes from 0x80 on, beside ASCII.
_G1: dict[bytes, str] = {
    b")I": "shift_jis",
    b"$)A": "gb2312",
    b"$)C": "euc_kr",
    b"-A": "iso8859-1",
    b"-B": "iso8859-2",
    b"-C": "iso8859-3",
    b"-D": "iso8859-4",
    b"-F": "iso8859-7",
    b"-G": "iso8859-6",
    b"-H": "iso8859-8",
    b"-L": "iso8859-5",
    b"-M": "iso8859-9",
    b"-T": "tis_620",
    b"-b": "iso8859-15",
}
_ESCAPES = re.compile(rb"\x1b(" + b"|".join(map(re.escape, sorted({*_G0, *_G1}, key=len, reverse=True))) + rb")")
_SHIFTED = re.compile(rb"\x0e([^\x0f]*)\x0f?")


def with_escapes(body: bytes, sign: bytes) -> bytes:
    """Return a message with the escapes that are written out (``sign`` C 2842 ``sign``) as the bytes that they name."""
    if sign + b"C" not in body and sign + b"M" not in body:
        return body
    return _WRITTEN.sub(
        lambda found: b"\x1b" + bytes.fromhex(found[2].decode()) if found[1] == sign else found[0], body
    )


def has_escapes(body: bytes) -> bool:
    """Tell whether a text switches its character set."""
    return b"\x1b" in body and _ESCAPES.search(body) is not None


def decode(body: bytes, default: str) -> str:
    """Return the text of bytes that switch their character set; `default` is the codec at the beginning of a line.

    Raises UnicodeDecodeError.
    """
    text: list[str] = []
    right = default
    for line in _LINES.split(body):
        if default != "ascii":
            right = default  # else a set that is named once counts for the whole message, as in ISO-2022-KR
        found = _line(line, right)
        text.append(found[0])
        right = found[1]
    return "".join(text)


def _line(line: bytes, right: str) -> tuple[str, str]:
    """Return the text of one line, and the codec that counts for the bytes from 0x80 on at its end."""
    first, *others = _ESCAPES.split(line)
    text = [_piece(first, None, right)]
    left: tuple[bytes, str] | None = None
    for name, piece in zip(others[::2], others[1::2], strict=True):
        if name in _G1:
            right = _G1[name]
        else:
            left = _G0[name]
        text.append(_piece(piece, left, right))
    return "".join(text), right


def _piece(piece: bytes, left: tuple[bytes, str] | None, right: str) -> str:
    if left is not None:
        prefix, codec = left
        return (prefix + piece).decode(codec)
    if b"\x0e" in piece:  # shift out: the set for the bytes from 0x80 on, written with seven bits
        piece = _SHIFTED.sub(lambda found: bytes(byte | 0x80 for byte in found[1]), piece)
    return piece.decode(right)
