"""Why a step is, or is not, an answer to a query: each part of the question asked of this one step.

The parts and the verdict both come from worklist.query, which answers the scanners: what is told here cannot differ
from what they get.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Q
from pydicom.dataset import Dataset

from ris.models import ScheduledProcedureStep
from worklist.answer import BadRowError, Row, answer
from worklist.callers import profile_for
from worklist.conditions import RULES, Part, candidates, parts
from worklist.errors import QueryError
from worklist.identifier import Match
from worklist.profiles import PLAIN, Profile
from worklist.query import Caller, find, question
from worklist.spelling import Change, Notes
from worklist.ways import WHOLE, Page


@dataclass(frozen=True)
class Line:
    """One part of a question, and whether the step meets it. row: the columns of the step that it is about."""

    part: Part
    holds: bool
    row: Row

    @property
    def names_a_patient(self) -> bool:
        """Whether the key, or what the step has in it, is about a person."""
        wanted = self.part.wanted
        return isinstance(wanted, Match) and wanted.attribute.personal


@dataclass(frozen=True)
class Explanation:
    """What a query that is asked now does with one step.

    lines: part by part. found: whether the step is an answer. matches: how many steps are. refused: how the whole query
    ends, where it has no answers. unread: what was asked could not be read as keys at all. unwritable: keyword of what
    keeps a matching step off the list. character_set: in what the answer is written, empty where all of it is ASCII.
    profile: of the caller. cut: more steps match than the caller takes, and it gets others. elsewhere: it is on another
    page of the answers than the one that was asked for. changes: values that it does not get as they are stored.
    """

    lines: list[Line] = field(default_factory=list)
    found: bool = False
    matches: int = 0
    refused: QueryError | None = None
    unread: bool = False
    unwritable: str = ""
    character_set: str = ""
    profile: Profile = PLAIN
    cut: bool = False
    elsewhere: bool = False
    changes: tuple[Change, ...] = ()

    @property
    def against(self) -> list[Line]:
        """The lines that keep the step off the list."""
        return [line for line in self.lines if not line.holds]


def explain(step: ScheduledProcedureStep, identifier: Dataset, caller: Caller, page: Page = WHOLE) -> Explanation:
    """Ask the question again, and each of its parts of this step. page: the one that the caller has asked for."""
    try:
        request = question(identifier, ways=caller.ways).request
    except QueryError as reason:
        return Explanation(refused=reason)
    profile = profile_for(caller.ae_title)
    lines = [_line(part, step) for part in parts(request, caller.ae_title, profile)]
    told = Explanation(lines, profile=profile)
    try:
        result = find(identifier, caller, page=page)
    except QueryError as reason:
        return replace(told, refused=reason)
    told = replace(told, matches=page.total(result.matches, result.remaining) or 0)
    row = next((row for row in result.rows if row["pk"] == step.pk), None)
    if row is None:
        fits = not told.against
        return replace(told, cut=result.cut and fits, elsewhere=page != WHOLE and not result.cut and fits)
    notes = Notes()
    try:
        written = answer(result.request, row, result.style, notes)
    except BadRowError as reason:
        return replace(told, unwritable=reason.keyword)
    character_set = written.get("SpecificCharacterSet") or ""
    text = character_set if isinstance(character_set, str) else "\\".join(character_set)
    return replace(told, found=True, character_set=text, changes=tuple(notes.changes))


def meeting(part: Part, steps: Collection[int]) -> set[int]:
    """Return which of these steps (by primary key) meet one part of a question."""
    paths = part.check[0] if part.check else ()
    rows = candidates().filter(Q(pk__in=steps) & part.by_itself).values("pk", *paths)
    return {row["pk"] for row in rows if part.check is None or (_has_all(row) and part.check[1](row))}


def _has_all(row: Row) -> bool:
    """Tell whether a start is known, where it is looked at: the rule of the state keeps the others from the engine."""
    return row.get("start", True) is not None


def _line(part: Part, step: ScheduledProcedureStep) -> Line:
    (row,) = _rows_of(part, [step.pk])
    return Line(part, bool(meeting(part, [step.pk])), row)


def _rows_of(part: Part, steps: Collection[int]) -> list[Row]:
    """Return the columns of these steps (by primary key) that one part of a question is about, in their order."""
    checked = part.check[0] if part.check else ()
    paths = part.wanted.paths if isinstance(part.wanted, Match) else checked
    found = {row["pk"]: row for row in candidates().filter(pk__in=steps).values("pk", *paths)}
    return [found[step] for step in steps if step in found]


@dataclass(frozen=True)
class Miss:
    """A step that one part alone keeps off a list."""

    step_id: int
    line: Line


LOOKED_AT = 500
"""Steps that are looked at for each part of a question: those nearest in time."""
OF_EACH = 20
"""Near misses that are told for each part of a question."""


def near_misses(identifier: Dataset, caller: Caller, near: Q, at: datetime) -> list[Miss]:
    """Return the steps that fail exactly one part of a question. Raises QueryError where it cannot be understood.

    near: which steps to look at. at: when it was asked; of each part those that start nearest to it are told.
    """
    request = question(identifier, ways=caller.ways).request
    every = parts(request, caller.ae_title, profile_for(caller.ae_title))
    return [
        Miss(row["pk"], Line(part, holds=False, row=row))
        for place, part in enumerate(every)
        for row in _rows_of(part, _failing_only(part, [*every[:place], *every[place + 1 :]], near, at))
    ]


@dataclass(frozen=True)
class Shares:
    """How many of some steps on the worklist meet each key of a question. steps: how many were looked at."""

    steps: int = 0
    keys: list[tuple[Part, int]] = field(default_factory=list)


def shares(identifier: Dataset, caller: Caller, near: Q, at: datetime) -> Shares:
    """Return what each key, and each rule of the caller's profile, lets through alone. Raises QueryError.

    near, at: see near_misses; only steps that are on the worklist count.
    """
    request = question(identifier, ways=caller.ways).request
    terms, keys = near, []
    for part in parts(request, caller.ae_title, profile_for(caller.ae_title)):
        if part.name in RULES:
            terms &= part.terms
        else:
            keys.append(part)
    looked_at = [step.pk for step in _nearest(terms, at)]
    return Shares(len(looked_at), [(part, len(meeting(part, looked_at))) for part in keys])


def _failing_only(part: Part, others: list[Part], near: Q, at: datetime) -> list[int]:
    """Return the steps (by primary key) that meet all the other parts and not this one."""
    terms = near
    for other in others:
        terms &= other.by_itself
    steps = _nearest(terms, at)
    left = {step.pk for step in steps} - meeting(part, [step.pk for step in steps])
    for other in others:
        if other.check and left:
            left = meeting(other, left)
    found = [step for step in steps if step.pk in left][:OF_EACH]
    return [step.pk for step in sorted(found, key=lambda step: (step.start or at, step.sps_id))]


def _nearest(terms: Q, at: datetime) -> list[ScheduledProcedureStep]:
    """Return the steps that start nearest to a moment, and then those without a start."""
    rows = candidates().filter(terms)
    after = rows.filter(start__gte=at).order_by("start", "sps_id")[:LOOKED_AT]
    before = rows.filter(start__lt=at).order_by("-start", "-sps_id")[:LOOKED_AT]
    timed = sorted([*after, *before], key=lambda step: abs((step.start or at) - at))[:LOOKED_AT]
    return [*timed, *rows.filter(start=None).order_by("sps_id")[: LOOKED_AT - len(timed)]]
