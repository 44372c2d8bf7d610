"""Time that becomes free is offered to the first on the waiting list who can use it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from ris import intervals
from ris.actions import places
from ris.actor import Actor
from ris.models import (
    Booking,
    Event,
    EventKind,
    OfferState,
    ResourceKind,
    ScheduledProcedureStep,
    SlotOffer,
    Station,
    WaitingListEntry,
)
from ris.models.base import Diff
from ris.models.step import end_of
from ris.states import OPEN, StepState

GRID = timedelta(minutes=5)
"""Appointments begin at whole five minutes after the start of the freed time."""
LOOKED_AT = 200
"""Entries of a modality that are looked at for one freed time."""
AGAIN = 10
"""Freed times that are offered again when somebody comes on the list, or asks for other times."""
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


def after(slot: Slot, *, by: Actor) -> None:
    """Offer a time that a change has given up, or keep it for the end where it is not known yet what is taken again.

    Called in the transaction of the change, when the bookings are as they are now.
    """
    later = _later.get()
    if later is not None:
        later.append(slot)
    else:
        offer(slot, by=by)


def given_up(step: ScheduledProcedureStep, diff: Diff) -> Slot | None:
    """Return the time that a step had before a change and has given up; None where it has given up none.

    diff: what `step.change` returned.
    """
    station, start, duration, state = (_before(step, diff, name) for name in ("station", "start", "duration", "state"))
    gone = step.state not in OPEN or bool(diff.keys() & {"station", "start", "duration"})
    if station is None or start is None or state not in OPEN or not gone:
        return None
    return Slot(station, start, end_of(start, duration), step.pk)


def _before(step: ScheduledProcedureStep, diff: Diff, name: str) -> Any:
    return diff[name][0] if name in diff else getattr(step, "station_id" if name == "station" else name)


def offer(slot: Slot, *, by: Actor, again: bool = False) -> SlotOffer | None:
    """Offer a time to the first on the waiting list who can use it or a part of it; what is left goes to the next.

    Returns the first offer; None where nobody can, or where it is over. Nobody is offered again what they declined.
    One time is offered to one patient at once. again: only those are asked who have no offer.
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
    if again:
        entries = entries.exclude(pk__in=SlotOffer.objects.open().values("entry"))
    rows = list(entries[:LOOKED_AT])
    if not rows:
        return None
    station = Station.objects.select_related("site").get(pk=slot.station)
    made = [
        written
        for entry, start in _chosen(slot, station, rows)
        if (written := _make(entry, station, start, slot, by=by)) is not None
    ]
    return made[0] if made else None


def _chosen(
    slot: Slot, station: Station, rows: Sequence[WaitingListEntry]
) -> Iterator[tuple[WaitingListEntry, datetime]]:
    """Choose who is offered which part of a freed time, in the order of the list."""
    there = SlotOffer.objects.filter(station=station, end__gt=slot.start)
    declined = set(there.filter(state=OfferState.DECLINED, start__lt=slot.end).values_list("entry", flat=True))
    # An exam that takes longer than the freed time reaches beyond it.
    last = max(slot.end, *(end_of(slot.start, entry.step.duration) for entry in rows))
    taken = list(there.open().filter(start__lt=last).values_list("start", "end"))
    tried = 0
    for entry in rows:
        starts = [
            start
            for start in _starts(slot, entry.step.duration)
            if wants(entry, station, start) and not _overlap(start, end_of(start, entry.step.duration), taken)
        ]
        if entry.pk in declined or not starts:
            continue
        tried += 1
        start = first_fit(entry.step, station, starts)
        if start is not None:
            taken.append((start, end_of(start, entry.step.duration)))
            yield entry, start
        if tried >= TRIED or not intervals.subtract([(slot.start, slot.end)], intervals.union(taken)):
            return


def _starts(slot: Slot, minutes: int) -> Iterator[datetime]:
    """Return when an exam can begin: with the freed time, or later where it is over before the end of it."""
    yield slot.start
    start = slot.start + GRID
    while end_of(start, minutes) <= slot.end:
        yield start
        start += GRID


def _overlap(start: datetime, end: datetime, periods: Sequence[tuple[datetime, datetime]]) -> bool:
    return any(begins < end and start < ends for begins, ends in periods)


def look_again(entry: WaitingListEntry, *, by: Actor) -> None:
    """Offer once more what was given up and is free still, until somebody who has no offer yet has one.

    That is the time of cancelled exams, and what was offered before.
    """
    now, modality = timezone.now(), entry.step.modality
    canceled = Booking.objects.filter(
        active=False, resource__station__modality=modality, resource__kind=ResourceKind.SCANNER, start__gt=now
    )
    offered = SlotOffer.objects.filter(station__modality=modality, start__gt=now)
    rows = [
        *canceled.order_by("start").values_list("resource__station", "start", "end", "step")[:LOOKED_AT],
        *offered.order_by("start").values_list("station", "start", "end", "freed_by")[:LOOKED_AT],
    ]
    rows.sort(key=lambda row: row[2])  # of a time of which only a part was offered, the whole counts
    known = {(station, start): Slot(station, start, end, step) for station, start, end, step in rows}
    stations = Station.objects.active().select_related("site").in_bulk({slot.station for slot in known.values()})
    wanted = [
        slot
        for slot in sorted(known.values(), key=lambda slot: slot.start)
        if slot.station in stations
        and any(wants(entry, stations[slot.station], start) for start in _starts(slot, entry.step.duration))
    ]
    for slot in wanted[:AGAIN]:
        if entry.offers.open().exists():
            return  # one to phone about is enough; whoever declines it is offered the next
        offer(slot, by=by, again=True)


def suits(made: SlotOffer) -> bool:
    """Tell whether an offer is still what its entry asks for, and can be booked."""
    return wants(made.entry, made.station, made.start) and bool(first_fit(made.entry.step, made.station, [made.start]))


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


def first_fit(step: ScheduledProcedureStep, station: Station, starts: Sequence[datetime]) -> datetime | None:
    """Return the first of these times at which a station can take a step, with all that it needs."""
    wish = places.wish_of(step)
    allowed = places.stations_for(modality=wish.modality, exam=wish.procedure.exam, site=station.site)
    if station.pk not in {row.pk for row in allowed}:
        return None
    table = places.Timetable(wish, [station], starts[0], end_of(starts[-1], wish.minutes))
    return next((start for start in starts if not table.place(station, start).reasons), None)


def _make(entry: WaitingListEntry, station: Station, start: datetime, slot: Slot, *, by: Actor) -> SlotOffer | None:
    """Write the offer, unless the time is offered to somebody already."""
    made = SlotOffer(
        entry=entry,
        station=station,
        start=start,
        end=end_of(start, entry.step.duration),
        freed_by_id=slot.freed_by,
        expires_at=start - timedelta(hours=entry.notice),
    )
    # Left to the database: somebody may offer the same time in this moment.
    SlotOffer.objects.bulk_create([made], ignore_conflicts=True)
    written = SlotOffer.objects.open().filter(entry=entry, station=station, start=start).first()
    if written is not None:
        tell(EventKind.SLOT_OFFERED, written, by=by, diff={"station": [None, station.pk], "start": [None, start]})
    return written


def tell(kind: EventKind, made: SlotOffer, *, by: Actor, diff: Diff, reason: str = "") -> None:
    """Record an event about an offer and the order that it was made to."""
    order = made.entry.step.requested_procedure.order
    subject = f"ris.slotoffer:{made.pk}"
    Event.objects.record(
        kind, by=by, patient=order.patient, order=order, subject=subject, reason=reason, data={"changes": diff}
    )
