"""The waiting list: who wants a place, or an earlier one, and the freed places that were offered to them."""

from typing import Self

from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ris.models.base import Noun
from ris.models.booking import Booking
from ris.models.catalog import Site, Station
from ris.models.order import Priority
from ris.models.step import ScheduledProcedureStep
from ris.states import STEP_MOVES, StepState

CAN_WAIT = STEP_MOVES["book"].sources | STEP_MOVES["move"].sources
"""States of a step that can still get a place, or another one."""
URGENCY = Case(*(When(priority=value, then=Value(rank)) for rank, value in enumerate(Priority.values)))
"""How urgent an entry is, as a number: the lowest first."""


class WaitingState(models.TextChoices):
    """What became of an entry."""

    WAITING = "WAITING", _("waiting")
    SERVED = "SERVED", _("got a place that was offered")
    REMOVED = "REMOVED", _("taken off")
    OVER = "OVER", _("the exam needs no place any more")


class EntryQuerySet(models.QuerySet["WaitingListEntry"]):
    """Ways to find entries."""

    def waiting(self) -> Self:
        """Narrow to those whose step can still get a place, the urgent first, then those that wait longest."""
        found = self.filter(
            state=WaitingState.WAITING, step__state__in=CAN_WAIT, step__requested_procedure__order__on_hold=False
        )
        return found.order_by(URGENCY, "since", "pk")


class WaitingListEntry(Noun):
    """That the patient of a step wants a place, or an earlier one than the step has, and which places would do."""

    step = models.ForeignKey(ScheduledProcedureStep, models.PROTECT, related_name="waiting", verbose_name=_("step"))
    state = models.CharField(
        _("state"), max_length=8, choices=WaitingState, default=WaitingState.WAITING, editable=False
    )
    since = models.DateTimeField(_("since"), default=timezone.now, editable=False)
    priority = models.CharField(_("priority"), max_length=8, choices=Priority, default=Priority.ROUTINE)
    earliest = models.DateField(_("from"), null=True, blank=True, help_text=_("First day that would do; empty: any"))
    latest = models.DateField(_("until"), null=True, blank=True, help_text=_("Last day that would do; empty: any"))
    notice = models.PositiveSmallIntegerField(
        _("hours of notice"), default=2, help_text=_("How long before the time the patient must be told")
    )
    site = models.ForeignKey(
        Site, models.PROTECT, null=True, blank=True, verbose_name=_("site"), help_text=_("Empty: any site")
    )
    # Keys of stations. Empty: any that does the exam.
    stations = models.JSONField(_("stations"), default=list, blank=True)
    phone = models.CharField(
        _("phone"), max_length=80, blank=True, help_text=_("Where and when the patient can be reached for this")
    )
    notes = models.CharField(_("notes"), max_length=250, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True, editable=False)

    objects = EntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("entry of the waiting list")
        verbose_name_plural = _("waiting list")
        ordering = ("since", "pk")
        default_permissions = ("view",)
        permissions = (("keep_waiting_list", _("Can put patients on the waiting list, and take them off")),)
        indexes = (models.Index(fields=("since",), name="waiting_since_idx", condition=Q(state="WAITING")),)
        constraints = (
            models.UniqueConstraint(fields=("step",), condition=Q(state="WAITING"), name="waiting_once_for_each_step"),
            models.CheckConstraint(condition=Q(state__in=WaitingState.values), name="waiting_state_known"),
            models.CheckConstraint(condition=Q(priority__in=Priority.values), name="waiting_priority_known"),
            models.CheckConstraint(
                condition=Q(state="WAITING", ended_at__isnull=True) | ~Q(state="WAITING") & Q(ended_at__isnull=False),
                name="waiting_or_ended",
            ),
            models.CheckConstraint(
                condition=Q(earliest__isnull=True) | Q(latest__isnull=True) | Q(latest__gte=models.F("earliest")),
                name="waiting_days_in_order",
            ),
        )

    def __str__(self) -> str:
        return f"{self.step_id} {self.state}"


class OfferState(models.TextChoices):
    """What became of an offer."""

    OPEN = "OPEN", _("open")
    ACCEPTED = "ACCEPTED", _("accepted")
    DECLINED = "DECLINED", _("declined")
    EXPIRED = "EXPIRED", _("expired")


class OfferQuerySet(models.QuerySet["SlotOffer"]):
    """Ways to find offers."""

    def open(self) -> Self:
        """Narrow to those that nobody has answered."""
        return self.filter(state=OfferState.OPEN)

    def standing(self) -> Self:
        """Narrow to open ones whose time is still free and not too near, of steps that have no earlier place by now."""
        taken = Booking.objects.active().filter(
            resource__station=OuterRef("station"), resource__kind="SCANNER", start__lt=OuterRef("end")
        )
        taken = taken.filter(end__gt=OuterRef("start")).exclude(step=OuterRef("entry__step"))
        is_better = ~Q(entry__step__state=StepState.SCHEDULED) | Q(entry__step__start__gt=F("start"))
        return self.open().filter(
            ~Exists(taken),
            is_better,
            station__active=True,
            expires_at__gt=timezone.now(),
            entry__state=WaitingState.WAITING,
            entry__step__state__in=CAN_WAIT,
            entry__step__requested_procedure__order__on_hold=False,
        )


class SlotOffer(Noun):
    """A freed time of a station that the first on the waiting list who can use it may have.

    Of each time there is one open offer. Who declines lets the next one have it.
    """

    entry = models.ForeignKey(WaitingListEntry, models.PROTECT, related_name="offers", verbose_name=_("entry"))
    station = models.ForeignKey(Station, models.PROTECT, related_name="+", verbose_name=_("station"))
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    state = models.CharField(_("state"), max_length=8, choices=OfferState, default=OfferState.OPEN, editable=False)
    # The step whose time it was.
    freed_by = models.ForeignKey(
        ScheduledProcedureStep, models.PROTECT, related_name="freed", verbose_name=_("freed by")
    )
    made_at = models.DateTimeField(_("made"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), editable=False)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True, editable=False)

    objects = OfferQuerySet.as_manager()

    class Meta:
        verbose_name = _("offer of a freed time")
        verbose_name_plural = _("offers of freed times")
        ordering = ("start", "pk")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("station", "start"), condition=Q(state="OPEN"), name="offer_one_open_of_each_time"
            ),
            models.CheckConstraint(condition=Q(state__in=OfferState.values), name="offer_state_known"),
            models.CheckConstraint(condition=Q(end__gt=models.F("start")), name="offer_ends_after_start"),
            models.CheckConstraint(
                condition=Q(state="OPEN", closed_at__isnull=True) | ~Q(state="OPEN") & Q(closed_at__isnull=False),
                name="offer_open_or_closed",
            ),
        )

    def __str__(self) -> str:
        return f"{self.station_id} {self.start:%Y-%m-%d %H:%M} {self.state}"
