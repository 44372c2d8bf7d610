"""What the database has committed at one time, as one short text: where it is the same, no row can be another."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

_LOOK = "SELECT concat(pg_postmaster_start_time(), pg_current_snapshot()), statement_timestamp()"


@dataclass(frozen=True)
class Moment:
    """A time at which the database was looked at.

    state: of two looks the same means that no transaction was committed in between. at: the database's clock.
    """

    state: str
    at: datetime


def look() -> Moment | None:
    """Look at the database; None where it cannot tell: on SQLite, and in a transaction. Raises DatabaseError.

    A snapshot names the transactions that count for its reader, by numbers that are given once in the life of a
    server: whatever is committed makes another one. In a transaction of our own it does not show what that has changed.
    A server that was started anew, or that has taken the place of another, has another time of start.
    """
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_LOOK)
        return Moment(*cursor.fetchone())
