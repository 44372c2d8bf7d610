"""What will happen in the demo department: drawn from a seed and a day, without a database.

The plan of a day does not depend on the hour; how far it has come by now does.
"""

import itertools
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from random import Random
from zoneinfo import ZoneInfo

from ris.demo import fates
from ris.demo.exams import EXAMS, ExamRow
from ris.demo.fates import Happening, Place
from ris.demo.people import DOCTORS, SERVICES, Person, invent
from ris.demo.sites import SITES, STATIONS, StationRow

DAYS_BACK, DAYS_AHEAD = 7, 13
"""Three weeks, today among them."""
GRID = 5
"""Appointments begin every so many minutes."""
TRIES = 40
"""Draws for one order before the department counts as full."""
HOSPITAL = SITES[0].code
UNKNOWN_EXAMS = (
    ("R0417", "Special view of the wrist", "DX", True),
    ("R0533", "Vascular ultrasound, other", "US", True),
    ("R0999", "As discussed by telephone", "", False),
    ("R0101", "Second opinion", "", False),
)
"""What the catalogue does not know: code and name as ordered, modality where it was said, whether a time was."""
KEPT_FREE = (("CT1", time(15), 30), ("CT1", time(16, 30), 45))
"""Station, time of today and minutes that are nobody's: the tutorial's patient comes then."""
PRIORITIES = {"ROUTINE": 78, "HIGH": 14, "MEDIUM": 6, "LOW": 2}
"""Of a hundred orders that are not urgent."""


@dataclass(frozen=True)
class PlannedOrder:
    """One order and all that happens to it. `exam` is None where the catalogue does not know the code."""

    person: int
    site: str
    exam: ExamRow | None
    happenings: tuple[Happening, ...]
    code: str = ""
    meaning: str = ""
    modality: str = ""
    reason: str = ""
    priority: str = "ROUTINE"
    doctor: str = ""
    service: str = ""
    inpatient: bool = False
    from_his: bool = True
    accession_number: str = ""
    study_instance_uid: str = ""

    @property
    def ordered(self) -> datetime:
        """When it was placed."""
        return self.happenings[0].at


@dataclass(frozen=True)
class Plan:
    """The whole department."""

    people: Sequence[Person]
    orders: Sequence[PlannedOrder]

    def timeline(self, now: datetime) -> Iterator[tuple[PlannedOrder, Happening]]:
        """Give what has happened until now, in order of time."""
        happened = [
            (happening.at, number, place, order, happening)
            for number, order in enumerate(self.orders)
            for place, happening in enumerate(order.happenings)
            if happening.at <= now
        ]
        for _, _, _, order, happening in sorted(happened, key=lambda row: row[:3]):
            yield order, happening


