"""What happened: one append-only row for each change and each read. Audit trail and, later, outbox in one."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from ris.actor import Actor, ActorKind
from ris.models.order import Order
from ris.models.patient import Patient
from ris.models.statements import insert
from ris.models.step import ScheduledProcedureStep


class EventKind(models.TextChoices):
    """What can happen."""

    PATIENT_REGISTERED = "patient.registered", _("patient registered")
    PATIENT_UPDATED = "patient.updated", _("patient updated")
    PATIENT_IDENTIFIED = "patient.identified", _("patient identifier added")
    PATIENT_RENUMBERED = "patient.renumbered", _("patient number changed")
    PATIENT_NUMBER_MOVED = "patient.number_moved", _("number moved to another patient")
    PATIENT_MERGED = "patient.merged", _("patients merged")
    PATIENT_UNMERGED = "patient.unmerged", _("merge undone")
    PATIENT_LINKED = "patient.linked", _("patients linked")
    PATIENT_UNLINKED = "patient.unlinked", _("patients no longer linked")
    PATIENT_DELETED = "patient.deleted", _("patient's record deleted by the sender")
    PATIENT_RESTORED = "patient.restored", _("patient's record in use again")
    PATIENT_VIEWED = "patient.viewed", _("patient viewed")
    PATIENTS_LISTED = "patient.listed", _("list of patients viewed")
    VISIT_OPENED = "visit.opened", _("visit opened")
    VISIT_UPDATED = "visit.updated", _("visit updated")
    VISIT_TRANSFERRED = "visit.transferred", _("patient transferred")
    VISIT_TRANSFER_CANCELED = "visit.transfer_canceled", _("transfer cancelled")
    VISIT_DISCHARGED = "visit.discharged", _("patient discharged")
    VISIT_DISCHARGE_CANCELED = "visit.discharge_canceled", _("discharge cancelled")
    VISIT_CLASS_CHANGED = "visit.class_changed", _("patient class changed")
    VISIT_DEPARTED = "visit.departed", _("patient left a place")
    VISIT_ARRIVED = "visit.arrived", _("patient arrived at a place")
    VISIT_DEPARTURE_CANCELED = "visit.departure_canceled", _("departure cancelled")
    VISIT_ARRIVAL_CANCELED = "visit.arrival_canceled", _("arrival cancelled")
    VISIT_CANCELED = "visit.canceled", _("visit cancelled")
    VISIT_DELETED = "visit.deleted", _("visit deleted by the sender")
    VISIT_MOVED = "visit.moved", _("visit moved to another patient")
    VISIT_RENUMBERED = "visit.renumbered", _("visit number changed")
    VISIT_MERGED = "visit.merged", _("visits merged")
    ORDER_PLACED = "order.placed", _("order placed")
    ORDER_CHANGED = "order.changed", _("order changed")
    ORDER_CANCELED = "order.canceled", _("order cancelled")
    ORDER_DISCONTINUED = "order.discontinued", _("order discontinued")
    ORDER_REPLACED = "order.replaced", _("order replaced by another one")
    ORDER_LINKED = "order.linked", _("order made part of another one")
    ORDER_HELD = "order.held", _("order put on hold")
    ORDER_RELEASED = "order.released", _("order released")
    ORDER_MARKED = "order.marked", _("order marked for attention")
    ORDER_SETTLED = "order.settled", _("attention settled")
    STEP_BOOKED = "step.booked", _("step booked")
    STEP_MOVED = "step.moved", _("step moved")
    STEP_UNBOOKED = "step.unbooked", _("step taken off the schedule")
    STEP_CHANGED = "step.changed", _("step changed")
    STEP_CANCELED = "step.canceled", _("step cancelled")
    STEP_ARRIVED = "step.arrived", _("patient checked in")
    STEP_READY = "step.ready", _("patient ready")
    STEP_STARTED = "step.started", _("exam started")
    STEP_DEPARTED = "step.departed", _("patient left")
    STEP_COMPLETED = "step.completed", _("exam completed")
    STEP_DISCONTINUED = "step.discontinued", _("exam discontinued")
    STEP_MISSED = "step.missed", _("patient did not come")
    STEP_REOPENED = "step.reopened", _("step put back")
    STEP_HELD_BACK = "step.held_back", _("held back from the worklist")
    STEP_CLEARED = "step.cleared", _("cleared for the worklist")
    STEP_OVERRIDDEN = "step.overridden", _("let through in spite of safety questions")
    WAITING_LISTED = "waiting.listed", _("put on the waiting list")
    WAITING_ENDED = "waiting.ended", _("off the waiting list")
    SLOT_OFFERED = "slot.offered", _("freed time offered")
    SLOT_ACCEPTED = "slot.accepted", _("offered time accepted")
    SLOT_DECLINED = "slot.declined", _("offered time declined")
    SLOT_EXPIRED = "slot.expired", _("offered time expired")
    QUESTION_ANSWERED = "question.answered", _("safety question answered")
    PERFORMED_BEGUN = "performed.begun", _("scanner has begun")
    PERFORMED_UPDATED = "performed.updated", _("scanner tells more")
    PERFORMED_COMPLETED = "performed.completed", _("scanner has finished")
    PERFORMED_DISCONTINUED = "performed.discontinued", _("scanner has stopped")
    PERFORMED_LINKED = "performed.linked", _("performed step linked with the order")
    PERFORMED_UNLINKED = "performed.unlinked", _("performed step taken off the order")
    PERFORMED_SET_ASIDE = "performed.set_aside", _("performed step set aside")
    PERFORMED_RESENT = "performed.resent", _("scanner's report sent to the archive again")
    MESSAGE_REPLAYED = "message.replayed", _("message sent again")
    MESSAGE_DISMISSED = "message.dismissed", _("message dismissed")
    DOCUMENT_PRINTED = "document.printed", _("document printed")
    CATALOG_CHANGED = "catalog.changed", _("catalogue changed")
    MESSAGES_PURGED = "message.purged", _("old messages deleted")
    RECORD_VIEWED = "record.viewed", _("record viewed")
    ACCOUNT_CHANGED = "account.changed", _("account changed")
    SIGNED_IN = "account.signed_in", _("signed in")
    SIGNED_OUT = "account.signed_out", _("signed out")
    SIGN_IN_FAILED = "account.sign_in_failed", _("sign-in failed")
    LOCKED_OUT = "account.locked_out", _("locked out")


_MOST_AT_ONCE = 50  # a statement of a database takes so many values and no more
_waiting: ContextVar["list[Event] | None"] = ContextVar("events waiting to be written", default=None)


@contextmanager
def events_together() -> Iterator[None]:
    """Write the events of the block in one statement at its end, in their order; nothing when it raises.

    The block stands within one transaction, so that events and changes are one still.
    """
    events: list[Event] = []
    token = _waiting.set(events)
    try:
        yield
    finally:
        _waiting.reset(token)
    for first in range(0, len(events), _MOST_AT_ONCE):
        insert(*events[first : first + _MOST_AT_ONCE], keys=False)


def name_of(row: models.Model) -> str:
    """Return what an event calls a row: its name in English, whoever is at the screen."""
    with translation.override("en"):
        return str(row)[:200]


class EventQuerySet(models.QuerySet["Event"]):
    """Writing and finding events."""

    def record(
        self,
        kind: EventKind,
        *,
        by: Actor,
        patient: Patient | None = None,
        order: Order | None = None,
        step: ScheduledProcedureStep | None = None,
        subject: str = "",
        reason: str = "",
        data: dict[str, Any] | None = None,
    ) -> None:
        """Write one event; call it in the transaction of the change that it tells of."""
        event = Event(
            kind=kind,
            patient=patient,
            order=order,
            step=step,
            subject=subject,
            reason=reason,
            data=data or {},
            actor_kind=by.kind,
            actor_name=by.name,
            user_id=by.user_id,
            address=by.address,
            cause=by.cause,
        )
        waiting = _waiting.get()
        if waiting is None:
            insert(event, keys=False)
        else:
            waiting.append(event)


class Event(models.Model):
    """One thing that happened, who did it, when, from where and because of what. Never changed, never deleted."""

    at = models.DateTimeField(_("when"), auto_now_add=True, db_index=True)
    kind = models.CharField(_("what"), max_length=32, choices=EventKind)
    patient = models.ForeignKey(
        Patient, models.PROTECT, null=True, blank=True, related_name="events", verbose_name=_("patient")
    )
    order = models.ForeignKey(
        Order, models.PROTECT, null=True, blank=True, related_name="events", verbose_name=_("order")
    )
    step = models.ForeignKey(
        ScheduledProcedureStep,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="events",
        verbose_name=_("step"),
    )
    subject = models.CharField(_("about"), max_length=100, blank=True, help_text=_('Any other row, as "app.model:id"'))
    reason = models.CharField(_("why"), max_length=250, blank=True)
    data = models.JSONField(_("details"), default=dict, blank=True, encoder=DjangoJSONEncoder)
    actor_kind = models.CharField(_("through"), max_length=8, choices=ActorKind)
    actor_name = models.CharField(_("who"), max_length=150)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("account"),
    )
    address = models.CharField(_("from"), max_length=64, blank=True)
    cause = models.CharField(_("because of"), max_length=64, blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("-pk",)
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("patient", "-id"), name="event_patient_idx"),
            models.Index(fields=("order", "-id"), name="event_order_idx"),
            models.Index(fields=("kind", "-id"), name="event_kind_idx"),
            models.Index(fields=("actor_name", "-id"), name="event_actor_idx"),
            models.Index(fields=("cause",), name="event_cause_idx", condition=~Q(cause="")),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; a row that is already there is never written again (the database refuses it as well)."""
        if not self._state.adding:
            raise TypeError("Events are append-only.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: events are append-only."""
        raise TypeError("Events are append-only.")
