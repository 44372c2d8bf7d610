"""What scanners asked is written down, without ever holding up an answer."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import OperationalError, transaction
from django.utils import timezone
from pydicom.dataset import Dataset

from ris.roles import Role
from tests import factories
from tests.waiting import wait_until
from tests.worklist.asking import keys
from worklist import journal
from worklist.describe import as_json, as_lines
from worklist.journal import Entry, Journal, QueryEntry, RefusedCallEntry, UnknownCallerEntry, write_now
from worklist.models import QueryLog, RefusedCall, UnknownCaller
from worklist.preview import station_worklist
from worklist.tasks import purge_query_log

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def asked(**values: Any) -> QueryEntry:
    usual: dict[str, Any] = {
        "at": NOON, "calling_ae_title": "CT1", "called_ae_title": "BUCKY", "address": "10.0.0.7"
    }  # fmt: skip
    return QueryEntry(**(usual | values))


@pytest.fixture(autouse=True)
def _the_connection_of_the_test_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the journal's own thread a connection that is stuck in a transaction is replaced; a test is in one."""
    monkeypatch.setattr(journal, "close_old_connections", lambda: None)


def write(*entries: Entry) -> Journal:
    """Write entries as the journal's thread does."""
    kept = Journal()
    assert kept._written(list(entries))
    return kept


@pytest.mark.django_db
def test_a_query_is_kept_with_what_was_shown() -> None:
    write(asked(keys={"PatientName": "DOE*"}, matches=2, step_ids=[4, 5], milliseconds=3.5))
    row = QueryLog.objects.get()
    assert (row.calling_ae_title, row.address, row.keys) == ("CT1", "10.0.0.7", {"PatientName": "DOE*"})
    assert (row.matches, row.step_ids, row.status, row.milliseconds) == (2, [4, 5], "0000", 3.5)
    assert (row.at, row.last_at, row.times) == (NOON, NOON, 1)


