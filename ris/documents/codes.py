"""Bar codes of numbers: Code 128 (ISO/IEC 15417), which every hand scanner reads."""

from reportlab.graphics.barcode.code128 import Code128
from reportlab.pdfgen.canvas import Canvas

QUIET = 10
"""Empty modules that Code 128 needs on each side."""
WIDEST = 1.4
NARROWEST = 0.54
"""Points of one module: 0.19 mm is the least that common scanners read."""


def can_be_coded(number: str) -> bool:
    """Tell whether Code 128 has all signs of a number."""
    return bool(number) and number.isascii() and number.isprintable()


def draw(canvas: Canvas, x: float, y: float, number: str, *, width: float, height: float) -> bool:
    """Draw a number as bars within `width` points, quiet zones included; returns False where it does not fit."""
    if not can_be_coded(number):
        return False
    modules = Code128(number, barWidth=1, quiet=0).width + 2 * QUIET
    module = min(width / modules, WIDEST)
    if module < NARROWEST:
        return False
    code = Code128(number, barWidth=module, barHeight=height, quiet=0)
    code.drawOn(canvas, x + QUIET * module, y)
    return True
