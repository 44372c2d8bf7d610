"""Insert and update rows with statements that are written once for each model and not anew for each row.

To have Django write them costs more than the database takes to carry them out. These take a row as it is: its checks,
and what `save` of its class would work out, are the caller's business (see Noun).
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.db import connection, models, transaction
from django.db.models.signals import post_save


@lru_cache(maxsize=512)
def _insertion(model: type[models.Model], count: int) -> tuple[str, tuple[Any, ...]]:
    """Return the INSERT of some rows of a model and the fields that it takes; the database gives the primary keys."""
    fields = tuple(field for field in model._meta.concrete_fields if not field.primary_key)
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    row = f"({', '.join(['%s'] * len(fields))})"
    table, key = quote(model._meta.db_table), quote("id")
    rows = ", ".join([row] * count)
    return f"INSERT INTO {table} ({columns}) VALUES {rows} RETURNING {key}", fields  # noqa: S608 (our own names)


@lru_cache(maxsize=512)
def _change(model: type[models.Model], names: tuple[str, ...]) -> tuple[str, tuple[Any, ...]]:
    """Return the UPDATE of some fields of one row of a model, and these fields."""
    fields = tuple(field for field in model._meta.concrete_fields if field.name in names or field.attname in names)
    quote = connection.ops.quote_name
    columns = ", ".join(f"{quote(str(field.column))} = %s" for field in fields)
    table, key = quote(model._meta.db_table), quote("id")
    return f"UPDATE {table} SET {columns} WHERE {key} = %s", fields  # noqa: S608 (our own names)


def insert(*rows: models.Model) -> None:
    """Insert new rows of one model, at least one, in their order, and give them their primary keys."""
    model = type(rows[0])
    statement, fields = _insertion(model, len(rows))
    values = [field.get_db_prep_save(field.pre_save(row, True), connection) for row in rows for field in fields]
    with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
        cursor.execute(statement, values)
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
        cursor.execute(statement, [*values, row.pk])
    _tell(row, created=False, names=frozenset(field.name for field in fields))


def _tell(row: models.Model, *, created: bool, names: frozenset[str] | None) -> None:
    if post_save.has_listeners(type(row)):
        alias = connection.alias
        post_save.send(type(row), instance=row, created=created, update_fields=names, raw=False, using=alias)
