"""Why a query has no answer is told to devices in English, and to people in their language."""

from typing import Any

import pytest
from django.utils import translation

from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of
from tests.worklist.asking import ask
from worklist import refusals
from worklist.errors import DATABASE_AWAY, OUT_OF_RESOURCES, QueryError

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("values", "told", "german"),
    [
        (
            {"ScheduledProcedureStepStartDate": "20260231"},
            "Key (0040,0002) is a date that no calendar has",
            "der Schlüssel Scheduled Procedure Step Start Date ist ein Datum, das kein Kalender hat",
        ),
        (
            {"ScheduledProcedureStepStartTime": "noon"},
            "Key (0040,0003) is not a time",
            "der Schlüssel Scheduled Procedure Step Start Time ist keine Uhrzeit",
        ),
        ({"PatientID": "9" * 2000}, "Key (0010,0020) is too long", "der Schlüssel Patient ID ist zu lang"),
    ],
)
def test_a_key_at_fault_is_named_in_both(values: dict[str, Any], told: str, german: str) -> None:
    with pytest.raises(QueryError) as refused:
        ask(**values)
    with translation.override("de"):
        assert (refused.value.comment, refusals.in_words(refused.value)) == (told, german)


def test_trouble_is_told_in_both() -> None:
    away = QueryError(OUT_OF_RESOURCES, DATABASE_AWAY)
    with translation.override("de"):
        assert refusals.in_words(away) == "Die Datenbank ist nicht erreichbar, noch einmal fragen"


def test_the_pages_say_it_in_the_language_of_their_reader(settings: Any) -> None:
    settings.BUCKY_WORKLIST_MAX_ANSWERS = 1
    station = factories.station("CT1")
    factories.step(station=station), factories.step(station=station, start=factories.today_at(15))
    desk = Desk(Role.TECHNOLOGIST)
    for language, words in (
        ("en", "The scanner gets no list: more than 1 exams match, and a list holds no more."),
        ("de", "Der Scanner bekommt keine Liste: mehr als 1 Untersuchungen passen, und mehr fasst keine Liste."),
    ):
        desk.client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
        assert words in text_of(desk.get("/worklist/station/?station=CT1"))
