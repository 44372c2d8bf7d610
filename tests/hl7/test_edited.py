"""A message as text to edit: nothing of it is lost on the way there and back, and what cannot be sent is said."""

import pytest

from hl7.edited import NotSendable, differences, editable, sendable
from tests.messages import adt, msh, pid
from tests.messages import send as written

NAMES = {
    "UNICODE UTF-8": ("utf-8", "Müller^Łukasz"),
    "8859/1": ("latin-1", "Müller^Zoë"),
    "8859/5": ("iso8859-5", "Иванов^Иван"),
    "ISO IR6~ISO IR87": ("iso2022_jp", "山田^太郎"),
    "GB 18030-2000": ("gb18030", "王^小东"),
    "": ("ascii", "Doe^Jane"),
}


@pytest.mark.parametrize("charset", NAMES)
def test_a_message_that_nobody_edits_stays_as_it_was(charset: str) -> None:
    codec, name = NAMES[charset]
    raw = written(msh(charset=charset), pid(name=name), encoding=codec)
    found = editable(raw)
    assert name in found.text
    assert sendable(found.text, found.codec) == raw


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_segments_whatever_ends_them(end: str) -> None:
    assert sendable(end.join(["MSH|^~\\&|A", "PID|1", ""]), "utf-8") == b"MSH|^~\\&|A\rPID|1\r"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MSH|^~\\&|A\nPID|\x0b", "control character"),
        ("MSH|^~\\&|A\nPID|␀", "control character"),
        ("PID|1", "does not begin with an MSH segment"),
        ("", "does not begin with an MSH segment"),
        ("MSH|^~\\&|A\nPID|||||Müller", "“ü” cannot be written in the character set of this message (ascii)"),
        ("MSH|^~\\&|A|||||||||||||||8859/1\nPID|||||Łukasz", "“Ł” cannot be written"),
    ],
)
def test_what_cannot_be_sent_is_said(text: str, said: str) -> None:
    with pytest.raises(NotSendable, match=said.replace("(", r"\(").replace(")", r"\)")):
        sendable(text, "ascii")


def test_another_character_set_is_chosen_in_msh_18() -> None:
    old = editable(written(msh(charset="8859/1"), pid(name="Müller^Zoë"), encoding="latin-1"))
    new = old.text.replace("8859/1", "UNICODE UTF-8").replace("Zoë", "Łukasz")
    assert "Łukasz".encode() in sendable(new, old.codec)


def test_control_characters_are_shown_as_pictures() -> None:
    assert editable(b"MSH|^~\\&|A\rNTE|\x0b\x00\x7f\n").text == "MSH|^~\\&|A\nNTE|␋␀␡"
    assert editable(b"hello\x00").text == "hello␀"


def test_what_was_changed_is_told_field_by_field() -> None:
    old = adt("A08", pid(), "NK1|1|Doe^John", control_id="M1")
    new = adt("A08", pid(birth_date="19620418"), "ZXX|1", control_id="M2")
    assert [(change.label, change.before, change.after) for change in differences(old, new)] == [
        ("MSH-10", "M1", "M2"),
        ("PID-7", "19620417", "19620418"),
        ("NK1", "NK1|1|Doe^John", ""),
        ("ZXX", "", "ZXX|1"),
    ]
    assert differences(old, old) == []
