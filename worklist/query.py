"""The one query engine: an identifier and a caller in, answers out. C-FIND is one face of it.

The worklist is a view of the schedule: one SQL statement reads the rows as they are now. A second one reads
the other patient ids, only when they are asked for.
"""

import logging
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

from django.conf import settings
from django.db import Error as DatabaseError
from django.db.models import QuerySet
from pydicom.dataset import Dataset

from ris.models import PatientIdentifier, ScheduledProcedureStep
from worklist import identifier as identifiers
from worklist.answer import BadRowError, Row, answer
from worklist.attributes import IDENTIFIER, OTHER_IDENTIFIERS, PATIENT, SITE_ZONE
from worklist.callers import profile_for
from worklist.conditions import Check, authority_of, matching, number_asked, replacements
from worklist.errors import DATABASE_AWAY, OUT_OF_RESOURCES, QueryError, TooManyAnswers
from worklist.identifier import Request
from worklist.negotiation import ways_of
from worklist.pdu import Request as AssociateRequest
from worklist.profiles import PLAIN, Profile
from worklist.spelling import PLAIN_STYLE, Style
from worklist.ways import LITERAL, WHOLE, Page, Ways

T = TypeVar("T")
GATE = "gate_until"
"""Until when the safety gate lets a step through. Read with each: when that is over, no row has changed."""
log = logging.getLogger(__name__)

PENDING = 0xFF00
PENDING_WITH_UNSUPPORTED_KEYS = 0xFF01


@dataclass(frozen=True)
class Caller:
    """Who asks. What it may see, and how it is written to, is in the profile of its AE title (worklist.callers).

    character_set: what it reads, whatever its profile says. ways: what it has agreed on beside the usual matching.
    """

    ae_title: str
    called_ae_title: str = ""
    address: str = ""
    character_set: str = ""
    ways: Ways = LITERAL


def caller_of(request: AssociateRequest, address: str) -> Caller:
    """Return who asks for an association, with what it has negotiated."""
    return Caller(request.calling_ae_title, request.called_ae_title, address, ways=ways_of(request))


@dataclass(frozen=True)
class Answer:
    """One step, and the data set that tells of it."""

    step_id: int
    data_set: Dataset


