"""Questions worked out once: scanners ask the same one every few seconds, all day.

What is kept is the question: how it reads, its SQL, how its answers are written, and what was made of the rows that it
has met. The rows are read live, and one that differs in any column is another row. They are not read where they cannot
be others: where a look at the database shows that nothing was committed since they were read. No answer can go stale.
"""

import itertools
import logging
import threading
from collections import OrderedDict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import Error as DatabaseError
from django.db import connection

from worklist.answer import BadRowError
from worklist.attributes import PATIENT
from worklist.callers import profile_for
from worklist.conditions import this_quarter
from worklist.describe import as_json
from worklist.encoding import Plan, decode, syntax_of
from worklist.errors import DATABASE_AWAY, OUT_OF_RESOURCES, QueryError
from worklist.host import BATCH, Opened, opened
from worklist.moment import Moment, look
from worklist.profiles import PLAIN, Profile
from worklist.query import GATE, Caller, Question, note_bad_row, numbers_sent, other_identifiers, question
from worklist.ways import LITERAL, Ways

log = logging.getLogger(__name__)

REMEMBERED = 500
"""Questions that are kept, and statements that one thread keeps."""
ROWS_REMEMBERED = 20_000
"""Rows of all questions whose data sets are kept, of some 2 KB each."""
_LOOKS = 500
"""Rows that are read from the cursor at a time."""


class _Met:
    """A row that was read before: whether it fits, its values, and its data set once that was written."""

    __slots__ = ("changes", "data_set", "fits", "values")

    def __init__(self, values: Sequence[Any], *, fits: bool) -> None:
        self.values = values
        self.fits = fits
        self.data_set: bytes | None = None
        self.changes = 0


@dataclass
class _Answered:
    """What a question was answered with. until: when one of the steps leaves the list by itself; None for never.

    opened: the answers as they were sent, where they fit into one batch.
    """

    state: str
    rows: list[_Met]
    until: datetime | None
    opened: Opened | None = None

    def holds_at(self, moment: Moment) -> bool:
        """Tell whether the rows would be the same ones."""
        return self.state == moment.state and (self.until is None or moment.at < self.until)


@dataclass
class Reply:
    """The answers to one query, encoded one after the other as they are taken.

    pending: status of each. keys: the identifier for the query log. cut: more steps match, these are the newest.
    shown, skipped: steps sent and left out so far. changed: values rewritten so far (see Notes.rewritten).
    """

    pending: int
    keys: dict[str, Any]
    rows: list[_Met]
    asked: "Prepared"
    cut: bool = False
    changed: int = 0
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
            data_set = row.data_set
            if data_set is None:
                try:
                    data_set, row.changes = encode(row.values)
                    row.data_set = data_set
                except BadRowError as reason:
                    self.skipped.append(row.values[place])
                    note_bad_row(row.values[place], reason)
                    continue
            self.shown.append(row.values[place])
            self.changed += row.changes
            yield data_set


class Prepared:
    """One question, ready to be asked."""

    def __init__(self, encoded: bytes, transfer_syntax: str, who: "Who") -> None:
        """Work it out. Raises QueryError where the identifier cannot be understood."""
        syntax = syntax_of(transfer_syntax)
        identifier = decode(encoded, syntax)
        self.keys = as_json(identifier)
        try:
            self.question: Question = question(identifier, who.ae_title, who.profile, who.ways)
        except QueryError as reason:
            reason.keys = self.keys
            raise
        columns = [*self.question.columns, *self.question.added]
        self.columns = {path: place for place, path in enumerate(columns)}
        self.plan = Plan(self.question.request, self.columns, syntax, self.question.style)
        self.met: dict[Sequence[Any], _Met] = {}
        """The rows of the last answer, as the database gave them."""
        self._last: _Answered | None = None
        places = self.columns
        self._checks = [([(path, places[path]) for path in paths], holds) for paths, holds in self.question.checks]
        compiler = self.question.rows.query.get_compiler(connection=connection)
        self._sql, self._parameters = compiler.as_sql()
        self._convert = compiler.apply_converters
        self._converters = compiler.get_converters([expression for expression, _, _ in compiler.select])

    def as_before(self, moment: Moment) -> Reply | None:
        """Return the last answer if it is that of this moment, too."""
        last = self._last
        if last is None or not last.holds_at(moment):
            return None
        return Reply(self.question.pending, self.keys, last.rows, self)

    def opened_before(self, moment: Moment) -> Opened | None:
        """Return the last answer, encoded, if it is that of this moment, too, and is a short one."""
        last = self._last
        if last is None or not last.holds_at(moment) or len(last.rows) >= BATCH:
            return None
        if last.opened is not None:
            return last.opened
        reply = opened(Reply(self.question.pending, self.keys, last.rows, self))
        if not reply[0].skipped:  # which is told each time
            last.opened = reply
        return reply

    def ask(self, moment: Moment | None = None) -> Reply:
        """Read the rows as they are now. Raises QueryError when there are too many, DatabaseError.

        moment: a look at the database before; as long as nothing was committed after it the answer is kept.
        """
        met: dict[Sequence[Any], _Met] = {}
        rows, cut = self.question.taken(self._matching(met))
        self.met = met if len(met) <= ROWS_REMEMBERED else {}
        place = self.columns[PATIENT + "pk"]
        if self.question.authority:
            sent = numbers_sent(self.question, {row.values[place] for row in rows})
            rows = [self._numbered(row, sent.get(row.values[place], {})) for row in rows]
        if self.question.added:
            found = other_identifiers({row.values[place] for row in rows}, self.question)
            rows = [_Met((*row.values, found.get(row.values[place], [])), fits=True) for row in rows]
        keeps = not cut and len(met) <= ROWS_REMEMBERED
        self._last = _Answered(moment.state, rows, self._until(rows, moment.at)) if moment and keeps else None
        return Reply(self.question.pending, self.keys, rows, self, cut)

    def _until(self, rows: list[_Met], now: datetime) -> datetime | None:
        """Return when the safety gate shuts for one of the steps; it stays open for those that have begun."""
        place = self.columns[GATE]
        return min((until for row in rows if (until := row.values[place]) and until > now), default=None)

    def forget(self) -> None:
        """Forget the rows."""
        self.met, self._last = {}, None

    def _matching(self, met: dict[Sequence[Any], _Met]) -> Generator[_Met, None, None]:
        """Read the rows that fit, and keep in `met` what was read."""
        before = self.met
        for row in self._rows():
            found = met[row] = before.get(row) or self._meet(row)
            if found.fits:
                yield found

    def _meet(self, row: Sequence[Any]) -> _Met:
        """Convert a new row, and look whether it fits."""
        values = next(iter(self._convert([row], self._converters))) if self._converters else row
        fits = all(holds({path: values[place] for path, place in places}) for places, holds in self._checks)
        return _Met(self._as_agreed(values), fits=fits)

    def _numbered(self, row: _Met, number: dict[str, Any]) -> _Met:
        """Put the number of the authority asked for in the place of the primary one."""
        if not number:
            return row
        values = list(row.values)
        for path, value in number.items():
            values[self.columns[path]] = value
        return _Met(tuple(values), fits=True)

    def _as_agreed(self, row: Sequence[Any]) -> Sequence[Any]:
        """Put what the caller's profile says in the place of what was read."""
        if not self.question.replaced:
            return row
        replaced = {self.columns[path]: replace for path, replace in self.question.replaced.items()}
        return tuple(replaced[place](value) if place in replaced else value for place, value in enumerate(row))

    def _rows(self) -> Iterator[Sequence[Any]]:
        with connection.cursor() as cursor:
            _statements.execute(cursor, self._sql, self._parameters)
            while rows := cursor.fetchmany(_LOOKS):
                yield from rows


