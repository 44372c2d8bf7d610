"""Who is let in over HTTP, as whom, and what is told of it."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from ris.models import Event, EventKind
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of
from tests.worklist.web import SEARCH, Device, problem
from worklist.models import QueryLog, RefusedCall, UnknownCaller
from worklist.tokens import ApiToken

pytestmark = pytest.mark.django_db


def with_token(text: str) -> Any:
    return Client().get(SEARCH, headers={"authorization": text})


# --- devices -------------------------------------------------------------------------------------------


def test_a_token_opens_the_door_as_its_device() -> None:
    ct1 = Device("CT1")
    made = factories.step()
    assert ct1.get().status_code == 200
    log = QueryLog.objects.get()
    assert (log.calling_ae_title, log.called_ae_title, log.address) == ("CT1", "DICOMweb", "127.0.0.1")
    assert (log.matches, log.step_ids, log.status) == (1, [made.pk], "0000")
    event = Event.objects.get(kind=EventKind.PATIENTS_LISTED)
    assert (event.actor_kind, event.actor_name) == ("DICOM", "CT1")
    assert event.subject == f"worklist.apitoken:{ct1.token.pk}"
    assert event.data["patients"] == [made.requested_procedure.order.patient_id]
    ct1.token.refresh_from_db()
    assert ct1.token.last_used_at is not None


def test_a_device_that_polls_is_one_row_until_it_sees_somebody_else() -> None:
    ct1 = Device("CT1")
    factories.step()
    for _ in range(3):
        ct1.get()
    assert QueryLog.objects.get().times == 3
    assert Event.objects.filter(kind=EventKind.PATIENTS_LISTED).count() == 1
    factories.step(patient=factories.patient("Doe^John"))
    ct1.get()
    assert Event.objects.filter(kind=EventKind.PATIENTS_LISTED).count() == 2


def test_what_could_not_be_told_is_not_shown_and_is_told_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError

    ct1 = Device("CT1")
    factories.step()
    with monkeypatch.context() as patched:
        patched.setattr(type(Event.objects), "record", away)
        problem(ct1.get(), 503)
    log = QueryLog.objects.get()
    assert (log.status, log.comment, log.step_ids) == ("A700", "The database cannot be reached, ask again", [])
    assert ct1.get().status_code == 200
    assert Event.objects.filter(kind=EventKind.PATIENTS_LISTED).count() == 1


def test_what_was_asked_wrongly_is_in_the_query_log_without_values() -> None:
    factories.station("CT1")
    Device("CT1").get(query="limit=Smith")
    log = QueryLog.objects.get()
    assert (log.status, log.comment) == ("A900", "limit is a whole number from 0 to 999999999")
    assert (log.keys, log.unread) == ({}, {"limit": ["Smith"]})
    Device("CT1").get(query="limit=Jones&PatientID=4711&PatientID=4712")
    assert QueryLog.objects.get(unread__limit=["Jones"]).unread["PatientID"] == ["4711", "4712"]


def test_of_a_token_only_a_digest_is_kept() -> None:
    ct1 = Device("CT1")
    assert ct1.text.startswith("bucky_")
    secret = ct1.text.split("_", 2)[2]  # it may hold that sign itself
    assert secret not in str(ApiToken.objects.values().get())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Bearer", "not known"),
        ("Bearer bucky_1234_5678", "not known"),
        ("Bearer {text}x", "not known"),
        ("Bearer x{text}", "not known"),
        ("bearer  bucky__", "not known"),
        ("Bearer bucky_{key}_", "not known"),
        ("Bearer \xff\xfe", "not known"),
    ],
)
def test_a_wrong_token_is_401(text: str, says: str) -> None:
    ct1 = Device("CT1")
    answer = with_token(text.format(text=ct1.text, key=ct1.token.key))
    assert says in problem(answer, 401)["detail"]
    assert answer["WWW-Authenticate"].startswith('Bearer realm="Bucky", error="invalid_token"')
    assert Event.objects.filter(kind=EventKind.SIGN_IN_FAILED).count() == 1
    assert not QueryLog.objects.exists()


def test_expired_and_revoked_tokens_are_401() -> None:
    factories.station("CT1")
    old = Device("CT1", expires_at=timezone.now() - timedelta(seconds=1))
    assert problem(old.get(), 401)["detail"] == "The token is expired"
    gone = Device("CT1", expires_at=timezone.now() + timedelta(days=1))
    assert gone.get().status_code == 204
    assert gone.token.revoke()
    assert not gone.token.revoke()
    assert problem(gone.get(), 401)["detail"] == "The token is revoked"
    assert not ApiToken.objects.valid().exists()
    assert RefusedCall.objects.get().times == 2
    words = text_of(Desk(Role.TECHNOLOGIST).get(f"/worklist/querylog/why/{factories.step().pk}/"))
    assert "from 127.0.0.1: its access token is revoked or has expired." in words


def test_without_a_token_it_is_401_and_no_page_to_sign_in() -> None:
    for answer in (Client().get(SEARCH), with_token("Basic YWRtaW46YWRtaW4=")):
        problem(answer, 401)
        assert answer["WWW-Authenticate"] == 'Bearer realm="Bucky"'


def test_a_token_that_may_not_search_is_403() -> None:
    answer = Device("CT1", may_search=False).get()
    problem(answer, 403)
    assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]
    call = RefusedCall.objects.get()
    assert (call.ae_title, call.called_ae_title, call.reason) == ("CT1", "DICOMweb", RefusedCall.Reason.SCOPE)


def test_too_many_wrong_tokens_are_no_longer_counted_and_right_ones_still_work() -> None:
    factories.station("CT1")
    ct1 = Device("CT1")
    statuses = [with_token(f"Bearer bucky_{number}_x").status_code for number in range(8)]
    assert statuses == [401] * 5 + [429] * 3
    assert int(with_token("Bearer x")["Retry-After"]) == 900
    assert Event.objects.filter(kind=EventKind.SIGN_IN_FAILED).count() == 5
    assert Event.objects.filter(kind=EventKind.LOCKED_OUT).count() == 1
    assert ct1.get().status_code == 204


def test_a_device_that_is_no_station_is_noted_or_refused_as_at_the_other_door(settings: Any) -> None:
    factories.station("CT1")
    gateway = Device("GATEWAY")
    assert gateway.get().status_code == 204
    assert UnknownCaller.objects.get().ae_title == "GATEWAY"
    settings.BUCKY_UNKNOWN_CALLERS = "refuse"
    assert "no station" in problem(gateway.get(), 403)["detail"]
    assert UnknownCaller.objects.get().refused
    assert Device("CT1").get().status_code == 204


# --- people --------------------------------------------------------------------------------------------


def test_a_person_who_is_signed_in_sees_the_list_and_is_told_of_by_name() -> None:
    made = factories.step()
    desk = Desk(Role.TECHNOLOGIST)
    answer = desk.client.get(SEARCH, {"PatientID": made.requested_procedure.order.patient.patient_id})
    assert answer.status_code == 200
    event = Event.objects.get(kind=EventKind.PATIENTS_LISTED)
    assert (event.actor_kind, event.actor_name, event.subject) == ("USER", desk.user.username, "dicomweb")
    assert event.data["patients"] == [made.requested_procedure.order.patient_id]
    assert not QueryLog.objects.exists()


def test_a_person_without_a_role_is_403() -> None:
    problem(Desk(None).client.get(SEARCH), 403)


# --- the screen ----------------------------------------------------------------------------------------


def test_a_token_is_made_shown_once_and_revoked() -> None:
    factories.station("CT1")
    informatics = Desk(Role.INFORMATICS)
    form = {"name": "Gateway", "ae_title": "CT1", "may_search": "on"}
    page = informatics.client.post("/worklist/apitoken/add/", form)
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    words = text_of(page.content.decode())
    assert "Copy it now" in words
    text = next(word for word in words.split() if word.startswith("bucky_"))
    assert with_token(f"Bearer {text}").status_code == 204
    token = ApiToken.objects.get()
    assert token.created_by == informatics.user
    listed = informatics.get("/worklist/apitoken/")
    assert text not in listed
    assert token.digest not in listed
    assert "valid" in text_of(listed)
    assert "Revoke this token?" in text_of(informatics.get(f"/worklist/apitoken/{token.pk}/revoke/"))
    informatics.client.post(f"/worklist/apitoken/{token.pk}/revoke/")
    informatics.client.post(f"/worklist/apitoken/{token.pk}/revoke/")
    assert with_token(f"Bearer {text}").status_code == 401
    told = Event.objects.filter(kind=EventKind.ACCOUNT_CHANGED).order_by("pk")
    assert [event.data["change"] for event in told] == ["added", "changed"]
    assert text.rpartition("_")[2] not in str(list(told.values()))


def test_a_token_that_has_expired_is_not_made() -> None:
    form = {"name": "Gateway", "ae_title": "CT1", "expires_at_0": "2020-01-01", "expires_at_1": "10:00"}
    page = Desk(Role.ADMINISTRATOR).client.post("/worklist/apitoken/add/", form)
    assert "This time has passed." in page.content.decode()
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("role", [Role.FRONT_DESK, Role.SCHEDULER, Role.TECHNOLOGIST, Role.RADIOLOGIST])
def test_only_those_who_keep_the_doors_see_tokens(role: Role) -> None:
    token = Device("CT1").token
    person = Desk(role)
    for address in ("/worklist/apitoken/", "/worklist/apitoken/add/", f"/worklist/apitoken/{token.pk}/revoke/"):
        assert person.client.get(address).status_code == 403


# --- without a browser -----------------------------------------------------------------------------------


def command(*words: str) -> str:
    said = StringIO()
    call_command("api_token", *words, stdout=said)
    return said.getvalue().strip()


def test_a_token_is_made_and_revoked_from_a_shell() -> None:
    factories.station("CT1")
    text = command("Gateway", "CT1", "--report", "--days", "30")
    assert with_token(f"Bearer {text}").status_code == 204
    token = ApiToken.objects.get()
    assert token.may_report
    assert token.expires_at is not None
    assert command("Gateway", "--revoke") == command("Gateway", "--revoke")
    assert with_token(f"Bearer {text}").status_code == 401
    told = Event.objects.filter(kind=EventKind.ACCOUNT_CHANGED).order_by("pk")
    assert [(event.actor_name, event.data["change"]) for event in told] == [
        ("api_token", "added"),
        ("api_token", "changed"),
    ]
    assert with_token(f"Bearer {command('Reporter', 'CT1', '--no-search')}").status_code == 403


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("Gateway",), "Say the AE title"),
        (("Gateway", "CT1", "--days", "0"), "--days is a number"),
        (("Gateway", "A NAME THAT IS TOO LONG"), "at most 16"),
        (("Taken", "CT1"), "already exists"),
        (("Nobody", "--revoke"), "no token of this name"),
    ],
)
def test_a_wrong_command_says_why(words: tuple[str, ...], says: str) -> None:
    Device("CT1", name="Taken")
    with pytest.raises(CommandError, match=says):
        command(*words)
    assert ApiToken.objects.count() == 1


# --- why is it not on my device ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("ScheduledProcedureStepSequence.Modality=MR", "It does not fit: Modality."),
        ("limit=x", "the query was refused with status A900 (limit is a whole number"),
        ("limit=x", "It has no keys that can be read, so nothing can be held against the exam."),
        ("PatientName=Do*&PatientWeight=3", "This exam was sent to the scanner."),
        ("PatientName=Do*&limit=1", "Answers: 1 of 2, in"),
        ("PatientName=Do*&limit=1", "Asked now, it finds 1 other exam."),
        ("PatientName=Do*", "Explained is the last DICOMweb query of CT1, of"),
    ],
)
def test_a_query_over_http_is_explained_like_a_scanners(query: str, says: str) -> None:
    factories.step(start=factories.today_at(11))
    step = factories.step()
    Device("CT1").get(query=query)
    assert says in text_of(Desk(Role.TECHNOLOGIST).get(f"/worklist/querylog/why/{step.pk}/"))
