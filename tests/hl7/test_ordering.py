"""While an earlier message of a patient waits for a person, later ones wait where the endpoint says so."""

import pytest

from hl7 import replaying, tasks
from hl7.dialect import Waiting
from hl7.models import Endpoint, InboundMessage, MessageState
from ris.models import Order, Patient
from ris.roles import Role
from tests import factories
from tests.hl7.stories import Accepted, Send
from tests.messages import adt, mrg, orm, pid, pv1
from tests.ris.desk import Desk, text_of


@pytest.fixture
def strict(hospital: None) -> Endpoint:
    """The HIS, whose messages wait for each other."""
    return Endpoint.objects.create(name="HIS", sending_application="HIS", waiting=Waiting.WAIT.value)


def state_of(control_id: str) -> str:
    return InboundMessage.objects.filter(control_id=control_id).order_by("pk")[0].state


def states(*control_ids: str) -> list[str]:
    return [state_of(control_id) for control_id in control_ids]


def row(control_id: str) -> InboundMessage:
    return InboundMessage.objects.filter(control_id=control_id).order_by("pk")[0]


def wrong(number: str = "4711", control_id: str = "BAD") -> bytes:
    """Write a registration that fails."""
    return adt("A04", pid(number, birth_date="20260230"), pv1(f"V{number}"), control_id=control_id)


def test_later_messages_wait_and_are_applied_in_order_when_the_first_is_mended(
    strict: Endpoint, send: Send, accepted: Accepted
) -> None:
    assert send(wrong())["MSA"].get("1") == "AE"
    answer = send(adt("A08", pid(name="Roe^Jane"), control_id="RENAMED"))
    assert (answer["MSA"].get("1"), answer["ERR"].get("3")) == ("AA", "206")
    send(orm("NW", control_id="ORDER", patient=pid(name="Poe^Jane")))
    send(adt("A08", pid(name="Poe^Jane"), control_id="AGAIN"))
    accepted(adt("A04", pid("4712"), pv1("V2"), control_id="OTHER"))
    assert states("BAD", "RENAMED", "ORDER", "AGAIN", "OTHER") == ["failed", "waiting", "waiting", "waiting", "applied"]
    assert not Order.objects.exists()
    assert tasks.advance() == 0
    edited = wrong().replace(b"20260230", b"19620417")
    made = replaying.send_again(by=factories.CLERK, message=row("BAD"), raw=edited)
    assert made is not None
    assert made.state == MessageState.APPLIED
    assert tasks.advance() == 3
    assert state_of("BAD") == "mended"
    assert all(state in ("applied", "warned") for state in states("RENAMED", "ORDER", "AGAIN"))
    assert (Patient.objects.get(identifiers__value="4711").patient_name, Order.objects.count()) == ("Poe^Jane", 1)
    assert accepted(adt("A08", pid(), control_id="FREE")).state == MessageState.APPLIED


def test_a_dismissed_message_lets_the_others_go_on(strict: Endpoint, send: Send) -> None:
    send(wrong())
    send(adt("A04", control_id="NEXT"))
    expert = Desk(Role.INFORMATICS)
    words = text_of(expert.get(f"/hl7/inboundmessage/{row('NEXT').pk}/change/"))
    assert "It is applied when these are mended or dismissed: ADT^A04 BAD failed" in words
    replaying.dismiss(by=factories.CLERK, message=row("BAD"), reason="sent by mistake")
    assert tasks.advance() == 1
    next_one = row("NEXT")
    assert (next_one.state, next_one.error_text, next_one.answer_code) == (MessageState.APPLIED, "", "AA")
    assert Patient.objects.count() == 1


