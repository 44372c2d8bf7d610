"""The slot finder on the desk: look, book with one press, be late, press twice, go back; closures; overbooking."""

import re
from collections import Counter
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from ris.actions import schedule
from ris.models import Booking, Closure, Event, EventKind, Resource, ScheduledProcedureStep
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk() -> Desk:
    return Desk(Role.FRONT_DESK)


def page_of(step: ScheduledProcedureStep) -> str:
    return f"/ris/scheduledprocedurestep/{step.pk}/slots/"


def offers(page: str) -> list[str]:
    """The values of the buttons that book, in their order."""
    return re.findall(r'name="place" value="([^"]+)"', page)


def seen_in(page: str) -> str:
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', page)
    return str(seen)


def test_a_waiting_step_is_booked_with_one_press_and_twice_does_no_harm(clerk: Desk) -> None:
    factories.station("CT1")
    step = factories.step("REQUESTED", patient=factories.patient("Doe^Jane", "4711"))
    page = clerk.get(page_of(step))
    first = {"place": offers(page)[0], "seen": seen_in(page)}
    for _press in range(2):
        assert "The exam is booked." in text_of(clerk.post(page_of(step), **first))
    step.refresh_from_db()
    assert (step.state, f"{step.station_id}@{step.start and step.start.isoformat()}") == ("SCHEDULED", first["place"])
    assert Event.objects.filter(step=step, kind=EventKind.STEP_BOOKED).count() == 1


def test_who_was_slower_reads_why_and_sees_the_next_times(clerk: Desk) -> None:
    ct1 = factories.station("CT1")
    mine, theirs = factories.step("REQUESTED"), factories.step("REQUESTED")
    page = clerk.get(page_of(mine))
    wanted = offers(page)[0]
    start = datetime.fromisoformat(wanted.partition("@")[2])
    schedule.book(by=factories.BY, step=theirs, start=start, station=ct1)
    answer = clerk.post(page_of(mine), place=wanted, seen=seen_in(page))
    assert re.search(r"CT1 is taken until .*\. You see the next free times\.", text_of(answer))
    assert offers(answer)
    assert wanted not in offers(answer)


def test_an_old_page_of_a_step_that_was_booked_meanwhile_books_nothing(clerk: Desk) -> None:
    ct1 = factories.station("CT1")
    step = factories.step("REQUESTED")
    page = clerk.get(page_of(step))
    start = factories.today_at(12, days=3)
    schedule.book(by=factories.BY, step=step, start=start, station=ct1)
    answer = clerk.post(page_of(step), place=offers(page)[0], seen=seen_in(page))
    assert "Somebody has changed it meanwhile." in text_of(answer)
    step.refresh_from_db()
    assert step.start == start


@pytest.mark.parametrize("place", ["", "x", "1", "1@", "1@yesterday", "1@2030-01-01T10:00", "9@2030-13-01T10:00+00:00",
                                   "99999@2030-01-01T10:00:00+00:00", "1@2030-01-01T10:00:00+00:00,2@x"])  # fmt: skip
def test_odd_presses_are_no_errors(clerk: Desk, place: str) -> None:
    factories.station("CT1")
    step = factories.step("REQUESTED")
    assert "Please choose one of the times." in text_of(clerk.post(page_of(step), place=place, seen=""))


def test_a_time_that_is_over_is_not_booked(clerk: Desk) -> None:
    ct1 = factories.station("CT1")
    step = factories.step("REQUESTED")
    past = (timezone.now() - timedelta(hours=1)).isoformat()
    page = clerk.post(page_of(step), place=f"{ct1.pk}@{past}", seen=seen_in(clerk.get(page_of(step))))
    assert "This time is over. Choose another." in text_of(page)


@pytest.mark.parametrize("when", ["day", "week"])
def test_who_names_no_day_means_today(clerk: Desk, when: str) -> None:
    factories.station("CT1")
    page = clerk.get(f"{page_of(factories.step('REQUESTED'))}?when={when}&day=&part=any&where=here")
    assert f'name="day" value="{factories.today_at(12):%Y-%m-%d}"' in page
    assert "errorlist" not in page


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"when": "day", "day": "2020-01-01"}, "This day is over. Choose another."),
        ({"when": "day", "day": "soon"}, "Enter a valid date."),
        ({"when": "day", "day": "9999-12-31"}, "Enter a year between 1900 and 2199."),
        ({"when": "never"}, "Select a valid choice."),
        ({"when": "earliest", "station": "9999"}, "Select a valid choice."),
    ],
)
def test_a_search_that_makes_no_sense_is_told_so(clerk: Desk, said: dict[str, str], words: str) -> None:
    factories.station("CT1")
    step = factories.step("REQUESTED")
    asked = {"part": "any", "where": "here"} | said
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    assert words in text_of(clerk.get(f"{page_of(step)}?{query}"))


def test_a_day_a_week_a_station_and_a_part_of_the_day_are_kept(clerk: Desk) -> None:
    factories.station("CT1")
    ct2 = factories.station("CT2")
    step = factories.step("REQUESTED")
    day = (timezone.localdate() + timedelta(days=9)).isoformat()
    page = clerk.get(f"{page_of(step)}?when=day&day={day}&part=afternoon&where=anywhere&station={ct2.pk}")
    starts = [place.partition("@")[2] for place in offers(page)]
    assert len(starts) == 12 * 3, "all of them, three an hour"
    assert all(place.startswith(f"{ct2.pk}@{day}") for place in offers(page))
    assert min(starts) == starts[0]


