"""Calendars: hours by weekday, closures, reserved times, days on which the clock changes, sites in other zones."""

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError

from ris import intervals
from ris.actions import schedule
from ris.actions.calendars import Calendars, Claim, period
from ris.errors import NotOpen
from ris.models import Block, Closure, OpeningHours, Resource
from ris.models.resource import check_rule
from tests import factories
from tests.refusals import refused

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 11, 23)
NOBODY = Claim()


def at(clock: str, day: int = 23, month: int = 11, zone: ZoneInfo = BERLIN) -> datetime:
    """A time of a day by the clock on the wall; the 23rd of November 2026 is a Monday."""
    return datetime.combine(date(2026, month, day), time.fromisoformat(clock), zone)


def scanner(name: str = "CT1") -> Resource:
    return Resource.objects.select_related("site").get(station=factories.station(name))


def free(resource: Resource, *, day: int = 23, days: int = 1, claim: Claim = NOBODY) -> list[str]:
    """The free hours of some days as "08:00-17:00", by the site's clock."""
    zone = resource.site.zone
    calendars = Calendars([resource], at("00:00", day, zone=zone), at("00:00", day + days, zone=zone))
    hours = calendars.free(resource, claim)
    return ["-".join(f"{moment.astimezone(zone):%H:%M}" for moment in pair) for pair in hours]


# --- what is left of time -----------------------------------------------------------------------------


def spans(text: str) -> intervals.Intervals:
    """Periods of hours of one day, written as "8-12 13-17"."""
    pairs = [part.split("-") for part in text.split()]
    return [(datetime(2026, 1, 1, int(a), tzinfo=UTC), datetime(2026, 1, 1, int(b), tzinfo=UTC)) for a, b in pairs]


@pytest.mark.parametrize(
    ("periods", "merged"),
    [("", ""), ("8-9 9-10", "8-10"), ("12-13 8-9", "8-9 12-13"), ("8-12 9-10", "8-12"), ("8-8", "")],
)
def test_a_union_is_sorted_and_touches_nowhere(periods: str, merged: str) -> None:
    assert intervals.union(spans(periods)) == spans(merged)


@pytest.mark.parametrize(
    ("periods", "taken", "left"),
    [
        ("8-17", "", "8-17"),
        ("8-17", "12-13", "8-12 13-17"),
        ("8-17", "7-9 16-18", "9-16"),
        ("8-17", "8-17", ""),
        ("8-12 13-17", "11-14", "8-11 14-17"),
        ("8-12 13-17", "9-10 15-16", "8-9 10-12 13-15 16-17"),
        ("8-9", "9-10", "8-9"),
        ("8-10 11-12", "0-23", ""),
    ],
)
def test_what_is_taken_is_taken_away(periods: str, taken: str, left: str) -> None:
    assert intervals.subtract(spans(periods), spans(taken)) == spans(left)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [("8-12", "10-14", "10-12"), ("8-9", "9-10", ""), ("8-17", "9-10 11-12", "9-10 11-12"), ("", "8-9", "")],
)
def test_what_is_in_both(one: str, other: str, both: str) -> None:
    assert intervals.intersect(spans(one), spans(other)) == intervals.intersect(spans(other), spans(one)) == spans(both)


# --- opening hours --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_place_without_hours_is_always_open() -> None:
    assert free(scanner()) == ["00:00-00:00"]


@pytest.mark.django_db
def test_a_resource_has_the_hours_of_its_site_unless_it_has_its_own() -> None:
    ct1, ct2 = scanner("CT1"), scanner("CT2")
    factories.hours("08:00", "17:00", site=ct1.site)
    factories.hours("00:00", "00:00", resource=ct2, rule="FREQ=DAILY")
    assert (free(ct1), free(ct2)) == (["08:00-17:00"], ["00:00-00:00"])
    assert (free(ct1, day=28), free(ct2, day=28)) == ([], ["00:00-00:00"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rule", "open_on"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE", [23, 25]),
        ("FREQ=DAILY", [22, 23, 24, 25, 26, 27, 28, 29]),
        ("FREQ=MONTHLY;BYDAY=4SA", [28]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU", [24]),  # 8, 10, 12, 24 November, counted from 3 November on: 24 is out
        ("FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=27", [27]),
    ],
)
def test_days_come_back_by_their_rule(rule: str, open_on: list[int]) -> None:
    ct1 = scanner()
    factories.hours("08:00", "17:00", resource=ct1, rule=rule, valid_from=date(2026, 11, 10))
    assert [day for day in range(22, 30) if free(ct1, day=day)] == open_on


