"""The slot finder: the next free places, on wished days, for linked exams; and in words why not elsewhere."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ris.actions import places, schedule, slots
from ris.actions.slots import Found, Part, Search, Spread
from ris.models import ExamGap, ExamNeed, ScheduledProcedureStep, Station
from tests import factories

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")


def at(clock: str, day: int = 23, month: int = 11) -> datetime:
    """A time of a day by the clock on the wall; the 23rd of November 2026 is a Monday."""
    return datetime.combine(date(2026, month, day), time.fromisoformat(clock), BERLIN)


def waiting(code: str = "CTABD", **values: Any) -> ScheduledProcedureStep:
    return factories.step("REQUESTED", exam=factories.exam(code), **values)


def find(*steps: ScheduledProcedureStep, since: str = "07:00", days: int = 14, **values: Any) -> Found:
    wishes = tuple(places.wish_of(step) for step in steps)
    return slots.find(Search(wishes, at(since), at("00:00") + timedelta(days=days), **values))


def told(found: Found) -> list[str]:
    """Options as "CT1 Mon 08:00", linked ones with a plus between."""
    return [
        " + ".join(f"{one.station.name} {one.start.astimezone(BERLIN):%a %H:%M}" for one in option.places)
        for option in found.options
    ]


def why(found: Found) -> dict[str, str]:
    return {station.name: words for station, words in found.others}


@pytest.fixture
def two() -> tuple[Station, Station]:
    """Two scanners, open on workdays from 8:00 to 17:00; CT1 is filled first."""
    stations = factories.station("CT1", rank=1), factories.station("CT2", rank=2)
    factories.hours(site=stations[0].site)
    return stations


def take(station: str, clock: str, day: int = 23, minutes: int = 20) -> None:
    step = waiting()
    where = factories.station(station)
    schedule.book(by=factories.BY, step=step, start=at(clock, day), station=where, duration=minutes)


def test_the_earliest_come_first_and_the_station_that_is_filled_first(two: tuple[Station, Station]) -> None:
    take("CT1", "08:00")
    found = find(waiting(), most=4)
    assert told(found) == ["CT2 Mon 08:00", "CT1 Mon 08:20", "CT2 Mon 08:20", "CT1 Mon 08:40"]


def test_times_are_whole_five_minutes_and_not_before_one_may_ask(two: tuple[Station, Station]) -> None:
    assert told(find(waiting(), since="10:02", most=1)) == ["CT1 Mon 10:05"]


def test_a_fair_picture_of_a_day_has_each_station_once_in_each_hour(two: tuple[Station, Station]) -> None:
    take("CT2", "08:00", minutes=90)
    take("CT1", "09:00", minutes=100)
    found = find(waiting(), days=1, most=100, spread=Spread(hours=1, stations=2))
    assert told(found)[:5] == ["CT1 Mon 08:00", "CT2 Mon 09:30", "CT2 Mon 10:00", "CT1 Mon 10:40", "CT1 Mon 11:00"]
    assert told(found)[-1] == "CT2 Mon 16:00"
    one = find(waiting(), days=1, most=100, spread=Spread(hours=1, stations=1))
    assert told(one)[2:4] == ["CT2 Mon 10:00", "CT1 Mon 11:00"]
    assert why(one) == {}


def test_a_fair_picture_of_a_week_has_each_half_day(two: tuple[Station, Station]) -> None:
    found = find(waiting(), days=7, most=100, spread=Spread(hours=12, stations=2))
    halves = [
        f"CT{number} {day} {clock}" for day in ("Mon", "Tue") for clock in ("08:00", "12:00") for number in (1, 2)
    ]
    assert told(found)[:8] == halves
    assert len(found.options) == 5 * 4


def test_who_is_left_out_of_a_fair_picture_is_free_too(two: tuple[Station, Station]) -> None:
    found = find(waiting(), days=1, most=100, spread=Spread(hours=12, stations=1))
    assert told(found) == ["CT1 Mon 08:00", "CT1 Mon 12:00"]
    assert why(found) == {"CT2": "CT2 is free too; choose it to see its times"}


def test_linked_exams_are_spread_by_the_first_of_them(two: tuple[Station, Station]) -> None:
    jane = factories.patient()
    factories.station("MR1")
    schedule.book(by=factories.BY, step=waiting("MRHEAD"), start=at("08:00"), duration=210)
    found = find(
        waiting(patient=jane), waiting("MRHEAD", patient=jane), days=1, most=4, spread=Spread(hours=1, stations=1)
    )
    assert told(found)[:2] == ["CT1 Mon 09:20 + MR1 Mon 11:30", "CT1 Mon 10:00 + MR1 Mon 11:30"]


def test_a_gap_that_is_too_short_is_passed_over(two: tuple[Station, Station]) -> None:
    for station in ("CT1", "CT2"):
        take(station, "08:15", minutes=60)
    assert told(find(waiting(), most=1)) == ["CT1 Mon 09:15"]


def test_the_next_days_are_searched_when_this_one_is_full_or_closed(two: tuple[Station, Station]) -> None:
    for station in ("CT1", "CT2"):
        take(station, "08:00", minutes=9 * 60)
    factories.closure(at("00:00", 24), at("00:00", 26), site=two[0].site)
    assert told(find(waiting(), most=1)) == ["CT1 Thu 08:00"]
    assert told(find(waiting(), since="18:00", days=2)) == []


@pytest.mark.parametrize(("part", "first"), [(Part.ANY, "08:00"), (Part.MORNING, "08:00"), (Part.AFTERNOON, "12:00")])
def test_who_can_come_in_a_part_of_the_day_only(two: tuple[Station, Station], part: Part, first: str) -> None:
    found = find(waiting(), part=part, most=100, each=100, days=1)
    assert told(found)[0] == f"CT1 Mon {first}"
    ends = {option.places[0].end.astimezone(BERLIN).time() for option in found.options}
    assert max(ends) == (time(12) if part == Part.MORNING else time(17))


def test_only_this_station_or_any_site(two: tuple[Station, Station]) -> None:
    clinic = factories.site("CLINIC", is_default=False)
    far = factories.station("CT9", site=clinic, rank=0)
    assert told(find(waiting(), station=two[1], most=1)) == ["CT2 Mon 08:00"]
    assert told(find(waiting(), site=two[0].site, most=1)) == ["CT1 Mon 08:00"]
    assert told(find(waiting(), most=1)) == ["CT9 Mon 07:00"]
    assert far.site == clinic


def test_the_patient_is_not_asked_to_be_in_two_rooms(two: tuple[Station, Station]) -> None:
    jane = factories.patient()
    factories.station("MR1")
    head = waiting("MRHEAD", patient=jane)
    schedule.book(by=factories.BY, step=head, start=at("08:10"))
    assert told(find(waiting(patient=jane), most=1)) == ["CT1 Mon 08:30"]


def test_a_step_that_is_moved_does_not_stand_in_its_own_way(two: tuple[Station, Station]) -> None:
    step = waiting()
    schedule.book(by=factories.BY, step=step, start=at("08:00"), station=two[0])
    step.refresh_from_db()
    assert told(find(step, most=1)) == ["CT1 Mon 08:00"]


def test_what_the_exam_needs_is_waited_for(two: tuple[Station, Station]) -> None:
    nurse = factories.resource("Ann", kind="STAFF", role="Nurse")
    factories.hours("10:00", "11:00", resource=nurse, rule="FREQ=DAILY")
    ExamNeed.new(exam=factories.exam(), kind="STAFF", role="Nurse")
    found = find(waiting(), most=4)
    assert told(found) == ["CT1 Mon 10:00", "CT2 Mon 10:00", "CT1 Mon 10:20", "CT2 Mon 10:20"]
    assert [row.name for row in found.options[0].places[0].resources] == ["Ann"]
    schedule.book(by=factories.BY, step=waiting(), start=at("10:00"), station=two[0])
    assert told(find(waiting(), most=1)) == ["CT1 Mon 10:20"]


def test_linked_exams_follow_each_other_in_their_order(two: tuple[Station, Station]) -> None:
    factories.station("MR1")
    take_mr = waiting("MRHEAD")
    schedule.book(by=factories.BY, step=take_mr, start=at("08:10"), duration=180)
    jane = factories.patient()
    ct, mr = waiting(patient=jane), waiting("MRHEAD", patient=jane)
    assert told(find(ct, mr, most=2)) == ["CT1 Mon 09:00 + MR1 Mon 11:10", "CT2 Mon 09:00 + MR1 Mon 11:10"]
    assert told(find(mr, ct, most=1)) == ["MR1 Mon 11:10 + CT1 Mon 11:30"]
    both = find(ct, waiting("CTHEAD", patient=jane), most=1)
    assert told(both) == ["CT1 Mon 08:00 + CT1 Mon 08:20"]


def test_each_station_that_is_not_offered_has_its_reason() -> None:
    for name in ("CT1", "CT2", "CT3", "CT4", "CT5"):
        factories.station(name)
    scanner = {row.name: row.resources.get() for row in Station.objects.all()}
    factories.hours("13:00", "17:00", resource=scanner["CT2"])
    factories.closure(at("07:00"), at("12:00"), resource=scanner["CT3"])
    factories.station("CT4").change(active=True)
    factories.exam().stations.set(Station.objects.exclude(name="CT5"))
    for name in ("CT1", "CT2", "CT3"):
        factories.resource(f"Injector {name}", role="Injector", station=factories.station(name))
    ExamNeed.new(exam=factories.exam(), kind="EQUIPMENT", role="Injector")
    found = find(waiting(), since="08:00", most=3)
    assert told(found) == ["CT1 Mon 08:00", "CT1 Mon 08:20", "CT1 Mon 08:40"]
    assert why(found) == {
        "CT2": "CT2 is closed until 13:00",
        "CT3": "CT3: maintenance (New tube) until 12:00",
        "CT4": "CT4 has no Injector",
        "CT5": "CT5 does not do this exam",
    }


def test_rules_of_the_catalogue_have_their_say(two: tuple[Station, Station], monkeypatch: pytest.MonkeyPatch) -> None:
    def make(wish: places.Wish) -> places.Rule:
        return lambda station, start: ["8 weeks since last barium"] if start < at("00:00", 26) else []

    monkeypatch.setattr(places, "rules", [make])
    assert told(find(waiting(), most=1)) == ["CT1 Thu 08:00"]
    none = find(waiting(), days=2)
    assert (told(none), why(none)["CT2"]) == ([], "CT2 is closed until 08:00; 8 weeks since last barium")


def test_an_exam_keeps_its_distance_from_another_one(two: tuple[Station, Station]) -> None:
    jane = factories.patient()
    barium = factories.exam("CTBARIUM")
    schedule.book(by=factories.BY, step=waiting("CTBARIUM", patient=jane), start=at("08:00"))
    ExamGap.new(exam=factories.exam(), after=barium, length=2, unit="d", reason="Barium")
    found = find(waiting(patient=jane), since="09:00", most=1)
    assert told(found) == ["CT1 Wed 08:00"]
    none = find(waiting(patient=jane), since="09:00", days=1)
    assert "Not within 2 days after Exam CTBARIUM" in why(none)["CT1"]


def test_a_day_on_which_the_clock_changes_has_no_place_twice() -> None:
    factories.station("CT1")
    wish = places.wish_of(waiting())
    found = slots.find(Search((wish,), at("00:00", 25, 10), at("06:00", 25, 10), most=100, each=100))
    assert len(found.options) == 7 * 3
    assert len({option.start for option in found.options}) == 7 * 3


def test_a_full_month_costs_no_more_statements_than_its_pieces(two: tuple[Station, Station]) -> None:
    step = waiting()
    with CaptureQueriesContext(connection) as near:
        find(step, most=1)
    for day in range(1, 9):
        factories.closure(at("00:00") + timedelta(days=day - 1), at("00:00") + timedelta(days=day), site=two[0].site)
    with CaptureQueriesContext(connection) as far:
        assert told(find(step, most=1)) == ["CT1 Tue 08:00"]
    assert len(far) - len(near) <= 3
    with CaptureQueriesContext(connection) as spread:
        assert find(step, days=1, most=144, spread=Spread(hours=1, stations=6)).options == ()
    assert len(spread) <= len(near) + 1, "a day is one piece, however many places are looked at"


@pytest.mark.parametrize(
    ("start", "following"), [("2027-03-27T23:00", "2027-03-28T10:00"), ("2027-10-30T22:00", "2027-10-31T11:00")]
)
def test_half_a_day_ends_at_noon_when_the_clocks_are_changed(start: str, following: str) -> None:
    station = factories.station(site=factories.site(time_zone="Europe/Berlin"))
    noon = Spread(hours=12, stations=1).next_part(station, datetime.fromisoformat(f"{start}+00:00"))
    assert noon == datetime.fromisoformat(f"{following}+00:00")
