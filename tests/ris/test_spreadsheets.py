"""Tables that people bring along may be made to do harm."""

import io
import zipfile

import pytest

from ris import spreadsheets
from ris.errors import InvalidValue


def test_an_xlsx_that_would_grow_when_it_is_read_is_refused() -> None:
    whole = io.BytesIO(spreadsheets.to_xlsx([["code"], ["CT1"]], "Exams"))
    bomb = io.BytesIO()
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            text = old.read(entry)
            if entry.filename.endswith("sheet1.xml"):
                text = b'<!DOCTYPE worksheet [<!ENTITY a "aaaaaaaaaa">]>' + text.partition(b"?>")[2]
            new.writestr(entry.filename, text)
    with pytest.raises(InvalidValue):
        spreadsheets.read("exams.xlsx", bomb.getvalue())
