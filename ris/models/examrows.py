"""Rows below an exam of the catalogue: preparation by language, exams to keep apart from, questions."""

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ris.models.base import Noun
from ris.models.catalog import Exam

LANGUAGE = RegexValidator(r"^[a-z]{2,3}$", _("A language of two or three small letters (ISO 639), as de."))


class ExamPreparation(Noun):
    """How a patient prepares for an exam, in one language."""

    exam = models.ForeignKey(Exam, models.CASCADE, related_name="preparations", verbose_name=_("exam"))
    language = models.CharField(_("language"), max_length=3, validators=[LANGUAGE], help_text=_("ISO 639, as de"))
    text = models.TextField(_("text"))

    class Meta:
        verbose_name = _("preparation text")
        verbose_name_plural = _("preparation texts")
        ordering = ("exam", "language")
        constraints = (models.UniqueConstraint(fields=("exam", "language"), name="exam_preparation_once_a_language"),)

    def __str__(self) -> str:
        return self.language


def preparation_for(exam: Exam, language: str) -> str:
    """Return the preparation text of an exam in a patient's language (PID-15, RFC 5646), else the common one.

    Uses prefetched preparations where the caller asked for them.
    """
    wanted = language.strip().lower().replace("_", "-").partition("-")[0]
    found = {row.language: row.text for row in exam.preparations.all()}
    return found.get(wanted, exam.preparation)


class Unit(models.TextChoices):
    """In what a gap between two exams is counted."""

    HOURS = "h", _("hours")
    DAYS = "d", _("days")
    WEEKS = "w", _("weeks")


SPANS = {Unit.HOURS: timedelta(hours=1), Unit.DAYS: timedelta(days=1), Unit.WEEKS: timedelta(weeks=1)}


class ExamGap(Noun):
    """An exam must not come within a time after another one, or after any with a contrast agent.

    So the other one must not come before it within this time either: one row says both.
    """

    exam = models.ForeignKey(Exam, models.CASCADE, related_name="gaps", verbose_name=_("exam"))
    after = models.ForeignKey(
        Exam, models.PROTECT, null=True, blank=True, related_name="gaps_before", verbose_name=_("not after exam")
    )
    after_contrast = models.CharField(
        _("not after contrast agent"), max_length=64, blank=True, help_text=_("As the exams name it; one of the two")
    )
    length = models.PositiveSmallIntegerField(_("for"), validators=[MinValueValidator(1)])
    unit = models.CharField(_("unit"), max_length=1, choices=Unit, default=Unit.DAYS)
    reason = models.CharField(_("why"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("exam to keep apart from")
        verbose_name_plural = _("exams to keep apart from")
        ordering = ("exam", "pk")
        constraints = (
            models.UniqueConstraint(fields=("exam", "after"), name="exam_gap_once_an_exam"),
            models.UniqueConstraint(
                fields=("exam", "after_contrast"), condition=~Q(after_contrast=""), name="exam_gap_once_a_contrast"
            ),
            models.CheckConstraint(
                condition=Q(after__isnull=False, after_contrast="") | Q(after__isnull=True) & ~Q(after_contrast=""),
                name="exam_gap_after_one_thing",
                violation_error_message=_("Name either an exam or a contrast agent."),
            ),
            models.CheckConstraint(condition=Q(length__gt=0), name="exam_gap_has_length"),
            models.CheckConstraint(condition=Q(unit__in=Unit.values), name="exam_gap_unit_known"),
        )

    def __str__(self) -> str:
        return f"{self.span_text} ≥ {self.after or self.after_contrast}"

    @property
    def span(self) -> timedelta:
        """How long the two have to be apart."""
        return self.length * SPANS[Unit(self.unit)]

    @property
    def span_text(self) -> str:
        """How long, in words."""
        return in_words(self.length, self.unit)


def in_words(length: int, unit: str) -> str:
    """Return a number of hours, days or weeks in words."""
    words = {
        Unit.HOURS: ngettext("%d hour", "%d hours", length),
        Unit.DAYS: ngettext("%d day", "%d days", length),
        Unit.WEEKS: ngettext("%d week", "%d weeks", length),
    }
    return words[Unit(unit)] % length


class QuestionKind(models.TextChoices):
    """What kind of answer a question takes."""

    YES_NO = "yesno", _("yes or no")
    TEXT = "text", _("text")
    NUMBER = "number", _("number")
    DATE = "date", _("date")
    SIDE = "side", _("side")
    CHOICE = "choice", _("one of a list")


class ExamQuestion(Noun):
    """A question that is asked when the exam is ordered."""

    exam = models.ForeignKey(Exam, models.CASCADE, related_name="questions", verbose_name=_("exam"))
    number = models.PositiveSmallIntegerField(_("number"), default=1)
    text = models.CharField(_("question"), max_length=200)
    kind = models.CharField(_("kind of answer"), max_length=8, choices=QuestionKind, default=QuestionKind.YES_NO)
    choices = models.CharField(
        _("choices"), max_length=250, blank=True, help_text=_("For “one of a list”, with ; between them")
    )
    required = models.BooleanField(_("required"), default=False)

    class Meta:
        verbose_name = _("question when ordering")
        verbose_name_plural = _("questions when ordering")
        ordering = ("exam", "number", "pk")
        constraints = (
            models.UniqueConstraint(fields=("exam", "number"), name="exam_question_number_unique"),
            models.CheckConstraint(condition=~Q(text=""), name="exam_question_not_empty"),
            models.CheckConstraint(condition=Q(kind__in=QuestionKind.values), name="exam_question_kind_known"),
            models.CheckConstraint(
                condition=Q(kind=QuestionKind.CHOICE) & ~Q(choices="") | ~Q(kind=QuestionKind.CHOICE) & Q(choices=""),
                name="exam_question_choices_where_needed",
                violation_error_message=_("“One of a list” needs choices, and only that."),
            ),
        )

    def __str__(self) -> str:
        return self.text

    def clean(self) -> None:
        """Refuse a list of one."""
        if self.kind == QuestionKind.CHOICE and len(self.options) < 2:
            raise ValidationError({"choices": _("At least two choices, with ; between them.")})

    @property
    def options(self) -> list[str]:
        """The choices of a list, without blanks around them."""
        return [option.strip() for option in self.choices.split(";") if option.strip()]
