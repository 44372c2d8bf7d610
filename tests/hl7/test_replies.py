"""ORR, ORG and ORI: what a sender of orders is told of each of them, as hl7apy knows these messages."""

from datetime import timedelta

import pytest
from django.utils import timezone
from hl7apy.parser import parse_message

from hl7 import intake, mllp
from hl7.message import Message, read
from hl7.models import Endpoint
from ris.actions import exams
from ris.models import Order, RequestedProcedure, ScheduledProcedureStep
from tests import factories
from tests.hl7.conftest import PEER
from tests.messages import msh, obr, orc, pid, segment
from tests.messages import send as written

pytestmark = pytest.mark.usefixtures("hospital")

TOMORROW = (timezone.localdate() + timedelta(days=1)).strftime("%Y%m%d")
NINE = f"{TOMORROW}0900"


def message(
    *segments: str,
    kind: str = "ORM^O01",
    version: str = "2.5.1",
    wish: tuple[str, str] = ("NE", "AL"),
    charset: str = "UNICODE UTF-8",
) -> bytes:
    """Write a message whose sender asks for the application's answer only."""
    header = msh(kind, version=version, charset=charset).split("|")
    header += [""] * (16 - len(header))
    header[14:16] = wish
    return written("|".join(header), pid(), *segments)


def said(*segments: str, wish: tuple[str, str] = ("NE", "AL")) -> Message:
    """Send a message and read its one answer."""
    return read(intake.receive(message(*segments, wish=wish), PEER))


def place(placer: str = "P1") -> Order:
    said(orc("NW", placer, start=NINE), obr(placer=placer))
    return Order.objects.get(placer_order_number=placer)


def test_an_order_is_answered_with_the_numbers_of_both_sides() -> None:
    answer = said(orc("NW", start=NINE), obr())
    order, procedure = Order.objects.get(), RequestedProcedure.objects.get()
    step = ScheduledProcedureStep.objects.get()
    assert (answer["MSH"].field(9), answer["MSA"].get("1")) == ("ORR^O02^ORR_O02", "AA")
    found = [answer["ORC"].get(number) for number in ("1", "2", "3", "5", "7.4")]
    assert found == ["OK", "P1", order.accession_number, "SC", f"{NINE}00+0{1 + summer()}00"]
    assert [answer["OBR"].get(number) for number in ("2", "3", "4.1", "18", "19", "20")] == [
        "P1",
        order.accession_number,
        "CTABD",
        order.accession_number,
        procedure.requested_procedure_id,
        step.sps_id,
    ]


def summer() -> int:
    """Return 1 while Berlin's clock is one hour ahead."""
    start = ScheduledProcedureStep.objects.get().start
    assert start is not None
    return int(timezone.localtime(start).dst() != timedelta(0))


ANSWERS = {
    "NW": "OK",
    "XO": "XR",
    "CA": "CR",
    "DC": "DR",
    "HD": "HR",
    "RL": "OR",
    "SN": "NA",
    "SS": "SR",
    "PA": "PA",
    "SC": "OK",
}


@pytest.mark.parametrize("control", ANSWERS)
def test_each_order_control_has_its_answer(control: str) -> None:
    place()
    assert said(orc(control, fields={5: "SC"}), obr())["ORC"].get("1") == ANSWERS[control]


REFUSALS = {"XO": "UX", "CA": "UC", "DC": "UD", "HD": "UH", "RL": "UR", "SC": "UA"}


@pytest.mark.parametrize("control", REFUSALS)
def test_what_is_refused_is_told_beside_the_error(control: str) -> None:
    answer = said(orc(control, "P9", fields={5: "CM"} if control == "SC" else {}), obr(placer="P9"))
    assert (answer["MSA"].get("1"), answer["ERR"].get("3")) == ("AE", "204")
    assert (answer["ORC"].get("1"), answer["ORC"].get("2")) == (REFUSALS[control], "P9")


def test_an_order_and_its_replacement_are_both_told() -> None:
    place()
    answer = said(orc("RP"), orc("RO", "P2"), obr(placer="P2"))
    assert [(one.get("1"), one.get("2"), one.get("5")) for one in answer.all("ORC")] == [
        ("RQ", "P1", "RP"),
        ("RO", "P2", "SC"),
    ]


