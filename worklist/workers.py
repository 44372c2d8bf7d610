"""A few threads with database connections of their own, for a loop of asyncio."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from django.db import close_old_connections, connections

R = TypeVar("R")
Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]
"""Who waits, the result, or what went wrong."""
Job = Callable[[], list[Outcome]]
"""Work for one or more who wait, who are told by what it returns."""

log = logging.getLogger(__name__)

TRUSTED_SECONDS = 1.0
"""How long a connection that was found to work is not asked again: that costs as much as a small query."""


class Workers:
    """Runs database work, so that fifty peers need no fifty connections and none is left open behind a peer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, threads: int = 4) -> None:
        """Prepare. loop: where those who wait are, and where they are told."""
        self._loop = loop
        self._waiting: SimpleQueue[Job | None] = SimpleQueue()
        self._trouble = Trouble()
        self._threads = [threading.Thread(target=self._run, name=f"worklist_{number}") for number in range(threads)]

    def start(self) -> None:
        """Start the threads; `close` ends them."""
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], R]) -> "asyncio.Future[R]":
        """Do `work` in one of the threads when one is free; to be called, and awaited, in the loop."""
        future = self.promise()
        self.put(lambda: [] if future.cancelled() else [_outcome(future, work)])
        return future

    def promise(self) -> "asyncio.Future[Any]":
        """Return what a job of the caller's own will give; to be called, and awaited, in the loop."""
        return self._loop.create_future()

    def put(self, job: Job) -> None:
        """Do a job in one of the threads when one is free."""
        self._waiting.put(job)

    def close(self) -> None:
        """Do what waits, close every thread's connection and end the threads."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        fresh = _Fresh(self._trouble)
        try:
            while (job := self._waiting.get()) is not None:
                outcomes: list[Outcome] = []
                try:
                    with fresh:
                        outcomes = job()
                except Exception as fault:  # a thread that ends is never replaced
                    log.error("worklist: work broke off (%s)", type(fault).__name__)
                if outcomes:
                    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                        self._loop.call_soon_threadsafe(_settle, outcomes)
        finally:
            connections.close_all()


class Trouble:
    """When a connection of any thread broke the last time: then those of the others are looked at, too."""

    at = 0.0


class _Fresh:
    """Replaces a connection that is broken or too old; looks at it once a second, and after any trouble."""

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._looked_at = 0.0

    def __enter__(self) -> None:
        now = time.monotonic()
        if now > self._looked_at + TRUSTED_SECONDS or self._looked_at <= self._trouble.at:
            close_old_connections()
            self._looked_at = now

    def __exit__(self, *_: object) -> None:
        if any(connection.errors_occurred for connection in connections.all(initialized_only=True)):
            close_old_connections()
            self._trouble.at = time.monotonic()


def _outcome(future: "asyncio.Future[Any]", work: Callable[[], Any]) -> Outcome:
    try:
        return future, work(), None
    except BaseException as raised:
        return future, None, raised


def _settle(outcomes: list[Outcome]) -> None:
    for future, result, fault in outcomes:
        if future.done():
            continue
        if fault is None:
            future.set_result(result)
        else:
            future.set_exception(fault)
