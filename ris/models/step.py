"""Scheduled Procedure Steps: what one station is to do with one patient at one time."""

from datetime import UTC, datetime, timedelta
from typing import Self

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from ris.models.base import Noun
from ris.models.catalog import MODALITY, Station
from ris.models.order import RequestedProcedure
from ris.states import NEEDS_PLACE, ON_WORKLIST, StepState


def end_of(start: datetime, duration: int) -> datetime:
    """Return the moment `duration` real minutes after an aware start, in UTC.

    Adding to a local time would add minutes of the wall clock, which a clock change skips or repeats.
    """
    return start.astimezone(UTC) + timedelta(minutes=duration)


class Gate(models.TextChoices):
    """Where a step stands at the safety gate; empty where no safety question applies."""

    OPEN = "OPEN", _("questions are open")
    POSITIVE = "POSITIVE", _("held back for an answer")
    CLEARED = "CLEARED", _("cleared")
    OVERRIDDEN = "OVERRIDDEN", _("let through by a person")


WORKLIST_RULES: dict[str, Q] = {
    "state": Q(state__in=ON_WORKLIST, station__isnull=False, start__isnull=False),
    "hold": Q(requested_procedure__order__on_hold=False),
    "gate": Q(gate_until__isnull=True) | Q(gate_until__gt=Now()) | Q(state=StepState.STARTED),
}
"""What must hold for a step to be on the worklist, by name."""


class StepQuerySet(models.QuerySet["ScheduledProcedureStep"]):
    """Ways to find steps."""

    def on_worklist(self) -> Self:
        """Narrow to what a scanner may see: booked, not yet over, order not on hold, let through by the safety gate.

        What has begun stays, whatever became of the gate.
        """
        return self.filter(*WORKLIST_RULES.values())

    def of_appointment(self, number: str, issuer: str) -> Self:
        """Narrow to the steps that a scheduling system booked under this number."""
        return self.filter(appointment_number=number, appointment_issuer=issuer)

    def overlapping(self, start: datetime, end: datetime) -> Self:
        """Narrow to steps that take place at some moment of the half-open period [start, end)."""
        return self.filter(start__lt=end, end__gt=start)


class ScheduledProcedureStep(Noun):
    """One step of a requested procedure. It waits (REQUESTED) until it has a station and a start."""

    requested_procedure = models.ForeignKey(
        RequestedProcedure, models.PROTECT, related_name="steps", verbose_name=_("requested procedure")
    )
    sps_id = models.CharField(_("step ID"), max_length=16, unique=True)
    state = models.CharField(_("state"), max_length=16, choices=StepState, default=StepState.REQUESTED, editable=False)
    modality = models.CharField(_("modality"), max_length=16, blank=True, validators=[MODALITY])
    description = models.CharField(_("description"), max_length=250, blank=True)
    station = models.ForeignKey(
        Station, models.PROTECT, null=True, blank=True, related_name="steps", verbose_name=_("station")
    )
    # The start may be known (or wished for) before a station is: then the step still waits.
    start = models.DateTimeField(_("start"), null=True, blank=True)
    # `end` is start + duration, kept so that periods can be compared and constrained in the database.
    end = models.DateTimeField(_("end"), null=True, blank=True, editable=False)
    duration = models.PositiveSmallIntegerField(_("duration (min)"), default=15, validators=[MinValueValidator(1)])
    performing_physician = models.CharField(_("performing physician"), max_length=64, blank=True)
    # For the department alone: DICOM has an attribute for the physician, none for who is planned at the scanner.
    technologist = models.CharField(_("technologist"), max_length=64, blank=True)
    protocol_codes = models.JSONField(
        _("protocol codes"), default=list, blank=True, help_text=_("List of {code, coding_scheme, meaning}")
    )
    contrast_agent = models.CharField(_("contrast agent"), max_length=64, blank=True)
    pre_medication = models.CharField(_("pre-medication"), max_length=64, blank=True)
    comments = models.TextField(_("comments"), blank=True)
    appointment_number = models.CharField(_("appointment"), max_length=75, blank=True)
    appointment_issuer = models.CharField(_("made by"), max_length=64, blank=True)
    # What the safety questions came to, kept here so that a scanner's query needs no further table (ris.actions.gate).
    gate = models.CharField(_("safety gate"), max_length=10, choices=Gate, blank=True, editable=False)
    gate_until = models.DateTimeField(
        _("cleared until"), null=True, blank=True, editable=False, help_text=_("Empty: without end")
    )
    gate_alerts = models.CharField(_("medical alerts from questions"), max_length=250, blank=True, editable=False)
    gate_needs = models.CharField(_("special needs from questions"), max_length=64, blank=True, editable=False)
    gate_pregnancy = models.PositiveSmallIntegerField(_("pregnancy from questions"), null=True, editable=False)

    objects = StepQuerySet.as_manager()

    class Meta:
        verbose_name = _("scheduled procedure step")
        verbose_name_plural = _("scheduled procedure steps")
        ordering = ("start", "pk")
        indexes = (
            models.Index(fields=("station", "start"), name="step_station_start_idx"),
            models.Index(fields=("start", "modality"), name="step_start_modality_idx"),
            models.Index(fields=("state", "start"), name="step_state_start_idx"),
            models.Index(
                fields=("appointment_number",), name="step_appointment_idx", condition=~Q(appointment_number="")
            ),
        )
        constraints = (
            models.CheckConstraint(condition=Q(state__in=StepState.values), name="step_state_known"),
            models.CheckConstraint(
                condition=~Q(state__in=sorted(NEEDS_PLACE)) | Q(station__isnull=False, start__isnull=False),
                name="step_has_place_when_scheduled",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=sorted(NEEDS_PLACE)) | ~Q(modality=""),
                name="step_has_modality_when_scheduled",
            ),
            models.CheckConstraint(
                condition=Q(start__isnull=True, end__isnull=True) | Q(end__gt=models.F("start")),
                name="step_ends_after_start",
            ),
            models.CheckConstraint(condition=~Q(sps_id=""), name="step_id_not_empty"),
            models.CheckConstraint(condition=Q(gate__in=["", *Gate.values]), name="step_gate_known"),
            models.CheckConstraint(
                condition=~Q(gate__in=(Gate.OPEN, Gate.POSITIVE)) | Q(gate_until__isnull=False), name="step_gate_shut"
            ),
        )
        permissions = (
            ("book_step", _("Can book, move and unbook steps")),
            ("check_in_step", _("Can check patients in and mark no-shows")),
            ("perform_step", _("Can start, complete and discontinue steps")),
            ("view_worklist", _("Can see the worklist of a station")),
            ("override_gate", _("Can let a step through in spite of safety questions")),
        )

    def __str__(self) -> str:
        return self.sps_id

    def derive(self) -> None:
        """Keep the end in step with start and duration."""
        self.end = end_of(self.start, self.duration) if self.start else None

    def _derived_fields(self, changed: set[str]) -> set[str]:
        return {"end"} if changed & {"start", "duration"} else set()
