"""Whatever becomes of a message on its way, the answer is true and never our own fault."""

import random
from collections.abc import Callable

import pytest

from hl7 import intake, mllp
from hl7.ack import Condition
from hl7.controls import DEFAULTS
from hl7.handlers import KINDS
from hl7.message import read
from hl7.models import InboundMessage, MessageState
from ris.models import Order, Patient, Visit
from tests.hl7.conftest import PEER
from tests.messages import adt, mrg, msh, obr, orc, pid, pv1, segment, send

HEADER = 60  # bytes that are mostly left alone, so that most messages get past their header
MESSAGES = 80
JUNK = (
    *(
        sign.encode()
        for sign in ("^", "~", "&", "\\", "|", '""', "\r", "\n", "\t", " ", "=", "\x00", "\x1b$B", "-1", "1e9")
    ),
    *(
        rb"\X00" + b"\\",
        rb"\XD800" + b"\\",
        rb"\.br" + b"\\",
        b"\xff",
        b"\xed\xa0\x80",
        b"20269999",
        b"9" * 40,
        b"A" * 300,
    ),
    *("é漢😀İ".encode(),),
)


CONTROLS = sorted({control for control, _status in DEFAULTS})
SCHEDULING = sorted(event for name, event in KINDS if name == "SIU")


def appointment(chance: random.Random) -> bytes:
    """Write a scheduling message that uses every field that is read."""
    return send(
        msh(f"SIU^{chance.choice(SCHEDULING)}"),
        segment(
            "SCH", {1: f"A{chance.randrange(5)}", 6: "^Why", 9: "30", 10: "MIN", 11: "^^30^202611221015^202611221045"}
        )
        + chance.choice(("", f"{'|' * 15}P{chance.randrange(9)}^HIS")),
        pid(str(chance.randrange(5))),
        "RGS|1",
        "AIS|1|A|CTABD^CT abdomen^L|202611221015|||30|MIN",
        "NTE|1||comment",
        "AIG|1||CT1|||||202611221015|||30|MIN",
        "AIL|1||CT1^Room|||202611221015|||30|MIN",
        "AIP|1||7^Roe|||202611221015|||30|MIN",
    )


def order(chance: random.Random) -> bytes:
    """Write an order message that uses every field that is read."""
    return send(
        msh("ORM^O01"),
        pid(str(chance.randrange(5)), fields={11: "1 Main^^Town", 13: "555", 15: "de", 18: "ACC1"}),
        pv1(fields={15: "B6~A2", 16: "VIP", 44: "20260105", 45: "20260106"}),
        "AL1|1||X^Iodine",
        orc(
            chance.choice(("NW", "NW", "NW", "XO", "CA", "DC", "HD", "RL", *CONTROLS)),
            f"P{chance.randrange(9)}",
            start="20261122101500",
            priority="S",
            fields={3: "F1", 9: "20260101", 14: "555", 16: "^reason", 17: "S^Surgery", 18: "CT1", 28: "V"},
        ),
        "TQ1|1||||||20261201100000||S",
        "NTE|1||comment",
        obr(
            modality="CT",
            fields={12: "I", 13: "x", 18: "AC1", 19: "RP1", 20: "S1", 27: "1^^M30^20261122^^R", 28: "8^B^C", 30: "CART"}
            | {31: "^pain", 34: "5&R&T", 36: "202611221000"},
        ),
        "DG1|1||K35^Appendicitis^I10",
        "IPC|ACC|RP|1.2.3.4|S7|CT|P^Native^L|||CT1",
        "IPC|ACC|RP|1.2.3.4|S8|CT|P^Late^L|||CT1",
        "NTE|1||comment",
        "ZDS|1.2.3^^Application^DICOM",
        "OBX|1|NM|WEIGHT||70|kg",
        "IN1|1|PLAN",
    )


EVENTS = sorted(event for name, event in KINDS if name == "ADT")


def registration(chance: random.Random) -> bytes:
    number, other = str(chance.randrange(5)), str(chance.randrange(5))
    visit, prior = (f"V{chance.randrange(5)}^^^HIS" for _ in range(2))
    about_one = (pid(number, fields={18: visit}), pv1(fields={19: visit, 45: "20260106"}))
    about_two = (pid(number, fields={18: visit}), mrg(other, fields={3: prior, 5: prior}), pv1(fields={19: visit}))
    both = (pid(number), pid(other))
    return adt(chance.choice(EVENTS), *chance.choice((about_one, about_two, about_two * 2, both)))


def insert(raw: bytes, at: int, chance: random.Random) -> bytes:
    return raw[:at] + chance.choice(JUNK) + raw[at:]


def cut(raw: bytes, at: int, chance: random.Random) -> bytes:
    return raw[:at] + raw[at + chance.randrange(1, 20) :]


def flip(raw: bytes, at: int, chance: random.Random) -> bytes:
    return raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]


def repeat_segment(raw: bytes, at: int, chance: random.Random) -> bytes:
    lines = raw.split(b"\r")
    lines.insert(chance.randrange(1, len(lines) + 1), chance.choice(lines))
    return b"\r".join(lines)


def replace_field(raw: bytes, at: int, chance: random.Random) -> bytes:
    fields = raw.split(b"|")
    fields[chance.randrange(len(fields))] = chance.choice(JUNK)
    return b"|".join(fields)


ACCIDENTS: tuple[Callable[[bytes, int, random.Random], bytes], ...] = (insert, cut, flip, repeat_segment, replace_field)


def damaged(raw: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randrange(5)):
        at = chance.randrange(min(HEADER, len(raw)) if chance.random() < 0.9 else 0, len(raw) + 1)
        raw = chance.choice(ACCIDENTS)(raw, at, chance)
    return raw


@pytest.mark.parametrize("seed", range(3))
def test_no_accident_on_the_way_becomes_a_fault_of_ours(hospital: None, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(MESSAGES):
        raw = damaged(chance.choice((order, registration, appointment))(chance), chance)
        answer = intake.receive(raw, PEER)
        row = InboundMessage.objects.latest("pk")
        assert bytes(row.raw) == raw
        assert row.error_code != Condition.INTERNAL_ERROR, raw
        assert row.state not in (MessageState.RECEIVED, MessageState.INTERRUPTED)
        for message in filter(None, answer.split(mllp.BETWEEN)):
            assert read(message)["MSA"].get("1") in ("AA", "AE", "AR", "CA", "CE", "CR")


@pytest.mark.parametrize("seed", range(106, 109))
def test_whatever_is_merged_moved_and_parted_nothing_is_left_with_somebody_else(hospital: None, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(100):
        intake.receive(chance.choice((order, registration, registration))(chance), PEER)
    for made in Order.objects.select_related("patient", "visit"):
        assert made.patient.merged_into is None
        assert made.visit is None or (made.visit.patient_id, made.visit.merged_into) == (made.patient_id, None)
    for visit in Visit.objects.select_related("patient"):
        assert (visit.patient.merged_into, visit.survivor().patient_id) == (None, visit.patient_id)
    for patient in Patient.objects.all():
        assert patient.patient_id
