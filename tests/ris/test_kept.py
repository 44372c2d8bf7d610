"""A session that ends in mid-form loses nothing; a double click and an old page do no harm to a booking by hand."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from ris.actions import schedule
from ris.models import Event, EventKind, ScheduledProcedureStep
from ris.roles import Role
from ris.views import kept
from tests import factories
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db

DAY = timezone.localdate() + timedelta(days=3)


@pytest.fixture
def clerk() -> Desk:
    return Desk(Role.FRONT_DESK)


def waiting() -> ScheduledProcedureStep:
    factories.station("CT1")
    return factories.step("REQUESTED")


def time_passes() -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def book_page(step: ScheduledProcedureStep) -> str:
    return f"/ris/scheduledprocedurestep/{step.pk}/book/"


def seen_in(page: str) -> str:
    return page.partition('name="seen" value="')[2].partition('"')[0]


FORMS: dict[str, tuple[Callable[[], str], dict[str, str]]] = {
    "book": (
        lambda: book_page(waiting()),
        {"start": f"{DAY}T10:05", "duration": "25", "reason": "asked on the phone"},
    ),
    "waiting list": (
        lambda: book_page(waiting()).replace("book", "waiting-list"),
        {"priority": "HIGH", "notice": "7", "notes": "asked on the phone"},
    ),
    "register": (lambda: "/ris/patient/add/", {"family": "asked on the phone", "token": "a" * 32}),
    "order": (
        lambda: f"/ris/patient/{factories.patient().pk}/order/",
        {"exam_text": "asked on the phone", "priority": "HIGH", "token": "a" * 32},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_was_typed_when_the_session_ended_is_there_after_signing_in(clerk: Desk, form: str) -> None:
    make, said = FORMS[form]
    address = make()
    time_passes()
    assert clerk.client.get("/board/").status_code == 302, "another window, in which nothing was typed"
    answer = clerk.client.post(address, said)
    assert answer.status_code == 302
    assert "asked" not in answer.headers["Location"]
    clerk.client.force_login(clerk.user)
    page = clerk.get(address)
    assert "What you typed is still here" in text_of(page)
    assert "asked on the phone" in page
    assert not Event.objects.filter(kind__in=(EventKind.STEP_BOOKED, EventKind.WAITING_LISTED)).exists()
    assert "asked on the phone" not in clerk.get(address)


def test_what_was_typed_is_shown_on_its_own_page_only_and_too_much_is_not_kept(clerk: Desk) -> None:
    step = waiting()
    time_passes()
    clerk.client.post(book_page(step), {"reason": "x" * kept.MOST})
    clerk.client.post("/ris/order/1/act/", {"reason": "typed into no form"})
    assert kept.KEY not in Session.objects.get().get_decoded()
    clerk.client.post(book_page(step), {"reason": "asked on the phone"})
    clerk.client.force_login(clerk.user)
    assert "asked on the phone" not in clerk.get(book_page(factories.step("REQUESTED")))
    assert "asked on the phone" in clerk.get(book_page(step))


def test_nobody_else_who_signs_in_at_the_same_computer_reads_what_was_typed(clerk: Desk) -> None:
    step = waiting()
    time_passes()
    for _press in range(2):
        clerk.client.post(book_page(step), {"reason": "asked on the phone"})
    clerk.client.force_login(Desk(Role.FRONT_DESK).user)
    assert "asked on the phone" not in clerk.get(book_page(step))
    assert kept.KEY not in clerk.client.session


def test_nothing_is_kept_of_somebody_who_was_not_signed_in(clerk: Desk) -> None:
    step = waiting()
    Session.objects.all().delete()
    clerk.client.post(book_page(step), {"reason": "asked on the phone"})
    assert not Session.objects.exists()
    clerk.client.force_login(clerk.user)
    clerk.client.post("/logout/")
    assert not clerk.client.cookies["sessionid"].value, "who signs out leaves nothing behind"


def test_a_double_click_books_once_and_the_page_before_moves_nothing(clerk: Desk) -> None:
    step = waiting()
    old = {"start": f"{DAY}T10:00", "duration": "20", "seen": seen_in(clerk.get(book_page(step)))}
    for _press in range(2):
        assert "The exam is booked." in text_of(clerk.post(book_page(step), **old))
    assert Event.objects.filter(step=step, kind__in=(EventKind.STEP_BOOKED, EventKind.STEP_MOVED)).count() == 1
    schedule.book(by=factories.CLERK, step=step, start=factories.today_at(12, days=3))
    page = clerk.post(book_page(step), **old)
    assert "somebody has changed it meanwhile" in text_of(page)
    step.refresh_from_db()
    assert step.start == factories.today_at(12, days=3)
    assert "The exam is booked." in text_of(clerk.post(book_page(step), **(old | {"seen": seen_in(page)})))
