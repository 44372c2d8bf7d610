"""The safety questions at the desk: asked on the order, listed while open, overridden with a reason, kept as rows."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from ris.models import Event, EventKind, Gate, Order, ScheduledProcedureStep, ScreeningAnswer, ScreeningRule
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db


def rule(**values: Any) -> ScreeningRule:
    defaults = {"question": "A pacemaker?", "topic": "implant", "alert": "Pacemaker", "modality": "MR"}
    return ScreeningRule.new(**(defaults | values))


@pytest.fixture
def order() -> Order:
    """An MR of tomorrow with three questions: implants, kidney function, pregnancy."""
    factories.station("MR1")
    rule()
    rule(question="eGFR", topic="kidney", limit=30, valid_for=4, unit="w", alert="Kidney")
    rule(question="Pregnant?", topic="pregnancy", alert="Pregnancy", when_positive="tell")
    return factories.order(exam=factories.exam("MRHEAD"), start=factories.today_at(10, days=1))


def gate_of(order: Order) -> str:
    return ScheduledProcedureStep.objects.get(requested_procedure__order=order).gate


def keys() -> tuple[int, int, int]:
    pacemaker, kidney, pregnancy = ScreeningRule.objects.order_by("pk").values_list("pk", flat=True)
    return pacemaker, kidney, pregnancy


def test_the_front_desk_asks_and_the_exam_is_on_the_worklist(order: Order) -> None:
    desk = Desk(Role.FRONT_DESK)
    seen = text_of(desk.get(f"/ris/order/{order.pk}/change/"))
    assert "not on the worklist" in seen
    assert "open A pacemaker?" in seen
    assert "Let it through" not in seen
    assert "A pacemaker?" in text_of(desk.get("/safety/"))
    pacemaker, kidney, pregnancy = keys()
    day = timezone.localdate().isoformat()
    said = {f"{pacemaker}-value": "no", f"{kidney}-value": "61.5", f"{kidney}-measured_on": day}
    seen = text_of(desk.post(f"/ris/order/{order.pk}/safety/", **said, **{f"{pregnancy}-value": "2"}))
    assert "The answers are kept." in seen
    assert "positive Pregnant? possibly pregnant" in seen
    assert f"{desk.user.username}, " in seen
    assert (gate_of(order), Event.objects.filter(kind=EventKind.QUESTION_ANSWERED, order=order).count()) == (
        "CLEARED",
        3,
    )
    assert "No exam is held back." in text_of(desk.get("/safety/"))


def test_what_was_typed_stays_and_nothing_is_kept_when_one_answer_is_wrong(order: Order) -> None:
    pacemaker, kidney, _pregnancy = keys()
    said = {f"{pacemaker}-value": "no", f"{kidney}-value": "61.5"}
    desk = Desk(Role.TECHNOLOGIST)
    page = desk.post(f"/ris/order/{order.pk}/safety/", **said)
    assert "On which day was the value taken?" in text_of(page)
    assert 'value="61.5"' in page
    assert "Enter a number." in text_of(desk.post(f"/ris/order/{order.pk}/safety/", **{f"{kidney}-value": "much"}))
    assert not ScreeningAnswer.objects.exists()
    assert "Nothing was answered." in text_of(desk.post(f"/ris/order/{order.pk}/safety/", **{f"{kidney}-value": ""}))


def test_only_who_may_lets_an_exam_through_and_says_why(order: Order) -> None:
    step = ScheduledProcedureStep.objects.get(requested_procedure__order=order)
    address = f"/ris/scheduledprocedurestep/{step.pk}/override/"
    Desk(Role.TECHNOLOGIST).post_in_vain(403, address, reason="please")
    radiologist = Desk(Role.RADIOLOGIST)
    assert "Please say why." in text_of(radiologist.post(address, reason=""))
    seen = text_of(radiologist.post(address, reason="Bleeding, no time"))
    assert "The exam is on the worklist." in seen
    assert "et through in spite of safety questions" in seen
    assert "This exam is not held back." in text_of(radiologist.post(address, reason="again"))  # a double click
    assert gate_of(order) == Gate.OVERRIDDEN


def test_what_the_hospital_sent_is_shown_as_its_answer() -> None:
    factories.station("MR1")
    rule(topic="weight", question="Weight", alert="Weight", limit=160)
    heavy = factories.patient(weight=Decimal(170))
    order = factories.order(exam=factories.exam("MRHEAD"), patient=heavy)
    page = text_of(Desk(Role.TECHNOLOGIST).get(f"/ris/order/{order.pk}/safety/"))
    assert "positive 170.00 from the patient's record" in page


def test_informatics_keeps_the_questions_and_a_change_reaches_what_is_booked(order: Order) -> None:
    desk = Desk(Role.INFORMATICS)
    Desk(Role.SCHEDULER).get("/ris/screeningrule/add/", status=403)
    new = {"question": "Metal?", "topic": "other", "modality": "CT", "alert": "Metal", "rank": "5", "active": "on"}
    new |= {"unit": "d", "when_open": "hold", "when_positive": "hold", "tells": "alerts"}
    ct = factories.order(exam=factories.exam("CTABD"))
    desk.post("/ris/screeningrule/add/", **new)
    assert gate_of(ct) == Gate.OPEN
    made = ScreeningRule.objects.get(question="Metal?")
    assert Event.objects.filter(kind=EventKind.CATALOG_CHANGED, subject=f"ris.screeningrule:{made.pk}").exists()
    assert "Metal?" in text_of(desk.get("/ris/screeningrule/"))
    desk.post(f"/ris/screeningrule/{made.pk}/delete/", post="yes")
    assert gate_of(ct) == ""
    wrong = {"modality": "", "exam": ""}
    assert "Name either an exam or a modality." in text_of(desk.post("/ris/screeningrule/add/", **(new | wrong)))


def test_a_question_that_was_answered_cannot_be_deleted(order: Order) -> None:
    pacemaker, *_others = keys()
    desk = Desk(Role.INFORMATICS)
    desk.post(f"/ris/order/{order.pk}/safety/", **{f"{pacemaker}-value": "yes"})
    assert "is in use" in text_of(desk.post(f"/ris/screeningrule/{pacemaker}/delete/", post="yes"))
