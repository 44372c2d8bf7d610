"""A time that somebody types beside the message list: a day, an hour, a minute, or from one to another."""

import re
from datetime import datetime, time, timedelta

from django.utils import timezone

from ris.days import day_named
from ris.views.searching import normal

Period = tuple[datetime, datetime]
"""From and to; the end does not belong to it."""

_MOMENT = re.compile(r"(?P<day>[^\sT]+)(?:[ T](?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?)?")
_TO = re.compile(r"\s+(?:-|–|to|bis)\s+|\s*\.\.\s*")


def period(typed: str) -> Period | None:
    """Return the time that is meant, by the department's clock; None where none is.

    "2026-11-20" is the day, "2026-11-20 14" the hour, "2026-11-20 14:30" the minute. "2026-11-20 14:30 - 2026-11-21"
    is from the beginning of the first to the end of the second; in the second a time alone is on the day of the first.
    """
    first, *second = _TO.split(typed.strip(), maxsplit=1)
    begun = _one(first)
    if begun is None or not second:
        return begun
    day = first.strip().partition(" ")[0].partition("T")[0]
    ended = _one(second[0]) or _one(f"{day} {second[0]}")
    return (begun[0], ended[1]) if ended and ended[1] > begun[0] else None


def _one(text: str) -> Period | None:
    found = _MOMENT.fullmatch(text.strip())
    day = day_named(normal(found["day"])) if found else None
    if found is None or day is None:
        return None
    hour, minute = int(found["hour"] or 0), int(found["minute"] or 0)
    if hour > 23 or minute > 59:
        return None
    if found["hour"] is None:
        return _at(datetime.combine(day, time())), _at(datetime.combine(day + timedelta(days=1), time()))
    wall = datetime.combine(day, time(hour, minute))
    if found["minute"] is None:  # by the clock on the wall: the hour that comes twice is both of them
        return _at(wall), _at(wall + timedelta(hours=1))
    return _at(wall), _at(wall) + timedelta(minutes=1)


def _at(moment: datetime) -> datetime:
    return timezone.make_aware(moment)
