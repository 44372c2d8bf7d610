"""A few threads with database connections of their own, for doors that have a thread for each peer."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connections

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger(__name__)


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


def _with_fresh_connection(work: Callable[[], R]) -> R:
    """Replace a connection that is broken or too old before the work, and close it after where it is not kept."""
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()
