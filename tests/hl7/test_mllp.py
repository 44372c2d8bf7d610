"""A stream of bytes is cut into the same frames however TCP cut it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hl7.mllp import HEAD_BYTES, Frame, FrameReader, frame

MESSAGE = b"MSH|^~\\&|HIS\rPID|1\r"


def frames(*chunks: bytes, max_bytes: int = 10_000) -> list[Frame]:
    reader = FrameReader(max_bytes)
    return [found for chunk in chunks for found in reader.feed(chunk)]


def test_a_frame_gives_its_message() -> None:
    assert frames(frame(MESSAGE)) == [Frame(MESSAGE)]


def test_two_messages_in_one_segment_come_out_in_order() -> None:
    assert frames(frame(b"MSH|1") + frame(b"MSH|2")) == [Frame(b"MSH|1"), Frame(b"MSH|2")]


def test_an_empty_frame_is_a_frame() -> None:
    assert frames(frame(b"")) == [Frame(b"")]


@pytest.mark.parametrize("noise", [b"\r\n", b"\x1c\r", b"GET / HTTP/1.1\r\n\r\n", b"\x00\xff"])
def test_bytes_between_frames_are_ignored(noise: bytes) -> None:
    assert frames(noise + frame(MESSAGE) + noise + frame(MESSAGE)) == [Frame(MESSAGE)] * 2


def test_a_line_feed_instead_of_the_carriage_return_ends_a_frame() -> None:
    assert frames(b"\x0bMSH|1\x1c\n" + frame(b"MSH|2")) == [Frame(b"MSH|1"), Frame(b"MSH|2")]


def test_the_next_frame_ends_one_whose_carriage_return_is_missing() -> None:
    assert frames(b"\x0bMSH|1\x1c" + frame(b"MSH|2")) == [Frame(b"MSH|1"), Frame(b"MSH|2")]


def test_a_sender_that_forgets_the_carriage_return_and_waits_gets_its_frame_after_the_grace() -> None:
    reader = FrameReader(100)
    assert reader.feed(b"\x0bMSH|1\x1c") == []
    assert reader.awaits_cr
    assert reader.finish() == [Frame(b"MSH|1")]
    assert reader.feed(b"\r" + frame(b"MSH|2")) == [Frame(b"MSH|2")]


def test_finish_leaves_a_frame_that_has_not_ended() -> None:
    reader = FrameReader(100)
    reader.feed(b"\x0bMSH|1")
    assert reader.finish() == []
    assert reader.inside


def test_marks_inside_a_text_are_text() -> None:
    pasted = b"MSH|1\rOBX|1|TX|||first\x0bsecond\x1cthird\r"
    assert frames(frame(pasted)) == [Frame(pasted)]


def test_a_new_message_makes_one_that_never_ended_void() -> None:
    reader = FrameReader(1000)
    assert reader.feed(b"\x0bMSH|lost\rPID|" + frame(b"MSH|found")) == [Frame(b"MSH|found")]
    assert reader.dropped == 1


def test_an_oversized_frame_is_reported_with_its_head_and_ends_the_reading() -> None:
    reader = FrameReader(10_000)
    big = b"MSH|^~\\&|HIS" + b"x" * 70_000
    (refused,) = reader.feed(b"\x0b" + big)
    assert refused == Frame(big[:HEAD_BYTES], oversized=True)
    assert reader.refusing
    assert reader.feed(frame(MESSAGE)) == []


def test_a_frame_of_exactly_the_bound_is_taken_and_one_byte_more_is_not() -> None:
    assert frames(frame(b"x" * 50), max_bytes=50) == [Frame(b"x" * 50)]
    assert frames(frame(b"x" * 51), max_bytes=50)[0].oversized
    assert frames(*(bytes([byte]) for byte in frame(b"x" * 50)), max_bytes=50) == [Frame(b"x" * 50)]


def test_memory_stays_within_the_bound_while_a_frame_drips_in() -> None:
    reader = FrameReader(1000)
    reader.feed(b"\x0b")
    for _ in range(100):
        reader.feed(b"noise" * 100)
    assert len(reader._buffer) <= 1003


@given(
    contents=st.lists(
        st.binary(max_size=60).filter(lambda data: b"\x1c" not in data and b"\x0b" not in data), max_size=6
    ),
    cuts=st.lists(st.integers(min_value=0, max_value=500), max_size=12),
)
def test_cutting_the_stream_anywhere_changes_nothing(contents: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(content) for content in contents)
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    chunks = [stream[a:b] for a, b in itertools.pairwise(places)]
    assert frames(*chunks) == [Frame(content) for content in contents]


@given(
    data=st.lists(
        st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\n", b"MSH", b"FHS", b"|", b"text", b"\xff"]), max_size=40
    )
)
def test_any_stream_gives_the_same_frames_whole_and_byte_by_byte(data: list[bytes]) -> None:
    stream = b"".join(data)
    single = [stream[n : n + 1] for n in range(len(stream))]
    assert frames(stream, max_bytes=30) == frames(*single, max_bytes=30)
