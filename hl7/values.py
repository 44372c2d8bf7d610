"""HL7 data types as Python values (v2.5.1 chapter 2.A): dates, times, names, numbers, places.

Each reader takes a segment and a path ("7" or "5.1") and returns None when nothing was sent, `NULL` when the sender
erases, else the value. `FieldError` says that a value cannot be used and where it stands; `Doubt` says that it was
understood only in part. Neither repeats the value: it may be a patient's.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from datetime import timezone as fixed_zone
from decimal import Decimal
from typing import Any

from django.utils import timezone

from hl7.ack import Condition, Place, Problem
from hl7.message import NULL, Repetition, Segment
from ris import person_name
from ris.shortening import shortened


class FieldError(Exception):
    """A field of the message cannot be used."""

    def __init__(self, problem: Problem) -> None:
        """Take the problem, which names code, place and reason."""
        self.problem = problem
        super().__init__(problem.text)


class Doubt(Exception):
    """A field was understood only in part; `value` is what is taken for it (None: nothing), the message a warning."""

    def __init__(self, message: str, value: Any = None, condition: Condition = Condition.DATA_TYPE) -> None:
        """Take the warning, which names no patient, and as what its sender is told of it."""
        self.value, self.condition = value, condition
        super().__init__(message)


def place(segment: Segment, path: str) -> Place:
    """Return where a path is, for ERR."""
    numbers = [int(part) for part in path.split(".")]
    return Place(segment.name, segment.number, numbers[0], numbers[1] if len(numbers) > 1 else 0)


def wrong(segment: Segment, path: str, what: str) -> FieldError:
    """Return the error for a value that cannot be used; `what` follows the name of the field ("is not a date")."""
    spot = place(segment, path)
    return FieldError(Problem(Condition.DATA_TYPE, f"{spot} {what}.", spot))


def missing(segment: Segment, path: str, why: str) -> FieldError:
    """Return the error for a field that has to be there; `why` is a sentence."""
    spot = place(segment, path)
    return FieldError(Problem(Condition.REQUIRED_FIELD_MISSING, f"{spot} is missing: {why}", spot))


def cut(text: str, longest: int, source: str, warnings: list[str]) -> str:
    """Return a text that fits, with dots and a warning where its end is missing."""
    if len(text) > longest:
        warnings.append(f"{source}: longer than {longest} characters, the end was cut off")
    return shortened(text, longest)


def text(segment: Segment, path: str) -> str | None:
    """Read one value as one line."""
    value = segment.get(path)
    return value if value is None or value is NULL else " ".join(value.split())


def words(segment: Segment, path: str) -> str | None:
    """Read a whole field: all its components and repetitions, in the order in which they are written."""
    number = int(path)
    if segment.field(number) == NULL:
        return NULL
    return ", ".join(segment.text(number).split("\n")) or None


def coded_text(segment: Segment, path: str) -> str | None:
    """The words of a coded element (CE-2), or its code where it has no words; several with commas."""
    found = segment.repetitions(int(path))
    if found and found[0].raw == NULL:
        return NULL
    said = ((repetition.get(2) or repetition.get(5) or repetition.get(1)) for repetition in found)
    return ", ".join(text for text in said if text and text is not NULL) or None


_ANY_CLOCK = timedelta(days=1)
_LONG_AGO = timedelta(days=5 * 365)
_NUMBER = re.compile(r"[+-]?\d{1,12}(\.\d{0,12})?")
_DATE = re.compile(r"(\d{4})(?:(\d{2})(?:(\d{2}))?)?")
_MOMENT = re.compile(
    r"(?P<day>\d{8})"
    r"(?:(?P<hour>\d{2})(?:(?P<minute>\d{2})(?:(?P<second>\d{2})(?:\.\d{1,6})?)?)?)?"
    r"(?P<zone>[+-]\d{4})?"
)


def birth_date(segment: Segment, path: str) -> date | str | None:
    """Read a date (DT, or the first eight digits of TS). A year or month alone is no birth date for a scanner.

    Nor is a day that has not come yet, wherever on earth the sender is.
    """
    value = segment.get(path)
    if value is None or value is NULL:
        return value
    if len(value) > 8:
        parsed = _MOMENT.fullmatch(value)
        value = parsed["day"] if parsed else ""
    match = _DATE.fullmatch(value)
    if match is None:
        raise wrong(segment, path, "is not a date")
    year, month, day = match.groups()
    if day is None:
        raise Doubt("the birth date is not exact and was left as it is")
    born = _day(segment, path, f"{year}{month}{day}")
    if born > timezone.localdate() + _ANY_CLOCK:
        raise Doubt("the birth date is in the future and was not taken")
    return born


def moment(segment: Segment, path: str) -> datetime | str | None:
    """Read a point in time (TS, DTM); without an offset it is naive, without hours it is midnight."""
    value = segment.get(path)
    if value is None or value is NULL:
        return value
    match = _MOMENT.fullmatch(value)
    if match is None:
        raise wrong(segment, path, "is not a date and time")
    day = _day(segment, path, match["day"])
    try:
        clock = time(int(match["hour"] or 0), int(match["minute"] or 0), int(match["second"] or 0))
        offset = _offset(match["zone"])
    except ValueError:
        raise wrong(segment, path, "is not a time of day") from None
    return datetime.combine(day, clock, tzinfo=offset)


def start(segment: Segment, path: str) -> datetime | None:
    """Read when an exam shall begin. A day without an hour, or years ago, is no time to book a scanner for."""
    value = moment(segment, path)
    if not isinstance(value, datetime):
        return None
    if len((segment.get(path) or "").partition("+")[0].partition("-")[0]) <= 8:
        raise Doubt("the start names a day but no time, so the order waits to be scheduled")
    if value.date() < timezone.localdate() - _LONG_AGO:
        raise Doubt("the start is more than five years ago, so the order waits to be scheduled")
    return value


def _day(segment: Segment, path: str, digits: str) -> date:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        raise wrong(segment, path, "is a date that does not exist") from None


def _offset(written: str | None) -> tzinfo | None:
    if not written:
        return None
    hours, minutes = int(written[1:3]), int(written[3:5])
    if hours > 14 or minutes > 59:
        raise ValueError
    offset = timedelta(hours=hours, minutes=minutes)
    return fixed_zone(-offset if written[0] == "-" else offset)


def decimal(segment: Segment, path: str) -> Decimal | None:
    """Read a number (NM); a decimal comma is understood, other text is a Doubt: it is no reason to refuse an order."""
    value = segment.get(path)
    if value is None or value is NULL:
        return None
    written = value.strip().replace(",", ".")
    if not _NUMBER.fullmatch(written):
        raise Doubt("is not a number and was not taken")
    return Decimal(written)


@dataclass(frozen=True, slots=True)
class Names:
    """A person's name as DICOM component groups."""

    alphabetic: str = ""
    ideographic: str = ""
    phonetic: str = ""


