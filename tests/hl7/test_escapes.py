"""Escape sequences are undone when reading and made when writing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hl7.escapes import escape, unescape
from hl7.message import Delimiters

STANDARD = Delimiters()
OTHERS = Delimiters("#", "*", "!", "$", "%")

WRITTEN = {
    r"a\F\b": "a|b",
    r"a\S\b": "a^b",
    r"a\T\b": "a&b",
    r"a\R\b": "a~b",
    r"a\E\b": "a\\b",
    r"\E\F\E": r"\F\E",
    r"a\.br\b": "a\nb",
    r"a\.sp2\b": "a\n\nb",
    r"a\.sk3\b": "a   b",
    r"a\.in+4\b": "ab",
    r"a\.ce\b": "a\nb",
    r"\H\alarm\N\ ": "alarm ",
    r"\X41\ \X4a4B\ ": "A JK ",
    r"\XC3BC\ ": "ü ",
    r"\XFC\ ": "ü ",
    r"C:\Programs\x": r"C:\Programs\x",
    r"one \ and \F\ more": "one \\ and | more",
    r"\Zown\ ": r"\Zown\ ",
    r"\.xx\ ": r"\.xx\ ",
    "no escape": "no escape",
}


@pytest.mark.parametrize("written", WRITTEN)
def test_an_escape_becomes_what_it_stands_for(written: str) -> None:
    assert unescape(written, STANDARD, "utf-8") == WRITTEN[written]


def test_hexadecimal_data_is_read_in_the_character_set_of_the_message() -> None:
    assert unescape(r"\XC6\ ", STANDARD, "iso8859-5") == "Ц "


@given(st.text(alphabet="ab|^~\\&#*!$%\n é漢"), st.sampled_from([STANDARD, OTHERS]))
def test_what_is_written_is_read_back(text: str, marks: Delimiters) -> None:
    written = escape(text, marks)
    assert not set(marks.field + marks.component + marks.repetition + marks.subcomponent) & set(written)
    assert unescape(written, marks, "utf-8") == text
