"""Writes down what scanners asked, beside the answers: a full disk or a database away never delays or fails one."""

import json
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

from django.db import Error as DatabaseError
from django.db import close_old_connections, connections, transaction
from django.db.models import F

from worklist.models import QueryLog, RefusedCall, Road, UnknownCaller

log = logging.getLogger(__name__)

WAITING = 10_000
"""Entries that may wait while the database is away; later ones are counted and lost."""
RETRY_SECONDS = 1.0
GATHER_SECONDS = 0.2
"""How long the first entry waits for others: queries that are the same are then written once."""
BATCH = 1000
REMEMBERED = 1000
STOP_SECONDS = 3.0


@dataclass
class QueryEntry:
    """One answered query. status: four hexadecimal digits. step_ids, skipped: rows sent, rows left out.

    ways: see worklist.ways.kept. matches: on the page that was asked for; total: on all pages, where that is known.
    unread: the parameters of a request that could not be read as keys. changed: values that were not sent as they are
    stored. times: how often it was asked until last_at, the same each time.
    """

    at: datetime
    calling_ae_title: str
    called_ae_title: str
    address: str
    road: str = Road.FIND
    keys: dict[str, Any] = field(default_factory=dict)
    unread: dict[str, Any] = field(default_factory=dict)
    ways: dict[str, Any] = field(default_factory=dict)
    matches: int = 0
    total: int | None = None
    step_ids: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    changed: int = 0
    status: str = "0000"
    comment: str = ""
    milliseconds: float = 0.0
    times: int = 1
    last_at: datetime | None = None

    def at_a_glance(self) -> tuple[object, ...]:
        """Return what is the same for queries that share what they were asked and answered with. See Journal.put."""
        who = self.at.date(), self.calling_ae_title, self.called_ae_title, self.address, *self.ways.items()
        return *who, id(self.keys), *self.step_ids, None, *self.skipped, None, self.changed, self.status, self.comment

    @property
    def latest(self) -> datetime:
        """When it was asked the last time."""
        return self.last_at or self.at

    def count(self, other: "QueryEntry") -> None:
        """Count another query as this one: it asked the same and was answered the same."""
        self.times += other.times
        if other.latest >= self.latest:  # one that took longer may have been asked before
            self.last_at, self.milliseconds = other.latest, other.milliseconds

    def identity(self) -> str:
        """Return what is the same when a scanner asks the same and is answered the same, on the same day."""
        return json.dumps(
            [
                self.at.date().isoformat(),
                self.calling_ae_title,
                self.called_ae_title,
                self.address,
                self.road,
                self.keys,
                self.unread,
                self.ways,
                self.total,
                self.step_ids,
                self.skipped,
                self.changed,
                self.status,
                self.comment,
            ]
        )


@dataclass(frozen=True)
class UnknownCallerEntry:
    """One call under an AE title that is no station."""

    at: datetime
    ae_title: str
    address: str
    refused: bool


@dataclass
class RefusedCallEntry:
    """An association or request that was refused, `times` times until `at`. reason: a value of RefusedCall.Reason."""

    at: datetime
    ae_title: str
    called_ae_title: str
    address: str
    reason: str
    times: int = 1

    def at_a_glance(self) -> tuple[str, str, str, str]:
        """Return what is the same for calls that are counted as one."""
        return self.ae_title, self.called_ae_title, self.address, self.reason

    def count(self, other: "RefusedCallEntry") -> None:
        """Count another call as this one."""
        self.times += other.times
        self.at = other.at


Entry = QueryEntry | UnknownCallerEntry | RefusedCallEntry


class Recorder(Protocol):
    """Takes entries; see Journal."""

    def start(self) -> None:
        """Begin."""

    def put(self, entry: Entry) -> None:
        """Take one entry. Never waits."""

    def stop(self) -> None:
        """Write what waits."""


