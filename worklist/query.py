"""The one query engine: an identifier and a caller in, answers out. C-FIND is one face of it.

The worklist is a view of the schedule: one SQL statement reads the rows as they are now. A second one reads
the other patient ids, only when they are asked for.
"""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db.models import FilteredRelation, Q, QuerySet
from pydicom.dataset import Dataset

from ris.models import PatientIdentifier, ScheduledProcedureStep
from ris.models.step import WORKLIST_RULES, StepQuerySet
from ris.person_name import fold
from worklist import identifier as identifiers
from worklist import lookups as lookups  # registers `fits`
from worklist.answer import BadRowError, Row, answer, site_zone
from worklist.attributes import OTHER_IDENTIFIERS, PATIENT, SITE_ZONE
from worklist.errors import OUT_OF_RESOURCES, QueryError, TooManyAnswers
from worklist.identifier import Match, Request
from worklist.matching import AnyOf, Condition, DateSpan, Single, Wildcard, Window

log = logging.getLogger(__name__)

PENDING = 0xFF00
PENDING_WITH_UNSUPPORTED_KEYS = 0xFF01

EASTMOST, WESTMOST = timedelta(hours=14), timedelta(hours=12)
"""How far the wall clocks of the world are ahead of UTC and behind it."""

UTF_8 = "ISO_IR 192"


@dataclass(frozen=True)
class Caller:
    """Who asks. character_set: how to write beyond ASCII, as in Specific Character Set, with backslashes."""

    ae_title: str
    called_ae_title: str = ""
    address: str = ""
    character_set: str = UTF_8


@dataclass(frozen=True)
class Answer:
    """One step, and the data set that tells of it."""

    step_id: int
    data_set: Dataset


