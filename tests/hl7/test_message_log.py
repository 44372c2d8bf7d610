"""The inbox on the desk: find a message, read it, see what it did."""

import pytest

from hl7.intake import receive
from hl7.models import InboundMessage, MessageState
from ris.models import Event, EventKind, Order, Patient
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db

ADMIT = (
    b"MSH|^~\\&|HIS|GH|BUCKY|GH|20260105||ADT^A04|C1|P|2.5.1||||||UNICODE UTF-8\r"
    b"PID|1||4711^^^HIS^MR||M\xc3\xbcller^<b>Anna</b>||19620417|F\r"
)
ORDER = (
    b"MSH|^~\\&|HIS|GH|BUCKY|GH|20260105||ORM^O01|C2|P|2.3.1\rPID|1||4711^^^HIS^MR||Mueller^Anna\r"
    b"ORC|NW|P1^HIS\rOBR|1|P1^HIS||CTABD^CT abdomen^L\r"
)
UNKNOWN_ORDER = ORDER.replace(b"C2", b"C3").replace(b"ORC|NW|P1", b"ORC|CA|NOPE").replace(b"OBR|1|P1", b"OBR|1|NOPE")
GARBAGE = b"\x0b<script>alert(1)</script>\x00"


@pytest.fixture
def expert() -> Desk:
    factories.station("CT1")
    factories.exam()
    for raw in (ADMIT, ORDER, ORDER, UNKNOWN_ORDER, GARBAGE):
        receive(raw, "10.0.0.5")
    return Desk(Role.INFORMATICS)


def page_of(desk: Desk, **which: str) -> str:
    message = InboundMessage.objects.filter(**which).order_by("pk")[0]
    return desk.get(f"/hl7/inboundmessage/{message.pk}/change/")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("Mueller", {"C2", "C3"}),
        ("müller", {"C1", "C2"}),  # by the patient that it touched
        ("4711", {"C1", "C2", "C3"}),
        ("C3", {"C3"}),
        ("ADT^A04", {"C1"}),
        ("ORM", {"C2", "C3"}),
        ("NOPE", {"C3"}),
    ],
)
def test_a_message_is_found_by_its_text_its_type_or_whom_it_touched(expert: Desk, typed: str, found: set[str]) -> None:
    page = text_of(expert.client.get("/hl7/inboundmessage/", {"q": typed}).content.decode())
    assert {name for name in ("C1", "C2", "C3") if f" {name} " in page} >= found
    assert (" C1 " in page) == ("C1" in found)


def test_an_order_leads_to_its_message(expert: Desk) -> None:
    number = Order.objects.get().accession_number
    page = text_of(expert.get(f"/hl7/inboundmessage/?q={number}"))
    assert " C2 " in page
    assert " C1 " not in page


def test_a_message_is_read_with_what_it_did_and_its_answer(expert: Desk) -> None:
    page = page_of(expert, control_id="C2")
    words = text_of(page)
    assert "PID-5 Patient name Mueller Anna" in words
    assert "AA accepted and applied" in words
    assert "Order placed" in words
    order = Order.objects.get()
    assert f"/ris/order/{order.pk}/change/" in page
    assert f"/ris/patient/{Patient.objects.get().pk}/change/" in page


def test_a_repeat_shows_what_the_first_one_did(expert: Desk) -> None:
    words = text_of(page_of(expert, state=MessageState.REPEATED))
    assert "Repeats ORM^O01 C2" in words
    assert "Order placed" in words


def test_a_refused_message_says_why_and_where(expert: Desk) -> None:
    words = text_of(page_of(expert, control_id="C3"))
    assert "AE refused: something in the message is wrong" in words
    assert "ORC" in words
    assert "No order has this number." in words


def test_markup_in_a_message_is_shown_as_text(expert: Desk) -> None:
    assert "<b>Anna" not in page_of(expert, control_id="C1")
    garbage = page_of(expert, message_type="")
    assert "<script>alert" not in garbage
    assert "&lt;script&gt;alert(1)&lt;/script&gt;␀" in garbage
    assert "This is no HL7 message; see the bytes below." in garbage


def test_reading_a_message_is_told_with_its_patient(expert: Desk) -> None:
    message = InboundMessage.objects.get(control_id="C1")
    page_of(expert, control_id="C1")
    event = Event.objects.get(kind=EventKind.PATIENT_VIEWED)
    assert (event.patient, event.subject) == (Patient.objects.get(), f"hl7.inboundmessage:{message.pk}")
    page_of(expert, message_type="")
    assert Event.objects.order_by("-pk")[0].kind == EventKind.RECORD_VIEWED
    expert.get("/hl7/inboundmessage/?q=4711")
    listed = Event.objects.order_by("-pk")[0]
    assert (listed.kind, listed.data["patients"]) == (EventKind.PATIENTS_LISTED, [Patient.objects.get().pk])


def test_nobody_changes_a_message(expert: Desk) -> None:
    boss = Desk(None, superuser=True)
    message = InboundMessage.objects.get(control_id="C1")
    assert 'type="submit" name="_save"' not in boss.get(f"/hl7/inboundmessage/{message.pk}/change/")
    boss.get(f"/hl7/inboundmessage/{message.pk}/delete/", status=403)
    boss.get("/hl7/inboundmessage/add/", status=403)


def test_the_first_page_counts_what_came_and_what_needs_attention(expert: Desk) -> None:
    words = text_of(expert.get("/"))
    assert "HL7 messages, last 24 hours" in words
    assert "failed 2" in words
    assert "See what needs attention" in words
    assert " C3 " in text_of(expert.get("/hl7/inboundmessage/?trouble=yes"))
