"""Queries of Django that are compiled once for each shape of their arguments, and then only carried out.

    @compiled
    def _named(issuer: str, number: str) -> QuerySet[Visit]:
        return Visit.objects.filter(issuer=issuer, visit_number=number).select_related("merged_into")

    visits = _named("HIS", "V1")  # a list

Arguments are texts, whole numbers, and tuples of them: they stand for themselves in the query, so they may be compared
with and nothing else. For what is asked many times a second: a query costs Django ten times what it costs PostgreSQL.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

from django.db import connection, models
from django.db.models.query import get_related_populators

from ris.models.statements import Statement

_Arguments = ParamSpec("_Arguments")
_Model = TypeVar("_Model", bound=models.Model)

_FIRST_NUMBER = -(2**62)
_FIRST_TEXT = "\ue000argument "


def compiled(
    ask: Callable[_Arguments, models.QuerySet[_Model]],
) -> Callable[_Arguments, list[_Model]]:
    """Make of a function that returns a query one that returns its rows. Its arguments are positional."""

    @lru_cache(maxsize=128)
    def query(shape: Any, vendor: str) -> _Query:
        places = iter(range(10**6))
        return _Query(ask(*(_mark(part, places) for part in shape)))  # type: ignore[call-arg]

    @wraps(ask)
    def rows(*arguments: _Arguments.args, **_: _Arguments.kwargs) -> list[_Model]:
        shape = tuple(map(_shape, arguments))
        return query(shape, connection.vendor).rows(list(_flat(arguments)))

    return rows


def _shape(argument: Any) -> Any:
    return tuple(map(_shape, argument)) if isinstance(argument, tuple) else isinstance(argument, str)


def _flat(arguments: Any) -> Iterator[Any]:
    for argument in arguments:
        if isinstance(argument, tuple):
            yield from _flat(argument)
        else:
            yield argument


def _mark(shape: Any, places: Iterator[int]) -> Any:
    """Return an argument of this shape that says which one it is."""
    if isinstance(shape, tuple):
        return tuple(_mark(part, places) for part in shape)
    place = next(places)
    return f"{_FIRST_TEXT}{place}" if shape else _FIRST_NUMBER + place


def _place(parameter: Any) -> int | None:
    """Return which argument a parameter of the compiled query stands for; None for one of the query's own."""
    if isinstance(parameter, str) and parameter.startswith(_FIRST_TEXT):
        return int(parameter.removeprefix(_FIRST_TEXT))
    if isinstance(parameter, int) and parameter < _FIRST_NUMBER // 2:
        return parameter - _FIRST_NUMBER
    return None


class _Query:
    """A query as text, and how its rows become instances: what Django's ModelIterable does, with the text kept."""

    def __init__(self, queryset: models.QuerySet[Any]) -> None:
        self._compiler = queryset.query.get_compiler(connection=connection)
        text, parameters = self._compiler.as_sql()
        self._statement = Statement(text)
        self._parameters = [(_place(parameter), parameter) for parameter in parameters]
        select, kinds = self._compiler.select, self._compiler.klass_info
        fields = kinds["select_fields"]
        self._model = kinds["model"]
        self._columns = slice(fields[0], fields[-1] + 1)
        self._names = [column[0].target.attname for column in select[self._columns]]
        # The types are those of a later Django.
        self._converters = self._compiler.get_converters([expression for expression, _, _ in select])
        self._populators = get_related_populators(kinds, select, connection.alias)  # type: ignore[call-arg]

    def rows(self, arguments: Sequence[Any]) -> list[Any]:
        """Carry it out and return the instances."""
        values = [own if place is None else arguments[place] for place, own in self._parameters]
        with connection.cursor() as cursor:
            self._statement.execute(cursor, values)
            rows = cursor.fetchall()
        if self._converters:
            rows = [tuple(row) for row in self._compiler.apply_converters(rows, self._converters)]
        return [self._instance(row) for row in rows]

    def _instance(self, row: Sequence[Any]) -> Any:
        instance = self._model.from_db(connection.alias, self._names, row[self._columns])
        for populator in self._populators:
            populator.populate(row, instance)
        return instance
