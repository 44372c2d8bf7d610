"""Batches: each message inside has its effect and its answer, whatever becomes of the others."""

import pytest

from hl7 import door
from hl7.batches import is_batch, split
from hl7.models import InboundMessage, MessageState
from ris.models import Order, Patient
from tests.hl7.conftest import PEER
from tests.messages import adt, msh, orm, pid
from tests.messages import send as written

FHS = "FHS|^~\\&|HIS|GH|BUCKY|RAD|20260105080000||night||F1"
BHS = "BHS|^~\\&|HIS|GH|BUCKY|RAD|20260105080000||orders||B1"


def file_of(*messages: bytes, begin: str = BHS, end: str = "BTS|{count}", around: tuple[str, str] = ("", "")) -> bytes:
    """Write a batch; `around` are FHS and FTS."""
    head, tail = around
    trailer = end.format(count=len(messages))
    parts = (
        [part.encode() + b"\r" for part in (head, begin) if part],
        [part.encode() + b"\r" for part in (trailer, tail) if part],
    )
    return b"".join([*parts[0], *messages, *parts[1]])


def segments_of(answer: bytes) -> list[list[str]]:
    return [line.split("|") for line in answer.decode().split("\r") if line]


def answers_of(answer: bytes) -> list[tuple[str, str]]:
    return [(fields[1], fields[2]) for fields in segments_of(answer) if fields[0] == "MSA"]


def test_each_message_of_a_batch_is_stored_applied_and_answered(hospital: None) -> None:
    messages = (
        adt("A04", control_id="M1"),
        orm("NW", control_id="M2"),
        orm("CA", placer="NOPE", control_id="M3"),
        adt("A04", pid("4712"), control_id="M4"),
    )
    answer = door.receive(file_of(*messages, around=(FHS, "FTS|1")), PEER)
    assert answers_of(answer) == [("AA", "M1"), ("AA", "M2"), ("AE", "M3"), ("AA", "M4")]
    assert (Patient.objects.count(), Order.objects.count()) == (2, 1)
    assert [bytes(row.raw) for row in InboundMessage.objects.order_by("pk")] == list(messages)
    first, second, *_inside, batch_end, file_end = segments_of(answer)
    assert (first[0], second[0]) == ("FHS", "BHS")
    assert (second[2:6], second[11]) == (["BUCKY", "RAD", "HIS", "GH"], "B1")
    assert (first[11], batch_end, file_end) == ("F1", ["BTS", "4"], ["FTS", "1"])


def test_a_batch_that_is_sent_again_has_no_second_effect(hospital: None) -> None:
    raw = file_of(adt("A04", control_id="M1"), orm("NW", control_id="M2"))
    assert answers_of(door.receive(raw, PEER)) == answers_of(door.receive(raw, PEER))
    assert Order.objects.count() == 1
    assert InboundMessage.objects.filter(state=MessageState.REPEATED).count() == 2


def test_several_batches_of_a_file_keep_their_messages_apart(hospital: None) -> None:
    one, other = file_of(adt("A04", control_id="M1")), file_of(adt("A04", pid("4712"), control_id="M2"))
    answer = door.receive(FHS.encode() + b"\r" + one + other + b"FTS|2\r", PEER)
    assert [fields[0] for fields in segments_of(answer)] == [
        *("FHS", "BHS", "MSH", "MSA", "BTS", "BHS", "MSH", "MSA", "BTS", "FTS")
    ]


def test_a_file_without_batches_is_answered_without_them(hospital: None) -> None:
    answer = door.receive(file_of(adt("A04", control_id="M1"), begin=FHS, end="FTS|1"), PEER)
    assert [fields[0] for fields in segments_of(answer)] == ["FHS", "MSH", "MSA", "FTS"]


def test_enhanced_mode_gets_both_answers_inside(hospital: None) -> None:
    header = msh("ADT^A04", control_id="M1").split("|")
    header[14:16] = ["AL", "AL"]
    answer = door.receive(file_of(written("|".join(header), pid())), PEER)
    assert answers_of(answer) == [("CA", "M1"), ("AA", "M1")]
    assert segments_of(answer)[-1] == ["BTS", "2"]


def test_a_batch_of_answers_is_not_answered(hospital: None) -> None:
    acks = [written(msh("ACK^A04"), f"MSA|AA|{number}") for number in range(2)]
    assert door.receive(file_of(*acks), PEER) == b""
    assert InboundMessage.objects.filter(state=MessageState.KEPT).count() == 2


def test_an_empty_batch_is_answered_empty(hospital: None) -> None:
    assert [fields[0] for fields in segments_of(door.receive(file_of(), PEER))] == ["BHS", "BTS"]


@pytest.mark.parametrize("end", ["", "BTS|7", "BTS|x"])
def test_a_wrong_count_is_noted_and_the_messages_are_taken(
    hospital: None, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = door.receive(file_of(adt("A04", control_id="M1"), end=end), PEER)
    assert answers_of(answer) == [("AA", "M1")]
    assert "its trailer names another count" in caplog.text


def test_what_is_no_message_inside_a_batch_is_kept_and_refused(hospital: None) -> None:
    answer = door.receive(file_of(b"PID|1||4711\r", adt("A04", control_id="M1")), PEER)
    assert answers_of(answer) == [("AR", ""), ("AA", "M1")]
    assert bytes(InboundMessage.objects.earliest("pk").raw) == b"PID|1||4711\r"


@pytest.mark.parametrize("raw", [b"FHS", b"BHS|", b"FHS|^~\\&\rBHS|^~\\&\r", b"BHS\x00\xff", b"FHS|" + b"|" * 5000])
def test_an_envelope_without_anything_is_refused_and_kept(hospital: None, raw: bytes) -> None:
    assert answers_of(door.receive(raw, PEER)) == [("AR", "")]
    assert bytes(InboundMessage.objects.get().raw) == raw


def test_own_delimiters_and_line_ends_of_a_batch_are_read() -> None:
    raw = b"\r\nBHS#^~\\&#HIS\n" + adt("A04").replace(b"\r", b"\r\n") + b"BTS#1\r\n"
    assert is_batch(raw)
    batch = split(raw)
    assert (batch.count, batch.miscounted) == (1, False)
    assert not is_batch(adt("A04"))
