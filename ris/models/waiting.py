"""Writes of one transaction that wait for each other, so that PostgreSQL hears of them in few messages.

To ask PostgreSQL and hear its answer takes both sides longer than most of what is asked. Within `writes_together` rows
that are inserted or updated wait, and go along with the next query, in their order, or at the end of the block. So what
the database refuses is raised later than the verb that wrote it, but before the transaction commits.

SQLite is no server: nothing waits there.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import IntegrityError, connection, models, transaction

Group = tuple[type[models.Model], ...]


class Waiting:
    """The writes that wait, the primary keys that were fetched for rows to come, and the rows that are new."""

    def __init__(self, groups: Sequence[Group]) -> None:
        """Take groups of models of which rows are mostly made together: their keys are fetched together."""
        self._groups = groups
        self._texts: list[str] = []
        self._values: list[Any] = []
        self._keys: dict[type[models.Model], deque[int]] = {}
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
            self._fetch([known for known in group if not self._keys.get(known)])
        key = keys.popleft()
        self._new.add((model, key))
        return key

    def _fetch(self, wanted: Sequence[type[models.Model]]) -> None:
        calls = ", ".join(f"nextval('{model._meta.db_table}_id_seq')" for model in wanted)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {calls}")
            for model, key in zip(wanted, cursor.fetchone(), strict=True):
                self._keys.setdefault(model, deque()).append(key)

    def made(self, row: models.Model) -> bool:
        """Tell whether this block made a row. Nobody else can see or change it yet."""
        return (type(row), row.pk) in self._new

    def send(self) -> None:
        """Send what waits."""
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


@contextmanager
def writes_together(*groups: Group) -> Iterator[None]:
    """Let writes of the block wait for the next query. The block stands within a transaction, undone if it raises.

    groups: models of which rows are mostly made together. Rows of other models do not wait.
    """
    if connection.vendor != "postgresql":
        yield
        return
    writes = Waiting(groups)
    token = _current.set(writes)
    try:
        with connection.execute_wrapper(writes.along):
            yield
            writes.send()
    finally:
        _current.reset(token)


def refused(error: IntegrityError, model: type[models.Model]) -> bool:
    """Tell whether the database refused a row of this model, and not one that had waited and came along."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return diagnosis is None or diagnosis.table_name in (None, model._meta.db_table)


def made_here(row: models.Model) -> bool:
    """Tell whether a row is known to be made by this transaction, so that nobody else can have changed or locked it."""
    writes = waiting()
    return writes is not None and writes.made(row)
