"""Orders (DICOM Imaging Service Requests) and the procedures they ask for."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ris.models.base import Noun
from ris.models.catalog import Exam, Site
from ris.models.patient import Patient
from ris.models.visit import Visit
from ris.states import OrderState


class Priority(models.TextChoices):
    """Requested Procedure Priority (0040,1003) (PS3.3 C.4.11)."""

    STAT = "STAT", _("at once")
    HIGH = "HIGH", _("urgent")
    ROUTINE = "ROUTINE", _("routine")
    MEDIUM = "MEDIUM", _("medium")
    LOW = "LOW", _("low")


class Attention(models.TextChoices):
    """Why a person has to look at an order."""

    UNKNOWN_EXAM = "unknown-exam", _("The catalogue does not know the exam code.")
    NO_MODALITY = "no-modality", _("The modality is not known, so no station can be chosen.")
    NO_STATION = "no-station", _("No station in use does this modality or exam at this site.")
    DOUBLE_BOOKED = "double-booked", _("The station is taken at this time.")
    PATIENT_BUSY = "patient-busy", _("The patient has another exam at this time.")
    AGAINST_RULES = "against-rules", _("The rules of the exam speak against its time.")
    ACCESSION_TAKEN = (
        "accession-taken",
        _("The accession number that was sent is not free or not valid; a new one was made."),
    )
    NUMBER_TAKEN = (
        "number-taken",
        _("A procedure or step ID that was sent is not free or not valid; a new one was made."),
    )
    STUDY_UID_TAKEN = (
        "study-uid-taken",
        _("The study UID that was sent is not free or not valid; a new one was made."),
    )
    VISIT_DISCHARGED = "discharged", _("The patient was discharged while this was open.")
    VISIT_CANCELED = "visit-canceled", _("The visit was cancelled or deleted by the hospital.")
    PATIENT_DELETED = "patient-deleted", _("The hospital has deleted the patient's record.")
    OTHER_PATIENT = "other-patient", _("A scanner has done this under the name or number of another patient.")
    WRONG_ENTRY = "wrong-entry", _("A scanner took this entry by mistake; images may lie under its study.")
    DONE_ANYWAY = "done-anyway", _("A scanner has done this although it was cancelled.")
    OTHER_STUDY = "other-study", _("A scanner has put the images into another study than this one.")
    REPORT_TAKEN_OFF = (
        "report-taken-off",
        _("A scanner's report was taken off this order; look whether its state is right."),
    )
    STEP_UNWANTED = "step-unwanted", _("The sender no longer asks for a step that has begun or is done.")
    NO_NAME = "no-name", _("The patient has no name, so scanners are not shown the exam.")
    BAD_NAME = (
        "bad-name",
        _(
            "The patient's name holds a sign that DICOM does not allow, such as a backslash, "
            "so scanners are not shown the exam."
        ),
    )


class OrderQuerySet(models.QuerySet["Order"]):
    """Ways to find orders."""

    def placed_as(self, issuer: str, number: str) -> Self:
        """Narrow to the order that the placer calls by this number."""
        return self.filter(placer_issuer=issuer, placer_order_number=number)

    def in_need_of_attention(self) -> Self:
        """Narrow to orders that a person has to look at."""
        return self.exclude(attention="")


class Order(Noun):
    """What a referrer asked for under one accession number: one or more requested procedures."""

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="orders", verbose_name=_("patient"))
    visit = models.ForeignKey(
        Visit, models.PROTECT, null=True, blank=True, related_name="orders", verbose_name=_("visit")
    )
    site = models.ForeignKey(Site, models.PROTECT, related_name="orders", verbose_name=_("site"))
    state = models.CharField(
        _("state"), max_length=16, choices=OrderState, default=OrderState.REQUESTED, editable=False
    )
    accession_number = models.CharField(_("accession number"), max_length=16, unique=True)
    accession_issuer = models.CharField(_("its issuer"), max_length=64, blank=True)
    placer_order_number = models.CharField(_("placer order number"), max_length=64, blank=True)
    placer_issuer = models.CharField(_("placer"), max_length=64, blank=True)
    filler_order_number = models.CharField(_("filler order number"), max_length=64, blank=True)
    filler_issuer = models.CharField(_("filler"), max_length=64, blank=True)
    requesting_physician = models.CharField(_("requesting physician"), max_length=64, blank=True)
    referring_physician = models.CharField(_("referring physician"), max_length=64, blank=True)
    requesting_service = models.CharField(_("requesting service"), max_length=64, blank=True)
    callback_phone = models.CharField(_("call back"), max_length=80, blank=True)
    ordered_at = models.DateTimeField(_("ordered"), null=True, blank=True)
    # Replacement and parent as their sender tells them (HL7 ORC-1 RP/RO and PA/CH).
    replaced_by = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="replaces", verbose_name=_("replaced by")
    )
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("part of")
    )
    # Insurance and whatever else its sender wrote, for people to read: {segment, fields: [[place, text]]}.
    sent_along = models.JSONField(_("sent along"), default=list, blank=True, editable=False)
    on_hold = models.BooleanField(_("on hold"), default=False, help_text=_("Hidden from every worklist"))
    attention = models.CharField(
        _("needs attention"),
        max_length=1000,  # all marks at once take a quarter of it
        blank=True,
        editable=False,
        help_text=_("Codes of Attention, one a line"),
    )
    created_at = models.DateTimeField(_("received"), auto_now_add=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ("-pk",)
        indexes = (
            models.Index(fields=("state", "-id"), name="order_state_idx"),
            models.Index(fields=("-id",), name="order_attention_idx", condition=~Q(attention="")),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("placer_issuer", "placer_order_number"),
                condition=~Q(placer_order_number=""),
                name="order_placer_number_unique",
            ),
            models.UniqueConstraint(
                fields=("filler_issuer", "filler_order_number"),
                condition=~Q(filler_order_number=""),
                name="order_filler_number_unique",
            ),
            models.CheckConstraint(condition=~Q(accession_number=""), name="order_accession_not_empty"),
            models.CheckConstraint(condition=Q(state__in=OrderState.values), name="order_state_known"),
            models.CheckConstraint(
                condition=Q(replaced_by__isnull=True) | ~Q(replaced_by=models.F("pk")),
                name="order_not_its_own_successor",
            ),
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=models.F("pk")), name="order_not_its_own_parent"
            ),
        )
        permissions = (
            ("cancel_order", _("Can cancel, discontinue, hold and release orders")),
            ("settle_order", _("Can settle what needs attention")),
        )

    def __str__(self) -> str:
        return self.accession_number

    @property
    def attentions(self) -> list[Attention]:
        """What a person has to settle, as members of Attention."""
        return [Attention(code) for code in self.attention.split()]

    @property
    def filler_number(self) -> tuple[str, str]:
        """The number that we answer with (ORC-3) and its issuer: the filler's, where none came along the accession."""
        return (
            (self.filler_order_number, self.filler_issuer) if self.filler_order_number else (self.accession_number, "")
        )


