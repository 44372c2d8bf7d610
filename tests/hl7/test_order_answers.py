"""ORR, ORG and ORI come in: the placer answers to orders that were made here."""

import pytest

from hl7 import intake
from hl7.ack import Answer
from hl7.models import InboundMessage, MessageState
from hl7.rehearsal import rehearse
from ris.models import Order
from tests import factories
from tests.hl7.conftest import PEER
from tests.messages import msh, orc, pid
from tests.messages import send as written

KINDS = [("ORR^O02", "2.3.1"), ("ORR", "2.1"), ("ORG^O20^ORG_O20", "2.5"), ("ORI^O24^ORI_O24", "2.5.1")]


@pytest.fixture
def order(hospital: None) -> Order:
    """An order that was made here and has no placer's number yet."""
    made = factories.order(patient=factories.patient(number="1234"))
    Order.objects.filter(pk=made.pk).update(placer_order_number="", placer_issuer="")
    return made


def answer(order: Order, kind: str = "ORR^O02", version: str = "2.3.1", code: str = "AA", control: str = "NA") -> bytes:
    numbers = orc(control, "P7^HIS", fields={3: order.accession_number})
    return written(msh(kind, version=version, control_id="R1"), f"MSA|{code}|S1", numbers)


def receive(raw: bytes) -> InboundMessage:
    assert intake.receive(raw, PEER) == b"", "an answer is never answered"
    return InboundMessage.objects.latest("pk")


@pytest.mark.parametrize(("kind", "version"), KINDS)
def test_the_number_that_the_placer_assigns_is_taken(order: Order, kind: str, version: str) -> None:
    row = receive(answer(order, kind, version))
    order.refresh_from_db()
    assert (order.placer_order_number, order.placer_issuer) == ("P7", "HIS")
    assert (row.state, row.answer_code) == (MessageState.APPLIED, "")
    assert receive(answer(order, kind, version)).state == MessageState.REPEATED


@pytest.mark.parametrize(("code", "control"), [("AA", "OK"), ("AE", "NA"), ("AR", "UA")])
def test_any_other_answer_is_only_kept(order: Order, code: str, control: str) -> None:
    assert receive(answer(order, code=code, control=control)).state == MessageState.KEPT
    order.refresh_from_db()
    assert order.placer_order_number == ""


def test_a_number_for_another_patients_order_is_left_to_a_person(order: Order) -> None:
    raw = answer(order).replace(b"\rORC", b"\r" + pid("9999").encode() + b"\rORC")
    row = receive(raw)
    assert (row.state, row.error_code, row.error_place) == (MessageState.FAILED, 205, "ORC-3")
    order.refresh_from_db()
    assert order.placer_order_number == ""
    tried = rehearse(raw, PEER)
    assert (tried.answer, tried.warnings) == (b"", [row.error_text])


def test_what_an_answer_would_change_can_be_tried(order: Order) -> None:
    tried = rehearse(answer(order), PEER)
    changes = {change.after for row in tried.effect.rows for change in row.changes}
    assert (tried.answer, tried.code) == (b"", Answer.ACCEPT), "it would be applied and not answered"
    assert {"P7", "HIS"} <= changes
