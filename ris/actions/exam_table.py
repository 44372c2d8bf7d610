"""The exam catalogue as a table of text: one row an exam, the columns in COLUMNS. Reads and writes single cells.

Rows below an exam (steps, codes, gaps, questions) are lines of one cell, with ` | ` between their parts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _

from ris.errors import InvalidValue
from ris.models import Exam, ExamGap, ExamNeed, ExamPreparation, ExamQuestion, ExamStep, ProtocolCode, Station
from ris.models.base import Noun
from ris.models.examrows import LANGUAGE

Values = dict[str, Any]

PLAIN = (
    *("code", "coding_scheme", "meaning", "modality", "body_part", "laterality", "loinc_code", "playbook_code"),
    *("active", "valid_from", "valid_until"),
    *("preparation_minutes", "duration", "cleanup_minutes"),
    *("child_preparation_minutes", "child_duration", "child_cleanup_minutes", "child_below"),
    *("preparation", "contrast_agent", "pre_medication"),
    *("lead_time", "min_age", "max_age", "min_weight", "max_weight"),
)
"""Columns of Exam that are one cell each; the head names them so."""
KEY = ("coding_scheme", "code")
NEEDED = ("code",)
NEEDED_WHEN_NEW = ("meaning", "modality")
LANGUAGE_PREFIX = "preparation_"
"""A column preparation_de holds the text in German."""
YES, NO = "yes", "no"


@dataclass(frozen=True)
class Rows:
    """A column whose cell holds rows below an exam.

    columns: the parts of a line, in their order, as columns of `model`. key: those by which a row is found again; of
    rows without a key two may be the same, and all are written anew.
    """

    column: str
    related: str
    model: type[Noun]
    columns: tuple[str, ...]
    key: tuple[str, ...]


ROWS: tuple[Rows, ...] = (
    Rows(
        "steps",
        "steps",
        ExamStep,
        (
            *("number", "description", "modality", "preparation_minutes", "duration", "cleanup_minutes"),
            *("child_preparation_minutes", "child_duration", "child_cleanup_minutes"),
        ),
        ("number",),
    ),
    Rows(
        "protocol_codes",
        "protocol_codes",
        ProtocolCode,
        ("step_number", "code", "coding_scheme", "meaning"),
        ("step_number", "coding_scheme", "code"),
    ),
    Rows(
        "keep_apart",
        "gaps",
        ExamGap,
        ("after", "after_contrast", "length", "unit", "reason"),
        ("after", "after_contrast"),
    ),
    Rows("questions", "questions", ExamQuestion, ("number", "text", "kind", "required", "choices"), ("number",)),
    Rows("needs", "needs", ExamNeed, ("step_number", "kind", "role"), ()),
)
BY_COLUMN = {rows.column: rows for rows in ROWS}
STATIONS = "stations"


def columns(languages: Iterable[str]) -> list[str]:
    """Return the head of an exported table, with a column for each language."""
    return [*PLAIN, STATIONS, *(rows.column for rows in ROWS), *(LANGUAGE_PREFIX + one for one in sorted(languages))]


def check_head(head: Sequence[str]) -> None:
    """Raise InvalidValue for a head with a missing, unknown or doubled column."""
    doubled = sorted({name for name in head if head.count(name) > 1})
    if doubled:
        raise InvalidValue(_("A column is there twice: %s.") % ", ".join(doubled))
    missing = [name for name in NEEDED if name not in head]
    if missing:
        raise InvalidValue(_("A column is missing: %s.") % ", ".join(missing))
    unknown = [name or "–" for name in head if name not in columns(()) and _language_of(name) is None]
    if unknown:
        words = {"unknown": ", ".join(unknown), "known": ", ".join(columns(("de",)))}
        raise InvalidValue(_("Unknown columns: %(unknown)s. Known: %(known)s.") % words)


def _language_of(column: str) -> str | None:
    """Return the language of a column of preparation texts."""
    language = column.removeprefix(LANGUAGE_PREFIX)
    if column in PLAIN or language == column:
        return None
    try:
        LANGUAGE(language)
    except ValidationError:
        return None
    return language


# --- cells out ----------------------------------------------------------------------------------------


def written(exam: Exam, head: Sequence[str]) -> list[str]:
    """Return the cells of an exam under a head; uses what the caller has prefetched (see `everything`)."""
    return [_written_cell(exam, column) for column in head]


def _written_cell(exam: Exam, column: str) -> str:
    if column in PLAIN:
        return as_text(getattr(exam, column))
    if column == STATIONS:
        return "; ".join(sorted(station.ae_title for station in exam.stations.all()))
    if column in BY_COLUMN:
        rows = BY_COLUMN[column]
        return "\n".join(line(rows, _values(rows, row)) for row in getattr(exam, rows.related).all())
    language = _language_of(column)
    return next((row.text for row in exam.preparations.all() if row.language == language), "")


def as_text(value: Any) -> str:
    """Return a value as a cell shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return YES if value else NO
    return str(value.code) if isinstance(value, Exam) else str(value)


