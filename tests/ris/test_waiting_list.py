"""Who waits for an earlier place gets what others give up: offered, accepted, declined, too late."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ris.actions import exams, orders, schedule, together, waiting_list
from ris.errors import ForbiddenMove, InvalidValue, NotOpen, OfferClosed
from ris.models import (
    Booking,
    Event,
    EventKind,
    ExamGap,
    OfferState,
    ScheduledProcedureStep,
    SlotOffer,
    WaitingListEntry,
    WaitingState,
)
from ris.tasks import tidy_waiting_list
from tests import factories
from tests.refusals import refused

pytestmark = pytest.mark.django_db

BY = factories.CLERK


def booked(
    hour: int = 10, minute: int = 0, *, days: int = 3, name: str = "Doe^Jane", **values: Any
) -> ScheduledProcedureStep:
    """A step with an appointment in some days."""
    return factories.step(start=factories.today_at(hour, minute, days=days), patient=factories.patient(name), **values)


def waits(step: ScheduledProcedureStep | None = None, **wishes: Any) -> WaitingListEntry:
    """A step on the waiting list, one in nine days where none is said."""
    return waiting_list.put_on(by=BY, step=step or booked(days=9, name="Roe^Ann"), **wishes)


def offers() -> list[tuple[int, str]]:
    """The open offers: to whose entry, and the time of day."""
    rows = SlotOffer.objects.standing().order_by("start", "pk")
    return [(row.entry_id, f"{timezone.localtime(row.start):%H:%M}") for row in rows]


def kinds() -> list[str]:
    """What happened to the list and its offers, in order."""
    found = Event.objects.filter(kind__regex="^(waiting|slot)").order_by("pk")
    return list(found.values_list("kind", flat=True))


GIVE_UP: dict[str, Callable[[ScheduledProcedureStep], object]] = {
    "the step is cancelled": lambda step: exams.go("cancel", by=BY, step=step, reason="well again"),
    "the order is cancelled": lambda step: orders.cancel(by=BY, order=step.requested_procedure.order),
    "it is moved": lambda step: schedule.book(by=BY, step=step, start=factories.today_at(15, days=4)),
    "it is taken off the schedule": lambda step: schedule.unbook(by=BY, step=step),
    "it is moved by a message": lambda step: orders.change(
        by=factories.HIS,
        order=step.requested_procedure.order,
        requests=[factories.request(start=factories.today_at(15, days=4))],
    ),
    "it is noted that the patient does not come": lambda step: exams.go("miss", by=BY, step=step),
    "it is moved with others": lambda step: together.book_together(
        by=BY,
        appointments=[together.Appointment(step, factories.station(), factories.today_at(15, days=4))],
    ),
}


@pytest.mark.parametrize("how", GIVE_UP)
def test_a_time_that_somebody_gives_up_is_offered(how: str) -> None:
    gone, entry = booked(), waits()
    GIVE_UP[how](gone)
    assert offers() == [(entry.pk, "10:00")]
    told = Event.objects.get(kind=EventKind.SLOT_OFFERED)
    assert told.order_id == entry.step.requested_procedure.order_id
    assert told.patient_id == entry.step.requested_procedure.order.patient_id


def test_whoever_accepts_is_moved_and_what_they_had_goes_to_the_next() -> None:
    gone, entry = booked(), waits()
    last = waits(booked(days=12, name="Poe^Eve"))
    exams.go("cancel", by=BY, step=gone)
    step = waiting_list.accept(by=BY, offer=SlotOffer.objects.get(), reason="phoned")
    assert (step.start, step.state) == (factories.today_at(10, days=3), "SCHEDULED")
    assert Booking.objects.active().filter(step=step, start=factories.today_at(10, days=3)).count() == 2
    entry.refresh_from_db()
    assert entry.state == WaitingState.SERVED
    # Ann's old time, nine days from now, is earlier than what Eve has.
    assert offers() == [(last.pk, "10:00")]
    assert kinds()[2:] == ["slot.offered", "slot.accepted", "waiting.ended", "slot.offered"]


def test_the_urgent_come_first_then_those_who_wait_longest() -> None:
    gone = booked()
    waits(since=timezone.now() - timedelta(days=9))
    urgent = [waits(booked(hour, days=9), priority="HIGH") for hour in (11, 12)]
    WaitingListEntry.objects.filter(pk=urgent[1].pk).update(since=timezone.now() - timedelta(days=1))
    exams.go("cancel", by=BY, step=gone)
    assert [entry for entry, _time in offers()] == [urgent[1].pk]


def test_who_declines_lets_the_next_one_have_it_and_is_not_asked_again() -> None:
    gone, first, second = booked(), waits(), waits(booked(11, days=9))
    exams.go("cancel", by=BY, step=gone)
    following = waiting_list.decline(by=BY, offer=SlotOffer.objects.get(), reason="works that day")
    assert following is not None
    assert following.entry_id == second.pk
    assert waiting_list.decline(by=BY, offer=following) is None
    assert SlotOffer.objects.filter(state=OfferState.DECLINED, entry__in=(first, second)).count() == 2
    assert offers() == []


def today_in(days: int) -> Any:
    return timezone.localdate() + timedelta(days=days)


NOT_WANTED: dict[str, Callable[[], dict[str, Any]]] = {
    "only later": lambda: {"earliest": today_in(4)},
    "only sooner": lambda: {"latest": today_in(2)},
    "elsewhere": lambda: {"site": factories.site("CLINIC")},
    "on another station": lambda: {"stations": [factories.station("CT2").pk]},
    "told four days before": lambda: {"notice": 96},
}


@pytest.mark.parametrize("wish", NOT_WANTED)
def test_what_nobody_wants_is_offered_to_nobody(wish: str) -> None:
    gone = booked()
    waits(**NOT_WANTED[wish]())
    exams.go("cancel", by=BY, step=gone)
    assert offers() == []


def _longer() -> ScheduledProcedureStep:
    booked(10, days=9)
    booked_after = factories.today_at(10, 20, days=3)
    factories.order(start=booked_after)
    return booked(11, days=9, exam=factories.exam("CTLONG", duration=60))


def _busy() -> ScheduledProcedureStep:
    jane = factories.patient("Busy^Jane")
    factories.station("MR1")
    factories.order(patient=jane, exam=factories.exam("MRHEAD"), start=factories.today_at(10, days=3))
    return factories.step(patient=jane, start=factories.today_at(9, days=9))


def _kept_apart() -> ScheduledProcedureStep:
    jane, mine = factories.patient("Apart^Jane"), factories.exam("CTAPART")
    ExamGap.new(exam=mine, after=factories.exam("CTFIRST"), length=2, unit="d")
    factories.order(patient=jane, exam=factories.exam("CTFIRST"), start=factories.today_at(16, days=2))
    return factories.step(patient=jane, exam=mine, start=factories.today_at(9, days=9))


CANNOT: dict[str, Callable[[], ScheduledProcedureStep]] = {
    "an earlier place than this one is had already": lambda: booked(9, days=2, name="Roe^Ann"),
    "the exam is longer than the gap": _longer,
    "the patient has another exam then": _busy,
    "the exam must be kept apart from another": _kept_apart,
    "another modality": lambda: (factories.station("MR1"), factories.step("REQUESTED", exam=factories.exam("MRX")))[1],
    "the exam is done on another station": lambda: _elsewhere(),
    "the order is on hold": lambda: _held(),
}


def _elsewhere() -> ScheduledProcedureStep:
    exam = factories.exam("CTHEART")
    exam.stations.add(factories.station("CT2"))
    return factories.step("REQUESTED", exam=exam)


def _held() -> ScheduledProcedureStep:
    step = booked(days=9, name="Held^Ann")
    orders.hold(by=BY, order=step.requested_procedure.order, reason="kidneys")
    return step


@pytest.mark.parametrize("why", CANNOT)
def test_what_does_not_fit_is_offered_to_nobody(why: str) -> None:
    gone = booked()
    waits(CANNOT[why]())
    exams.go("cancel", by=BY, step=gone)
    assert offers() == []


def test_a_step_without_a_place_is_offered_any_time() -> None:
    gone, entry = booked(), waits(factories.step("REQUESTED"))
    exams.go("cancel", by=BY, step=gone)
    waiting_list.accept(by=BY, offer=SlotOffer.objects.get())
    entry.step.refresh_from_db()
    assert entry.step.state == "SCHEDULED"


def test_two_who_change_places_free_nothing() -> None:
    one, other, _entry = booked(10), booked(12), waits()
    together.swap(by=BY, one=one, other=other)
    assert kinds() == ["waiting.listed"]


def test_an_answer_comes_once() -> None:
    gone = booked()
    waits()
    exams.go("cancel", by=BY, step=gone)
    offer = SlotOffer.objects.get()
    waiting_list.accept(by=BY, offer=offer)
    with refused(OfferClosed):
        waiting_list.accept(by=BY, offer=offer)
    with refused(OfferClosed):
        waiting_list.decline(by=BY, offer=offer)


def test_a_time_that_was_closed_meanwhile_is_refused_in_words() -> None:
    gone = booked()
    waits()
    exams.go("cancel", by=BY, step=gone)
    day = factories.today_at(0, days=3)
    factories.closure(day, day + timedelta(days=1), site=factories.site())
    with refused(NotOpen, "New tube"):
        waiting_list.accept(by=BY, offer=SlotOffer.objects.get())
    assert WaitingListEntry.objects.get().state == WaitingState.WAITING


def test_the_clock_closes_what_stands_no_more_and_offers_it_to_the_next() -> None:
    gone, entry, later = booked(), waits(notice=24), waits(booked(12, days=9), notice=2)
    exams.go("cancel", by=BY, step=gone)
    SlotOffer.objects.update(expires_at=timezone.now())
    WaitingListEntry.objects.filter(pk=entry.pk).update(notice=90)
    assert tidy_waiting_list() == 1
    assert offers() == [(later.pk, "10:00")]
    assert tidy_waiting_list() == 0
    # Somebody else books the time; both who waited are cancelled.
    schedule.book(by=BY, step=factories.step("REQUESTED"), start=factories.today_at(10, days=3))
    for row in (entry, later):
        exams.go("cancel", by=BY, step=row.step)
    assert tidy_waiting_list()
    assert offers() == []
    assert set(WaitingListEntry.objects.values_list("state", flat=True)) == {WaitingState.OVER}


def test_who_got_an_earlier_place_meanwhile_is_not_moved_back_to_the_offered_one() -> None:
    gone, first, following = booked(), waits(), waits(booked(days=10, name="Poe^Jim"))
    schedule.unbook(by=BY, step=gone)
    offer = SlotOffer.objects.get()
    schedule.book(by=BY, step=first.step, start=factories.today_at(9, days=2))
    assert not SlotOffer.objects.standing().filter(entry=first).exists()
    with refused(OfferClosed):
        waiting_list.accept(by=BY, offer=offer)
    assert tidy_waiting_list() == 1
    assert SlotOffer.objects.standing().filter(entry=following, start=offer.start).exists()


def test_a_step_is_on_the_list_once_and_what_it_waits_for_can_be_changed() -> None:
    step = booked()
    entry = waits(step, notes="lives near")
    for _ in range(2):
        assert waits(step, notes="has a car").pk == entry.pk
    assert kinds() == ["waiting.listed", "waiting.listed"]
    assert WaitingListEntry.objects.get().notes == "has a car"


def test_who_is_taken_off_loses_the_offer_to_the_next_and_may_come_back() -> None:
    gone, entry, second = booked(), waits(), waits(booked(12, days=9))
    exams.go("cancel", by=BY, step=gone)
    for _ in range(2):
        waiting_list.take_off(by=BY, entry=entry, reason="went abroad")
    assert offers() == [(second.pk, "10:00")]
    assert Event.objects.get(kind=EventKind.WAITING_ENDED).reason == "went abroad"
    assert waits(entry.step).pk != entry.pk


def test_who_needs_no_place_cannot_wait_for_one() -> None:
    with refused(ForbiddenMove):
        waits(factories.step("COMPLETED"))
    with refused(InvalidValue):
        waits(booked(), earliest=today_in(3), latest=today_in(2))


# --- a part of a freed time, and changed wishes ---------------------------------------------------------------------


def short(name: str, **values: Any) -> ScheduledProcedureStep:
    """A step of twenty minutes that has no place yet."""
    return factories.step("REQUESTED", start=None, patient=factories.patient(name), **values)


def long(hour: int = 10) -> ScheduledProcedureStep:
    """An hour's appointment in three days."""
    return booked(hour, exam=factories.exam("CTLONG", duration=60))


