"""Where steps go: the catalogue's rules, a station that somebody names, and what happens when it is taken."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pytest_django import DjangoAssertNumQueries

from ris.actions import catalogue, exams, schedule
from ris.actions.schedule import station_named
from ris.errors import ForbiddenMove, InvalidValue, UnknownStation
from ris.models import Attention, Event, EventKind, ScheduledProcedureStep
from ris.states import StepState
from tests import factories
from tests.refusals import refused

pytestmark = pytest.mark.django_db

BY = factories.BY


def place_of(step: ScheduledProcedureStep) -> str | None:
    """The AE title where a step is now."""
    step.refresh_from_db()
    return step.station.ae_title if step.station else None


def attentions(step: ScheduledProcedureStep) -> list[Attention]:
    """What a person has to settle of the step's order."""
    order = step.requested_procedure.order
    order.refresh_from_db()
    return order.attentions


# --- the catalogue's rules --------------------------------------------------------------------------


def test_the_station_of_the_lowest_rank_is_filled_first() -> None:
    factories.station("CT1", rank=20)
    factories.station("CT2", rank=10)
    assert place_of(factories.step()) == "CT2"


def test_a_free_station_comes_before_a_taken_one() -> None:
    factories.station("CT1", rank=1)
    factories.station("CT2", rank=2)
    assert [place_of(factories.step()) for _ in range(2)] == ["CT1", "CT2"]


def test_the_orders_own_site_comes_first_even_if_it_is_taken() -> None:
    clinic = factories.site("CLINIC", is_default=False)
    factories.station("CT1", site=clinic, rank=2)
    factories.station("CT9", site=factories.site("HOSPITAL", is_default=True), rank=1)
    first, second = (factories.step(site=clinic) for _ in range(2))
    assert (place_of(first), place_of(second)) == ("CT1", "CT1")
    assert attentions(second) == [Attention.DOUBLE_BOOKED]


def test_an_exam_stays_on_the_stations_that_may_do_it() -> None:
    factories.station("CT1", rank=1)
    factories.exam().stations.add(factories.station("CT2", rank=2))
    assert [place_of(factories.step()) for _ in range(2)] == ["CT2", "CT2"]


@pytest.mark.parametrize("why", ["out of use", "another modality"])
def test_a_station_that_cannot_do_it_is_never_chosen(why: str) -> None:
    factories.station("MR1" if why == "another modality" else "CT1", active=why != "out of use")
    step = factories.step("REQUESTED", start=factories.today_at(10))
    assert (place_of(step), step.start) == (None, factories.today_at(10))
    assert attentions(step) == [Attention.NO_STATION]


@pytest.mark.parametrize(
    ("other", "duration", "taken"),
    [
        ((9, 40), 20, False),  # ends when this one begins
        ((9, 41), 20, True),
        ((10, 0), 20, True),
        ((10, 19), 20, True),
        ((10, 20), 20, False),  # begins when this one ends
        ((9, 0), 180, True),
    ],
)
def test_periods_are_half_open(other: tuple[int, int], duration: int, taken: bool) -> None:
    schedule.book(by=BY, step=factories.step("REQUESTED"), start=factories.today_at(*other), duration=duration)
    assert (Attention.DOUBLE_BOOKED in attentions(factories.step())) is taken


@pytest.mark.parametrize("state", ["CANCELED", "COMPLETED", "DISCONTINUED", "NO_SHOW"])
def test_what_is_over_frees_its_time(state: str) -> None:
    factories.step(state)
    assert attentions(factories.step()) == []


def test_the_hour_that_a_clock_change_repeats_is_two_hours() -> None:
    """On 25 October 2026 clocks in Berlin went from 3:00 back to 2:00; 2:50 + 20 minutes is the second 2:10."""
    here = ZoneInfo("Europe/Berlin")
    summer, winter = (datetime(2026, 10, 25, 2, 10, tzinfo=here, fold=fold) for fold in (0, 1))
    late = datetime(2026, 10, 25, 2, 50, tzinfo=here, fold=0)
    early, crossing = factories.step("REQUESTED"), factories.step("REQUESTED")
    schedule.book(by=BY, step=early, start=summer, duration=20, station=factories.station("CT1"))
    schedule.book(by=BY, step=crossing, start=late, duration=20, station=factories.station("CT1"))
    assert attentions(crossing) == []
    crossing.refresh_from_db()
    assert crossing.end == winter.astimezone(UTC)


# --- booking, moving, unbooking ---------------------------------------------------------------------


def test_a_waiting_step_is_booked_moved_and_taken_off_again() -> None:
    step = factories.step("REQUESTED")
    seen: list[Any] = []
    for act in (
        lambda: schedule.book(by=BY, step=step, start=factories.today_at(11)),
        lambda: schedule.book(by=BY, step=step, start=factories.today_at(12), reason="patient asked"),
        lambda: schedule.unbook(by=BY, step=step),
    ):
        act()
        step.refresh_from_db()
        seen.append((step.state, step.start))
    assert seen == [
        ("SCHEDULED", factories.today_at(11)),
        ("SCHEDULED", factories.today_at(12)),
        ("REQUESTED", None),
    ]
    told = list(Event.objects.filter(step=step).order_by("pk").values_list("kind", flat=True))
    assert told == [EventKind.STEP_BOOKED, EventKind.STEP_MOVED, EventKind.STEP_UNBOOKED]


