"""Answers in the version, the delimiters and the character set of the sender; hl7apy reads them as valid."""

import re
from datetime import UTC, datetime

import pytest
from hl7apy.parser import parse_message

from hl7 import ack
from hl7.ack import Answer, Condition, Header, Place, Problem, acknowledge
from hl7.message import Message, read
from tests.messages import msh, pid, send

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
BAD_DATE = Problem(Condition.DATA_TYPE, "PID-7: is not a date", Place("PID", 1, 7, 1))
BEFORE_2_5 = ("2.1", "2.2", "2.3", "2.3.1", "2.4")
HL7APY_HAS_NO_STRUCTURE = ("2.1", "2.2", "2.3")  # its validate() raises AttributeError there
HL7APY_DROPS_ERR_1 = ("2.8", "2.8.1", "2.8.2", "2.9")  # the field was withdrawn, and its place goes with it
HL7APY_KNOWS = {"2.7.1": "2.7", "2.8": "2.8", "2.8.1": "2.8", "2.8.2": "2.8", "2.9": "2.8"}


def answer(
    version: str = "2.5.1", code: Answer = Answer.ACCEPT, problem: Problem | None = None, **header: str
) -> Message:
    received = read(send(msh("ADT^A08", control_id="MSG77", version=version, **header), pid()))
    return read(acknowledge(ack.header_of(received), code, NOW, problem))


@pytest.mark.parametrize("version", ack.VERSIONS)
def test_an_acceptance_names_the_message_it_answers(version: str) -> None:
    found = answer(version)
    assert (found["MSA"].get("1"), found["MSA"].get("2"), found["MSH"].get("12")) == ("AA", "MSG77", version)
    assert not found["ERR"]


@pytest.mark.parametrize("version", ack.VERSIONS)
@pytest.mark.parametrize("problem", [None, BAD_DATE])
def test_hl7apy_finds_every_answer_valid(version: str, problem: Problem | None) -> None:
    received = read(send(msh("ADT^A08", version=version, charset=""), pid()))
    code = Answer.ERROR if problem else Answer.ACCEPT
    written = acknowledge(ack.header_of(received), code, NOW, problem).decode()
    written = written.replace(f"|{version}\r", f"|{HL7APY_KNOWS.get(version, version)}\r")
    parsed = parse_message(written, find_groups=False)
    assert [child.name for child in parsed.children] == ["MSH", "MSA", *(["ERR"] if problem else [])]
    if version not in HL7APY_HAS_NO_STRUCTURE:
        assert parsed.validate()
    if version not in HL7APY_DROPS_ERR_1:
        assert parsed.to_er7().strip() == written.strip()


@pytest.mark.parametrize("version", ack.VERSIONS)
def test_what_is_undone_is_told_beside_an_acceptance(version: str) -> None:
    received = read(send(msh("ADT^A08", version=version, charset=""), pid()))
    undone = [BAD_DATE, Problem(Condition.UNKNOWN_KEY, "nobody knows it")]
    written = acknowledge(ack.header_of(received), Answer.ACCEPT, NOW, undone=undone).decode()
    parsed = parse_message(
        written.replace(f"|{version}\r", f"|{HL7APY_KNOWS.get(version, version)}\r"), find_groups=False
    )
    assert version in HL7APY_HAS_NO_STRUCTURE or parsed.validate()
    found = read(written.encode())
    if version in BEFORE_2_5:  # an ERR of these versions cannot say that it is no error
        assert (found["MSA"].get("3"), found.all("ERR")) == (BAD_DATE.text, [])
    else:
        told = [(one.field(2), one.get("3.1"), one.get("4"), one.get("8")) for one in found.all("ERR")]
        assert told == [("PID^1^7^1^1", "102", "W", BAD_DATE.text), ("", "204", "W", "nobody knows it")]


def test_sender_and_receiver_change_places() -> None:
    header = answer(application="HIS", facility="NORTH")["MSH"]
    assert [header.get(str(number)) for number in (3, 4, 5, 6)] == ["BUCKY", "RADIOLOGY", "HIS", "NORTH"]


@pytest.mark.parametrize(
    ("version", "kind"),
    [("2.1", "ACK"), ("2.2", "ACK^A08"), ("2.3", "ACK^A08"), ("2.3.1", "ACK^A08^ACK"), ("2.5.1", "ACK^A08^ACK")],
)
def test_the_message_type_has_the_form_of_the_version(version: str, kind: str) -> None:
    assert answer(version)["MSH"].field(9) == kind


