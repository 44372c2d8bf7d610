"""The first page of each role is its own work, and the menu holds what it may open."""

import re

import pytest

from hl7.models import InboundMessage, MessageState
from ris.models import Gate, ScheduledProcedureStep, User
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db

OWN_WORK = {
    Role.FRONT_DESK: "Today",
    Role.SCHEDULER: "To be scheduled",
    Role.TECHNOLOGIST: "Today on all stations",
    Role.RADIOLOGIST: "Held back by safety questions",
    Role.INFORMATICS: "Needs attention",
    Role.ADMINISTRATOR: "HL7 messages, last 24 hours",
}


def headings(page: str) -> list[str]:
    return [text_of(found) for found in re.findall(r"(?s)<h2.*?</h2>", page)]


@pytest.mark.parametrize("role", Role)
def test_the_own_work_comes_first_below_the_search(role: Role) -> None:
    find, own, *_others = headings(Desk(role).get("/"))
    assert find == "Find a patient"
    assert own.startswith(OWN_WORK[role])


def test_the_first_account_sees_each_thing_once() -> None:
    shown = headings(Desk(None, superuser=True).get("/"))
    assert len(shown) == len(set(shown))
    assert sum(heading.startswith("Today") for heading in shown) == 1


def test_a_computer_remembers_the_station_beside_it() -> None:
    factories.station("CT1")
    factories.station("MR1")
    factories.order(patient=factories.patient("Doe^Jane"), exam=factories.exam(), start=factories.today_at(23, 30))
    at_mr = factories.exam("MRHEAD", modality="MR")
    factories.order(patient=factories.patient("Roe^Richard"), exam=at_mr, start=factories.today_at(23, 30))
    technologist = Desk(Role.TECHNOLOGIST)
    everything = text_of(technologist.get("/"))
    assert "Doe, Jane" in everything
    assert "Roe, Richard" in everything
    mine = text_of(technologist.post("/my-station", station="MR1"))
    assert "Today on MR1" in mine
    assert "Roe, Richard" in mine
    assert "Doe, Jane" not in mine
    technologist.post("/logout/")
    technologist.client.force_login(technologist.user)
    assert "Today on MR1" in text_of(technologist.get("/"))
    assert "Today on all stations" in text_of(technologist.post("/my-station", station="NONE\x00"))


def test_a_radiologist_sees_whom_questions_hold_back_and_an_administrator_who_has_no_role() -> None:
    order = factories.order(patient=factories.patient("Doe^Jane"), start=factories.today_at(23, 30))
    ScheduledProcedureStep.objects.filter(requested_procedure__order=order).update(
        gate=Gate.OPEN, gate_until=factories.today_at(23)
    )
    assert "Doe, Jane" in text_of(Desk(Role.RADIOLOGIST).get("/"))
    User.objects.create(username="newcomer")
    assert "can do nothing yet: newcomer" in text_of(Desk(Role.ADMINISTRATOR).get("/"))


def test_informatics_sees_what_is_to_be_mended_however_old_it_is() -> None:
    InboundMessage.objects.create(
        raw=b"", control_id="MSG7", message_type="ORM", event="O01", state=MessageState.FAILED, error_text="no exam"
    )
    InboundMessage.objects.update(received_at=factories.today_at(0).replace(year=2020))
    page = text_of(Desk(Role.INFORMATICS).get("/"))
    assert "No message came." in page
    assert "ORM^O01 MSG7" in page


def test_the_menu_groups_what_is_seldom_used() -> None:
    keeper = Desk(Role.INFORMATICS).get("/")
    menu = keeper[keeper.index('id="desk-menu"') : keeper.index("</nav>")]
    groups = [text_of(found) for found in re.findall("<summary>.*?</summary>", menu)]
    assert groups == ["Calendar", "Interfaces", "Catalogue"]
    for page in ("querylog", "unknowncaller", "refusedcall"):
        assert f'href="/worklist/{page}/"' in menu
    assert 'href="/ris/event/"' in menu, "a group of one page is that page"
    assert len(re.findall("<li>", menu.replace("\n", ""))) > 15