def test_a_booking_without_news_leaves_no_trace() -> None:
    step = factories.step()
    before = Event.objects.count()
    assert schedule.book(by=BY, step=step)
    assert schedule.book(by=BY, step=step, start=step.start, station=step.station)
    assert Event.objects.count() == before


def test_a_step_that_moves_stays_on_its_station_where_it_can() -> None:
    factories.station("CT1", rank=1)
    ct2 = factories.station("CT2", rank=2)
    step = factories.step(station=ct2)
    schedule.book(by=BY, step=step, start=factories.today_at(12))
    assert place_of(step) == "CT2"


def test_a_step_does_not_stand_in_its_own_way() -> None:
    step = factories.step()
    schedule.book(by=BY, step=step, start=factories.today_at(10, 10))
    assert attentions(step) == []


def test_a_mark_goes_when_the_step_is_moved_to_a_free_time() -> None:
    factories.step()
    step = factories.step()
    assert attentions(step) == [Attention.DOUBLE_BOOKED]
    schedule.book(by=BY, step=step, start=factories.today_at(15))
    assert attentions(step) == []


def test_a_mark_that_has_nothing_to_do_with_the_place_stays() -> None:
    step = factories.step(code="X1", modality="CT")
    schedule.book(by=BY, step=step, start=factories.today_at(15))
    assert attentions(step) == [Attention.UNKNOWN_EXAM]


def test_a_step_without_modality_takes_that_of_the_station_it_is_put_on() -> None:
    factories.station("MR1")
    step = factories.step("REQUESTED", code="X1", start=None)
    schedule.book(by=BY, step=step, start=factories.today_at(11), station=factories.station("MR1"))
    step.refresh_from_db()
    assert (step.modality, step.state) == ("MR", "SCHEDULED")


def test_a_step_whose_new_time_has_no_station_waits_with_its_wish() -> None:
    step = factories.step()
    factories.station("CT1").change(active=False)
    assert not schedule.book(by=BY, step=step, start=factories.today_at(15))
    step.refresh_from_db()
    assert (step.state, step.station, step.start) == ("REQUESTED", None, factories.today_at(15))
    assert attentions(step) == [Attention.NO_STATION]


def test_nothing_is_booked_without_a_time() -> None:
    with refused(InvalidValue):
        schedule.book(by=BY, step=factories.step("REQUESTED"))


@pytest.mark.parametrize(("ae_title", "error"), [("MR1", ForbiddenMove), ("CT9", UnknownStation)])
def test_a_named_station_has_to_fit(ae_title: str, error: type[Exception]) -> None:
    factories.station("CT1")
    factories.station("MR1")
    factories.station("CT9", active=False)
    step = factories.step("REQUESTED")
    with refused(error):
        schedule.book(by=BY, step=step, start=factories.today_at(11), station=factories.station(ae_title))
    assert place_of(step) is None


@pytest.mark.parametrize("state", sorted(set(StepState.values) - {"REQUESTED", "SCHEDULED", "NO_SHOW"}))
def test_who_is_there_already_is_not_booked_again(state: str) -> None:
    step = factories.step(state)
    with refused(ForbiddenMove):
        schedule.book(by=BY, step=step, start=factories.today_at(15))
    with refused(ForbiddenMove):
        schedule.unbook(by=BY, step=step)


def test_who_came_too_late_is_booked_again() -> None:
    step = factories.step("NO_SHOW")
    assert schedule.book(by=BY, step=step, start=factories.today_at(15, days=1))
    step.refresh_from_db()
    assert step.state == "SCHEDULED"


def test_a_booking_works_on_the_row_as_it_is() -> None:
    step = factories.step()
    exams.go("start", by=BY, step=step)
    with refused(ForbiddenMove):
        schedule.book(by=BY, step=step, start=factories.today_at(15))


def test_a_booking_costs_few_statements(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    step = factories.step("REQUESTED")
    catalogue.gaps()  # kept for a second
    with django_assert_max_num_queries(15):
        schedule.book(by=BY, step=step, start=factories.today_at(11))


# --- names of stations ------------------------------------------------------------------------------


def test_a_station_is_known_by_its_ae_title_or_its_own_name() -> None:
    ct1 = factories.station("CT1", name="Big Bertha")
    factories.station("CT2", name="Twin")
    factories.station("CT3", name="Twin")
    factories.station("CT4", name="Old", active=False)
    found = [station_named(name) for name in ("CT1", "Big Bertha", "Twin", "CT4", "Old", "ct1", "")]
    assert found == [ct1, ct1, None, None, None, None, None]
