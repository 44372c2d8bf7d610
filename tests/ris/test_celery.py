"""Background work is woken after a commit; a broker that is away disturbs nobody."""

import errno
import importlib
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from celery import platforms, shared_task
from celery.beat import ScheduleEntry
from celery.schedules import schedule
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone
from kombu import Connection
from kombu.exceptions import ChannelError, OperationalError

from ris.celery import NudgeTask, app
from ris.clock import Clock
from ris.file_broker import Transport
from ris.management.commands.serve import environment_of
from ris.tasks import clear_sessions


@shared_task
def wake() -> None:
    """Nothing to do: only its sending is of interest here."""


def after_commit() -> None:
    assert isinstance(wake, NudgeTask)
    wake.delay_on_commit()


def test_a_broker_that_is_away_does_not_fail_what_was_committed(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(wake, "apply_async", refuse)
    with transaction.atomic():
        after_commit()
    assert "OperationalError" in caplog.text or "connection refused" in caplog.text


def test_nothing_is_sent_when_the_transaction_is_undone(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bool] = []
    monkeypatch.setattr(wake, "apply_async", lambda *args, **kwargs: sent.append(True))
    with transaction.atomic():
        after_commit()
        transaction.set_rollback(True)
    assert sent == []
    with transaction.atomic():
        after_commit()
    assert sent == [True]


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Connection]:
    """A broker of files."""
    folders = dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), str(tmp_path))
    with app.connection("filesystem://", transport_options=folders) as connection:
        assert isinstance(connection.transport, Transport)
        yield connection


def test_a_file_that_was_cut_off_does_not_end_the_worker(directory: Connection, tmp_path: Path) -> None:
    with directory.SimpleQueue("cut") as queue:
        for task in ("first", "second", "third", "last"):
            queue.put({"task": task})
        spoilt = (b"", b'{"task"', b"\x00\xff")  # by a disk that was full, or half written when the power failed
        for file, left in zip(sorted(tmp_path.glob("*.cut.msg")), spoilt, strict=False):
            file.write_bytes(left)
        assert queue.get(timeout=5).payload == {"task": "last"}
        with pytest.raises(queue.Empty):
            queue.get(block=False)


def test_a_full_disk_leaves_nothing_behind_and_the_next_message_goes(
    directory: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    with directory.SimpleQueue("full") as queue:
        before = set(tmp_path.iterdir())
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", full)
            with pytest.raises(ChannelError):
                queue.put({"task": "lost"})
        assert set(tmp_path.iterdir()) == before
        queue.put({"task": "next"})
        assert queue.get(timeout=5).payload == {"task": "next"}


@pytest.mark.parametrize("entry", settings.CELERY_BEAT_SCHEDULE.values(), ids=settings.CELERY_BEAT_SCHEDULE)
def test_every_task_of_the_clock_exists(entry: dict[str, str]) -> None:
    importlib.import_module(entry["task"].rpartition(".")[0])
    assert entry["task"] in app.tasks


def test_sessions_of_people_who_left_are_deleted(db: None) -> None:
    Session.objects.create(session_key="old", expire_date=timezone.now() - timedelta(seconds=1))
    Session.objects.create(session_key="new", expire_date=timezone.now() + timedelta(hours=1))
    clear_sessions()
    assert [session.session_key for session in Session.objects.all()] == ["new"]


def test_the_worker_does_not_say_again_in_the_log_that_bucky_runs_as_root() -> None:
    _action, _colon, words = environment_of("worker")["PYTHONWARNINGS"].rpartition(",")[2].partition(":")
    assert vars(platforms)["ROOT_DISCOURAGED"].startswith(words)
    assert environment_of("web").get("PYTHONWARNINGS") == os.environ.get("PYTHONWARNINGS")


def test_a_machine_whose_clock_is_set_back_does_not_stop_the_timed_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = timezone.now()
    sent: list[str] = []

    def at(hours: float) -> None:
        monkeypatch.setattr(app, "now", lambda: began + timedelta(hours=hours))
        monkeypatch.setattr(ScheduleEntry, "default_now", lambda entry: app.now())
        monkeypatch.setattr(schedule, "now", lambda timed: app.now())

    at(hours=24)  # the machine starts with tomorrow's time
    clock = Clock(app, schedule_filename=str(tmp_path / "clock"))
    monkeypatch.setattr(clock, "apply_async", lambda entry, **_: sent.append(entry.task))
    assert clock.tick() > 0
    at(hours=0)  # and is put right
    assert 0 < clock.tick() <= 60
    at(hours=0.02)
    while not clock.tick():
        pass
    assert "ris.tasks.close_gates" in sent
    clock.close()
