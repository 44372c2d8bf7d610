"""Bring a table of exams into the catalogue: say first what would happen, then do that and nothing else."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import ProtectedError
from django.utils import timezone
from django.utils.translation import gettext as _

from ris import spreadsheets
from ris.actions import catalogue, exam_table
from ris.actions.exam_table import BY_COLUMN, KEY, NEEDED_WHEN_NEW, PLAIN, STATIONS, Known, Rows, Values
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import ForbiddenMove, InvalidValue
from ris.models import CatalogueUpload, Event, EventKind, Exam, ExamPreparation, Station
from ris.models.event import name_of
from ris.spreadsheets import Table

KEPT = timedelta(days=1)
"""How long an upload that nobody applies is kept."""

Key = tuple[str, ...]


class Outcome(StrEnum):
    """What a row of the table comes to."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    ERROR = "error"


@dataclass
class PlannedRow:
    """One row of the table and what would become of it.

    line: in the file, the head being 1. changes: column -> [before, after], as text. plain, rows, stations, texts:
    what to write.
    """

    line: int
    key: Key
    cells: dict[str, str]
    exam: Exam | None
    error: str = ""
    changes: dict[str, list[str]] = field(default_factory=dict)
    plain: Values = field(default_factory=dict)
    rows: dict[str, list[Values]] = field(default_factory=dict)
    stations: set[Station] | None = None
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The exam's code."""
        return self.key[1]

    @property
    def outcome(self) -> Outcome:
        """What it comes to."""
        if self.error:
            return Outcome.ERROR
        if self.exam is None:
            return Outcome.NEW
        return Outcome.CHANGED if self.changes else Outcome.UNCHANGED


@dataclass(frozen=True)
class Plan:
    """What a table would do to the catalogue as it is now."""

    rows: list[PlannedRow]

    def count(self, outcome: Outcome) -> int:
        """How many rows come to this."""
        return sum(row.outcome == outcome for row in self.rows)

    @property
    def can_be_applied(self) -> bool:
        """Whether there is something to do and nothing wrong."""
        return not self.count(Outcome.ERROR) and self.count(Outcome.UNCHANGED) < len(self.rows)

    @property
    def digest(self) -> str:
        """Names what the plan would do: two plans of one digest do the same."""
        told = [(row.line, row.key, row.outcome.value, row.error, row.changes) for row in self.rows]
        return hashlib.sha256(repr(told).encode()).hexdigest()


# --- say what would happen ----------------------------------------------------------------------------


def plan(table: Table) -> Plan:
    """Work a table out; nothing is written. Raises InvalidValue for a head or a shape that cannot be read."""
    head, *body = table
    head = [name.lower() for name in head]
    exam_table.check_head(head)
    here = {_key(exam.coding_scheme, exam.code): exam for exam in exam_table.everything()}
    rows = [_row(line, head, cells, here) for line, cells in enumerate(body, start=2) if any(cells)]
    if not rows:
        raise InvalidValue(_("There is no exam in the file."))
    _refuse_doubled(rows)
    known = _known(here, rows)
    for row in rows:
        if not row.error:
            _work_out(row, known)
    return Plan(rows)


def _key(coding_scheme: str, code: str) -> Key:
    return (coding_scheme or "L", code)


def _row(line: int, head: Sequence[str], cells: Sequence[str], here: dict[Key, Exam]) -> PlannedRow:
    said = dict(zip(head, [*cells, *[""] * (len(head) - len(cells))], strict=False))
    key = _key(said.get("coding_scheme", ""), said["code"])
    row = PlannedRow(line, key, said, here.get(key))
    if len(cells) > len(head) and any(cells[len(head) :]):
        row.error = _("The row has more cells than the head.")
    elif not said["code"]:
        row.error = _("The code is missing.")
    return row


def _refuse_doubled(rows: Sequence[PlannedRow]) -> None:
    first: dict[Key, int] = {}
    for row in rows:
        if first.setdefault(row.key, row.line) != row.line and not row.error:
            row.error = _("The code is in line %d already.") % first[row.key]


def _known(here: dict[Key, Exam], rows: Sequence[PlannedRow]) -> Known:
    """Return what cells may name; exams that the table would make are among it, with keys below zero until then."""
    exams = dict(here)
    for row in rows:
        exams.setdefault(row.key, Exam(pk=-row.line, coding_scheme=row.key[0], code=row.code))
    codes = Counter(code for _scheme, code in exams)
    return Known(
        {station.ae_title: station for station in Station.objects.all()},
        {key[1]: exam for key, exam in exams.items() if codes[key[1]] == 1},
    )


def _work_out(row: PlannedRow, known: Known) -> None:
    """Read the cells that differ from what is there, and note what they would change."""
    columns = list(row.cells)
    before = dict(zip(columns, exam_table.written(row.exam, columns), strict=True)) if row.exam else {}
    try:
        if row.exam is None:
            _check_new(row)
        for column, cell in row.cells.items():
            if row.exam is None or cell != before[column]:
                _read_cell(row, column, cell, known)
                after = _after(row, column)
                if after != before.get(column, "") and column not in (KEY if row.exam else ()):
                    row.changes[column] = [before.get(column, ""), after]
        _check_exam(row)
    except InvalidValue as error:
        row.error = error.message


def _check_new(row: PlannedRow) -> None:
    missing = [column for column in NEEDED_WHEN_NEW if not row.cells.get(column)]
    if missing:
        raise InvalidValue(_("A new exam needs: %s.") % ", ".join(missing))