@pytest.mark.parametrize(
    ("moves", "held", "status"),
    [((), False, "SC"), ((), True, "HD"), (("start",), False, "IP"), (("start", "complete"), False, "CM")],
)
def test_a_request_for_the_status_is_answered_though_nothing_else_is_asked_for(
    moves: tuple[str, ...], held: bool, status: str
) -> None:
    order = place()
    for move in moves:
        exams.go(move, by=factories.BY, step=factories.step_of(order))
    Order.objects.update(on_hold=held)
    answer = said(orc("SS"), wish=("", ""))
    assert (answer["MSH"].get("9.1"), answer["ORC"].get("1"), answer["ORC"].get("5")) == ("ORR", "SR", status)


def test_a_request_for_our_number_is_answered_with_it() -> None:
    answer = said(orc("SN", start=NINE), obr(), wish=("", ""))
    order = Order.objects.get()
    assert (answer["ORC"].get("1"), answer["ORC"].get("2"), answer["ORC"].get("3")) == (
        "NA",
        "P1",
        order.accession_number,
    )
    assert said(orc("CA", "", fields={3: order.accession_number}))["ORC"].get("1") == "CR", "it finds the order"


class TestWhoGetsIt:
    @pytest.mark.parametrize("wish", [("", ""), ("AL", "NE"), ("AL", "")])
    def test_not_a_sender_that_does_not_ask(self, wish: tuple[str, str]) -> None:
        answer = said(orc("NW"), obr(), wish=wish)
        assert answer["MSH"].get("9.1") == "ACK"

    def test_after_the_accept_acknowledgment(self) -> None:
        both = intake.receive(message(orc("NW"), obr(), wish=("AL", "AL")), PEER).split(mllp.BETWEEN)
        assert [(read(one)["MSH"].get("9.1"), read(one)["MSA"].get("1")) for one in both] == [
            ("ACK", "CA"),
            ("ORR", "AA"),
        ]

    @pytest.mark.parametrize(
        ("wish", "kinds"), [(("", ""), ["ORR"]), (("AL", ""), ["ACK", "ORR"]), (("AL", "NE"), ["ACK"])]
    )
    def test_one_whose_endpoint_says_so(self, wish: tuple[str, str], kinds: list[str]) -> None:
        Endpoint.objects.create(name="HIS", sending_application="HIS", application_replies=True)
        answers = intake.receive(message(orc("NW"), obr(), wish=wish), PEER).split(mllp.BETWEEN)
        assert [read(one)["MSH"].get("9.1") for one in answers] == kinds

    def test_not_for_what_is_kept_for_a_person(self) -> None:
        answer = said(orc("ZZ"), obr())
        assert (answer["MSH"].get("9.1"), answer["MSA"].get("1")) == ("ACK", "AA")


KINDS = [
    *[("ORM^O01", version) for version in ("2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6")],
    *[("OMG^O19", version) for version in ("2.4", "2.5", "2.5.1", "2.6")],
    *[("OMI^O23", version) for version in ("2.5", "2.5.1", "2.6")],
]
HL7APY_REQUIRES_OBR_27 = ("2.3",)


@pytest.mark.parametrize(("kind", "version"), KINDS)
@pytest.mark.parametrize("refused", [False, True])
def test_hl7apy_finds_every_answer_valid(kind: str, version: str, refused: bool) -> None:
    factories.protocol_code(factories.exam("CTABD"), "P1")
    ipc = segment("IPC", {1: "A1", 2: "R1", 3: "1.2.3", 4: "S1", 5: "CT"})
    first = orc("CA", "P9") if refused else orc("NW", start=NINE)
    raw = message(first, obr(), *([ipc] if kind == "OMI^O23" else []), kind=kind, version=version, charset="")
    answer = intake.receive(raw, PEER).decode()
    assert f"|{'AE' if refused else 'AA'}|" in answer
    parsed = parse_message(answer, find_groups=True)
    assert parsed.to_er7().strip().count("\r") == answer.strip().count("\r"), "it has a place for every segment"
    if kind != "ORM^O01":
        assert parsed.validate()
    elif version not in HL7APY_REQUIRES_OBR_27:  # of ORR it wants all of OBR, RQD, RQ1, RXO, ODS and ODT at once
        assert all(child.validate() for child in parse_message(answer, find_groups=False).children)