@dataclass
class Result:
    """The answers to one query, by start and step ID. Iterate once: each is built when its turn comes.

    pending: status of each answer, FF00 or FF01. skipped: steps that match but hold something that
    DICOM cannot write. faults: by step, the keyword of what that is.
    """

    pending: int
    request: Request
    rows: list[Row]
    character_set: str = UTF_8
    skipped: list[int] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)

    @property
    def matches(self) -> int:
        """How many steps match."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Answer]:
        """Build the answers one by one. A row that cannot be written is left out, the others go on."""
        for row in self.rows:
            try:
                yield Answer(row["pk"], answer(self.request, row, self.character_set))
            except BadRowError as reason:
                self.skipped.append(row["pk"])
                self.faults[row["pk"]] = reason.keyword
                note_bad_row(row["pk"], reason)


Check = tuple[tuple[str, ...], Callable[[Row], bool]]
"""What SQL cannot decide: the columns that it takes, and the decision, which is kept for rows that are the same."""


@dataclass(frozen=True)
class Part:
    """One thing that a step must meet to be an answer: a rule of the worklist or a key of the query.

    A step is an answer when it meets every part, so each can also be asked alone (worklist.why).

    name: the key of the rule in RULES, or the keyword of the key. terms: what SQL can tell. check: what is left.
    wanted: what the key asks for; start date and start time are one part, with a window.
    """

    name: str
    terms: Q = field(default_factory=Q)
    check: Check | None = None
    wanted: Match | Window | None = None


@dataclass(frozen=True)
class Question:
    """A request worked out for the database, without having asked it yet.

    rows: the statement, which reads `columns`. checks: what SQL cannot decide. added: columns that are not in the
    statement, see OTHER_IDENTIFIERS.
    """

    request: Request
    rows: "QuerySet[ScheduledProcedureStep, Row]"
    columns: list[str]
    checks: list[Check]
    added: list[str]

    @property
    def pending(self) -> int:
        """The status of each answer."""
        return PENDING_WITH_UNSUPPORTED_KEYS if self.request.partial else PENDING


def question(identifier: Dataset) -> Question:
    """Work a request out. Raises QueryError where the identifier cannot be understood."""
    request = identifiers.read(identifier)
    steps, checks = _matching(request)
    columns, others = _columns(request, checks)
    rows = steps.values(*columns)
    if not checks:
        # What SQL decides alone, SQL also counts; else reading stops at the first row too many.
        rows = rows[: settings.BUCKY_WORKLIST_MAX_ANSWERS + 1]
    return Question(request, rows, columns, checks, [OTHER_IDENTIFIERS] if others else [])


def find(identifier: Dataset, caller: Caller) -> Result:
    """Return the steps on the worklist that match.

    identifier: the keys, as PS3.4 K.4.1.1.3 describes them. Raises QueryError where the identifier cannot be
    understood, more steps match than settings.BUCKY_WORKLIST_MAX_ANSWERS, or the database is away: never an
    empty list instead.
    """
    asked = question(identifier)
    try:
        rows = list(_rows(asked))
        if asked.added:
            found = other_identifiers({row[PATIENT + "pk"] for row in rows})
            for row in rows:
                row[OTHER_IDENTIFIERS] = found.get(row[PATIENT + "pk"], [])
    except DatabaseError as trouble:
        log.error("query of %s: the database cannot answer (%s)", caller.ae_title, type(trouble).__name__)
        raise QueryError(OUT_OF_RESOURCES, "The database cannot be reached, ask again") from None
    return Result(asked.pending, asked.request, rows, caller.character_set or UTF_8)


def _rows(asked: Question) -> Iterator[Row]:
    """Read the matching rows. Raises QueryError when there are too many."""
    most: int = settings.BUCKY_WORKLIST_MAX_ANSWERS
    found = 0
    for row in asked.rows.iterator():
        if all(check(row) for _paths, check in asked.checks):
            found += 1
            if found > most:
                raise TooManyAnswers(most)
            yield row


RULES: dict[str, Q] = {**WORKLIST_RULES, "merged": Q(**{PATIENT + "merged_into__isnull": True})}
"""What holds for every query, by name: what puts a step on the worklist at all."""


def candidates() -> StepQuerySet:
    """Return every step, with the alias that the paths of the table need."""
    return ScheduledProcedureStep.objects.alias(
        primary_identifier=FilteredRelation(
            PATIENT + "identifiers", condition=Q(**{PATIENT + "identifiers__primary": True})
        )
    )


def parts(request: Request) -> list[Part]:
    """Return everything that a step must meet to be an answer: the rules of the worklist, then the keys."""
    found = [Part(name, terms) for name, terms in RULES.items()]
    window = request.window
    if not window.open:
        exactly: Check = (("start", SITE_ZONE), lambda row: window.contains(wall_clock(row)))
        found.append(Part("ScheduledProcedureStepStartDate", _coarse(window), exactly, window))
    for match in request.matches:
        if match.folded and match.path != match.attribute.folded:
            # No column keeps this name without case and accents.
            found.append(Part(match.attribute.keyword, check=((match.path,), _name_check(match)), wanted=match))
        else:
            terms = _term(match.path, match.condition, folded=match.folded)
            found.append(Part(match.attribute.keyword, terms, wanted=match))
    return found


def _matching(request: Request) -> tuple[StepQuerySet, list[Check]]:
    """Return the steps that match as far as SQL can tell, and the checks that are left."""
    terms = Q()
    checks: list[Check] = []
    for part in parts(request):
        terms &= part.terms
        checks += [part.check] if part.check else []
    return candidates().filter(terms).order_by("start", "sps_id"), checks


def _term(path: str, condition: Condition, *, folded: bool = False) -> Q:
    """Return a condition on one column as SQL. An empty column never matches (PS3.4 C.2.2.2.1)."""
    match condition:
        case Single(value):
            return Q(**{path: fold(value) if folded else value})
        case Wildcard(pattern):
            return Q(**{f"{path}__fits": fold(pattern) if folded else pattern}) & ~Q(**{path: ""})
        case AnyOf(conditions):
            terms = Q()
            for one in conditions:
                terms |= _term(path, one, folded=folded)
            return terms
        case DateSpan(low, high):
            terms = Q(**{f"{path}__isnull": False})
            terms &= Q(**{f"{path}__gte": low}) if low else Q()
            return terms & Q(**{f"{path}__lte": high}) if high else terms
        case _:
            raise TypeError(type(condition).__name__)


def _coarse(window: Window) -> Q:
    """Narrow the start in UTC to what any time zone could mean; the exact check follows, site by site."""
    terms = Q()
    if window.low is not None and window.low.year > 1:
        terms &= Q(start__gte=window.low.replace(tzinfo=UTC) - EASTMOST)
    if window.high is not None and window.high.year < 9999:
        terms &= Q(start__lte=window.high.replace(tzinfo=UTC) + WESTMOST)
    return terms


def wall_clock(row: Row) -> datetime:
    """Return the start as the clock at the site shows it, without a time zone."""
    start: datetime = row["start"]
    return start.astimezone(site_zone(row)).replace(tzinfo=None)


def _name_check(match: Match) -> Callable[[Row], bool]:
    conditions = match.condition.conditions if isinstance(match.condition, AnyOf) else (match.condition,)
    patterns = [
        Wildcard(fold(one.pattern if isinstance(one, Wildcard) else one.value))
        for one in conditions
        if isinstance(one, Single | Wildcard)
    ]

    def fits(row: Row) -> bool:
        stored = fold(row[match.path] or "").rstrip("^ ")
        return bool(stored) and any(pattern.fits(stored) for pattern in patterns)

    return fits


def _columns(request: Request, checks: list[Check]) -> tuple[list[str], bool]:
    """Return the columns to read, and whether the other identifiers are asked for."""
    paths = {"pk", "start", SITE_ZONE, PATIENT + "pk"}
    for needed, _check in checks:
        paths.update(needed)
    for attribute in request.leaves():
        leading = attribute.leading.path if attribute.leading and not attribute.path else ""
        paths.update(path for path in (attribute.path, attribute.also, leading, *attribute.groups) if path)
    others = OTHER_IDENTIFIERS in paths
    # Names inside a list's entries are not columns.
    lists = {item.path for attribute in request.leaves() if attribute.path for item in attribute.items}
    return sorted(paths - lists - {OTHER_IDENTIFIERS}), others


def other_identifiers(patients: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """Return the further identifiers of each patient by primary key."""
    found: dict[int, list[dict[str, Any]]] = {}
    others = PatientIdentifier.objects.filter(patient__in=patients, primary=False).order_by("pk")
    for one in others.values("patient", "value", "issuer"):
        found.setdefault(one["patient"], []).append(dict(one))
    return found


_told: set[tuple[int, str]] = set()


def note_bad_row(step_id: int, reason: BadRowError) -> None:
    """Log a row that cannot be written, once: scanners ask every few seconds. Never its value."""
    if (step_id, reason.keyword) not in _told:
        if len(_told) > 10_000:
            _told.clear()
        _told.add((step_id, reason.keyword))
        log.error("step %d is left off the worklist: %s cannot be written", step_id, reason.keyword)
