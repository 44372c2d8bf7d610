"""One key of a query and its value, as a condition (DICOM PS3.4 section C.2.2.2).

Knows neither the attribute table nor the database: text in, a condition out. A condition is a small
frozen value that says what to look for; worklist.query turns it into SQL.
"""

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from django.utils.translation import gettext_noop as _

from worklist.ways import LITERAL, Ways


class Kind(StrEnum):
    """How a key matches (PS3.4 table K.6-1)."""

    NONE = "not matched"
    SINGLE = "single value"
    UID_LIST = "list of UIDs"
    WILDCARD = "single value or wildcard"
    RANGE = "single value or range"
    SEQUENCE = "sequence"


class BadKeyError(ValueError):
    """The value of a key cannot be understood. The message never holds the value: it may be a patient's."""


@dataclass(frozen=True)
class Universal:
    """Everything matches, empty stored values too (PS3.4 C.2.2.2.3)."""


@dataclass(frozen=True)
class Single:
    """The stored value equals `value`."""

    value: str


@dataclass(frozen=True)
class Wildcard:
    """The stored value fits `pattern`: `*` is any run of characters, `?` is one (PS3.4 C.2.2.2.4)."""

    pattern: str

    def fits(self, text: str) -> bool:
        """Tell whether `text` fits. Takes at most len(pattern) x len(text) steps, whatever the pattern."""
        place = position = retry = 0
        star = -1
        while position < len(text):
            if place < len(self.pattern) and self.pattern[place] == "*":
                star, retry = place, position
                place += 1
            elif place < len(self.pattern) and self.pattern[place] in ("?", text[position]):
                place += 1
                position += 1
            elif star >= 0:
                retry += 1
                place, position = star + 1, retry
            else:
                return False
        return not self.pattern[place:].strip("*")


@dataclass(frozen=True)
class AnyOf:
    """The stored value matches one of several conditions (PS3.4 C.2.2.2.2 for UIDs; tolerated for text)."""

    conditions: tuple[Single | Wildcard, ...]


@dataclass(frozen=True)
class AllOf:
    """The stored value has every one of several values (PS3.4 C.2.2.2.8)."""

    conditions: tuple[Single, ...]


@dataclass(frozen=True)
class Empty:
    """Nothing is stored (PS3.4 C.2.2.2.7)."""


@dataclass(frozen=True)
class DateSpan:
    """A stored date from `low` to `high`, both included; None leaves an end open."""

    low: date | None
    high: date | None

    def contains(self, day: date) -> bool:
        """Tell whether `day` lies inside."""
        return (self.low is None or self.low <= day) and (self.high is None or day <= self.high)


@dataclass(frozen=True)
class TimeSpan:
    """A stored time of day from `low` to `high`, both included; None leaves an end open.

    single: the key was one time, not a range. Where it leaves out minutes or seconds, it spans that much.
    """

    low: time | None
    high: time | None
    single: bool = False

    def contains(self, moment: time) -> bool:
        """Tell whether `moment` lies inside."""
        return (self.low is None or self.low <= moment) and (self.high is None or moment <= self.high)


Condition = Universal | Single | Wildcard | AnyOf | AllOf | Empty | DateSpan | TimeSpan
UNIVERSAL = Universal()
EMPTY = Empty()
_NO_VALUE = '""'


@dataclass(frozen=True)
class Window:
    """Start date and start time together (PS3.4 K.6.1.2.2): wall-clock moments at the site, ends included.

    daily: beside the window, the time of day must lie in this span.
    """

    low: datetime | None = None
    high: datetime | None = None
    daily: TimeSpan | None = None

    @property
    def open(self) -> bool:
        """Tell whether every moment fits."""
        return self.low is None and self.high is None and self.daily is None

    def contains(self, moment: datetime) -> bool:
        """Tell whether a wall-clock moment (no time zone) fits."""
        if self.low is not None and moment < self.low:
            return False
        if self.high is not None and moment > self.high:
            return False
        return self.daily is None or self.daily.contains(moment.time())

    def has_day(self, day: date) -> bool:
        """Tell whether any moment of a day lies between the ends."""
        return (self.low is None or self.low.date() <= day) and (self.high is None or day <= self.high.date())


ANY_TIME = Window()


def condition(kind: Kind, vr: str, values: Sequence[str], ways: Ways = LITERAL, *, many: bool = False) -> Condition:
    """Return what a key asks for.

    kind: how the table says that the key matches. vr: its value representation. values: its values, decoded,
    one string each. many: whether the attribute may have several. Raises BadKeyError where a date, time or range cannot
    be understood.

    Several values of a text key mean any of them unless `ways` says every: the standard has any of them for UIDs only,
    but a scanner that does two modalities asks for both.
    """
    texts = [text for text in (_clean(value, vr) for value in values) if text]
    if ways.empty and texts == [_NO_VALUE]:
        return EMPTY
    if ways.every and many and len(texts) > 1 and kind in (Kind.SINGLE, Kind.WILDCARD):
        return _every(texts)
    if not texts or any(_is_universal(text) for text in texts):
        return UNIVERSAL
    if kind is Kind.RANGE:
        if len(texts) > 1:
            raise BadKeyError(_("has more than one value"))
        return _time_span(texts[0]) if vr == "TM" else _date_span(texts[0])
    found = tuple(_text(kind, text) for text in texts)
    return found[0] if len(found) == 1 else AnyOf(found)


