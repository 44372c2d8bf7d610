"""Write text of any script into a PDF: which font has which sign, joined letters, the order of reading.

Fonts are looked through in their order; a sign that none of them has is never printed as a box in silence: ask
`unprintable` first.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from bidi import get_display
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont, shapeStr
from reportlab.pdfgen.canvas import Canvas

FONTS = (
    "DejaVuSans",  # Latin, Greek, Cyrillic, Hebrew, Arabic, Armenian, Georgian
    "DroidSansFallbackFull",  # Chinese, Japanese
    "NanumGothicCoding",  # Korean
    "NotoSansThai-Regular",
    "NotoSansDevanagari-Regular",
)
FOLDER = Path(__file__).parent / "fonts"
_LEADING = 1.35
_RIGHT_TO_LEFT = ("R", "AL")


@cache
def _fonts() -> tuple[tuple[str, frozenset[int]], ...]:
    """Register the fonts once a process; return each with the signs that it has."""
    fonts = [(name, TTFont(name, FOLDER / f"{name}.ttf")) for name in FONTS]
    for _name, font in fonts:
        pdfmetrics.registerFont(font)
    return tuple((name, frozenset(font.face.charToGlyph)) for name, font in fonts)


@cache
def font_of(sign: str) -> str:
    """Return the first font that has a sign; empty where none has. Signs without a shape are in every font."""
    if unicodedata.category(sign) in ("Cf", "Zs"):
        return FONTS[0]
    return next((name for name, signs in _fonts() if ord(sign) in signs), "")


def unprintable(text: str) -> str:
    """Return the signs of a text that no font has, each once."""
    return "".join(dict.fromkeys(sign for sign in text if not sign.isspace() and not font_of(sign)))


def is_right_to_left(text: str) -> bool:
    """Tell whether a text is read from right to left, by its first letter (Unicode UAX 9, P2 and P3)."""
    directions = (unicodedata.bidirectional(sign) for sign in text)
    return next((way in _RIGHT_TO_LEFT for way in directions if way in ("L", *_RIGHT_TO_LEFT)), False)


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Return the pieces of one line as they stand from left to right, each with its font, letters in reading order."""
    shown = str(get_display(text, base_dir="R" if is_right_to_left(text) else "L"))
    for key, signs in groupby(shown, _piece_of):
        font, backwards = key
        piece = "".join(signs)
        yield font or FONTS[0], piece[::-1] if backwards else piece


def _piece_of(sign: str) -> tuple[str, bool]:
    return font_of(sign), unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT


def _shaped(text: str, size: float) -> list[tuple[str, Any, float]]:
    pieces = []
    for font, piece in _pieces(text):
        shaped = shapeStr(piece, font, size) if any(map(_joins, piece)) else piece
        data = getattr(shaped, "__shapeData__", None)
        width = sum(one.x_advance for one in data) * size / 1000 if data else pdfmetrics.stringWidth(piece, font, size)
        pieces.append((font, shaped, width))
    return pieces


def _joins(sign: str) -> bool:
    """Tell whether the shape of a sign depends on its neighbours. Latin letters need no such care, nor ligatures."""
    return unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT or unicodedata.category(sign) in ("Mn", "Mc")


def width_of(text: str, size: float) -> float:
    """Return how wide one line is, in points."""
    _fonts()
    return sum(width for _font, _piece, width in _shaped(text, size))


def line(canvas: Canvas, x: float, y: float, text: str, size: float) -> None:
    """Write one line that begins at x, its foot at y."""
    _fonts()
    for font, piece, width in _shaped(text, size):
        canvas.setFont(font, size)
        canvas.drawString(x, y, piece)
        x += width


def fitting(canvas: Canvas, x: float, y: float, text: str, size: float, width: float, least: float = 6) -> None:
    """Write one line, smaller where it would be wider than `width`; what is too wide even so ends in an ellipsis."""
    while size > least and width_of(text, size) > width:
        size -= 0.5
    if width_of(text, size) > width:
        while text and width_of(text + "…", size) > width:
            text = text[:-1]
        text += "…"
    line(canvas, x, y, text, size)


def wrapped(text: str, size: float, width: float) -> list[str]:
    """Return the lines of a text that is at most `width` points wide; a word that is wider is broken."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        now = ""
        for word in paragraph.split(" "):
            longer = f"{now} {word}".strip()
            if now and width_of(longer, size) > width:
                lines.append(now)
                longer = word
            while width_of(longer, size) > width and len(longer) > 1:
                cut = next(n for n in range(len(longer) - 1, 0, -1) if n == 1 or width_of(longer[:n], size) <= width)
                lines.append(longer[:cut])
                longer = longer[cut:]
            now = longer
        lines.append(now)
    return lines


def paragraph(canvas: Canvas, x: float, y: float, text: str, size: float, width: float) -> float:
    """Write a text in lines from y downwards; returns where the next line would stand.

    Lines that are read from right to left end at the right edge.
    """
    for row in wrapped(text, size, width):
        left = x + width - width_of(row, size) if is_right_to_left(row) else x
        line(canvas, left, y, row, size)
        y -= size * _LEADING
    return y
