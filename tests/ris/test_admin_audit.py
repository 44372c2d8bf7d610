"""Every view of a patient's data, every sign-in and every change of the catalogue leaves one event."""

import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from ris.models import Event, EventKind, Exam, Site, Station, User
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db

READS = (EventKind.PATIENT_VIEWED, EventKind.PATIENTS_LISTED, EventKind.RECORD_VIEWED)


@pytest.fixture
def expert() -> Desk:
    both = Desk(Role.INFORMATICS)
    both.user.groups.add(Group.objects.get(name=Role.FRONT_DESK.value))  # whose first page names patients
    return both


def reads_of(desk: Desk, address: str) -> list[Event]:
    """The events of one page view."""
    before = Event.objects.count()
    desk.get(address)
    events = list(Event.objects.order_by("pk")[before:])
    assert all(event.kind in READS for event in events)
    return events


PAGES: dict[str, EventKind] = {
    "/ris/patient/{patient}/change/": EventKind.PATIENT_VIEWED,
    "/ris/patient/{patient}/edit/": EventKind.PATIENT_VIEWED,
    "/ris/patient/{patient}/identify/": EventKind.PATIENT_VIEWED,
    "/ris/patient/{patient}/order/": EventKind.PATIENT_VIEWED,
    "/ris/order/{order}/change/": EventKind.PATIENT_VIEWED,
    "/ris/order/{order}/edit/": EventKind.PATIENT_VIEWED,
    "/ris/order/{order}/exam/{procedure}/": EventKind.PATIENT_VIEWED,
    "/ris/scheduledprocedurestep/{step}/book/": EventKind.PATIENT_VIEWED,
    "/ris/scheduledprocedurestep/{step}/slots/": EventKind.PATIENT_VIEWED,
    "/": EventKind.PATIENTS_LISTED,
    "/ris/patient/": EventKind.PATIENTS_LISTED,
    "/ris/patient/?q=doe": EventKind.PATIENTS_LISTED,
    "/ris/patient/{patient}/merge/?q=doe": EventKind.PATIENTS_LISTED,
    "/ris/patient/{patient}/merge/?other={other}": EventKind.PATIENTS_LISTED,
    "/ris/order/?q=doe": EventKind.PATIENTS_LISTED,
    "/ris/scheduledprocedurestep/?day=today": EventKind.PATIENTS_LISTED,
    "/ris/event/?q=doe": EventKind.PATIENTS_LISTED,
    "/worklist/station/?station=CT1": EventKind.PATIENTS_LISTED,
    "/autocomplete/?app_label=ris&model_name=order&field_name=patient&term=doe": EventKind.PATIENTS_LISTED,
}


@pytest.mark.parametrize("page", PAGES)
def test_each_page_with_a_patients_data_leaves_one_event(expert: Desk, page: str) -> None:
    step = factories.step(patient=factories.patient("Doe^Jane", "4711"))
    other = factories.patient("Roe^Ann", "4712")
    order = step.requested_procedure.order
    keys = {"patient": order.patient_id, "order": order.pk, "other": other.pk, "step": step.pk}
    (event,) = reads_of(expert, page.format(procedure=step.requested_procedure_id, **keys))
    assert event.kind == PAGES[page]
    assert (event.user, event.actor_name, event.address) == (expert.user, expert.user.username, "10.1.2.3")
    assert event.data["path"] == page.format(procedure=step.requested_procedure_id, **keys).partition("?")[0]
    named = [event.patient_id] if event.patient_id else event.data["patients"]
    assert order.patient_id in named
    if "doe" in page:
        assert "doe" in event.data["search"]


def test_a_step_leads_to_its_order_and_is_one_view(expert: Desk) -> None:
    step = factories.step()
    response = expert.client.get(f"/ris/scheduledprocedurestep/{step.pk}/change/")
    assert response["Location"] == f"/ris/order/{step.requested_procedure.order_id}/change/#step-{step.pk}"


def addresses() -> Iterator[str]:
    """Every address of Bucky as a pattern, `ris/patient/<int:pk>/edit/`."""

    def walk(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, prefix + str(pattern.pattern))
            else:
                yield prefix + str(pattern.pattern)

    return walk(get_resolver())


