"""Identifiers that Bucky mints: accession and patient numbers, requested procedure and step ids, study UIDs.

Each is minted once, when the row is made, and stored. Numbers come from a database sequence (PostgreSQL) or a counter
row (SQLite, which has one writer anyway), so that two processes never get the same one. Gaps are possible and harmless.
"""

import contextlib
import os
import re
import secrets
import uuid
from collections import deque
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import date
from enum import StrEnum

from django.conf import settings
from django.db import connection


class Series(StrEnum):
    """What is numbered; also the name of the database sequence."""

    ACCESSION = "ris_accession"
    REQUESTED_PROCEDURE = "ris_requested_procedure"
    STEP = "ris_step"
    PATIENT = "ris_patient_number"


_MINTED = {
    Series.ACCESSION: re.compile(r"[A-Z]{1,4}\d{9,12}"),
    Series.REQUESTED_PROCEDURE: re.compile(r"RP\d{8,}"),
    Series.STEP: re.compile(r"SPS\d{8,}"),
    Series.PATIENT: re.compile(r"P\d{8,}"),
}
_SHORT = re.compile(r"[^\\\x00-\x1f\x7f-\x9f]{1,16}")


_rehearsed: ContextVar[set[int] | None] = ContextVar("numbers of a rehearsal", default=None)
_REHEARSED_FROM = 9_000_000


@contextlib.contextmanager
def rehearsal() -> Iterator[set[int]]:
    """Take no number from any series within the block; returns the numbers that were given out instead.

    For a transaction that is rolled back whatever happens: PostgreSQL's sequences do not roll back. They are drawn by
    lot, far from those in use, so that no transaction of somebody else has to wait for the end of this one.
    """
    numbers: set[int] = set()
    token = _rehearsed.set(numbers)
    try:
        yield numbers
    finally:
        _rehearsed.reset(token)


def _next(series: Series) -> int:
    """Return the next number of a series, in one statement."""
    rehearsed = _rehearsed.get()
    if rehearsed is not None:
        number = _REHEARSED_FROM + secrets.randbelow(1_000_000)
        rehearsed.add(number)
        return number
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT nextval(%s)", [series.value])
        else:
            cursor.execute(
                "INSERT INTO ris_counter (name, value) VALUES (%s, 1)"
                " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
                [series.value],
            )
        return int(cursor.fetchone()[0])


_BLOCK = 20
_taken: dict[Series, deque[int]] = {Series.REQUESTED_PROCEDURE: deque(), Series.STEP: deque()}


def let_go() -> None:
    """Give up the numbers taken and not given out: a copy of this process must not give them out as well."""
    for numbers in _taken.values():
        numbers.clear()


os.register_at_fork(after_in_child=let_go)


def _next_of_block(series: Series) -> int:
    """Return a number of a series that nobody counts by. On PostgreSQL each process takes a block of them at a time.

    A deque may be used by many threads at once. What a process has left when it ends is a gap.
    """
    if connection.vendor != "postgresql" or _rehearsed.get() is not None:
        return _next(series)
    while True:
        with contextlib.suppress(IndexError):
            return _taken[series].popleft()
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval(%s) FROM generate_series(1, %s)", [series.value, _BLOCK])
            _taken[series].extend(row[0] for row in cursor.fetchall())


def mint_accession_number(prefix: str, today: date) -> str:
    """Return an accession number of at most 16 characters (VR SH): letters of the site, year, number ("A260000042")."""
    return f"{prefix}{today.year % 100:02d}{_next(Series.ACCESSION):07d}"


def mint_requested_procedure_id() -> str:
    """Return a Requested Procedure ID (0040,1001), unique in the system."""
    return f"RP{_next_of_block(Series.REQUESTED_PROCEDURE):08d}"


def mint_sps_id() -> str:
    """Return a Scheduled Procedure Step ID (0040,0009), unique in the system."""
    return f"SPS{_next_of_block(Series.STEP):08d}"


def mint_study_instance_uid() -> str:
    """Return a Study Instance UID (PS3.5 section 9 and annex B): the configured root or 2.25, and a random UUID."""
    root = settings.BUCKY_UID_ROOT
    number = str(uuid.uuid4().int)
    # A root longer than 24 characters would not leave room for a whole UUID; then its low digits have to do.
    return f"{root}.{number}" if len(root) <= 24 else f"{root}.{number[-(63 - len(root)) :].lstrip('0') or '0'}"


def mint_patient_number() -> str:
    """Return a Patient ID (0010,0020) for somebody whom the front desk registers without a number."""
    return f"P{_next(Series.PATIENT):08d}"


def may_keep(series: Series, value: str) -> bool:
    """Tell whether an identifier from outside can be kept.

    It has to fit DICOM's VR SH (PS3.5 table 6.2-1), and must not look like one of ours, which could be minted later.
    """
    return _SHORT.fullmatch(value) is not None and _MINTED[series].fullmatch(value) is None


_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")


def is_uid(value: str) -> bool:
    """Tell whether a value is a valid DICOM UID (PS3.5 section 9.1)."""
    return len(value) <= 64 and _UID.fullmatch(value) is not None