def test_a_day_and_a_week_show_every_station_and_every_hour(clerk: Desk) -> None:
    stations = [factories.station(name) for name in ("CT1", "CT2")]
    step = factories.step("REQUESTED")
    day = timezone.localdate() + timedelta(days=9)
    page = clerk.get(f"{page_of(step)}?when=day&day={day}&part=any&where=here")
    assert Counter(place.partition("@")[0] for place in offers(page)) == {str(row.pk): 24 for row in stations}
    assert '<th scope="row">13:00</th>' in page
    week = clerk.get(f"{page_of(step)}?when=week&day={day}&part=any&where=here")
    assert Counter(place.partition("@")[0] for place in offers(week)) == {str(row.pk): 14 for row in stations}
    assert "Book 23:00 CT2" in text_of(page)
    assert "afternoon" in text_of(week)


def test_a_session_that_ended_leads_back_to_the_same_search(clerk: Desk) -> None:
    factories.station("CT1")
    step = factories.step("REQUESTED")
    search = f"{page_of(step)}?when=earliest&part=afternoon&where=anywhere&station="
    place = {"place": (offers(clerk.get(search)))[0], "seen": seen_in(clerk.get(search))}
    clerk.client.logout()
    answer = clerk.client.post(search, place)
    assert answer.status_code == 302
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["next"] == [search]
    step.refresh_from_db()
    assert step.state == "REQUESTED"


def test_exams_of_one_order_are_booked_together(clerk: Desk) -> None:
    factories.station("CT1")
    factories.station("MR1")
    requests = [factories.request(exam=factories.exam(code), start=None) for code in ("CTABD", "MRHEAD")]
    order = factories.order(requests=requests)
    ct, mr = ScheduledProcedureStep.objects.filter(requested_procedure__order=order).order_by("pk")
    page = clerk.get(page_of(ct))
    assert "The exams are booked." in text_of(clerk.post(page_of(ct), place=offers(page)[0], seen=seen_in(page)))
    for step in (ct, mr):
        step.refresh_from_db()
    assert (ct.state, mr.state, ct.end) == ("SCHEDULED", "SCHEDULED", mr.start)
    other = factories.order(requests=requests)
    alone = ScheduledProcedureStep.objects.filter(requested_procedure__order=other).order_by("pk")[0]
    page = clerk.get(f"{page_of(alone)}?when=earliest&part=any&where=here&alone=on")
    assert "," not in offers(page)[0]


def test_why_a_station_is_not_offered_is_said(clerk: Desk) -> None:
    factories.station("CT1")
    factories.station("CT2")
    scanner = Resource.objects.get(station__name="CT2")
    factories.closure(timezone.now() - timedelta(days=1), timezone.now() + timedelta(days=80), resource=scanner)
    assert "CT2: maintenance (New tube) until" in text_of(clerk.get(page_of(factories.step("REQUESTED"))))


def test_who_is_there_gets_no_other_time(clerk: Desk) -> None:
    step = factories.step("ARRIVED")
    page = clerk.get(page_of(step))
    assert "it cannot get another time" in text_of(page)
    assert offers(page) == []


# --- closures over appointments, and overbooking ------------------------------------------------------------


def test_a_closure_over_appointments_lists_them_for_moving() -> None:
    scheduler = Desk(Role.SCHEDULER)
    step = factories.step(start=factories.today_at(10, days=2), patient=factories.patient("Doe^Jane", "4711"))
    factories.step(start=factories.today_at(15, days=2), patient=factories.patient("Roe^Ann"))
    scanner = Resource.objects.get(kind="SCANNER")
    day = timezone.localdate() + timedelta(days=2)
    page = scheduler.post(
        "/ris/closure/add/",
        resource=scanner.pk,
        kind="MAINTENANCE",
        reason="New tube",
        start_0=day.isoformat(),
        start_1="09:00",
        end_0=day.isoformat(),
        end_1="12:00",
    )
    text = text_of(page)
    assert "1 appointment is in this time and has to be moved." in text
    assert "Doe, Jane" in text
    assert "Roe, Ann" not in text
    assert f"/ris/scheduledprocedurestep/{step.pk}/slots/" in page
    assert Event.objects.filter(
        kind=EventKind.CATALOG_CHANGED, subject=f"ris.closure:{Closure.objects.get().pk}"
    ).exists()
    listed = Event.objects.filter(kind=EventKind.PATIENTS_LISTED).first()
    assert listed
    assert listed.data["patients"] == [step.requested_procedure.order.patient_id]


def test_only_who_may_overbooks_and_says_why() -> None:
    factories.step(start=factories.today_at(10, days=2))
    step = factories.step("REQUESTED")
    address = f"/ris/scheduledprocedurestep/{step.pk}/book/"
    ct1 = factories.station("CT1")
    wish = {"start": f"{timezone.localdate() + timedelta(days=2)}T10:00", "duration": "20", "station": str(ct1.pk)}
    refused = "CT1 is taken until 10:20."
    page = text_of(Desk(Role.FRONT_DESK).post(address, **wish, overbook="on", reason="in pain"))
    assert refused in page
    assert "Needed to overbook" not in page, "it cannot be done here"
    scheduler = Desk(Role.SCHEDULER)
    page = text_of(scheduler.post(address, **wish))
    assert refused in page
    assert "Needed to overbook" in page
    assert "Say why it is overbooked." in text_of(scheduler.post(address, **wish, overbook="on"))
    assert "The exam is booked." in text_of(scheduler.post(address, **wish, overbook="on", reason="in pain"))
    assert Booking.objects.get(overbooked=True).reason == "in pain"
