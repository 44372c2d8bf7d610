"""A hospital that has a few scanners, and its information system that sends messages."""

import pytest

from hl7 import intake
from hl7.message import Message, read
from hl7.models import InboundMessage
from tests import factories
from tests.hl7.stories import Accepted, Refused, Send

PEER = "10.0.0.7"


@pytest.fixture
def hospital(db: None) -> None:
    """Two CTs, an MR and two exams."""
    for name in ("CT1", "CT2", "MR1"):
        factories.station(name)
    factories.exam("CTABD")
    factories.exam("MRHEAD", meaning="MR head")


@pytest.fixture
def send(hospital: None) -> Send:
    """Send a message through the door and read its answer."""

    def send(raw: bytes) -> Message:
        return read(intake.receive(raw, PEER))

    return send


@pytest.fixture
def accepted(send: Send) -> Accepted:
    """Send a message that has to be accepted, and return its row in the log."""

    def accepted(raw: bytes) -> InboundMessage:
        answer = send(raw)
        assert answer["MSA"].get("1") == "AA", [segment.raw for segment in answer]
        return InboundMessage.objects.latest("pk")

    return accepted


@pytest.fixture
def refused(send: Send) -> Refused:
    """Send a message that has to be refused; returns MSA-1, the code of table 0357 and the place of the error."""

    def refused(raw: bytes) -> tuple[str | None, str | None, str]:
        answer = send(raw)
        return answer["MSA"].get("1"), answer["ERR"].get("3"), answer["ERR"].field(2)

    return refused
