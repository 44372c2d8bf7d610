"""Character sets of devices: which there are, what can be written in each, and the bytes of it."""

import pytest
from pydicom.charset import decode_bytes

from worklist.charsets import ALONE, EXTENDED, SINGLE, BadCharacterSet, check, codecs_of, is_writable, write


@pytest.mark.parametrize(
    "character_set",
    [
        *ALONE,
        *SINGLE,
        *(f"\\{value}" for value in EXTENDED),
        "ISO_IR 6",
        "\\ISO 2022 IR 87",
        "ISO 2022 IR 6\\ISO 2022 IR 100",
        "ISO 2022 IR 13\\ISO 2022 IR 87\\ISO 2022 IR 159",
        "\\ISO 2022 IR 149",
        "ISO 2022 IR 100\\ISO 2022 IR 58",
    ],
)
def test_what_the_standard_knows(character_set: str) -> None:
    check(character_set)


@pytest.mark.parametrize(
    ("character_set", "reason"),
    [
        ("UTF-8", "unknown"),
        ("ISO_IR 203", "unknown"),
        ("", "first"),
        ("ISO 2022 IR 87", "first"),
        ("ISO 2022 IR 100", "first"),
        ("ISO 2022 IR 87\\ISO 2022 IR 13", "first"),
        ("\\ISO 2022 IR 87\\", "first"),
        ("ISO_IR 192\\ISO 2022 IR 87", "alone"),
        ("\\GB18030", "alone"),
        ("ISO_IR 100\\ISO 2022 IR 87", "extension"),
        ("\\ISO_IR 100", "extension"),
        ("\\ISO 2022 IR 87\\ISO 2022 IR 87", "twice"),
        ("\\ISO 2022 IR 99", "unknown"),
        ("\\", "first"),
    ],
)
def test_what_it_does_not_know(character_set: str, reason: str) -> None:
    with pytest.raises(BadCharacterSet) as wrong:
        check(character_set)
    assert wrong.value.reason == reason


@pytest.mark.parametrize(
    ("text", "character_set", "sent"),
    [
        ("Doe", "ISO_IR 6", b"Doe"),
        ("Müller", "ISO_IR 100", b"M\xfcller"),
        ("Müller", "ISO_IR 192", "Müller".encode()),
        ("Müller", "ISO 2022 IR 6\\ISO 2022 IR 100", b"M\x1b-A\xfcller"),
        ("Wałęsa", "ISO_IR 101", b"Wa\xb3\xeasa"),
        ("Иванов", "ISO_IR 144", b"\xb8\xd2\xd0\xdd\xde\xd2"),
        ("ภาษา", "ISO_IR 166", b"\xc0\xd2\xc9\xd2"),
        ("王小东", "GB18030", b"\xcd\xf5\xd0\xa1\xb6\xab"),
        ("王小东", "GBK", b"\xcd\xf5\xd0\xa1\xb6\xab"),
        # PS3.5 annexes H and I
        ("山田", "\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B"),
        ("やまだ", "\\ISO 2022 IR 87", b"\x1b$B$d$^$@\x1b(B"),
        ("ﾔﾏﾀﾞ", "ISO_IR 13", b"\xd4\xcf\xc0\xde"),
        ("ﾔﾏ山ﾀﾞ", "ISO 2022 IR 13\\ISO 2022 IR 87", b"\xd4\xcf\x1b$B;3\x1b(J\xc0\xde"),
        ("Hong", "\\ISO 2022 IR 149", b"Hong"),
        ("洪", "\\ISO 2022 IR 149", b"\x1b$)C\xfb\xf3"),
        ("길동", "\\ISO 2022 IR 149", b"\x1b$)C\xb1\xe6\xb5\xbf"),
        ("é山", "\\ISO 2022 IR 87\\ISO 2022 IR 159", b"\x1b$(D+1\x1b(B\x1b$B;3\x1b(B"),
        ("Müller Ł", "ISO 2022 IR 100\\ISO 2022 IR 101", b"M\xfcller \x1b-B\xa3"),
        ("Ł\nŁ", "ISO 2022 IR 100\\ISO 2022 IR 101", b"\x1b-B\xa3\n\x1b-B\xa3"),
    ],
)
def test_the_bytes_of_a_text(text: str, character_set: str, sent: bytes) -> None:
    assert is_writable(text, character_set)
    assert write(text, character_set) == sent
    if "\n" not in text:
        assert decode_bytes(sent, list(codecs_of(character_set)), set()) == text


@pytest.mark.parametrize(
    ("text", "character_set"),
    [
        ("é", "ISO_IR 6"),
        ("é", "\\ISO 2022 IR 87"),
        ("Wałęsa", "ISO_IR 100"),
        ("山田", "ISO_IR 13"),
        ("山田", "ISO_IR 100"),
        ("김", "\\ISO 2022 IR 87"),
        ("€", "ISO_IR 100"),
    ],
)
def test_what_cannot_be_written_is_known_beforehand(text: str, character_set: str) -> None:
    assert not is_writable(text, character_set)
