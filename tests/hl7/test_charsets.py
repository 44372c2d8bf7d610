"""Bytes are decoded by MSH-18 before they are split, and nothing is lost when MSH-18 is wrong."""

import pytest

from hl7.charsets import CHARSETS, lookup
from hl7.message import read
from tests.messages import msh, pid, send

NAMES = {
    "8859/1": ("Müller^Zoë", "iso8859-1"),
    "8859/2": ("Dvořák^Šárka", "iso8859-2"),
    "8859/3": ("Ħaż^Ġorġ", "iso8859-3"),
    "8859/4": ("Kąžys^Eglė", "iso8859-4"),
    "8859/5": ("Люкceмбypг^Анна", "iso8859-5"),
    "8859/6": ("قباني^لنزار", "iso8859-6"),
    "8859/7": ("Διονυσιος^Άννα", "iso8859-7"),
    "8859/8": ("שרון^דבורה", "iso8859-8"),
    "8859/9": ("Çavuşoğlu^İpek", "iso8859-9"),
    "8859/15": ("Œuvré^Zoë", "iso8859-15"),
    "ISO IR14": ("ﾔﾏﾀﾞ^ﾀﾛｳ", "shift_jis"),
    "ISO IR6~ISO IR87": ("山田^太郎", "iso2022_jp"),
    "ISO IR6~ISO IR159": ("山田^鷗外", "iso2022_jp_1"),
    "GB 18030-2000": ("王^小东", "gb18030"),
    "KS X 1001": ("홍^길동", "euc_kr"),
    "TIS-620": ("สมชาย^ใจดี", "tis_620"),
    "UNICODE UTF-8": ("山田^Müller", "utf-8"),
    "UNICODE": ("Łukasz^Żaneta", "utf-8"),
}


@pytest.mark.parametrize("charset", NAMES)
def test_a_name_is_read_in_its_character_set(charset: str) -> None:
    name, codec = NAMES[charset]
    message = read(send(msh(charset=charset), pid(name=name), encoding=codec))
    assert f"{message['PID'].get('5.1')}^{message['PID'].get('5.2')}" == name
    assert message.warnings == []


def test_a_second_byte_that_looks_like_a_delimiter_does_not_cut() -> None:
    # The second byte of this character is 0x7C, the field separator.
    name = "倈^太郎"
    assert b"|" in name.encode("gb18030")
    assert read(send(msh(charset="GB 18030-2000"), pid(name=name), encoding="gb18030"))["PID"].get("5.1") == "倈"


@pytest.mark.parametrize("charset", ["", "ASCII"])
@pytest.mark.parametrize(("encoding", "told"), [("utf-8", "UTF-8"), ("cp1252", "Windows-1252")])
def test_without_a_character_set_the_bytes_are_guessed_and_the_guess_is_told(
    charset: str, encoding: str, told: str
) -> None:
    message = read(send(msh(charset=charset), pid(name="Müller^Zoë"), encoding=encoding))
    assert message["PID"].get("5.1") == "Müller"
    assert told in message.warnings[0]


def test_utf_8_that_calls_itself_8859_1_is_read_as_what_it_is() -> None:
    message = read(send(msh(charset="8859/1"), pid(name="Müller^Zoë"), encoding="utf-8"))
    assert message["PID"].get("5.1") == "Müller"
    assert message.warnings


def test_8859_1_that_calls_itself_utf_8_is_read_as_what_it_is() -> None:
    message = read(send(msh(charset="UNICODE UTF-8"), pid(name="Müller^Zoë"), encoding="iso8859-1"))
    assert message["PID"].get("5.1") == "Müller"
    assert message.warnings


def test_bytes_that_no_character_set_has_are_still_read() -> None:
    message = read(send(msh(charset=""), "PID|1||4711||Doe") + b"NTE|1||\x81\xff\r")
    assert message["PID"].get("5.1") == "Doe"
    assert "ISO 8859-1" in message.warnings[0]


def test_an_unknown_character_set_is_told_and_the_bytes_are_guessed() -> None:
    message = read(send(msh(charset="KLINGON"), pid(name="Müller^Zoë")))
    assert message["PID"].get("5.1") == "Müller"
    assert "not known" in message.warnings[0]


def test_plain_ascii_needs_no_guess() -> None:
    assert read(send(msh(charset=""), pid())).warnings == []


@pytest.mark.parametrize("written", ["8859/1", "ISO 8859-1", "utf8", "UTF-8", "ISO IR 87", "gb18030", "unicode utf-8"])
def test_spellings_that_senders_use_are_known(written: str) -> None:
    assert lookup(written) is not None


def test_every_codec_of_the_table_exists() -> None:
    for charset in CHARSETS.values():
        "A".encode(charset.codec)
