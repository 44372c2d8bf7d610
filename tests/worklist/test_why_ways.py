"""A query is explained as it was asked: with what was agreed beside its keys, and the page that it wanted."""

from typing import Any

import pytest

from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of
from tests.worklist.asking import CT1, keys
from tests.worklist.test_why import asked, page_of
from worklist.ways import LITERAL, Page, Ways, kept
from worklist.why import explain

pytestmark = pytest.mark.django_db


def test_a_query_is_explained_as_it_was_asked() -> None:
    """A fuzzy query has found the exam, so the page must not say that the name does not fit."""
    step = factories.step(patient=factories.patient("Mayr^Anna", "4711"))
    literal, fuzzy = asked(PatientName="Meier"), asked(PatientName="Meier", ways=Ways(by_ear=True))
    text = page_of(step, f"?query={literal.pk}")
    assert "It does not fit: Patient's Name." in text
    assert "Asked for beside the keys" not in text
    text = page_of(step, f"?query={fuzzy.pk}")
    assert "Every key fits still" in text
    assert "Asked for beside the keys: names that only sound alike match too." in text
    assert "sound alike" in text_of(Desk(Role.INFORMATICS).get(f"/worklist/querylog/{fuzzy.pk}/change/"))
    informatics = Desk(Role.INFORMATICS)
    assert "Mayr^Anna" in text_of(informatics.get(f"/worklist/querylog/{literal.pk}/near/"))
    assert "Mayr^Anna" not in text_of(informatics.get(f"/worklist/querylog/{fuzzy.pk}/near/"))


@pytest.mark.parametrize(
    ("ways", "values", "name", "wanted"),
    [
        (Ways(empty=True), {"PatientBirthDate": '""'}, "Patient's Birth Date", "no value"),
        (Ways(empty=True), {"PatientName": '""'}, "Patient's Name", "no value"),
        (Ways(empty=True), {"PatientID": '""'}, "Patient ID", "no value"),
        (
            Ways(empty=True),
            {"ScheduledProcedureStepStartDate": '""'},
            "Scheduled Procedure Step Start Date",
            "no value",
        ),
        (Ways(every=True), {"ScheduledStationAETitle": ["CT1", "MR1"]}, "Scheduled Station AE Title", "CT1 and MR1"),
    ],
)
def test_what_else_was_agreed_is_explained_in_words(ways: Ways, values: dict[str, Any], name: str, wanted: str) -> None:
    step = factories.step(patient=factories.patient("Doe^Jane", "4711"))
    text = page_of(step, f"?query={asked(ways=ways, **values).pk}")
    assert f"It does not fit: {name}" in text
    assert wanted in text


def test_an_exam_on_another_page_is_said_to_be_there() -> None:
    first, second = factories.step(), factories.step(start=factories.today_at(15))
    query = asked(PatientID=None)
    query.ways, query.step_ids = kept(LITERAL, Page(limit=1)), [first.pk]
    query.save()
    assert "at most 1 answers after 0" in page_of(first, f"?query={query.pk}")
    assert "on another page of the answers" in page_of(second, f"?query={query.pk}")
    assert explain(second, keys(PatientID=None), CT1, Page(1, 1)).found
