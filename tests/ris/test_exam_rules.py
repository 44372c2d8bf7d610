"""What speaks against an exam: the catalogue's limits, in words that a clerk can act on."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ris.actions import exams, schedule
from ris.actions.exam_rules import ExamRules
from ris.errors import AgainstRules
from ris.models import Attention, Event, EventKind, Exam, ExamGap, Patient
from ris.roles import Role
from tests import factories
from tests.refusals import refused
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db


def against(exam: Exam, patient: Patient, start: datetime | None = None, station: str = "") -> str:
    at = start or factories.today_at(10, days=30)
    return " ".join(ExamRules(exam, patient).against(at, station=factories.station(station) if station else None))


@pytest.mark.parametrize(
    ("exam", "patient", "words"),
    [
        ({}, {}, ""),
        ({"min_age": 40}, {"birth_date": date(2000, 1, 1)}, "It is for patients from 40 years on; the patient is "),
        ({"max_age": 5}, {"birth_date": date(2000, 1, 1)}, "It is for patients up to 5 years; the patient is "),
        ({"min_age": 40, "max_age": 50}, {"birth_date": None}, ""),
        ({"max_weight": 120}, {"weight": Decimal("120")}, ""),
        ({"max_weight": 120}, {"weight": Decimal("120.50")}, "up to 120 kg; the patient weighs 120.5 kg."),
        ({"min_weight": 10}, {"weight": Decimal("9")}, "from 10 kg on; the patient weighs 9 kg."),
        ({"min_weight": 10, "max_weight": 20}, {"weight": None}, ""),
        ({"valid_until": date(2020, 1, 1)}, {}, "is not done after 2020-01-01."),
        ({"valid_from": date(2099, 1, 1)}, {}, "is not done before 2099-01-01."),
        ({"lead_time": 24 * 31}, {}, "The patient needs 744 hours to prepare."),
        ({"lead_time": 24 * 20}, {}, ""),
    ],
)
def test_the_limits_of_an_exam(exam: dict[str, Any], patient: dict[str, Any], words: str) -> None:
    said = against(factories.exam("CTABD", **exam), factories.patient(**patient))
    assert words in said
    assert bool(words) == bool(said)


def test_a_table_carries_so_much() -> None:
    heavy = factories.patient(weight=Decimal(170))
    factories.station("MR1", max_weight=160)
    exam = factories.exam("MRHEAD")
    assert against(exam, heavy, station="MR1") == "The table of MR1 carries 160 kg; the patient weighs 170 kg."
    assert against(exam, heavy, station="MR2") == ""


def test_eight_weeks_since_the_last_barium() -> None:
    barium = factories.exam("RFSWALL", meaning="Barium swallow", contrast_agent="Barium sulphate")
    scan = factories.exam("CTABD")
    ExamGap.new(exam=scan, after_contrast="Barium sulphate", length=8, unit="w", reason="it hides the bowel")
    jane = factories.patient()
    factories.station("RF1")
    swallowed = factories.today_at(9, days=3).astimezone(UTC)  # eight times 168 hours, also over a change of the clocks
    factories.order(patient=jane, exam=barium, start=swallowed)
    free = swallowed + timedelta(weeks=8)
    said = against(scan, jane, free - timedelta(minutes=1))
    assert said.startswith("Not within 8 weeks after Barium swallow on ")
    assert said.endswith(" on (it hides the bowel).")
    assert against(scan, jane, free) == against(scan, jane, swallowed - timedelta(minutes=1)) == ""
    assert against(scan, factories.patient(), free - timedelta(days=1)) == ""


def test_the_other_exam_is_refused_as_well_when_it_is_booked_later() -> None:
    barium, scan = factories.exam("RFSWALL"), factories.exam("CTABD", meaning="CT abdomen")
    ExamGap.new(exam=scan, after=barium, length=1, unit="w")
    jane = factories.patient()
    order = factories.order(patient=jane, exam=scan, start=factories.today_at(9, days=5))
    early = factories.today_at(9, days=1)
    assert "CT abdomen is on" in against(barium, jane, early)
    assert "must not be within 1 week after this." in against(barium, jane, early)
    exams.go("miss", by=factories.BY, step=factories.step_of(order))
    assert against(barium, jane, early) == ""


def test_an_exam_without_gaps_costs_one_query_and_any_number_of_times_no_more() -> None:
    exam, jane = factories.exam("CTABD", min_age=99), factories.patient()
    with CaptureQueriesContext(connection) as captured:
        rules = ExamRules(exam, jane)
        assert all(rules.against(timezone.now() + timedelta(days=days)) for days in range(100))
    assert len(captured) == 1


def test_who_orders_at_the_desk_is_told_and_an_order_from_elsewhere_is_marked() -> None:
    factories.station("CT1")
    exam = factories.exam("CTABD", min_age=90)
    jane, words = factories.patient(), "It is for patients from 90 years on"
    desk, start = Desk(Role.FRONT_DESK), factories.today_at(10, days=2)
    said = {"exam": exam.pk, "priority": "ROUTINE", "token": "r" * 32}
    page = desk.post(f"/ris/patient/{jane.pk}/order/", **said, start=start.strftime("%Y-%m-%dT%H:%M"))
    assert text_of(page).count(words) == 1
    assert not jane.orders.exists()
    order = factories.order(patient=jane, exam=exam, start=start, by=factories.HIS)
    assert order.attentions == [Attention.AGAINST_RULES]
    page = text_of(desk.get(f"/ris/order/{order.pk}/change/"))
    assert words in page
    assert "The rules of the exam speak against its time." in page


def test_by_hand_it_is_booked_against_the_rules_only_by_who_may_and_says_why() -> None:
    ct1, exam = factories.station("CT1"), factories.exam("CTABD", lead_time=24, max_weight=120)
    step = factories.step("REQUESTED", exam=exam, patient=factories.patient(weight=130))
    address, soon = f"/ris/scheduledprocedurestep/{step.pk}/book/", timezone.localtime() + timedelta(hours=2)
    wish = {"start": soon.strftime("%Y-%m-%dT%H:%M"), "duration": "20", "station": ct1.pk}
    both = "The patient needs 24 hours to prepare. It is for patients up to 120 kg; the patient weighs 130 kg."
    assert both in text_of(Desk(Role.FRONT_DESK).post(address, **wish, overbook="on", reason="in pain"))
    scheduler = Desk(Role.SCHEDULER)
    assert both in text_of(scheduler.post(address, **wish))
    assert "The exam is booked." in text_of(scheduler.post(address, **wish, overbook="on", reason="in pain"))
    assert Event.objects.get(kind=EventKind.STEP_BOOKED, step=step).reason == "in pain"


def test_a_mark_goes_when_the_exam_gets_a_time_that_the_rules_allow() -> None:
    exam, jane = factories.exam("CTABD"), factories.patient()
    barium = factories.order(exam=factories.exam("CTBAR"), patient=jane, start=factories.today_at(9, days=2))
    ExamGap.new(exam=exam, after=factories.exam("CTBAR"), length=2, unit="d")
    order = factories.order(exam=exam, patient=jane, start=factories.today_at(9, days=3), by=factories.HIS)
    assert order.attentions == [Attention.AGAINST_RULES]
    step = factories.step_of(order)
    with refused(AgainstRules, "Not within 2 days after"):
        schedule.book(by=factories.CLERK, step=step, start=factories.today_at(10, days=3))
    schedule.book(by=factories.CLERK, step=step, start=factories.today_at(10, days=4))
    order.refresh_from_db()
    assert order.attentions == []
    schedule.book(by=factories.HIS, step=step, start=factories.today_at(11, days=3))  # another scheduling system
    order.refresh_from_db()
    assert order.attentions == [Attention.AGAINST_RULES]
    assert barium.attentions == []