@dataclass
class Result:
    """The answers to one query, by start and step ID. Iterate once: each is built when its turn comes.

    pending: status of each answer, FF00 or FF01. cut: more steps match, these are the newest. remaining: steps that
    match and are on later pages. most: how many may be answered. skipped: steps that match but hold something that
    DICOM cannot write. faults: by step, the keyword of what that is.
    """

    pending: int
    request: Request
    rows: list[Row]
    style: Style = PLAIN_STYLE
    cut: bool = False
    remaining: int = 0
    most: int = 0
    skipped: list[int] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)

    @property
    def matches(self) -> int:
        """How many steps match, on this page."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Answer]:
        """Build the answers one by one. A row that cannot be written is left out, the others go on."""
        for row in self.rows:
            try:
                yield Answer(row["pk"], answer(self.request, row, self.style))
            except BadRowError as reason:
                self.skipped.append(row["pk"])
                self.faults[row["pk"]] = reason.keyword
                note_bad_row(row["pk"], reason)


@dataclass(frozen=True)
class Question:
    """A request worked out for the database, without having asked it yet.

    rows: the statement, which reads `columns`. checks: what SQL cannot decide. added: columns that are not in the
    statement, see OTHER_IDENTIFIERS. replaced: columns whose values the caller gets otherwise.
    """

    request: Request
    rows: "QuerySet[ScheduledProcedureStep, Row]"
    columns: list[str]
    checks: list[Check]
    added: list[str]
    profile: Profile = PLAIN
    replaced: dict[str, Callable[[Any], Any]] = field(default_factory=dict)

    @cached_property
    def authority(self) -> str:
        """Whose numbers are sent as Patient ID where a patient has one of it; empty for the primary one."""
        return authority_of(self.request, self.profile)

    @cached_property
    def style(self) -> Style:
        """How the caller is written to."""
        return Style(self.profile)

    @property
    def pending(self) -> int:
        """The status of each answer."""
        return PENDING_WITH_UNSUPPORTED_KEYS if self.request.partial else PENDING

    @property
    def most(self) -> int:
        """How many steps may match."""
        return self.profile.most or settings.BUCKY_WORKLIST_MAX_ANSWERS

    def taken(self, rows: Generator[T, None, None]) -> tuple[list[T], bool]:
        """Take the matching rows, and tell whether there are more.

        Raises QueryError when there are more, but for a caller that is agreed to get the newest.
        """
        with closing(rows):  # with its cursor
            taken = list(islice(rows, self.most + 1))
        if len(taken) <= self.most:
            return taken, False
        if not self.profile.newest_first:
            raise TooManyAnswers(self.most)
        return taken[: self.most], True


def question(
    identifier: Dataset, ae_title: str = "", profile: Profile = PLAIN, ways: Ways = LITERAL, *, in_pages: bool = False
) -> Question:
    """Work out what the caller with this AE title and profile asks for; ways: see Caller. in_pages: of all that match.

    Raises QueryError where the identifier cannot be understood.
    """
    request = identifiers.read(identifier, ways)
    steps, checks = matching(request, ae_title, profile)
    columns, others = _columns(request, checks)
    added = [OTHER_IDENTIFIERS] if others else []
    replaced = replacements(request, ae_title, profile)
    asked = Question(request, steps.values(*columns), columns, checks, added, profile, replaced)
    # What SQL decides alone, SQL also counts; else reading stops at the first row too many.
    return asked if checks or in_pages else replace(asked, rows=asked.rows[: asked.most + 1])


def find(identifier: Dataset, caller: Caller, profile: Profile | None = None, page: Page = WHOLE) -> Result:
    """Return the steps on the worklist that match.

    identifier: the keys, as PS3.4 K.4.1.1.3 describes them. profile: instead of the caller's. page: what to return of
    them; with a limit never more than may be answered, and then any number may match. Raises QueryError where the
    identifier cannot be understood, more steps match than may be answered, or the database is away: never an empty list
    instead.
    """
    try:
        profile = profile_for(caller.ae_title) if profile is None else profile
        asked = question(identifier, caller.ae_title, profile, caller.ways, in_pages=page.limit is not None)
        rows, cut, remaining = _taken(asked, page)
        if asked.authority:
            sent = numbers_sent(asked, {row[PATIENT + "pk"] for row in rows})
            for row in rows:
                row |= sent.get(row[PATIENT + "pk"], {})
        if asked.added:
            found = other_identifiers({row[PATIENT + "pk"] for row in rows}, asked)
            for row in rows:
                row[OTHER_IDENTIFIERS] = found.get(row[PATIENT + "pk"], [])
    except DatabaseError as trouble:
        log.error("query of %s: the database cannot answer (%s)", caller.ae_title, type(trouble).__name__)
        raise QueryError(OUT_OF_RESOURCES, DATABASE_AWAY) from None
    style = Style(asked.profile, character_set=caller.character_set) if caller.character_set else asked.style
    for path, put in asked.replaced.items():
        for row in rows:
            row[path] = put(row[path])
    return Result(asked.pending, asked.request, rows, style, cut, remaining, asked.most)


def _taken(asked: Question, page: Page) -> tuple[list[Row], bool, int]:
    """Return the rows of a page, whether the list was cut before, and how many match after them."""
    if page.limit is None:
        rows, cut = asked.taken(_rows(asked))
        return rows[page.offset :], cut, 0
    end = page.offset + min(page.limit, asked.most)
    if not asked.checks:
        matches, rows = asked.rows.count(), list(asked.rows[page.offset : end])
    else:
        matches, rows = 0, []
        with closing(_rows(asked)) as matching:
            for row in matching:
                if page.offset <= matches < end:
                    rows.append(row)
                matches += 1
    return rows, False, max(matches - end, 0)


def _rows(asked: Question) -> Generator[Row, None, None]:
    """Read the matching rows."""
    for row in asked.rows.iterator():
        if all(check(row) for _paths, check in asked.checks):
            yield row


def _columns(request: Request, checks: list[Check]) -> tuple[list[str], bool]:
    """Return the columns to read, and whether the other identifiers are asked for."""
    paths = {"pk", "start", GATE, SITE_ZONE, PATIENT + "pk"}
    for needed, _check in checks:
        paths.update(needed)
    for attribute in request.leaves():
        leading = attribute.leading.path if attribute.leading and not attribute.path else ""
        paths.update(path for path in (attribute.path, attribute.also, leading, *attribute.groups) if path)
    others = OTHER_IDENTIFIERS in paths
    # Names inside a list's entries are not columns.
    lists = {item.path for attribute in request.leaves() if attribute.path for item in attribute.items}
    return sorted(paths - lists - {OTHER_IDENTIFIERS}), others


_NUMBER = ("value", "issuer", "issuer_universal_id", "issuer_universal_id_type")


def _sent(asked: Question, patients: Collection[int]) -> dict[int, PatientIdentifier]:
    """Return the number that is sent of each patient that has one of the authority asked for."""
    numbers = PatientIdentifier.objects.filter(number_asked(asked.request), issuer=asked.authority)
    found: dict[int, PatientIdentifier] = {}
    for one in numbers.filter(patient__in=patients).order_by("-primary", "pk"):
        found.setdefault(one.patient_id, one)
    return found


def numbers_sent(asked: Question, patients: Collection[int]) -> dict[int, Row]:
    """Return the columns of the number that is sent instead of the primary one, by patient's primary key."""
    wanted = [name for name in _NUMBER if IDENTIFIER + name in asked.columns]
    return {
        patient: {IDENTIFIER + name: getattr(one, name) for name in wanted}
        for patient, one in _sent(asked, patients).items()
    }


def other_identifiers(patients: Collection[int], asked: Question) -> dict[int, list[dict[str, Any]]]:
    """Return the identifiers of each patient that are not sent as Patient ID, by primary key."""
    found: dict[int, list[dict[str, Any]]] = {}
    sent = _sent(asked, patients) if asked.authority else {}
    others = PatientIdentifier.objects.filter(patient__in=patients).order_by("pk")
    if not sent:
        others = others.filter(primary=False)
    for one in others:
        if sent and (one.pk == sent[one.patient_id].pk if one.patient_id in sent else one.primary):
            continue
        found.setdefault(one.patient_id, []).append(
            {"patient": one.patient_id, "value": one.value, "issuer": one.issuer}
        )
    return found


_told: set[tuple[int, str]] = set()


def note_bad_row(step_id: int, reason: BadRowError) -> None:
    """Log a row that cannot be written, once: scanners ask every few seconds. Never its value."""
    if (step_id, reason.keyword) not in _told:
        if len(_told) > 10_000:
            _told.clear()
        _told.add((step_id, reason.keyword))
        log.error("step %d is left off the worklist: %s cannot be written", step_id, reason.keyword)


_rewritten: set[tuple[str, int]] = set()


def note_changes(ae_title: str, changed: int) -> None:
    """Log how many values a caller did not get as they are stored: each number once, for it asks every few seconds."""
    if changed and (ae_title, changed) not in _rewritten:
        if len(_rewritten) >= 10_000:
            _rewritten.clear()
        _rewritten.add((ae_title, changed))
        log.warning("worklist: values not sent to %a as they are stored: %d", ae_title, changed)
