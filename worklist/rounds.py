"""Queries that come at the same time are answered in rounds, so that what they share is asked of the database once.

A round is all that has come since the last one began. It begins with one look at the database: where nothing was
committed since the rows of an answer were read, they are still what the database would give. All others are read, a
question that several ask once. No answer is older than its question: a round looks, and reads, when its last query has
come.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import NamedTuple, Protocol

from django.db import Error as DatabaseError

from worklist.host import BATCH, Answers, Opened
from worklist.moment import Moment
from worklist.query import Caller
from worklist.workers import Outcome, Workers

log = logging.getLogger(__name__)


class Query(NamedTuple):
    """One query. Those that are equal get the same answers."""

    identifier: bytes
    transfer_syntax: str
    caller: Caller


class Source(Protocol):
    """Where answers come from; see worklist.prepared.Live."""

    def look(self) -> Moment | None:
        """Look at the database; None where that tells nothing. Raises DatabaseError."""

    def keeps(self, identifier: bytes, transfer_syntax: str, caller: Caller, moment: Moment) -> bool:
        """Tell whether there are answers of that moment, so that `reply` need not read. Does not read."""

    def reply(self, identifier: bytes, transfer_syntax: str, caller: Caller, moment: Moment | None) -> Answers:
        """Return the answers that hold at that moment, or later. Raises QueryError."""


class Rounds:
    """Takes queries in the loop and has them answered by the threads of `workers`."""

    def __init__(self, workers: Workers, source: Source) -> None:
        """Begin without a query."""
        self._workers = workers
        self._source = source
        self._lock = threading.Lock()
        self._waiting: dict[Query, list[asyncio.Future[Opened]]] = {}
        self._looking = False

    def ask(self, query: Query) -> "asyncio.Future[Opened]":
        """Answer a query in the next round; to be called, and awaited, in the loop."""
        future = self._workers.promise()
        with self._lock:
            self._waiting.setdefault(query, []).append(future)
            first, self._looking = not self._looking, True
        if first:
            self._workers.put(self._round)
        return future

    def _round(self) -> list[Outcome]:
        """Answer what needs no reading; each of the others waits for a thread of its own."""
        with self._lock:
            queries, self._waiting = self._waiting, {}
        moment = self._look()
        done: list[Outcome] = []
        for query, futures in queries.items():
            given = partial(self._given, futures, partial(self._source.reply, *query, moment))
            if moment is not None and self._source.keeps(*query, moment):
                done += given()
            else:
                self._workers.put(given)
        with self._lock:
            self._looking = bool(self._waiting)
        if self._looking:
            self._workers.put(self._round)
        return done

    def _look(self) -> Moment | None:
        try:
            return self._source.look()
        except DatabaseError as trouble:
            log.debug("the database cannot be looked at (%s)", type(trouble).__name__)  # reading it will tell
            return None

    def _given(self, futures: list["asyncio.Future[Opened]"], reply: Callable[[], Answers]) -> list[Outcome]:
        """Give all who asked the same the same; a list that is taken in pieces each gets for itself."""
        done: list[Outcome] = []
        opened: Opened | None = None
        for future in futures:
            if opened is None or len(opened[2]) == BATCH:
                try:
                    answers = reply()
                    pieces = iter(answers)
                    opened = answers, pieces, list(islice(pieces, BATCH))
                except Exception as fault:
                    return done + [(other, None, fault) for other in futures[len(done) :]]
            done.append((future, opened, None))
        return done
