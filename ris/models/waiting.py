"""Writes of one transaction that wait for each other, so that PostgreSQL hears of them in few messages.

To ask PostgreSQL and hear its answer takes both sides longer than most of what is asked. Within `writes_together` rows
that are inserted or updated wait, and go along with the next query, in their order, or at the end of the block. So what
the database refuses is raised later than the verb that wrote it, but before the transaction commits. Where the block is
the whole of its transaction, BEGIN goes along with the first query and COMMIT with the last writes.

SQLite is no server: nothing waits there.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg2
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connection, connections, models, transaction
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

Group = tuple[type[models.Model], ...]
Keys = dict[type[models.Model], deque[int]]
"""Primary keys that were taken from the sequences and that no row has yet."""


class Waiting:
    """The writes that wait, the primary keys that were fetched for rows to come, and the rows that are new."""

    def __init__(self, groups: Sequence[Group], keys: Keys, *, whole: bool) -> None:
        """Take groups of models of which rows are mostly made together: their keys are fetched together.

        whole: BEGIN and COMMIT are to be sent as well.
        """
        self.database = connections[DEFAULT_DB_ALIAS]
        self._groups = groups
        self._whole = whole
        self._texts: list[str] = ["BEGIN"] if whole else []
        self._values: list[Any] = []
        self._keys = keys
        self._new: set[tuple[type[models.Model], Any]] = set()

    def add(self, text: str, values: Sequence[Any]) -> None:
        """Let a write wait."""
        self._texts.append(text)
        self._values.extend(values)

    def has_keys(self, model: type[models.Model]) -> bool:
        """Tell whether rows of a model get their keys here."""
        return any(model in group for group in self._groups)

    def key(self, model: type[models.Model]) -> int:
        """Return a primary key for a new row. It comes from the database's own sequence, so keys stay in order."""
        keys = self._keys.setdefault(model, deque())
        if not keys:
            group = next(group for group in self._groups if model in group)
            self._fetch(tuple(known for known in group if not self._keys.get(known)))
        key = keys.popleft()
        self._new.add((model, key))
        return key

    def _fetch(self, wanted: Group) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {drawing(wanted)}")
            for model, key in zip(wanted, cursor.fetchone(), strict=True):
                self._keys.setdefault(model, deque()).append(key)

    def made(self, row: models.Model) -> bool:
        """Tell whether this block made a row. Nobody else can see or change it yet."""
        return (type(row), row.pk) in self._new

    def finish(self) -> None:
        """Send what waits; commit where that is ours to do, unless somebody asked Django to roll back."""
        if self._texts == ["BEGIN"] or self.database.needs_rollback:
            return  # nothing was asked, or nothing is to stay
        if self._whole:
            self._texts.append("COMMIT")
        if self._texts:
            text, values = self._take()
            with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
                cursor.execute(text, values)

    def along(self, execute: Any, text: str, values: Any, many: bool, context: Any) -> Any:
        """Send what waits in front of a query: Django calls this for each of them."""
        if not self._texts:
            return execute(text, values, many, context)
        waited, first = self._take()
        if many or not isinstance(values, list | tuple):
            execute(waited, first, False, context)
            return execute(text, values, many, context)
        return execute(f"{waited}; {text}", [*first, *values], many, context)

    def _take(self) -> tuple[str, list[Any]]:
        taken = "; ".join(self._texts), self._values
        self._texts, self._values = [], []
        return taken


_current: ContextVar[Waiting | None] = ContextVar("writes that wait", default=None)


def waiting() -> Waiting | None:
    """Return where writes wait just now; None where they do not."""
    return _current.get()


def drawing(models_of_rows: Group) -> str:
    """Return what a SELECT has to name to draw a key for a row of each of these models."""
    return ", ".join(f"nextval('{model._meta.db_table}_id_seq')" for model in models_of_rows)


@contextmanager
def writes_together(*groups: Group, keys: Keys | None = None) -> Iterator[None]:
    """Let writes of the block wait for the next query. The block stands within a transaction, undone if it raises.

    groups: models of which rows are mostly made together. Rows of other models do not wait.
    keys: those that were drawn already; what is used is taken out.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with _ends_of_transaction() as whole:
        writes = Waiting(groups, {} if keys is None else keys, whole=whole)
        token = _current.set(writes)
        try:
            with connection.execute_wrapper(writes.along):
                yield
                writes.finish()
        finally:
            _current.reset(token)


@contextmanager
def _ends_of_transaction() -> Iterator[bool]:
    """Take BEGIN and COMMIT over from the driver, which sends each on its own; tells whether they are ours.

    They are where `transaction.atomic` is the outermost one and nothing was asked in it yet. Django goes on
    in its block as ever: the driver, which believes that there is no transaction, has nothing to commit or roll back.
    """
    driver = connection.connection
    if driver is None or connection.savepoint_ids or driver.get_transaction_status() != TRANSACTION_STATUS_IDLE:
        yield False
        return
    driver.autocommit = True
    try:
        yield True
    finally:
        _end(driver)


def _end(driver: Any) -> None:
    """Roll back what was not committed; a connection that cannot is of no use any more."""
    try:
        if driver.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            with driver.cursor() as cursor:
                cursor.execute("ROLLBACK")
        driver.autocommit = False
    except psycopg2.Error:
        driver.close()


def refused(error: IntegrityError, model: type[models.Model]) -> bool:
    """Tell whether the database refused a row of this model, and not one that had waited and came along."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return diagnosis is None or diagnosis.table_name in (None, model._meta.db_table)


def made_here(row: models.Model) -> bool:
    """Tell whether a row is known to be made by this transaction, so that nobody else can have changed or locked it."""
    writes = waiting()
    return writes is not None and writes.made(row)