def test_what_a_shorter_exam_leaves_of_a_freed_time_goes_to_the_next() -> None:
    gone, first, second = long(), waits(short("Roe^Ann")), waits(short("Poe^Eve"))
    exams.go("cancel", by=BY, step=gone)
    assert offers() == [(first.pk, "10:00"), (second.pk, "10:20")]


def test_a_freed_time_is_offered_from_where_it_is_free_on() -> None:
    gone, entry = long(), waits(short("Roe^Ann"))
    factories.order(start=factories.today_at(10, days=3))  # promised by its sender, on top
    exams.go("cancel", by=BY, step=gone)
    assert offers() == [(entry.pk, "10:20")]


def test_what_a_shortened_exam_leaves_is_offered() -> None:
    step, entry = long(), waits(short("Roe^Ann"))
    schedule.book(by=BY, step=step, duration=30)
    assert offers() == [(entry.pk, "10:30")]


def test_who_declines_a_part_is_not_offered_another_part_of_it() -> None:
    gone = long()
    waits(short("Roe^Ann"))
    exams.go("cancel", by=BY, step=gone)
    assert waiting_list.decline(by=BY, offer=SlotOffer.objects.get()) is None
    assert offers() == []


def test_an_offer_that_does_not_fit_a_changed_wish_goes_to_the_next() -> None:
    gone, entry, second = booked(), waits(), waits(booked(12, days=9))
    exams.go("cancel", by=BY, step=gone)
    waits(entry.step, earliest=today_in(4))
    assert offers() == [(second.pk, "10:00")]
    assert SlotOffer.objects.get(entry=entry).state == OfferState.EXPIRED


