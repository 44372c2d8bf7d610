"""Orders on the desk: find, place, book, check in, examine, cancel, settle."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from ris.models import Event, EventKind, Order, ScheduledProcedureStep
from ris.roles import Role
from ris.states import StepState
from tests import factories
from tests.ris.desk import Desk, text_of, token_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk() -> Desk:
    return Desk(Role.FRONT_DESK)


@pytest.fixture
def technologist() -> Desk:
    return Desk(Role.TECHNOLOGIST)


@pytest.fixture
def step() -> ScheduledProcedureStep:
    return factories.step(patient=factories.patient("Doe^Jane", "4711"))


def press(desk: Desk, step: ScheduledProcedureStep, move: str, **values: str) -> str:
    page = desk.post(f"/ris/scheduledprocedurestep/{step.pk}/go/", move=move, **values)
    step.refresh_from_db()
    return text_of(page)


def order_page(step: ScheduledProcedureStep) -> str:
    return f"/ris/order/{step.requested_procedure.order_id}/change/"


@pytest.mark.parametrize("typed", ["ACC", "PL-7", "doe", "4711", "17.4.1962"])
def test_an_order_is_found_by_its_numbers_and_by_its_patient(clerk: Desk, typed: str) -> None:
    jane = factories.patient("Doe^Jane", "4711")
    factories.order(patient=jane, accession_number="ACC-1", placer_order_number="PL-77")
    factories.order(patient=factories.patient("Roe^Ann", "5", birth_date=None), accession_number="OTHER")
    page = text_of(clerk.get(f"/ris/order/?q={typed}"))
    assert "ACC-1" in page
    assert "OTHER" not in page


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("state__exact=REQUESTED", "WAITS"),
        ("attention=yes", "ODD"),
        ("day=tomorrow", "LATER"),
        ("modality=MR", "HEAD"),
        ("day=last7&modality=MR", "HEAD"),
    ],
)
def test_orders_are_filtered(clerk: Desk, asked: str, found: str) -> None:
    factories.station("CT1")
    factories.station("MR1")
    factories.order(accession_number="PLAIN", start=factories.today_at(8))
    factories.order(accession_number="WAITS", start=None)
    factories.order(accession_number="ODD", code="X1", modality="CT", meaning="unknown")
    factories.order(accession_number="LATER", start=factories.today_at(9, days=1))
    factories.order(accession_number="HEAD", exam=factories.exam("MRHEAD"))
    page = text_of(clerk.get(f"/ris/order/?{asked}"))
    assert [name for name in ("PLAIN", "WAITS", "ODD", "LATER", "HEAD") if name in page] == [found]


def test_the_schedule_shows_a_day_at_a_station(clerk: Desk) -> None:
    factories.order(patient=factories.patient("Doe^Jane"), start=factories.today_at(9))
    factories.order(patient=factories.patient("Roe^Ann"), start=factories.today_at(9, days=1))
    page = text_of(clerk.get("/ris/scheduledprocedurestep/?day=today"))
    assert "Doe, Jane" in page
    assert "Roe, Ann" not in page
    tomorrow = timezone.localdate() + timedelta(days=1)
    assert "Roe, Ann" in text_of(clerk.get(f"/ris/scheduledprocedurestep/?day={tomorrow}"))


@pytest.mark.parametrize("day", ["2026-02-30", "9999-12-31", "0001-01-01", "-1", "x"])
def test_a_day_that_is_none_is_ignored(clerk: Desk, day: str) -> None:
    factories.order(accession_number="PLAIN")
    assert "PLAIN" in text_of(clerk.get(f"/ris/order/?day={day}"))


@pytest.mark.parametrize("start", ["9999-12-31T23:59", "0001-01-01T00:00", "0026-03-01T10:00", "soon"])
def test_a_slip_of_the_keyboard_is_told(clerk: Desk, start: str) -> None:
    step = factories.step("REQUESTED")
    page = text_of(clerk.post(f"/ris/scheduledprocedurestep/{step.pk}/book/", start=start, duration="20"))
    assert "Enter a" in page
    step.refresh_from_db()
    assert step.state == StepState.REQUESTED


def test_a_clerk_places_an_order_with_its_time(clerk: Desk) -> None:
    factories.station("CT1")
    patient, exam = factories.patient("Doe^Jane"), factories.exam()
    address = f"/ris/patient/{patient.pk}/order/"
    values = {"exam": exam.pk, "priority": "STAT", "reason": "fall", "requesting_physician": "Curie, Marie"}
    values |= {"start": f"{timezone.localdate()}T10:30", "token": token_in(clerk.get(address))}
    page = text_of(clerk.post(address, **values))
    order = Order.objects.get()
    assert f"Order {order.accession_number} is placed." in page
    assert order.requesting_physician == "Curie^Marie"
    made = factories.step_of(order)
    assert (made.state, made.start) == (StepState.SCHEDULED, factories.today_at(10, 30))
    assert made.requested_procedure.priority == "STAT"


def test_a_double_click_places_one_order(clerk: Desk) -> None:
    factories.station("CT1")
    patient, exam = factories.patient(), factories.exam()
    for _click in range(2):
        clerk.post(f"/ris/patient/{patient.pk}/order/", exam=exam.pk, priority="ROUTINE", token="t1")
    assert Order.objects.count() == 1


def test_an_exam_on_a_station_that_cannot_do_it_is_told(clerk: Desk) -> None:
    patient, mr = factories.patient(), factories.station("MR1")
    values = {"exam": factories.exam().pk, "priority": "ROUTINE", "token": "t1", "station": mr.pk}
    clerk.post(f"/ris/patient/{patient.pk}/order/", start="2026-03-02T10:00", **values)
    assert not Order.objects.filter(procedures__steps__station=mr).exists()


def test_the_first_order_before_any_site_is_set_up_is_told(clerk: Desk) -> None:
    patient, exam = factories.patient(), factories.exam()
    page = clerk.post(f"/ris/patient/{patient.pk}/order/", exam=exam.pk, priority="ROUTINE", token="t1")
    assert "No site is set up yet; add one in the catalogue." in text_of(page)


def test_an_hour_that_the_clock_skips_is_told(clerk: Desk) -> None:
    patient = factories.patient()
    values = {"exam": factories.exam().pk, "priority": "ROUTINE", "token": "t1", "start": "2027-03-28T02:30"}
    page = clerk.post(f"/ris/patient/{patient.pk}/order/", **values)
    assert "it may be ambiguous or it may not exist" in text_of(page)
    assert not Order.objects.exists()


def test_a_waiting_step_is_booked_moved_and_taken_off(clerk: Desk) -> None:
    ct1, ct2 = factories.station("CT1"), factories.station("CT2")
    step = factories.step("REQUESTED")
    address = f"/ris/scheduledprocedurestep/{step.pk}/book/"
    day = timezone.localdate()
    assert "The exam is booked." in text_of(clerk.post(address, start=f"{day}T08:00", duration="20"))
    step.refresh_from_db()
    assert (step.station, step.start) == (ct1, factories.today_at(8))
    clerk.post(address, start=f"{day}T11:15", duration="45", station=ct2.pk, reason="asked to")
    step.refresh_from_db()
    assert (step.station, step.start, step.duration) == (ct2, factories.today_at(11, 15), 45)
    assert Event.objects.get(kind=EventKind.STEP_MOVED).reason == "asked to"
    press(clerk, step, "unbook")
    assert (step.state, step.station) == (StepState.REQUESTED, None)


def test_a_time_is_typed_as_the_clock_at_the_station_shows_it(clerk: Desk) -> None:
    lisbon = factories.site("LISBON", time_zone="Europe/Lisbon")
    ct9 = factories.station("CT9", site=lisbon)
    step = factories.step("REQUESTED")
    clerk.post(
        f"/ris/scheduledprocedurestep/{step.pk}/book/",
        start="2026-07-01T10:00",
        duration="20",
        station=ct9.pk,
        past="on",
    )
    step.refresh_from_db()
    assert step.start is not None
    assert step.start.astimezone(ZoneInfo("Europe/Lisbon")).isoformat() == "2026-07-01T10:00:00+01:00"
    assert "2026-07-01 10:00 WEST" in text_of(clerk.get(order_page(step)))


def test_a_day_of_one_exam(clerk: Desk, technologist: Desk, step: ScheduledProcedureStep) -> None:
    assert "The patient is checked in." in press(clerk, step, "arrive")
    assert "The exam has started." in press(technologist, step, "start")
    assert "The exam is completed." in press(technologist, step, "complete")
    assert step.state == StepState.COMPLETED
    page = text_of(clerk.get(order_page(step)))
    assert "Patient checked in" in page
    assert "state: arrived → in progress" in page


def test_a_double_click_checks_in_once_and_says_so(clerk: Desk, step: ScheduledProcedureStep) -> None:
    for _click in range(2):
        assert "The patient is checked in." in press(clerk, step, "arrive")
    assert Event.objects.filter(kind=EventKind.STEP_ARRIVED).count() == 1


def test_what_somebody_else_did_meanwhile_is_told(clerk: Desk, step: ScheduledProcedureStep) -> None:
    technologist = Desk(Role.TECHNOLOGIST)
    press(technologist, step, "start")
    assert "somebody has changed it meanwhile" in press(clerk, step, "miss")
    assert step.state == StepState.STARTED


def test_only_moves_that_are_legal_now_are_offered(clerk: Desk, step: ScheduledProcedureStep) -> None:
    before = clerk.get(order_page(step))
    assert 'value="arrive"' in before
    assert 'value="make ready"' not in before
    press(clerk, step, "arrive")
    after = clerk.get(order_page(step))
    assert 'value="arrive"' not in after
    assert 'value="make ready"' in after
    assert "Undo the check-in" in after


def test_a_reason_is_asked_for_before_an_exam_is_stopped(technologist: Desk, step: ScheduledProcedureStep) -> None:
    press(technologist, step, "start")
    assert "Please say why." in press(technologist, step, "discontinue")
    assert step.state == StepState.STARTED
    press(technologist, step, "discontinue", reason="patient felt unwell")
    assert step.state == StepState.DISCONTINUED


def test_a_patient_who_did_not_come_is_undone_by_the_clerk(clerk: Desk, step: ScheduledProcedureStep) -> None:
    press(clerk, step, "miss")
    assert step.state == StepState.NO_SHOW
    assert "Undo “Did not come”" in clerk.get(order_page(step))
    press(clerk, step, "reopen")
    assert step.state == StepState.SCHEDULED


def test_an_order_is_held_released_and_cancelled(clerk: Desk, step: ScheduledProcedureStep) -> None:
    order = step.requested_procedure.order
    act = f"/ris/order/{order.pk}/act/"
    assert "Please say why." in text_of(clerk.post(act, verb="cancel"))
    clerk.post(act, verb="hold", reason="creatinine")
    order.refresh_from_db()
    assert order.on_hold
    clerk.post(act, verb="release")
    page = text_of(clerk.post(act, verb="cancel", reason="asked by the ward"))
    order.refresh_from_db()
    assert (order.state, order.on_hold) == ("CANCELED", False)
    assert "asked by the ward" in page


def test_a_started_order_cannot_be_cancelled_but_stopped(clerk: Desk, step: ScheduledProcedureStep) -> None:
    press(Desk(Role.TECHNOLOGIST), step, "start")
    act = f"/ris/order/{step.requested_procedure.order_id}/act/"
    assert "can be discontinued but not cancelled" in text_of(clerk.post(act, verb="cancel", reason="x"))
    clerk.post(act, verb="discontinue", reason="x")
    step.refresh_from_db()
    assert step.state == StepState.DISCONTINUED


def test_an_unknown_exam_is_named_and_the_mark_goes(clerk: Desk) -> None:
    factories.station("CT1")
    exam = factories.exam()
    order = factories.order(code="R9", meaning="belly", modality="CT")
    row = order.procedures.get()
    assert "The catalogue does not know the exam code." in text_of(clerk.get(f"/ris/order/{order.pk}/change/"))
    clerk.post(f"/ris/order/{order.pk}/exam/{row.pk}/", exam=exam.pk)
    row.refresh_from_db()
    order.refresh_from_db()
    assert (row.exam, order.attention) == (exam, "")


def test_attention_is_settled(clerk: Desk) -> None:
    factories.order()
    order = factories.order()
    assert order.attention == "double-booked"
    clerk.post(f"/ris/order/{order.pk}/act/", verb="settle")
    order.refresh_from_db()
    assert order.attention == ""


def test_what_an_order_says_is_changed(clerk: Desk) -> None:
    order = factories.order()
    row = order.procedures.get()
    values = {"requesting_physician": "Lister, Joseph", "referring_physician": "Curie, Marie"}
    values |= {f"{row.pk}-priority": "STAT", f"{row.pk}-reason": "worse", f"{row.pk}-comments": ""}
    clerk.post(f"/ris/order/{order.pk}/edit/", **values)
    order.refresh_from_db()
    row.refresh_from_db()
    assert (order.requesting_physician, order.referring_physician) == ("Lister^Joseph", "Curie^Marie")
    assert (row.priority, row.reason) == ("STAT", "worse")


@pytest.mark.parametrize(
    "address",
    ["/ris/order/999/change/", "/ris/order/999/edit/", "/ris/scheduledprocedurestep/999/change/"],
)
def test_what_is_not_there_is_not_found(clerk: Desk, address: str) -> None:
    clerk.get(address, status=404)


def test_buttons_that_do_not_exist_are_not_found(clerk: Desk, step: ScheduledProcedureStep) -> None:
    clerk.post_in_vain(404, f"/ris/scheduledprocedurestep/{step.pk}/go/", move="explode")
    clerk.post_in_vain(404, f"/ris/order/{step.requested_procedure.order_id}/act/", verb="explode")


def test_a_move_is_never_made_by_a_link(clerk: Desk, step: ScheduledProcedureStep) -> None:
    clerk.get(f"/ris/scheduledprocedurestep/{step.pk}/go/?move=arrive", status=405)


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_a_button_leads_back_to_our_own_pages_only(clerk: Desk, step: ScheduledProcedureStep, wanted: str) -> None:
    address = f"/ris/scheduledprocedurestep/{step.pk}/go/"
    response = clerk.client.post(address, {"move": "arrive", "next": wanted})
    assert response["Location"] == order_page(step)


def test_a_day_that_is_over_is_asked_about_once(clerk: Desk, step: ScheduledProcedureStep) -> None:
    address = f"/ris/scheduledprocedurestep/{step.pk}/book/"
    assert "The exam was done then" not in text_of(clerk.get(address))
    over = timezone.localtime() - timedelta(days=2)
    values = {"start": over.strftime("%Y-%m-%dT%H:%M"), "duration": 20, "station": step.station_id}
    page = text_of(clerk.post(address, **values))
    assert "This day is over." in page
    assert "The exam was done then" in page
    clerk.post(address, **values, past="on")
    step.refresh_from_db()
    assert step.start is not None
    assert step.start.date() == over.astimezone(step.start.tzinfo).date()


def test_an_order_for_a_day_that_is_over_is_asked_about_once(clerk: Desk) -> None:
    factories.station("CT1")
    exam, patient = factories.exam(), factories.patient()
    address = f"/ris/patient/{patient.pk}/order/"
    values = {
        "token": token_in(clerk.get(address)),
        "exam": exam.pk,
        "priority": "ROUTINE",
        "start": "2020-01-10T09:00",
    }
    assert "This day is over." in text_of(clerk.post(address, **values))
    assert not Order.objects.exists()
    clerk.post(address, **values, past="on")
    assert Order.objects.exists()


def test_holding_is_not_offered_during_the_exam(technologist: Desk, step: ScheduledProcedureStep) -> None:
    expert = Desk(Role.INFORMATICS)
    assert 'value="hold"' in expert.get(order_page(step))
    press(technologist, step, "arrive")
    press(technologist, step, "start")
    assert 'value="hold"' not in expert.get(order_page(step))
