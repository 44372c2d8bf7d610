"""Safety questions: the rules that ask them, the answers, and who let a step through in spite of them."""

from datetime import UTC, datetime, timedelta

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ris.models.base import Noun
from ris.models.catalog import MODALITY, Exam, limits_in_order
from ris.models.examrows import SPANS, Unit, in_words
from ris.models.order import Order
from ris.models.patient import Patient, Sex
from ris.models.step import ScheduledProcedureStep

CLOSED = datetime(1970, 1, 1, tzinfo=UTC)
"""The `gate_until` of a step that is held back: over for ever."""


class Topic(models.TextChoices):
    """What a question is about: it decides which answers there are, and what of the patient's record answers it."""

    IMPLANT = "implant", _("implant or metal")
    KIDNEY = "kidney", _("kidney function")
    ALLERGY = "allergy", _("allergy")
    PREGNANCY = "pregnancy", _("pregnancy")
    WEIGHT = "weight", _("weight")
    OTHER = "other", _("something else")


NUMBERS = (Topic.KIDNEY, Topic.WEIGHT)
"""Topics whose answer is a number; pregnancy has its own list, the others are yes or no."""


class Effect(models.TextChoices):
    """What an open or a positive answer does."""

    HOLD = "hold", _("keep the exam off the worklist")
    TELL = "tell", _("release it and tell the scanner")


class Tells(models.TextChoices):
    """Where the scanner reads of it; pregnancy is told as Pregnancy Status (0010,21C0) besides."""

    ALERTS = "alerts", _("Medical Alerts (0010,2000)")
    NEEDS = "needs", _("Special Needs (0038,0050)")


class ScreeningRule(Noun):
    """A question to be answered before an exam, or before all exams of a modality, and what follows from the answer."""

    question = models.CharField(_("question"), max_length=200)
    topic = models.CharField(_("about"), max_length=16, choices=Topic)
    exam = models.ForeignKey(
        Exam, models.CASCADE, null=True, blank=True, related_name="screening", verbose_name=_("exam")
    )
    modality = models.CharField(
        _("modality"), max_length=16, blank=True, validators=[MODALITY], help_text=_("Either an exam or a modality")
    )
    only_with_contrast = models.BooleanField(_("only with contrast agent"), default=False)
    sex = models.CharField(_("only for"), max_length=1, choices=Sex, blank=True)
    min_age = models.PositiveSmallIntegerField(_("from age (years)"), null=True, blank=True)
    max_age = models.PositiveSmallIntegerField(_("to age (years)"), null=True, blank=True)
    limit = models.DecimalField(
        _("limit"),
        max_digits=7,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("Kidney function: positive below. Weight: positive above; empty: what the station's table carries"),
    )
    valid_for = models.PositiveSmallIntegerField(
        _("valid for"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("How long an answer holds, from the day of a value on; empty: for its order only"),
    )
    unit = models.CharField(_("unit"), max_length=1, choices=Unit, default=Unit.DAYS)
    when_open = models.CharField(_("without an answer"), max_length=4, choices=Effect, default=Effect.HOLD)
    when_positive = models.CharField(_("when positive"), max_length=4, choices=Effect, default=Effect.HOLD)
    tells = models.CharField(_("tell in"), max_length=8, choices=Tells, default=Tells.ALERTS)
    alert = models.CharField(_("words for the scanner"), max_length=40, help_text=_("As “Pacemaker”"))
    rank = models.PositiveSmallIntegerField(_("rank"), default=100, help_text=_("Lower numbers are asked first"))
    active = models.BooleanField(_("in use"), default=True)

    class Meta:
        verbose_name = _("safety question")
        verbose_name_plural = _("safety questions")
        ordering = ("rank", "pk")
        constraints = (
            models.CheckConstraint(
                condition=Q(exam__isnull=False, modality="") | Q(exam__isnull=True) & ~Q(modality=""),
                name="screening_of_exam_or_modality",
                violation_error_message=_("Name either an exam or a modality."),
            ),
            models.CheckConstraint(condition=Q(topic__in=Topic.values), name="screening_topic_known"),
            models.CheckConstraint(condition=Q(sex__in=["", *Sex.values]), name="screening_sex_known"),
            models.CheckConstraint(condition=Q(unit__in=Unit.values), name="screening_unit_known"),
            models.CheckConstraint(
                condition=Q(when_open__in=Effect.values, when_positive__in=Effect.values), name="screening_effect_known"
            ),
            models.CheckConstraint(condition=Q(tells__in=Tells.values), name="screening_tells_known"),
            models.CheckConstraint(
                condition=Q(valid_for__isnull=True) | Q(valid_for__gt=0), name="screening_answer_holds"
            ),
            models.CheckConstraint(
                condition=~Q(topic=Topic.KIDNEY) | Q(limit__isnull=False),
                name="screening_kidney_has_limit",
                violation_error_message=_("Kidney function needs a limit."),
            ),
            limits_in_order("screening", "age"),
        )

    def __str__(self) -> str:
        return self.question

    @property
    def span(self) -> timedelta | None:
        """How long an answer holds; None: for its order."""
        return self.valid_for * SPANS[Unit(self.unit)] if self.valid_for else None

    @property
    def span_text(self) -> str:
        """How long an answer holds, in words."""
        return in_words(self.valid_for, self.unit) if self.valid_for else str(_("this order"))


class ScreeningAnswer(Noun):
    """What somebody answered, when, and how long it holds. A later answer takes its place; none is changed."""

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="answers", verbose_name=_("patient"))
    order = models.ForeignKey(Order, models.PROTECT, related_name="answers", verbose_name=_("order"))
    rule = models.ForeignKey(ScreeningRule, models.PROTECT, related_name="answers", verbose_name=_("question"))
    value = models.CharField(_("answer"), max_length=16, help_text=_("yes, no, a number, or Pregnancy Status"))
    measured_on = models.DateField(_("day of the value"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=250, blank=True)
    answered_by = models.CharField(_("answered by"), max_length=150)
    answered_at = models.DateTimeField(_("answered"), auto_now_add=True)
    expires_at = models.DateTimeField(_("holds until"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("out of date since"), null=True, blank=True)

    class Meta:
        verbose_name = _("answer")
        verbose_name_plural = _("answers")
        ordering = ("-pk",)
        default_permissions = ("view", "add")
        indexes = (models.Index(fields=("patient", "rule", "-id"), name="screening_answer_idx"),)
        constraints = (models.CheckConstraint(condition=~Q(value=""), name="screening_answer_not_empty"),)

    def __str__(self) -> str:
        return f"{self.rule_id}: {self.value}"


class GateOverride(Noun):
    """Somebody let a step through. findings: what was open or positive then, as [rule, "open" or "positive"]."""

    step = models.ForeignKey(
        ScheduledProcedureStep, models.PROTECT, related_name="overrides", verbose_name=_("scheduled procedure step")
    )
    findings = models.JSONField(_("in spite of"), default=list)
    reason = models.CharField(_("why"), max_length=250)
    overridden_by = models.CharField(_("by"), max_length=150)
    overridden_at = models.DateTimeField(_("when"), auto_now_add=True)

    class Meta:
        verbose_name = _("override")
        verbose_name_plural = _("overrides")
        ordering = ("-pk",)
        default_permissions = ("view",)
        constraints = (models.CheckConstraint(condition=~Q(reason=""), name="gate_override_has_reason"),)

    def __str__(self) -> str:
        return self.reason
