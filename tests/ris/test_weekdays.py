"""Days of opening hours are ticked; rules that say more stay as they were written."""

from typing import Any

import pytest

from ris.admin.weekdays import days_of, in_words, rule_of
from ris.models import Event, OpeningHours
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("rule", "days", "words"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", ["MO", "TU", "WE", "TH", "FR"], "Mon, Tue, Wed, Thu, Fri"),
        ("FREQ=WEEKLY;INTERVAL=1;BYDAY=SU,SA", ["SA", "SU"], "Sat, Sun"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", [], "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"),
        ("FREQ=MONTHLY;BYDAY=1SA", [], "FREQ=MONTHLY;BYDAY=1SA"),
        ("FREQ=DAILY", [], "FREQ=DAILY"),
        ("", [], ""),
    ],
)
def test_a_rule_of_weekdays_is_shown_as_days(rule: str, days: list[str], words: str) -> None:
    assert (days_of(rule), in_words(rule)) == (days, words)
    assert not days or days_of(rule_of(days)) == days


def said(**more: Any) -> dict[str, Any]:
    return {"site": factories.site().pk, "opens": "08:00", "closes": "17:00"} | more


def test_days_are_ticked_changed_and_told() -> None:
    desk = Desk(Role.SCHEDULER)
    page = desk.get("/ris/openinghours/add/")
    assert page.count(" checked") == 5
    assert "Monday" in text_of(page)
    desk.post("/ris/openinghours/add/", **said(rule_0=["TU", "MO"]))
    hours = OpeningHours.objects.get()
    assert hours.rule == "FREQ=WEEKLY;BYDAY=MO,TU"
    assert "Mon, Tue" in text_of(desk.get("/ris/openinghours/"))
    address = f"/ris/openinghours/{hours.pk}/change/"
    assert desk.get(address).count(" checked") == 2
    desk.post(address, **said(rule_1="FREQ=MONTHLY;BYDAY=1SA"))
    hours.refresh_from_db()
    assert hours.rule == "FREQ=MONTHLY;BYDAY=1SA"
    page = desk.get(address)
    assert page.count(" checked") == 0
    assert 'value="FREQ=MONTHLY;BYDAY=1SA"' in page
    told = Event.objects.filter(subject=f"ris.openinghours:{hours.pk}").first()
    assert told
    assert told.data["changes"]["rule"] == ["FREQ=WEEKLY;BYDAY=MO,TU", "FREQ=MONTHLY;BYDAY=1SA"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "This field is required."),
        ({"rule_0": ["MO"], "rule_1": "FREQ=DAILY"}, "Tick days or write a rule, not both."),
        ({"rule_0": ["XX"]}, "Select a valid choice."),
        ({"rule_1": "every monday"}, "Begin with FREQ="),
        ({"rule_1": "FREQ=WEEKLY;BYDAY=MO;COUNT=3"}, "Say the days only"),
    ],
)
def test_days_that_make_no_sense_are_told_so(wrong: dict[str, Any], words: str) -> None:
    assert words in text_of(Desk(Role.SCHEDULER).post("/ris/openinghours/add/", **said(**wrong)))
    assert not OpeningHours.objects.exists()