def combined(day: Condition, moment: Condition) -> Window:
    """Join the conditions on start date and start time into one window.

    `20060705-20060707` with `100000-180000` is from 5 July 10:00 to 7 July 18:00, not 10 to 18 daily.
    One exact time, or a time without a date, is a time of day. BadKeyError where it ends too soon.
    """
    times = moment if isinstance(moment, TimeSpan) else None
    if not isinstance(day, DateSpan):
        if times and times.low and times.high and times.high < times.low:
            raise BadKeyError(_("ends before it begins"))  # a time range alone does not cross midnight
        return Window(daily=times)
    daily = times if times and times.single and day.low != day.high else None
    inside = TimeSpan(None, None) if times is None or daily else times
    low = None if day.low is None else datetime.combine(day.low, inside.low or time.min)
    high = None if day.high is None else datetime.combine(day.high, inside.high or time.max)
    if low is not None and high is not None and high < low:
        raise BadKeyError(_("ends before it begins"))
    return Window(low, high, daily)


def _clean(value: str, vr: str) -> str:
    """Strip padding (PS3.5 6.2) and, of names, the separators of empty components at the end."""
    text = value.strip(" \0\r\n\t")
    return text.rstrip("^ ") if vr == "PN" else text


def _is_universal(text: str) -> bool:
    return not text.strip("*")


def _every(texts: list[str]) -> Single | AllOf:
    if any("*" in text or "?" in text for text in texts):
        raise BadKeyError(_("has a wildcard among several values"))
    found = tuple(Single(text) for text in dict.fromkeys(texts))
    return found[0] if len(found) == 1 else AllOf(found)


def _text(kind: Kind, text: str) -> Single | Wildcard:
    if kind is Kind.WILDCARD and ("*" in text or "?" in text):
        return Wildcard(text)
    return Single(text)


def _date_span(text: str) -> DateSpan:
    low, high, is_range = _ends(text)
    if not is_range:
        day = _date(low)
        return DateSpan(day, day)
    span = DateSpan(_date(low) if low else None, _date(high) if high else None)
    if span.low and span.high and span.high < span.low:
        raise BadKeyError(_("ends before it begins"))
    return span


def _time_span(text: str) -> TimeSpan:
    low, high, is_range = _ends(text)
    if not is_range:
        first, last = _time(low)
        return TimeSpan(first, last, single=True)
    # Which end comes first is judged when the dates are known: 5 July 22:00 to 6 July 06:00 is a fine window.
    return TimeSpan(_time(low)[0] if low else None, _time(high)[1] if high else None)


def _ends(text: str) -> tuple[str, str, bool]:
    low, dash, high = (part.strip() for part in text.partition("-"))
    if dash and not (low or high):
        raise BadKeyError(_("is a range without ends"))
    return low, high, bool(dash)


_DATE = re.compile(r"(\d{4})(\.?)(\d\d)\2(\d\d)", re.ASCII)
_TIME = re.compile(r"(\d\d)(?:(:?)(\d\d)(?:\2(\d\d)(?:\.(\d{1,6}))?)?)?", re.ASCII)


def _date(text: str) -> date:
    """Read YYYYMMDD, or YYYY.MM.DD as ACR-NEMA wrote it (PS3.5 6.2, DA)."""
    found = _DATE.fullmatch(text)
    if not found:
        raise BadKeyError(_("is not a date"))
    year, month, day = int(found[1]), int(found[3]), int(found[4])
    if not (year and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]):
        raise BadKeyError(_("is a date that no calendar has"))
    return date(year, month, day)


def _time(text: str) -> tuple[time, time]:
    """Read HH, HHMM, HHMMSS or HHMMSS.F to .FFFFFF, also with colons; return its first and last instant."""
    found = _TIME.fullmatch(text)
    if not found:
        raise BadKeyError(_("is not a time"))
    hour, minute, second = int(found[1]), int(found[3] or 0), int(found[4] or 0)
    if hour > 23 or minute > 59 or second > 60:
        raise BadKeyError(_("is a time that no clock shows"))
    second = min(second, 59)  # 60 is a leap second, which Python cannot write
    fraction = found[5] or ""
    first = time(hour, minute, second, int(fraction.ljust(6, "0")) if fraction else 0)
    if found[3] is None:
        width = timedelta(hours=1)
    elif found[4] is None:
        width = timedelta(minutes=1)
    else:
        width = timedelta(microseconds=10 ** (6 - len(fraction)))
    last = datetime.combine(date.min, first) + width - timedelta(microseconds=1)
    return first, last.time()
