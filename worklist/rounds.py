"""Queries that come at the same time are answered in rounds, so that what they share is asked of the database once.

A round is all that has come since the last one began; it waits until the loop has read what everybody has sent, since a
few large rounds cost less than many small ones. It begins with one look at the database: where nothing was committed
since the rows of an answer were read, they are still what the database would give. All others are read, a question that
several ask once. No answer is older than its question: a round looks, and reads, when its last query has come.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from worklist.host import BATCH, Answers, Opened, opened
from worklist.moment import Moment
from worklist.query import Caller
from worklist.workers import Outcome, Workers

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How long queries wait for the round before: where its connection hangs another thread's may not."""


class Query(NamedTuple):
    """One query. Those that are equal get the same answers."""

    identifier: bytes
    transfer_syntax: str
    caller: Caller


class Source(Protocol):
    """Where answers come from; see worklist.prepared.Live."""

    def look(self) -> Moment | None:
        """Look at the database; None where that tells nothing. Raises DatabaseError."""

    def kept(self, identifier: bytes, transfer_syntax: str, caller: Caller, moment: Moment) -> Opened | None:
        """Return the answers that were read before and still hold at that moment; None where they have to be read."""

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
        self._begins_soon = False
        self._patience = 0.0
        """Until when the round on its way is waited for; time.monotonic(), in the past where there is none."""

    def ask(self, query: Query) -> "asyncio.Future[Opened]":
        """Answer a query in the next round; to be called, and awaited, in the loop."""
        future = self._workers.promise()
        with self._lock:
            self._waiting.setdefault(query, []).append(future)
        if not self._begins_soon:  # when the loop has read what all others have sent by now
            self._begins_soon = True
            asyncio.get_running_loop().call_soon(self.begin)
        return future

    def begin(self) -> None:
        """Begin a round if there are queries and none is on its way, or one that takes too long.

        To be called in the loop, and often.
        """
        self._begins_soon = False
        now = time.monotonic()
        if self._waiting and now >= self._patience:
            self._patience = now + LOOK_SECONDS
            over = self._workers.promise()
            over.add_done_callback(self._end)
            self._workers.put(partial(self._round, over))

    def _end(self, _over: object) -> None:
        self._patience = 0.0
        self.begin()

    def _round(self, over: "asyncio.Future[None]") -> list[Outcome]:
        """Answer what needs no reading; each of the others waits for a thread of its own."""
        with self._lock:
            queries, self._waiting = self._waiting, {}
        moment = self._look() if queries else None
        done: list[Outcome] = []
        for query, futures in queries.items():
            opened = self._kept(query, moment) if moment is not None else None
            if opened is not None and len(opened[2]) < BATCH:
                done += [(future, opened, None) for future in futures]
            else:
                self._workers.put(partial(self._given, futures, partial(self._source.reply, *query, moment)))
        return [*done, (over, None, None)]

    def _look(self) -> Moment | None:
        try:
            return self._source.look()
        except Exception as trouble:
            log.debug("the database cannot be looked at (%s)", type(trouble).__name__)  # reading it will tell
            return None

    def _kept(self, query: Query, moment: Moment) -> Opened | None:
        try:
            return self._source.kept(*query, moment)
        except Exception as trouble:
            log.debug("it cannot be told whether an answer holds (%s)", type(trouble).__name__)  # reading will tell
            return None

    def _given(self, futures: list["asyncio.Future[Opened]"], reply: Callable[[], Answers]) -> list[Outcome]:
        """Give all who asked the same the same; a list that is taken in pieces each gets for itself.

        Nothing is read for those who have gone, or were told that it takes too long.
        """
        futures = [future for future in futures if not future.done()]
        done: list[Outcome] = []
        found: Opened | None = None
        for future in futures:
            if found is None or len(found[2]) == BATCH:
                try:
                    found = opened(reply())
                except Exception as fault:
                    return done + [(other, None, fault) for other in futures[len(done) :]]
            done.append((future, found, None))
        return done