def test_no_address_names_a_patient_in_its_title_without_telling_or_for_a_cache() -> None:
    step = factories.step(patient=factories.patient("Quasimodo^Hugo", "4711", phone="0800"))
    order = step.requested_procedure.order
    keys = {"ris/patient": order.patient_id, "ris/order": order.pk, "ris/scheduledprocedurestep": step.pk}
    chief = Desk(None, superuser=True)
    named = 0
    for pattern in addresses():
        key = keys.get("/".join(pattern.split("/")[:2]), 1)
        address = re.sub("<[^>]*procedure>", str(step.requested_procedure_id), pattern)
        before = Event.objects.count()
        response = chief.client.get(f"/{re.sub('<[^>]*>', str(key), address)}")
        page = b"".join(response) if response.streaming else response.content
        title = re.search(rb"<title>[^<]*</title>", page)
        # Browsers keep titles in their history and show them in lists of windows; a PDF has none but its file's name.
        assert not title or not re.search(b"Quasimodo|Hugo|4711", title[0]), f"{pattern} has a patient in its title"
        if b"Quasimodo" in page or b"4711" in page or response["Content-Type"] == "application/pdf":
            named += 1
            assert Event.objects.count() > before, f"{pattern} tells nobody"
            assert "no-store" in response["Cache-Control"], f"{pattern} may be kept by a browser"
    assert named > 15


@pytest.mark.parametrize("page", ["ris/patient", "ris/order", "ris/scheduledprocedurestep", "ris/event"])
def test_what_was_searched_for_is_in_the_address_of_no_page_behind_the_list(expert: Desk, page: str) -> None:
    factories.step(patient=factories.patient("Quasimodo^Hugo"))
    found = expert.get(f"/{page}/?q=quasimodo")
    behind = re.findall(rf'href="(/{page}/[^"]+)"', found)
    assert behind
    assert not [address for address in behind if "quasimodo" in address]


def test_pages_without_a_patient_leave_no_event(expert: Desk) -> None:
    exam = factories.exam()
    for address in ("/ris/exam/", f"/ris/exam/{exam.pk}/change/", "/ris/station/", "/worklist/station/"):
        assert reads_of(expert, address) == []


def test_the_audit_trail_is_searched_by_patient_account_kind_and_day(expert: Desk) -> None:
    jane = factories.patient("Doe^Jane", "4711")
    clerk = Desk(Role.FRONT_DESK)
    clerk.get(f"/ris/patient/{jane.pk}/change/")
    for search in (
        "q=doe",
        "q=4711",
        f"q={clerk.user.username}",
        f"patient__id__exact={jane.pk}&kind__exact=patient.viewed",
        "kind__exact=patient.viewed&day=today",
    ):
        assert "patient viewed" in text_of(expert.get(f"/ris/event/?{search}"))
    yesterday = timezone.localdate() - timedelta(days=1)
    assert "0 events" in text_of(expert.get(f"/ris/event/?day={yesterday}"))
    event = Event.objects.get(kind=EventKind.PATIENT_VIEWED, patient=jane)
    assert f"/ris/patient/{jane.pk}/change/" in text_of(expert.get(f"/ris/event/{event.pk}/change/"))


# --- signing in ---------------------------------------------------------------------------------------


