"""The web pages defend themselves: against guessing, forgotten screens, foreign scripts and curious error pages."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParser
from django.test import Client
from django.test.utils import override_settings
from django.urls import path
from django.utils import timezone
from psycopg2.errors import DeadlockDetected, LockNotAvailable, QueryCanceled, SerializationFailure

from ris.config import PROJECT
from ris.middleware import LARGEST_FORM
from ris.models import Event
from ris.urls import handler500 as real_handler500
from ris.urls import urlpatterns as real_urls

PASSWORD = "correct horse battery staple"


@pytest.fixture
def clerk(db: None) -> str:
    get_user_model()._default_manager.create_superuser(username="clerk", password=PASSWORD)
    return "clerk"


def sign_in(client: Client, name: str, password: str) -> int:
    return client.post("/login/", {"username": name, "password": password}).status_code


def test_the_front_page_asks_who_you_are(client: Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/")


def test_the_health_page_answers_without_signing_in(client: Client) -> None:
    assert client.get("/healthz").content == b"ok\n"


def test_after_five_wrong_passwords_the_right_one_is_refused_too(client: Client, clerk: str) -> None:
    assert [sign_in(client, clerk, "wrong") for _ in range(5)] == [200, 200, 200, 200, 429]
    answer = client.post("/login/", {"username": clerk, "password": PASSWORD})
    assert answer.status_code == 429
    assert b"Too many failed sign-ins" in answer.content


def test_a_locked_account_can_still_be_used_from_another_computer(client: Client, clerk: str) -> None:
    for _ in range(5):
        sign_in(client, clerk, "wrong")
    assert sign_in(Client(REMOTE_ADDR="10.0.0.2"), clerk, PASSWORD) == 302


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        (0, "203.0.113.9", "127.0.0.1"),  # nobody said that there is a proxy: anyone may write this header
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the left one was written by the browser
        (2, "203.0.113.9, 10.0.0.7", "203.0.113.9"),
        (1, "2001:db8::17", "2001:db8::17"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "<script>", "127.0.0.1"),
        (1, "", "127.0.0.1"),
    ],
)
def test_the_address_behind_a_proxy(client: Client, clerk: str, proxies: int, forwarded: str, seen: str) -> None:
    with override_settings(BUCKY_PROXIES=proxies):
        client.post("/login/", {"username": clerk, "password": "wrong"}, HTTP_X_FORWARDED_FOR=forwarded)
    assert Event.objects.latest("pk").address == seen


def test_a_failed_sign_in_is_logged_by_address_not_by_name(
    client: Client, clerk: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        sign_in(client, clerk, "wrong")
    assert "127.0.0.1" in caplog.text
    assert clerk not in caplog.text


def test_fifteen_minutes_without_a_click_sign_out(client: Client, clerk: str) -> None:
    sign_in(client, clerk, PASSWORD)
    session = client.session
    assert session.get_expiry_age() == 15 * 60
    assert client.get("/").status_code == 200
    session_row = session.model.objects.get(session_key=client.session.session_key)  # type: ignore[attr-defined]
    session_row.expire_date = timezone.now() - timedelta(seconds=1)
    session_row.save()
    assert client.get("/").status_code == 302


def test_each_click_starts_the_fifteen_minutes_again(client: Client, clerk: str) -> None:
    sign_in(client, clerk, PASSWORD)
    assert client.get("/").cookies[settings.SESSION_COOKIE_NAME]["max-age"] == 15 * 60


def test_pages_run_nothing_that_did_not_come_from_here(client: Client, clerk: str) -> None:
    policy = client.get("/login/")["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_pages_carry_the_usual_guards(client: Client, clerk: str) -> None:
    answer = client.get("/login/")
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"


def failing_with(error: Exception) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        raise error

    return view


FAILURES = {
    400: BadRequest("MRN 4711"),
    403: PermissionDenied("MRN 4711"),
    404: Http404("MRN 4711"),
    500: ValueError("MRN 4711"),
    503: OperationalError("MRN 4711"),
}


def raised_by(cause: Exception) -> OperationalError:
    error = OperationalError("MRN 4711")
    error.__cause__ = cause
    return error


OF_THE_DATABASE = {
    "deadlock": (raised_by(DeadlockDetected()), 409),
    "serialization": (raised_by(SerializationFailure()), 409),
    "lock": (raised_by(LockNotAvailable()), 409),
    "locked file": (OperationalError("database is locked"), 409),
    "time is up": (raised_by(QueryCanceled()), 503),
    "gone": (InterfaceError("connection already closed"), 503),
    "no column": (OperationalError("no such column: ris_patient.shoe_size"), 500),
    "no table": (OperationalError("no such table: ris_shoe"), 500),
}
"""What the database may raise, and what a page answers."""


class Broken:
    """A URLconf with views that fail."""

    handler500 = real_handler500
    urlpatterns = [
        *(path(str(status), failing_with(error)) for status, error in FAILURES.items()),
        *(path(name, failing_with(error)) for name, (error, _status) in OF_THE_DATABASE.items()),
        *real_urls,
    ]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "cannot be read"),
        (403, "Not allowed"),
        (404, "Not found"),
        (500, "Something went wrong"),
        (503, "in a moment"),
    ],
)
def test_an_error_page_is_plain_and_tells_nothing_about_patients(
    db: None, status: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(raise_request_exception=False)
    with override_settings(ROOT_URLCONF=Broken):
        answer = client.get(f"/{status}")
    assert answer.status_code == status
    assert words in answer.content.decode()
    assert "4711" not in answer.content.decode()
    if status == 503:
        assert answer["Retry-After"] == "10"
        assert caplog.messages == ["the database is away (OperationalError): a page was answered 503"]


@pytest.mark.parametrize("name", OF_THE_DATABASE)
def test_a_page_tells_apart_what_the_database_refuses(db: None, name: str, caplog: pytest.LogCaptureFixture) -> None:
    _error, status = OF_THE_DATABASE[name]
    with override_settings(ROOT_URLCONF=Broken):
        answer = Client(raise_request_exception=False).get(f"/{name}")
    assert answer.status_code == status
    assert ("Somebody else was faster" in answer.content.decode()) == (status == 409)
    assert len(caplog.messages) == 1


def test_a_database_that_is_away_is_told_once_a_page(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_session: object) -> None:
        raise OperationalError

    monkeypatch.setattr(SessionStore, "load", away)
    client = Client(raise_request_exception=False)
    client.cookies[settings.SESSION_COOKIE_NAME] = "s" * 32
    assert client.get("/ris/patient/").status_code == 503
    assert len(caplog.messages) == 1


def test_a_form_that_is_too_large_is_refused_before_it_is_read(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise AssertionError("the form was read")

    monkeypatch.setattr(MultiPartParser, "parse", read)
    form = "multipart/form-data; boundary=x"
    answer = Client().post("/login/", b"x", content_type=form, CONTENT_LENGTH=str(LARGEST_FORM + 1))
    assert answer.status_code == 400
    assert "cannot be read" in answer.content.decode()


def test_a_stale_form_is_explained(db: None) -> None:
    answer = Client(enforce_csrf_checks=True).post("/login/", {"username": "x", "password": "y"})
    assert answer.status_code == 403
    assert b"too old" in answer.content


def test_behind_https_django_finds_nothing_to_warn_of(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BUCKY_", "DJANGO_"))}
    environment |= {"BUCKY_DATA": str(tmp_path), "BUCKY_HTTPS": "1"}
    words = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    checked = subprocess.run(words, cwd=PROJECT, env=environment, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode()


@pytest.mark.parametrize("word", ["short", "elevenchars", "123456789012345"])
def test_weak_passwords_are_refused(word: str) -> None:
    with pytest.raises(ValidationError):
        validate_password(word)


def test_secrets_are_only_for_the_account_that_runs_bucky() -> None:
    paths = settings.BUCKY_DATA, settings.BUCKY_DATA / "secret_key"
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o700, 0o600]