class RequestedProcedure(Noun):
    """One procedure of an order: what shall be done, as ordered, and as found in the catalogue."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="procedures", verbose_name=_("order"))
    requested_procedure_id = models.CharField(_("requested procedure ID"), max_length=16, unique=True)
    # Not unique: a site may give the procedures of a group case one study (IHE RAD TF, group case).
    study_instance_uid = models.CharField(_("study instance UID"), max_length=64, db_index=True)
    study_start = models.DateTimeField(_("start of the study"), null=True, blank=True, editable=False)
    exam = models.ForeignKey(
        Exam, models.PROTECT, null=True, blank=True, related_name="procedures", verbose_name=_("exam")
    )
    code = models.CharField(_("code as ordered"), max_length=64, blank=True)
    coding_scheme = models.CharField(_("coding scheme"), max_length=16, blank=True)
    meaning = models.CharField(_("name as ordered"), max_length=250, blank=True)
    priority = models.CharField(_("priority"), max_length=8, choices=Priority, default=Priority.ROUTINE)
    reason = models.CharField(_("reason"), max_length=250, blank=True)
    reason_codes = models.JSONField(
        _("codes of the reason"), default=list, blank=True, help_text=_("List of {code, coding_scheme, meaning}")
    )
    diagnosis = models.CharField(_("diagnosis"), max_length=250, blank=True)
    comments = models.TextField(_("comments"), blank=True)
    answers = models.JSONField(
        _("answers"), default=list, blank=True, help_text=_("To the exam's questions: list of {question, answer}")
    )
    transport_arrangements = models.CharField(_("transport"), max_length=64, blank=True)
    intended_recipients = models.CharField(_("results to"), max_length=250, blank=True)

    class Meta:
        verbose_name = _("requested procedure")
        verbose_name_plural = _("requested procedures")
        ordering = ("pk",)
        constraints = (
            models.CheckConstraint(condition=Q(priority__in=Priority.values), name="procedure_priority_known"),
            models.CheckConstraint(condition=~Q(study_instance_uid=""), name="procedure_study_uid_not_empty"),
        )

    def __str__(self) -> str:
        return f"{self.requested_procedure_id} {self.meaning or self.code}"
