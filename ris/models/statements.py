"""Statements that are written once, and not anew for each row or query.

To have Django write them costs more than the database takes to carry them out, and PostgreSQL spends half of its time
on reading and planning them, so it is told each of them once for every connection (PREPARE). `insert` and `update` take
a row as it is: its checks, and what `save` of its class would work out, are the caller's business (see Noun).
"""

import itertools
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection, models, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models.signals import post_save

_MOST_VALUES = 130  # of a statement that is prepared; messages of any size must not fill PostgreSQL's memory
_names = (f"bucky_{number}" for number in itertools.count())
_prepared: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
"""Connection of the driver -> names of the statements that it knows."""


class Statement:
    """One statement: text with %s for each value. Keep it, as PostgreSQL does."""

    def __init__(self, text: str) -> None:
        """Take the text."""
        self._text = text
        self._name = next(_names)
        parts = text.split("%s")
        count = len(parts) - 1
        self._is_prepared = count <= _MOST_VALUES
        numbered = "".join(part + f"${number}" for number, part in enumerate(parts[:-1], start=1)) + parts[-1]
        self._preparation = f"PREPARE {self._name} AS {numbered.replace('%%', '%')}"
        self._call = f"EXECUTE {self._name}" + (f"({', '.join(['%s'] * count)})" if count else "")

    def execute(self, cursor: CursorWrapper, values: Sequence[Any]) -> None:
        """Carry it out."""
        if connection.vendor != "postgresql" or not self._is_prepared:
            cursor.execute(self._text, values)
            return
        known = _prepared.setdefault(connection.connection, set())
        if self._name not in known:
            # On its own, so that it stays prepared whatever becomes of its first use.
            with connection.wrap_database_errors:
                cursor.cursor.execute(self._preparation)
            known.add(self._name)
        cursor.execute(self._call, values)


@lru_cache(maxsize=512)
def _insertion(model: type[models.Model], count: int) -> tuple[Statement, tuple[Any, ...]]:
    """Return the INSERT of some rows of a model and the fields that it takes; the database gives the primary keys."""
    fields = tuple(field for field in model._meta.concrete_fields if not field.primary_key)
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    row = f"({', '.join(['%s'] * len(fields))})"
    table, key = quote(model._meta.db_table), quote("id")
    rows = ", ".join([row] * count)
    text = f"INSERT INTO {table} ({columns}) VALUES {rows} RETURNING {key}"  # noqa: S608 (our own names)
    return Statement(text), fields


@lru_cache(maxsize=512)
def _change(model: type[models.Model], names: tuple[str, ...]) -> tuple[Statement, tuple[Any, ...]]:
    """Return the UPDATE of some fields of one row of a model, and these fields."""
    fields = tuple(field for field in model._meta.concrete_fields if field.name in names or field.attname in names)
    quote = connection.ops.quote_name
    columns = ", ".join(f"{quote(str(field.column))} = %s" for field in fields)
    table, key = quote(model._meta.db_table), quote("id")
    return Statement(f"UPDATE {table} SET {columns} WHERE {key} = %s"), fields  # noqa: S608 (our own names)


def insert(*rows: models.Model) -> None:
    """Insert new rows of one model, at least one, in their order, and give them their primary keys."""
    model = type(rows[0])
    statement, fields = _insertion(model, len(rows))
    values = [field.get_db_prep_save(field.pre_save(row, True), connection) for row in rows for field in fields]
    with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
        statement.execute(cursor, values)
        keys = cursor.fetchall()
    for row, (key,) in zip(rows, keys, strict=True):
        row.pk = key
        row._state.adding = False
        row._state.db = connection.alias
        _tell(row, created=True, names=None)


def update(row: models.Model, names: Iterable[str]) -> None:
    """Write some fields of a row that is in the database."""
    statement, fields = _change(type(row), tuple(sorted(names)))
    values = [field.get_db_prep_save(field.pre_save(row, False), connection) for field in fields]
    with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
        statement.execute(cursor, [*values, row.pk])
    _tell(row, created=False, names=frozenset(field.name for field in fields))


def _tell(row: models.Model, *, created: bool, names: frozenset[str] | None) -> None:
    if post_save.has_listeners(type(row)):
        alias = connection.alias
        post_save.send(type(row), instance=row, created=created, update_fields=names, raw=False, using=alias)
