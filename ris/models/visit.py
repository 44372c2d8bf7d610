"""Visits: why and where a patient is in the hospital."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ris.models.base import Noun
from ris.models.patient import Patient


class VisitState(models.TextChoices):
    """Where a visit stands."""

    EXPECTED = "EXPECTED", _("expected")
    ACTIVE = "ACTIVE", _("active")
    DISCHARGED = "DISCHARGED", _("discharged")
    CANCELED = "CANCELED", _("cancelled")
    DELETED = "DELETED", _("deleted by the sender")


class Visit(Noun):
    """One stay or outpatient attendance, by the number that the hospital gave it (PV1-19, else PID-18)."""

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="visits", verbose_name=_("patient"))
    visit_number = models.CharField(_("visit number"), max_length=64)
    issuer = models.CharField(_("issuer"), max_length=64, blank=True)
    state = models.CharField(_("state"), max_length=16, choices=VisitState, default=VisitState.ACTIVE)
    patient_class = models.CharField(
        _("class"), max_length=8, blank=True, help_text=_("HL7 table 0004: I, O, E, P, R, B")
    )
    location = models.CharField(_("location"), max_length=64, blank=True, help_text=_("Ward^room^bed"))
    prior_location = models.CharField(_("location before"), max_length=64, blank=True)
    referring_physician = models.CharField(_("referring physician"), max_length=64, blank=True)
    ambulatory_status = models.CharField(_("ambulatory status"), max_length=16, blank=True)
    admitted_at = models.DateTimeField(_("admitted"), null=True, blank=True)
    discharged_at = models.DateTimeField(_("discharged"), null=True, blank=True)

    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="merged", verbose_name=_("merged into")
    )

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(fields=("issuer", "visit_number"), name="visit_number_unique"),
            models.CheckConstraint(condition=Q(state__in=VisitState.values), name="visit_state_known"),
            models.CheckConstraint(condition=~Q(visit_number=""), name="visit_number_not_empty"),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | ~Q(merged_into=models.F("pk")),
                name="visit_not_merged_into_itself",
            ),
        )

    def __str__(self) -> str:
        return self.visit_number

    def survivor(self) -> "Visit":
        """Return the visit that this one was merged into in the end, or the visit itself."""
        visit = self
        while visit.merged_into is not None:
            visit = visit.merged_into
        return visit