class Who(NamedTuple):
    """What of a caller its questions depend on: those that nothing is agreed with share theirs.

    quarter: the quarter of an hour for which they hold, see worklist.conditions.
    """

    profile: Profile = PLAIN
    ae_title: str = ""
    quarter: datetime | None = None
    ways: Ways = LITERAL


def _who(caller: Caller, profile: Profile) -> Who:
    if profile is PLAIN:
        return Who(ways=caller.ways)
    return Who(profile, caller.ae_title, this_quarter() if profile.has_window else None, caller.ways)


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


class _Questions:
    """The questions that are known, the one asked longest ago first; every thread's."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, str, Who], Prepared] = OrderedDict()
        self._lock = threading.Lock()

    def prepared(self, encoded: bytes, transfer_syntax: str, who: Who) -> Prepared:
        """Return the question, worked out now or before."""
        key = encoded, transfer_syntax, who
        found = self._known.get(key) or Prepared(*key)
        with self._lock:
            self._known[key] = found
            self._known.move_to_end(key)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found

    def known(self, encoded: bytes, transfer_syntax: str, who: Who) -> Prepared | None:
        """Return the question if it was worked out before."""
        key = encoded, transfer_syntax, who
        with self._lock:
            if (found := self._known.get(key)) is not None:
                self._known.move_to_end(key)
        return found

    def make_room(self) -> None:
        """Forget rows where there are too many, those of the question asked longest ago first."""
        with self._lock:
            rows = sum(len(one.met) for one in self._known.values())
            for one in self._known.values():
                if rows <= ROWS_REMEMBERED:
                    break
                rows -= len(one.met)
                one.forget()


_statements = _Statements()
_questions = _Questions()


def reply_to(
    encoded: bytes,
    transfer_syntax: str,
    caller: Caller,
    profile: Profile | None = None,
    moment: Moment | None = None,
) -> Reply:
    """Answer one C-FIND: worklist.query.find for identifiers and answers in bytes.

    encoded: the identifier in that transfer syntax. profile: instead of the caller's. moment: a look at the database
    before; where nothing was committed after it the answer may be the last one. Raises QueryError as find does.
    """
    try:
        who = _who(caller, profile_for(caller.ae_title) if profile is None else profile)
        asked = _questions.prepared(encoded, transfer_syntax, who)
        if moment is not None and (reply := asked.as_before(moment)) is not None:
            return reply
        known = len(asked.met)
        reply = asked.ask(moment)
        if len(asked.met) > known:
            _questions.make_room()
        return reply
    except DatabaseError as trouble:
        log.error("query of %a: the database cannot answer (%s)", caller.ae_title, type(trouble).__name__)
        raise QueryError(OUT_OF_RESOURCES, DATABASE_AWAY) from None


class Live:
    """The schedule as it is, as a source of answers; see worklist.rounds."""

    def look(self) -> Moment | None:
        """Look at the database."""
        return look()

    def kept(self, identifier: bytes, transfer_syntax: str, caller: Caller, moment: Moment) -> Opened | None:
        """Return the last answer if it is that of this moment, too."""
        known = _questions.known(identifier, transfer_syntax, _who(caller, profile_for(caller.ae_title)))
        return known.opened_before(moment) if known is not None else None

    def reply(self, identifier: bytes, transfer_syntax: str, caller: Caller, moment: Moment | None) -> Reply:
        """Answer one C-FIND."""
        return reply_to(identifier, transfer_syntax, caller, moment=moment)


LIVE = Live()
