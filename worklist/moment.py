"""What the database has committed at one time, as one short text: where it is the same, no row can be another."""

import threading
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

_LOOK = "SELECT pg_is_in_recovery(), concat(pg_postmaster_start_time(), pg_current_snapshot()), statement_timestamp()"


@dataclass(frozen=True)
class Moment:
    """A time at which the database was looked at.

    state: of two looks the same means that no transaction was committed in between. at: the database's clock.
    """

    state: str
    at: datetime


class _Connections(threading.local):
    """Counts the connections that the threads of this process look through, one after the other."""

    _lock = threading.Lock()
    _count = 0

    def __init__(self) -> None:
        self._known: object = None

    def count(self) -> int:
        """Return how many there have been, with the one of this thread."""
        with self._lock:
            if self._known is not connection.connection:
                self._known = connection.connection
                _Connections._count += 1
            return _Connections._count


_connections = _Connections()


def look() -> Moment | None:
    """Look at the database; None where it cannot tell. Raises DatabaseError.

    It cannot on SQLite, in a transaction, and where the server follows another.

    A snapshot names the transactions that count for its reader, by numbers that are given once in the life of a
    server: whatever is committed makes another one. In a transaction of our own it does not show what that has changed,
    and on a server that follows another not who is under way.

    A server that was started anew, or that has taken the place of another, has another time of start. One that recovers
    from the crash of a process keeps it, and gives numbers again that it has not written down; but it ends all
    connections, so what was seen before the newest one was made does not count.
    """
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return None
    with connection.cursor() as cursor:
        connections = _connections.count()  # before the question: a connection that is answered was not ended yet
        cursor.execute(_LOOK)
        follows, state, at = cursor.fetchone()
    return None if follows else Moment(f"{connections} {state}", at)