def test_an_offer_that_fits_a_changed_wish_stays() -> None:
    gone, entry = booked(), waits()
    exams.go("cancel", by=BY, step=gone)
    waits(entry.step, notes="has a car")
    assert offers() == [(entry.pk, "10:00")]
    assert SlotOffer.objects.count() == 1


@pytest.mark.parametrize("when", ["who comes on the list later", "who wanted other times"])
def test_a_time_that_was_given_up_before_is_offered_to(when: str) -> None:
    gone, step = booked(), booked(days=9, name="Roe^Ann")
    if when == "who wanted other times":
        waits(step, earliest=today_in(4))
    exams.go("cancel", by=BY, step=gone)
    assert offers() == []
    entry = waits(step, earliest=None)
    assert offers() == [(entry.pk, "10:00")]


def test_a_time_that_was_given_away_again_is_not_offered_to_who_comes_later() -> None:
    gone = booked()
    exams.go("cancel", by=BY, step=gone)
    booked()
    waits()
    assert offers() == []


def test_who_comes_on_the_list_is_offered_one_time_after_the_other() -> None:
    for hour in (10, 11):
        exams.go("cancel", by=BY, step=booked(hour))
    entry = waits()
    assert offers() == [(entry.pk, "10:00")]
    waiting_list.decline(by=BY, offer=SlotOffer.objects.get())
    assert offers() == [(entry.pk, "11:00")]