def line(rows: Rows, values: Values) -> str:
    """Return one row below an exam as a line of a cell; parts at its end that are empty are left out."""
    parts = [as_text(values[name]).replace("|", "/").replace("\n", " ") for name in rows.columns]
    while not parts[-1]:
        parts.pop()
    return " | ".join(parts)


def _values(rows: Rows, row: models.Model) -> Values:
    return {name: getattr(row, name) for name in rows.columns}


def everything() -> models.QuerySet[Exam]:
    """Return all exams with all that belongs to them."""
    related = ("stations", "preparations", "steps", "protocol_codes", "gaps__after", "questions", "needs")
    return Exam.objects.prefetch_related(*related).order_by("modality", "code", "pk")


def whole() -> list[list[str]]:
    """Return the whole catalogue as a table with its head."""
    languages = ExamPreparation.objects.order_by("language").values_list("language", flat=True).distinct()
    head = columns(languages)
    return [head, *(written(exam, head) for exam in everything())]


# --- cells in -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """What cells may name: stations by AE title, exams by code, where a code is the code of one exam only."""

    stations: dict[str, Station]
    exams: dict[str, Exam]


def read_plain(column: str, cell: str) -> Any:
    """Return the value of a plain cell. Raises InvalidValue."""
    return _read_value(Exam, column, cell)


def _read_value(model: type[models.Model], column: str, cell: str) -> Any:
    field = model._meta.get_field(column)
    assert isinstance(field, models.Field)
    if isinstance(field, models.BooleanField):
        return _read_bool(field, cell)
    if not cell:
        return None if field.null else field.get_default()
    try:
        return field.clean(cell, None)
    except ValidationError as error:
        raise InvalidValue(f"{field.verbose_name}: {' '.join(error.messages)}") from None


def _read_bool(field: "models.BooleanField[Any, Any]", cell: str) -> bool:
    if not cell:
        return bool(field.get_default())
    if cell.lower() not in (YES, NO):
        raise InvalidValue(_("%(column)s: write yes or no.") % {"column": field.verbose_name})
    return cell.lower() == YES


def read_stations(cell: str, known: Known) -> set[Station]:
    """Return the stations whose AE titles a cell holds, with ; between them. Raises InvalidValue."""
    names = [name.strip() for name in cell.split(";") if name.strip()]
    unknown = [name for name in names if name not in known.stations]
    if unknown:
        raise InvalidValue(_("No station has the AE title %s.") % ", ".join(unknown))
    return {known.stations[name] for name in names}


def read_rows(rows: Rows, cell: str, known: Known) -> list[Values]:
    """Return the rows below an exam that a cell holds, checked as the desk checks them. Raises InvalidValue."""
    found = [_read_line(rows, text, known) for text in cell.splitlines() if text.strip()]
    keys = [tuple(values[name] for name in rows.key) for values in found]
    if rows.key and len(set(keys)) < len(keys):
        raise InvalidValue(_("%s: a line is there twice.") % rows.column)
    return found


def _read_line(rows: Rows, text: str, known: Known) -> Values:
    parts = [part.strip() for part in text.split("|")]
    if len(parts) > len(rows.columns):
        words = {"column": rows.column, "number": len(rows.columns)}
        raise InvalidValue(_("%(column)s: a line has %(number)d parts at most.") % words)
    parts += [""] * (len(rows.columns) - len(parts))
    values: Values = {}
    for name, part in zip(rows.columns, parts, strict=True):
        values[name] = _read_exam(part, known) if name == "after" else _read_value(rows.model, name, part)
    row = rows.model(**values)
    try:
        row.clean_fields(exclude={"exam", "after"})
        row.clean()
        row.validate_constraints(exclude={"exam"})
    except ValidationError as error:
        raise InvalidValue(f"{rows.column}: {' '.join(error.messages)}") from None
    return values


def _read_exam(code: str, known: Known) -> Exam | None:
    if not code:
        return None
    if code not in known.exams:
        raise InvalidValue(_("No exam has the code %s, or more than one has it.") % code)
    return known.exams[code]


def languages_in(head: Iterable[str]) -> dict[str, str]:
    """Return the columns of preparation texts in a head: column -> language."""
    return {column: language for column in head if (language := _language_of(column)) is not None}
