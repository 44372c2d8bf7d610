"""Bytes are decoded by MSH-18 before they are split, and nothing is lost when MSH-18 is wrong."""

import pytest

from hl7.charsets import CHARSETS, lookup
from hl7.dialect import CharsetPolicy, Dialect
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
    "BIG-5": ("王^小東", "big5"),
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


# No letter of ISO 8859 is a byte from 0x80 to 0x9F: such a text is UTF-8, or a code page of Windows.
LIES = {
    "8859/1": ("O’Brien^Žofie", "cp1252"),
    "8859/2": ("Łukasz^Žofie", "cp1250"),
    "8859/4": ("Ķirsis^“Jānis”", "cp1257"),
    "8859/5": ("Юлия^“Ю”", "cp1251"),
    "8859/6": ("چمران^گل", "cp1256"),
    "8859/7": ("Άννα^“Α”", "cp1253"),
    "8859/8": ("שרון^“א”", "cp1255"),
    "8859/9": ("Çavuşoğlu^Šime", "cp1254"),
    "8859/15": ("O’Brien^Zoë", "cp1252"),
    "TIS-620": ("สม^“ใจ”", "cp874"),
}


@pytest.mark.parametrize("charset", LIES)
def test_text_of_windows_that_calls_itself_by_another_name_is_read_as_what_it_is(charset: str) -> None:
    name, codec = LIES[charset]
    message = read(send(msh(charset=charset), pid(name=name), encoding=codec))
    assert message["PID"].field(5) == name
    assert message.warnings == [f"the text does not fit MSH-18: it was read as Windows-{codec[2:]}"]


@pytest.mark.parametrize("name", ["Петров^Сергей", "МИРОНОВА^Мария", "Поэтова^Анна"])
def test_cyrillic_of_windows_is_known_by_signs_inside_of_words(name: str) -> None:
    message = read(send(msh(charset="8859/5"), pid(name=name), encoding="cp1251"))
    assert message["PID"].field(5) == name
    assert message.warnings == ["the text does not fit MSH-18: it was read as Windows-1251"]


@pytest.mark.parametrize(
    "text",
    ["Петров^Сергей", "ПЕТРОВ^СЕРГЕЙ", "Єфремов^Її", "Ђорђевић^Џон", "Ќурчиев^Ѕвезда", "ул.Мира №5 д№7, §3", "МОНиКИ№"],
)
def test_cyrillic_that_is_what_it_says_raises_no_doubt(text: str) -> None:
    message = read(send(msh(charset="8859/5"), pid(name=text), encoding="iso8859-5"))
    assert (message["PID"].field(5), message.warnings) == (text, [])


@pytest.mark.parametrize("policy", [CharsetPolicy.UTF_8, CharsetPolicy.DECLARED])
@pytest.mark.parametrize("charset", LIES)
def test_utf_8_with_bytes_that_the_named_set_has_no_letter_for_is_utf_8(charset: str, policy: CharsetPolicy) -> None:
    name = "Wałęsa^Žofie"
    message = read(send(msh(charset=charset), pid(name=name)), lambda *sender: Dialect(charset_policy=policy))
    assert message["PID"].field(5) == name
    assert (message.charset_fits, message.warnings) == (False, ["the text does not fit MSH-18: it was read as UTF-8"])


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