@pytest.fixture
def account(settings: Any) -> User:
    """Somebody with a password that is quickly checked."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return factories.user(Role.FRONT_DESK, "clara")


def sign_in(client: Client, password: str, name: str = "clara") -> Any:
    return client.post("/login/?next=/", {"username": name, "password": password, "next": "/"})


def kinds() -> list[str]:
    return [str(kind) for kind in Event.objects.order_by("pk").values_list("kind", flat=True)]


def test_signing_in_and_out_are_events(account: User) -> None:
    client = Client(REMOTE_ADDR="10.1.2.3")
    assert sign_in(client, factories.PASSWORD).status_code == 302
    client.post("/logout/")
    assert kinds() == ["account.signed_in", "account.signed_out"]
    event = Event.objects.order_by("pk")[0]
    assert (event.user, event.address, event.subject) == (account, "10.1.2.3", f"ris.user:{account.pk}")


def test_five_failures_lock_the_account_and_an_administrator_unlocks_it(account: User) -> None:
    client = Client(REMOTE_ADDR="10.1.2.3")
    answers = [sign_in(client, "wrong") for _attempt in range(5)]
    assert "Too many failed sign-ins" in answers[-1].content.decode()
    locked = sign_in(client, factories.PASSWORD)
    assert "Too many failed sign-ins" in locked.content.decode()
    assert kinds().count("account.sign_in_failed") >= 5
    assert "account.locked_out" in kinds()
    administrator = Desk(Role.ADMINISTRATOR)
    administrator.post("/ris/user/", action="unlock", _selected_action=account.pk)
    assert sign_in(client, factories.PASSWORD).status_code == 302


def test_a_new_password_of_ones_own_is_told_but_not_kept(account: User) -> None:
    client = Client()
    sign_in(client, factories.PASSWORD)
    new = "staple battery horse"
    values = {"old_password": factories.PASSWORD, "new_password1": new, "new_password2": new}
    client.post("/password_change/", values)
    event = Event.objects.get(kind=EventKind.ACCOUNT_CHANGED)
    assert (event.user, event.subject) == (account, f"ris.user:{account.pk}")
    assert event.data["changes"] == {"password": ["", "changed"]}


def test_a_new_password_and_a_superuser_from_a_shell_are_told(account: User, monkeypatch: pytest.MonkeyPatch) -> None:
    new = "staple battery horse"
    monkeypatch.setattr("getpass.getpass", lambda prompt="": new)
    call_command("changepassword", "clara", stdout=StringIO())
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", new)
    call_command("createsuperuser", "--noinput", username="chief", email="", stdout=StringIO())
    account.refresh_from_db()
    assert account.check_password(new)
    chief = User.objects.get(username="chief", is_superuser=True)
    told = [(event.actor_name, event.subject, event.data["change"]) for event in Event.objects.order_by("pk")]
    assert told == [
        ("changepassword", f"ris.user:{account.pk}", "changed"),
        ("createsuperuser", f"ris.user:{chief.pk}", "added"),
    ]
    assert all(event.kind == EventKind.ACCOUNT_CHANGED and event.data["shell"] for event in Event.objects.all())
    assert new not in str([event.data for event in Event.objects.all()])
    history = text_of(Desk(Role.ADMINISTRATOR).get(f"/ris/user/{account.pk}/history/"))
    assert history.count("Account changed changepassword") == 1


def test_a_password_whose_event_cannot_be_written_stays_as_it_is(
    account: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt="": "staple battery horse")
    monkeypatch.setattr("ris.management.accounts._who", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call_command("changepassword", "clara", stdout=StringIO())
    account.refresh_from_db()
    assert account.check_password(factories.PASSWORD)


def test_a_name_that_nobody_has_is_not_kept(account: User) -> None:
    sign_in(Client(), "wrong", name="my secret password")
    event = Event.objects.get()
    assert (event.actor_name, event.user, event.subject, event.data) == ("unknown", None, "", {})


def test_fifteen_minutes_without_a_click_sign_out() -> None:
    clerk = Desk(Role.FRONT_DESK)
    clerk.get("/")
    session = Session.objects.get()
    left = session.expire_date - timezone.now()
    assert 14 * 60 < left.total_seconds() <= 15 * 60
    session.expire_date = timezone.now() - timedelta(seconds=1)
    session.save()
    response = clerk.client.get("/ris/patient/")
    assert (response.status_code, response["Location"]) == (302, "/login/?next=/ris/patient/")


def test_each_click_begins_the_fifteen_minutes_anew() -> None:
    clerk = Desk(Role.FRONT_DESK)
    clerk.get("/")
    soon = timezone.now() + timedelta(minutes=1)
    Session.objects.update(expire_date=soon)
    clerk.get("/")
    assert Session.objects.get().expire_date > soon + timedelta(minutes=13)


# --- the catalogue and the accounts -------------------------------------------------------------------

EXAM = {"code": "CTABD", "coding_scheme": "L", "meaning": "CT abdomen", "modality": "CT", "duration": "25"}
EXAM |= {"preparation_minutes": "0", "cleanup_minutes": "0", "child_below": "12", "lead_time": "0"}
NO_ROWS = {
    f"{name}-{part}": count
    for name in ("steps", "protocol_codes", "preparations", "gaps", "questions", "needs")
    for part, count in (("TOTAL_FORMS", "0"), ("INITIAL_FORMS", "0"))
}


def test_a_new_exam_with_its_steps_is_an_event(expert: Desk) -> None:
    rows = NO_ROWS | {"steps-TOTAL_FORMS": "1", "steps-0-number": "1", "steps-0-description": "scan"}
    rows |= {f"steps-0-{name}": "10" for name in ("preparation_minutes", "duration", "cleanup_minutes")}
    expert.post("/ris/exam/add/", **(EXAM | rows | {"active": "on"}))
    exam = Exam.objects.get()
    assert exam.steps.get().description == "scan"
    event = Event.objects.get(kind=EventKind.CATALOG_CHANGED)
    assert (event.subject, event.data["change"], event.user) == (f"ris.exam:{exam.pk}", "added", expert.user)
    assert event.data["rows"] == [{"row": "scan", "change": "added"}]


def test_a_changed_exam_tells_before_and_after(expert: Desk) -> None:
    exam = factories.exam()
    values = EXAM | NO_ROWS | {"body_part": "ABDOMEN", "contrast_agent": "Iodine 350", "active": "on"}
    expert.post(f"/ris/exam/{exam.pk}/change/", **values)
    event = Event.objects.get(kind=EventKind.CATALOG_CHANGED)
    assert event.data["changes"] == {
        "meaning": ["CT abdomen with contrast", "CT abdomen"],
        "duration": [20, 25],
    }
    page = text_of(expert.get(f"/ris/exam/{exam.pk}/history/"))
    assert "scan (min): 20 → 25" in page


def test_only_rows_whose_changes_are_told_lead_to_a_history(expert: Desk) -> None:
    factories.patient()
    event, exam = Event.objects.latest("pk"), factories.exam()
    assert "historylink" not in expert.get(f"/ris/event/{event.pk}/change/")
    assert f'href="/ris/exam/{exam.pk}/history/" class="historylink"' in expert.get(f"/ris/exam/{exam.pk}/change/")


def test_saving_without_a_change_is_no_event(expert: Desk) -> None:
    site = factories.site("CLINIC")
    values = {"code": "CLINIC", "name": site.name, "time_zone": site.time_zone, "accession_prefix": "C"}
    expert.post(f"/ris/site/{site.pk}/change/", is_default="on", **values)
    assert not Event.objects.filter(kind=EventKind.CATALOG_CHANGED).exists()


def test_what_is_in_use_cannot_be_deleted_and_says_so(expert: Desk) -> None:
    factories.order()
    station = Station.objects.get()
    page = text_of(expert.post(f"/ris/station/{station.pk}/delete/", post="yes"))
    assert "CT1 is in use (scheduled procedure steps), so it cannot be deleted. Take it out of use instead." in page
    assert Station.objects.get() == station


def test_an_unused_exam_is_deleted_and_told(expert: Desk) -> None:
    exam = factories.exam("CTSPARE")
    expert.post(f"/ris/exam/{exam.pk}/delete/", post="yes")
    event = Event.objects.get(kind=EventKind.CATALOG_CHANGED)
    assert (event.data["change"], event.data["name"]) == ("deleted", "CTSPARE Exam CTSPARE")
    assert not Exam.objects.exists()


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("ae_title", "A" * 17, "at most 16 characters"),
        ("ae_title", "CT\\1", "no backslash"),
        ("modality", "ct scan!", "capital letters"),
    ],
)
def test_a_station_that_dicom_cannot_name_is_refused(expert: Desk, field: str, typed: str, told: str) -> None:
    site = factories.site()
    values = {"ae_title": "CT1", "name": "CT1", "site": site.pk, "modality": "CT", "rank": "1", "active": "on"}
    assert told in text_of(expert.post("/ris/station/add/", **(values | {field: typed})))
    assert not Station.objects.exists()


def test_an_account_and_its_roles_are_told_without_the_password() -> None:
    administrator = Desk(Role.ADMINISTRATOR)
    secret = "a long pass phrase"
    values = {"username": "newcomer", "password1": secret, "password2": secret, "usable_password": "true"}
    administrator.post("/ris/user/add/", **values)
    newcomer = User.objects.get(username="newcomer")
    event = Event.objects.get(kind=EventKind.ACCOUNT_CHANGED)
    assert (event.subject, event.data["change"]) == (f"ris.user:{newcomer.pk}", "added")
    assert secret not in str(event.data)
    another = "another long pass phrase"
    page = administrator.post(f"/ris/user/{newcomer.pk}/password/", password1=another, password2=another)
    assert "Password changed successfully." in text_of(page)
    event = Event.objects.filter(kind=EventKind.ACCOUNT_CHANGED).latest("pk")
    assert (event.subject, event.data["changes"]) == (f"ris.user:{newcomer.pk}", {"password": ["", "changed"]})


def test_a_site_that_no_clock_knows_is_refused(expert: Desk) -> None:
    values = {"code": "X", "name": "X", "time_zone": "Mars/Olympus", "accession_prefix": "X"}
    assert "No such time zone" in text_of(expert.post("/ris/site/add/", **values))
    assert not Site.objects.exists()
