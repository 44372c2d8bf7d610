"""A sender's codes from a table: what it would change first, then the change; all of it or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from hl7.dialect import CodeTable
from hl7.models import CodeTranslation, Endpoint
from ris import audit, spreadsheets
from ris.errors import InvalidValue
from ris.models import EventKind
from ris.models.event import name_of

COLUMNS = 3
HEAD = "table"


@dataclass(frozen=True)
class Line:
    """One row of the table: which it is, from 1, and what it would do.

    row: as it would be kept. before: what the code is now; None where it is new. problem: why it cannot be.
    """

    number: int
    row: CodeTranslation
    before: str | None = None
    problem: str = ""

    @property
    def changes(self) -> bool:
        """Whether anything would be different."""
        return not self.problem and self.before != self.row.meaning


def plan(endpoint: Endpoint, name: str, content: bytes) -> list[Line]:
    """Return what a CSV or XLSX file would do. Raises InvalidValue for what is no such file.

    Its columns: table, code, meaning. A head, which begins with "table", is left out.
    """
    known = {(row.table, row.code): row for row in endpoint.codes.all()}
    seen: dict[tuple[str, str], int] = {}
    lines = []
    for number, cells in enumerate(spreadsheets.read(name, content), start=1):
        if not any(cells) or (number == 1 and cells[0].lower() == HEAD):
            continue
        line = _line(endpoint, number, cells, known)
        key = line.row.table, line.row.code
        if not line.problem and key in seen:
            line = Line(number, line.row, problem=_("Row %d has this code already.") % seen[key])
        seen.setdefault(key, number)
        lines.append(line)
    return lines


def _line(endpoint: Endpoint, number: int, cells: Sequence[str], known: dict[tuple[str, str], CodeTranslation]) -> Line:
    table, code, meaning = [*cells, "", "", ""][:COLUMNS]
    row = CodeTranslation(endpoint=endpoint, table=table.lower(), code=code.upper(), meaning=meaning)
    if len([cell for cell in cells if cell]) > COLUMNS:
        return Line(number, row, problem=_("There are more than three columns."))
    now = known.get((row.table, row.code))
    try:
        row.full_clean(exclude=["endpoint"], validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        return Line(number, row, problem=" ".join(error.messages))
    if now is not None:
        row.pk = now.pk
    return Line(number, row, before=now.meaning if now else None)


def tables() -> str:
    """Return the words of the first column."""
    return ", ".join(table.value for table in CodeTable)


def carry_out(request: HttpRequest, endpoint: Endpoint, name: str, content: bytes) -> int:
    """Do what `plan` says now; returns how many codes are new or different. Raises InvalidValue for a wrong row."""
    with transaction.atomic():
        Endpoint.objects.select_for_update(of=("self",), no_key=True).get(pk=endpoint.pk)
        lines = plan(endpoint, name, content)
        if any(line.problem for line in lines):
            raise InvalidValue(_("Nothing was imported: a row is not right."))
        changed = [line for line in lines if line.changes]
        for line in changed:
            line.row.save()
        if changed:
            audit.row_changed(request, EventKind.CATALOG_CHANGED, endpoint, "changed", {"rows": _told(changed)})
    return len(changed)


def _told(lines: Sequence[Line]) -> list[dict[str, object]]:
    """Return the changes as the history of the endpoint's page has them."""
    return [
        {"row": name_of(line.row), "change": "added"}
        if line.before is None
        else {"row": name_of(line.row), "change": "changed", "changes": {"meaning": [line.before, line.row.meaning]}}
        for line in lines
    ]
