"""Tables of text as CSV and XLSX files, in and out. Knows nothing of what is in the cells.

What comes in is bounded and refused in words; what goes out cannot be run as a formula by a spreadsheet program.
"""

import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import IO, Any
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

from django.utils.translation import gettext as _
from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.utils.exceptions import InvalidFileException

from ris.errors import InvalidValue

MOST_BYTES = 5 * 1024 * 1024
MOST_UNPACKED = 50 * 1024 * 1024
MOST_ROWS = 5000
MOST_COLUMNS = 200
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet program may run (OWASP: CSV injection)."""
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Table = list[list[str]]


def read(name: str, content: bytes) -> Table:
    """Return the rows of a file, the head first, without empty rows at the end; cells are texts, stripped of blanks.

    name: the file's name, whose ending says what it is. Raises InvalidValue in words a person can act on.
    """
    check_size(len(content), MOST_BYTES)
    if name.lower().endswith(".xlsx"):
        rows = _read_xlsx(content)
    elif name.lower().endswith(".csv"):
        rows = _read_csv(content)
    else:
        raise InvalidValue(_("The file must be a CSV or an XLSX file, by its name."))
    while rows and not any(rows[-1]):
        rows.pop()
    if not rows:
        raise InvalidValue(_("The file is empty."))
    return rows


def check_size(size: int, most: int = MOST_BYTES) -> None:
    """Raise InvalidValue when a file has more bytes than it may."""
    if size > most:
        raise InvalidValue(_("The file is larger than %d MB.") % (most // 1024 // 1024))


def _read_csv(content: bytes) -> Table:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidValue(_("The text is not UTF-8. Save the file as “CSV UTF-8” and try again.")) from None
    if "\x00" in text:
        raise InvalidValue(_("The file holds NUL characters, so it is no CSV file."))
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        return _bounded([_unquoted(cell.strip()) for cell in row] for row in reader)
    except csv.Error:
        raise InvalidValue(
            _("The file is no CSV file: a quotation mark is not closed, or a cell is too long.")
        ) from None


def _unquoted(cell: str) -> str:
    """Take off the apostrophe that `_quoted` has put before a cell."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_SIGNS) else cell


def _quoted(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_SIGNS) else cell


def _read_xlsx(content: bytes) -> Table:
    wrong = _("The file is no XLSX file, or a damaged one.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_size(sum(entry.file_size for entry in archive.infolist()), MOST_UNPACKED)
            for entry in archive.infolist():
                with archive.open(entry) as part:
                    if _has_doctype(part):
                        raise InvalidValue(wrong)
        book = load_workbook(io.BytesIO(content), read_only=True)
        sheet = book.worksheets[0]
        return _bounded([_cell_text(cell) for cell in row] for row in sheet.iter_rows())
    except (zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, IndexError, OSError):
        raise InvalidValue(wrong) from None
    except (zlib.error, EOFError, RuntimeError):  # damaged, cut off, encrypted or packed in an odd way
        raise InvalidValue(wrong) from None


def _has_doctype(part: IO[bytes]) -> bool:
    """Tell whether a part is XML with a document type: its entities would grow past MOST_UNPACKED; OPC forbids it."""
    first: list[bool] = []
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = lambda *_told: first.append(True)
    parser.StartElementHandler = lambda *_told: first.append(False)
    with suppress(expat.ExpatError):  # no XML: nothing that openpyxl would expand
        while not first and (chunk := part.read(65_536)):
            parser.Parse(chunk)
    return first[:1] == [True]


def _cell_text(cell: Any) -> str:
    if cell.data_type == "f":
        raise InvalidValue(_("Cell %s holds a formula; only values are read.") % cell.coordinate)
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value).strip()


def _bounded(rows: Iterable[list[str]]) -> Table:
    found: Table = []
    for row in rows:
        if len(found) > MOST_ROWS:
            raise InvalidValue(_("The file has more than %d rows. Split it.") % MOST_ROWS)
        if len(row) > MOST_COLUMNS:
            raise InvalidValue(_("The file has more than %d columns.") % MOST_COLUMNS)
        found.append(row)
    return found


def to_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """Return rows as CSV in UTF-8 with a byte order mark, which spreadsheet programs need to see that it is UTF-8."""
    text = io.StringIO()
    csv.writer(text).writerows([_quoted(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def to_xlsx(rows: Iterable[Sequence[str]], title: str) -> bytes:
    """Return rows as XLSX with one sheet; every cell is text, whatever it begins with."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "B2"  # code and head stay in sight
    for row in rows:
        cells = []
        for text in row:
            cell = WriteOnlyCell(sheet, value=None)
            cell.value, cell.data_type = ILLEGAL_CHARACTERS_RE.sub("", text), "s"
            cells.append(cell)
        sheet.append(cells)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()
