"""Before real patients come, somebody asks whether all is well."""

import contextlib
import io
from pathlib import Path
from typing import Any

import pytest
import redis
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from ris.config import Address


def findings() -> list[str]:
    out = io.StringIO()
    with contextlib.suppress(SystemExit):
        call_command("check_deployment", stdout=out)
    return out.getvalue().splitlines()


def said(word: str) -> bool:
    return any(word in line for line in findings())


@pytest.fixture(autouse=True)
def _data(db: None, tmp_path: Path, settings: Settings) -> None:
    tmp_path.chmod(0o700)
    settings.BUCKY_DATA = settings.BASE_DIR = tmp_path


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"DEBUG": True}, "BUCKY_DEBUG"),
        ({"BUCKY_HTTP": Address("0.0.0.0", 80)}, "BUCKY_HTTP is open"),  # noqa: S104
        ({"BUCKY_DICOM": Address("10.0.0.1", 104), "BUCKY_UNKNOWN_CALLERS": "accept"}, "BUCKY_UNKNOWN_CALLERS"),
        ({"BUCKY_DICOM_TLS": Address("10.0.0.1", 2762), "BUCKY_UNKNOWN_CALLERS": "accept"}, "BUCKY_UNKNOWN_CALLERS"),
        ({"CELERY_BROKER_URL": "filesystem://"}, "REDIS_URL is not set"),
        ({"CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}, "Redis does not answer"),
    ],
)
def test_what_is_wrong_is_named(settings: Settings, changes: dict[str, Any], word: str) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    assert said(word)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"DEBUG": False}, "BUCKY_DEBUG"),
        ({"BUCKY_HTTP": Address("0.0.0.0", 80), "BUCKY_HTTPS": True}, "BUCKY_HTTP is open"),  # noqa: S104
        ({"BUCKY_DICOM": Address("10.0.0.1", 104), "BUCKY_UNKNOWN_CALLERS": "refuse"}, "BUCKY_UNKNOWN_CALLERS"),
        (
            {"BUCKY_DICOM_TLS": Address("10.0.0.1", 2762), "BUCKY_TLS_CLIENT_CA": Path("scanners.pem")},
            "BUCKY_UNKNOWN_CALLERS",
        ),
    ],
)
def test_what_is_right_is_not(settings: Settings, changes: dict[str, Any], word: str) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    assert not said(word)


@pytest.mark.parametrize("name", ["secret_key", "admin_password", ".env"])
def test_a_secret_that_others_can_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    (tmp_path / name).chmod(0o640)
    assert said(f"{name} can be read by other accounts")
    (tmp_path / name).chmod(0o600)
    assert not said(f"{name} can be read")


def test_a_key_that_everybody_can_read_is_named(tmp_path: Path, settings: Settings) -> None:
    settings.BUCKY_TLS_CERT = tmp_path / "bucky.pem"
    settings.BUCKY_TLS_CERT.write_text("-----BEGIN CERTIFICATE-----\n")
    settings.BUCKY_TLS_CERT.chmod(0o644)
    assert not said("bucky.pem")
    settings.BUCKY_TLS_CERT.write_text("-----BEGIN PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\n")
    assert said("bucky.pem can be read by every account")
    settings.BUCKY_TLS_CERT.chmod(0o640)
    assert not said("bucky.pem")


def test_the_first_password_must_be_changed(tmp_path: Path) -> None:
    admin = get_user_model()._default_manager.create_superuser(username="admin", password="the first one")
    (tmp_path / "admin_password").write_text("the first one\n")
    (tmp_path / "admin_password").chmod(0o600)
    assert said("first password of admin still works")
    admin.set_password("another one")
    admin.save()
    assert not said("first password of admin still works")


def test_a_department_in_order_has_nothing_to_put_right(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:6379/0"
    monkeypatch.setattr(redis.Redis, "ping", lambda client: True)
    monkeypatch.setattr(connection, "vendor", "postgresql")
    assert findings() == ["Nothing to put right."]


def test_the_exit_code_tells_a_script(settings: Settings) -> None:
    settings.DEBUG = True
    with pytest.raises(SystemExit) as ended:
        call_command("check_deployment", stdout=io.StringIO())
    assert ended.value.code == 1
