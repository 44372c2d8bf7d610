"""Several steps at once: linked exams of one visit, two patients who change places."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ris.actions import schedule, together
from ris.actions.together import Appointment
from ris.errors import ForbiddenMove, InvalidValue, SlotTaken
from ris.models import Booking, Event, EventKind, Patient, ScheduledProcedureStep
from tests import factories
from tests.refusals import refused

pytestmark = pytest.mark.django_db

BY = factories.CLERK


def waiting(code: str, patient: Patient) -> ScheduledProcedureStep:
    """A step that waits, on a station of its modality."""
    factories.station(f"{code[:2]}1")
    return factories.step("REQUESTED", patient=patient, exam=factories.exam(code))


def at(step: ScheduledProcedureStep) -> str:
    """Where and when a step is."""
    step.refresh_from_db()
    if step.station is None or step.start is None:
        return "nowhere"
    return f"{step.station.name} {step.start.astimezone(ZoneInfo('Europe/Berlin')):%H:%M}"


def linked(start: datetime, *steps: ScheduledProcedureStep) -> list[Appointment]:
    """Appointments of steps one after the other."""
    minutes = timedelta(minutes=20)
    return [
        Appointment(step, factories.station(f"{step.modality}1"), start + number * minutes)
        for number, step in enumerate(steps)
    ]


def test_linked_exams_are_booked_one_after_the_other_and_each_is_told() -> None:
    jane = factories.patient()
    steps = [waiting(code, jane) for code in ("CTHEAD", "MRHEAD", "CTABD")]
    together.book_together(by=BY, appointments=linked(factories.today_at(9), *steps), reason="one visit")
    assert [at(step) for step in steps] == ["CT1 09:00", "MR1 09:20", "CT1 09:40"]
    told = Event.objects.filter(kind=EventKind.STEP_BOOKED, step__in=steps)
    assert {(event.actor_name, event.reason) for event in told} == {("clara", "one visit")}


def test_of_linked_exams_none_is_booked_when_one_does_not_fit() -> None:
    jane = factories.patient()
    steps = [waiting(code, jane) for code in ("CTHEAD", "MRHEAD")]
    factories.order(exam=factories.exam("MRHEAD"), start=factories.today_at(9, 30))
    with refused(SlotTaken, "MR1 is taken until 09:50."):
        together.book_together(by=BY, appointments=linked(factories.today_at(9), *steps))
    assert [at(step) for step in steps] == ["nowhere", "nowhere"]
    assert not Booking.objects.filter(step__in=steps).exists()
    with refused(InvalidValue):
        together.book_together(by=BY, appointments=linked(factories.today_at(9), *steps), overbook=True)
    together.book_together(
        by=BY, appointments=linked(factories.today_at(9), *steps), overbook=True, reason="comes from far away"
    )
    assert [at(step) for step in steps] == ["CT1 09:00", "MR1 09:20"]


def test_a_visit_is_moved_by_a_few_minutes_though_its_exams_stand_close() -> None:
    jane = factories.patient()
    steps = [waiting(code, jane) for code in ("CTHEAD", "CTABD")]
    for minute in (0, 10):
        together.book_together(by=BY, appointments=linked(factories.today_at(9, minute), *steps))
    assert [at(step) for step in steps] == ["CT1 09:10", "CT1 09:30"]


def test_who_presses_twice_books_once() -> None:
    step = waiting("CTHEAD", factories.patient())
    for _ in range(2):
        together.book_together(by=BY, appointments=linked(factories.today_at(9), step))
    assert Event.objects.filter(step=step, kind__in=(EventKind.STEP_BOOKED, EventKind.STEP_MOVED)).count() == 1
    assert Booking.objects.active().filter(step=step).count() == 2


def test_two_patients_change_places() -> None:
    one, other = (waiting("CTHEAD", factories.patient(name)) for name in ("Doe^Jane", "Roe^Ann"))
    for step, hour in ((one, 9), (other, 11)):
        schedule.book(by=BY, step=step, start=factories.today_at(hour))
    together.swap(by=BY, one=one, other=other, reason="Ann comes by train")
    assert (at(one), at(other)) == ("CT1 11:00", "CT1 09:00")
    told = Event.objects.filter(kind=EventKind.STEP_MOVED)
    assert [event.reason for event in told] == ["Ann comes by train"] * 2
    assert Booking.objects.count() == 4


def test_places_are_not_changed_where_the_longer_exam_does_not_fit() -> None:
    one = waiting("CTHEAD", factories.patient())
    other = waiting("CTLONG", factories.patient())
    schedule.book(by=BY, step=one, start=factories.today_at(9))
    schedule.book(by=BY, step=other, start=factories.today_at(11), duration=60)
    factories.order(start=factories.today_at(9, 30))
    with refused(SlotTaken, "CT1 is taken until 09:50."):
        together.swap(by=BY, one=one, other=other)
    assert (at(one), at(other)) == ("CT1 09:00", "CT1 11:00")


def test_who_has_no_place_cannot_change_it() -> None:
    one, other = (waiting("CTHEAD", factories.patient()) for _ in range(2))
    schedule.book(by=BY, step=one, start=factories.today_at(9))
    for pair in ((one, other), (one, one)):
        with refused(ForbiddenMove):
            together.swap(by=BY, one=pair[0], other=pair[1])


def test_a_second_press_does_not_swap_back_and_an_old_page_swaps_nothing() -> None:
    one, other = (waiting("CTHEAD", factories.patient(name)) for name in ("Doe^Jane", "Roe^Ann"))
    for step, hour in ((one, 9), (other, 11)):
        schedule.book(by=BY, step=step, start=factories.today_at(hour))
        step.refresh_from_db()
    seen = together.place_of(one), together.place_of(other)
    for _press in range(2):
        together.swap(by=BY, one=one, other=other, seen=seen)
        assert (at(one), at(other)) == ("CT1 11:00", "CT1 09:00")
    schedule.book(by=BY, step=one, start=factories.today_at(15))
    with refused(ForbiddenMove):
        together.swap(by=BY, one=one, other=other, seen=seen)