def patient_names(segment: Segment, path: str) -> Names | str | None:
    """Read XPN: the name in up to three representations, written either as repetitions with XPN-8 or with ``=``.

    Of several names the legal one (XPN-7 = L) counts, else the first.
    """
    number = int(path)
    if segment.field(number) == NULL:
        return NULL
    found: dict[str, str] = {}
    for repetition in sorted(segment.repetitions(number), key=lambda name: name.get(7) != "L"):
        if repetition.raw == NULL:
            return NULL
        for representation, name in _representations(repetition):
            found.setdefault(representation, name)
    return Names(found.get("A", ""), found.get("I", ""), found.get("P", "")) if any(found.values()) else None


def name_group(group: str) -> Callable[[Segment, str], str | None]:
    """Make the reader of one representation. A new name replaces all three: an old one would name somebody else."""

    def read(segment: Segment, path: str) -> str | None:
        names = patient_names(segment, path)
        return str(getattr(names, group)) if isinstance(names, Names) else names

    return read


def _representations(repetition: Repetition) -> list[tuple[str, str]]:
    if "=" in repetition.raw:
        groups = repetition.split("=")
        return [(kind, _xpn(group)) for kind, group in zip("AIP", groups, strict=False) if group.raw.strip("^ ")]
    kind = repetition.get(8)
    return [(kind if kind in ("A", "I", "P") else "A", _xpn(repetition))]


def _xpn(name: Repetition, first: int = 1) -> str:
    """Turn family^given^middle^suffix^prefix of HL7 into DICOM's family^given^middle^prefix^suffix."""
    parts = name.texts()[first - 1 : first + 4]
    family, given, middle, suffix, prefix = [*parts, "", "", "", "", ""][:5]
    return person_name.join(family, given, middle, prefix, suffix)


def physician(segment: Segment, path: str) -> str | None:
    """Read XCN (id^family^given^...) as a name; an id without a name is better than nothing."""
    repetitions = segment.repetitions(int(path))
    return physician_of(repetitions[0]) if repetitions else None


def physician_of(repetition: Repetition) -> str | None:
    """Read one repetition of XCN."""
    if repetition.raw == NULL:
        return NULL
    return _xpn(repetition, first=2) or repetition.get(1)


def performer_of(repetition: Repetition) -> str | None:
    """Read NDL, whose first component is a name cut by subcomponents (id&family&given); some send XCN instead."""
    parts = [repetition.get(1, number) or "" for number in range(1, 7)]
    if repetition.raw == NULL or not any(parts[1:]):
        return physician_of(repetition)
    return person_name.join(parts[1], parts[2], parts[3], parts[5], parts[4])


def degree_of(repetition: Repetition) -> str:
    """Return the degree of NDL (its seventh subcomponent) or XCN (its seventh component), without what follows it.

    "R.T.(R)(CT)" is RT.
    """
    degree = repetition.get(1, 7) or repetition.get(7) or ""
    return degree.partition("(")[0].replace(".", "").strip().upper()


def location(segment: Segment, path: str) -> str | None:
    """Read PL as ward^room^bed."""
    repetitions = segment.repetitions(int(path))
    if not repetitions:
        return None
    if repetitions[0].raw == NULL:
        return NULL
    return "^".join(repetitions[0].texts()[:3]).rstrip("^") or None


def phone(segment: Segment, path: str) -> str | None:
    """Read XTN: the number as written in its first component, else area code and local number, else component 12."""
    for repetition in segment.repetitions(int(path)):
        if repetition.raw == NULL:
            return NULL
        parts = [*repetition.texts(), *[""] * 12]
        number = parts[0] or " ".join(filter(None, (parts[4], parts[5], parts[6]))) or parts[11]
        if number:
            return number
    return None


_MINUTES = re.compile(r"\d{1,5}")
_MINUTES_OF = {"S": 1 / 60, "SEC": 1 / 60, "M": 1, "MIN": 1, "H": 60, "HR": 60}


def minutes(segment: Segment, path: str) -> int | None:
    """Read a duration whose unit stands in the field after it (AIS-7 and AIS-8), without one minutes.

    One of no minute, or in another unit, says nothing about an exam.
    """
    said = segment.get(path) or ""
    unit = (segment.get(str(int(path) + 1)) or "MIN").upper()
    if not _MINUTES.fullmatch(said) or unit not in _MINUTES_OF:
        return None
    return round(int(said) * _MINUTES_OF[unit]) or None
