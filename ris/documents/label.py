"""Labels and wristbands: a name in its scripts, birth date and sex, and the number as a bar code."""

from collections.abc import Sequence
from io import BytesIO

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from ris import person_name
from ris.documents import codes
from ris.documents.writing import fitting
from ris.models import Order, Patient

LABEL = (89 * mm, 36 * mm)
BAND = (250 * mm, 25 * mm)
EDGE = 3 * mm


def patient_parts(patient: Patient) -> list[str]:
    """Return all texts that a wristband would print."""
    return [*patient.names, patient.patient_id]


def order_parts(order: Order) -> list[str]:
    """Return all texts that a label would print."""
    return [*patient_parts(order.patient), *_exams(order)]


def _exams(order: Order) -> list[str]:
    return [row.exam.meaning if row.exam else row.meaning or row.code for row in order.procedures.all()]


def _who(patient: Patient) -> list[str]:
    """Return the lines about a patient: each name, then birth date, sex and number."""
    names = [text for text in map(person_name.display, patient.names) if text] or [str(patient)]
    born = _("born %s") % date_format(patient.birth_date, "DATE_FORMAT") if patient.birth_date else ""
    facts = " · ".join(filter(None, (born, patient.get_sex_display(), patient.patient_id)))
    return [*names, facts]


def _page(size: tuple[float, float], title: str) -> tuple[BytesIO, Canvas]:
    file = BytesIO()
    canvas = Canvas(file, pagesize=size, invariant=True)
    canvas.setTitle(title)
    return file, canvas


def _lines(canvas: Canvas, x: float, top: float, texts: Sequence[str], size: float, width: float) -> float:
    for text in texts:
        top -= size * 1.25
        fitting(canvas, x, top, text, size, width)
    return top


def wristband(patient: Patient) -> bytes:
    """Return a wristband with the patient number as a bar code, as PDF."""
    file, canvas = _page(BAND, _("Wristband"))
    half = BAND[0] / 2
    _lines(canvas, EDGE, BAND[1] - EDGE, _who(patient), 10, half - 2 * EDGE)
    codes.draw(canvas, half, 6 * mm, patient.patient_id, width=half - EDGE, height=14 * mm)
    fitting(canvas, half + 5 * mm, 2.5 * mm, patient.patient_id, 8, half - 2 * EDGE)
    canvas.save()
    return file.getvalue()


def order_label(order: Order) -> bytes:
    """Return a label with the accession number as a bar code, as PDF."""
    file, canvas = _page(LABEL, _("Label"))
    width = LABEL[0] - 2 * EDGE
    texts = [*_who(order.patient), ", ".join(_exams(order))]
    _lines(canvas, EDGE, LABEL[1] - 1 * mm, texts, 8.5, width)
    codes.draw(canvas, EDGE, 5.5 * mm, order.accession_number, width=width, height=9 * mm)
    fitting(canvas, EDGE, 1.8 * mm, order.accession_number, 8, width)
    canvas.save()
    return file.getvalue()
