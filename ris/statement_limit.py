"""How long one statement may take in a process that somebody waits for: the web pages and the doors.

Work in the background, migrations and commands at a shell have no limit: what they do may take long.
"""

from typing import Any

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


def limit_statements() -> None:
    """Have PostgreSQL end a statement of this process that takes longer than BUCKY_STATEMENT_SECONDS (0: no limit).

    Waiting for a lock counts. What is ended raises OperationalError and is answered like a database that is away: AR
    at the HL7 door, A700 or 0110 to scanners. SQLite has its own end to waiting (20 s for its one writer).
    """
    if settings.BUCKY_STATEMENT_SECONDS:
        connection_created.connect(_limit, dispatch_uid="statement limit")


def _limit(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = %s", [settings.BUCKY_STATEMENT_SECONDS * 1000])
