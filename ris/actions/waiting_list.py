"""Keep the waiting list: put on, take off, and answer the offers of freed times."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from ris.actions import freed, schedule
from ris.actions.freed import Slot
from ris.actions.placement import How
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import ForbiddenMove, InvalidValue, OfferClosed
from ris.models import (
    Event,
    EventKind,
    OfferState,
    ScheduledProcedureStep,
    SlotOffer,
    Station,
    WaitingListEntry,
    WaitingState,
)
from ris.models.waiting_list import CAN_WAIT


@verb
def put_on(*, by: Actor, step: ScheduledProcedureStep, reason: str = "", **wishes: Any) -> WaitingListEntry:
    """Put a step on the waiting list, or change what it waits for when it is there; returns the entry.

    Offers that no longer fit what it waits for go to the next; what was given up before and is free still is offered
    again. wishes: columns of WaitingListEntry. Raises ForbiddenMove for a step that needs no place, InvalidValue.
    """
    step = _locked(step)
    if step.state not in CAN_WAIT or not step.modality:
        raise ForbiddenMove(_("The exam cannot get another place any more."), field="step")
    earliest, latest = wishes.get("earliest"), wishes.get("latest")
    if earliest and latest and latest < earliest:
        raise InvalidValue(_("The last day is before the first one."), field="latest")
    entry = WaitingListEntry.objects.filter(step=step, state=WaitingState.WAITING).first()
    if entry is None:
        entry = WaitingListEntry.new(step=step, **wishes)
        diff = {name: [None, _plain(value)] for name, value in wishes.items() if value not in (None, "", [])}
    else:
        diff = entry.change(**wishes)
        if not diff:
            return entry
    _tell(EventKind.WAITING_LISTED, entry, step, by=by, reason=reason, diff=diff)
    for offer in _with_step(entry.offers.open()):
        if not freed.suits(offer) and _close(offer, OfferState.EXPIRED, EventKind.SLOT_EXPIRED, by=by, reason=reason):
            _pass_on(offer, by=by)
    freed.look_again(entry, by=by)
    return entry


@verb
def take_off(*, by: Actor, entry: WaitingListEntry, reason: str = "") -> None:
    """Take an entry off the list; what was offered to it goes to the next. One that is off already stays so."""
    step = _locked(entry.step)
    _end(entry, step, WaitingState.REMOVED, by=by, reason=reason)


@verb
def accept(*, by: Actor, offer: SlotOffer, reason: str = "") -> ScheduledProcedureStep:
    """Give the step of an open offer the time that was offered, by the rules of every booking; returns the step.

    It goes off the list; what else was offered to it, and the time that it had, go to the next. Raises OfferClosed
    when somebody has answered it or the time was taken, and what `schedule.book` raises.
    """
    step = _locked(offer.entry.step)
    stands = SlotOffer.objects.standing().filter(pk=offer.pk).exists()
    if not stands or not _close(offer, OfferState.ACCEPTED, EventKind.SLOT_ACCEPTED, by=by, reason=reason):
        raise OfferClosed
    _end(offer.entry, step, WaitingState.SERVED, by=by, reason=reason)
    schedule.place(
        by=by, step=step, start=offer.start, station=offer.station, duration=None, how=How.ASKED, reason=reason
    )
    return step


@verb
def decline(*, by: Actor, offer: SlotOffer, reason: str = "") -> SlotOffer | None:
    """Note that a patient does not want an offered time; returns the offer to the next one, if there is any.

    The patient is offered another time, where one was given up before and is free still.

    Raises OfferClosed.
    """
    _locked(offer.entry.step)
    if not _close(offer, OfferState.DECLINED, EventKind.SLOT_DECLINED, by=by, reason=reason):
        raise OfferClosed
    following = _pass_on(offer, by=by)
    freed.look_again(offer.entry, by=by)
    return following


def tidy(*, by: Actor) -> int:
    """Close offers whose time is near, over or taken, and entries of exams that need no place; returns how many.

    Each in a transaction of its own. A time that is free still is offered to the next.
    """
    done = 0
    standing = SlotOffer.objects.standing().values("pk")
    for offer in _with_step(SlotOffer.objects.open().exclude(pk__in=standing)):
        with transaction.atomic():
            done += expire(by=by, offer=offer)
    waiting = WaitingListEntry.objects.filter(state=WaitingState.WAITING).exclude(step__state__in=CAN_WAIT)
    for entry in waiting.select_related("step").order_by("pk"):
        with transaction.atomic():
            step = _locked(entry.step)
            done += step.state not in CAN_WAIT and _end(entry, step, WaitingState.OVER, by=by)
    return done


@verb
def expire(*, by: Actor, offer: SlotOffer, refused: bool = False) -> bool:
    """Close an offer that does not stand any more and let the next one have the time; returns whether it was so.

    refused: it could not be booked, whatever it looks like.
    """
    _locked(offer.entry.step)
    if not refused and SlotOffer.objects.standing().filter(pk=offer.pk).exists():
        return False
    closed = _close(offer, OfferState.EXPIRED, EventKind.SLOT_EXPIRED, by=by)
    if closed:
        _pass_on(offer, by=by)
    return closed


def _locked(step: ScheduledProcedureStep) -> ScheduledProcedureStep:
    """Return a fresh copy of a step as `schedule.locked` does, and keep others from offering times meanwhile.

    A free time may be offered again to several who wait, in parts. Two who do so at once would wait for each other's
    rows; so the stations of the modality are locked first, after the order and before any resource.
    """
    step = schedule.locked(step)
    stations = Station.objects.filter(modality=step.modality).order_by("pk")
    list(stations.select_for_update(no_key=True).values_list("pk"))
    return step


def _with_step(offers: Any) -> list[SlotOffer]:
    """Read offers with all that the verbs and events ask of them, in their order."""
    return list(
        offers.select_related(
            "station__site",
            "entry__step__station",
            "entry__step__requested_procedure__exam",
            "entry__step__requested_procedure__order__patient",
            "entry__step__requested_procedure__order__site",
            "entry__step__requested_procedure__order__visit",
        ).order_by("pk")
    )


def _end(
    entry: WaitingListEntry, step: ScheduledProcedureStep, state: WaitingState, *, by: Actor, reason: str = ""
) -> bool:
    """End an entry whose order is locked; returns whether it stood until now."""
    rows = WaitingListEntry.objects.filter(pk=entry.pk, state=WaitingState.WAITING)
    if not rows.update(state=state, ended_at=timezone.now()):
        return False
    diff = {"state": [WaitingState.WAITING.value, state.value]}
    _tell(EventKind.WAITING_ENDED, entry, step, by=by, reason=reason, diff=diff)
    for offer in _with_step(entry.offers.open()):
        if _close(offer, OfferState.EXPIRED, EventKind.SLOT_EXPIRED, by=by, reason=reason):
            _pass_on(offer, by=by)
    return True


def _close(offer: SlotOffer, state: OfferState, kind: EventKind, *, by: Actor, reason: str = "") -> bool:
    """Close an offer if it is open; of two who do so one is told False."""
    if not SlotOffer.objects.open().filter(pk=offer.pk).update(state=state, closed_at=timezone.now()):
        return False
    freed.tell(kind, offer, by=by, reason=reason, diff={"state": [OfferState.OPEN.value, state.value]})
    return True


def _pass_on(offer: SlotOffer, *, by: Actor) -> SlotOffer | None:
    """Offer the time to the next one who can use it."""
    return freed.offer(Slot(offer.station_id, offer.start, offer.end, offer.freed_by_id), by=by)


def _tell(
    kind: EventKind,
    entry: WaitingListEntry,
    step: ScheduledProcedureStep,
    *,
    by: Actor,
    diff: dict[str, list[Any]],
    reason: str,
) -> None:
    order = step.requested_procedure.order
    subject = f"ris.waitinglistentry:{entry.pk}"
    Event.objects.record(
        kind, by=by, patient=order.patient, order=order, subject=subject, reason=reason, data={"changes": diff}
    )


def _plain(value: Any) -> Any:
    return getattr(value, "pk", value)
