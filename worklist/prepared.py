"""Questions worked out once: scanners ask the same one every few seconds, all day.

What is kept is the question: how it reads, its SQL, how its answers are written. The rows are read live every time, so
there is no answer that could go stale.
"""

import itertools
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from worklist.answer import BadRowError
from worklist.attributes import PATIENT
from worklist.describe import as_json
from worklist.encoding import Plan, decode, syntax_of
from worklist.errors import OUT_OF_RESOURCES, QueryError, TooManyAnswers
from worklist.query import Caller, Question, note_bad_row, other_identifiers, question

log = logging.getLogger(__name__)

REMEMBERED = 500
"""Questions, and statements, that one thread keeps."""
_LOOKS = 500
"""Rows that are read from the cursor at a time."""


@dataclass
class Reply:
    """The answers to one query, encoded one after the other as they are taken.

    pending: status of each. keys: the identifier for the query log. shown, skipped: steps sent and left out so far.
    """

    pending: int
    keys: dict[str, Any]
    rows: list[Sequence[Any]]
    asked: "Prepared"
    shown: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)

    @property
    def matches(self) -> int:
        """How many steps match."""
        return len(self.rows)

    def __iter__(self) -> Iterator[bytes]:
        """Encode; a row that cannot be written is left out, the others go on."""
        place, encode = self.asked.columns["pk"], self.asked.plan.encode
        for row in self.rows:
            try:
                data_set = encode(row)
            except BadRowError as reason:
                self.skipped.append(row[place])
                note_bad_row(row[place], reason)
            else:
                self.shown.append(row[place])
                yield data_set


class Prepared:
    """One question, ready to be asked on this thread's connection."""

    def __init__(self, encoded: bytes, transfer_syntax: str, character_set: str) -> None:
        """Work it out. Raises QueryError where the identifier cannot be understood."""
        syntax = syntax_of(transfer_syntax)
        identifier = decode(encoded, syntax)
        self.keys = as_json(identifier)
        try:
            self.question: Question = question(identifier)
        except QueryError as reason:
            reason.keys = self.keys
            raise
        columns = [*self.question.columns, *self.question.added]
        self.columns = {path: place for place, path in enumerate(columns)}
        self.plan = Plan(self.question.request, self.columns, syntax, character_set)
        compiler = self.question.rows.query.get_compiler(connection=connection)
        self._sql, self._parameters = compiler.as_sql()
        self._convert = compiler.apply_converters
        self._converters = compiler.get_converters([expression for expression, _, _ in compiler.select])

    def ask(self) -> Reply:
        """Read the rows as they are now. Raises QueryError when there are too many, DatabaseError."""
        rows = list(self._matching())
        if self.question.added:
            place = self.columns[PATIENT + "pk"]
            found = other_identifiers({row[place] for row in rows})
            rows = [(*row, found.get(row[place], [])) for row in rows]
        return Reply(self.question.pending, self.keys, rows, self)

    def _matching(self) -> Iterator[Sequence[Any]]:
        most: int = settings.BUCKY_WORKLIST_MAX_ANSWERS
        checks = [([(path, self.columns[path]) for path in paths], holds) for paths, holds in self.question.checks]
        found = 0
        for row in self._rows():
            if all(holds({path: row[place] for path, place in places}) for places, holds in checks):
                found += 1
                if found > most:
                    raise TooManyAnswers(most)
                yield row

    def _rows(self) -> Iterator[Sequence[Any]]:
        with connection.cursor() as cursor:
            _statements.execute(cursor, self._sql, self._parameters)
            while rows := cursor.fetchmany(_LOOKS):
                yield from self._convert(rows, self._converters) if self._converters else rows


_numbers = itertools.count()


class _Statements(threading.local):
    """Statements that this thread's connection has prepared.

    PostgreSQL plans a join of ten tables in more time than it runs it, so it plans each once. The plan must not depend
    on the values, or the server would plan again to see whether it can do better.
    """

    def __init__(self) -> None:
        self._server: object = None
        self._names: dict[str, str] = {}

    def execute(self, cursor: Any, sql: str, parameters: Sequence[Any]) -> None:
        """Run a statement, prepared where the database has a use for it."""
        if connection.vendor != "postgresql":
            cursor.execute(sql, parameters)
            return
        if self._server is not connection.connection:
            cursor.execute("SET plan_cache_mode = force_generic_plan")
            self._server, self._names = connection.connection, {}
        elif len(self._names) > REMEMBERED:
            cursor.execute(";".join(f"DEALLOCATE {name}" for name in self._names.values()))  # those of others stay
            self._names = {}
        name = self._names.get(sql)
        if name is None:
            name = f"worklist_{next(_numbers)}"
            numbers = tuple(f"${number}" for number in range(1, len(parameters) + 1))
            cursor.execute(f"PREPARE {name} AS {sql % numbers}")
            self._names[sql] = name
        places = ", ".join(["%s"] * len(parameters))
        cursor.execute(f"EXECUTE {name}({places})" if parameters else f"EXECUTE {name}", parameters)


class _Questions(threading.local):
    """The questions that this thread knows, the one asked longest ago first."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, str, str], Prepared] = OrderedDict()

    def prepared(self, encoded: bytes, transfer_syntax: str, character_set: str) -> Prepared:
        """Return the question, worked out now or before."""
        key = encoded, transfer_syntax, character_set
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Prepared(*key)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return found


_statements = _Statements()
_questions = _Questions()


def reply_to(encoded: bytes, transfer_syntax: str, caller: Caller) -> Reply:
    """Answer one C-FIND: worklist.query.find for identifiers and answers in bytes.

    encoded: the identifier in that transfer syntax. Raises QueryError as find does.
    """
    try:
        return _questions.prepared(encoded, transfer_syntax, caller.character_set).ask()
    except DatabaseError as trouble:
        log.error("query of %a: the database cannot answer (%s)", caller.ae_title, type(trouble).__name__)
        raise QueryError(OUT_OF_RESOURCES, "The database cannot be reached, ask again") from None
