"""What a query has just missed: by one key alone, by each key, and one exam by its number."""

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from ris.models import Event, EventKind
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of
from tests.worklist.asking import CT1, keys
from tests.worklist.test_why import asked
from worklist import why
from worklist.models import StationProfile
from worklist.why import near_misses

pytestmark = pytest.mark.django_db


def test_a_query_shows_what_one_key_alone_has_kept_off() -> None:
    factories.station("CT1"), factories.station("CT2")
    listed = factories.step(start=factories.today_at(8))
    other = factories.step(start=factories.today_at(9), station=factories.station("CT2"))
    tomorrow = factories.step(start=factories.today_at(9, days=1))
    missed = factories.step("NO_SHOW", start=factories.today_at(11))
    twice = factories.step("NO_SHOW", start=factories.today_at(12, days=1))
    query = asked()
    expert = Desk(Role.INFORMATICS)
    assert f"/worklist/querylog/{query.pk}/near/" in expert.get(f"/worklist/querylog/{query.pk}/change/")
    page = expert.get(f"/worklist/querylog/{query.pk}/near/")
    words = text_of(page)
    for step, reason in (
        (other, "Scheduled Station AE Title CT1 CT2"),
        (tomorrow, "Start date and time"),
        (missed, "State one of: scheduled, arrived, ready, in progress did not come"),
    ):
        assert f"/worklist/querylog/why/{step.pk}/?query={query.pk}" in page
        assert reason in words
    for step in (listed, twice):
        assert f"/worklist/querylog/why/{step.pk}/" not in page
    told = Event.objects.filter(kind=EventKind.PATIENTS_LISTED).order_by("-pk")[0]
    assert len(told.data["patients"]) == 3


def test_a_query_that_several_keys_spoil_shows_what_each_finds_by_itself() -> None:
    factories.station("CT1"), factories.station("CT2")
    for hour in (9, 10, 11):
        factories.step(start=factories.today_at(hour), station=factories.station("CT2"))
    factories.step("COMPLETED", start=factories.today_at(12))
    StationProfile.objects.create(name="Console of CT1", callers="CT1", scope="OWN")
    query = asked(ScheduledStationAETitle="CT2", Modality="MR", ScheduledProcedureStepStartDate="20200101")
    words = text_of(Desk(Role.INFORMATICS).get(f"/worklist/querylog/{query.pk}/near/"))
    assert "No exam was missed by one key alone." in words
    shares = words[words.index("How many of the 3 exams") :]
    assert "Start date and time 2020-01-01 00:00 to 2020-01-01 23:59 0 Modality MR 0" in shares
    assert "Scheduled Station AE Title CT2 3 Station profile a station that the device may see: CT1 0" in shares


def test_from_a_query_one_exam_is_explained_by_its_number() -> None:
    query, expert = asked(), Desk(Role.INFORMATICS)
    step = factories.step("NO_SHOW")
    two = factories.order(exam=factories.exam("PETCT", modality="CT", steps=[("Low", "CT", 10), ("High", "CT", 20)]))
    near = f"/worklist/querylog/{query.pk}/near/?exam="
    for number in (step.sps_id, f"+{step.requested_procedure.order.accession_number}+"):
        answer = expert.client.get(near + number)
        assert (answer.status_code, answer["Location"]) == (302, f"/worklist/querylog/why/{step.pk}/?query={query.pk}")
    assert "The order has several steps:" in text_of(expert.get(near + two.accession_number))
    assert "There is neither a step of this ID nor an order" in text_of(expert.get(near + "4712"))


def test_a_query_that_cannot_be_understood_has_no_near_misses() -> None:
    query = asked(step_ids=[], status="C001", ScheduledProcedureStepStartDate="x")
    words = text_of(Desk(Role.INFORMATICS).get(f"/worklist/querylog/{query.pk}/near/"))
    assert "This query cannot be answered: the key Scheduled Procedure Step Start Date is not a date." in words


def test_of_each_key_the_exams_nearest_to_the_query_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(why, "OF_EACH", 2)
    steps = {days: factories.step(start=factories.today_at(9, days=days)) for days in (-3, -1, 1, 3)}
    waiting = factories.step(start=None)
    query = asked()
    page = Desk(Role.INFORMATICS).get(f"/worklist/querylog/{query.pk}/near/")
    shown = [days for days, step in steps.items() if f"/worklist/querylog/why/{step.pk}/" in page]
    assert shown == [-1, 1]
    assert f"/worklist/querylog/why/{waiting.pk}/" not in page, "it fails more than one"
    told = near_misses(keys(PatientName=None), CT1, Q(), query.last_at)
    assert [miss.step_id for miss in told] == [waiting.pk], "without a start it is looked at all the same"


def test_many_near_misses_cost_no_more_questions_to_the_database_than_one() -> None:
    factories.station("CT1")  # the profiles, which are remembered, are read anew after this
    query = asked()

    def misses(number: int) -> int:
        for _ in range(number):
            factories.step("NO_SHOW", start=factories.today_at(11))
        with CaptureQueriesContext(connection) as taken:
            told = near_misses(keys(), CT1, Q(), query.last_at)
        assert len({miss.step_id for miss in told}) == len(told) > number - 1
        return len(taken)

    assert misses(1) == misses(6)