class Journal:
    """A thread that writes entries in batches. Start it, `put` entries, `stop` it; the last ones are written then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[object, Entry] = {}
        self._there = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._rows: dict[str, int] = {}  # identity of an entry -> the row that tells of it
        self._stopping = threading.Event()
        self._in_trouble = False

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Take one entry. Never waits for the database.

        A query or refused call like one that waits is counted there: thousands may come in a second.
        """
        key: object = object() if isinstance(entry, UnknownCallerEntry) else entry.at_a_glance()
        with self._lock:
            same = self._waiting.get(key)
            if isinstance(same, QueryEntry) and isinstance(entry, QueryEntry):
                same.count(entry)
                return
            if isinstance(same, RefusedCallEntry) and isinstance(entry, RefusedCallEntry):
                same.count(entry)
                return
            full = len(self._waiting) >= WAITING
            if not full:
                self._waiting[key] = entry
        if full:
            log.error("the query log is full: an entry of %s is lost", _who(entry))
        self._there.set()

    def stop(self) -> None:
        """Write what waits, for at most STOP_SECONDS."""
        self._stopping.set()
        self._there.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        batch: list[Entry] = []
        try:
            while True:
                if not batch:
                    last = self._fill(batch)
                    if last and not batch:
                        return
                if self._written(batch):
                    batch.clear()
                    if last:
                        return
                elif self._stopping.wait(RETRY_SECONDS):
                    return
        finally:
            connections.close_all()

    def _fill(self, batch: list[Entry]) -> bool:
        """Wait for entries and take what came shortly after, too; tell whether the journal is to stop."""
        self._there.wait()
        self._stopping.wait(GATHER_SECONDS)
        with self._lock:
            batch += [self._waiting.pop(key) for key in list(islice(self._waiting, BATCH))]
            if not self._waiting:
                self._there.clear()
                return self._stopping.is_set()
        return False

    def _written(self, batch: list[Entry]) -> bool:
        """Write a batch in one transaction; on trouble say so once and keep it."""
        try:
            close_old_connections()
            self.commit(batch)
        except DatabaseError as trouble:
            if not self._in_trouble:
                log.error("the query log cannot be written, will try again (%s)", type(trouble).__name__)
            self._in_trouble = True
            return False
        finally:
            _quietly(close_old_connections)
        self._in_trouble = False
        return True

    def commit(self, batch: Sequence[Entry]) -> None:
        """Write entries in one transaction. Raises DatabaseError; then nothing is written, and nothing remembered."""
        with transaction.atomic():
            made = self.write(batch)
        if len(self._rows) > REMEMBERED:
            self._rows.clear()
        self._rows |= made

    def write(self, batch: Sequence[Entry]) -> dict[str, int]:
        """Write entries, those that are the same as one before by counting them.

        Returns the new rows by the identity of their entries: they can be counted on once they are committed.
        """
        made: dict[str, int] = {}
        same: dict[str, list[QueryEntry]] = {}
        for entry in batch:
            if isinstance(entry, UnknownCallerEntry):
                UnknownCaller.objects.note(entry.ae_title, entry.address, entry.at, refused=entry.refused)
            elif isinstance(entry, RefusedCallEntry):
                RefusedCall.objects.note(*entry.at_a_glance(), entry.at, entry.times)
            else:
                same.setdefault(entry.identity(), []).append(entry)
        for identity, entries in same.items():
            if not self._counted(identity, entries):
                row = QueryLog.objects.create(**vars(entries[0]) | _last(entries) | {"times": _times(entries)})
                made[identity] = row.pk
        return made

    def _counted(self, identity: str, entries: list[QueryEntry]) -> bool:
        """Count queries that are the same as one before in its row; tells whether there is one."""
        repeated = QueryLog.objects.filter(pk=self._rows.get(identity, 0))
        times = F("times") + _times(entries)
        return bool(repeated.update(times=times, **_last(entries)))


def _times(entries: Sequence[QueryEntry]) -> int:
    return sum(entry.times for entry in entries)


def _last(entries: Sequence[QueryEntry]) -> dict[str, Any]:
    """Return when it was asked the last time, and how long that took."""
    last = max(entries, key=lambda entry: entry.latest)
    return {"last_at": last.latest, "milliseconds": last.milliseconds}


_journal = Journal()


def write_now(entry: Entry) -> None:
    """Write one entry in this thread, for a process that has no journal running; what cannot be written is lost."""
    try:
        _journal.commit([entry])
    except DatabaseError as trouble:
        log.error("the query log cannot be written: an entry of %a is lost (%s)", _who(entry), type(trouble).__name__)


def _who(entry: Entry) -> str:
    return entry.calling_ae_title if isinstance(entry, QueryEntry) else entry.ae_title


def _quietly(action: Callable[[], None]) -> None:
    try:
        action()
    except DatabaseError:
        log.debug("a database connection could not be closed")