@pytest.mark.django_db
def test_hours_count_from_their_first_day_to_their_last() -> None:
    ct1 = scanner()
    factories.hours("08:00", "17:00", site=ct1.site, rule="FREQ=DAILY")
    values = {"valid_from": date(2026, 11, 24), "valid_until": date(2026, 11, 25)}
    factories.hours("10:00", "12:00", resource=ct1, rule="FREQ=DAILY", **values)
    assert free(ct1, days=4) == ["08:00-17:00", "10:00-12:00", "10:00-12:00", "08:00-17:00"]


@pytest.mark.django_db
def test_hours_may_go_on_past_midnight() -> None:
    ct1 = scanner()
    factories.hours("20:00", "02:00", resource=ct1, rule="FREQ=WEEKLY;BYDAY=MO")
    assert free(ct1, day=24) == ["00:00-02:00"]


@pytest.mark.django_db
def test_a_site_far_away_opens_by_its_own_clock() -> None:
    factories.station("CT9", site=factories.site("LISBON", time_zone="Europe/Lisbon"))
    ct9 = scanner("CT9")
    factories.hours("08:00", "17:00", site=ct9.site)
    (day,) = Calendars([ct9], at("00:00"), at("00:00", 24)).opening(ct9)
    assert day == (at("09:00"), at("18:00"))


@pytest.mark.parametrize(
    ("day", "begins", "ends", "minutes"),
    [
        (date(2026, 3, 29), "00:00", "06:00", 5 * 60),  # 2:00 to 3:00 is left out
        (date(2026, 10, 25), "00:00", "06:00", 7 * 60),  # 2:00 to 3:00 comes twice
        (date(2026, 10, 25), "02:00", "03:00", 2 * 60),
        (date(2026, 10, 25), "01:00", "02:30", 150),
        (date(2026, 3, 29), "01:00", "02:30", 90),  # ends at 3:30, when 90 minutes are over
        (date(2026, 10, 24), "22:00", "06:00", 9 * 60),
        (MONDAY, "00:00", "00:00", 24 * 60),
    ],
)
def test_a_day_on_which_the_clock_changes_has_its_real_minutes(day: date, begins: str, ends: str, minutes: int) -> None:
    start, end = period(day, time.fromisoformat(begins), time.fromisoformat(ends), BERLIN)
    assert (end - start).total_seconds() / 60 == minutes


@pytest.mark.parametrize(
    "rule",
    ["", "every Monday", "FREQ=HOURLY", "FREQ=WEEKLY;BYDAY=XX", "FREQ=DAILY;COUNT=3", "FREQ=DAILY;UNTIL=20270101",
     "FREQ=DAILY\nFREQ=DAILY", "BYDAY=MO", "FREQ=DAILY;BYHOUR=3", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;INTERVAL=x",
     "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=WEEKLY;TU", "FREQ=DAILY;"],
)  # fmt: skip
def test_what_is_no_rule_of_days_is_refused(rule: str) -> None:
    with pytest.raises(ValidationError):
        check_rule(rule)


# --- what keeps patients out ------------------------------------------------------------------------------