def test_one_that_fails_after_its_wait_holds_those_behind_it(strict: Endpoint, send: Send) -> None:
    send(wrong())
    send(orm("CA", placer="NOPE", control_id="CANCEL"))
    send(adt("A04", control_id="LAST"))
    replaying.dismiss(by=factories.CLERK, message=row("BAD"), reason="x")
    assert tasks.advance() == 1
    assert states("CANCEL", "LAST") == ["failed", "waiting"]
    replaying.dismiss(by=factories.CLERK, message=row("CANCEL"), reason="x")
    assert tasks.advance() == 1
    assert state_of("LAST") == "applied"


def test_a_waiting_message_can_be_dismissed_or_edited_out_of_turn(strict: Endpoint, send: Send) -> None:
    send(wrong())
    send(adt("A04", control_id="FIRST"))
    send(adt("A08", pid(name="Roe^Jane"), control_id="SECOND"))
    replaying.dismiss(by=factories.CLERK, message=row("FIRST"), reason="x")
    replaying.send_again(by=factories.CLERK, message=row("SECOND"), raw=bytes(row("SECOND").raw))
    assert states("BAD", "FIRST", "SECOND") == ["failed", "dismissed", "mended"]
    assert Patient.objects.get().patient_name == "Roe^Jane"


def test_a_copy_that_comes_while_the_first_one_waits_is_a_repeat_in_the_end(strict: Endpoint, send: Send) -> None:
    send(wrong())
    raw = orm("NW", control_id="ORDER")
    send(raw)
    send(raw)
    replaying.dismiss(by=factories.CLERK, message=row("BAD"), reason="x")
    assert tasks.advance() == 2
    found = InboundMessage.objects.filter(control_id="ORDER").order_by("pk")
    assert [one.state in ("applied", "warned", "repeated") for one in found] == [True, True]
    assert (Order.objects.count(), found[1].state) == (1, "repeated")


def test_any_number_of_the_same_patient_waits(strict: Endpoint, send: Send, accepted: Accepted) -> None:
    accepted(adt("A04", pid("4711^^^HIS^MR~99^^^HIS^PI"), pv1("V1")))
    accepted(adt("A04", pid("4712"), pv1("V2")))
    accepted(adt("A40", pid("4711"), mrg("4712")))
    send(orm("CA", placer="NOPE", patient=pid("4711"), control_id="BAD"))
    send(adt("A08", pid("99^^^HIS^PI"), control_id="OTHERNUMBER"))
    send(adt("A08", pid("4712"), control_id="MERGED"))
    assert states("OTHERNUMBER", "MERGED") == ["waiting", "waiting"]


def test_what_is_not_taken_here_holds_nobody_up(strict: Endpoint, send: Send, accepted: Accepted) -> None:
    send(adt("A99", control_id="UNKNOWN"))
    accepted(adt("A04"))
    assert Patient.objects.exists()


def test_nor_when_it_had_to_wait_itself(strict: Endpoint, send: Send) -> None:
    send(wrong())
    send(adt("A99", control_id="UNKNOWN"))
    send(adt("A04", control_id="NEXT"))
    replaying.dismiss(by=factories.CLERK, message=row("BAD"), reason="Not needed")
    tasks.advance()
    assert states("UNKNOWN", "NEXT") == ["kept", "applied"]


def test_without_the_policy_later_messages_go_on(send: Send, accepted: Accepted) -> None:
    send(wrong())
    assert accepted(adt("A04")).state == MessageState.APPLIED


def test_a_copy_of_what_holds_the_others_takes_its_place(strict: Endpoint, send: Send, accepted: Accepted) -> None:
    patient = factories.patient(number="4711")
    cancel = orm("CA", control_id="CANCEL")
    assert send(cancel)["MSA"].get("1") == "AE"
    send(adt("A08", pid(name="Roe^Jane"), control_id="RENAMED"))
    factories.order(patient=patient, placer_order_number="P1", placer_issuer="HIS")
    assert accepted(cancel).state == MessageState.APPLIED
    assert states("CANCEL", "RENAMED") == ["mended", "waiting"]
    assert tasks.advance() == 1
    assert Patient.objects.get().patient_name == "Roe^Jane"
