"""The waiting list at the desk: put on, phone, accept or decline, take off; by whom, and who is told."""

from datetime import timedelta

import pytest
from django.utils import timezone

from ris.actions import exams, schedule, waiting_list
from ris.models import Event, EventKind, ScheduledProcedureStep, SlotOffer, WaitingListEntry
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db

BOARD = "/waiting-list/"


@pytest.fixture
def clerk() -> Desk:
    return Desk(Role.FRONT_DESK)


def booked(name: str, days: int) -> ScheduledProcedureStep:
    return factories.step(start=factories.today_at(10, days=days), patient=factories.patient(name, phone="555-0199"))


def order_page(step: ScheduledProcedureStep) -> str:
    return f"/ris/order/{step.requested_procedure.order_id}/change/"


def form_of(step: ScheduledProcedureStep) -> str:
    return f"/ris/scheduledprocedurestep/{step.pk}/waiting-list/"


def test_from_the_order_to_the_list_and_from_a_cancelled_exam_to_the_patient_who_waits(clerk: Desk) -> None:
    gone, waits = booked("Doe^Jane", 3), booked("Roe^Ann", 9)
    assert form_of(waits) in clerk.get(order_page(waits))
    page = clerk.post(form_of(waits), priority="HIGH", notice="4", notes="lives near", phone="555-0142 after six")
    assert "The patient is on the waiting list." in text_of(page)
    listed = text_of(clerk.get(BOARD))
    assert "Roe, Ann" in listed
    assert "555-0142 after six" in listed
    assert "lives near" in listed

    page = clerk.post(f"/ris/scheduledprocedurestep/{gone.pk}/go/", move="cancel", reason="well again")
    assert "Its freed time is offered" in text_of(page)
    assert "Roe, Ann" in text_of(page)
    told = Event.objects.filter(kind=EventKind.PATIENTS_LISTED, subject="ris.slotoffer").first()
    assert told
    assert told.data["patients"] == [waits.requested_procedure.order.patient_id]
    assert "Roe, Ann" in text_of(Desk(Role.SCHEDULER).get("/"))
    assert "Freed times wait for an answer" in text_of(clerk.get("/"))

    offer = SlotOffer.objects.get()
    page = clerk.post(BOARD, verb="accept", offer=offer.pk, next=order_page(waits))
    assert "The exam is booked at the offered time." in text_of(page)
    waits.refresh_from_db()
    assert waits.start == gone.start
    assert "was answered, or the time is gone" in text_of(clerk.post(BOARD, verb="accept", offer=offer.pk))
    assert "Nobody waits." in text_of(clerk.get(BOARD))
    assert "Freed times wait" not in text_of(clerk.get("/"))


def test_who_declines_is_noted_and_who_is_taken_off_needs_a_reason(clerk: Desk) -> None:
    gone, first, second = booked("Doe^Jane", 3), booked("Roe^Ann", 9), booked("Poe^Eve", 10)
    for step in (first, second):
        waiting_list.put_on(by=factories.CLERK, step=step)
    exams.go("cancel", by=factories.CLERK, step=gone)
    page = clerk.post(BOARD, verb="decline", offer=SlotOffer.objects.get().pk, reason="works")
    assert "The time is offered to the next on the waiting list." in text_of(page)
    offer = SlotOffer.objects.open().get()
    assert "Nobody else on the waiting list" in text_of(clerk.post(BOARD, verb="decline", offer=offer.pk))
    assert "was answered" in text_of(clerk.post(BOARD, verb="decline", offer=offer.pk))
    entry = WaitingListEntry.objects.get(step=first)
    assert "Please say why." in text_of(clerk.post(BOARD, verb="take off", entry=entry.pk))
    assert "off the waiting list" in text_of(clerk.post(BOARD, verb="take off", entry=entry.pk, reason="abroad"))
    assert "Roe, Ann" not in text_of(clerk.get(BOARD))


def test_an_offer_that_is_refused_says_why_and_goes_to_the_next(clerk: Desk) -> None:
    gone, waits = booked("Doe^Jane", 3), booked("Roe^Ann", 9)
    waiting_list.put_on(by=factories.CLERK, step=waits)
    exams.go("cancel", by=factories.CLERK, step=gone)
    schedule.book(by=factories.CLERK, step=factories.step("REQUESTED"), start=factories.today_at(10, days=3))
    page = clerk.post(BOARD, verb="accept", offer=SlotOffer.objects.get().pk)
    assert "was answered, or the time is gone" in text_of(page)
    assert SlotOffer.objects.get().state == "EXPIRED"
    assert WaitingListEntry.objects.get().state == "WAITING"


def test_a_time_that_was_closed_meanwhile_is_offered_no_more(clerk: Desk) -> None:
    gone, waits = booked("Doe^Jane", 3), booked("Roe^Ann", 9)
    waiting_list.put_on(by=factories.CLERK, step=waits)
    exams.go("cancel", by=factories.CLERK, step=gone)
    midnight = factories.today_at(0, days=3)
    factories.closure(midnight, midnight + timedelta(days=1), site=factories.site())
    page = clerk.post(BOARD, verb="accept", offer=SlotOffer.objects.get().pk)
    assert "New tube" in text_of(page)
    assert "No freed time waits for an answer." in text_of(page)
    assert WaitingListEntry.objects.get().state == "WAITING"


def test_what_is_waited_for_is_checked_and_shown_again(clerk: Desk) -> None:
    step = booked("Doe^Jane", 3)
    ct2 = factories.station("CT2")
    day = timezone.localdate() + timedelta(days=5)
    wrong = {"priority": "HIGH", "notice": "2", "notes": "kept", "earliest": day, "latest": day - timedelta(days=1)}
    page = clerk.post(form_of(step), **wrong)
    assert "The last day is before the first one." in text_of(page)
    assert "kept" in page
    assert "between 1900 and 2199" in text_of(clerk.post(form_of(step), **(wrong | {"latest": "9999-01-01"})))
    clerk.post(form_of(step), **(wrong | {"latest": day, "stations": ct2.pk}))
    entry = WaitingListEntry.objects.get()
    assert (entry.stations, entry.latest) == ([ct2.pk], day)
    assert "CT2" in text_of(clerk.get(f"{BOARD}?modality=CT"))
    assert "Nobody waits." in text_of(clerk.get(f"{BOARD}?modality=MR"))
    exams.go("cancel", by=factories.CLERK, step=step)
    assert "cannot get another place" in text_of(clerk.post(form_of(step), priority="LOW", notice="2"))


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.FRONT_DESK, 200), (Role.SCHEDULER, 200), (Role.TECHNOLOGIST, 403), (Role.RADIOLOGIST, 403)],
)
def test_who_may_keep_the_list(role: Role, status: int) -> None:
    step, desk = booked("Doe^Jane", 3), Desk(role)
    desk.get(BOARD, status)
    desk.get(form_of(step), status)
    page = desk.get(order_page(step))
    assert (form_of(step) in page) == (status == 200)
    if status == 403:
        desk.post_in_vain(403, BOARD, verb="accept", offer=1)


@pytest.mark.parametrize("said", [{}, {"verb": "burn"}, {"verb": "accept"}, {"verb": "take off", "entry": "x"},
                                  {"verb": "accept", "offer": "99999"}])  # fmt: skip
def test_odd_answers_are_not_found(clerk: Desk, said: dict[str, str]) -> None:
    clerk.post_in_vain(404, BOARD, **said)
