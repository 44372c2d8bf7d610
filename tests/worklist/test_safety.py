"""What a scanner reads of the safety questions."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ris.actions import gate
from ris.models import Order, ScheduledProcedureStep, ScreeningAnswer, ScreeningRule
from tests import factories
from tests.worklist.asking import answers, ask

pytestmark = pytest.mark.django_db

KEYS = {"MedicalAlerts": None, "SpecialNeeds": None, "PregnancyStatus": None}


def rule(**values: Any) -> ScreeningRule:
    defaults = {"question": "A pacemaker?", "topic": "implant", "alert": "Pacemaker", "modality": "MR"}
    return ScreeningRule.new(**(defaults | values))


def mr(**record: Any) -> Order:
    factories.station("MR1")
    return factories.order(exam=factories.exam("MRHEAD"), patient=factories.patient(**record))


def test_a_held_back_exam_is_not_on_the_list_and_the_question_stays_one_statement() -> None:
    pacemaker = rule()
    order = mr()
    ask(**KEYS)  # the caller's profile is looked up now and then
    with CaptureQueriesContext(connection) as captured:
        assert list(ask(**KEYS)) == []
    assert len(captured) == 1
    assert answers(**KEYS) == []
    gate.answer(by=factories.CLERK, order=order, rule=pacemaker, value="no")
    assert len(answers(**KEYS)) == 1
    ScheduledProcedureStep.objects.update(gate_until=timezone.now())
    assert answers(**KEYS) == []


def test_alerts_needs_and_pregnancy_come_from_questions_and_record_together() -> None:
    tell = {"when_open": "tell", "when_positive": "tell"}
    pacemaker, splinter = rule(**tell), rule(question="Splinter?", alert="Splinter", **tell)
    lift = rule(question="A lift?", topic="other", alert="Patient lift", tells="needs", **tell)
    pregnant = rule(question="Pregnant?", topic="pregnancy", alert="Pregnancy", **tell)
    order = mr(medical_alerts="MRSA", special_needs="Wheelchair", pregnancy_status=1)
    for question, value in ((pacemaker, "yes"), (splinter, "no"), (lift, "yes"), (pregnant, "2")):
        gate.answer(by=factories.CLERK, order=order, rule=question, value=value)
    (found,) = answers(**KEYS)
    assert list(found.MedicalAlerts) == ["Pacemaker", "Pregnancy", "MRSA"]
    assert (found.SpecialNeeds, found.PregnancyStatus) == ("Patient lift; Wheelchair", 2)


@pytest.mark.parametrize(
    ("kept", "sent"),
    [
        ("", None),
        ("MRSA", "MRSA"),
        ("MRSA; Latex", ["MRSA", "Latex"]),
        ("x" * 70 + "; Latex", ["x" * 64, "x" * 6, "Latex"]),
        ("back\\slash", "back/slash"),
    ],
)
def test_medical_alerts_of_the_record_alone(kept: str, sent: object) -> None:
    factories.order(patient=factories.patient(medical_alerts=kept))
    (found,) = answers(**KEYS)
    value = found.MedicalAlerts
    assert (list(value) if isinstance(sent, list) else value or None) == sent


def test_an_answer_that_is_written_over_is_on_the_next_list() -> None:
    pacemaker = rule(when_positive="tell")
    order = mr()
    for value, alert in (("no", None), ("yes", "Pacemaker"), ("no", None)):
        gate.answer(by=factories.CLERK, order=order, rule=pacemaker, value=value)
        assert [one.data_set.MedicalAlerts or None for one in ask(**KEYS)] == [alert]
    assert ScreeningAnswer.objects.count() == 3
