"""The appointment letter: who, what, when, where, how to prepare, in the patient's language where we have it."""

from collections.abc import Sequence
from datetime import date
from io import BytesIO

from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from ris import person_name
from ris.documents import codes
from ris.documents.language import language_of, long_date
from ris.documents.writing import fitting, line, paragraph
from ris.models import Order, Patient, ScheduledProcedureStep
from ris.models.examrows import preparation_for
from ris.models.step import end_of

LEFT, RIGHT = 25 * mm, 20 * mm
WIDTH = A4[0] - LEFT - RIGHT
TEXT, SMALL, LARGE = 11, 9, 15
FOOT = 25 * mm


def parts(order: Order, steps: Sequence[ScheduledProcedureStep]) -> list[str]:
    """Return all texts that the letter would print, to ask whether they can be."""
    patient = order.patient
    rows = [text for step in steps for text in (step.description, _where(step), _preparation(step, patient))]
    return [order.site.name, order.site.phone, *patient.names, patient.address, *rows]


def make(order: Order, steps: Sequence[ScheduledProcedureStep], today: date) -> bytes:
    """Return the letter for the booked steps of an order, in their order of time, as PDF."""
    with translation.override(language_of(order.patient)):
        return _Letter(order).write(steps, today)


def _where(step: ScheduledProcedureStep) -> str:
    station = step.station
    return ", ".join(filter(None, (station.site.name, station.location, station.name))) if station else ""


def _preparation(step: ScheduledProcedureStep, patient: Patient) -> str:
    exam = step.requested_procedure.exam
    return preparation_for(exam, patient.primary_language) if exam else ""


class _Letter:
    """One letter on its way to paper; `y` is where the next line stands."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.file = BytesIO()
        self.canvas = Canvas(self.file, pagesize=A4, invariant=True)
        self.canvas.setTitle(_("Appointment letter"))
        self.y = A4[1] - 25 * mm

    def write(self, steps: Sequence[ScheduledProcedureStep], today: date) -> bytes:
        patient = self.order.patient
        site = self.order.site
        self._line(site.name, LARGE, gap=0 if site.phone else 10)
        self._line(_("Phone %s") % site.phone if site.phone else "", gap=10)
        for name in filter(None, map(person_name.display, patient.names)):
            self._line(name)
        self._paragraph(patient.address, gap=6)
        self._line(date_format(today, long_date()), SMALL, gap=8)
        self._line(_("Your appointment"), LARGE, gap=4)
        for step in steps:
            self._step(step)
        self._preparations(steps)
        self._closing()
        self.canvas.save()
        return self.file.getvalue()

    def _step(self, step: ScheduledProcedureStep) -> None:
        assert step.start
        assert step.station
        zone = step.station.site.zone
        begin, end = step.start.astimezone(zone), end_of(step.start, step.duration).astimezone(zone)
        said = {
            "day": f"{date_format(begin, 'l')}, {date_format(begin, long_date())}",
            "hour": date_format(begin, "H:i"),
            "end": date_format(end, "H:i"),
        }
        self._line(_("%(day)s at %(hour)s (until about %(end)s)") % said, TEXT + 1)
        self._line(step.description)
        self._line(_where(step), gap=5)

    def _preparations(self, steps: Sequence[ScheduledProcedureStep]) -> None:
        texts = dict.fromkeys(filter(None, (_preparation(step, self.order.patient) for step in steps)))
        if texts:
            self._line(_("How to prepare"), LARGE, gap=3)
        for text in texts:
            self._paragraph(text, gap=4)

    def _closing(self) -> None:
        phone = self.order.site.phone
        asked = (
            _("Please bring this letter. If you cannot come, call us as early as you can: %s.") % phone
            if phone
            else _("Please bring this letter. If you cannot come, tell us as early as you can.")
        )
        self._paragraph(asked, gap=6)
        self._room(25 * mm)
        number = self.order.accession_number
        codes.draw(self.canvas, LEFT, self.y - 14 * mm, number, width=80 * mm, height=12 * mm)
        self.y -= 18 * mm
        said = _("Order %(order)s, patient %(patient)s")
        self._line(said % {"order": number, "patient": self.order.patient.patient_id}, SMALL)

    def _line(self, text: str, size: float = TEXT, gap: float = 0) -> None:
        if text:
            self._room(size)
            fitting(self.canvas, LEFT, self.y, text, size, WIDTH)
            self.y -= size * 1.35 + gap * mm

    def _paragraph(self, text: str, gap: float = 0) -> None:
        for row in text.splitlines():
            self._room(3 * TEXT)
            self.y = paragraph(self.canvas, LEFT, self.y, row, TEXT, WIDTH)
        self.y -= gap * mm if text else 0

    def _room(self, height: float) -> None:
        """Begin a new page where this one has not so much height left."""
        if self.y - height < FOOT:
            line(self.canvas, LEFT, FOOT / 2, self.order.accession_number, SMALL)
            self.canvas.showPage()
            self.y = A4[1] - 25 * mm
