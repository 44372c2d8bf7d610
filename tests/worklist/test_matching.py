# ruff: noqa: DTZ001, DTZ007 - wall clocks, as scanners write them
"""Keys become conditions: PS3.4 C.2.2.2 without a database."""

import fnmatch
import re
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.matching import (
    UNIVERSAL,
    AnyOf,
    BadKeyError,
    DateSpan,
    Kind,
    Single,
    TimeSpan,
    Wildcard,
    Window,
    combined,
    condition,
)


def day(text: str) -> DateSpan:
    found = condition(Kind.RANGE, "DA", [text])
    assert isinstance(found, DateSpan)
    return found


def clock(text: str) -> TimeSpan:
    found = condition(Kind.RANGE, "TM", [text])
    assert isinstance(found, TimeSpan)
    return found


def window(days: str, times: str) -> Window:
    return combined(condition(Kind.RANGE, "DA", [days]), condition(Kind.RANGE, "TM", [times]))


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.NONE, Kind.SEQUENCE)])
@pytest.mark.parametrize("values", [[], [""], ["  "], ["*"], ["***"], ["*\0"], ["", ""]])
def test_an_empty_key_and_a_lone_star_match_everything(kind: Kind, values: list[str]) -> None:
    assert condition(kind, "LO", values) is UNIVERSAL


def test_padding_does_not_count() -> None:
    assert condition(Kind.SINGLE, "AE", ["  CT1 "]) == Single("CT1")
    assert condition(Kind.UID_LIST, "UI", ["1.2.3\0"]) == Single("1.2.3")


def test_a_single_value_key_takes_a_star_for_a_star() -> None:
    assert condition(Kind.SINGLE, "AE", ["CT*"]) == Single("CT*")


def test_a_name_loses_the_carets_of_empty_components() -> None:
    assert condition(Kind.WILDCARD, "PN", ["DOE^JOHN^^^"]) == Single("DOE^JOHN")
    assert condition(Kind.WILDCARD, "PN", ["DOE^J*"]) == Wildcard("DOE^J*")


def test_several_values_mean_any_of_them() -> None:
    uids = condition(Kind.UID_LIST, "UI", ["1.2.3", "1.2.4"])
    assert uids == AnyOf((Single("1.2.3"), Single("1.2.4")))
    assert condition(Kind.SINGLE, "CS", ["PT", "CT"]) == AnyOf((Single("PT"), Single("CT")))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("20060705", date(2006, 7, 5), date(2006, 7, 5)),
        ("2006.07.05", date(2006, 7, 5), date(2006, 7, 5)),
        ("20060705-20060707", date(2006, 7, 5), date(2006, 7, 7)),
        ("2006.07.05-2006.07.07", date(2006, 7, 5), date(2006, 7, 7)),
        ("20060705 - 20060707 ", date(2006, 7, 5), date(2006, 7, 7)),
        ("20060705-", date(2006, 7, 5), None),
        ("-20060707", None, date(2006, 7, 7)),
        ("20240229", date(2024, 2, 29), date(2024, 2, 29)),
    ],
)
def test_dates(text: str, low: date | None, high: date | None) -> None:
    assert day(text) == DateSpan(low, high)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("100000", time(10), time(10, 0, 0, 999999)),
        ("1000", time(10), time(10, 0, 59, 999999)),
        ("10", time(10), time(10, 59, 59, 999999)),
        ("10:00:00", time(10), time(10, 0, 0, 999999)),
        ("100000.5", time(10, 0, 0, 500000), time(10, 0, 0, 599999)),
        ("235960", time(23, 59, 59), time(23, 59, 59, 999999)),
        ("100000-180000", time(10), time(18, 0, 0, 999999)),
        ("10-", time(10), None),
        ("-1800", None, time(18, 0, 59, 999999)),
    ],
)
def test_times(text: str, low: time | None, high: time | None) -> None:
    assert clock(text) == TimeSpan(low, high, single="-" not in text)


@pytest.mark.parametrize(
    "text",
    ["20060230", "20061301", "2006", "yesterday", "2006-07-05", "-", "20060707-20060705", "00000101", "٢٠٠٦٠٧٠٥"],
)
def test_no_such_date(text: str) -> None:
    with pytest.raises(BadKeyError) as refused:
        day(text)
    assert text not in str(refused.value)