@pytest.mark.parametrize("version", BEFORE_2_5)
def test_before_2_5_the_error_stands_in_err_1_and_in_words_in_msa_3(version: str) -> None:
    found = answer(version, Answer.ERROR, BAD_DATE)
    assert found["ERR"].field(1) == "PID^1^7^102&Data type error&HL70357"
    assert found["MSA"].get("3") == "PID-7: is not a date"


@pytest.mark.parametrize("version", [version for version in ack.VERSIONS if version not in BEFORE_2_5])
def test_from_2_5_on_the_error_has_place_code_severity_and_words(version: str) -> None:
    error = answer(version, Answer.ERROR, BAD_DATE)["ERR"]
    assert [error.field(number) for number in (1, 2, 3, 4, 8)] == [
        "",
        "PID^1^7^1^1",
        "102^Data type error^HL70357",
        "E",
        "PID-7: is not a date",
    ]


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("2.5.2", "2.5.1"),
        ("2.10", "2.9"),
        ("3", "2.9"),
        ("1.0", "2.1"),
        ("", "2.3.1"),
        ("x", "2.3.1"),
        ("2.5^USA", "2.5"),
    ],
)
def test_an_unknown_version_is_answered_in_the_nearest_one_below(sent: str, answered: str) -> None:
    assert answer(sent)["MSH"].get("12") == answered


def test_the_sender_s_own_delimiters_are_used() -> None:
    received = read(b"MSH#*!$%#HIS*1.2##BUCKY####ADT*A08#MSG%1#T#2.5\r")
    written = acknowledge(ack.header_of(received), Answer.ERROR, NOW, Problem(Condition.DATA_TYPE, "50 % wrong"))
    assert written.startswith(b"MSH#*!$%#BUCKY")
    assert read(written)["MSH"].field(5) == "HIS*1.2"
    assert read(written)["MSA"].field(2) == "MSG%1"
    assert read(written)["ERR"].get("8") == "50 % wrong"


def test_a_header_that_is_far_too_long_is_not_sent_back_whole() -> None:
    header = msh(application="A" * 9000, facility="F" * 9000, control_id="C" * 9000, processing_id="P" * 9000)
    written = acknowledge(ack.header_of(read(send(header, pid()))), Answer.ACCEPT, NOW)
    assert len(written) < 1000
    assert read(written)["MSH"].field(5) == "A" * 180


def test_the_answer_comes_in_the_character_set_of_the_message() -> None:
    received = read(send(msh(charset="8859/1", application="Zürich"), pid(), encoding="iso8859-1"))
    written = acknowledge(ack.header_of(received), Answer.ACCEPT, NOW)
    assert "Zürich".encode("iso8859-1") in written
    assert read(written).charset == "8859/1"


def test_every_answer_has_a_control_id_of_its_own() -> None:
    found = {answer()["MSH"].get("10") for _ in range(50)}
    assert len(found) == 50
    assert all(re.fullmatch(r"[0-9a-f]{20}", control_id or "") for control_id in found)


def test_the_last_segment_ends_as_the_sender_s_does() -> None:
    for raw, ends in ((send(msh(), pid()), True), (send(msh(), pid()).rstrip(), False)):
        assert acknowledge(ack.header_of(read(raw)), Answer.ACCEPT, NOW).endswith(b"\r") is ends


def test_the_processing_id_is_sent_back() -> None:
    assert answer(processing_id="T")["MSH"].get("11") == "T"


def test_unreadable_bytes_are_answered_in_the_standard_form() -> None:
    written = acknowledge(
        ack.header_of_bytes(b"\xff\xfehello"), Answer.REJECT, NOW, Problem(Condition.SEGMENT_SEQUENCE, "?")
    )
    assert read(written)["MSA"].get("1") == "AR"
    assert ack.header_of_bytes(b"") == Header()


def test_the_head_of_a_message_is_enough_for_its_answer() -> None:
    head = send(msh(control_id="BIG1"), pid())[:150]
    assert ack.header_of_bytes(head).control_id == "BIG1"


@pytest.mark.parametrize(("version", "code"), [("2.3.1", "102"), ("2.5.1", "102"), ("2.6", "102"), ("2.7", "104")])
def test_a_condition_that_a_version_does_not_know_is_said_in_another_way(version: str, code: str) -> None:
    error = answer(version, Answer.REJECT, Problem(Condition.VALUE_TOO_LONG, "too long"))["ERR"]
    assert (error.get("3") or error.get("1.4")) == code
