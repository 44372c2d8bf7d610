"""Messages for people: field names, escapes undone, bytes made visible."""

import pytest

from hl7.readable import readable, readable_answer, visible

ADT = (
    b"MSH|^~\\&|HIS|GH|BUCKY|GH|20260105||ADT^A08|C1|P|2.5.1||||||UNICODE UTF-8\r"
    b'PID|1||4711^^^HIS^MR~123^^^INS^NI||M\xc3\xbcller^Anna||19620417|F|||Street 1\\.br\\Town||""\r'
    b"ZXY|1|own\r"
)


def texts(raw: bytes) -> dict[str, list[list[str]]]:
    return {
        field.place: [[part.text for part in parts] for parts in field.repetitions]
        for segment in readable(raw)
        for field in segment.fields
    }


def test_each_field_has_its_name_from_the_standard() -> None:
    names = {field.place: field.name for segment in readable(ADT) for field in segment.fields}
    assert names["PID-3"] == "Patient identifier list"
    assert names["PID-5"] == "Patient name"
    assert names["MSH-10"] == "Message control id"
    assert names["ZXY-2"] == ""


def test_components_have_their_names() -> None:
    (name,) = [field for segment in readable(ADT) for field in segment.fields if field.place == "PID-5"]
    assert [(part.name, part.text) for part in name.repetitions[0]] == [
        ("Family name", "Müller"),
        ("Given name", "Anna"),
    ]


def test_repetitions_components_and_escapes_are_read() -> None:
    found = texts(ADT)
    assert found["PID-3"] == [["4711", "HIS", "MR"], ["123", "INS", "NI"]]
    assert found["PID-11"] == [["Street 1\nTown"]]
    assert found["MSH-1"] == [["|"]]
    assert found["MSH-2"] == [["^~\\&"]]


def test_what_the_sender_erases_is_said() -> None:
    (phone,) = [field for segment in readable(ADT) for field in segment.fields if field.place == "PID-13"]
    assert phone.repetitions[0][0].erased


@pytest.mark.parametrize("version", [b"2.1", b"2.3.1", b"2.7.1", b"2.9", b"", b"nonsense"])
def test_every_version_is_readable(version: bytes) -> None:
    segments = readable(ADT.replace(b"2.5.1", version))
    assert [segment.name for segment in segments] == ["MSH", "PID", "ZXY"]


@pytest.mark.parametrize("raw", [b"", b"\x00\xff", b"PID|1", b"<script>"])
def test_what_is_no_message_has_no_segments(raw: bytes) -> None:
    assert readable(raw) == []


def test_control_characters_and_odd_bytes_are_visible() -> None:
    assert visible(b"MSH|\x0b\x1c\x00\x7f\rPID|M\xfcller\nZ") == "MSH|␋␜␀␡␍\nPID|M⟨FC⟩ller␊\nZ"


def test_a_huge_message_is_cut() -> None:
    assert len(visible(b"A" * 10_000_000)) < 200_010
    assert len(readable(b"MSH|^~\\&|A\r" + b"OBX|1\r" * 100_000)) == 500


def test_an_answer_is_told_in_words() -> None:
    answer = readable_answer(
        b"MSH|^~\\&|B|R|H|R|20261122||ACK|1|P|2.5.1\rMSA|AE|C3\r"
        b"ERR||ORC^1^2^1|204^Unknown key identifier^HL70357|E||||ORC-2: No order has this number.\r"
    )
    assert answer is not None
    assert (answer.code, answer.meaning) == ("AE", "refused: something in the message is wrong")
    assert answer.lines == [("204", "ORC-2: No order has this number.")]
    assert answer.beside(["ORC-2: No order has this number."]) == []
    assert readable_answer(b"") is None
