"""Exams of scanners that tell nothing: closed by the clock or by a person, each with its evidence, and opened again."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from ris.actions import closing, exams, leftovers, orders, performed
from ris.actor import ActorKind
from ris.errors import ForbiddenMove
from ris.models import BulkClosing, Event, EventKind, Evidence, PerformedLink, ScheduledProcedureStep, StepClosure
from ris.roles import Role
from ris.tasks import close_idle_exams, close_left_over_exams
from tests import factories
from tests.factories import BY
from tests.refusals import refused
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db

WORDS = "PACS has 12 images"


def state(step: ScheduledProcedureStep) -> str:
    return ScheduledProcedureStep.objects.get(pk=step.pk).state


@pytest.fixture
def step_in_progress() -> ScheduledProcedureStep:
    """One that a scanner has begun, and of which it tells no more."""
    step = factories.step()
    names = {"accession_number": "", "requested_procedure_id": "", "study_instance_uid": ""}
    performed.begin(
        by=BY,
        sop_instance_uid="1.9",
        station_ae_title="CT1",
        items=[names | {"sps_id": step.sps_id}],
        pps_id="P1",
        modality="CT",
        start=timezone.now(),
    )
    step.refresh_from_db()
    return step


def close(step: ScheduledProcedureStep, evidence: Evidence = Evidence.ARCHIVE) -> bool:
    return closing.close(by=BY, step=step, evidence=evidence, words=WORDS)


@pytest.mark.parametrize("before", ["SCHEDULED", "ARRIVED", "READY", "STARTED", "DEPARTED"])
def test_a_closing_names_its_evidence_and_is_undone_to_where_it_was(before: str) -> None:
    step = factories.step(before)
    assert close(step)
    assert not close(step)
    assert state(step) == "COMPLETED"
    completed = Event.objects.get(kind=EventKind.STEP_COMPLETED, step=step)
    assert completed.reason == WORDS
    closure = StepClosure.objects.get()
    closing.undo(by=BY, closure=closure, reason="still scanning")
    assert state(step) == before
    closing.undo(by=BY, closure=closure)
    assert not close(step), "the same evidence does not close it again"
    assert close(step, Evidence.PERSON)


@pytest.mark.parametrize("before", ["REQUESTED", "COMPLETED", "CANCELED", "DISCONTINUED", "NO_SHOW"])
def test_what_is_over_or_has_no_place_is_not_closed(before: str) -> None:
    step = factories.step(before)
    assert not any(close(step, evidence) for evidence in Evidence)
    assert state(step) == before


def test_an_order_on_hold_is_left_alone_and_a_later_change_is_not_undone() -> None:
    held = factories.step()
    orders.hold(by=BY, order=held.requested_procedure.order)
    assert not close(held)
    step = factories.step()
    close(step)
    exams.go("reopen", by=BY, step=step)
    with refused(ForbiddenMove):
        closing.undo(by=BY, closure=StepClosure.objects.get())


def test_an_exam_that_was_put_back_otherwise_can_be_closed_again() -> None:
    step = factories.step()
    close(step)
    exams.go("reopen", by=BY, step=step)
    assert not close(step)
    assert close(step, Evidence.PERSON)
    assert [closure.evidence for closure in StepClosure.objects.standing()] == [Evidence.PERSON]


def test_the_clock_closes_what_was_silent_for_as_long_as_its_station_says() -> None:
    factories.station("CT1", idle_minutes=30)
    step, waiting, other = factories.step("STARTED"), factories.step(), factories.step("STARTED")
    factories.station("CT2")
    talker = factories.step("STARTED", start=factories.today_at(12))
    ScheduledProcedureStep.objects.filter(pk=other.pk).update(station=factories.station("CT2"))
    later = timezone.now() + timedelta(minutes=31)
    assert close_idle_exams() == 0
    orders.change(by=BY, order=talker.requested_procedure.order, requesting_service="ER")
    assert closing.close_idle(by=BY, now=timezone.now() + timedelta(minutes=29)) == 0
    assert closing.close_idle(by=BY, now=later) == 2
    assert [state(one) for one in (step, waiting, other, talker)] == ["COMPLETED", "SCHEDULED", "STARTED", "COMPLETED"]
    closing.undo(by=BY, closure=StepClosure.objects.get(step=step))
    assert closing.close_idle(by=BY, now=later + timedelta(hours=1)) == 0


def test_looking_at_an_order_is_no_word_of_the_exam() -> None:
    factories.station("CT1", idle_minutes=30)
    step = factories.step("STARTED")
    before = closing.last_word(step)
    Desk(Role.TECHNOLOGIST).get(f"/ris/order/{step.requested_procedure.order_id}/change/")
    assert closing.last_word(step) == before


def test_a_person_opens_a_closed_exam_again() -> None:
    technologist, clerk = Desk(Role.TECHNOLOGIST), Desk(Role.FRONT_DESK)
    step = factories.step("STARTED")
    close(step)
    page = f"/ris/order/{step.requested_procedure.order_id}/change/"
    assert WORDS in text_of(technologist.get(page))
    address = f"/ris/scheduledprocedurestep/{StepClosure.objects.get().pk}/open-again/"
    clerk.post_in_vain(403, address, reason="no")
    assert "Please say why." in text_of(technologist.post(address))
    assert "The exam is open again" in text_of(technologist.post(address, reason="still scanning"))
    assert state(step) == "STARTED"
    assert "Closed without a report" not in text_of(technologist.get(page))


def test_a_report_that_comes_after_all_settles_the_closing(step_in_progress: ScheduledProcedureStep) -> None:
    step, technologist = step_in_progress, Desk(Role.TECHNOLOGIST)
    page = f"/ris/order/{step.requested_procedure.order_id}/change/"
    close(step, Evidence.IDLE)
    row = PerformedLink.objects.get().performed
    row = performed.update(by=BY, performed=performed.lock(row.sop_instance_uid), description="more")
    assert "It is not over" in text_of(technologist.get(page)), "the scanner goes on"
    performed.update(by=BY, performed=performed.lock(row.sop_instance_uid), state="COMPLETED")
    text = text_of(technologist.get(page))
    assert "It is not over" not in text
    assert text.index("Scanner has finished") < text.index(WORDS), "the history tells both, the newest first"
    with refused(ForbiddenMove):
        closing.undo(by=BY, closure=StepClosure.objects.get())
    performed.unlink(by=BY, performed=row, step=step, reason="another exam")
    assert StepClosure.objects.unreported().exists()


# --- the board ---------------------------------------------------------------------------------------------


@pytest.fixture
def left() -> list[ScheduledProcedureStep]:
    """Three of yesterday: one never came, one arrived, one is in progress still. And one of today."""
    yesterday = [factories.today_at(hour, days=-1) for hour in (8, 9, 10)]
    steps = [
        factories.step(name, start=start)
        for name, start in zip(("SCHEDULED", "ARRIVED", "STARTED"), yesterday, strict=True)
    ]
    factories.step(start=timezone.now() + timedelta(minutes=5))
    return steps


def test_the_board_closes_many_at_once_and_shows_how_far_it_is(left: list[ScheduledProcedureStep]) -> None:
    technologist = Desk(Role.TECHNOLOGIST)
    assert list(leftovers.left_over()) == left
    page = technologist.get("/left-over/")
    assert page.count('name="step"') == 3
    ticked = [str(step.pk) for step in left[1:]]
    page = technologist.post("/left-over/", kind="COMPLETE", reason="system was down", step=ticked)
    assert 'http-equiv="refresh"' in page
    assert "0 of 2" in text_of(page)
    assert close_left_over_exams() == 2
    assert close_left_over_exams() == 0
    bulk = BulkClosing.objects.get()
    page = technologist.get(f"/left-over/?bulk={bulk.pk}")
    assert "2 of 2 · finished" in text_of(page)
    assert 'http-equiv="refresh"' not in page
    assert [state(step) for step in left] == ["SCHEDULED", "COMPLETED", "COMPLETED"]
    told = Event.objects.filter(kind=EventKind.STEP_COMPLETED, cause=f"leftover:{bulk.pk}")
    assert [(one.user, one.actor_kind, one.reason) for one in told] == [
        (technologist.user, ActorKind.USER, "system was down")
    ] * 2
    assert {closure.evidence for closure in StepClosure.objects.all()} == {Evidence.PERSON}


def test_who_did_not_come_is_noted_and_what_moved_on_is_counted(left: list[ScheduledProcedureStep]) -> None:
    bulk = leftovers.begin(by=BY, kind="MISS", steps=[step.pk for step in left], reason="a strike")
    exams.go("cancel", by=BY, step=left[0])
    assert leftovers.work() == 3
    bulk.refresh_from_db()
    assert (bulk.done, bulk.refused) == (3, 3), "only who was never seen did not come"
    assert [state(step) for step in left] == ["CANCELED", "ARRIVED", "STARTED"]


def test_a_worker_that_died_leaves_the_rest_to_the_next(left: list[ScheduledProcedureStep]) -> None:
    bulk = leftovers.begin(by=BY, kind="COMPLETE", steps=[step.pk for step in left], reason="x")
    BulkClosing.objects.update(done=1, claimed_until=timezone.now() + timedelta(minutes=1))
    assert leftovers.work() == 0
    BulkClosing.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert leftovers.work() == 2
    bulk.refresh_from_db()
    assert bulk.finished_at is not None
    assert [state(step) for step in left] == ["SCHEDULED", "COMPLETED", "COMPLETED"]


def test_the_board_is_for_those_who_perform_and_takes_odd_presses(left: list[ScheduledProcedureStep]) -> None:
    Desk(Role.FRONT_DESK).get("/left-over/", status=403)
    technologist = Desk(Role.TECHNOLOGIST)
    assert "Please say why." in text_of(technologist.post("/left-over/", kind="COMPLETE", step=left[0].pk))
    assert "Please say why." in text_of(technologist.post("/left-over/", kind="BURN", reason="x", step=left[0].pk))
    assert "Please say why." in text_of(technologist.post("/left-over/", kind="REOPEN", reason="x", step=left[0].pk))
    page = technologist.post("/left-over/", kind="MISS", reason="a strike")
    assert "Tick the exams that are meant." in text_of(page)
    assert 'value="a strike"' in page
    assert "None of these exams" in text_of(technologist.post("/left-over/", kind="MISS", reason="x", step="99"))
    technologist.post_in_vain(404, "/left-over/", kind="MISS", reason="x", step="x")
    for odd in ("bulk=99", "station=x", "site=x"):
        technologist.get(f"/left-over/?{odd}", status=404)


def test_what_is_being_closed_is_not_offered_a_second_time(left: list[ScheduledProcedureStep]) -> None:
    technologist = Desk(Role.TECHNOLOGIST)
    page = technologist.post("/left-over/", kind="COMPLETE", reason="x", step=[step.pk for step in left[:2]])
    assert "0 of 2" in text_of(page)
    assert re.findall(r'name="step" value="(\d+)"', page) == [str(left[2].pk)]
    assert "None of these exams" in text_of(technologist.post("/left-over/", kind="MISS", reason="x", step=left[0].pk))


def test_the_board_is_narrowed_to_a_station_or_a_site(left: list[ScheduledProcedureStep]) -> None:
    technologist = Desk(Role.TECHNOLOGIST)
    assert 'name="station"' not in technologist.get("/left-over/"), "there is one station only"
    elsewhere = factories.station("MR9", site=factories.site("NORTH"))
    ScheduledProcedureStep.objects.filter(pk=left[2].pk).update(station=elsewhere)
    for narrow in (f"station={elsewhere.pk}", f"site={elsewhere.site_id}"):
        page = technologist.get(f"/left-over/?{narrow}")
        assert re.findall(r'name="step" value="(\d+)"', page) == [str(left[2].pk)]
        assert f'<option value="{narrow.partition("=")[2]}" selected>' in page
    address = f"/left-over/?station={elsewhere.pk}"
    page = technologist.post(address, kind="COMPLETE", reason="x", step=left[2].pk)
    assert "Nothing is left over there." in text_of(page), "it stays narrowed"
    assert f'<option value="{elsewhere.pk}" selected>' in page, "and says so"
    assert f'<input type="hidden" name="bulk" value="{BulkClosing.objects.get().pk}">' in page


def test_a_closing_is_undone_as_a_whole(left: list[ScheduledProcedureStep]) -> None:
    technologist = Desk(Role.TECHNOLOGIST)
    ticked = [step.pk for step in left]
    technologist.post("/left-over/", kind="MISS", reason="a strike", step=ticked[:1])
    technologist.post("/left-over/", kind="COMPLETE", reason="system was down", step=ticked[1:])
    missed, completed = BulkClosing.objects.order_by("pk")
    assert "again" not in text_of(technologist.get(f"/left-over/?bulk={completed.pk}")).partition("Nothing")[0]
    assert close_left_over_exams() == 3
    exams.go("reopen", by=BY, step=left[2])
    page = f"/left-over/?bulk={completed.pk}"
    assert "Open 1 exam again" in text_of(technologist.get(page))
    assert "Please say why." in text_of(technologist.post(page, undo=completed.pk))
    technologist.post(page, undo=completed.pk, reason="the wrong list")
    assert "None of these exams" in text_of(technologist.post(page, undo=completed.pk, reason="twice"))
    technologist.post(page, undo=missed.pk, reason="the wrong list")
    technologist.post_in_vain(404, page, undo=99, reason="x")
    assert close_left_over_exams() == 2
    assert [state(step) for step in left] == ["SCHEDULED", "ARRIVED", "SCHEDULED"]
    assert Event.objects.filter(reason="the wrong list", user=technologist.user).exists()
    assert "Open 1 exam again" not in text_of(technologist.get(page))


def test_what_was_moved_on_since_is_not_opened_again(left: list[ScheduledProcedureStep]) -> None:
    bulk = leftovers.begin(by=BY, kind="MISS", steps=[left[0].pk], reason="x")
    leftovers.work()
    again = leftovers.take_back(by=BY, bulk=bulk, reason="y")
    assert not leftovers.closed_by(again).exists()
    exams.go("reopen", by=BY, step=left[0])
    assert leftovers.work() == 1
    again.refresh_from_db()
    assert (again.done, again.refused) == (1, 1)
