"""Closures: exams that were completed by something else than their technologist or scanner, and on what evidence."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ris.models.base import Noun
from ris.models.step import ScheduledProcedureStep
from ris.states import StepState


class Evidence(models.TextChoices):
    """What tells that an exam is over."""

    ARCHIVE = "ARCHIVE", _("its study lies in the archive")
    IDLE = "IDLE", _("nothing was heard of it for long")
    PERSON = "PERSON", _("a person closed it from the list of left-over exams")


class ClosureQuerySet(models.QuerySet["StepClosure"]):
    """Ways to find closures."""

    def standing(self) -> Self:
        """Leave out those that were undone."""
        return self.filter(undone_at__isnull=True)

    def unreported(self) -> Self:
        """Narrow to those that stand and that no scanner's report has borne out."""
        return self.standing().filter(reported_at__isnull=True)


class StepClosure(Noun):
    """That a step was closed on some evidence. An undone one stays: the same evidence does not close it again."""

    step = models.ForeignKey(ScheduledProcedureStep, models.PROTECT, related_name="closures", verbose_name=_("step"))
    evidence = models.CharField(_("evidence"), max_length=8, choices=Evidence)
    words = models.CharField(_("in words"), max_length=250)
    state_before = models.CharField(_("state before"), max_length=16, choices=StepState)
    closed_at = models.DateTimeField(_("closed"), auto_now_add=True)
    undone_at = models.DateTimeField(_("undone"), null=True, blank=True)
    reported_at = models.DateTimeField(
        _("reported"), null=True, blank=True, help_text=_("When a scanner said too that the exam is over")
    )

    objects = ClosureQuerySet.as_manager()

    class Meta:
        verbose_name = _("closure")
        verbose_name_plural = _("closures")
        ordering = ("-pk",)
        default_permissions = ("view",)
        constraints = (
            models.CheckConstraint(condition=Q(evidence__in=Evidence.values), name="closure_evidence_known"),
            models.UniqueConstraint(
                fields=("step",), condition=Q(undone_at__isnull=True), name="closure_one_standing_for_each_step"
            ),
        )

    def __str__(self) -> str:
        return f"{self.step_id} {self.evidence}"


class BulkClosing(Noun):
    """Many left-over exams that a person closes at once; the clock's worker does it, and the page shows how far it is.

    Opening again what another one closed is one as well.

    steps: primary keys, in the order in which they are done. done: how many of them are; refused: how many of these
    were moved on before their turn. actor_name, user, address: who asked for it.
    """

    class Kind(models.TextChoices):
        """What is done with each."""

        COMPLETE = "COMPLETE", _("complete")
        MISS = "MISS", _("did not come")
        REOPEN = "REOPEN", _("open again")

    kind = models.CharField(_("what"), max_length=8, choices=Kind)
    reason = models.CharField(_("why"), max_length=250)
    steps = models.JSONField(_("steps"), default=list)
    done = models.PositiveIntegerField(_("done"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    actor_name = models.CharField(_("who"), max_length=150)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("account")
    )
    address = models.CharField(_("from"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("closing of left-over exams")
        verbose_name_plural = _("closings of left-over exams")
        ordering = ("-pk",)
        default_permissions = ()
        constraints = (
            models.CheckConstraint(condition=Q(kind__in=["COMPLETE", "MISS", "REOPEN"]), name="bulk_kind_known"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.done}/{len(self.steps)}"
