"""Every ADT event there is gets a sensible answer, whatever was known before it came."""

import pytest

from hl7.handlers import KINDS
from hl7.models import InboundMessage, MessageState
from tests.hl7.stories import Send
from tests.messages import adt, mrg, pid, pv1

ONE = (pid(), pv1())
TWO = (pid(), pv1("V1"), pid("4712", "Roe^Mary"), pv1("V2"))
PAIR = (pid(fields={18: "A2^^^HIS"}), mrg("4712", fields={2: "4712", 3: "A1^^^HIS", 4: "4712", 5: "V1^^^HIS"}), pv1())

SENT: dict[tuple[str, ...], tuple[str, ...]] = {
    ONE: (
        *("A01", "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A09", "A10", "A11", "A12", "A13", "A14", "A15"),
        *("A16", "A20", "A21", "A22", "A23", "A25", "A26", "A27", "A28", "A29", "A31", "A32", "A33", "A38", "A51"),
        *("A52", "A53", "A54", "A55", "A60", "A61", "A62"),
    ),
    TWO: ("A17", "A24", "A37"),
    PAIR: (
        *("A18", "A30", "A34", "A35", "A36", "A39", "A40", "A41", "A42", "A43", "A44", "A45", "A46", "A47", "A48"),
        *("A49", "A50"),
    ),
}
EVENTS = {event: segments for segments, events in SENT.items() for event in events}


def test_every_event_that_is_taken_is_sent_here() -> None:
    assert {event for kind, event in KINDS if kind == "ADT"} == set(EVENTS)


@pytest.mark.django_db
@pytest.mark.parametrize("event", sorted(EVENTS))
def test_every_event_is_applied_also_when_it_is_the_first_word_about_the_patient_and_the_last(
    send: Send, event: str
) -> None:
    segments = EVENTS[event]
    if event in ("A46", "A48"):  # these name the number in the fields of old
        segments = (pid(fields={2: "4711^^^HIS^MR", 4: "4711^^^HIS^PI"}), *PAIR[1:])
    for number in range(2):
        answer = send(adt(event, *segments, control_id=f"{event}-{number}"))
        assert answer["MSA"].get("1") == "AA", answer["ERR"].raw
    states = set(InboundMessage.objects.values_list("state", flat=True))
    assert states <= {MessageState.APPLIED, MessageState.APPLIED_WITH_WARNINGS}
