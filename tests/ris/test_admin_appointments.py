"""Two patients change places and a series is booked, on screen."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from ris.actions import schedule
from ris.models import Booking, Event, EventKind, ScheduledProcedureStep
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of, token_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk() -> Desk:
    return Desk(Role.FRONT_DESK)


def page_of(step: ScheduledProcedureStep, name: str) -> str:
    return f"/ris/scheduledprocedurestep/{step.pk}/{name}/"


def booked(hour: int, name: str) -> ScheduledProcedureStep:
    return factories.step(start=factories.today_at(hour, days=3), patient=factories.patient(name))


def swap_form(page: str) -> dict[str, str]:
    """What the first button of the page sends."""
    (mine,) = re.findall(r'name="mine" value="([^"]+)"', page)
    return {"mine": mine, "other": re.findall(r'name="other" value="([^"]+)"', page)[0], "reason": "comes by train"}


def test_two_change_places_from_the_page_of_one_and_twice_does_no_harm(clerk: Desk) -> None:
    one, other = booked(9, "Doe^Jane"), booked(11, "Roe^Ann")
    assert page_of(one, "swap") in clerk.get(f"/ris/order/{one.requested_procedure.order_id}/change/")
    page = clerk.get(page_of(one, "swap"))
    assert "Roe, Ann" in text_of(page)
    listed = Event.objects.filter(kind=EventKind.PATIENTS_LISTED).first()
    assert listed
    assert other.requested_procedure.order.patient_id in listed.data["patients"]
    for _press in range(2):
        assert "The two have changed places." in text_of(clerk.post(page_of(one, "swap"), **swap_form(page)))
        for step, hour in ((one, 11), (other, 9)):
            step.refresh_from_db()
            assert step.start == factories.today_at(hour, days=3)
    assert set(Event.objects.filter(kind=EventKind.STEP_MOVED).values_list("reason", flat=True)) == {"comes by train"}
    schedule.book(by=factories.CLERK, step=other, start=factories.today_at(15, days=3))
    assert "somebody has changed it meanwhile" in text_of(clerk.post(page_of(one, "swap"), **swap_form(page)))
    nobody = clerk.get(page_of(one, "swap") + f"?day={timezone.localdate() + timedelta(days=30)}")
    assert "Nobody else has an appointment" in text_of(nobody)


def test_what_does_not_fit_is_said_and_only_who_may_insists(clerk: Desk) -> None:
    one = booked(9, "Doe^Jane")
    long = factories.step(start=factories.today_at(11, days=3), exam=factories.exam("CTLONG", duration=60))
    booked(9, "Next^Door")
    schedule.book(by=factories.CLERK, step=factories.step("REQUESTED"), start=factories.today_at(9, 30, days=3))
    form = {"mine": f"{one.station_id}@{one.start and one.start.isoformat()}",
            "other": f"{long.pk}@{long.station_id}@{long.start and long.start.isoformat()}"}  # fmt: skip
    page = clerk.post(page_of(one, "swap"), **form, overbook="on", reason="in pain")
    assert "is taken until" in text_of(page)
    assert "in pain" in page
    scheduler = Desk(Role.SCHEDULER)
    assert "Say why it is overbooked." in text_of(scheduler.post(page_of(one, "swap"), **form, overbook="on"))
    page = scheduler.post(page_of(one, "swap"), **form, overbook="on", reason="in pain")
    assert "The two have changed places." in text_of(page)


@pytest.mark.parametrize("other", ["", "x", "1", "1@", "1@1", "1@1@yesterday", "x@1@2030-01-01T10:00:00+00:00"])
def test_odd_presses_are_no_errors(clerk: Desk, other: str) -> None:
    one = booked(9, "Doe^Jane")
    mine = f"{one.station_id}@{one.start and one.start.isoformat()}"
    assert "Please choose an appointment." in text_of(clerk.post(page_of(one, "swap"), mine=mine, other=other))
    assert "no appointment that could be changed" in text_of(clerk.get(page_of(factories.step("ARRIVED"), "swap")))


def series_page(step: ScheduledProcedureStep, start: datetime, count: int = 3) -> str:
    said = f"start={timezone.localtime(start):%Y-%m-%dT%H:%M}&every=1&unit=weeks&count={count}"
    return f"{page_of(step, 'series')}?{said}&station={factories.station('CT1').pk}"


def test_a_series_shows_what_does_not_fit_and_books_what_is_ticked_once(clerk: Desk) -> None:
    factories.station("CT1")
    step, first = factories.step("REQUESTED"), factories.today_at(9, days=7)
    factories.order(start=first + timedelta(weeks=1))
    assert page_of(step, "series") in clerk.get(f"/ris/order/{step.requested_procedure.order_id}/change/")
    address = series_page(step, first)
    page = clerk.get(address)
    assert "1 day does not fit" in text_of(page)
    assert "CT1 is taken until" in text_of(page)
    ticked = re.findall(r'name="day" value="([^"]+)" id="[^"]+" checked', page)
    assert len(ticked) == 2
    (station,) = re.findall(r'name="station" value="(\d+)"', page)
    form = {"token": token_in(page), "station": station, "day": ticked, "reason": "therapy"}
    for _press in range(2):
        assert "2 appointments are booked." in text_of(clerk.post(address, **form))
    order = step.requested_procedure.order
    assert order.procedures.count() == 2
    assert "somebody has changed it meanwhile" in text_of(clerk.post(address, **form | {"day": ticked[:1]}))
    assert Booking.objects.active().filter(patient=order.patient).count() == 2
    assert "Only an exam that waits" in text_of(clerk.get(address))


@pytest.mark.parametrize("token", ["", "\0"])
def test_a_form_without_a_number_of_its_own_is_still_booked(clerk: Desk, token: str) -> None:
    ct1, first = factories.station("CT1"), factories.today_at(9, days=7)
    for day in range(2):
        step = factories.step("REQUESTED", patient=factories.patient())
        form = {"token": token, "station": str(ct1.pk), "day": (first + timedelta(days=day)).isoformat()}
        assert "1 appointment is booked." in text_of(clerk.post(page_of(step, "series"), **form))
        step.refresh_from_db()
        assert step.state == "SCHEDULED"


def test_a_day_that_was_taken_meanwhile_is_said_and_nothing_is_booked(clerk: Desk) -> None:
    factories.station("CT1")
    step, first = factories.step("REQUESTED"), factories.today_at(9, days=7)
    page = clerk.get(series_page(step, first))
    factories.order(start=first + timedelta(weeks=1))
    ticked = re.findall(r'name="day" value="([^"]+)"', page)
    (station,) = re.findall(r'name="station" value="(\d+)"', page)
    form = {"token": token_in(page), "station": station, "day": ticked, "reason": "kept"}
    answer = clerk.post(series_page(step, first), **form, overbook="on")
    assert "CT1 is taken until" in text_of(answer)
    assert "kept" in answer
    assert not Booking.objects.active().filter(step=step).exists()
    wrongs: list[dict[str, Any]] = [
        {"day": []},
        {"day": ["x"]},
        {"station": "x"},
        {"day": ["2020-01-01T10:00:00+00:00"]},
    ]
    for wrong in wrongs:
        assert "Please tick the days to book." in text_of(clerk.post(series_page(step, first), **(form | wrong)))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("start=2020-01-01T10:00&every=1&unit=days&count=3&station={}", "This time is over."),
        ("start=9999-12-31T10:00&every=1&unit=days&count=3&station={}", "between 1900 and 2199"),
        ("start=2030-01-01T10:00&every=0&unit=days&count=99&station={}", "less than or equal to 60"),
        ("start=2030-01-01T10:00&every=300&unit=days&count=60&station={}", "A series ends within two years."),
        ("start=2030-01-01T10:00&every=1&unit=months&count=3&station=77", "Select a valid choice."),
    ],
)
def test_a_series_that_makes_no_sense_is_told_so(clerk: Desk, said: str, words: str) -> None:
    step, ct1 = factories.step("REQUESTED", patient=factories.patient()), factories.station("CT1")
    assert words in text_of(clerk.get(f"{page_of(step, 'series')}?{said.format(ct1.pk)}"))


@pytest.mark.parametrize("name", ["swap", "series"])
def test_who_may_not_book_sees_neither(name: str) -> None:
    desk, step = Desk(Role.TECHNOLOGIST), factories.step()
    desk.get(page_of(step, name), 403)
    desk.post_in_vain(403, page_of(step, name))