@dataclass
class _Diary:
    """Which stations and people are taken when, in cells of GRID minutes."""

    stations: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    people: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    @staticmethod
    def cells(place: Place) -> set[int]:
        first = int(place.start.timestamp()) // 60 // GRID
        return set(range(first, first + -(-place.minutes // GRID)))

    def free(self, place: Place, person: int | None = None) -> bool:
        cells = self.cells(place)
        return cells.isdisjoint(self.stations[place.station]) and (
            person is None or cells.isdisjoint(self.people[person])
        )

    def take(self, places: Sequence[Place], person: int) -> None:
        for place in places:
            self.stations[place.station] |= self.cells(place)
            self.people[person] |= self.cells(place)


def make_plan(*, seed: int, now: datetime, zone: ZoneInfo, patients: int, orders: int) -> Plan:
    """Return the plan for the day of `now` in `zone`: so many people, about so many orders."""
    return _Planner(seed, now, zone, patients).plan(orders)


class _Planner:
    def __init__(self, seed: int, now: datetime, zone: ZoneInfo, patients: int) -> None:
        self.seed, self.zone = seed, zone
        self.today: date = now.astimezone(zone).date()
        self.midnight = self.utc_midnight(self.today)
        self.random = Random(f"{seed} {self.today}")  # noqa: S311 - a story, not a secret
        self.people = invent(Random(f"{seed} people"), patients, self.today)  # noqa: S311
        self.diary = _Diary()
        for station, clock, minutes in KEPT_FREE:
            kept = Place(station, datetime.combine(self.today, clock, self.zone), minutes)
            self.diary.stations[station] |= self.diary.cells(kept)

    def plan(self, count: int) -> Plan:
        waiting, odd = max(count // 20, 4), len(UNKNOWN_EXAMS) + 3
        emergencies = list(self.walk_ins())  # first: they need their times, an appointment takes any
        orders = [order for _ in range(count - waiting - odd) if (order := self.appointment())]
        orders += [self.waiting() for _ in range(waiting)]
        orders += [self.odd(number) for number in range(odd)]
        orders += emergencies
        uids = Random(f"{self.seed} uids {self.today}")  # noqa: S311
        return Plan(self.people, [self.settled(order, _uid(uids)) for order in orders])

    def settled(self, order: PlannedOrder, study_instance_uid: str) -> PlannedOrder:
        """Add what every order has: its study, and that it is known when the day begins."""
        story = fates.known_by(self.midnight, order.happenings)
        return replace(order, study_instance_uid=study_instance_uid, happenings=story)

    # --- kinds of orders ------------------------------------------------------------------------------

    def appointment(self) -> PlannedOrder | None:
        """An order with a time and all that becomes of it; None when no free time was found."""
        exam = self.random.choices(EXAMS, [row.weight for row in EXAMS])[0]
        person = self.somebody(exam)
        places = self.find(exam, person)
        if places is None:
            return None
        site = _station(places[0].station).site
        urgent = site == HOSPITAL and (self.random.random() < 0.15 or not self.is_daytime(places[0].start))
        ordered = self.ordered_before(places[0].start, urgent)
        fate = _draw(self.random, fates.FATES)
        earlier = self.find(exam, person) if fate == "moved" and not urgent else None
        return self.described(
            PlannedOrder(
                person=person,
                site=site,
                exam=exam,
                happenings=tuple(fates.happenings(self.random, fate, ordered, places, earlier)),
                priority="STAT" if urgent else _draw(self.random, PRIORITIES),
            )
        )

    def waiting(self) -> PlannedOrder:
        """An order that came without a time and still waits for one."""
        exam = self.random.choices(EXAMS, [row.weight for row in EXAMS])[0]
        site = next(row.site for row in STATIONS if row.modality == exam.modality)
        person = self.somebody(exam)
        return self.described(PlannedOrder(person, site, exam, (Happening(self.lately(), "place"),)))

    def odd(self, number: int) -> PlannedOrder:
        """An order that a person has to look at, each for another reason."""
        person = self.random.randrange(len(self.people))
        if number < len(UNKNOWN_EXAMS):
            code, meaning, modality, timed = UNKNOWN_EXAMS[number]
            row = ExamRow(code, meaning, modality, "", 15, 0, ("See letter",), ())
            places = (self.find(row, person, ahead=True) or ()) if timed else ()
            site = _station(places[0].station).site if places else HOSPITAL
            placed = (Happening(self.lately(), "place", places=places),)
            return self.described(PlannedOrder(person, site, None, placed, code, meaning, modality))
        if number == len(UNKNOWN_EXAMS):
            exam = EXAMS[-1]
            places = (Place("", datetime.combine(self.today + timedelta(days=4), time(10), self.zone), exam.minutes),)
            taken = ""
        else:  # two senders' orders under one accession number
            exam, taken = EXAMS[0], "4711-0815"
            places = self.find(exam, person, ahead=True) or ()
        placed = (Happening(self.lately(), "place", places=places),)
        return self.described(PlannedOrder(person, HOSPITAL, exam, placed, accession_number=taken))

    def walk_ins(self) -> Iterator[PlannedOrder]:
        """People from the emergency department, so that at any hour the waiting room holds every state of the day."""
        random = Random(f"{self.seed} walk-ins {self.today}")  # noqa: S311
        kinds = itertools.cycle(fates.WALK_INS)
        every = timedelta(minutes=fates.WALK_IN_EVERY)
        start = self.midnight - 3 * every
        while start <= self.utc_midnight(self.today + timedelta(days=1)) + 3 * every:
            yield from self.walk_in(random, next(kinds), start, partial(fates.walk_in, random))
            start += every
        for number in range(len(fates.WALK_IN_ENDS)):
            start = self.midnight + timedelta(minutes=20) + number * every
            story = partial(fates.come_to_nothing, number)
            yield from self.walk_in(random, next(kinds), start, story)

    def walk_in(
        self, random: Random, kind: tuple[str, str], start: datetime, story: Callable[[Place], Iterator[Happening]]
    ) -> Iterator[PlannedOrder]:
        """Give the order of one of them; none where everybody is busy then."""
        exam = next(row for row in EXAMS if row.code == kind[0])
        place = Place(kind[1], start.astimezone(self.zone), exam.minutes)
        if not self.diary.free(place):
            return
        people = random.sample(range(len(self.people)), len(self.people))
        person = next((person for person in people if self.diary.free(place, person)), None)
        if person is None:
            return
        self.diary.take([place], person)
        order = PlannedOrder(person, HOSPITAL, exam, tuple(story(place)), priority="STAT", service=SERVICES[0])
        yield self.described(order, random)

    def described(self, order: PlannedOrder, random: Random | None = None) -> PlannedOrder:
        """Add the words: who asks, why, from where."""
        random = random or self.random
        inpatient = order.site == HOSPITAL and random.random() < 0.25
        reasons = order.exam.reasons if order.exam else ("See letter",)
        return replace(
            order,
            reason=order.reason or random.choice(reasons),
            doctor=random.choice(DOCTORS),
            service=order.service or random.choice(SERVICES),
            inpatient=inpatient,
            from_his=random.random() < 0.85,
        )

    def somebody(self, exam: ExamRow) -> int:
        """Draw who is to have an exam; anybody where nobody fits."""
        fit = [number for number, person in enumerate(self.people) if person.may_have(exam.sex)]
        return self.random.choice(fit or range(len(self.people)))

    # --- time -----------------------------------------------------------------------------------------

    def find(self, exam: ExamRow, person: int, *, ahead: bool = False) -> tuple[Place, ...] | None:
        """Draw a free time for all steps of an exam and take it; None when there was none."""
        stations = [
            row
            for row in STATIONS
            if row.modality == exam.parts[0][0]
            and (not exam.stations or exam.modality != row.modality or row.ae_title in exam.stations)
        ]
        for _ in range(TRIES):
            start = self.draw_start(self.random.choice(stations), ahead)
            places = self.fit(exam, start, person) if start else None
            if places is not None:
                self.diary.take(places, person)
                return places
        return None

    def draw_start(self, station: StationRow, ahead: bool) -> tuple[StationRow, datetime] | None:
        days = range(1 if ahead else -DAYS_BACK, DAYS_AHEAD + 1)
        weights = [3.0 if day == 0 else 1.0 - 0.05 * max(day, 0) for day in days]
        day = self.today + timedelta(days=self.random.choices(days, weights)[0])
        hours = station.hours(day.weekday())
        if hours is None or (day.weekday() > 4 and day != self.today and self.random.random() < 0.6):
            return None
        opens, closes = hours
        if closes > time(18) and self.random.random() < 0.85:
            opens, closes = time(7, 30), time(17)
        first, last = (clock.hour * 60 + clock.minute for clock in (opens, closes))
        minute = self.random.randrange(first, last, GRID)
        return station, datetime.combine(day, time(minute // 60, minute % 60), self.zone)

    def fit(self, exam: ExamRow, drawn: tuple[StationRow, datetime], person: int) -> tuple[Place, ...] | None:
        """Return places for all steps, one after the other, the first as drawn; None when one of them is taken."""
        station, start = drawn
        places: list[Place] = []
        for modality, minutes in exam.parts:
            here = [station] if station.modality == modality else _others(station, modality, exam)
            options = [Place(row.ae_title, start, minutes) for row in here if _is_open(row, start, minutes, self.zone)]
            place = next((place for place in options if self.diary.free(place, person)), None)
            if place is None:
                return None
            places.append(place)
            start = (start.astimezone(ZoneInfo("UTC")) + timedelta(minutes=minutes)).astimezone(self.zone)
        return tuple(places)

    def utc_midnight(self, day: date) -> datetime:
        """Return when a day begins, in UTC, where adding minutes is right on days when the clocks change too."""
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def is_daytime(self, moment: datetime) -> bool:
        return time(7) <= moment.astimezone(self.zone).time() < time(18)

    def ordered_before(self, start: datetime, urgent: bool) -> datetime:
        """Return when an exam at `start` was ordered: just before, or on one of the days before."""
        if urgent:
            return start - timedelta(minutes=self.random.randint(65, 120))
        appointment = start.astimezone(self.zone).date()
        day = appointment - timedelta(days=self.random.choice((1, 2, 3, 5, 8, 13)))
        if appointment > self.today <= day:  # whoever has an appointment on another day has asked for it already
            day = self.today - timedelta(days=self.random.randint(1, 10))
        return datetime.combine(day, time(self.random.randint(8, 16), self.random.randrange(60)), self.zone)

    def lately(self) -> datetime:
        """Return a moment of the last days."""
        day = self.today - timedelta(days=self.random.randint(1, 4))
        return datetime.combine(day, time(self.random.randint(8, 16), self.random.randrange(60)), self.zone)


def _uid(random: Random) -> str:
    """Return a UID under 2.25 (PS3.5 B.2) that the seed decides."""
    return f"2.25.{uuid.UUID(int=random.getrandbits(128), version=4).int}"


def _draw(random: Random, shares: dict[str, int]) -> str:
    """Draw one of the names, each as often as its share says."""
    return random.choices(list(shares), list(shares.values()))[0]


def _station(ae_title: str) -> StationRow:
    return next(row for row in STATIONS if row.ae_title == ae_title)


def _others(station: StationRow, modality: str, exam: ExamRow) -> list[StationRow]:
    """Return stations for a step of another modality, those of the same site first."""
    fits = [row for row in STATIONS if row.modality == modality]
    if modality == exam.modality and exam.stations:
        fits = [row for row in fits if row.ae_title in exam.stations]
    return sorted(fits, key=lambda row: row.site != station.site)


def _is_open(station: StationRow, start: datetime, minutes: int, zone: ZoneInfo) -> bool:
    """Tell whether a station is open from start on, by its site's clock."""
    local = start.astimezone(zone)
    end = local + timedelta(minutes=minutes)
    hours = station.hours(local.weekday())
    return hours is not None and end.date() == local.date() and hours[0] <= local.time() and end.time() <= hours[1]
