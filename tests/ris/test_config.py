"""Settings: what is read, what is refused, and in which words."""

import os
from pathlib import Path

import environ
import pytest
import tzlocal

from ris import config


def test_a_new_department_needs_no_settings() -> None:
    values = config.load({})
    assert str(values["BUCKY_HTTP"]) == "127.0.0.1:8000"
    assert values["BUCKY_MLLP"] == ("127.0.0.1", 2575)
    assert values["BUCKY_DATA"] == config.PROJECT / "data"
    assert values["BUCKY_DEMO"] is True


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("BUCKY_HTTP", "[::1]:80", ("::1", 80)),
        ("BUCKY_HTTP", "0.0.0.0:443", ("0.0.0.0", 443)),  # noqa: S104
        ("BUCKY_HTTP", " ris.example:8000 ", ("ris.example", 8000)),
        ("BUCKY_AE_TITLE", "MAIN RIS", "MAIN RIS"),
        ("BUCKY_DEMO", "no", False),
        ("BUCKY_TIME_ZONE", "Asia/Tokyo", "Asia/Tokyo"),
        ("BUCKY_ALLOWED_HOSTS", "ris, ris.example", ["ris", "ris.example"]),
        ("BUCKY_UNKNOWN_CALLERS", "refuse", "refuse"),
        ("BUCKY_UID_ROOT", "1.2.826.0.1", "1.2.826.0.1"),
        ("BUCKY_DATA", "/srv/bucky", Path("/srv/bucky")),
        (
            "BUCKY_ARCHIVE_LOGINS",
            "PACS=https://pacs/dicom-web?a=b basic bucky:se=cret; VNA 2=http://10.0.0.9:8042 bearer abc.d_e==;",
            {
                "PACS": config.Login("https://pacs/dicom-web?a=b", "Basic YnVja3k6c2U9Y3JldA=="),
                "VNA 2": config.Login("http://10.0.0.9:8042", "Bearer abc.d_e=="),
            },
        ),
        ("REDIS_URL", "redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
    ],
)
def test_a_value_is_read(name: str, text: str, value: object) -> None:
    assert config.load({name: text})[name] == value


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("BUCKY_MLLP", "2575x", "BUCKY_MLLP: '2575x' is not HOST:PORT"),
        ("BUCKY_MLLP", "::1:2575", "BUCKY_MLLP: '::1:2575' is not HOST:PORT"),
        ("BUCKY_HTTP", "127.0.0.1:0", "BUCKY_HTTP: '127.0.0.1:0' has a port outside 1 to 65535"),
        ("BUCKY_HTTP", "127.0.0.1:70000", "BUCKY_HTTP: '127.0.0.1:70000' has a port outside 1 to 65535"),
        (
            "BUCKY_AE_TITLE",
            "A_TITLE_THAT_IS_TOO_LONG",
            "BUCKY_AE_TITLE: 'A_TITLE_THAT_IS_TOO_LONG' is not an AE title (1 to 16 ASCII characters, no backslash)",
        ),
        ("BUCKY_DEMO", "maybe", "BUCKY_DEMO: 'maybe' is not 1 or 0"),
        ("BUCKY_DATA", "./manage.py", "BUCKY_DATA: './manage.py' is not a directory"),
        (
            "BUCKY_TIME_ZONE",
            "Mars/Olympus",
            "BUCKY_TIME_ZONE: 'Mars/Olympus' is not a time zone name such as Europe/Berlin",
        ),
        (
            "BUCKY_MLLP_MAX_BYTES",
            "10MB",
            "BUCKY_MLLP_MAX_BYTES: '10MB' is not a whole number from 1024 to 1073741824",
        ),
        (
            "BUCKY_UNKNOWN_CALLERS",
            "deny",
            "BUCKY_UNKNOWN_CALLERS: 'deny' is not one of: accept, refuse",
        ),
        (
            "BUCKY_UID_ROOT",
            "1.02",
            "BUCKY_UID_ROOT: '1.02' is not a UID root (dotted numbers, at most 24 characters)",
        ),
        (
            "BUCKY_PATIENT_ID_ISSUER",
            "A^B",
            "BUCKY_PATIENT_ID_ISSUER: 'A^B' is not 1 to 20 letters, digits, dots, hyphens, underscores or spaces",
        ),
        ("BUCKY_MLPP", "x", "BUCKY_MLPP: there is no such setting (docs/reference/settings.md lists them)"),
        ("REDIS_URL", "127.0.0.1", "REDIS_URL: the value does not begin with redis:// or rediss://"),
        (
            "BUCKY_ARCHIVE_LOGINS",
            "PACS=basic bucky:secret",
            "BUCKY_ARCHIVE_LOGINS: the value is not NAME=URL basic USER:PASSWORD or NAME=URL bearer TOKEN,"
            " with ; between several",
        ),
        (
            "DATABASE_URL",
            "mysql://bucky:secret@db/ris",
            "DATABASE_URL: the value does not begin with postgresql:// or sqlite://",
        ),
    ],
)
def test_a_wrong_value_is_one_line_that_says_which_and_why(name: str, text: str, line: str) -> None:
    with pytest.raises(config.ConfigError) as refusal:
        config.load({name: text})
    assert str(refusal.value) == line


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(config.ConfigError) as refusal:
        config.load({"BUCKY_HTTP": "x", "BUCKY_MLLP": "y"})
    assert str(refusal.value).splitlines() == [
        "BUCKY_HTTP: 'x' is not HOST:PORT",
        "BUCKY_MLLP: 'y' is not HOST:PORT",
    ]


def test_tls_needs_a_certificate(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match="BUCKY_MLLP_TLS: needs BUCKY_TLS_CERT"):
        config.load({"BUCKY_MLLP_TLS": "127.0.0.1:2576"})
    with pytest.raises(config.ConfigError, match=r"BUCKY_TLS_CERT: .* is not a file"):
        config.load({"BUCKY_MLLP_TLS": "127.0.0.1:2576", "BUCKY_TLS_CERT": str(tmp_path / "none.pem")})
    file = tmp_path / "door.pem"
    file.touch()
    values = config.load({"BUCKY_MLLP_TLS": "127.0.0.1:2576", "BUCKY_TLS_CERT": str(file)})
    assert (values["BUCKY_MLLP_TLS"], values["BUCKY_TLS_CERT"]) == (("127.0.0.1", 2576), file)
    assert values["BUCKY_TLS_CLIENT_CA"] is None


def test_a_password_in_a_database_url_is_not_repeated() -> None:
    with pytest.raises(config.ConfigError) as refusal:
        config.load({"DATABASE_URL": "postgresql://bucky:hunter2@db:port/ris"})
    assert "hunter2" not in str(refusal.value)


def test_the_file_beside_manage_py_is_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("BUCKY_AE_TITLE=FILE\nBUCKY_MLLP=127.0.0.1:4000\n")
    monkeypatch.setattr(config, "PROJECT", tmp_path)
    environment = {"BUCKY_AE_TITLE": "SHELL"}
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr(environ.Env, "ENVIRON", environment)
    values = config.load()
    assert (values["BUCKY_AE_TITLE"], values["BUCKY_MLLP"].port) == ("SHELL", 4000)


def test_a_machine_without_a_time_zone_runs_on_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tzlocal, "get_localzone_name", lambda: None)
    assert config.load({})["BUCKY_TIME_ZONE"] == "UTC"
