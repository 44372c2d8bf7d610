"""Escape sequences of HL7 v2 (v2.5.1 section 2.7): undone when reading, made when writing."""

import re
from functools import lru_cache
from typing import Protocol


class Marks(Protocol):
    """The delimiters of one message."""

    @property
    def field(self) -> str:
        """Field separator."""

    @property
    def component(self) -> str:
        """Component separator."""

    @property
    def repetition(self) -> str:
        """Repetition separator."""

    @property
    def escape(self) -> str:
        """Escape character."""

    @property
    def subcomponent(self) -> str:
        """Subcomponent separator."""


# Formatting commands (2.7.6) as plain text. Indents carry no words.
_FORMATS = {".br": "\n", ".ce": "\n", ".sp": "\n", ".sk": " ", ".fi": "", ".nf": "", ".in": "", ".ti": ""}
_REPEATED = (".sp", ".sk")


def unescape(value: str, marks: Marks, codec: str) -> str:
    """Return the text that a value stands for. An escape that we do not know is left as it was sent."""
    plain = {"F": marks.field, "S": marks.component, "T": marks.subcomponent, "R": marks.repetition}
    plain |= {"E": marks.escape, "P": "#", "H": "", "N": ""}  # highlighting carries no words

    def undo(match: re.Match[str]) -> str:
        code = match[1]
        if code in plain:
            return plain[code]
        if code[0] == "X":
            return _hexadecimal(code[1:], codec, match[0])
        return _format(code, match[0])

    return _pattern(marks.escape).sub(undo, value)


def escape(value: str, marks: Marks) -> str:
    """Return a text as it is written into a field: delimiters escaped, line breaks as formatting."""
    signs = {marks.escape: "E", marks.field: "F", marks.component: "S", marks.subcomponent: "T"}
    signs[marks.repetition] = "R"
    codes = {sign: f"{marks.escape}{code}{marks.escape}" for sign, code in signs.items()}
    codes |= {"\n": f"{marks.escape}.br{marks.escape}", "\r": ""}
    return "".join(codes.get(character, character) for character in value)


@lru_cache(maxsize=16)
def _pattern(sign: str) -> re.Pattern[str]:
    mark = re.escape(sign)
    return re.compile(rf"{mark}([FSTREPHN]|\.[A-Za-z]{{2}}[+-]?\d{{0,4}}|X(?:[0-9A-Fa-f]{{2}})+){mark}")


def _hexadecimal(digits: str, codec: str, sent: str) -> str:
    data = bytes.fromhex(digits)
    for name in (codec, "utf-8", "cp1252"):
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
    return sent


def _format(code: str, sent: str) -> str:
    """Return a formatting command as plain text: ``.br``, ``.sp3`` (three lines), ``.sk2`` (two blanks), ``.in+4``."""
    command, count = code[:3].lower(), code[3:].lstrip("+-")
    if command not in _FORMATS:
        return sent
    times = min(int(count or 1), 100) if command in _REPEATED else 1
    return _FORMATS[command] * times
