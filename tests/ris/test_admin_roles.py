"""Who may see and do what at the desk."""

import pytest

from ris.models import Event, Order, Patient, ScheduledProcedureStep
from ris.roles import Role
from ris.states import StepState
from tests import factories
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db

EVERYBODY = set(Role)
DESK = {Role.FRONT_DESK, Role.SCHEDULER, Role.INFORMATICS}
KEEPERS = {Role.INFORMATICS, Role.ADMINISTRATOR}

PAGES: dict[str, set[Role]] = {
    "/": EVERYBODY,
    "/ris/patient/": EVERYBODY,
    "/ris/patient/{patient}/change/": EVERYBODY,
    "/ris/patient/live/?q=doe": EVERYBODY,
    "/ris/patient/alike/": DESK,
    "/ris/patient/{patient}/wristband/": EVERYBODY,
    "/ris/patient/{patient}/story/": EVERYBODY,
    "/ris/order/{order}/letter/": EVERYBODY,
    "/ris/order/{order}/label/": EVERYBODY,
    "/ris/patient/add/": DESK,
    "/ris/patient/{patient}/edit/": DESK | {Role.TECHNOLOGIST},
    "/ris/patient/{patient}/identify/": DESK,
    "/ris/patient/{patient}/order/": DESK,
    "/ris/patient/{patient}/merge/": {Role.INFORMATICS},
    "/ris/order/": EVERYBODY,
    "/ris/order/{order}/change/": EVERYBODY,
    "/ris/order/{order}/edit/": DESK,
    "/ris/order/{order}/exam/{procedure}/": DESK | {Role.TECHNOLOGIST},
    "/ris/scheduledprocedurestep/": EVERYBODY,
    "/ris/scheduledprocedurestep/{step}/book/": DESK,
    "/ris/scheduledprocedurestep/{step}/slots/": DESK,
    "/worklist/station/": EVERYBODY,
    "/worklist/station/?station=CT1": EVERYBODY,
    "/worklist/querylog/": KEEPERS,
    "/worklist/unknowncaller/": KEEPERS,
    "/worklist/refusedcall/": KEEPERS,
    "/hl7/inboundmessage/": KEEPERS,
    "/hl7/endpoint/": KEEPERS,
    "/hl7/endpoint/add/": KEEPERS,
    "/hl7/ordercontrol/": KEEPERS,
    "/hl7/ordercontrol/restore/": KEEPERS,
    "/ris/exam/": EVERYBODY,
    "/ris/exam/add/": KEEPERS | {Role.SCHEDULER},
    "/ris/exam/{exam}/change/": EVERYBODY,
    "/safety/": EVERYBODY,
    "/ris/order/{order}/safety/": EVERYBODY - {Role.ADMINISTRATOR},
    "/ris/screeningrule/": EVERYBODY,
    "/ris/screeningrule/add/": KEEPERS,
    "/ris/exam/import/": KEEPERS | {Role.SCHEDULER},
    "/ris/exam/export.csv": EVERYBODY,
    "/ris/exam/{exam}/delete/": KEEPERS,
    "/ris/station/add/": KEEPERS,
    "/ris/site/add/": KEEPERS,
    "/ris/event/": KEEPERS,
    "/ris/user/": {Role.ADMINISTRATOR},
    "/ris/user/add/": {Role.ADMINISTRATOR},
}


@pytest.mark.parametrize("role", Role)
def test_each_role_opens_the_pages_of_its_work_and_no_others(role: Role) -> None:
    step = factories.step()
    order = step.requested_procedure.order
    keys = {
        "patient": order.patient_id,
        "order": order.pk,
        "procedure": step.requested_procedure_id,
        "step": step.pk,
        "exam": factories.exam("CTSPARE").pk,
    }
    desk = Desk(role)
    opened = {page for page in PAGES if desk.client.get(page.format(**keys)).status_code == 200}
    assert opened == {page for page, roles in PAGES.items() if role in roles}


