"""Marks of orders that go by themselves: when what they speak of is no longer so."""

from collections.abc import Callable

import pytest

from ris.actions import exams, orders, schedule, visits
from ris.models import Attention, Booking, Event, EventKind, ExamNeed, Order, ScheduledProcedureStep, VisitState
from ris.states import StepState
from tests import factories
from tests.ris.test_schedule import attentions

pytestmark = pytest.mark.django_db

BY = factories.BY
Road = Callable[[ScheduledProcedureStep], object]


def _order(step: ScheduledProcedureStep) -> Order:
    return step.requested_procedure.order


def _begin_and_stop(step: ScheduledProcedureStep) -> None:
    exams.go("start", by=BY, step=step)
    orders.discontinue(by=BY, order=_order(step))


ROADS: dict[str, Road] = {
    "the order is cancelled": lambda step: orders.cancel(by=BY, order=_order(step)),
    "the order is discontinued": lambda step: orders.discontinue(by=BY, order=_order(step)),
    "it is stopped while it goes on": _begin_and_stop,
    "the step is cancelled": lambda step: exams.go("cancel", by=BY, step=step),
    "the patient does not come": lambda step: exams.go("miss", by=BY, step=step),
    "it is taken off the schedule": lambda step: schedule.unbook(by=BY, step=step),
    "it gets another time": lambda step: schedule.book(by=BY, step=step, start=factories.today_at(15)),
}


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
@pytest.mark.parametrize("which", ["the one on top", "the one below"])
def test_that_a_station_is_taken_is_over_when_one_of_the_two_gives_it_up(road: Road, which: str) -> None:
    below, on_top = factories.step(), factories.step()
    assert attentions(on_top) == [Attention.DOUBLE_BOOKED]
    road(on_top if which == "the one on top" else below)
    assert (attentions(below), attentions(on_top)) == ([], [])
    assert not Booking.objects.active().filter(overbooked=True).exists()
    settled = Event.objects.filter(kind=EventKind.ORDER_SETTLED)
    assert [event.order for event in settled] == ([] if which == "the one on top" else [_order(on_top)])


def test_that_a_patient_is_busy_is_over_when_the_other_exam_is_cancelled() -> None:
    factories.station("CT1")
    factories.station("MR1")
    first = factories.order()
    second = factories.order(patient=first.patient, exam=factories.exam("MRHEAD"))
    assert second.attentions == [Attention.PATIENT_BUSY]
    orders.cancel(by=BY, order=first)
    second.refresh_from_db()
    assert second.attentions == []


def test_a_station_that_is_taken_by_a_third_exam_still_is_taken() -> None:
    steps = [factories.step() for _ in range(3)]
    orders.cancel(by=BY, order=_order(steps[0]))
    assert [attentions(step) for step in steps] == [[], [Attention.DOUBLE_BOOKED], [Attention.DOUBLE_BOOKED]]


def test_a_cancelled_order_asks_for_nothing_that_was_to_be_done_before_the_exam() -> None:
    visit = factories.visit()
    order = factories.order(code="X1", modality="CT", order_fields={"visit": visit})
    visits.keep(
        by=BY,
        patient=visit.patient,
        visit_number=visit.visit_number,
        issuer=visit.issuer,
        state=VisitState.DISCHARGED,
    )
    order.refresh_from_db()
    assert set(order.attentions) == {Attention.UNKNOWN_EXAM, Attention.VISIT_DISCHARGED}
    assert orders.cancel(by=BY, order=order).attentions == []


def test_what_a_number_became_is_to_be_known_after_a_cancel_too() -> None:
    factories.order(accession_number="PL-1", start=None)
    order = factories.order(accession_number="PL-1", start=None)
    assert order.attentions == [Attention.ACCESSION_TAKEN]
    assert orders.cancel(by=BY, order=order).attentions == [Attention.ACCESSION_TAKEN]


def test_who_is_back_on_the_schedule_finds_the_station_taken_meanwhile() -> None:
    step = factories.step(StepState.NO_SHOW)
    other = factories.step()
    exams.go("reopen", by=BY, step=step)
    assert attentions(step) == [Attention.DOUBLE_BOOKED]
    exams.go("cancel", by=BY, step=other)
    assert attentions(step) == []


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
def test_that_a_nurse_is_taken_is_over_when_the_exam_elsewhere_gives_her_up(road: Road) -> None:
    factories.station("CT1")
    factories.station("MR1")
    factories.resource("Ann", kind="STAFF", role="Nurse")
    for code in ("CTABD", "MRHEAD"):
        ExamNeed.new(exam=factories.exam(code), kind="STAFF", role="Nurse")
    below, on_top = factories.step(), factories.step(exam=factories.exam("MRHEAD"))
    assert attentions(on_top) == [Attention.DOUBLE_BOOKED]
    road(below)
    assert attentions(on_top) == []
