"""The slot finder: when and where a step, or the linked steps of a visit, can take place, and why not elsewhere."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from heapq import merge
from itertools import islice

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _

from ris import intervals
from ris.actions import places
from ris.actions.calendars import Calendars
from ris.actions.places import Place, Timetable, Wish
from ris.intervals import Intervals
from ris.models import Booking, Resource, ResourceKind, Site, Station
from ris.models.step import end_of

GRID = timedelta(minutes=5)
"""Appointments begin at whole five minutes."""
_NOON = time(12)
_DAY = timedelta(days=1)


class Part(Enum):
    """The part of the day that a patient can come in."""

    ANY = "any"
    MORNING = "morning"
    AFTERNOON = "afternoon"


@dataclass(frozen=True)
class Spread:
    """A fair picture of some days: of each station the first place in each so many hours, of so many stations at most.

    hours: a divisor of 24, counted from midnight by the clock of the station's site.
    """

    hours: int
    stations: int

    def part_of(self, place: Place) -> tuple[date, int]:
        """Return the day and the number of its part in which a place begins."""
        local = place.start.astimezone(place.station.site.zone)
        return local.date(), local.hour // self.hours

    def next_part(self, station: Station, start: datetime) -> datetime:
        """Return when the part of the day after that of `start` begins."""
        local = start.astimezone(station.site.zone)
        past = timedelta(hours=local.hour % self.hours, minutes=local.minute)
        return (local - past + timedelta(hours=self.hours)).astimezone(UTC)  # by the clock, also when it is changed


@dataclass(frozen=True)
class Search:
    """What is looked for. wishes: linked steps in their order. since, until: aware; the first start, the last end.

    site: None means any; station: only this one, for steps that it does. most: how many options are wanted.
    wait: how long a patient may wait between two linked steps. each: how many options of one station and day at most.
    spread: as it says; None: the earliest, one after the other.
    """

    wishes: Sequence[Wish]
    since: datetime
    until: datetime
    site: Site | None = None
    station: Station | None = None
    part: Part = Part.ANY
    most: int = 10
    each: int = 3
    wait: timedelta = timedelta(hours=2)
    spread: Spread | None = None


@dataclass(frozen=True)
class Option:
    """One place for each step of the visit, in their order."""

    places: tuple[Place, ...]

    @property
    def start(self) -> datetime:
        """Return when the visit begins."""
        return self.places[0].start


@dataclass(frozen=True)
class Found:
    """The options, best first, and for each station that is not among them why."""

    options: tuple[Option, ...]
    others: tuple[tuple[Station, str], ...] = field(default=())


def find(search: Search) -> Found:
    """Look for places. Nothing is locked or written: an option may be gone when somebody books it.

    Time is read piece by piece, the next day first, and no further than it takes to find what is wanted.
    """
    stations = [_stations(wish, search) for wish in search.wishes]
    options: list[Option] = []
    if all(stations):
        pairs = [(wish, row) for wish, rows in zip(search.wishes, stations, strict=True) for row in rows]
        resources = list(places.resources_for(pairs))
        ground = _Ground(search, stations, resources)
        for since, until in _pieces(search):
            piece = _Piece(ground, since, until)
            options += islice(piece.options(), search.most - len(options))
            if len(options) >= search.most:
                break
    return Found(tuple(options), tuple(_others(search, stations[0], options)))


def _stations(wish: Wish, search: Search) -> list[Station]:
    rows = places.stations_for(modality=wish.modality, exam=wish.procedure.exam, site=search.site)
    wanted = search.station
    if wanted is not None and wanted.modality == wish.modality:
        return [row for row in rows if row.pk == wanted.pk]
    return rows


def _pieces(search: Search) -> Iterator[tuple[datetime, datetime]]:
    """Cut the time at midnights: a day, then two more, then four, and so on."""
    zone = (search.site or search.wishes[0].procedure.order.site).zone
    since, days = search.since.astimezone(UTC), 1
    while since < search.until:
        midnight = datetime.combine(since.astimezone(zone).date() + days * _DAY, time(), zone).astimezone(UTC)
        yield since, min(midnight, search.until)
        since, days = midnight, days * 2


class _Ground:
    """What does not change from one piece of time to the next: resources, rules, calendars."""

    def __init__(self, search: Search, stations: Sequence[Sequence[Station]], resources: Sequence[Resource]) -> None:
        self.search, self.stations, self.resources = search, stations, resources
        self.scanners = {row.station_id: row for row in resources if row.kind == ResourceKind.SCANNER}
        self.rules = [places.rules_of(wish) for wish in search.wishes]
        self._calendars = Calendars(resources, search.since, search.until)
        self._open: dict[tuple[int, int], Intervals] = {}

    def open(self, number: int, resource: Resource) -> Intervals:
        """Return when a resource is open for the wish of this number."""
        key = number, resource.pk
        if key not in self._open:
            self._open[key] = self._calendars.free(resource, self.search.wishes[number].claim)
        return self._open[key]

    def taken(self, since: datetime, until: datetime) -> dict[int | None, Intervals]:
        """Return the taken time between two moments by resource; under None that of the patient."""
        steps = [wish.step.pk for wish in self.search.wishes if wish.step is not None]
        keys, patient = [row.pk for row in self.resources], self.search.wishes[0].patient_id
        found: defaultdict[int | None, Intervals] = defaultdict(list)
        if connection.vendor == "postgresql":
            # Full days are a single range each there: a fraction of the rows.
            with connection.cursor() as cursor:
                cursor.execute(_TAKEN, [until, since, keys, patient, steps])
                for resource, start, end in cursor.fetchall():
                    found[resource].append((start, end))
            return found
        rows = Booking.objects.active().overlapping(since, until).exclude(step__in=steps)
        rows = rows.filter(Q(resource__in=keys) | Q(patient=patient))
        for resource, start, end in rows.values_list("resource_id", "start", "end"):
            found[resource].append((start, end))
        return {resource: intervals.union(taken) for resource, taken in found.items()}


_TAKEN = """
SELECT resource_id, lower(taken), upper(taken) FROM (
    SELECT resource_id, unnest(range_agg(tstzrange(start, "end"))) AS taken
    FROM ris_booking
    WHERE active AND start < %s AND "end" > %s AND (resource_id = ANY(%s) OR patient_id = %s)
      AND NOT step_id = ANY(%s::bigint[])
    GROUP BY resource_id
) AS merged ORDER BY resource_id, taken
"""


class _Piece:
    """Some days: what is free in them, read in one statement."""

    def __init__(self, ground: _Ground, since: datetime, until: datetime) -> None:
        self.ground, self.search, self.stations = ground, ground.search, ground.stations
        self.since, self.until = since, until
        self._taken = ground.taken(since, until)
        self._known: dict[tuple[int, int], Intervals] = {}

    def free(self, number: int, resource: Resource) -> Intervals:
        """Return when a resource is free for the wish of this number."""
        key = number, resource.pk
        if key not in self._known:
            here = intervals.intersect(self.ground.open(number, resource), [(self.since, self.until)])
            self._known[key] = intervals.subtract(here, self._taken.get(resource.pk, []))
        return self._known[key]

    def options(self) -> Iterator[Option]:
        """Return what fits, the earliest first, of two at one time the station that is filled first."""
        shown: Counter[tuple[object, ...]] = Counter()
        rank = {station.pk: number for number, station in enumerate(self.stations[0])}
        each = [self._places(0, station, self.since, self.until) for station in self.stations[0]]
        for place in merge(*each, key=lambda place: (place.start, rank[place.station.pk])):
            limits = self._limits(place)
            if any(shown[key] >= most for key, most in limits.items()):
                continue
            chain = self._chain((place,))
            if chain is not None:
                shown.update(limits.keys())
                yield Option(chain)

    def _limits(self, place: Place) -> dict[tuple[object, ...], int]:
        """Return of how many places, counted by what, a place may be one."""
        station, spread = place.station.pk, self.search.spread
        if spread is None:
            return {(station, place.start.astimezone(place.station.site.zone).date()): self.search.each}
        part = spread.part_of(place)
        return {(station, *part): 1, part: spread.stations}

    def _chain(self, done: tuple[Place, ...]) -> tuple[Place, ...] | None:
        """Add the following steps, each as early as it can be, at the site of the first one."""
        number, last = len(done), done[-1]
        if number == len(self.search.wishes):
            return done
        latest = last.end + self.search.wait + timedelta(minutes=self.search.wishes[number].minutes)
        here = [row for row in self.stations[number] if row.site_id == last.station.site_id]
        nexts = [next(self._places(number, row, last.end, latest), None) for row in here]
        best = min((place for place in nexts if place), key=lambda place: place.start, default=None)
        return self._chain((*done, best)) if best else None

    def _places(self, number: int, station: Station, since: datetime, until: datetime) -> Iterator[Place]:
        """Return the places of one wish at a station, one after the other without overlap."""
        scanner = self.ground.scanners.get(station.pk)
        if scanner is None:
            return
        wish = self.search.wishes[number]
        length = timedelta(minutes=wish.minutes)
        time_left = intervals.intersect(self.free(number, scanner), [(since, until)])
        time_left = intervals.subtract(time_left, self._taken.get(None, []))
        if self.search.part != Part.ANY:
            time_left = intervals.intersect(time_left, self._parts(station))
        for begins, ends in time_left:
            start = _on_grid(begins)
            while start + length <= ends:
                resources, later = self._needs(number, station, start, start + length)
                if resources is None:
                    if later is None:
                        break
                    start = max(_on_grid(later), start + GRID)
                elif any(text for rule in self.ground.rules[number] for text in rule(station, start)):
                    start += timedelta(hours=1)
                else:
                    yield Place(station, start, end_of(start, wish.minutes), resources)
                    start = _on_grid(self._after(station, start, length))

    def _after(self, station: Station, start: datetime, length: timedelta) -> datetime:
        """Return from when on the next place of a station is of interest, after one that fits."""
        spread = self.search.spread
        if spread is None or len(self.search.wishes) > 1:  # a linked step may fit behind a later one of this hour only
            return start + length
        return max(start + length, spread.next_part(station, start))

    def _needs(
        self, number: int, station: Station, start: datetime, end: datetime
    ) -> tuple[tuple[Resource, ...] | None, datetime | None]:
        """Return what meets the needs in a period, or None and when to look again (None: never)."""
        picked: list[Resource] = []
        for need in self.search.wishes[number].needs:
            fits = [row for row in self.ground.resources if need.is_met_by(row, station) and row not in picked]
            here = next((row for row in fits if self._has(self.free(number, row), start, end)), None)
            if here is None:
                coming = [begins for row in fits for begins, _end in self.free(number, row) if begins > start]
                return None, min(coming, default=None)
            picked.append(here)
        return tuple(picked), None

    @staticmethod
    def _has(periods: Intervals, start: datetime, end: datetime) -> bool:
        return any(begins <= start and end <= ends for begins, ends in periods)

    def _parts(self, station: Station) -> Intervals:
        """Return the mornings or afternoons by the clock of a station's site."""
        zone = station.site.zone
        day, last = self.since.astimezone(zone).date(), self.until.astimezone(zone).date()
        found = []
        while day <= last:
            noon = datetime.combine(day, _NOON, zone).astimezone(UTC)
            if self.search.part == Part.MORNING:
                found.append((datetime.combine(day, time(), zone).astimezone(UTC), noon))
            else:
                found.append((noon, datetime.combine(day + _DAY, time(), zone).astimezone(UTC)))
            day += _DAY
        return found


def _on_grid(moment: datetime) -> datetime:
    """Return the first whole five minutes from a moment on."""
    past = (moment - datetime.min.replace(tzinfo=UTC)) % GRID
    return moment + (GRID - past) if past else moment


def _others(search: Search, allowed: Sequence[Station], options: Sequence[Option]) -> Iterator[tuple[Station, str]]:
    """Say of each station of the modality that is not among the options why, at the time of the best option."""
    wish = search.wishes[0]
    shown = {option.places[0].station.pk for option in options}
    asked = search.station is not None and search.station.modality == wish.modality
    beside = allowed if asked else places.stations_for(modality=wish.modality, exam=None, site=search.site)
    start = options[0].start if options else _on_grid(search.since)
    left = [row for row in allowed if row.pk not in shown]
    table = Timetable(wish, left, start, end_of(start, wish.minutes)) if left else None
    for station in beside:
        if station.pk in shown:
            continue
        if table is None or station.pk not in {row.pk for row in left}:
            yield station, _("%s does not do this exam") % station.name
            continue
        free = _("%s is free too; choose it to see its times") if search.spread else _("%s comes later than shown")
        yield station, "; ".join(table.place(station, start).reasons) or free % station.name
