"""The first thing that happens to a message: its bytes are stored, in a commit of their own.

This commit need not reach the disk before the message is applied. It outlives the listener, however that dies, since
the row is the database's by then. Only a crash of PostgreSQL or of its machine can lose it, within less than a second,
and then nothing was answered either: every answer waits for a later commit that does reach the disk, and brings this
one along.
"""

from functools import cache
from typing import Any, NamedTuple

from django.db import connection

from hl7.models import APPLIED_STATES, InboundMessage
from ris.models.statements import Statement, insert, insertion


class Twin(NamedTuple):
    """A message that was applied, of the same sender and control ID."""

    key: int
    content_hash: str
    answer: bytes
    answer_code: str


_COLUMNS = ", ".join(f"twin.{name}" for name in ("id", "content_hash", "answer", "answer_code"))
_TWINS = f"""
    twin.sending_application = %s AND twin.sending_facility = %s AND twin.control_id = %s
    AND twin.state IN ({", ".join(f"'{state.value}'" for state in APPLIED_STATES)})
"""
_FIND = f"SELECT {_COLUMNS} FROM hl7_inboundmessage twin WHERE {_TWINS} ORDER BY twin.id"  # noqa: S608 (our own names)


def store(row: InboundMessage) -> list[Twin]:
    """Insert the row of a message and return its twins, the oldest first."""
    if connection.vendor != "postgresql":
        insert(row)
        return twins_of(row)
    statement, columns = _storing()
    with connection.cursor() as cursor:
        statement.execute(cursor, [*columns.of(row, adding=True), *_sender(row)])
        found = cursor.fetchall()
    row.pk = found[0][0]
    row._state.adding = False
    return [Twin(*twin) for _, *twin in found if twin[0] is not None]


def twins_of(row: InboundMessage) -> list[Twin]:
    """Return the messages that were applied under the same control ID by now, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_FIND, _sender(row))
        return [Twin(*twin) for twin in cursor.fetchall()]


def _sender(row: InboundMessage) -> list[str]:
    return [row.sending_application, row.sending_facility, row.control_id]


@cache
def _storing() -> tuple[Statement, Any]:
    """Return the statement that stores a row and finds its twins, in one message to PostgreSQL and back."""
    text, columns = insertion(InboundMessage)
    text = f"""
    WITH stored AS ({text} RETURNING id)
    SELECT stored.id, {_COLUMNS} FROM stored LEFT JOIN hl7_inboundmessage twin ON {_TWINS} ORDER BY twin.id
    """  # noqa: S608 (our own names)
    return Statement(text, before="SET LOCAL synchronous_commit TO off; "), columns
