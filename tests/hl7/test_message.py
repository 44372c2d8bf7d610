"""Messages are read whatever their line ends, delimiters, character sets and mistakes."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hl7.message
from hl7.message import NULL, NotHL7, read
from tests.messages import msh, pid, send

JANE = pid("4711^^^HIS&1.2.3&ISO^MR~123-45^^^STATE^SS", "Doe^Jane^Q")


def test_the_examples_in_the_documentation_are_right() -> None:
    assert doctest.testmod(hl7.message).failed == 0


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\n\r", "\r\r"])
def test_segments_end_with_any_line_end(end: str) -> None:
    message = read(send(msh(), JANE, "PV1|1|O", end=end))
    assert [segment.name for segment in message] == ["MSH", "PID", "PV1"]
    assert message["PID"].get("5.1") == "Doe"


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n", b"  ", b"\x00", b"\r\n\xef\xbb\xbf"])
def test_blanks_and_a_byte_order_mark_before_the_message_are_skipped(before: bytes) -> None:
    assert read(before + send(msh(), JANE))["PID"].get("3.1") == "4711"


def test_the_sender_s_own_delimiters_are_used() -> None:
    message = read(b"MSH#*!$%#HIS##BUCKY###ADT*A08\rPID#1##4711***HIS%1.2!12##Doe*Jane $R$ Co $F$ 1\r")
    assert message["PID"].get("3.4.2") == "1.2"
    assert [number.get(1) for number in message["PID"].repetitions(3)] == ["4711", "12"]
    assert message["PID"].get("5.2") == "Jane ! Co # 1"


@pytest.mark.parametrize("sent", [b"MSH|^~\\|HIS", b"MSH||HIS", b"MSH|^|HIS", b"MSH|^^^^|HIS", b"MSH|abcd|HIS"])
def test_missing_or_impossible_delimiters_fall_back_to_the_standard_ones(sent: bytes) -> None:
    message = read(sent + b"\rPID|1||4711^^^HIS&1.2\r")
    assert message["PID"].get("3.4.2") == "1.2"


def test_fields_components_and_subcomponents_are_found_by_path() -> None:
    segment = read(send(msh(), JANE))["PID"]
    assert (segment.get("3"), segment.get("3.4"), segment.get("3.4.3"), segment.get("3.5")) == (
        "4711",
        "HIS",
        "ISO",
        "MR",
    )
    assert segment.repetitions(3)[1].get(4) == "STATE"


def test_msh_counts_its_separator_as_a_field() -> None:
    header = read(send(msh("ADT^A04", control_id="77")))["MSH"]
    assert (header.field(1), header.field(2), header.get("9.2"), header.get("10")) == ("|", "^~\\&", "A04", "77")


def test_absent_and_empty_are_none_and_two_quotes_erase() -> None:
    segment = read(send(msh(), 'PID|1||4711||""^Jane||""'))["PID"]
    assert segment.get("7") is NULL
    assert segment.get("5.1") is NULL
    assert segment.get("5.2") == "Jane"
    assert (segment.get("2"), segment.get("5.3"), segment.get("30")) == (None, None, None)


def test_every_component_of_an_erased_field_is_erased() -> None:
    assert read(send(msh(), 'PID|1||4711||""'))["PID"].get("5.2") is NULL


def test_a_segment_that_is_not_there_is_false_and_empty() -> None:
    missing = read(send(msh()))["ZZZ"]
    assert not missing
    assert missing.get("3.1") is None
    assert missing.repetitions(3) == []


def test_unknown_segments_and_segments_out_of_order_are_kept() -> None:
    message = read(send(msh(), "ZDS|1.2.3^^Application^DICOM", JANE, "QQQ|x"))
    assert [segment.name for segment in message] == ["MSH", "ZDS", "PID", "QQQ"]
    assert message["ZDS"].get("1") == "1.2.3"


def test_segments_of_one_name_are_numbered() -> None:
    message = read(send(msh(), "NTE|1||one", JANE, "NTE|2||two"))
    assert [(segment.number, segment.position) for segment in message.all("NTE")] == [(1, 1), (2, 3)]


def test_a_line_break_inside_a_text_does_not_cut_it() -> None:
    message = read(send(msh(), "NTE|1||first line\nsecond line", JANE))
    assert message["NTE"].text(3) == "first line\nsecond line"
    assert message["PID"].get("3.1") == "4711"
    assert len(message.warnings) == 1


def test_small_letters_and_blanks_before_a_segment_name_do_not_hide_it() -> None:
    assert read(send(msh(), "  pid|1||4711"))["PID"].get("3") == "4711"


def test_control_characters_are_left_out_of_values() -> None:
    message = read(send(msh(), "PID|1||47\x01\\X00\\11||Do\x7fe^Ja\tne", "NTE|1||one\\.br\\two"))
    assert (message["PID"].get("3"), message["PID"].get("5.1"), message["PID"].get("5.2")) == ("4711", "Doe", "Ja\tne")
    assert message["NTE"].get("3") == "one\ntwo"


def test_zero_bytes_are_left_out() -> None:
    message = read(send(msh(), "PID|1||47\x0011"))
    assert message["PID"].get("3") == "4711"
    assert message.warnings == ["zero bytes were left out"]


@pytest.mark.parametrize(
    "raw", [b"", b"hello", b"MSH", b"MSH|", b"MSHx^~\\&|", b"MSH ^~\\&", b"PID|1", b"\xff\xfe", b"msh|^~\\&|"]
)
def test_what_does_not_begin_with_msh_is_not_hl7(raw: bytes) -> None:
    with pytest.raises(NotHL7):
        read(raw)


def test_a_header_of_a_few_fields_is_read() -> None:
    assert read(b"MSH|^~\\&|HIS")["MSH"].get("10") is None


def test_five_thousand_results_are_read() -> None:
    results = (f"OBX|{number}|NM|8302-2^height^LN||{number}|cm" for number in range(5000))
    assert len(read(send(msh(), JANE, *results)).all("OBX")) == 5000


@given(st.binary(max_size=300))
def test_no_bytes_can_break_the_reader(data: bytes) -> None:
    message = read(b"MSH|^~\\&|HIS|GH|||2026||ADT^A08|1|P|2.5||||||8859/1\r" + data)
    for segment in message:
        for number in range(1, 12):
            segment.get(f"{number}.2.2")
            segment.text(number)


@given(st.text(alphabet='MSHPID|^~\\&\r\n"X0F.br é漢\x1b', max_size=120))
def test_no_text_can_break_the_reader(text: str) -> None:
    try:
        message = read(("MSH|" + text).encode())
    except NotHL7:
        return
    for segment in message:
        segment.get("3.1")
