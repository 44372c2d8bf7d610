"""The first thing that happens to a message: its bytes are stored, in a commit of their own.

This commit need not reach the disk before the message is applied. It outlives the listener, however that dies, since
the row is the database's by then. Only a crash of PostgreSQL or of its machine can lose it, within less than a second,
and then nothing was answered either: every answer waits for a later commit that does reach the disk, and brings this
one along.
"""

import hashlib
import re
from collections import deque
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from django.db import connection

from hl7.models import APPLIED_STATES, OPEN_STATES, InboundMessage, MessageState
from ris.models.statements import Statement, insert, insertion
from ris.models.waiting import Group, Keys, drawing


class Twin(NamedTuple):
    """The first message of the same sender and control ID of those that are alike in content and fate.

    same: it has the same content. fate: it was applied; or it did nothing and is open, or mended by another one.
    """

    key: int
    same: bool
    fate: str


_TWIN, _DRAWN = slice(1, 4), slice(4, None)  # of what the statement of `store` returns


def _quoted(states: Iterable[MessageState]) -> str:
    return ", ".join(f"'{state.value}'" for state in states)


APPLIED, OPEN, MENDED = "applied", "open", "mended"
"""Fates."""

# Six rows at most: some senders use one control ID for everything, or send a message for days.
_TWINS = f"""
    SELECT min(id) AS id, content_hash = %s AS same, CASE
        WHEN state IN ({_quoted(OPEN_STATES)}) THEN '{OPEN}'
        WHEN state = '{MessageState.MENDED.value}' THEN '{MENDED}' ELSE '{APPLIED}' END AS fate
    FROM hl7_inboundmessage
    WHERE sending_application = %s AND sending_facility = %s AND control_id = %s
    AND state IN ({_quoted((*APPLIED_STATES, *OPEN_STATES, MessageState.MENDED))})
    GROUP BY 2, 3
"""  # noqa: S608 (our own names)


_LINE_ENDS = re.compile(rb"[\r\n]+")


def content_hash(raw: bytes) -> str:
    """Return a hash of what a message says: line ends made equal, without MSH-7.

    Senders that send again write a new time into MSH-7 and other line ends at the end.
    """
    lines = _LINE_ENDS.split(raw.strip(b"\xef\xbb\xbf\x00\t\r\n "))
    fields = lines[0].split(lines[0][3:4] or b"|")
    if len(fields) > 6:
        fields[6] = b""
    lines[0] = b"|".join(fields)
    return hashlib.sha256(b"\r".join(lines)).hexdigest()


def store(row: InboundMessage, to_come: Group) -> tuple[list[Twin], Keys]:
    """Insert the row of a message; returns its twins, and keys for rows that it may make.

    to_come: the models of these rows. A key that no row gets is a gap. SQLite gives keys when rows are written.
    """
    if connection.vendor != "postgresql":
        insert(row)
        return twins_of(row), {}
    statement, columns = _storing(to_come)
    with connection.cursor() as cursor:
        statement.execute(cursor, [*columns.of(row, adding=True), *_sought(row)])
        found = cursor.fetchall()
    row.pk, keys = found[0][0], found[0][_DRAWN]
    row._state.adding = False
    twins = [Twin(*one[_TWIN]) for one in found if one[_TWIN][0] is not None]
    return twins, {model: deque([key]) for model, key in zip(to_come, keys, strict=True)}


def twins_of(row: InboundMessage) -> list[Twin]:
    """Return the twins of a message by now."""
    with connection.cursor() as cursor:
        cursor.execute(_TWINS, _sought(row))
        return [Twin(key, bool(same), fate) for key, same, fate in cursor.fetchall()]


def _sought(row: InboundMessage) -> list[str]:
    return [row.content_hash, row.sending_application, row.sending_facility, row.control_id]


@cache
def _storing(to_come: Group) -> tuple[Statement, Any]:
    """Return the statement that stores a row, finds its twins and draws keys, in one message to PostgreSQL and back."""
    text, columns = insertion(InboundMessage)
    asked = ", ".join(filter(None, ["stored.id, twin.*", drawing(to_come)]))
    text = f"""
    WITH stored AS ({text} RETURNING id)
    SELECT {asked} FROM stored LEFT JOIN ({_TWINS}) twin ON TRUE
    """  # noqa: S608 (our own names)
    return Statement(text, before="SET LOCAL synchronous_commit TO off; "), columns
