"""No page and no message waits for ever for one statement; what runs in the background may take its time."""

import importlib
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.backends.signals import connection_created
from pytest_django import Settings

import ris.wsgi
from ris import statement_limit
from ris.config import Address
from worklist.server import CannotListen


@pytest.fixture
def unlimited() -> Iterator[None]:
    """Whatever a test has limited is not limited afterwards."""
    connection_created.disconnect(dispatch_uid="statement limit")
    yield
    connection_created.disconnect(dispatch_uid="statement limit")


def in_a_new_connection() -> str:
    """Return the limit of a process that connects now."""
    fresh = connection.copy()
    try:
        with fresh.cursor() as cursor:
            if fresh.vendor != "postgresql":
                return "none"
            cursor.execute("SHOW statement_timeout")
            return str(cursor.fetchone()[0])
    finally:
        fresh.close()


@pytest.mark.django_db
@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize(("seconds", "shown"), [(30, "30s"), (90, "90s"), (0, "0")])
def test_a_statement_has_so_many_seconds(settings: Settings, seconds: int, shown: str) -> None:
    settings.BUCKY_STATEMENT_SECONDS = seconds
    assert in_a_new_connection() in ("0", "none"), "work in the background has no limit"
    statement_limit.limit_statements()
    assert in_a_new_connection() == (shown if connection.vendor == "postgresql" else "none")


@pytest.mark.usefixtures("unlimited")
def test_pages_and_doors_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_limited() -> bool:
        return bool(connection_created.disconnect(dispatch_uid="statement limit"))

    async def nothing() -> None: ...

    class Shut:
        def __init__(self, *_: object, **__: object) -> None: ...

        def start(self) -> None:
            raise CannotListen(Address("127.0.0.1", 1), OSError("busy"))

    monkeypatch.setattr("ris.collector.spare_the_old", lambda: None)
    importlib.reload(ris.wsgi)
    assert is_limited()
    monkeypatch.setattr("hl7.management.commands.hl7_listen._serve", nothing)
    call_command("hl7_listen")
    assert is_limited()
    monkeypatch.setattr("worklist.management.commands.dicom_serve.Door", Shut)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(CommandError, match="cannot be used"):
        call_command("dicom_serve")
    assert is_limited()
