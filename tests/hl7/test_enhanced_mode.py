"""A sender that fills MSH-15 or MSH-16 gets the acknowledgments that it asks for, and no others."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError

from hl7 import handlers, intake, mllp
from hl7.message import Message, read
from hl7.models import InboundMessage, MessageState
from hl7.readable import readable_answer
from ris.models import Patient
from tests.hl7.conftest import PEER
from tests.messages import mrg, msh, pid
from tests.messages import send as written

pytestmark = pytest.mark.usefixtures("hospital")


def message(accept: str, application: str, *segments: str, kind: str = "ADT^A04", version: str = "2.5.1") -> bytes:
    """Write a message whose MSH-15 and MSH-16 say which acknowledgments are wanted."""
    header = msh(kind, control_id="M1", version=version).split("|")
    header[14:16] = [accept, application]
    return written("|".join(header), *(segments or (pid(),)))


def good(accept: str, application: str) -> bytes:
    return message(accept, application)


def wrong(accept: str, application: str) -> bytes:
    return message(accept, application, pid(birth_date="20260230"))


def unknown(accept: str, application: str) -> bytes:
    return message(accept, application, kind="ADT^A99")


def two_in_one(accept: str, application: str) -> bytes:
    return message(accept, application, pid(), msh(), pid())


def answers(raw: bytes) -> list[Message]:
    return [read(answer) for answer in filter(None, intake.receive(raw, PEER).split(mllp.BETWEEN))]


def codes(raw: bytes) -> list[str | None]:
    return [answer["MSA"].get("1") for answer in answers(raw)]


@pytest.mark.parametrize(
    ("write", "accept", "application", "expected"),
    [
        (good, "", "", ["AA"]),
        (good, "AL", "NE", ["CA"]),
        (good, "AL", "", ["CA"]),
        (good, "AL", "AL", ["CA", "AA"]),
        (good, "NE", "AL", ["AA"]),
        (good, "", "AL", ["AA"]),
        (good, "NE", "NE", []),
        (good, "ER", "ER", []),
        (good, "SU", "SU", ["CA", "AA"]),
        (good, "AL", "ER", ["CA"]),
        (good, "XX", "al", ["CA", "AA"]),
        (wrong, "AL", "AL", ["CA", "AE"]),
        (wrong, "AL", "ER", ["CA", "AE"]),
        (wrong, "AL", "SU", ["CA"]),
        (wrong, "ER", "ER", ["AE"]),
        (wrong, "AL", "NE", ["CA"]),
        (unknown, "AL", "AL", ["CR"]),
        (unknown, "ER", "NE", ["CR"]),
        (unknown, "SU", "AL", ["AR"]),
        (unknown, "NE", "NE", []),
        (two_in_one, "AL", "AL", ["CE"]),
    ],
)
def test_a_sender_gets_what_it_asks_for(
    write: Callable[[str, str], bytes], accept: str, application: str, expected: list[str]
) -> None:
    assert codes(write(accept, application)) == expected
    assert InboundMessage.objects.get().answer_code == (expected[-1] if expected else "")


def test_each_acknowledgment_is_a_message_of_its_own() -> None:
    first, second = answers(wrong("AL", "AL"))
    assert first["MSH"].get("10") != second["MSH"].get("10")
    assert (first["MSA"].get("2"), second["MSA"].get("2")) == ("M1", "M1")
    assert (bool(first["ERR"]), second["ERR"].get("3")) == (False, "102")


def test_our_acknowledgment_asks_for_none() -> None:
    first, second = answers(good("AL", "AL"))
    assert [first["MSH"].field(number) for number in (15, 16, 18)] == ["", "", "UNICODE UTF-8"]
    assert [second["MSH"].field(number) for number in (15, 16, 18)] == ["NE", "NE", "UNICODE UTF-8"]


def test_a_repeat_gets_both_again_and_has_no_second_effect() -> None:
    raw = good("AL", "AL")
    assert intake.receive(raw, PEER) == intake.receive(raw, PEER)
    assert Patient.objects.count() == 1
    assert InboundMessage.objects.latest("pk").state == MessageState.REPEATED


def test_a_repeat_of_what_was_not_to_be_answered_is_not_answered() -> None:
    raw = good("NE", "NE")
    assert [intake.receive(raw, PEER), intake.receive(raw, PEER)] == [b"", b""]
    assert InboundMessage.objects.latest("pk").state == MessageState.REPEATED


def test_nothing_is_accepted_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as broken:
        broken.setattr(handlers, "apply", away)
        assert codes(good("AL", "AL")) == ["CE"]
    assert codes(good("AL", "AL")) == ["CA", "AA"], "it was sent again and is applied now"


@pytest.mark.parametrize("version", ["2.2", "2.3", "2.3.1", "2.4"])
def test_old_versions_get_the_reason_in_words(version: str) -> None:
    raw = message("AL", "AL", pid(birth_date="20260230"), version=version)
    _, second = answers(raw)
    assert (second["MSA"].get("1"), second["MSH"].get("12")) == ("AE", version)
    assert (second["MSA"].get("3") or "").startswith("PID-7")


def test_the_log_shows_what_the_application_said() -> None:
    intake.receive(message("AL", "AL", pid(), mrg("4711"), kind="ADT^A40"), PEER)
    shown = readable_answer(bytes(InboundMessage.objects.get().answer))
    assert shown is not None
    assert (shown.code, "AE" in shown.meaning) == ("AE", False)
