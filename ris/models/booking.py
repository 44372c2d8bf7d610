"""Bookings: which resource, and which patient, is taken from when to when by which step."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ris.models.base import Noun
from ris.models.patient import Patient
from ris.models.resource import Resource
from ris.models.step import ScheduledProcedureStep


class BookingQuerySet(models.QuerySet["Booking"]):
    """Ways to find bookings."""

    def active(self) -> Self:
        """Narrow to those that take time."""
        return self.filter(active=True)

    def overlapping(self, start: datetime, end: datetime) -> Self:
        """Narrow to those that take some moment of the half-open period [start, end)."""
        return self.filter(start__lt=end, end__gt=start)


class Booking(Noun):
    """A half-open period [start, end) that a step takes of one resource, or of the patient.

    No two active bookings of one resource, or of one patient, overlap, unless one of them is marked as overbooked.
    Migration 0019 has the database hold this: exclusion constraints on PostgreSQL, triggers on SQLite. A step does
    not stand in its own way. Whoever changes this table in a later migration makes SQLite's triggers anew: Django
    copies the table there and leaves them behind.
    """

    step = models.ForeignKey(ScheduledProcedureStep, models.PROTECT, related_name="bookings", verbose_name=_("step"))
    resource = models.ForeignKey(
        Resource,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="bookings",
        verbose_name=_("resource"),
    )
    patient = models.ForeignKey(
        Patient, models.PROTECT, null=True, blank=True, related_name="bookings", verbose_name=_("patient")
    )
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    # A step that is over keeps its bookings as they were, but they take no time any more.
    active = models.BooleanField(_("takes time"), default=True)
    overbooked = models.BooleanField(_("overbooked"), default=False)
    reason = models.CharField(_("why overbooked"), max_length=250, blank=True)

    objects = BookingQuerySet.as_manager()

    class Meta:
        verbose_name = _("booking")
        verbose_name_plural = _("bookings")
        ordering = ("start", "pk")
        default_permissions = ("view",)
        permissions = (("overbook_step", _("Can book a time that is taken, closed or reserved")),)
        indexes = (
            models.Index(fields=("resource", "start", "end"), name="booking_resource_idx", condition=Q(active=True)),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(resource__isnull=True, patient__isnull=False)
                | Q(resource__isnull=False, patient__isnull=True),
                name="booking_of_one",
            ),
            models.CheckConstraint(condition=Q(end__gt=models.F("start")), name="booking_ends_after_start"),
        )

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} {self.resource or ''}"
