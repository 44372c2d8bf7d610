"""Time that becomes free is offered to the first on the waiting list who can use it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from ris.actions import places
from ris.actor import Actor
from ris.models import Event, EventKind, OfferState, ScheduledProcedureStep, SlotOffer, Station, WaitingListEntry
from ris.models.base import Diff
from ris.models.step import end_of
from ris.states import OPEN, StepState

LOOKED_AT = 200
"""Entries of a modality that are looked at for one freed time."""
TRIED = 20
"""Of these, so many have their calendars and bookings read: whoever cancels should not wait for long."""


@dataclass(frozen=True)
class Slot:
    """A freed time: where, from when until when, and the key of the step whose time it was."""

    station: int
    start: datetime
    end: datetime
    freed_by: int


_later: ContextVar["list[Slot] | None"] = ContextVar("times to offer at the end", default=None)


@contextmanager
def at_the_end(*, by: Actor) -> Iterator[None]:
    """Offer what the block frees at its end, when it is known what of it was taken again; nothing when it raises."""
    slots: list[Slot] = []
    token = _later.set(slots)
    try:
        yield
    finally:
        _later.reset(token)
    for slot in slots:
        offer(slot, by=by)


def after(step: ScheduledProcedureStep, diff: Diff, *, by: Actor) -> None:
    """Offer the time that a step had before a change, if it has given it up and it is not over.

    diff: what `step.change` returned. Called in the transaction of the change, when the bookings are as they are now.
    """
    slot, later = given_up(step, diff), _later.get()
    if slot is not None and later is not None:
        later.append(slot)
    elif slot is not None:
        offer(slot, by=by)


def given_up(step: ScheduledProcedureStep, diff: Diff) -> Slot | None:
    """Return the time that a step had before a change and has given up; None where it has given up none."""
    station, start, duration, state = (_before(step, diff, name) for name in ("station", "start", "duration", "state"))
    gone = step.state not in OPEN or bool(diff.keys() & {"station", "start", "duration"})
    if station is None or start is None or state not in OPEN or not gone:
        return None
    return Slot(station, start, end_of(start, duration), step.pk)


def _before(step: ScheduledProcedureStep, diff: Diff, name: str) -> Any:
    return diff[name][0] if name in diff else getattr(step, "station_id" if name == "station" else name)


def offer(slot: Slot, *, by: Actor) -> SlotOffer | None:
    """Offer a time to the first on the waiting list who can use it; None where nobody can, or where it is over.

    Nobody is offered again what they declined. One time is offered to one patient at once.
    """
    if slot.start <= timezone.now():
        return None
    entries = WaitingListEntry.objects.waiting().filter(
        step__modality__in=Station.objects.active().filter(pk=slot.station).values("modality")
    )
    entries = entries.exclude(step=slot.freed_by).select_related(
        "step__station",
        "step__requested_procedure__exam",
        "step__requested_procedure__order__patient",
        "step__requested_procedure__order__site",
        "step__requested_procedure__order__visit",
    )
    rows = list(entries[:LOOKED_AT])
    if not rows:
        return None
    station = Station.objects.select_related("site").get(pk=slot.station)
    refused = set(
        SlotOffer.objects.filter(station=station, start=slot.start, state=OfferState.DECLINED).values_list(
            "entry", flat=True
        )
    )
    wanting = [row for row in rows if row.pk not in refused and wants(row, station, slot.start)]
    entry = next((row for row in wanting[:TRIED] if _fits(row.step, station, slot.start)), None)
    return _make(entry, station, slot, by=by) if entry else None


def wants(entry: WaitingListEntry, station: Station, start: datetime) -> bool:
    """Tell whether a place is one that an entry asks for: where, when, early enough to be told, and earlier."""
    step = entry.step
    if step.state == StepState.SCHEDULED and step.start is not None and step.start <= start:
        return False
    day = start.astimezone(station.site.zone).date()
    return (
        entry.site_id in (None, station.site_id)
        and (not entry.stations or station.pk in entry.stations)
        and (entry.earliest is None or entry.earliest <= day)
        and (entry.latest is None or day <= entry.latest)
        and start - timedelta(hours=entry.notice) > timezone.now()
    )


def _fits(step: ScheduledProcedureStep, station: Station, start: datetime) -> bool:
    wish = places.wish_of(step)
    allowed = places.stations_for(modality=wish.modality, exam=wish.procedure.exam, site=station.site)
    if station.pk not in {row.pk for row in allowed}:
        return False
    return not places.Timetable(wish, [station], start, end_of(start, wish.minutes)).place(station, start).reasons


def _make(entry: WaitingListEntry, station: Station, slot: Slot, *, by: Actor) -> SlotOffer | None:
    """Write the offer, unless the time is offered to somebody already."""
    end = end_of(slot.start, entry.step.duration)
    made = SlotOffer(
        entry=entry,
        station=station,
        start=slot.start,
        end=end,
        freed_by_id=slot.freed_by,
        expires_at=slot.start - timedelta(hours=entry.notice),
    )
    # Left to the database: somebody may offer the same time in this moment.
    SlotOffer.objects.bulk_create([made], ignore_conflicts=True)
    written = SlotOffer.objects.open().filter(entry=entry, station=station, start=slot.start).first()
    if written is not None:
        tell(EventKind.SLOT_OFFERED, written, by=by, diff={"station": [None, station.pk], "start": [None, slot.start]})
    return written


def tell(kind: EventKind, made: SlotOffer, *, by: Actor, diff: Diff, reason: str = "") -> None:
    """Record an event about an offer and the order that it was made to."""
    order = made.entry.step.requested_procedure.order
    subject = f"ris.slotoffer:{made.pk}"
    Event.objects.record(
        kind, by=by, patient=order.patient, order=order, subject=subject, reason=reason, data={"changes": diff}
    )
