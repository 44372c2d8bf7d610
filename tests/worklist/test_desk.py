"""The worklist on the desk: what a scanner would get, what scanners asked."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from ris.actions import exams, orders
from ris.models import Event, EventKind
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of
from worklist.models import QueryLog, UnknownCaller

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk() -> Desk:
    return Desk(Role.FRONT_DESK)


def test_a_station_sees_its_own_day(clerk: Desk) -> None:
    factories.station("CT2")
    order = factories.order(patient=factories.patient("Müller^Łukasz", "4711"))
    factories.order(patient=factories.patient("Doe^Jane"), start=factories.today_at(10, days=1))
    page = clerk.get("/worklist/station/?station=CT2")
    words = text_of(page)
    assert "The scanner gets 1 entry" in words
    assert "10:00 Müller, Łukasz 4711 CT abdomen with contrast" in words
    assert order.accession_number in words
    assert f"/ris/order/{order.pk}/change/" in page
    assert "(0010,0010)" in words


def test_a_technologist_with_an_empty_list_sees_who_asked_last_and_what_is_missing() -> None:
    technologist = Desk(Role.TECHNOLOGIST)
    nameless = factories.order(patient=factories.patient(""))
    words = text_of(technologist.get("/worklist/station/?station=CT1"))
    assert "No scanner has ever asked here as CT1" in words
    assert f"Not on the list, because PatientName is missing or cannot be written: {nameless}" in words
    now = timezone.now()
    got = {"matches": 5, "step_ids": [7, 8, 9, 10], "skipped": [6], "status": "0000"}
    QueryLog.objects.create(at=now, last_at=now, calling_ae_title="CT1", address="10.1.2.3", **got)
    words = text_of(technologist.get("/worklist/station/?station=CT1"))
    assert "from 10.1.2.3 and got 4 answers (status 0000). 1 exam was left out: DICOM cannot write it." in words


def test_what_is_held_cancelled_or_done_is_not_on_the_list(clerk: Desk) -> None:
    held, cancelled = factories.order(), factories.order(start=factories.today_at(11))
    done = factories.step("COMPLETED", start=factories.today_at(12))
    orders.hold(by=factories.BY, order=held)
    orders.cancel(by=factories.BY, order=cancelled)
    address = "/worklist/station/?station=CT1"
    assert "The scanner gets an empty list for this day." in text_of(clerk.get(address))
    exams.go("reopen", by=factories.BY, step=done)
    assert "The scanner gets 1 entry" in text_of(clerk.get(address))


def test_another_day_is_a_click_away(clerk: Desk) -> None:
    factories.order(start=factories.today_at(10, days=1))
    tomorrow = timezone.localdate() + timedelta(days=1)
    address = f"/worklist/station/?station=CT1&amp;day={tomorrow}"
    assert address.partition("?")[2] in clerk.get("/worklist/station/?station=CT1")
    assert "The scanner gets 1 entry" in text_of(clerk.get(f"/worklist/station/?station=CT1&day={tomorrow}"))


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "?station=NOBODY",
        "?station=CT1&day=2026-02-31",
        "?station=CT1&day=9999-12-31",
        "?station=CT1&day=0001-01-01",
        "?station='--&day=x",
    ],
)
def test_odd_addresses_are_no_trouble(clerk: Desk, asked: str) -> None:
    factories.station("CT1")
    assert "Worklist of a station" in text_of(clerk.get(f"/worklist/station/{asked}"))


def test_looking_at_a_list_is_told_with_its_patients(clerk: Desk) -> None:
    order = factories.order()
    clerk.get("/worklist/station/?station=CT1")
    event = Event.objects.get(kind=EventKind.PATIENTS_LISTED)
    assert event.data["patients"] == [order.patient_id]
    assert event.subject.startswith("ris.station:")


def test_what_scanners_asked_and_who_is_unknown_is_read_by_informatics() -> None:
    step, unwritable = factories.step(), factories.step(patient=factories.patient("", "4712"))
    now = timezone.now()
    query = QueryLog.objects.create(
        at=now,
        last_at=now,
        calling_ae_title="CT1",
        called_ae_title="BUCKY",
        address="10.0.0.9",
        keys={"PatientName": "", "ScheduledProcedureStepSequence": [{"Modality": "CT"}]},
        matches=2,
        step_ids=[step.pk],
        skipped=[unwritable.pk],
        status="0000",
    )
    UnknownCaller.objects.note("STRANGER", "10.0.0.66", now, refused=True)
    expert = Desk(Role.INFORMATICS)
    assert "CT1 C-FIND 10.0.0.9 Modality=CT 1 (1 left out) 0000" in text_of(expert.get("/worklist/querylog/"))
    assert re.search(r"STRANGER 10\.0\.0\.66 .* refused Adopt", text_of(expert.get("/worklist/unknowncaller/")))
    page = expert.get(f"/worklist/querylog/{query.pk}/change/")
    told = Event.objects.order_by("-pk")[0]
    orders = [one.requested_procedure.order for one in (step, unwritable)]
    for one, order in zip((step, unwritable), orders, strict=True):
        assert f'<a href="/ris/order/{order.pk}/change/">{one.sps_id}</a>' in page
    assert "Answers: 1 (1 left out) Matches: 2" in text_of(page)
    assert sorted(told.data["patients"]) == sorted(order.patient_id for order in orders)
    home = text_of(expert.get("/"))
    assert "Unknown callers, last 24 hours STRANGER" in home
    assert re.search(r"CT1 [-0-9: ]+ C-FIND · Answers: 1 \(1 left out\) Unknown", home)
    expert.get(f"/worklist/querylog/{query.pk}/delete/", status=403)


def test_the_page_of_a_query_names_it_by_the_clock_of_the_house() -> None:
    asked = datetime(2026, 7, 1, 10, 5, 7, tzinfo=UTC)
    query = QueryLog.objects.create(at=asked, last_at=asked, calling_ae_title="CT1", address="10.1.2.3", status="0000")
    assert str(query) == "CT1 2026-07-01 12:05:07"
