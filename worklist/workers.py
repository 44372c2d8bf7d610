"""A few threads with database connections of their own, for doors that have a thread for each peer."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connections

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger(__name__)

TRUSTED_SECONDS = 1.0
"""How long a connection that was found to work is not asked again: that costs as much as a small query."""


class Workers:
    """Runs database work, so that fifty peers need no fifty connections and none is left open behind a peer."""

    def __init__(self, threads: int = 4) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="worklist")

    def submit(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        """Do `work` in one of the threads when one is free."""
        return self._pool.submit(_with_fresh_connection, partial(work, *args, **kwargs))

    def close(self) -> None:
        """Close every thread's connection and end the threads."""
        together = threading.Barrier(self._threads)  # so that each thread takes exactly one

        def leave() -> None:
            connections.close_all()
            together.wait(5)

        for _ in range(self._threads):
            self._pool.submit(leave)
        self._pool.shutdown(wait=True)


class _Trusted(threading.local):
    """Until when this thread's connections are believed to work; time.monotonic()."""

    until = 0.0


_trusted = _Trusted()


def _with_fresh_connection(work: Callable[[], R]) -> R:
    """Replace a connection that is broken or too old before the work; look at each once a second."""
    now = time.monotonic()
    if now > _trusted.until:
        close_old_connections()
        _trusted.until = now + TRUSTED_SECONDS
    try:
        return work()
    finally:
        if any(connection.errors_occurred for connection in connections.all(initialized_only=True)):
            close_old_connections()
            _trusted.until = 0.0
