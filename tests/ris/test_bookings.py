"""Bookings: a step takes its scanner, what else it needs and its patient, all of them or none; nothing overlaps."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from ris.actions import exams, orders, patients, procedures, renumbering, schedule, unmerging
from ris.actions.requests import ProcedureRequest
from ris.errors import InvalidValue, NotOpen, SlotTaken
from ris.models import Attention, Booking, Event, EventKind, ExamNeed, Order, Resource, ScheduledProcedureStep
from tests import factories
from tests.refusals import refused

pytestmark = pytest.mark.django_db

BY = factories.BY
Told = list[tuple[str, bool, bool]]


def told(step: ScheduledProcedureStep) -> Told:
    """Of each booking of a step: whose time it is, whether it takes it, whether it is overbooked."""
    rows = Booking.objects.filter(step=step).select_related("resource", "patient").order_by("pk")
    assert {(row.start, row.end) for row in rows} <= {(step.start, step.end)}
    return [
        (row.resource.name if row.resource else f"patient {row.patient_id}", row.active, row.overbooked) for row in rows
    ]


def patient_of(step: ScheduledProcedureStep) -> str:
    return f"patient {Order.objects.get(procedures__steps=step).patient_id}"


# --- every step that has a place has its bookings ------------------------------------------------------


def test_an_order_with_a_time_books_the_scanner_and_the_patient() -> None:
    step = factories.step()
    assert told(step) == [("CT1", True, False), (patient_of(step), True, False)]


def test_a_step_that_waits_takes_nobodys_time() -> None:
    assert told(factories.step("REQUESTED", start=factories.today_at(10), exam=factories.exam("MRHEAD"))) == []


def test_bookings_follow_a_step_that_is_moved_and_go_when_it_is_taken_off() -> None:
    factories.station("CT1")
    factories.station("CT2")
    step = factories.step("REQUESTED")
    for hour, station in ((9, "CT1"), (9, "CT2"), (11, "CT2")):
        schedule.book(by=BY, step=step, start=factories.today_at(hour), station=factories.station(station))
        step.refresh_from_db()
        assert told(step) == [(station, True, False), (patient_of(step), True, False)]
    schedule.unbook(by=BY, step=step)
    assert told(step) == []


def test_a_step_that_loses_its_station_loses_its_bookings() -> None:
    step = factories.step()
    factories.station("CT1").change(active=False)
    schedule.book(by=BY, step=step, start=factories.today_at(15))
    assert told(step) == []


@pytest.mark.parametrize("state", ["COMPLETED", "CANCELED", "DISCONTINUED", "NO_SHOW"])
def test_what_is_over_takes_no_time(state: str) -> None:
    assert {active for _who, active, _overbooked in told(factories.step(state))} == {False}


@pytest.mark.parametrize("state", ["ARRIVED", "READY", "STARTED", "DEPARTED"])
def test_who_is_there_takes_time(state: str) -> None:
    assert {active for _who, active, _overbooked in told(factories.step(state))} == {True}


def test_what_is_put_back_takes_its_time_again_and_beside_others_it_is_overbooked() -> None:
    first, second = factories.step("NO_SHOW"), factories.step("NO_SHOW")
    for step in (first, second):
        exams.go("reopen", by=BY, step=step)
    assert [told(step)[0] for step in (first, second)] == [("CT1", True, False), ("CT1", True, True)]


def test_another_exam_takes_the_time_of_the_one_before() -> None:
    factories.station("CT1")
    order = factories.order(code="X1", modality="CT")
    procedures.assign_exam(by=BY, procedure=order.procedures.get(), exam=factories.exam())
    assert told(factories.step_of(order))[0] == ("CT1", True, False)


# --- who asks is refused, who promised is marked -------------------------------------------------------


def test_a_person_is_told_until_when_the_station_is_taken() -> None:
    factories.step()
    step = factories.step("REQUESTED")
    with refused(SlotTaken, "CT1 is taken until 10:20."):
        schedule.book(by=BY, step=step, start=factories.today_at(10, 10), station=factories.station("CT1"))
    step.refresh_from_db()
    assert (step.state, told(step)) == ("REQUESTED", [])


def test_a_person_gets_the_first_station_that_is_free() -> None:
    factories.station("CT1")
    factories.station("CT2")
    factories.step()
    step = factories.step("REQUESTED")
    assert schedule.book(by=BY, step=step, start=factories.today_at(10))
    step.refresh_from_db()
    assert told(step)[0] == ("CT2", True, False)


def test_a_patient_is_not_in_two_rooms() -> None:
    factories.station("CT1")
    factories.station("MR1")
    jane = factories.patient()
    factories.order(patient=jane)
    head = factories.step("REQUESTED", patient=jane, exam=factories.exam("MRHEAD"))
    with refused(SlotTaken, "The patient has another exam until 10:20."):
        schedule.book(by=BY, step=head, start=factories.today_at(10, 5))


def test_who_overbooks_says_why_and_it_is_kept() -> None:
    factories.step()
    step = factories.step("REQUESTED")
    where: dict[str, Any] = {"start": factories.today_at(10), "station": factories.station("CT1")}
    with refused(InvalidValue):
        schedule.book(by=BY, step=step, overbook=True, **where)
    schedule.book(by=factories.CLERK, step=step, overbook=True, reason="she is in pain", **where)
    step.refresh_from_db()
    assert told(step) == [("CT1", True, True), (patient_of(step), True, False)]
    assert Booking.objects.get(step=step, overbooked=True).reason == "she is in pain"
    event = Event.objects.get(step=step, kind=EventKind.STEP_BOOKED)
    assert (event.actor_name, event.reason) == ("clara", "she is in pain")


def test_a_desk_order_for_a_taken_time_is_not_placed() -> None:
    factories.step()
    counts = Order.objects.count()
    with refused(SlotTaken, "CT1 is taken until 10:20."):
        factories.order(asked=True)
    assert Order.objects.count() == counts
    assert factories.order(asked=True, start=factories.today_at(10, 20)).state == "SCHEDULED"


def test_a_time_that_the_sender_promised_is_booked_on_top() -> None:
    factories.step()
    order = factories.order(by=factories.HIS)
    assert told(factories.step_of(order))[0] == ("CT1", True, True)
    assert order.attentions == [Attention.DOUBLE_BOOKED]


def test_two_procedures_of_one_visit_at_one_time_are_kept_as_they_were_sent() -> None:
    factories.station("CT1")
    factories.station("CT2")
    both = [factories.request(), factories.request()]
    order = factories.order(requests=both)
    one, two = ScheduledProcedureStep.objects.filter(requested_procedure__order=order).order_by("pk")
    patient = patient_of(one)
    assert told(one) == [("CT1", True, False), (patient, True, False)]
    assert told(two) == [("CT2", True, False), (patient, True, True)]


def test_steps_that_a_sender_moves_past_each_other_are_not_overbooked_in_the_end() -> None:
    factories.station("CT1")
    exam = factories.exam("CTTWO", steps=(("First", "CT", 20), ("Second", "CT", 20)))
    order = factories.order(exam=exam)
    orders.change(by=BY, order=order, requests=[factories.request(exam=exam, start=factories.today_at(10, 20))])
    order.refresh_from_db()
    assert order.attentions == []
    assert not Booking.objects.filter(overbooked=True).exists()


# --- what an exam needs besides the scanner -------------------------------------------------------------


def needing(*roles: str, kind: str = "EQUIPMENT") -> ProcedureRequest:
    """A request for a CT that needs these."""
    exam = factories.exam()
    for role in roles:
        ExamNeed.new(exam=exam, kind=kind, role=role)
    return factories.request(exam=exam)


@pytest.mark.parametrize("how", ["asked", "promised"])
def test_what_an_exam_needs_is_booked_with_it(how: str) -> None:
    factories.station("CT1")
    for name in ("Injector 1", "Injector 2"):
        factories.resource(name, role="injector")
    request = needing("Injector")
    orders_ = [
        factories.order(exam=request.exam, start=factories.today_at(10, minute), asked=how == "asked")
        for minute in (0, 20)
    ]
    assert [told(factories.step_of(order))[1] for order in orders_] == [("Injector 1", True, False)] * 2


def test_needs_of_one_kind_get_one_resource_each() -> None:
    factories.station("CT1")
    for name in ("Ann", "Ben"):
        factories.resource(name, kind="STAFF", role="Nurse")
    step = factories.step(exam=needing("Nurse", "Nurse", kind="STAFF").exam)
    assert [who for who, *_ in told(step)[:3]] == ["CT1", "Ann", "Ben"]


def test_a_station_without_what_is_needed_is_refused_in_words() -> None:
    factories.station("CT1")
    ct2 = factories.station("CT2")
    factories.resource("Injector", role="Injector", station=factories.station("CT1"))
    exam = needing("Injector").exam
    step = factories.step("REQUESTED", exam=exam)
    with refused(NotOpen, "CT2 has no Injector."):
        schedule.book(by=BY, step=step, start=factories.today_at(10), station=ct2)
    schedule.book(by=BY, step=step, start=factories.today_at(10), station=factories.station("CT1"))
    other = factories.step("REQUESTED", exam=exam)
    with refused(NotOpen, "CT2 has no Injector."):
        schedule.book(by=BY, step=other, start=factories.today_at(10), station=ct2)


# --- the database has the last word ---------------------------------------------------------------------


def like(coming: ScheduledProcedureStep, other: ScheduledProcedureStep, **values: object) -> Booking:
    """Make a row for a step behind the verbs' back, in the time of another one."""
    scanner = Resource.objects.get(station__ae_title="CT1")
    return Booking.new(**{"step": coming, "resource": scanner, "start": other.start, "end": other.end} | values)