STEP_MOVES: dict[str, tuple[str, set[Role]]] = {
    "arrive": ("SCHEDULED", DESK | {Role.TECHNOLOGIST}),
    "miss": ("SCHEDULED", DESK | {Role.TECHNOLOGIST}),
    "unbook": ("SCHEDULED", DESK),
    "start": ("ARRIVED", {Role.TECHNOLOGIST, Role.INFORMATICS}),
    "complete": ("STARTED", {Role.TECHNOLOGIST, Role.INFORMATICS}),
    "reopen": ("COMPLETED", {Role.TECHNOLOGIST, Role.INFORMATICS}),
    "cancel": ("SCHEDULED", DESK),
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("move", STEP_MOVES)
def test_each_role_makes_the_moves_of_its_work_and_no_others(role: Role, move: str) -> None:
    state, allowed = STEP_MOVES[move]
    step = factories.step(state)
    desk = Desk(role)
    desk.client.post(f"/ris/scheduledprocedurestep/{step.pk}/go/", {"move": move, "reason": "test"})
    changed = ScheduledProcedureStep.objects.get(pk=step.pk).state != state
    assert changed == (role in allowed)


@pytest.mark.parametrize("role", Role)
def test_each_role_does_to_orders_what_its_work_needs(role: Role) -> None:
    order = factories.order()
    Desk(role).client.post(f"/ris/order/{order.pk}/act/", {"verb": "cancel", "reason": "test"})
    assert (Order.objects.get().state == "CANCELED") == (role in DESK)


def test_a_radiologist_sees_no_button() -> None:
    step = factories.step()
    page = Desk(Role.RADIOLOGIST).get(f"/ris/order/{step.requested_procedure.order_id}/change/")
    assert "/go/" not in page
    assert "/act/" not in page
    assert "/edit/" not in page


def test_what_is_not_allowed_is_said_in_plain_words() -> None:
    page = text_of(Desk(Role.RADIOLOGIST).get("/ris/patient/add/", status=403))
    assert "Your account may not do this. Ask your administrator if your work needs it." in page


def test_who_may_not_change_changes_nothing() -> None:
    patient = factories.patient("Doe^Jane")
    step = factories.step(patient=patient)
    radiologist = Desk(Role.RADIOLOGIST)
    radiologist.post_in_vain(403, f"/ris/patient/{patient.pk}/edit/", family="Roe")
    radiologist.post_in_vain(403, "/ris/patient/add/", family="Roe", token="t")
    radiologist.post_in_vain(403, f"/ris/scheduledprocedurestep/{step.pk}/book/", start="2026-01-01T10:00", duration=5)
    patient.refresh_from_db()
    assert (patient.patient_name, Patient.objects.count()) == ("Doe^Jane", 1)
    step.refresh_from_db()
    assert step.state == StepState.SCHEDULED


def test_the_audit_trail_can_be_changed_by_nobody() -> None:
    factories.order()
    event = Event.objects.order_by("pk")[0]
    boss = Desk(None, superuser=True)
    assert "Save" not in boss.get(f"/ris/event/{event.pk}/change/")
    boss.post_in_vain(403, f"/ris/event/{event.pk}/change/", reason="other")
    boss.get(f"/ris/event/{event.pk}/delete/", status=403)
    boss.get("/ris/event/add/", status=403)


def test_an_account_without_a_role_sees_an_empty_desk() -> None:
    nobody = Desk(None)
    assert "Find a patient" not in text_of(nobody.get("/"))
    nobody.get("/ris/patient/", status=403)


LANDINGS = {
    Role.FRONT_DESK: "Today",
    Role.SCHEDULER: "To be scheduled",
    Role.TECHNOLOGIST: "Today",
    Role.RADIOLOGIST: "Today",
    Role.INFORMATICS: "Needs attention",
    Role.ADMINISTRATOR: "HL7 messages, last 24 hours",
}


@pytest.mark.parametrize("role", Role)
def test_each_role_lands_on_its_own_work(role: Role) -> None:
    page = text_of(Desk(role).get("/"))
    headings = [
        name
        for name in ("Today", "To be scheduled", "Needs attention", "HL7 messages, last 24 hours")
        if f" {name} " in page
    ]
    assert min(headings, key=page.index) == LANDINGS[role]


def test_an_administrator_cannot_touch_a_superuser() -> None:
    root = Desk(None, superuser=True)
    administrator = Desk(Role.ADMINISTRATOR)
    administrator.post_in_vain(403, f"/ris/user/{root.user.pk}/change/", username="mine")
    administrator.get(f"/ris/user/{root.user.pk}/delete/", status=403)
    administrator.get(f"/ris/user/{root.user.pk}/password/", status=403)


def test_somebody_without_a_role_is_told_whom_to_ask() -> None:
    assert "You have no role yet; ask an administrator." in text_of(Desk(None).get("/"))


@pytest.mark.parametrize("page", ["/password_change/", "/password_change/done/"])
def test_the_pages_of_the_password_have_the_links_of_every_page(page: str) -> None:
    shown = Desk(Role.FRONT_DESK).get(page)
    assert "theme" not in shown  # the stock pages bring a switch that we have no style for
    assert "Deutsch Change password Sign out" in text_of(shown)


def test_who_signs_out_is_told_so_and_sees_no_menu() -> None:
    page = Desk(Role.FRONT_DESK).post("/logout/")
    assert "You are signed out" in page
    assert "/ris/patient/" not in page


def test_the_page_of_an_account_speaks_of_roles() -> None:
    keeper = Desk(Role.ADMINISTRATOR)
    page = text_of(keeper.get(f"/ris/user/{keeper.user.pk}/change/"))
    assert "an account without a role may do nothing" in page
    assert "Groups:" not in page
