"""Order entry: the exam by search, the referrer from earlier ones, the questions that the exam asks."""

import pytest

from ris.entry import find_exams, find_referrers
from ris.models import ExamQuestion, Order, Patient
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk() -> Desk:
    return Desk(Role.FRONT_DESK)


@pytest.fixture
def jane() -> Patient:
    factories.station("CT1")
    factories.exam("CTABD")
    factories.exam("CTABDLD", meaning="CT abdomen, low dose", body_part="ABDOMEN")
    factories.exam("MRKNEE", meaning="MR knee", body_part="KNEE", modality="MR", loinc_code="24802-0")
    factories.exam("XROLD", meaning="X-ray knee", body_part="KNEE", modality="XR", active=False)
    return factories.patient("Doe^Jane", "4711")


@pytest.mark.parametrize(
    ("typed", "codes"),
    [
        ("ctabd", ["CTABD", "CTABDLD"]),
        ("abdomen low", ["CTABDLD"]),
        ("knee", ["MRKNEE"]),
        ("mr", ["MRKNEE"]),
        ("24802", ["MRKNEE"]),
        ("ct xq", []),
        ("  ", []),
    ],
)
def test_an_exam_is_found_by_code_name_region_and_modality_its_code_first(
    clerk: Desk, jane: Patient, typed: str, codes: list[str]
) -> None:
    assert [exam.code for exam in find_exams(typed)] == codes
    page = clerk.client.get("/ris/order/exams/", {"exam_text": typed}).content.decode()
    assert [code in page for code in codes] == [True] * len(codes)


def test_a_text_that_means_one_exam_is_enough_without_javascript(clerk: Desk, jane: Patient) -> None:
    address = f"/ris/patient/{jane.pk}/order/"
    page = clerk.post(address, exam_text="abdomen", priority="ROUTINE", token="t1")
    assert "Several exams fit: choose one." in text_of(page)
    assert 'name="exam_text" value="CTABDLD"' in page
    assert "No exam in use is called so." in text_of(
        clerk.post(address, exam_text="xq", priority="ROUTINE", token="t1")
    )
    assert "This field is required." in text_of(clerk.post(address, priority="ROUTINE", token="t1"))
    clerk.post(address, exam_text="ctabd", priority="ROUTINE", token="t1")
    assert Order.objects.get().procedures.get().code == "CTABD"


def test_another_text_typed_after_choosing_wins_over_what_was_chosen(clerk: Desk, jane: Patient) -> None:
    chosen = find_exams("ctabd")[0]
    said = {"exam": chosen.pk, "exam_text": "MRKNEE", "priority": "ROUTINE", "token": "t1"}
    clerk.post(f"/ris/patient/{jane.pk}/order/", **said)
    assert Order.objects.get().procedures.get().code == "MRKNEE"


def test_the_questions_of_an_exam_are_asked_and_their_answers_kept(clerk: Desk, jane: Patient) -> None:
    exam = find_exams("MRKNEE")[0]
    assert "Questions" not in clerk.get(f"/ris/order/questions/?exam={exam.pk}"), "it asks nothing yet"
    kinds = ("yesno", "text", "number", "date", "side", "choice")
    asked = [
        ExamQuestion.new(
            exam=exam,
            number=number,
            text=f"A {kind}?",
            kind=kind,
            choices="left knee;right knee" if kind == "choice" else "",
            required=kind == "yesno",
        )
        for number, kind in enumerate(kinds, 1)
    ]
    part = clerk.get(f"/ris/order/questions/?exam={exam.pk}")
    assert all(f"A {kind}?" in part for kind in kinds)
    address, said = f"/ris/patient/{jane.pk}/order/", {"exam": exam.pk, "priority": "ROUTINE", "token": "t1"}
    refused = clerk.post(address, **said)
    assert "This field is required." in text_of(refused)
    assert f'name="answer_{asked[0].pk}"' in refused
    given = ("yes", "fell <from> a ladder", "7.50", "2026-05-04", "L", "right knee")
    answers = {f"answer_{question.pk}": answer for question, answer in zip(asked, given, strict=True)}
    page = text_of(clerk.post(address, **said, **answers))
    for shown in (
        "A yesno? yes",
        "A text? fell <from> a ladder",
        "A number? 7.5",
        "A side? left",
        "A choice? right knee",
    ):
        assert shown in page
    kept = Order.objects.get().procedures.get().answers
    assert kept[3] == {"question": "A date?", "answer": "2026-05-04"}
    assert [one["question"] for one in kept] == [f"A {kind}?" for kind in kinds]


def test_referrers_of_earlier_orders_are_suggested_the_commonest_first(clerk: Desk, jane: Patient) -> None:
    for name in ("Curie^Marie^^Dr", "Curien^Paul", "Curien^Paul", "Ibáñez^Inés"):
        factories.order(patient=jane, order_fields={"requesting_physician": name})
    assert find_referrers("cur") == ["Curien, Paul", "Curie, Marie (Dr)"]
    assert find_referrers("ines ibanez") == ["Ibáñez, Inés"]
    assert find_referrers(" ") == []
    assert "Curien, Paul" in clerk.get("/ris/order/referrers/?requesting_physician=paul")


def test_only_who_may_order_searches_for_exams_and_referrers(jane: Patient) -> None:
    reader = Desk(Role.RADIOLOGIST)
    for address in ("exams/?exam_text=ct", "referrers/?requesting_physician=c", "questions/?exam=1"):
        reader.get(f"/ris/order/{address}", status=403)
