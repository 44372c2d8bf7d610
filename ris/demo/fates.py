"""What becomes of an order of the demo department, and when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    ("COMPLETED", "XRCHEST", "XR1", -60),
    ("DISCONTINUED", "CTHEAD", "CT1", -75),
    ("NO_SHOW", "XRHANDL", "XR1", -45),
    ("DEPARTED", "XRANKLE", "XR1", -25),
    ("STARTED", "CTABD", "CT1", -10),
    ("READY", "XRHIP", "XR1", 5),
    ("ARRIVED", "CTKUB", "CT1", 15),
    ("SCHEDULED", "XRCHEST", "XR1", 40),
    ("CANCELED", "CTHEAD", "CT1", 60),
)
"""State now, exam, station and start in minutes from now."""

_WAYS: dict[str, Sequence[tuple[str, int]]] = {
    "SCHEDULED": (),
    "CANCELED": (("cancel", 4),),
    "ARRIVED": (("arrive", 3),),
    "READY": (("arrive", 12), ("make ready", 2)),
    "STARTED": (("arrive", 14), ("start", 6)),
    "DEPARTED": (("arrive", 35), ("start", 18), ("depart", 4)),
    "COMPLETED": (("arrive", 70), ("start", 58), ("complete", 40)),
    "DISCONTINUED": (("arrive", 70), ("start", 60), ("discontinue", 50)),
    "NO_SHOW": (("miss", 12),),
}
"""For each state the moves that lead there, with how many minutes ago they were made."""


def until_now(state: str, now: datetime, places: tuple[Place, ...]) -> Iterator[Happening]:
    """Give what brought an order of one step to `state` by now."""
    yield Happening(now - timedelta(minutes=95), "place", places=places)
    for move, ago in _WAYS[state]:
        yield Happening(now - timedelta(minutes=ago), move)


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
