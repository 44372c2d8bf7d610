"""The exam catalogue that schedulers keep: minutes, limits, validity, and the rows below an exam."""

from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.core.exceptions import ValidationError

from ris.actions.requests import ProcedureRequest, plan_steps
from ris.models import Exam, ExamGap, ExamPreparation, ExamQuestion, ExamStep, ScheduledProcedureStep
from ris.models.catalog import age_on
from ris.models.examrows import preparation_for
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db


# --- minutes ------------------------------------------------------------------------------------------


def test_a_step_takes_its_station_for_preparation_scan_and_clean_up() -> None:
    exam = factories.exam("CTABD", preparation_minutes=10, duration=15, cleanup_minutes=5)
    step = factories.step_of(factories.order(exam=exam, start=factories.today_at(10)))
    assert (step.duration, step.start, step.end) == (30, factories.today_at(10), factories.today_at(10, 30))


@pytest.mark.parametrize(
    ("said", "adult", "child"),
    [
        ({"duration": 15}, 15, 15),
        ({"duration": 15, "child_duration": 40}, 15, 40),
        ({"duration": 15, "preparation_minutes": 10, "child_preparation_minutes": 0}, 25, 15),
        ({"duration": 15, "cleanup_minutes": 5, "child_preparation_minutes": 20}, 20, 40),
    ],
)
def test_children_have_minutes_of_their_own_where_they_are_given(said: dict[str, Any], adult: int, child: int) -> None:
    exam = factories.exam("MRHEAD", **said)
    assert (exam.minutes(), exam.minutes(child=True)) == (adult, child)


def test_who_is_a_child_is_decided_by_the_day_of_the_exam() -> None:
    factories.station("MR1")
    exam = factories.exam("MRHEAD", duration=20, child_duration=45, child_below=6)
    birthday = factories.today_at(10, days=10)
    child = factories.patient(birth_date=birthday.date().replace(year=birthday.year - 6, day=min(birthday.day, 28)))
    assert child.birth_date
    turns_six = child.birth_date.replace(year=child.birth_date.year + 6)
    days = (turns_six - factories.today_at(10).date()).days
    for later, minutes in ((days - 1, 45), (days, 20)):
        order = factories.order(patient=child, exam=exam, start=factories.today_at(10, days=later))
        assert factories.step_of(order).duration == minutes
    waiting = factories.order(patient=child, exam=exam, start=None)
    assert ScheduledProcedureStep.objects.get(requested_procedure__order=waiting).duration == 45


def test_nobody_is_a_child_whose_birth_date_is_not_known() -> None:
    exam = factories.exam("MRHEAD", duration=20, child_duration=45)
    order = factories.order(patient=factories.patient(birth_date=None), exam=exam, start=None)
    assert ScheduledProcedureStep.objects.get(requested_procedure__order=order).duration == 20


def test_each_step_of_an_exam_has_its_minutes() -> None:
    exam = factories.exam("NMBONE", steps=(("Injection", "NM", 15),))
    late = ExamStep.new(exam=exam, number=2, description="Pictures", duration=45)
    late.change(preparation_minutes=5, cleanup_minutes=10, child_duration=60)
    assert [plan.duration for plan in plan_steps(ProcedureRequest(exam=exam))] == [15, 60]
    assert [plan.duration for plan in plan_steps(ProcedureRequest(exam=exam), child=True)] == [15, 75]


def test_the_minutes_that_a_sender_asks_for_win() -> None:
    exam = factories.exam("CTABD", preparation_minutes=10)
    assert [plan.duration for plan in plan_steps(ProcedureRequest(exam=exam, duration=50))] == [50]


@pytest.mark.parametrize(
    ("born", "day", "years"),
    [
        (date(2020, 2, 29), date(2026, 2, 28), 5),
        (date(2020, 2, 29), date(2026, 3, 1), 6),
        (date(2020, 5, 5), date(2026, 5, 5), 6),
        (date(2026, 5, 6), date(2026, 5, 5), -1),
    ],
)
def test_age_counts_birthdays(born: date, day: date, years: int) -> None:
    assert age_on(day, born) == years


# --- what is in use -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, True),
        ({"active": False}, False),
        ({"valid_from": date(2026, 6, 1)}, True),
        ({"valid_from": date(2026, 6, 2)}, False),
        ({"valid_until": date(2026, 6, 1)}, True),
        ({"valid_until": date(2026, 5, 31)}, False),
    ],
)
def test_an_exam_is_in_use_on_the_days_on_which_it_is_valid(values: dict[str, Any], found: bool) -> None:
    factories.exam("CTABD", **values)
    assert Exam.objects.in_use(date(2026, 6, 1)).exists() is found