@pytest.mark.django_db
def test_a_scanner_that_polls_is_one_row() -> None:
    later = NOON + timedelta(seconds=30)
    write(asked(step_ids=[4]), asked(step_ids=[4], keys={"x": "y"}), asked(at=later, step_ids=[4], milliseconds=9))
    assert [(row.times, row.last_at) for row in QueryLog.objects.order_by("pk")] == [(2, later), (1, NOON)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "other",
    [
        {"step_ids": [4, 5]},
        {"total": 9},
        {"changed": 1},
        {"status": "A700"},
        {"comment": "The identifier cannot be decoded"},
        {"keys": {"Modality": "CT"}},
        {"ways": {"by_ear": True}},
        {"road": "DICOMweb"},
        {"unread": {"limit": ["x"]}},
        {"calling_ae_title": "CT2"},
        {"address": "10.0.0.8"},
        {"at": NOON + timedelta(days=1)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_differs_is_a_row_of_its_own(other: dict[str, Any]) -> None:
    write(asked(step_ids=[4]), asked(**({"step_ids": [4]} | other)))
    assert QueryLog.objects.count() == 2


@pytest.mark.django_db
def test_a_row_that_was_purged_in_between_is_written_anew() -> None:
    kept = write(asked())
    QueryLog.objects.all().delete()
    assert kept._written([asked()])
    assert QueryLog.objects.get().times == 1


@pytest.mark.django_db
def test_a_row_that_was_not_committed_is_not_counted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite gives its number to the next row: a query of CT1 would count as one of CT2."""
    atomic = transaction.atomic

    @contextmanager
    def that_fails() -> Iterator[None]:
        with atomic():
            yield
            raise OperationalError("disk full")

    monkeypatch.setattr(journal, "_journal", Journal())
    with monkeypatch.context() as patch:
        patch.setattr("worklist.journal.transaction.atomic", that_fails)
        write_now(asked())
    assert not QueryLog.objects.exists()
    write_now(asked(calling_ae_title="CT2"))
    write_now(asked())
    found = QueryLog.objects.order_by("calling_ae_title").values_list("calling_ae_title", "times")
    assert list(found) == [("CT1", 1), ("CT2", 1)]


@pytest.mark.django_db
def test_an_unknown_caller_is_one_row_and_counted() -> None:
    first = UnknownCallerEntry(NOON, "STRANGER", "10.0.0.9", refused=False)
    again = UnknownCallerEntry(NOON + timedelta(hours=1), "STRANGER", "10.0.0.9", refused=True)
    write(first, again)
    row = UnknownCaller.objects.get()
    assert (row.times, row.first_seen, row.last_seen, row.refused) == (2, NOON, again.at, True)


@pytest.mark.django_db
def test_a_refused_call_is_one_row_for_each_reason_and_counted() -> None:
    called = RefusedCallEntry(NOON, "CT1", "BUCKI", "10.0.0.9", "CALLED")
    write(called, called, RefusedCallEntry(NOON, "CT1", "BUCKY", "10.0.0.9", "FULL"))
    found = RefusedCall.objects.order_by("pk").values_list("called_ae_title", "reason", "times", "last_seen")
    assert list(found) == [("BUCKI", "CALLED", 2, NOON), ("BUCKY", "FULL", 1, NOON)]


@pytest.mark.django_db
def test_each_refused_call_is_counted_whether_it_waits_or_is_written() -> None:
    busy = Journal()
    for second in range(12):
        busy.put(RefusedCallEntry(NOON + timedelta(seconds=second), "CT1", "BUCKI", "10.0.0.9", "CALLED"))
    busy.put(RefusedCallEntry(NOON, "", "", "10.0.0.9", "TLS"))
    waiting: list[Entry] = []
    busy._fill(waiting)
    assert len(waiting) == 2
    write(*waiting)
    write(*waiting[:1])
    found = RefusedCall.objects.order_by("pk").values_list("reason", "times", "last_seen")
    assert list(found) == [("CALLED", 24, NOON + timedelta(seconds=11)), ("TLS", 1, NOON)]


@pytest.mark.django_db
def test_ever_new_names_do_not_fill_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worklist.models.MOST_CALLERS", 3)
    write(*(UnknownCallerEntry(NOON + timedelta(seconds=n), f"AE{n}", "10.0.0.9", refused=False) for n in range(9)))
    assert [row.ae_title for row in UnknownCaller.objects.all()] == ["AE8", "AE7", "AE6"]


class Disk(Journal):
    """A journal whose database fails for the first tries."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.kept: list[Entry] = []

    def write(self, batch: Sequence[Entry]) -> dict[str, int]:
        if self.failures:
            self.failures -= 1
            raise OperationalError("DETAIL: Doe^Jane")
        self.kept += batch
        return {}


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the transaction: these tests are about the thread."""
    monkeypatch.setattr("worklist.journal.transaction.atomic", nullcontext)
    monkeypatch.setattr("worklist.journal.connections.close_all", lambda: None)
    monkeypatch.setattr(journal, "RETRY_SECONDS", 0.01)


@pytest.mark.usefixtures("no_database")
def test_entries_wait_while_the_database_is_away_and_it_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk(failures=3)
    disk.start()
    for number in range(5):
        disk.put(asked(matches=number))
    wait_until(lambda: len(disk.kept) == 5)
    disk.stop()
    assert [entry.matches for entry in disk.kept if isinstance(entry, QueryEntry)] == [0, 1, 2, 3, 4]
    assert [record.getMessage() for record in caplog.records] == [
        "the query log cannot be written, will try again (OperationalError)"
    ]


@pytest.mark.usefixtures("no_database")
def test_stopping_writes_what_waits() -> None:
    disk = Disk(failures=0)
    for number in range(250):
        disk.put(asked(matches=number))
    disk.start()
    disk.stop()
    assert len(disk.kept) == 250


@pytest.mark.usefixtures("no_database")
def test_stopping_does_not_wait_for_a_database_that_is_away() -> None:
    disk = Disk(failures=1_000_000)
    disk.start()
    disk.put(asked())
    disk.stop()
    assert not disk._thread.is_alive()


def test_thousands_of_the_same_query_fill_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Scanners that get the same answer again share what they were asked: it waits once, with its times."""
    monkeypatch.setattr(journal, "WAITING", 2)
    kept, keys_asked, last = Journal(), {"Modality": "CT"}, NOON + timedelta(seconds=4999)
    for number in range(5000):
        at = NOON + timedelta(seconds=number)
        kept.put(asked(at=at, keys=keys_asked, step_ids=[4], milliseconds=number))
        kept.put(asked(at=at, keys=keys_asked, step_ids=[4, 5]))
    batch: list[Entry] = []
    kept._stopping.set()
    assert kept._fill(batch)
    assert [
        (entry.step_ids, entry.times, entry.at, entry.last_at, entry.milliseconds)
        for entry in batch
        if isinstance(entry, QueryEntry)
    ] == [([4], 5000, NOON, last, 4999), ([4, 5], 5000, NOON, last, 0.0)]
    assert caplog.records == []


@pytest.mark.django_db
def test_what_was_counted_while_it_waited_is_counted_in_its_row() -> None:
    later = NOON + timedelta(seconds=30)
    kept = write(asked(times=3, last_at=later))
    assert kept._written([asked(at=later, times=2, last_at=later + timedelta(seconds=5))])
    row = QueryLog.objects.get()
    assert (row.times, row.at, row.last_at) == (5, NOON, later + timedelta(seconds=5))


@pytest.mark.django_db
def test_the_last_time_is_the_last_one_whichever_was_written_down_first() -> None:
    """While the database is away a query may wait under its keys as they came in two transfer syntaxes."""
    waiting = Journal()
    explicit: dict[str, Any] = {"PatientName": "DOE*"}
    implicit = dict(explicit)
    for seconds, read, milliseconds in ((0, explicit, 1.0), (1, implicit, 2.0), (9, explicit, 9.0), (5, explicit, 5.0)):
        waiting.put(asked(at=NOON + timedelta(seconds=seconds), keys=read, milliseconds=milliseconds))
    assert len(waiting._waiting) == 2
    kept = write(*waiting._waiting.values())
    row = QueryLog.objects.get()
    assert (row.times, row.at, row.last_at, row.milliseconds) == (4, NOON, NOON + timedelta(seconds=9), 9.0)
    assert kept._written(
        [asked(at=NOON + timedelta(seconds=20), keys=explicit), asked(at=NOON + timedelta(seconds=15), keys=explicit)]
    )
    row.refresh_from_db()
    assert (row.times, row.last_at) == (6, NOON + timedelta(seconds=20))


def test_a_full_journal_loses_the_entry_not_the_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal, "WAITING", 1)
    full = Journal()
    full.put(asked())
    full.put(asked())
    assert caplog.records[-1].levelno == logging.ERROR
    assert "CT1" in caplog.text


# --- retention, roles, descriptions ----------------------------------------------------------------------


@pytest.mark.django_db
def test_old_queries_are_forgotten(settings: Any) -> None:
    settings.BUCKY_QUERY_LOG_DAYS = 30
    now = timezone.now()
    write(asked(at=now - timedelta(days=31)), asked(at=now - timedelta(days=29)))
    assert purge_query_log() == 1
    assert QueryLog.objects.get().at > now - timedelta(days=30)


@pytest.mark.django_db
@pytest.mark.parametrize("role", list(Role))
def test_who_may_see_what_scanners_asked(role: Role) -> None:
    group = Group.objects.get(name=role.value)
    logs = ("querylog", "unknowncaller", "refusedcall")
    seen = Permission.objects.filter(group=group, content_type__app_label="worklist", content_type__model__in=logs)
    expected = {
        Role.TECHNOLOGIST: {"explain_querylog"},
        Role.INFORMATICS: {"view_querylog", "view_unknowncaller", "view_refusedcall", "explain_querylog"},
        Role.ADMINISTRATOR: {"view_querylog", "view_unknowncaller", "view_refusedcall", "explain_querylog"},
    }
    assert set(seen.values_list("codename", flat=True)) == expected.get(role, set())


def test_an_identifier_as_json() -> None:
    identifier = keys(
        PatientName="Müller*", Modality="CT", SpecificCharacterSet="ISO_IR 192", ScheduledStationName=None
    )
    identifier.StudyInstanceUID = ["1.2", "1.3"]
    identifier.PixelData = b"\x00\x01"
    assert as_json(identifier) == {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": "Müller*",
        "StudyInstanceUID": "1.2\\1.3",
        "PixelData": "\x01",
        "ScheduledProcedureStepSequence": [
            {"Modality": "CT", "ScheduledStationName": "", "ScheduledProcedureStepID": ""}
        ],
    }


def test_what_is_kept_of_a_query_is_bounded() -> None:
    wide, deep = Dataset(), Dataset()
    for element in range(600):
        wide.add_new((0x0009, 0x1000 + element), "LT", "x" * 5000)
    inner = deep
    for _ in range(50):
        inner.ViewCodeSequence = [Dataset()]
        inner = inner.ViewCodeSequence[0]
        inner.CodeValue = "x"
    kept = json.dumps([as_json(wide), as_json(deep)])
    assert len(kept) < 600 * 1100
    assert kept.count("CodeValue") == 7


@pytest.mark.django_db
def test_the_worklist_as_a_station_sees_it() -> None:
    jane = factories.patient("Doe^Jane", "4711")
    here = factories.step(patient=jane, start=factories.today_at(9), station=factories.station("CT1"))
    factories.step(start=factories.today_at(9, days=1), station=factories.station("CT1"))
    factories.step(start=factories.today_at(9), station=factories.station("CT2"))
    (shown,) = station_worklist("CT1", timezone.localdate()).previews
    assert shown.step_id == here.pk
    told = {line.keyword: line.value for line in shown.lines}
    assert (told["PatientName"], told["PatientID"], told["Modality"]) == ("Doe^Jane", "4711", "CT")
    assert {line.depth for line in shown.lines} == {0, 1}
    assert len(station_worklist("CT1").previews) == 2


def test_lines_show_sequences_by_depth() -> None:
    assert [(line.depth, line.keyword) for line in as_lines(keys(PatientName="Doe", Modality="CT"))] == [
        (0, "PatientName"),
        (0, "ScheduledProcedureStepSequence"),
        (1, "Modality"),
        (1, "ScheduledProcedureStepID"),
    ]
