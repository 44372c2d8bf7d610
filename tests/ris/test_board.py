"""The day board: what it shows of a day and a week, what it says before and after a block is dropped, what it costs."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ris.actions import daysheet, exams, orders, patients, schedule
from ris.models import Booking, Event, EventKind, Resource, ScheduledProcedureStep, Station
from ris.roles import Role
from ris.views import board_sheet
from ris.views.board_days import Days
from ris.views.board_sheet import Block
from tests import factories
from tests.ris.crowd import full_day
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")
LIVE = "/ris/scheduledprocedurestep/board/live/"
SPRING, AUTUMN = date(2027, 3, 28), date(2027, 10, 31)


@pytest.fixture
def scheduler() -> Desk:
    return Desk(Role.SCHEDULER)


def block(page: str, step: ScheduledProcedureStep) -> str:
    """The element of a step on a page."""
    found = re.search(rf'(?s)<li class="[^"]*" id="step-{step.pk}".*?</li>', page)
    assert found, "the step is not on the board"
    return found[0]


def marks(page: str, step: ScheduledProcedureStep) -> list[str]:
    """What stands out of a step now."""
    return re.findall(r'<span class="mark mark-(\w+)"(?: data-since="\d+")?>', block(page, step))


def ordinary(days: int) -> int:
    """Return how many days it is to a day without a change of the clock, at least so many."""
    length = factories.today_at(0, days=days + 1).timestamp() - factories.today_at(0, days=days).timestamp()
    return days if length == 24 * 3600 else days + 1


def ordinary_day() -> tuple[str, int]:
    """Return the page of such a day, and how many days it is from today."""
    days = ordinary(0)
    return f"/board/?day={timezone.localdate() + timedelta(days=days)}", days


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_each_station_is_a_column_with_its_appointments_at_their_time(scheduler: Desk) -> None:
    day, days = ordinary_day()
    ct1, ct2 = factories.station("CT1"), factories.station("CT2")
    first = factories.step(
        station=ct1, start=factories.today_at(9, 25, days=days), patient=factories.patient("Miller^Mia")
    )
    other = factories.step(station=ct2, start=factories.today_at(10, days=days))
    factories.step("CANCELED", station=ct1, start=factories.today_at(11, days=days))
    factories.step(station=ct1, start=factories.today_at(9, days=days + 1))
    waiting = factories.step("REQUESTED", patient=factories.patient("Evans^Eve"))
    page = scheduler.get(day)
    assert 'class="board-block state-scheduled at-h2 at-m25 for-h0 for-m20 lane0 of1"' in block(page, first)
    assert "09:25 Miller, Mia" in text_of(block(page, first))
    assert "scheduled CT abdomen with contrast" in text_of(block(page, first))
    assert f'href="/ris/scheduledprocedurestep/{first.pk}/book/"' in block(page, first), "to be read without a mouse"
    assert re.findall(r'data-station="(\d+)"', page) == [str(ct1.pk), str(ct2.pk)]
    assert page.index(f'id="step-{first.pk}"') < page.index(f'data-station="{ct2.pk}"') < page.index(block(page, other))
    assert text_of(page).count("Doe, Jane") == 2, "its link, and the name in the link to move it"
    assert "Evans, Eve" in text_of(block(page, waiting))
    told = Event.objects.filter(kind=EventKind.PATIENTS_LISTED).latest("pk")
    assert (told.subject, len(told.data["patients"]), told.user_id) == ("board", 3, scheduler.user.pk)


def test_what_needs_an_eye_stands_out(scheduler: Desk) -> None:
    ct1, now = factories.station("CT1"), timezone.now()
    begun, soon = now - timedelta(minutes=40), now + timedelta(minutes=40)

    def step(state: str = "SCHEDULED", start: datetime = begun, **values: Any) -> ScheduledProcedureStep:
        return factories.step(state, start=start, station=ct1, **values)

    late, waits, over = step(), step("ARRIVED"), step("STARTED")
    running, coming = step("STARTED", now), step(start=soon)
    urgent = step(start=soon, priority="STAT")
    held = step(start=soon + timedelta(hours=1))
    orders.hold(by=factories.BY, order=held.requested_procedure.order, reason="Call the ward")
    # The day of the department, whatever the time: what began before midnight stands on the day before.
    page = scheduler.get("/board/") + scheduler.get(f"/board/?day={timezone.localdate() - timedelta(days=1)}")
    page += scheduler.get(f"/board/?day={timezone.localdate() + timedelta(days=1)}")
    assert marks(page, late) == ["late"]
    assert marks(page, waits)[:1] == ["waits"]
    assert re.search(r"waiting since \d\d:\d\d", text_of(block(page, waits)))
    assert marks(page, over)[:1] == ["over"]
    assert "overbooked" in marks(page, over), "another one has this time"
    assert "over" not in marks(page, running)
    assert "late" not in marks(page, coming)
    assert "late" in block(page, coming), "shown by the page itself as soon as it is so"
    assert marks(page, urgent)[0] == "priority"
    assert marks(page, held)[-1] == "hold"


def test_hours_closures_and_reserved_times_are_shown_with_their_reason(scheduler: Desk) -> None:
    day, days = ordinary_day()
    ct1 = Resource.objects.get(station=factories.station("CT1"))
    factories.hours("08:00", "17:00", resource=ct1, rule="FREQ=DAILY")
    factories.block("12:00", "13:00", resource=ct1, kind="EMERGENCIES", reason="Stroke unit")
    factories.closure(factories.today_at(16, days=days), factories.today_at(18, days=days), resource=ct1)
    text = text_of(scheduler.get(day))
    assert "07:00–08:00 closed" in text
    assert "17:00–19:00 closed" in text
    assert "12:00–13:00 CT1: reserved for emergencies (Stroke unit)" in text
    assert "16:00–18:00 CT1: maintenance (New tube)" in text


def test_a_station_out_of_use_stays_while_it_has_appointments(scheduler: Desk) -> None:
    ct1, ct2 = factories.station("CT1"), factories.station("CT2")
    step = factories.step(station=ct2)
    for station in (ct1, ct2):
        station.change(active=False)
    page = scheduler.get("/board/")
    assert block(page, step)
    assert "out of use" in text_of(page)
    assert re.findall(r'data-station="(\d+)"', page) == [str(ct2.pk)]


def test_the_night_is_shown_when_asked_for_or_when_somebody_comes(scheduler: Desk) -> None:
    day, days = ordinary_day()
    factories.station("CT1")
    assert 'data-first="420" data-minutes="720"' in scheduler.get(day)
    assert 'data-first="0" data-minutes="1440"' in scheduler.get(f"{day}&whole=1")
    factories.step(start=factories.today_at(5, 30, days=days))
    factories.step(start=factories.today_at(22, 50, days=days))
    assert 'data-first="300" data-minutes="1140"' in scheduler.get(f"{day}&state=")


def test_what_goes_past_midnight_is_on_both_days_and_moved_on_its_first(scheduler: Desk) -> None:
    factories.station("CT1")
    step = factories.step(start=factories.today_at(23, 50))
    today = scheduler.get("/board/")
    assert "for-h0 for-m10" in block(today, step)
    assert f'data-step="{step.pk}"' in today
    tomorrow = scheduler.get(f"/board/?day={timezone.localdate() + timedelta(days=1)}")
    assert "at-h0 at-m0 for-h0 for-m10" in tomorrow
    assert "data-step=" not in tomorrow


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([(0, 20), (20, 20)], [(0, 1), (0, 1)]),
        ([(0, 20), (10, 20), (20, 20)], [(0, 2), (1, 2), (0, 2)]),
        ([(0, 60), (0, 20), (30, 20), (60, 10)], [(0, 2), (1, 2), (1, 2), (0, 1)]),
        ([(0, 5), (5, 5)], [(0, 2), (1, 2)]),  # too low to be read one above the other
        ([(0, 20)] * 9, [*((lane, 8) for lane in range(8)), (0, 8)]),
    ],
)
def test_what_takes_the_same_time_stands_side_by_side(
    times: list[tuple[int, int]], expected: list[tuple[int, int]]
) -> None:
    blocks = [
        Block(ScheduledProcedureStep(pk=number), "", top, top, lasts) for number, (top, lasts) in enumerate(times)
    ]
    assert [(one.lane, one.lanes) for one in board_sheet.in_lanes(blocks)] == expected


# --- filters, weeks, clocks -------------------------------------------------------------------------------------------


def test_filters_are_in_the_address_and_remembered_for_the_session(scheduler: Desk) -> None:
    ct, mr = factories.station("CT1"), factories.station("MR1")
    page = scheduler.get("/board/?modality=MR&state=ARRIVED")
    assert re.findall(r'data-station="(\d+)"', page) == [str(mr.pk)]
    assert "&amp;modality=MR&amp;state=ARRIVED" in page, "the next day is filtered too"
    again = scheduler.client.get("/board/")
    assert again.status_code == 302
    assert again["Location"].endswith("modality=MR&state=ARRIVED"), "on the day that it is then"
    assert "day=" not in again["Location"]
    assert re.findall(r'data-station="(\d+)"', scheduler.get("/board/?modality=")) == [str(ct.pk), str(mr.pk)]


def test_a_state_that_is_not_asked_for_shows_that_the_time_is_taken_and_not_by_whom(scheduler: Desk) -> None:
    factories.station("CT1")
    factories.step(patient=factories.patient("Miller^Mia"))
    arrived = factories.step("ARRIVED", start=factories.today_at(11), patient=factories.patient("Adams^Ada"))
    page = scheduler.get("/board/?state=ARRIVED")
    assert "Miller" not in page
    assert "Time taken by another exam" in page
    assert "Adams, Ada" in block(page, arrived)
    [patient] = Event.objects.filter(kind=EventKind.PATIENTS_LISTED).latest("pk").data["patients"]
    assert patient == arrived.requested_procedure.order.patient_id


@pytest.mark.parametrize(
    "query",
    ["day=yesterday", "day=0001-01-01", "site=x", "site=all", "station=99", "modality=XX", "state=NEVER", "station="],
)
def test_nonsense_in_the_address_is_as_if_it_were_not_there(scheduler: Desk, query: str) -> None:
    ct1 = factories.station("CT1")
    page = scheduler.get(f"/board/?{query}")
    assert re.findall(r'data-station="(\d+)" .*data-day="(.*?)"', page) == [(str(ct1.pk), str(timezone.localdate()))]


def test_without_a_station_there_is_nothing_to_show_and_the_page_says_so(scheduler: Desk) -> None:
    assert "There is no station yet." in text_of(scheduler.get("/board/"))
    assert scheduler.get(LIVE) == ""
    factories.station("CT1").change(active=False)
    assert "No station fits these filters." in text_of(scheduler.get("/board/"))


def test_the_week_of_a_station_has_a_column_a_day(scheduler: Desk) -> None:
    ct1, ct2 = factories.station("CT1"), factories.station("CT2")
    monday = timezone.localdate() - timedelta(days=timezone.localdate().weekday())
    this = Days(monday, 7, BERLIN)
    steps = [factories.step(station=ct1, start=this.moment(monday + timedelta(days=day), 9 * 60)) for day in (0, 6)]
    factories.step(station=ct2)
    page = scheduler.get(f"/board/?station={ct1.pk}")
    assert re.findall(r'data-day="(.*?)"', page) == [str(monday + timedelta(days=day)) for day in range(7)]
    assert re.findall(r' id="step-(\d+)"', page) == [str(step.pk) for step in steps]
    assert f"?day={timezone.localdate() + timedelta(days=7)}&amp;site={ct1.site_id}&amp;station={ct1.pk}" in page
    assert "All stations of this day" in page


def test_a_board_has_the_clock_of_its_site(scheduler: Desk) -> None:
    factories.station("CT1")
    york = factories.site("YORK", time_zone="America/New_York")
    step = factories.step(station=factories.station("CT9", site=york), start=factories.today_at(16))
    assert f'id="step-{step.pk}"' not in scheduler.get("/board/")
    there = factories.today_at(16).astimezone(york.zone)
    page = scheduler.get(f"/board/?site={york.pk}&day={there.date()}")
    assert f"{there:%H:%M} Doe, Jane" in text_of(block(page, step))
    assert '<option value="all"' not in page, "two clocks cannot stand side by side"
    york.change(time_zone="Europe/Berlin")
    page = scheduler.get("/board/?site=all")
    assert len(re.findall(r'data-station="(\d+)"', page)) == 2


@pytest.mark.parametrize(("day", "length"), [(SPRING, 23 * 60), (AUTUMN, 25 * 60), (date(2027, 6, 1), 24 * 60)])
def test_the_minutes_of_a_day_are_those_that_pass_and_of_a_week_those_on_the_wall(day: date, length: int) -> None:
    alone, week = Days(day, 1, BERLIN), Days(day - timedelta(days=day.weekday()), 7, BERLIN)
    assert alone.length(day) == length
    assert week.length(day) == 24 * 60
    for minute in range(0, length, 5):
        assert alone.minute(day, alone.moment(day, minute)) == minute
    noon = datetime.combine(day, datetime.min.time(), BERLIN).replace(hour=12)
    assert week.minute(day, noon) == 12 * 60
    assert week.moment(day, 12 * 60) == noon
    assert alone.moment(day, alone.minute(day, noon)) == noon


def test_the_night_of_a_clock_change_has_the_hour_twice_or_not_at_all(scheduler: Desk) -> None:
    ct1 = factories.station("CT1")
    autumn = scheduler.get(f"/board/?day={AUTUMN}&whole=1")
    assert "02:00 CEST" in autumn
    assert "02:00 CET" in autumn
    assert 'data-first="0" data-minutes="1500"' in autumn
    assert "02:00" not in text_of(scheduler.get(f"/board/?day={SPRING}&whole=1"))
    step = factories.step(start=datetime(2027, 10, 31, 1, 30, tzinfo=UTC), duration=20)
    assert "02:30 Doe, Jane" in text_of(block(scheduler.get(f"/board/?day={AUTUMN}"), step))
    for minute, words in ((150, "02:30–02:50 CEST"), (210, "02:30–02:50 CET")):
        held = hold(scheduler, step, ct1, minute, day=AUTUMN)
        assert words in held["where"], held
    scheduler.get(f"/board/?day={AUTUMN}&station={ct1.pk}")


# --- what changes meanwhile -------------------------------------------------------------------------------------------


def test_only_what_has_changed_is_sent_and_told(scheduler: Desk) -> None:
    factories.station("CT1")
    step = factories.step()
    found = re.search(r'data-live="(.*?)" data-tag="&quot;(.*?)&quot;"', scheduler.get("/board/?modality=CT"))
    assert found
    address, tag = found[1].replace("&amp;", "&"), f'"{found[2]}"'
    told = Event.objects.filter(kind=EventKind.PATIENTS_LISTED)
    seen = told.count()

    def look() -> Any:
        return scheduler.client.get(address, headers={"If-None-Match": tag})

    with CaptureQueriesContext(connection) as captured:
        assert look().status_code == 304
    assert len(captured) <= 5
    exams.go("arrive", by=factories.CLERK, step=step)
    answer = look()
    assert answer.status_code == 200
    assert "state-arrived" in block(answer.content.decode(), step)
    assert told.count() == seen + 1
    tag = answer["ETag"]
    patients.update(by=factories.BY, patient=factories.patient("Else^Somebody"), sex="M")
    answer = look()
    assert (answer.status_code, answer.content) == (304, b""), "something happened, and not on this board"
    assert answer["ETag"] != tag
    tag = answer["ETag"]
    assert look()["ETag"] == tag
    assert told.count() == seen + 1
    factories.closure(factories.today_at(12), factories.today_at(13), site=Station.objects.get().site)
    exams.go("make ready", by=factories.BY, step=step)
    assert "New tube" in look().content.decode()


def test_to_look_on_keeps_nobody_signed_in(scheduler: Desk) -> None:
    factories.station("CT1")
    scheduler.get("/board/")
    began = timezone.now()
    Session.objects.update(expire_date=began + timedelta(minutes=5))
    answer = scheduler.client.get(LIVE)
    assert answer.status_code == 200
    assert not answer.cookies
    assert Session.objects.get().expire_date == began + timedelta(minutes=5)
    scheduler.get("/board/?state=")
    assert Session.objects.get().expire_date > began + timedelta(minutes=10)
    Session.objects.update(expire_date=began)
    assert scheduler.client.get(LIVE)["Location"].startswith("/login/")


# --- moving -----------------------------------------------------------------------------------------------------------


def place(station: Station, minute: int, day: date | None = None, **more: Any) -> dict[str, Any]:
    later = timezone.localdate() + timedelta(days=ordinary(1))
    return {"station": station.pk, "day": day or later, "minute": minute, "minutes": 20, "days": 1} | more


def hold(desk: Desk, step: ScheduledProcedureStep, station: Station, minute: int, **more: Any) -> Any:
    """What the desk is told while the block is held somewhere."""
    address = f"/ris/scheduledprocedurestep/{step.pk}/fits/"
    answer = desk.client.get(address, place(station, minute, **more))
    assert answer.status_code == 200
    return answer.json()


def drop(desk: Desk, step: ScheduledProcedureStep, station: Station, minute: int, **more: Any) -> Any:
    """What the desk is told when the block is let go."""
    said = place(station, minute, **more) | {"seen": more.get("seen", daysheet.version(step))}
    answer = desk.client.post(f"/ris/scheduledprocedurestep/{step.pk}/put/", said)
    assert answer.status_code == 200
    return answer.json()


def stands(step: ScheduledProcedureStep) -> tuple[str, datetime | None, int]:
    now = ScheduledProcedureStep.objects.select_related("station").get(pk=step.pk)
    return (now.station.name if now.station else "", now.start, now.duration)


def test_a_block_is_told_whether_it_fits_before_it_is_dropped(scheduler: Desk) -> None:
    ct1, ct2 = factories.station("CT1"), factories.station("CT2")
    step = factories.step(start=factories.today_at(10, days=ordinary(1)))
    factories.step(station=ct2, start=factories.today_at(11, days=ordinary(1)))
    factories.closure(factories.today_at(15, days=ordinary(1)), factories.today_at(16, days=ordinary(1)), site=ct1.site)
    clerk, before = Desk(Role.FRONT_DESK), Event.objects.count()
    told = Event.objects.filter(kind=EventKind.PATIENTS_LISTED, subject="board")
    free = hold(scheduler, step, ct2, 12 * 60)
    assert (free["reasons"], free["insist"], told.count()) == ([], False, 0)
    assert re.fullmatch(r"CT2, \w{3} \d+ \w{3} 12:00–12:20", free["where"])
    taken = hold(scheduler, step, ct2, 11 * 60 + 10)
    assert (taken["reasons"], taken["insist"]) == (["CT2 is taken until 11:20"], True)
    [closed] = hold(scheduler, step, ct1, 15 * 60 - 5)["reasons"]
    assert closed == "CT1: maintenance (New tube) until 16:00"
    assert hold(scheduler, step, ct1, 10 * 60 + 5)["reasons"] == [], "it is not in its own way"
    assert not hold(clerk, step, ct2, 11 * 60)["insist"]
    assert {event.data["patients"][0] for event in told} == {step.requested_procedure.order.patient_id}
    assert Event.objects.count() == before + told.count(), "nothing was changed"


def test_a_drop_moves_and_books_and_resizes_with_the_reason(scheduler: Desk) -> None:
    factories.station("CT1")
    ct2 = factories.station("CT2")
    step, waiting = factories.step(start=factories.today_at(10, days=ordinary(1))), factories.step("REQUESTED")
    said = drop(scheduler, step, ct2, 11 * 60 + 35, reason="Patient asked for it")
    assert said["done"]
    assert said["words"].startswith("The exam is booked: CT2, ")
    assert stands(step) == ("CT2", factories.today_at(11, 35, days=ordinary(1)), 20)
    event = Event.objects.get(step=step, kind=EventKind.STEP_MOVED)
    assert (event.reason, event.user_id) == ("Patient asked for it", scheduler.user.pk)
    assert drop(scheduler, step, ct2, 11 * 60 + 35)["done"], "sent twice, done once"
    step.refresh_from_db()
    assert drop(scheduler, step, ct2, 11 * 60 + 35, minutes=45)["done"]
    assert stands(step) == ("CT2", factories.today_at(11, 35, days=ordinary(1)), 45)
    assert drop(scheduler, waiting, ct2, 9 * 60)["done"]
    assert stands(waiting) == ("CT2", factories.today_at(9, days=ordinary(1)), 20)
    assert Event.objects.filter(kind=EventKind.STEP_MOVED).count() == 2


def test_who_was_slower_is_told_and_nothing_moves(scheduler: Desk) -> None:
    ct1, ct2 = factories.station("CT1"), factories.station("CT2")
    step = factories.step(start=factories.today_at(10, days=ordinary(1)))
    seen = daysheet.version(step)
    schedule.book(by=factories.CLERK, step=step, start=factories.today_at(14, days=ordinary(1)), station=ct1)
    said = drop(scheduler, step, ct2, 11 * 60, seen=seen)
    assert not said["done"]
    assert "somebody has changed it meanwhile" in said["words"]
    step.refresh_from_db()
    factories.step(station=ct2, start=factories.today_at(11, days=ordinary(1)))
    said = drop(scheduler, step, ct2, 11 * 60)
    assert (said["done"], said["words"]) == (False, "CT2 is taken until 11:20.")
    assert stands(step) == ("CT1", factories.today_at(14, days=ordinary(1)), 20)


def test_what_is_taken_is_booked_on_purpose_with_a_reason_by_who_may(scheduler: Desk) -> None:
    ct1 = factories.station("CT1")
    step = factories.step(start=factories.today_at(10, days=ordinary(1)))
    factories.step(start=factories.today_at(11, days=ordinary(1)))
    address = f"/ris/scheduledprocedurestep/{step.pk}/put/"
    wish = place(ct1, 11 * 60, overbook="1", seen=daysheet.version(step), reason="Fracture")
    Desk(Role.FRONT_DESK).post_in_vain(403, address, **wish)
    assert drop(scheduler, step, ct1, 11 * 60, overbook="1")["words"] == "Say why it is overbooked."
    assert drop(scheduler, step, ct1, 11 * 60, overbook="1", reason="Fracture")["done"]
    assert Booking.objects.filter(step=step, overbooked=True, reason="Fracture").exists()
    tomorrow = scheduler.get(f"/board/?day={timezone.localdate() + timedelta(days=ordinary(1))}")
    assert "overbooked" in marks(tomorrow, step)


def test_some_places_are_none_for_anybody(scheduler: Desk) -> None:
    ct1, mr1 = factories.station("CT1"), factories.station("MR1")
    step, here = factories.step(start=factories.today_at(10, days=ordinary(1))), factories.step("ARRIVED")
    for desk in (hold, drop):
        [wrong] = desk(scheduler, step, mr1, 600)["reasons"]
        assert "MR1 does MR, the step needs CT." in wrong
        [over] = desk(scheduler, step, ct1, 600, day=timezone.localdate() - timedelta(days=1))["reasons"]
        assert over.startswith("This day is over.")
    assert not hold(scheduler, step, mr1, 600)["insist"]
    assert "The patient is there already" in hold(scheduler, here, ct1, 600)["reasons"][0]
    assert not drop(scheduler, here, ct1, 600)["done"]


def test_who_did_not_come_gets_no_time_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that goes on is none: the patient may stand at the desk."""
    noon = factories.today_at(12, days=ordinary(0))
    ct1, day = factories.station("CT1"), noon.date()
    missed, planned = (factories.step(state, start=noon - timedelta(hours=3)) for state in ("NO_SHOW", "SCHEDULED"))
    monkeypatch.setattr(timezone, "now", lambda: noon)
    scheduler = Desk(Role.SCHEDULER)
    for desk in (hold, drop):
        [over] = desk(scheduler, missed, ct1, 11 * 60 + 40, day=day)["reasons"]
        assert over.startswith("This time is over.")
    assert stands(missed) == ("CT1", noon - timedelta(hours=3), 20)
    assert drop(scheduler, planned, ct1, 11 * 60, day=day)["done"]
    assert drop(scheduler, missed, ct1, 11 * 60 + 45, day=day)["done"]
    assert stands(missed) == ("CT1", noon - timedelta(minutes=15), 20)


