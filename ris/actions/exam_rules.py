"""What speaks against an exam for a patient at a time, in words: lead time, age, weight, exams to keep apart.

They bind people, who need the permission to overbook and a reason to book against them. What comes from another system
is never refused for them: the order is marked for attention.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from ris.actions import catalogue
from ris.models import Attention, Exam, ExamGap, Patient, RequestedProcedure, ScheduledProcedureStep, Station
from ris.models.catalog import age_on
from ris.states import NEEDS_PLACE, StepState

_DONE_OR_BOOKED = NEEDS_PLACE - {StepState.NO_SHOW}


@dataclass(frozen=True)
class _Other:
    """Another exam of the same patient, and what keeps the two apart. follows: the other one must not follow ours."""

    name: str
    start: datetime
    gap: ExamGap
    follows: bool


class ExamRules:
    """The rules of one exam for one patient: reads all it needs once, then answers for any time and station."""

    def __init__(self, exam: Exam, patient: Patient, *, besides: RequestedProcedure | None = None) -> None:
        """Read. besides: the procedure itself, whose own steps do not speak against it."""
        self._exam = exam
        self._patient = patient
        self._others = list(_others(exam, patient, besides))

    def against(self, start: datetime, *, station: Station | None = None) -> list[str]:
        """Return the reasons against an aware start, at a station where one is given; nothing where all is well."""
        day = self._day(start, station)
        return [
            *(self._validity(day) if day else ()),
            *self._lead_time(start),
            *(self._age(day) if day else ()),
            *self._weight(station),
            *self._gaps(start),
        ]

    def _day(self, start: datetime, station: Station | None) -> date | None:
        """Return the day of a start by the clock of the station's site; None where no rule asks for it."""
        exam = self._exam
        if not any((exam.valid_from, exam.valid_until, exam.min_age is not None, exam.max_age is not None)):
            return None
        return start.astimezone(station.site.zone if station else timezone.get_current_timezone()).date()

    def _validity(self, day: date) -> Iterator[str]:
        begins, ends = self._exam.valid_from, self._exam.valid_until
        if begins and day < begins:
            yield _("%(exam)s is not done before %(day)s.") % {"exam": self._exam.meaning, "day": date_format(begins)}
        if ends and day > ends:
            yield _("%(exam)s is not done after %(day)s.") % {"exam": self._exam.meaning, "day": date_format(ends)}

    def _lead_time(self, start: datetime) -> Iterator[str]:
        hours = self._exam.lead_time
        if start < timezone.now() + timedelta(hours=hours) and start > timezone.now():
            yield _("The patient needs %d hours to prepare.") % hours

    def _age(self, day: date) -> Iterator[str]:
        if self._patient.birth_date is None:
            return
        age = age_on(day, self._patient.birth_date)
        if self._exam.min_age is not None and age < self._exam.min_age:
            yield _("It is for patients from %(limit)d years on; the patient is %(age)d.") % {
                "limit": self._exam.min_age,
                "age": age,
            }
        if self._exam.max_age is not None and age > self._exam.max_age:
            yield _("It is for patients up to %(limit)d years; the patient is %(age)d.") % {
                "limit": self._exam.max_age,
                "age": age,
            }

    def _weight(self, station: Station | None) -> Iterator[str]:
        weight = self._patient.weight
        if weight is None:
            return
        words = {"weight": f"{weight.normalize():f}"}
        if self._exam.min_weight is not None and weight < self._exam.min_weight:
            words["limit"] = str(self._exam.min_weight)
            yield _("It is for patients from %(limit)s kg on; the patient weighs %(weight)s kg.") % words
        if self._exam.max_weight is not None and weight > self._exam.max_weight:
            words["limit"] = str(self._exam.max_weight)
            yield _("It is for patients up to %(limit)s kg; the patient weighs %(weight)s kg.") % words
        if station is not None and station.max_weight is not None and weight > station.max_weight:
            words |= {"limit": str(station.max_weight), "station": station.name}
            yield _("The table of %(station)s carries %(limit)s kg; the patient weighs %(weight)s kg.") % words

    def _gaps(self, start: datetime) -> Iterator[str]:
        for other in self._others:
            span = other.gap.span
            words: dict[str, Any] = {
                "span": other.gap.span_text,
                "other": other.name,
                "day": date_format(timezone.localtime(other.start)),
                "why": f" ({other.gap.reason})" if other.gap.reason else "",
            }
            if not other.follows and other.start <= start < other.start + span:
                words["free"] = date_format(timezone.localtime(other.start + span), "DATETIME_FORMAT")
                yield _("Not within %(span)s after %(other)s on %(day)s; from %(free)s on%(why)s.") % words
            if other.follows and start <= other.start < start + span:
                yield _("%(other)s is on %(day)s, which must not be within %(span)s after this%(why)s.") % words


def marks(procedure: RequestedProcedure, start: datetime, station: Station | None) -> set[Attention]:
    """Return the mark for an order whose procedure has a place against the rules of its exam; else nothing."""
    exam = procedure.exam
    if exam is None:
        return set()
    broken = ExamRules(exam, procedure.order.patient, besides=procedure).against(start, station=station)
    return {Attention.AGAINST_RULES} if broken else set()


def _others(exam: Exam, patient: Patient, besides: RequestedProcedure | None) -> Iterator[_Other]:
    """Return the patient's exams that a gap of the catalogue keeps apart from this one."""
    gaps = [
        gap
        for gap in catalogue.gaps()
        if exam.pk in (gap.exam_id, gap.after_id) or (gap.after_contrast and gap.after_contrast == exam.contrast_agent)
    ]
    if not gaps:
        return
    steps = ScheduledProcedureStep.objects.filter(
        requested_procedure__order__patient=patient, state__in=_DONE_OR_BOOKED, start__isnull=False
    ).select_related("requested_procedure__exam")
    if besides is not None:
        steps = steps.exclude(requested_procedure=besides)
    for step in steps.order_by("start", "pk"):
        other = step.requested_procedure.exam
        name = other.meaning if other else step.description
        assert step.start is not None
        for gap in gaps:
            if gap.exam_id == exam.pk and _comes_before(gap, other, step.contrast_agent):
                yield _Other(name, step.start, gap, follows=False)
            if other is not None and gap.exam_id == other.pk and _comes_before(gap, exam, exam.contrast_agent):
                yield _Other(name, step.start, gap, follows=True)


def _comes_before(gap: ExamGap, exam: Exam | None, contrast_agent: str) -> bool:
    """Tell whether a gap's exam must not come after this one."""
    if gap.after_contrast:
        return gap.after_contrast == contrast_agent
    return exam is not None and gap.after_id == exam.pk