def _read_cell(row: PlannedRow, column: str, cell: str, known: Known) -> None:
    if column in PLAIN:
        row.plain[column] = exam_table.read_plain(column, cell)
    elif column == STATIONS:
        row.stations = exam_table.read_stations(cell, known)
    elif column in BY_COLUMN:
        row.rows[column] = exam_table.read_rows(BY_COLUMN[column], cell, known)
    else:
        row.texts[exam_table.languages_in([column])[column]] = cell


def _after(row: PlannedRow, column: str) -> str:
    """Return what a cell would show afterwards."""
    if column in PLAIN:
        return exam_table.as_text(row.plain[column])
    if column == STATIONS:
        return "; ".join(sorted(station.ae_title for station in row.stations or ()))
    if column in BY_COLUMN:
        return "\n".join(exam_table.line(BY_COLUMN[column], values) for values in row.rows[column])
    return row.cells[column]


def _check_exam(row: PlannedRow) -> None:
    """Check the exam as it would be. Raises InvalidValue."""
    if not row.plain:
        return
    there = {column: getattr(row.exam, column) for column in PLAIN} if row.exam else {}
    exam = Exam(**(there | row.plain))
    try:
        exam.clean_fields()
        exam.validate_constraints(exclude={"code", "coding_scheme"})
    except ValidationError as error:
        raise InvalidValue(_told(error)) from None


def _told(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(
        " ".join(messages) if name == "__all__" else f"{name}: {' '.join(messages)}"
        for name, messages in error.message_dict.items()
    )


# --- do it --------------------------------------------------------------------------------------------


@verb
def keep(*, by: Actor, name: str, content: bytes) -> CatalogueUpload:
    """Keep a file until somebody applies it; what nobody has applied for a day goes.

    Raises InvalidValue when it cannot be read at all.
    """
    plan(spreadsheets.read(name, content))
    CatalogueUpload.objects.filter(applied_at__isnull=True, created_at__lt=timezone.now() - KEPT).delete()
    return CatalogueUpload.new(name=name[-200:], content=content)


def plan_of(upload: CatalogueUpload) -> Plan:
    """Work an upload out against the catalogue as it is now. Raises InvalidValue."""
    return plan(spreadsheets.read(upload.name, bytes(upload.content)))


@verb
def apply(*, by: Actor, upload: CatalogueUpload, digest: str) -> Plan:
    """Do what the plan of this digest says, all of it or nothing.

    Raises ForbiddenMove when it was done before, or would do something else now.
    """
    upload = CatalogueUpload.objects.select_for_update(no_key=True).get(pk=upload.pk)
    if upload.applied_at is not None:
        raise ForbiddenMove(_("This file was imported before."), field="upload")
    found = plan_of(upload)
    if found.digest != digest:
        raise ForbiddenMove(_("The catalogue was changed meanwhile. Look again at what would happen."), field="upload")
    if not found.can_be_applied:
        raise ForbiddenMove(_("There is nothing to import, or a row is wrong."), field="upload")
    by = by.because(f"import:{upload.pk}")
    made: dict[Key, Exam] = {}
    for row in found.rows:
        if row.exam is None:
            made[row.key] = Exam.new(**row.plain)
        elif row.plain:
            row.exam.change(**row.plain)
    for row in found.rows:
        if row.outcome != Outcome.UNCHANGED:
            _write_below(row.exam or made[row.key], row, made)
            _tell(row.exam or made[row.key], row, by=by)
    catalogue.forget()  # what is read by now may be older than what was written below the exams
    upload.change(applied_at=timezone.now(), content=b"")
    return found


def _write_below(exam: Exam, row: PlannedRow, made: dict[Key, Exam]) -> None:
    """Write the stations, texts and rows below an exam that the table names."""
    if row.stations is not None:
        exam.stations.set(row.stations)
    for language, text in row.texts.items():
        _write_text(exam, language, text)
    for column, wanted in row.rows.items():
        for values in wanted:
            after = values.get("after")
            if after is not None and after.pk < 0:
                values["after"] = made[after.coding_scheme, after.code]
        _write_rows(BY_COLUMN[column], exam, wanted)


def _write_text(exam: Exam, language: str, text: str) -> None:
    found = ExamPreparation.objects.filter(exam=exam, language=language).first()
    if found is not None and text:
        found.change(text=text)
    elif found is not None:
        found.delete()
    elif text:
        ExamPreparation.new(exam=exam, language=language, text=text)


def _write_rows(rows: Rows, exam: Exam, wanted: Sequence[Values]) -> None:
    """Make the rows below an exam what the table says; each is found again by its key, where it has one."""
    if not rows.key:
        getattr(exam, rows.related).all().delete()
        for values in wanted:
            rows.model.new(exam=exam, **values)
        return
    there: dict[Any, Any] = {}
    for row in getattr(exam, rows.related).all():
        there[tuple(getattr(row, name) for name in rows.key)] = row
    found = {tuple(values[name] for name in rows.key): values for values in wanted}
    for key in there.keys() - found.keys():
        try:
            there[key].delete()
        except ProtectedError:
            words = {"row": there[key], "exam": exam.code}
            raise InvalidValue(_("“%(row)s” of %(exam)s is in use and cannot be deleted.") % words) from None
    for key, values in found.items():
        if key in there:
            there[key].change(**values)
        else:
            rows.model.new(exam=exam, **values)


def _tell(exam: Exam, row: PlannedRow, *, by: Actor) -> None:
    change = "added" if row.exam is None else "changed"
    data = {"change": change, "name": name_of(exam), "changes": row.changes}
    Event.objects.record(EventKind.CATALOG_CHANGED, by=by, subject=f"ris.exam:{exam.pk}", data=data)