@pytest.mark.parametrize(
    "said",
    [{"station": ""}, {"station": 999}, {"day": "soon"}, {"minute": "x"}, {"minute": 2000}, {"minutes": 0},
     {"minutes": 99999}, {"days": "²"}, {"minute": "9" * 30}],
)  # fmt: skip
def test_nonsense_is_no_place(scheduler: Desk, said: dict[str, Any]) -> None:
    ct1 = factories.station("CT1")
    step = factories.step(start=factories.today_at(10, days=ordinary(1)))
    address, wish = f"/ris/scheduledprocedurestep/{step.pk}", place(ct1, 600) | said
    for answer in (scheduler.client.get(f"{address}/fits/", wish), scheduler.client.post(f"{address}/put/", wish)):
        assert answer.json()["reasons"] == ["This is no place for an exam."]


# --- who may, and what it costs ---------------------------------------------------------------------------------------


def test_who_may_not_book_sees_the_board_and_moves_nothing() -> None:
    ct1, step = factories.station("CT1"), factories.step()
    technologist = Desk(Role.TECHNOLOGIST)
    page = technologist.get("/board/")
    assert block(page, step)
    assert "data-step=" not in page
    assert "board-ask" not in page
    address = f"/ris/scheduledprocedurestep/{step.pk}"
    technologist.post_in_vain(403, f"{address}/put/", **place(ct1, 600))
    technologist.get(f"{address}/fits/", 403)
    nobody = Desk(None)
    for page in ("/board/", LIVE, f"{address}/fits/"):
        nobody.get(page, 403)


def test_a_full_day_of_twelve_stations_costs_fifteen_queries() -> None:
    full_day()
    desk = Desk(Role.INFORMATICS)
    with CaptureQueriesContext(connection) as captured:
        page = desk.get("/board/")
    assert page.count(' id="step-') == 400
    queries = [query["sql"] for query in captured if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert len(queries) <= 15
