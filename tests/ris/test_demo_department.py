"""The demo department is believable: who comes, when, where, and what becomes of it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_django
from django.db import transaction

from ris.actions import schedule
from ris.actions.calendars import Calendars
from ris.demo import load as demo_load
from ris.demo.exams import EXAMS
from ris.demo.fates import Place
from ris.demo.load import load
from ris.demo.plan import DAYS_AHEAD, DAYS_BACK
from ris.demo.sites import STATIONS
from ris.errors import AgainstRules
from ris.models import (
    Attention,
    Block,
    Booking,
    Closure,
    Event,
    EventKind,
    Exam,
    ExamNeed,
    Order,
    Patient,
    ScheduledProcedureStep,
    Site,
    SlotOffer,
    Station,
    WaitingListEntry,
)
from ris.states import OPEN, StepState, roll_up

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 18, 12, 0, tzinfo=BERLIN)
"""A Wednesday."""


@pytest.fixture(scope="module")
def made(django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker) -> Iterator[None]:
    """The department, made once for all these tests, which only look at it."""
    with django_db_blocker.unblock(), transaction.atomic():
        load(seed=1, patients=120, orders=150, now=NOON)
        yield
        transaction.set_rollback(True)


@pytest.fixture
def demo(made: None, db: None) -> None:
    """The department, for one test."""


def overlaps() -> Iterator[tuple[ScheduledProcedureStep, ScheduledProcedureStep]]:
    """Pairs of steps that take the same station, or the same patient, at the same time."""
    steps = list(
        ScheduledProcedureStep.objects.filter(station__isnull=False)
        .exclude(state=StepState.CANCELED)
        .select_related("requested_procedure__order")
        .order_by("start")
    )
    last: dict[tuple[str, Any], ScheduledProcedureStep] = {}
    for step in steps:
        for key in (("station", step.station_id), ("patient", step.requested_procedure.order.patient_id)):
            before = last.get(key)
            if before and before.end and step.start and before.end > step.start:
                yield before, step
            last[key] = step


def test_no_two_steps_take_one_station_or_one_patient_at_one_time(demo: None) -> None:
    assert list(overlaps()) == []


def test_every_state_is_there_today(demo: None) -> None:
    midnight = NOON.replace(hour=0)
    today = ScheduledProcedureStep.objects.filter(start__gte=midnight, start__lt=midnight + timedelta(days=1))
    waiting = ScheduledProcedureStep.objects.filter(state=StepState.REQUESTED, start=None)
    assert {*today.values_list("state", flat=True), *waiting.values_list("state", flat=True)} == set(StepState.values)


def test_what_is_over_has_an_end_and_what_is_to_come_has_not_begun(demo: None) -> None:
    placed = ScheduledProcedureStep.objects.filter(station__isnull=False)
    yesterday, tomorrow = NOON.replace(hour=0), NOON.replace(hour=0) + timedelta(days=1)
    assert not placed.filter(start__lt=yesterday, state__in=OPEN).exists()
    assert set(placed.filter(start__gte=tomorrow).values_list("state", flat=True)) <= {"SCHEDULED", "CANCELED"}


def test_three_weeks_around_today_are_filled(demo: None) -> None:
    starts = ScheduledProcedureStep.objects.filter(start__isnull=False).values_list("start", flat=True)
    days = {start.astimezone(BERLIN).date() for start in starts if start}
    today = NOON.date()
    assert min(days) >= today - timedelta(days=DAYS_BACK)
    assert max(days) <= today + timedelta(days=DAYS_AHEAD)
    assert len(days) >= 14


def test_steps_lie_in_the_opening_hours_of_their_station(demo: None) -> None:
    hours = {row.ae_title: row for row in STATIONS}
    for step in ScheduledProcedureStep.objects.filter(station__isnull=False).select_related("station"):
        assert step.station
        assert step.start
        assert step.end
        opens_closes = hours[step.station.ae_title].hours(step.start.astimezone(BERLIN).weekday())
        assert opens_closes, step.station
        assert opens_closes[0] <= step.start.astimezone(BERLIN).time()
        assert step.end.astimezone(BERLIN).time() <= opens_closes[1]


def test_exams_are_for_whom_they_are(demo: None) -> None:
    orders = Order.objects.select_related("patient")
    assert {order.patient.sex for order in orders.filter(procedures__exam__modality="MG")} == {"F"}
    assert {order.patient.sex for order in orders.filter(procedures__exam__code="MRPROST")} <= {"M"}


def test_names_come_in_many_scripts(demo: None) -> None:
    letters = "".join(
        f"{patient.patient_name}{patient.patient_name_ideographic}{patient.patient_name_phonetic}"
        for patient in Patient.objects.all()
    )
    for first, last in (
        ("Ā", "ſ"),
        ("а", "я"),
        ("α", "ω"),
        ("ا", "ي"),
        ("א", "ת"),
        ("一", "龥"),
        ("ぁ", "ん"),
        ("가", "힣"),
    ):
        assert any(first <= letter <= last for letter in letters), f"nobody between {first} and {last}"


def test_some_orders_need_attention_each_for_its_reason(demo: None) -> None:
    marks = {mark for order in Order.objects.in_need_of_attention() for mark in order.attentions}
    assert marks >= {Attention.UNKNOWN_EXAM, Attention.NO_STATION, Attention.ACCESSION_TAKEN}
    assert Attention.DOUBLE_BOOKED not in marks


def test_every_order_is_in_the_state_that_its_steps_say(demo: None) -> None:
    for order in Order.objects.all():
        states = ScheduledProcedureStep.objects.filter(requested_procedure__order=order).values_list("state", flat=True)
        assert order.state == roll_up(states)


def test_the_trail_tells_the_story_in_order_of_time(demo: None) -> None:
    times = list(Event.objects.order_by("pk").values_list("at", flat=True))
    assert times == sorted(times)
    assert times[-1] <= NOON
    assert Event.objects.filter(kind=EventKind.ORDER_PLACED).count() == Order.objects.count()
    assert not Event.objects.exclude(actor_name="demo").exists()


def test_the_catalogue_has_what_the_screens_and_scanners_show(demo: None) -> None:
    assert {"CT1", "CT2", "MR1", "MR2", "XR1", "US1", "MG1"} <= set(Station.objects.values_list("ae_title", flat=True))
    assert Exam.objects.count() == len(EXAMS) >= 40
    assert Exam.objects.filter(steps__number=2).count() >= 4
    assert not Exam.objects.filter(protocol_codes=None).exists()
    assert Site.objects.filter(is_default=True).get().accession_prefix == "R"


def test_every_placed_step_has_its_bookings_and_none_is_overbooked(demo: None) -> None:
    placed = ScheduledProcedureStep.objects.filter(station__isnull=False)
    assert Booking.objects.filter(patient__isnull=False).count() == placed.count()
    assert Booking.objects.filter(resource__kind="SCANNER").count() == placed.count()
    assert not Booking.objects.filter(overbooked=True).exists()
    assert Booking.objects.filter(resource__role="Injector").exists()


def test_some_wait_for_an_earlier_place_and_freed_times_are_offered_to_them(demo: None) -> None:
    waiting = WaitingListEntry.objects.waiting()
    assert waiting.count() >= 5
    assert {entry.step.state for entry in waiting} == {"REQUESTED", "SCHEDULED"}
    assert all(entry.since < NOON for entry in waiting)
    standing = SlotOffer.objects.filter(state="OPEN", start__gt=NOON)
    assert 2 <= standing.count() <= 6
    assert standing.values("entry").distinct().count() >= 2


def test_appointments_are_within_hours_and_never_during_a_closure(demo: None) -> None:
    for booking in Booking.objects.active().filter(resource__kind="SCANNER").select_related("resource__site"):
        assert booking.resource
        calendars = Calendars([booking.resource], booking.start, booking.end)
        hours = calendars.opening(booking.resource)
        assert hours == [(booking.start, booking.end)]
    assert {row.kind for row in Closure.objects.all()} == {"HOLIDAY", "MAINTENANCE"}
    assert Block.objects.count() == 5


@pytest.mark.usefixtures("demo")
def test_an_injector_is_needed_where_the_contrast_agent_is_given() -> None:
    needs = ExamNeed.objects.filter(role="Injector").select_related("exam")
    assert {(need.exam.code, need.step_number) for need in needs if need.exam.steps.exists()} >= {("MRARTHRO", 2)}


@pytest.mark.usefixtures("demo")
def test_where_a_rule_speaks_against_a_time_the_radiologist_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []

    def book(*, reason: str, overbook: bool = False, **_: Any) -> None:
        asked.append((reason, overbook))
        if not overbook:
            raise AgainstRules("Barium was given yesterday.", field="start")

    monkeypatch.setattr(schedule, "book", book)
    step = ScheduledProcedureStep.objects.filter(station__isnull=False).select_related("station")[0]
    actors = SimpleNamespace(stations={step.station.ae_title: step.station})  # type: ignore[union-attr]
    demo_load._Actors._book(actors, step, Place(step.station.ae_title, NOON, 30), "Wanted later")  # type: ignore[union-attr, arg-type]
    assert asked == [("Wanted later", False), ("Wanted later; the radiologist agrees", True)]