KANJI, KANA = "\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
KATAKANA = "ﾔﾏﾀﾞ^ﾀﾛｳ".encode("shift_jis").decode("latin-1")
SWITCHING = {
    "kanji": ("ISO IR6~ISO IR87", f"Yamada^Tarou={KANJI}={KANA}", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "kanji, back to JIS X 0201": ("ISO IR14~ISO IR87", KANJI.replace("(B", "(J"), "山田^太郎"),
    "kanji beside half-width katakana": ("ISO IR14~ISO IR87", f"{KATAKANA}={KANJI}", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎"),
    "kanji alone": ("ISO IR87", KANJI, "山田^太郎"),
    "half-width katakana with seven bits": ("ISO IR6~ISO IR14", "\x1b(ITO^\x1b(B^x", "ﾔﾏﾞ^x"),
    "kanji of both tables": ("ISO IR6~ISO IR87~ISO IR159", "\x1b$B;3\x1b$(Dl?\x1b(B^x", "山鷗^x"),
    "both tables the other way round": ("ISO IR6~ISO IR159~ISO IR87", "\x1b$B;3\x1b$(Dl?\x1b(B^x", "山鷗^x"),
    "escapes written out": ("ISO IR6~ISO IR87", "\\M2442\\;3ED\\C2842\\^x", "山田^x"),
    "Korean": ("ISO IR6~KS X 1001", "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "Hong^Gildong=洪^吉洞"),
    "Korean without escapes": ("ISO IR6~KS X 1001", "\xc8\xab^\xb1\xe6\xb5\xbf", "홍^길동"),
    "Korean with seven bits": ("ISO IR6~KS X 1001", "\x1b$)C\x0eH+\x0f^x", "홍^x"),
    "Korean escapes written out": ("ISO IR6~KS X 1001", "\\M242943\\\xc8\xab^x", "홍^x"),
    "Chinese": ("ISO IR6~GB2312", "Wang^XiaoDong=\x1b$)A\xcd\xf5^\x1b$)A\xd0\xa1\xb6\xab", "Wang^XiaoDong=王^小东"),
    "Greek": ("8859/1~8859/7", "M\xfcller^\x1b-F\xc4\xe9\xef\xed", "Müller^Διον"),
    "Cyrillic": ("ISO IR6~8859/5", "\x1b-L\xbb\xee\xda", "Люк"),
    "Thai": ("ISO IR6~TIS-620", "\x1b-T\xca\xc1", "สม"),
}


@pytest.mark.parametrize("case", SWITCHING)
def test_escape_sequences_switch_the_character_set(case: str) -> None:
    charset, written, name = SWITCHING[case]
    message = read(send(msh(charset=charset), f"PID|1||4711||{written}", "PV1|1|O", encoding="latin-1"))
    assert message["PID"].field(5) == name
    assert message["PV1"].get("2") == "O"
    assert (message.warnings, message.charset_fits) == ([], True)


@pytest.mark.parametrize("charset", ["", "8859/1", "UNICODE UTF-8"])
def test_escape_sequences_that_msh_18_does_not_announce_are_followed_and_told(charset: str) -> None:
    message = read(send(msh(charset=charset), f"PID|1||4711||{KANJI}"))
    assert message["PID"].get("5.1") == "山田"
    assert "switches its character set" in message.warnings[0]
    assert not message.charset_fits


def test_a_sequence_that_nobody_knows_is_no_reason_to_lose_a_text() -> None:
    message = read(
        send(msh(charset="ISO IR6~ISO IR87"), "PID|1||4711||Doe\x1b$)Z", "NTE|1||\x1b$Bx", encoding="latin-1")
    )
    assert message["PID"].get("5.1") == "Doe$)Z"
    assert message.warnings


def test_an_escape_of_another_sign_is_text() -> None:
    assert read(send(msh(charset=""), "PID|1||4711||/C2842/"))["PID"].get("5.1") == "/C2842/"


@pytest.mark.parametrize(
    ("policy", "charset", "encoding", "name", "fits"),
    [
        (CharsetPolicy.UTF_8, "8859/1", "utf-8", "Müller", False),
        (CharsetPolicy.DECLARED, "8859/1", "utf-8", "MÃ¼ller", False),
        (CharsetPolicy.KEEP, "8859/1", "utf-8", "Müller", False),
        (CharsetPolicy.DECLARED, "UNICODE UTF-8", "iso8859-1", "Müller", False),
        (CharsetPolicy.KEEP, "UNICODE UTF-8", "utf-8", "Müller", True),
        (CharsetPolicy.DECLARED, "8859/1", "iso8859-1", "Müller", True),
    ],
)
def test_the_endpoint_says_what_counts_when_msh_18_lies(
    policy: CharsetPolicy, charset: str, encoding: str, name: str, fits: bool
) -> None:
    dialect = Dialect(charset_policy=policy)
    message = read(send(msh(charset=charset), pid(name="Müller^Zoë"), encoding=encoding), lambda *sender: dialect)
    assert message["PID"].get("5.1") == name
    assert message.charset_fits == fits == (not message.warnings)


def test_the_endpoints_character_set_is_tried_before_windows() -> None:
    dialect = Dialect(charset="8859/5")
    message = read(send(msh(), pid(name="Анна"), encoding="iso8859-5"), lambda *sender: dialect)
    assert message["PID"].get("5.1") == "Анна"
    assert "8859/5" in message.warnings[0]
