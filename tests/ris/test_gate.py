"""The safety gate: questions before an exam, and what scanners see of it meanwhile."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ris import tasks
from ris.actions import catalogue, exams, gate, patients, schedule, unmerging
from ris.actions.patients import merge
from ris.errors import ForbiddenMove, InvalidValue
from ris.models import (
    Event,
    EventKind,
    Gate,
    GateOverride,
    Order,
    Patient,
    PregnancyStatus,
    ScheduledProcedureStep,
    ScreeningAnswer,
    ScreeningRule,
)
from tests import factories
from tests.refusals import refused

pytestmark = pytest.mark.django_db

BY = factories.CLERK


def rule(**values: Any) -> ScreeningRule:
    """Return a question; about pacemakers before every MR unless the story says otherwise."""
    defaults: dict[str, Any] = {"question": "A pacemaker?", "topic": "implant", "alert": "Pacemaker"}
    if "exam" not in values:
        defaults["modality"] = "MR"
    return ScreeningRule.new(**(defaults | values))


def mr(patient: Patient | None = None, **values: Any) -> Order:
    """Place an order of an MR of the head on MR1."""
    factories.station("MR1")
    return factories.order(patient=patient, exam=factories.exam("MRHEAD"), **values)


def step_of(order: Order) -> ScheduledProcedureStep:
    return ScheduledProcedureStep.objects.get(requested_procedure__order=order)


def answer(order: Order, question: ScreeningRule, value: str, **values: Any) -> None:
    gate.answer(by=BY, order=order, rule=question, value=value, **values)


def shown(order: Order) -> bool:
    """Whether scanners see the order."""
    return ScheduledProcedureStep.objects.on_worklist().filter(requested_procedure__order=order).exists()


def kinds(order: Order) -> list[str]:
    wanted = ("step.held_back", "step.cleared", "step.overridden", "question.answered")
    return list(order.events.filter(kind__in=wanted).order_by("pk").values_list("kind", flat=True))


# --- the gate opens and shuts -------------------------------------------------------------------------


def test_an_exam_without_a_question_is_as_ever() -> None:
    order = mr()
    assert (step_of(order).gate, step_of(order).gate_until, shown(order)) == ("", None, True)
    rule()
    ct = factories.order(exam=factories.exam("CTABD"))
    assert (step_of(ct).gate, kinds(ct)) == ("", [])


def test_an_open_question_holds_back_and_a_good_answer_lets_through() -> None:
    pacemaker = rule()
    order = mr()
    assert (step_of(order).gate, step_of(order).gate_alerts, shown(order)) == (Gate.OPEN, "Pacemaker?", False)
    answer(order, pacemaker, "no")
    assert (step_of(order).gate, step_of(order).gate_alerts, shown(order)) == (Gate.CLEARED, "", True)
    assert kinds(order) == ["step.held_back", "question.answered", "step.cleared"]
    told = Event.objects.get(kind=EventKind.QUESTION_ANSWERED)
    assert (told.data["answer"], told.actor_name, told.patient) == ("no", "clara", order.patient)


def test_a_bad_answer_holds_back_or_is_told_to_the_scanner_as_the_question_says() -> None:
    strict, mild = rule(), rule(question="Metal?", alert="Metal splinter", when_open="tell", when_positive="tell")
    order = mr()
    answer(order, strict, "no")
    assert (shown(order), step_of(order).gate_alerts) == (True, "Metal splinter?")
    answer(order, mild, "yes")
    assert (shown(order), step_of(order).gate_alerts) == (True, "Metal splinter")
    answer(order, strict, "yes")
    assert (shown(order), step_of(order).gate) == (False, Gate.POSITIVE)


def test_words_may_go_to_special_needs() -> None:
    need = rule(question="A lift?", topic="other", alert="Patient lift", tells="needs", when_positive="tell")
    order = mr()
    answer(order, need, "yes")
    assert (step_of(order).gate_needs, step_of(order).gate_alerts) == ("Patient lift", "")
    more = rule(question="More?", topic="other", alert="An interpreter for sign language", tells="needs")
    most = rule(question="And?", topic="other", alert="Somebody who stays in the room", tells="needs")
    for question in (more, most):
        answer(order, question, "yes")
    assert step_of(order).gate_needs == "Patient lift; An interpreter for sign language; Somebody who ..."


def test_a_held_back_exam_is_not_started_by_hand_but_a_scanner_that_has_begun_keeps_its_patient() -> None:
    pacemaker = rule()
    order = mr()
    with refused(ForbiddenMove, "safety questions"):
        exams.go("start", by=BY, step=step_of(order))
    answer(order, pacemaker, "no")
    exams.go("start", by=BY, step=step_of(order))
    answer(order, pacemaker, "yes")
    assert shown(order)


# --- whom a question is for ---------------------------------------------------------------------------

YOUNG, OLD = date(2000, 1, 1), date(1930, 1, 1)


@pytest.mark.parametrize(
    ("values", "patient", "asked"),
    [
        ({"sex": "F"}, {"sex": "F"}, True),
        ({"sex": "F"}, {"sex": "M"}, False),
        ({"sex": "F"}, {"sex": ""}, True),
        ({"min_age": 12, "max_age": 55}, {"birth_date": YOUNG}, True),
        ({"min_age": 12, "max_age": 55}, {"birth_date": OLD}, False),
        ({"min_age": 12, "max_age": 55}, {"birth_date": None}, True),
        ({"only_with_contrast": True}, {}, False),
        ({"active": False}, {}, False),
    ],
)
def test_whom_a_question_is_for(values: dict[str, Any], patient: dict[str, Any], asked: bool) -> None:
    rule(**values)
    assert bool(step_of(mr(factories.patient(**patient))).gate) is asked


def test_a_question_may_be_one_exams_own_or_one_steps_modality() -> None:
    factories.station("RF1"), factories.station("MR1")
    arthro = factories.exam("MRARTHRO", steps=(("Injection", "RF", 20), ("Pictures", "MR", 30)))
    rule()
    rule(exam=factories.exam("CTABD"), question="Metformin?", topic="other", alert="Metformin")
    found = factories.order(exam=arthro).procedures.get().steps.order_by("pk")
    assert [step.gate for step in found] == ["", Gate.OPEN]
    assert step_of(factories.order(exam=factories.exam("CTABD"))).gate == Gate.OPEN


# --- the kinds of answers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said", "gate_then", "pregnancy"),
    [
        ({"topic": "kidney", "limit": 30}, "45", Gate.CLEARED, None),
        ({"topic": "kidney", "limit": 30}, "29.5", Gate.POSITIVE, None),
        ({"topic": "weight", "limit": 120}, "120", Gate.CLEARED, None),
        ({"topic": "weight", "limit": 120}, "121", Gate.POSITIVE, None),
        ({"topic": "weight"}, "161", Gate.POSITIVE, None),
        ({"topic": "weight"}, "160", Gate.CLEARED, None),
        ({"topic": "pregnancy"}, "1", Gate.CLEARED, 1),
        ({"topic": "pregnancy"}, "2", Gate.POSITIVE, 2),
        ({"topic": "pregnancy"}, "3", Gate.POSITIVE, 3),
        ({"topic": "pregnancy"}, "4", Gate.OPEN, 4),
        ({"topic": "allergy"}, "yes", Gate.POSITIVE, None),
    ],
)
def test_what_an_answer_means(values: dict[str, Any], said: str, gate_then: str, pregnancy: int | None) -> None:
    factories.station("MR1", max_weight=160)
    question = rule(**values)
    order = mr()
    answer(order, question, said, measured_on=timezone.localdate())
    assert (step_of(order).gate, step_of(order).gate_pregnancy) == (gate_then, pregnancy)


@pytest.mark.parametrize(
    ("topic", "said", "measured_on", "field"),
    [
        ("implant", "perhaps", None, "value"),
        ("pregnancy", "7", None, "value"),
        ("weight", "heavy", None, "value"),
        ("weight", "NaN", None, "value"),
        ("weight", "-3", None, "value"),
        ("weight", "1e99", None, "value"),
        ("kidney", "45", None, "measured_on"),
        ("kidney", "45", timedelta(days=2), "measured_on"),
    ],
)
def test_an_answer_that_cannot_be_is_refused(topic: str, said: str, measured_on: timedelta | None, field: str) -> None:
    question = rule(topic=topic, limit=30)
    order = mr()
    with refused(InvalidValue) as error:
        answer(order, question, said, measured_on=timezone.localdate() + measured_on if measured_on else None)
    assert isinstance(error.value, InvalidValue)
    assert error.value.field == field
    assert not ScreeningAnswer.objects.exists()


# --- what the record says -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "record", "gate_then"),
    [
        ("allergy", {"allergies": "Iodine"}, Gate.POSITIVE),
        ("allergy", {"allergies": ""}, Gate.OPEN),
        ("pregnancy", {"pregnancy_status": PregnancyStatus.DEFINITELY}, Gate.POSITIVE),
        ("pregnancy", {"pregnancy_status": PregnancyStatus.NOT_PREGNANT}, Gate.CLEARED),
        ("pregnancy", {"pregnancy_status": None}, Gate.OPEN),
        ("weight", {"weight": Decimal("80.5")}, Gate.CLEARED),
        ("weight", {"weight": Decimal(200)}, Gate.POSITIVE),
        ("implant", {"medical_alerts": "Pacemaker"}, Gate.OPEN),
    ],
)
def test_what_the_hospital_sent_is_an_answer(topic: str, record: dict[str, Any], gate_then: str) -> None:
    rule(topic=topic, limit=160)
    assert step_of(mr(factories.patient(**record))).gate == gate_then


def test_a_person_who_has_asked_knows_better_until_the_hospital_tells_something_new() -> None:
    allergy = rule(topic="allergy", alert="Contrast allergy", valid_for=1, unit="w")
    jane = factories.patient(allergies="Pollen")
    order = mr(jane)
    assert not shown(order)
    answer(order, allergy, "no", note="pollen only")
    assert shown(order)
    patients.update(by=factories.HIS, patient=jane, allergies="Pollen; Gadolinium")
    assert (shown(order), step_of(order).gate) == (False, Gate.POSITIVE)
    assert ScreeningAnswer.objects.get().withdrawn_at is not None


def test_another_birth_date_may_end_a_question() -> None:
    rule(min_age=12, max_age=55, topic="pregnancy", sex="F")
    jane = factories.patient(birth_date=YOUNG)
    order = mr(jane)
    patients.update(by=BY, patient=jane, birth_date=OLD)
    assert (step_of(order).gate, shown(order)) == ("", True)


# --- answers run out ----------------------------------------------------------------------------------


def test_an_answer_must_hold_at_the_time_of_the_exam() -> None:
    kidney = rule(topic="kidney", limit=30, valid_for=4, unit="w")
    soon, late = mr(start=factories.today_at(10, days=7)), None
    jane = soon.patient
    late = mr(jane, start=factories.today_at(10, days=27))
    answer(soon, kidney, "60", measured_on=timezone.localdate() - timedelta(days=7))
    assert (step_of(soon).gate, step_of(late).gate) == (Gate.CLEARED, Gate.OPEN)
    schedule.book(by=BY, step=step_of(late), start=factories.today_at(15, days=20))
    assert step_of(late).gate == Gate.CLEARED
    schedule.book(by=BY, step=step_of(late), start=factories.today_at(15, days=22))
    assert step_of(late).gate == Gate.OPEN


def test_the_query_hides_what_has_run_out_and_the_clock_notes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pacemaker = rule(valid_for=1, unit="d")
    order = mr(start=timezone.now() - timedelta(hours=1))
    answer(order, pacemaker, "no")
    assert shown(order)
    over = timezone.now() - timedelta(seconds=1)
    ScreeningAnswer.objects.update(expires_at=over)
    ScheduledProcedureStep.objects.update(gate_until=over)
    assert not shown(order)
    tasks.close_gates()
    assert (step_of(order).gate, kinds(order)[-1]) == (Gate.OPEN, "step.held_back")
    tasks.close_gates()
    assert kinds(order).count("step.held_back") == 2  # when it was placed, and now


def test_an_answer_for_its_order_only_says_nothing_of_the_next_one() -> None:
    metal, pacemaker = rule(question="Metal?"), rule(valid_for=1, unit="w")
    first = mr()
    answer(first, metal, "no")
    answer(first, pacemaker, "no")
    second = mr(first.patient)
    assert (shown(first), shown(second)) == (True, False)
    assert [one.rule for one in gate.verdict_of(full(second)).held_back] == [metal]


def full(order: Order) -> ScheduledProcedureStep:
    found = ScheduledProcedureStep.objects.select_related("requested_procedure__order__patient", "station")
    return found.get(requested_procedure__order=order)


# --- in spite of it -----------------------------------------------------------------------------------


def test_a_person_lets_through_with_a_reason_until_something_new_turns_up() -> None:
    pacemaker, metal = rule(), rule(question="Metal?", alert="Metal")
    order = mr()
    answer(order, metal, "no")
    with refused(InvalidValue, "say why"):
        gate.override(by=BY, step=step_of(order), reason=" ")
    gate.override(by=BY, step=step_of(order), reason="Bleeding, no time")
    assert (step_of(order).gate, step_of(order).gate_alerts, shown(order)) == (Gate.OVERRIDDEN, "Pacemaker?", True)
    told = Event.objects.get(kind=EventKind.STEP_OVERRIDDEN)
    assert (told.reason, told.data["in spite of"]) == ("Bleeding, no time", ["A pacemaker?"])
    with refused(ForbiddenMove, "not held back"):
        gate.override(by=BY, step=step_of(order), reason="again")
    answer(order, metal, "yes")
    assert (step_of(order).gate, shown(order)) == (Gate.POSITIVE, False)
    answer(order, metal, "no")
    answer(order, pacemaker, "no")
    assert step_of(order).gate == Gate.CLEARED
    assert GateOverride.objects.count() == 1


# --- around it ----------------------------------------------------------------------------------------


def test_the_answers_of_who_was_merged_away_count_for_the_survivor_and_part_with_them() -> None:
    pacemaker = rule(valid_for=1, unit="w")
    jane, twin = factories.patient(), factories.patient()
    answer(mr(twin), pacemaker, "no")
    order = mr(jane)
    assert not shown(order)
    merge(by=BY, survivor=jane, loser=twin)
    assert shown(order)
    unmerging.unmerge(by=BY, loser=twin)
    assert not shown(order)


def test_a_new_question_is_asked_of_what_is_booked_already() -> None:
    order = mr()
    pacemaker = rule()
    assert gate.rules_changed(by=BY) == 1
    assert not shown(order)
    pacemaker.change(active=False)
    assert gate.rules_changed(by=BY) == 1
    assert (step_of(order).gate, shown(order)) == ("", True)


def test_a_heavier_table_is_a_way_out() -> None:
    factories.station("MR1", max_weight=160)
    factories.station("MR2", max_weight=250)
    rule(topic="weight", alert="Weight")
    order = mr(factories.patient(weight=Decimal(200)))
    assert not shown(order)
    schedule.book(by=BY, step=step_of(order), station=factories.station("MR2"))
    assert shown(order)


def test_a_place_without_questions_pays_nothing_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "SECONDS", 600)  # as when orders follow each other
    factories.station("CT1")
    exam, jane = factories.exam("CTABD"), factories.patient()

    def count(act: Callable[[], object]) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            act()
        return [one["sql"] for one in captured if "screening" in one["sql"] or "gateoverride" in one["sql"]]

    factories.order(patient=jane, exam=exam)  # reads the catalogue
    order = factories.order(patient=jane, exam=exam)
    assert count(lambda: factories.order(patient=jane, exam=exam)) == []
    assert count(lambda: patients.update(by=BY, patient=jane, weight=Decimal(70))) == []
    assert count(lambda: schedule.book(by=BY, step=step_of(order), start=factories.today_at(15))) == []


def test_an_order_of_a_process_that_did_not_know_a_new_question_is_asked_by_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rule()
    with monkeypatch.context() as behind:
        behind.setattr("ris.actions.safety.rules", list)
        order = mr()
    assert shown(order)
    tasks.close_gates()
    assert not shown(order)


def test_answers_outlive_any_number_of_merges() -> None:
    question = rule(valid_for=4, unit="w", when_open="tell")
    people = [factories.patient() for _ in range(4)]
    order = mr(people[0])
    answer(order, question, "yes")
    for loser, survivor in pairwise(people):
        merge(by=factories.BY, survivor=survivor, loser=loser)
        assert not shown(order)