@pytest.mark.django_db
def test_closures_and_blocks_take_time_away() -> None:
    ct1 = scanner()
    factories.hours("08:00", "17:00", site=ct1.site)
    factories.block("12:00", "12:30", site=ct1.site)
    factories.closure(at("15:00"), at("16:00"), resource=ct1)
    assert free(ct1) == ["08:00-12:00", "12:30-15:00", "16:00-17:00"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "claim", "let_in"),
    [
        ({"kind": "INPATIENTS"}, Claim(inpatient=True), True),
        ({"kind": "INPATIENTS"}, Claim(emergency=True), False),
        ({"kind": "EMERGENCIES"}, Claim(emergency=True), True),
        ({"kind": "EMERGENCIES"}, NOBODY, False),
        ({"kind": "REFERRER", "referrer": "Curie"}, Claim(referrers=(frozenset({"curie", "marie"}),)), True),
        ({"kind": "REFERRER", "referrer": "Curie, Marie"}, Claim(referrers=(frozenset({"curie", "eve"}),)), False),
        ({"kind": "BREAK"}, Claim(inpatient=True, emergency=True), False),
    ],
)
def test_a_reserved_time_is_open_for_whom_it_is_reserved(values: dict[str, Any], claim: Claim, let_in: bool) -> None:
    ct1 = scanner()
    factories.hours("08:00", "17:00", site=ct1.site)
    factories.block("08:00", "10:00", resource=ct1, **values)
    assert free(ct1, claim=claim) == (["08:00-17:00"] if let_in else ["10:00-17:00"])


def _closed_then(ct1: Resource) -> None:
    factories.hours("13:00", "17:00", resource=ct1)


def _closes(ct1: Resource) -> None:
    factories.hours("08:00", "10:10", resource=ct1)


def _maintenance(ct1: Resource) -> None:
    factories.closure(at("09:00"), at("11:00"), resource=ct1)


def _holiday(ct1: Resource) -> None:
    factories.closure(at("00:00"), at("00:00", 24), site=ct1.site, kind="HOLIDAY", reason="Repentance Day")


def _reserved(ct1: Resource) -> None:
    factories.block("09:00", "12:00", resource=ct1, kind="EMERGENCIES", reason="Stroke unit")


def _quota(ct1: Resource) -> None:
    factories.block("09:00", "12:00", resource=ct1, kind="REFERRER", referrer="Dr Koch", reason="Contract")


def _weekend(ct1: Resource) -> None:
    factories.hours("08:00", "17:00", resource=ct1, rule="FREQ=WEEKLY;BYDAY=TH")


def _not_yet(ct1: Resource) -> None:
    ct1.change(valid_from=date(2026, 12, 1))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("story", "words"),
    [
        (_closed_then, "CT1 is closed until 13:00."),
        (_closes, "CT1 closes at 10:10."),
        (_maintenance, r"CT1: maintenance \(New tube\) until 11:00."),
        (_holiday, r"CT1: holiday \(Repentance Day\) until Tue 24 Nov 00:00."),
        (_reserved, r"CT1: reserved for emergencies \(Stroke unit\) until 12:00."),
        (_quota, r"CT1: reserved for Dr Koch \(Contract\) until 12:00."),
        (_weekend, "CT1 is closed until Thu 26 Nov 08:00."),
        (_not_yet, "CT1 is not in use on this day."),
    ],
)
def test_who_asks_for_a_time_that_is_not_open_is_told_why(story: Any, words: str) -> None:
    story(scanner())
    step = factories.step("REQUESTED")
    ct1 = factories.station("CT1")
    with refused(NotOpen, words):
        schedule.book(by=factories.BY, step=step, start=at("10:00"), station=ct1)
    assert schedule.book(by=factories.BY, step=step, start=at("10:00"), station=ct1, overbook=True, reason="asked")


@pytest.mark.django_db
def test_an_emergency_may_have_the_time_that_is_kept_for_it() -> None:
    _reserved(scanner())
    step = factories.step("REQUESTED", priority="STAT")
    assert schedule.book(by=factories.BY, step=step, start=at("10:00"))


# --- slips of the keyboard ---------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_row_that_makes_no_sense_is_refused_in_words() -> None:
    ct1 = scanner()
    rows = (
        OpeningHours(resource=ct1, site=ct1.site, opens=time(8), closes=time(17)),
        OpeningHours(opens=time(8), closes=time(17)),
        OpeningHours(site=ct1.site, opens=time(8), closes=time(9), valid_from=MONDAY, valid_until=date(2026, 1, 1)),
        Block(site=ct1.site, opens=time(8), closes=time(9), kind="REFERRER", reason="Quota"),
        Closure(site=ct1.site, start=at("10:00"), end=at("09:00"), reason="Slip"),
    )
    for row in rows:
        with pytest.raises(ValidationError):
            row.full_clean()