@pytest.mark.parametrize("text", ["2500", "1060", "10:0000", "100061", "noon", "-", "1", "100", "10+01"])
def test_no_such_time(text: str) -> None:
    with pytest.raises(BadKeyError):
        clock(text)


def test_a_date_key_has_one_value() -> None:
    with pytest.raises(BadKeyError):
        condition(Kind.RANGE, "DA", ["20060705", "20060706"])


def test_date_and_time_ranges_are_one_range() -> None:
    both = window("20060705-20060707", "100000-180000")
    assert both.contains(datetime(2006, 7, 5, 10))
    assert both.contains(datetime(2006, 7, 6, 3))
    assert both.contains(datetime(2006, 7, 7, 18))
    assert not both.contains(datetime(2006, 7, 5, 9, 59))
    assert not both.contains(datetime(2006, 7, 7, 18, 1))


def test_a_night_shift_is_one_range() -> None:
    both = window("20060705-20060706", "220000-060000")
    assert both.contains(datetime(2006, 7, 5, 23))
    assert both.contains(datetime(2006, 7, 6, 5))
    assert not both.contains(datetime(2006, 7, 6, 7))


@pytest.mark.parametrize(
    ("days", "times", "inside", "outside"),
    [
        ("20060705", "", "20060705 2359", "20060706 0000"),
        ("20060705", "08-12", "20060705 1230", "20060705 1300"),
        ("20060705-", "10-", "20060706 0100", "20060705 0959"),
        ("-20060705", "-10", "20060701 2300", "20060705 1100"),
        ("20060705-20060706", "10-", "20060706 0100", "20060705 0900"),
        ("20060705-20060706", "-10", "20060705 0100", "20060706 1100"),
        ("20060705-20060706", "1000", "20060706 1000", "20060706 1001"),
        ("", "08-12", "19990101 0900", "19990101 0700"),
        ("20060705", "1000", "20060705 1000", "20060705 1001"),
    ],
)
def test_windows(days: str, times: str, inside: str, outside: str) -> None:
    found = window(days, times)
    assert found.contains(datetime.strptime(inside, "%Y%m%d %H%M"))
    assert not found.contains(datetime.strptime(outside, "%Y%m%d %H%M"))


@pytest.mark.parametrize(("days", "times"), [("20060705", "18-10"), ("", "22-06")])
def test_a_window_that_ends_before_it_begins(days: str, times: str) -> None:
    with pytest.raises(BadKeyError):
        window(days, times)


def test_no_date_and_no_time_is_any_time() -> None:
    assert window("", "").open


DAYS = st.dates(date(1990, 1, 1), date(2040, 1, 1))


@given(low=DAYS, width=st.integers(0, 900), probe=DAYS)
def test_a_date_range_holds_what_python_says(low: date, width: int, probe: date) -> None:
    high = low + timedelta(days=width)
    assert day(f"{low:%Y%m%d}-{high:%Y%m%d}").contains(probe) == (low <= probe <= high)


@given(
    low=st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)),
    width=st.timedeltas(timedelta(0), timedelta(days=30)),
    probe=st.datetimes(datetime(1990, 1, 1), datetime(2031, 1, 1)),
)
def test_a_moment_range_holds_what_python_says(low: datetime, width: timedelta, probe: datetime) -> None:
    low, probe = low.replace(microsecond=0), probe.replace(microsecond=0)
    high = (low + width).replace(microsecond=0)
    found = window(f"{low:%Y%m%d}-{high:%Y%m%d}", f"{low:%H%M%S}-{high:%H%M%S}")
    assert found.contains(probe) == (low <= probe <= high)


@given(pattern=st.text("ab*?^[", max_size=12), text=st.text("ab^[*", max_size=12))
def test_a_wildcard_fits_what_a_regular_expression_says(pattern: str, text: str) -> None:
    # fnmatch reads `[` as a set of characters, DICOM does not
    expression = re.compile(fnmatch.translate(pattern.replace("[", "[[]")))
    assert Wildcard(pattern).fits(text) == bool(expression.match(text))


def test_no_pattern_takes_long() -> None:
    assert not Wildcard("*a" * 200 + "b").fits("a" * 1000)


@given(kind=st.sampled_from(Kind), vr=st.sampled_from(["DA", "TM", "PN", "LO", "UI"]), values=st.lists(st.text()))
def test_any_value_is_a_condition_or_refused(kind: Kind, vr: str, values: list[str]) -> None:
    try:
        found = condition(kind, vr, values)
    except BadKeyError:
        return
    assert found is not None
