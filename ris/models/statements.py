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

from django.db import DEFAULT_DB_ALIAS, connection, connections, models, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models.signals import post_save

from ris.models.waiting import waiting

_MOST_VALUES = 130  # of a statement that is prepared; messages of any size must not fill PostgreSQL's memory
_names = (f"bucky_{number}" for number in itertools.count())
_prepared: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
"""Connection of the driver -> names of the statements that it knows."""


class Statement:
    """One statement: text with %s for each value. Keep it, as PostgreSQL does."""

    def __init__(self, text: str, *, before: str = "") -> None:
        """Take the text, and what PostgreSQL is told in the same transaction before it."""
        parts = text.split("%s")
        count = len(parts) - 1
        self._text = text
        self._name = next(_names)
        self._is_prepared = count <= _MOST_VALUES
        numbered = "".join(part + f"${number}" for number, part in enumerate(parts[:-1], start=1)) + parts[-1]
        self._preparation = f"PREPARE {self._name} AS {numbered.replace('%%', '%')}"
        self._before = before
        self._call = f"{before}EXECUTE {self._name}" + (f"({', '.join(['%s'] * count)})" if count else "")

    def execute(self, cursor: CursorWrapper, values: Sequence[Any]) -> None:
        """Carry it out."""
        cursor.execute(self._ready(cursor.db), values)

    def write(self, values: Sequence[Any]) -> None:
        """Carry it out, or let it wait for the next one (see waiting.py)."""
        writes = waiting()
        if writes is not None:
            writes.add(self._ready(writes.database), values)
        else:
            with transaction.mark_for_rollback_on_error(DEFAULT_DB_ALIAS), connection.cursor() as cursor:
                self.execute(cursor, values)

    def _ready(self, database: Any) -> str:
        """Return how it is called; a new connection is told it first."""
        if database.vendor != "postgresql":
            return self._text
        if not self._is_prepared:
            return self._before + self._text
        known = _prepared.setdefault(database.connection, set())
        if self._name not in known:
            # On its own, so that it stays prepared whatever becomes of its first use.
            with database.wrap_database_errors, database.connection.cursor() as cursor:
                cursor.execute(self._preparation)
            known.add(self._name)
        return self._call


_AS_IT_IS: "dict[type[models.Field[Any, Any]], type]" = {
    models.CharField: str,
    models.TextField: str,
    models.IntegerField: int,
    models.PositiveSmallIntegerField: int,
    models.PositiveIntegerField: int,
    models.BigAutoField: int,
    models.ForeignKey: int,
    models.OneToOneField: int,
    models.BooleanField: bool,
}
"""Class of a field -> type of which a value is written as it is. Django would find that out for each value."""
_UNREAD = object()


class _Columns:
    """Some fields of a model, and how their values become those of the database."""

    def __init__(self, fields: Sequence[Any]) -> None:
        quote = connection.ops.quote_name
        self.fields = fields
        self.names = [quote(str(field.column)) for field in fields]
        self._fields = [(field.attname, _AS_IT_IS.get(type(field)), field) for field in fields]

    def of(self, row: models.Model, *, adding: bool) -> list[Any]:
        """Return the values of a row, as they are written."""
        database = connections[DEFAULT_DB_ALIAS]  # once: to ask for it costs more than to convert a value
        values = row.__dict__
        return [
            value
            if type(value := values.get(name, _UNREAD)) is plain or (value is None and plain)
            else field.get_db_prep_save(field.pre_save(row, adding), database)
            for name, plain, field in self._fields
        ]


def insertion(model: type[models.Model], count: int = 1, *, keyed: bool = False) -> tuple[str, _Columns]:
    """Return the text of the INSERT of some rows of a model, and its columns. keyed: with their primary keys."""
    fields = [field for field in model._meta.concrete_fields if keyed or not field.primary_key]
    columns = _Columns(fields)
    quote = connection.ops.quote_name
    row = f"({', '.join(['%s'] * len(fields))})"
    rows = ", ".join([row] * count)
    return f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(columns.names)}) VALUES {rows}", columns  # noqa: S608 (ours)


@lru_cache(maxsize=512)
def _insertion(model: type[models.Model], count: int, keyed: bool, returning: str) -> tuple[Statement, _Columns]:
    text, columns = insertion(model, count, keyed=keyed)
    return Statement(text + returning), columns


@lru_cache(maxsize=512)
def _change(model: type[models.Model], names: tuple[str, ...]) -> tuple[Statement, _Columns]:
    """Return the UPDATE of some fields of one row of a model, and its columns."""
    columns = _Columns([field for field in model._meta.concrete_fields if {field.name, field.attname} & set(names)])
    quote = connection.ops.quote_name
    settings = ", ".join(f"{name} = %s" for name in columns.names)
    return Statement(f"UPDATE {quote(model._meta.db_table)} SET {settings} WHERE {quote('id')} = %s"), columns  # noqa: S608 (ours)


def insert(*rows: models.Model, keys: bool = True) -> None:
    """Insert new rows of one model, at least one, in their order, and give them their primary keys.

    keys: False where nobody asks for the keys, so that these rows can always wait.
    """
    model, writes = type(rows[0]), waiting()
    if writes is not None and (writes.has_keys(model) or not keys):
        for row in rows if keys else ():
            row.pk = writes.key(model)
        statement, columns = _insertion(model, len(rows), keys, "")
        statement.write([value for row in rows for value in columns.of(row, adding=True)])
    else:
        statement, columns = _insertion(model, len(rows), False, " RETURNING id")
        values = [value for row in rows for value in columns.of(row, adding=True)]
        with transaction.mark_for_rollback_on_error(DEFAULT_DB_ALIAS), connection.cursor() as cursor:
            statement.execute(cursor, values)
            for row, (key,) in zip(rows, cursor.fetchall(), strict=True):
                row.pk = key
    for row in rows:
        row._state.adding = False
        row._state.db = DEFAULT_DB_ALIAS
        _tell(row, created=True, names=None)


def update(row: models.Model, names: Iterable[str]) -> None:
    """Write some fields of a row that is in the database."""
    statement, columns = _change(type(row), tuple(sorted(names)))
    statement.write([*columns.of(row, adding=False), row.pk])
    _tell(row, created=False, names=frozenset(field.name for field in columns.fields))


def _tell(row: models.Model, *, created: bool, names: frozenset[str] | None) -> None:
    if post_save.has_listeners(type(row)):
        sent = {"instance": row, "created": created, "update_fields": names, "raw": False, "using": DEFAULT_DB_ALIAS}
        post_save.send(type(row), **sent)