def test_what_an_accepted_part_left_is_offered_to_who_comes_later() -> None:
    gone, first = long(), waits(short("Roe^Ann"))
    exams.go("cancel", by=BY, step=gone)
    waiting_list.accept(by=BY, offer=SlotOffer.objects.get(entry=first))
    second = waits(short("Poe^Eve"))
    assert offers() == [(second.pk, "10:20")]


def test_an_exam_longer_than_the_freed_time_is_not_offered_what_somebody_else_was_offered() -> None:
    before, after, first = booked(10), booked(10, 20, name="Poe^Eve"), waits(short("Roe^Ann"))
    exams.go("cancel", by=BY, step=after)
    assert offers() == [(first.pk, "10:20")]
    waits(short("Lee^Kim", exam=factories.exam("CTLONG", duration=60)), priority="HIGH")
    exams.go("cancel", by=BY, step=before)
    periods = sorted(SlotOffer.objects.open().values_list("start", "end"))
    assert all(end <= start for (_start, end), (start, _end) in itertools.pairwise(periods))


def test_of_two_who_come_on_the_list_each_is_offered_a_time() -> None:
    for hour in (10, 11, 12):
        exams.go("cancel", by=BY, step=booked(hour))
    first, second = waits(), waits(booked(13, days=9, name="Poe^Eve"))
    assert offers() == [(first.pk, "10:00"), (second.pk, "11:00")]