def test_an_exam_that_is_no_longer_valid_cannot_be_ordered_at_the_desk() -> None:
    yesterday = factories.today_at(10, days=-1).date()
    old = factories.exam("CTOLD", valid_until=yesterday)
    desk = Desk(Role.SCHEDULER)
    address = f"/ris/patient/{factories.patient().pk}/order/"
    desk.post(address, exam=old.pk, priority="ROUTINE", token="t" * 32)
    assert not ScheduledProcedureStep.objects.exists()


# --- rows below an exam -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Nüchtern kommen."),
        ("de-CH", "Nüchtern kommen."),
        ("DE_at", "Nüchtern kommen."),
        ("fr", "Fast."),
        ("", "Fast."),
    ],
)
def test_a_patient_reads_the_preparation_in_their_language(language: str, text: str) -> None:
    exam = factories.exam("CTABD", preparation="Fast.")
    ExamPreparation.new(exam=exam, language="de", text="Nüchtern kommen.")
    assert preparation_for(exam, language) == text


@pytest.mark.parametrize(("length", "unit", "span", "text"), [(6, "h", 6, "6 hours"), (1, "w", 168, "1 week")])
def test_a_gap_is_counted_in_hours_days_or_weeks(length: int, unit: str, span: int, text: str) -> None:
    gap = ExamGap.new(exam=factories.exam("CTABD"), after_contrast="Barium", length=length, unit=unit)
    assert (gap.span, gap.span_text) == (timedelta(hours=span), text)


def test_a_list_has_at_least_two_choices() -> None:
    exam = factories.exam("CTABD")
    row = ExamQuestion(exam=exam, text="Which?", kind="choice", choices="one; ")
    with pytest.raises(ValidationError, match="two choices"):
        row.full_clean()
    row.choices = "one; two"
    row.full_clean()
    assert row.options == ["one", "two"]


# --- at the desk --------------------------------------------------------------------------------------

NEW = dict(
    parse_qsl(
        "code=MRKNEE&coding_scheme=L&meaning=MR knee&modality=MR&laterality=L&loinc_code=24802-2&playbook_code=RPID1709"
        "&active=on&child_below=12&lead_time=24&preparation_minutes=5&duration=20&cleanup_minutes=5&max_weight=180"
    )
)
ROWS = {
    f"{name}-{part}": count
    for name in ("steps", "protocol_codes", "preparations", "gaps", "questions", "needs")
    for part, count in (("TOTAL_FORMS", "0"), ("INITIAL_FORMS", "0"))
}


def test_a_scheduler_adds_an_exam_with_its_rows() -> None:
    barium = factories.exam("RFSWALL")
    typed = (
        "preparations-TOTAL_FORMS=1&preparations-0-language=de&preparations-0-text=Kein Metall."
        f"&gaps-TOTAL_FORMS=1&gaps-0-after={barium.pk}&gaps-0-length=8&gaps-0-unit=w&questions-TOTAL_FORMS=1"
        "&questions-0-number=1&questions-0-text=Which side?&questions-0-kind=side&questions-0-required=on"
    )
    desk = Desk(Role.SCHEDULER)
    desk.post("/ris/exam/add/", **(NEW | ROWS | dict(parse_qsl(typed))))
    exam = Exam.objects.get(code="MRKNEE")
    assert (exam.minutes(), exam.gaps.get().after, exam.questions.get().required) == (30, barium, True)
    assert preparation_for(exam, "de") == "Kein Metall."
    page = text_of(desk.get("/ris/exam/"))
    assert "MRKNEE MR knee MR left 30" in page


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("loinc_code=24802", "A LOINC code is digits, a dash and a check digit"),
        ("playbook_code=1709", "A RadLex Playbook code is RPID and a number"),
        ("min_age=70&max_age=7", "The least value is above the greatest."),
        ("valid_from=2026-02-01&valid_until=2026-01-01", "“Valid until” is before “valid from”."),
        ("gaps-TOTAL_FORMS=1&gaps-0-length=8&gaps-0-unit=w", "Name either an exam or a contrast agent."),
        (
            "questions-TOTAL_FORMS=1&questions-0-number=1&questions-0-text=Which?&questions-0-kind=yesno"
            "&questions-0-choices=one;two",
            "“One of a list” needs choices, and only that.",
        ),
        (
            "preparations-TOTAL_FORMS=1&preparations-0-language=DE&preparations-0-text=x",
            "A language of two or three small letters",
        ),
    ],
)
def test_a_wrong_value_is_told_beside_its_field(typed: str, words: str) -> None:
    page = text_of(Desk(Role.SCHEDULER).post("/ris/exam/add/", **(NEW | ROWS | dict(parse_qsl(typed)))))
    assert words in page
    assert not Exam.objects.filter(code="MRKNEE").exists()
