"""Background work is woken after a commit; a broker that is away disturbs nobody."""

import importlib
from datetime import timedelta

import pytest
from celery import shared_task
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from ris.celery import NudgeTask, app
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


@pytest.mark.parametrize("entry", settings.CELERY_BEAT_SCHEDULE.values(), ids=settings.CELERY_BEAT_SCHEDULE)
def test_every_task_of_the_clock_exists(entry: dict[str, str]) -> None:
    importlib.import_module(entry["task"].rpartition(".")[0])
    assert entry["task"] in app.tasks


def test_sessions_of_people_who_left_are_deleted(db: None) -> None:
    Session.objects.create(session_key="old", expire_date=timezone.now() - timedelta(seconds=1))
    Session.objects.create(session_key="new", expire_date=timezone.now() + timedelta(hours=1))
    clear_sessions()
    assert [session.session_key for session in Session.objects.all()] == ["new"]
