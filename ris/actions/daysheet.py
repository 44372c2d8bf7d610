"""One day of some stations for a board: who has an appointment, when they are open, what keeps patients out."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ris.actions.calendars import Calendars, Claim, Shut
from ris.intervals import Intervals
from ris.models import Booking, Resource, ResourceKind, ScheduledProcedureStep, Station
from ris.states import StepState


@dataclass(frozen=True)
class Column:
    """A station on a day. opening: when it is open; shut: closures and blocks, also those reserved for some.

    steps: what has a place there then and is not cancelled, the earliest first, with procedure, exam, order and patient
    at hand. overbooked: the keys of those that take time which something else has.
    """

    station: Station
    opening: Intervals
    shut: tuple[Shut, ...]
    steps: tuple[ScheduledProcedureStep, ...]
    overbooked: frozenset[int]


def columns(stations: Sequence[Station], day: date, zone: ZoneInfo, *, days: int = 1) -> list[Column]:
    """Return the columns of stations for a day, or several, by the clock of a zone; six statements, however many."""
    since = datetime.combine(day, time(), zone).astimezone(UTC)
    until = datetime.combine(day + timedelta(days=days), time(), zone).astimezone(UTC)
    scanners = Resource.objects.filter(kind=ResourceKind.SCANNER, station__in=stations).select_related("site")
    by_station = {row.station_id: row for row in scanners}
    calendars = Calendars(by_station.values(), since, until)
    rows = ScheduledProcedureStep.objects.filter(station__in=stations).exclude(state=StepState.CANCELED)
    rows = rows.overlapping(since, until).select_related(
        "station__site", "requested_procedure__exam", "requested_procedure__order__patient"
    )
    steps: defaultdict[int, list[ScheduledProcedureStep]] = defaultdict(list)
    for step in rows.order_by("start", "pk"):
        steps[step.station_id or 0].append(step)
    marked = (
        Booking.objects.active().overlapping(since, until).filter(overbooked=True, resource__in=by_station.values())
    )
    overbooked = frozenset(marked.values_list("step", flat=True))
    return [
        Column(
            station,
            calendars.opening(by_station[station.pk]),
            tuple(calendars.shut(by_station[station.pk], Claim())),
            tuple(steps[station.pk]),
            overbooked & {step.pk for step in steps[station.pk]},
        )
        for station in stations
        if station.pk in by_station
    ]
