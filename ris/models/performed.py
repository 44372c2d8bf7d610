"""Performed Procedure Steps: what a scanner says that it did (DICOM MPPS), and the scheduled steps that this was."""

from datetime import date
from typing import Self

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

from ris import person_name
from ris.models.base import Noun
from ris.models.catalog import Station
from ris.models.order import Order
from ris.models.step import ScheduledProcedureStep
from ris.states import PerformedState, StepState


class LinkedBy(models.TextChoices):
    """What a performed step was linked with its scheduled one by."""

    SPS_ID = "SPS_ID", _("step ID")
    ACCESSION = "ACCESSION", _("accession number")
    STUDY_UID = "STUDY_UID", _("study UID")
    PERSON = "PERSON", _("a person")


class PerformedQuerySet(models.QuerySet["PerformedProcedureStep"]):
    """Ways to find performed steps."""

    def linked(self) -> Self:
        """Narrow to those that belong to a scheduled step."""
        return self.filter(Exists(PerformedLink.objects.active().filter(performed=OuterRef("pk"))))

    def waiting(self) -> Self:
        """Narrow to those that a person has to link with an order, or with one more, or to set aside."""
        links = PerformedLink.objects.active().filter(performed=OuterRef("pk"))
        known = Subquery(links.order_by().values("performed").annotate(known=Count("pk")).values("known"))
        return self.filter(~Exists(links) | Q(steps_meant__gt=1) & Q(steps_meant__gt=known), set_aside="")

    def of_order(self, order: Order) -> Self:
        """Narrow to what was performed for an order."""
        links = PerformedLink.objects.active().filter(step__requested_procedure__order=order)
        return self.filter(pk__in=links.values("performed"))


class PerformedProcedureStep(Noun):
    """One Modality Performed Procedure Step (PS3.3 B.17.2), as its scanner has last described it.

    Whose it is follows from the orders that it is linked with: so a merge of patients moves it, and its undoing moves
    it back. What the scanner itself says of the patient is kept in `said`, for comparison only.
    """

    sop_instance_uid = models.CharField(_("SOP instance UID"), max_length=64, unique=True)
    state = models.CharField(
        _("state"), max_length=16, choices=PerformedState, default=PerformedState.IN_PROGRESS, editable=False
    )
    pps_id = models.CharField(_("performed step ID"), max_length=16)
    station = models.ForeignKey(
        Station, models.PROTECT, null=True, blank=True, related_name="performed", verbose_name=_("station")
    )
    station_ae_title = models.CharField(_("AE title"), max_length=16)
    modality = models.CharField(_("modality"), max_length=16)
    study_instance_uid = models.CharField(_("study instance UID"), max_length=64, blank=True)
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"), null=True, blank=True)
    description = models.CharField(_("description"), max_length=64, blank=True)
    discontinuation_code = models.CharField(_("reason code"), max_length=16, blank=True)
    discontinuation_reason = models.CharField(_("reason"), max_length=64, blank=True)
    items = models.JSONField(
        _("scheduled step attributes"), default=list, blank=True, help_text=_("Identifiers of the steps that it names")
    )
    steps_meant = models.PositiveSmallIntegerField(
        _("exams"), default=1, editable=False, help_text=_("How many it names, known here or not")
    )
    said = models.JSONField(_("patient as the scanner says"), default=dict, blank=True)
    series = models.JSONField(_("series"), default=list, blank=True)
    supplies = models.JSONField(_("consumables and billing codes"), default=list, blank=True)
    dose_area_product = models.FloatField(
        _("dose area product (dGy·cm²)"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    entrance_dose = models.FloatField(
        _("entrance dose (mGy)"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    fluoroscopy_time = models.FloatField(
        _("fluoroscopy time (s)"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    exposures = models.PositiveIntegerField(_("exposures"), null=True, blank=True)
    content = models.JSONField(
        _("data set"), default=dict, blank=True, help_text=_("All attributes, as PS3.18 annex F writes them")
    )
    doubts = models.JSONField(
        _("doubts"), default=list, blank=True, help_text=_("What the scanner left out or contradicted")
    )
    set_aside = models.CharField(_("set aside"), max_length=250, blank=True, help_text=_("Why it needs no order"))
    created_at = models.DateTimeField(_("first told"), auto_now_add=True)

    objects = PerformedQuerySet.as_manager()

    class Meta:
        verbose_name = _("performed procedure step")
        verbose_name_plural = _("performed procedure steps")
        ordering = ("-pk",)
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("study_instance_uid",), name="performed_study_idx"),
            models.Index(fields=("state", "-id"), name="performed_state_idx"),
            models.Index(fields=("-start",), name="performed_start_idx"),
        )
        constraints = (
            models.CheckConstraint(condition=Q(state__in=PerformedState.values), name="performed_state_known"),
            models.CheckConstraint(condition=~Q(sop_instance_uid=""), name="performed_uid_not_empty"),
        )
        permissions = (("link_performedprocedurestep", _("Can link what scanners have done with orders")),)

    def __str__(self) -> str:
        return f"{self.station_ae_title} {self.pps_id}"

    @property
    def patient_name(self) -> str:
        """The patient's name as the scanner says it, for people."""
        return person_name.display(str(self.said.get("name", "")).partition("=")[0])

    @property
    def said_birth_date(self) -> date | None:
        """The birth date that the scanner says; None where it says none."""
        return parse_date(str(self.said.get("birth_date", "")))

    @property
    def images(self) -> int:
        """How many images its series hold."""
        return sum(int(one.get("images", 0)) for one in self.series)


class LinkQuerySet(models.QuerySet["PerformedLink"]):
    """Ways to find links."""

    def active(self) -> Self:
        """Leave out links that were undone."""
        return self.filter(undone_at__isnull=True)


class PerformedLink(Noun):
    """That a performed step was this scheduled one. One for each pair; an undone one stays as history.

    state_before: where the step stood before. study_uid_before: the Study Instance UID of its procedure before that
    took the one of the performed step, if it did.
    """

    performed = models.ForeignKey(
        PerformedProcedureStep, models.PROTECT, related_name="links", verbose_name=_("performed step")
    )
    step = models.ForeignKey(
        ScheduledProcedureStep, models.PROTECT, related_name="performances", verbose_name=_("step")
    )
    linked_by = models.CharField(_("linked by"), max_length=16, choices=LinkedBy)
    linked_at = models.DateTimeField(_("linked"), auto_now_add=True)
    state_before = models.CharField(_("state before"), max_length=16, choices=StepState)
    study_uid_before = models.CharField(_("study UID before"), max_length=64, blank=True, db_index=True)
    undone_at = models.DateTimeField(_("undone"), null=True, blank=True)

    objects = LinkQuerySet.as_manager()

    class Meta:
        verbose_name = _("link with a step")
        verbose_name_plural = _("links with steps")
        ordering = ("pk",)
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("performed", "step"), condition=Q(undone_at__isnull=True), name="performed_link_once"
            ),
            models.CheckConstraint(condition=Q(linked_by__in=LinkedBy.values), name="performed_link_by_known"),
        )

    def __str__(self) -> str:
        return f"{self.performed_id} – {self.step_id}"