@pytest.mark.parametrize("whose", ["resource", "patient"])
@pytest.mark.parametrize("verb", ["insert", "update"])
def test_an_overlap_is_refused_by_the_database(whose: str, verb: str) -> None:
    there, coming = factories.step(), factories.step("REQUESTED")
    order = Order.objects.get(procedures__steps=there)
    owner = {"resource": None, "patient": order.patient} if whose == "patient" else {}
    if verb == "insert":
        with pytest.raises(IntegrityError), transaction.atomic():
            like(coming, there, **owner)
    else:
        row = Booking.objects.filter(pk=like(coming, there, overbooked=True, **owner).pk)
        with pytest.raises(IntegrityError), transaction.atomic():
            row.update(overbooked=False)


@pytest.mark.parametrize("why", ["overbooked", "over", "before", "after", "its own"])
def test_what_does_not_overlap_is_not_refused(why: str) -> None:
    there, coming = factories.step(), factories.step("REQUESTED")
    assert there.start
    assert there.end
    minute = timedelta(minutes=1)
    values: dict[str, dict[str, Any]] = {
        "overbooked": {"overbooked": True},
        "over": {"active": False},
        "before": {"start": there.start - minute, "end": there.start},
        "after": {"start": there.end, "end": there.end + minute},
        "its own": {"step": there},
    }
    assert like(coming, there, **values[why]).pk


