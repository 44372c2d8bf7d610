"""What comes that should not: each kind gets its answer, is kept as it came, and the next message flows."""

from collections.abc import Callable

from hl7 import door
from hl7.message import Message, read
from hl7.models import InboundMessage
from ris.models import Order
from tests.hl7.conftest import PEER
from tests.messages import adt, mrg, msh, obr, orc, orm, pid, pv1
from tests.messages import send as written

MANY_NUMBERS = "~".join(f"N{number}^^^HIS^MR" for number in range(2000))


def two_patients(second: str = "") -> bytes:
    orders = [[orc("NW", placer), obr(placer=placer)] for placer in "AB"]
    return written(msh("ORM^O01"), pid("1"), *orders[0], second or pid("2"), *orders[1])


KINDS: dict[str, tuple[Callable[[], bytes], tuple[str, str, str]]] = {
    "an empty frame": (lambda: b"", ("AR", "100", "")),
    "zero bytes only": (lambda: b"\x00" * 50, ("AR", "100", "")),
    "zero bytes in a text": (lambda: adt("A04", pid(name="Do\x00e^Jane")), ("AA", "", "")),
    "text that is no message": (lambda: b"hello", ("AR", "100", "")),
    "three letters": (lambda: b"MSH", ("AR", "100", "")),
    "several messages in one frame": (lambda: adt("A04") + adt("A08"), ("AR", "100", "MSH^2")),
    "MSH with 7 fields": (lambda: b"MSH|^~\\&|HIS|GH|B|G|2026\r" + pid().encode(), ("AR", "101", "")),
    "MSH without a control ID": (lambda: b"MSH|^~\\&|HIS|GH|B|G|2026||ADT^A04\r" + pid().encode(), ("AR", "101", "")),
    "a letter for a delimiter": (lambda: adt("A04").replace(b"|", b"A"), ("AR", "100", "")),
    "the same delimiter four times": (lambda: adt("A04").replace(b"^~\\&", b"^^^^"), ("AA", "", "")),
    "other delimiters": (lambda: adt("A04").replace(b"|", b"#").replace(b"^", b"@"), ("AA", "", "")),
    "MSH-2 is empty": (lambda: adt("A04").replace(b"^~\\&", b""), ("AA", "", "")),
    "unknown segments": (lambda: adt("A04", pid(), "ZZ1|x", "QQQ|1", "??|x"), ("AA", "", "")),
    "an unknown version": (lambda: adt("A04", version="9.9"), ("AA", "", "")),
    "an unknown type": (lambda: written(msh("XYZ^A01"), pid()), ("AR", "200", "MSH^1^9^1^1")),
    "an unknown event": (lambda: written(msh("ADT^A99"), pid()), ("AR", "201", "MSH^1^9^1^2")),
    "2,000 numbers of a patient": (lambda: adt("A04", pid(MANY_NUMBERS)), ("AE", "102", "PID^1^3^1")),
    "2,000 numbers that go": (lambda: adt("A40", pid(), mrg(MANY_NUMBERS)), ("AE", "102", "MRG^1^1^1")),
    "20,000 subcomponents": (lambda: adt("A04", pid(name="&".join("x" * 20_000))), ("AA", "", "")),
    "a name whose every letter is four words": (lambda: adt("A04", pid(name="ﷺ" * 64)), ("AA", "", "")),
    "3,000 observations": (lambda: orm("NW", *[f"OBX|{n}|NM|X||1" for n in range(3000)]), ("AA", "", "")),
    "a day that does not exist": (lambda: adt("A04", pid(birth_date="20260230")), ("AE", "102", "PID^1^7^1")),
    "24:00": (lambda: orm("NW", start="20261123240000"), ("AE", "102", "ORC^1^7^1^4")),
    "second 61": (lambda: orm("NW", start="20261123100061"), ("AE", "102", "ORC^1^7^1^4")),
    "a zone of 25 hours": (lambda: orm("NW", start="20261123100000+2560"), ("AE", "102", "ORC^1^7^1^4")),
    "an impossible MSH-7": (lambda: adt("A04").replace(b"20260105080000||ADT", b"99999999999999||ADT"), ("AA", "", "")),
    "no PID": (lambda: written(msh("ADT^A04")), ("AE", "101", "PID^1^3^1")),
    "PID twice": (lambda: adt("A04", pid("1"), pid("1")), ("AA", "", "")),
    "PID of two patients": (lambda: adt("A04", pid("1"), pid("2")), ("AE", "100", "PID^2")),
    "orders of two patients": (two_patients, ("AE", "100", "PID^2")),
    "orders of a second patient without a number": (lambda: two_patients(pid("", "Roe^Rita")), ("AE", "100", "PID^2")),
    "orders below the same patient without a number": (lambda: two_patients(pid("")), ("AA", "", "")),
    "PV1 twice": (lambda: adt("A04", pid("1"), pv1("V1"), pv1("V2")), ("AA", "", "")),
    "EVN twice": (lambda: adt("A04", "EVN|A04", pid("1")), ("AA", "", "")),
    "a merge of two unknown patients": (lambda: adt("A40", pid("77"), mrg("88")), ("AA", "", "")),
    "a merge without MRG": (lambda: adt("A40", pid("77")), ("AE", "101", "MRG^1^1^1")),
    "a merge with oneself": (lambda: adt("A40", pid("77"), mrg("77")), ("AE", "206", "MRG^1^1^1")),
    "the cancel of an unknown order": (lambda: orm("CA", placer="NOPE"), ("AE", "204", "ORC^1^2^1")),
    "an order without any number": (lambda: orm("NW", placer=""), ("AE", "101", "ORC^1^2^1")),
    "a cancel without any number": (lambda: orm("CA", placer=""), ("AE", "204", "ORC^1^2^1")),
}


def said(answer: Message) -> tuple[str, str, str]:
    """Return MSA-1, the code of table 0357, and where it is."""
    error = answer["ERR"]
    place = error.field(2)
    return answer["MSA"].get("1") or "", error.get("3") or error.get("1.4") or "", place


def test_bad_input_gets_its_answer_and_the_next_message_flows(hospital: None) -> None:
    for kind, (write, expected) in KINDS.items():
        raw = write()
        assert (kind, said(read(door.receive(raw, PEER)))) == (kind, expected)
        assert bytes(InboundMessage.objects.latest("pk").raw) == raw
        assert said(read(door.receive(adt("A08", pid("NEXT"), pv1("VNEXT")), PEER)))[0] == "AA"


def test_no_order_goes_to_the_patient_of_another_pid(hospital: None) -> None:
    door.receive(two_patients(), PEER)
    assert not Order.objects.exists()
    door.receive(adt("A28", pid("1^^^HIS^MR~2^^^HIS^MR")), PEER)  # one person after all: both numbers are theirs
    assert said(read(door.receive(two_patients(), PEER)))[0] == "AA"
    assert Order.objects.values("patient").distinct().count() == 1
    assert InboundMessage.objects.latest("pk").warnings[0] == "PID[2]: only the first PID was read"


def test_a_statement_that_is_too_large_for_the_database_is_no_reason_to_send_again(hospital: None) -> None:
    orders = [line for n in range(1100) for line in (orc("CA", f"M{n}"), obr(placer=f"M{n}"))]
    code, condition, _place = said(read(door.receive(written(msh("ORM^O01"), pid(), *orders), PEER)))
    assert (code, condition) in (("AE", "102"), ("AE", "204"))  # SQLite has a bound of its own, PostgreSQL reads on
