"""The first thing that happens to a message: its bytes are stored, in a commit of their own.

This commit need not reach the disk before the message is applied. It outlives the listener, however that dies, since
the row is the database's by then. Only a crash of PostgreSQL or of its machine can lose it, within less than a second,
and then nothing was answered either: every answer waits for a later commit that does reach the disk, and brings this
one along.
"""

from collections import deque
from functools import cache
from typing import Any, NamedTuple

from django.db import connection

from hl7.models import APPLIED_STATES, InboundMessage
from ris.models.statements import Statement, insert, insertion
from ris.models.waiting import Group, Keys, drawing


class Twin(NamedTuple):
    """A message that was applied, of the same sender and control ID."""

    key: int
    content_hash: str
    answer: bytes
    answer_code: str


_COLUMNS = ", ".join(f"twin.{name}" for name in ("id", "content_hash", "answer", "answer_code"))
_TWIN, _DRAWN = slice(1, 5), slice(5, None)  # of what the statement of `store` returns
_TWINS = f"""
    twin.sending_application = %s AND twin.sending_facility = %s AND twin.control_id = %s
    AND twin.state IN ({", ".join(f"'{state.value}'" for state in APPLIED_STATES)})
"""
_FIND = f"SELECT {_COLUMNS} FROM hl7_inboundmessage twin WHERE {_TWINS} ORDER BY twin.id"  # noqa: S608 (our own names)


def store(row: InboundMessage, to_come: Group) -> tuple[list[Twin], Keys]:
    """Insert the row of a message; returns its twins, the oldest first, and keys for rows that it may make.

    to_come: the models of these rows. A key that no row gets is a gap. SQLite gives keys when rows are written.
    """
    if connection.vendor != "postgresql":
        insert(row)
        return twins_of(row), {}
    statement, columns = _storing(to_come)
    with connection.cursor() as cursor:
        statement.execute(cursor, [*columns.of(row, adding=True), *_sender(row)])
        found = cursor.fetchall()
    row.pk, keys = found[0][0], found[0][_DRAWN]
    row._state.adding = False
    twins = [Twin(*one[_TWIN]) for one in found if one[_TWIN][0] is not None]
    return twins, {model: deque([key]) for model, key in zip(to_come, keys, strict=True)}


def twins_of(row: InboundMessage) -> list[Twin]:
    """Return the messages that were applied under the same control ID by now, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_FIND, _sender(row))
        return [Twin(*twin) for twin in cursor.fetchall()]


def _sender(row: InboundMessage) -> list[str]:
    return [row.sending_application, row.sending_facility, row.control_id]


@cache
def _storing(to_come: Group) -> tuple[Statement, Any]:
    """Return the statement that stores a row, finds its twins and draws keys, in one message to PostgreSQL and back."""
    text, columns = insertion(InboundMessage)
    asked = ", ".join(filter(None, ["stored.id", _COLUMNS, drawing(to_come)]))
    text = f"""
    WITH stored AS ({text} RETURNING id)
    SELECT {asked} FROM stored LEFT JOIN hl7_inboundmessage twin ON {_TWINS} ORDER BY twin.id
    """  # noqa: S608 (our own names)
    return Statement(text, before="SET LOCAL synchronous_commit TO off; "), columns