# --- merges ----------------------------------------------------------------------------------------------


def test_a_merge_hands_the_time_over_and_undoing_it_gives_it_back() -> None:
    factories.station("CT1")
    factories.station("CT2")
    jane, twin = factories.patient(), factories.patient()
    janes, twins = (factories.step(patient=person) for person in (jane, twin))
    patients.merge(by=BY, survivor=jane, loser=twin)
    assert told(twins)[1] == (f"patient {jane.pk}", True, True)
    unmerging.unmerge(by=BY, loser=twin)
    assert told(twins)[1] == (f"patient {twin.pk}", True, False)
    assert told(janes)[1] == (f"patient {jane.pk}", True, False)


def test_a_visit_that_moves_takes_its_time_along() -> None:
    visit = factories.visit()
    step = factories.step(patient=visit.patient, order_fields={"visit": visit})
    ann = factories.patient("Roe^Ann")
    renumbering.move_visit(by=BY, visit=visit, source=visit.patient, to=ann)
    assert told(step)[1] == (f"patient {ann.pk}", True, False)


# --- the scanner of a station -----------------------------------------------------------------------------


def test_a_station_brings_its_scanner_and_keeps_its_name() -> None:
    station = factories.station("CT1")
    assert [(row.name, row.kind) for row in Resource.objects.filter(station=station)] == [("CT1", "SCANNER")]
    station.change(name="Bertha", site=factories.site("CLINIC"))
    scanner = Resource.objects.get(station=station)
    assert (scanner.name, scanner.site.code) == ("Bertha", "CLINIC")


def test_the_database_of_this_run_knows_the_guard() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT count(*) FROM pg_constraint WHERE conname LIKE 'booking_no_overlap%%'")
        else:
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'ris_booking%'")
        assert cursor.fetchone()[0] == 2
