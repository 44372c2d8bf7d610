"""What becomes of an order of the demo department, and when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random


@dataclass(frozen=True)
class Place:
    """A station and a period. No station means that the time is known and the station is not."""

    station: str
    start: datetime
    minutes: int


@dataclass(frozen=True)
class Happening:
    """One thing that happens to an order: place, book, hold, cancel, or a move of one of its steps.

    places: where the steps go, for place and book. step: which of the order's steps moves.
    """

    at: datetime
    what: str
    step: int = 0
    places: tuple[Place, ...] = ()
    reason: str = ""


FATES = {"done": 80, "moved": 5, "late booking": 5, "no-show": 4, "cancelled": 4, "broken off": 1, "on hold": 1}
"""What becomes of an order with a time, and of how many in a hundred."""
CANCEL_REASONS = ("Patient is ill", "Referrer withdraws", "Done elsewhere")
MOVE_REASONS = ("Patient asked for another day", "Scanner down for service")
BREAK_REASONS = ("Patient could not lie still", "Claustrophobia")

BEFORE_ARRIVAL = timedelta(minutes=50)
"""How long before its start an appointment is settled."""

WALK_INS = (
    ("XRCHEST", "XR1"),
    ("CTABD", "CT1"),
    ("XRHIP", "XR1"),
    ("CTKUB", "CT1"),
    ("XRANKLE", "XR1"),
    ("CTHEAD", "CT1"),
)
"""Exams and stations of the people from the emergency department, who come in turn, day and night."""
WALK_IN_EVERY = 40
"""Minutes from one of them to the next. Each of WALK_IN_MOVES lies 40 minutes or more after the one before it, so
that at any moment somebody has arrived, somebody is ready, somebody is on the table and somebody has left it."""
WALK_IN_MOVES = (
    ("arrive", -90, -82),
    ("make ready", -42, -38),
    ("start", 2, 6),
    ("depart", 46, 50),
    ("complete", 90, 95),
)
"""What happens to each, and between which minutes after the planned start."""
WALK_IN_ENDS: tuple[tuple[tuple[str, int], ...], ...] = (
    (("miss", 12),),
    (("arrive", -20), ("start", 2), ("discontinue", 9)),
    (("cancel", -10),),
)
"""The three who come to nothing, early in the night: what happens, and how many minutes after the planned start."""


def walk_in(random: Random, place: Place) -> Iterator[Happening]:
    """Give what happens to somebody from the emergency department."""
    yield Happening(place.start - timedelta(minutes=95), "place", places=(place,))
    for what, first, last in WALK_IN_MOVES:
        yield Happening(place.start + timedelta(minutes=random.randint(first, last)), what)


def come_to_nothing(number: int, place: Place) -> Iterator[Happening]:
    """Give what happens to one of WALK_IN_ENDS."""
    yield Happening(place.start - timedelta(minutes=95), "place", places=(place,))
    for what, minutes in WALK_IN_ENDS[number]:
        yield Happening(place.start + timedelta(minutes=minutes), what)


def known_by(midnight: datetime, story: Sequence[Happening]) -> tuple[Happening, ...]:
    """Return the story with nothing ordered or booked after `midnight` of today, while the day goes on.

    So the same orders with the same times are there at any hour; only what people do about them follows the clock.
    """
    end = midnight + timedelta(days=1)
    early = ("place", "book")
    return tuple(
        replace(happening, at=midnight) if happening.what in early and midnight <= happening.at < end else happening
        for happening in story
    )


def happenings(
    random: Random,
    fate: str,
    ordered: datetime,
    places: tuple[Place, ...],
    earlier: tuple[Place, ...] | None,
) -> Iterator[Happening]:
    """Give all that happens to an order with this fate. earlier: another time that it had before it was moved."""
    soon = ordered + (places[0].start - ordered - BEFORE_ARRIVAL) * random.uniform(0.2, 0.9)
    if earlier and min(place.start for place in earlier) > soon:
        yield Happening(ordered, "place", places=earlier)
        yield Happening(soon, "book", places=places, reason=random.choice(MOVE_REASONS))
    elif fate == "late booking":
        yield Happening(ordered, "place")
        yield Happening(soon, "book", places=places)
    else:
        yield Happening(ordered, "place", places=places)
    if fate == "cancelled":
        yield Happening(soon, "cancel", reason=random.choice(CANCEL_REASONS))
    elif fate == "on hold":
        yield Happening(soon, "hold", reason="Waiting for a laboratory value")
        yield from _day(random, places, ends="complete", before="release")
    elif fate == "no-show":
        for number, place in enumerate(places):
            yield Happening(place.start + timedelta(minutes=30), "miss", number)
    elif fate == "broken off":
        yield from _day(random, places, ends="discontinue")
    else:
        yield from _day(random, places, ends="complete")


def _day(random: Random, places: Sequence[Place], *, ends: str, before: str = "") -> Iterator[Happening]:
    """Give the moves of the day itself, step after step."""
    if before:
        yield Happening(places[0].start - BEFORE_ARRIVAL, before)
    for number, place in enumerate(places):
        start = place.start + timedelta(minutes=random.randint(-2, 6))
        end = start + timedelta(minutes=max(3, round(place.minutes * random.uniform(0.6, 0.95))))
        yield Happening(place.start - timedelta(minutes=random.randint(12, 35)), "arrive", number)
        if random.random() < 0.25:
            yield Happening(place.start - timedelta(minutes=random.randint(3, 10)), "make ready", number)
        yield Happening(start, "start", number)
        if random.random() < 0.25:
            yield Happening(end, "depart", number)
            end += timedelta(minutes=random.randint(4, 15))
        yield Happening(end, ends, number, reason=random.choice(BREAK_REASONS) if ends == "discontinue" else "")
