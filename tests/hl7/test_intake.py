"""A message is stored before anything else, has its effect once, and is answered truly."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hl7 import handlers, intake, tasks
from hl7.message import read
from hl7.models import InboundMessage, MessageState
from hl7.storing import content_hash, twins_of
from ris import identifiers
from ris.actions import catalogue
from ris.models import Event, Order, Patient
from tests.hl7.conftest import PEER
from tests.hl7.stories import Accepted, Refused, Send
from tests.messages import adt, mrg, msh, obr, orc, orm, pid, pv1
from tests.messages import send as written

TOMORROW = (timezone.now() + timedelta(days=1)).strftime("%Y%m%d")
TEN = f"{TOMORROW}100000"
ELEVEN = f"{TOMORROW}110000"


def latest() -> InboundMessage:
    return InboundMessage.objects.latest("pk")


def test_a_message_is_kept_as_it_came_with_its_answer_and_what_it_touched(accepted: Accepted) -> None:
    raw = adt("A04", control_id="M1")
    row = accepted(raw)
    assert (bytes(row.raw), row.peer, row.sending_application, row.sending_facility) == (raw, PEER, "HIS", "HOSPITAL")
    assert (row.control_id, row.message_type, row.event, row.version) == ("M1", "ADT", "A04", "2.5.1")
    assert (row.state, row.answer_code) == (MessageState.APPLIED, "AA")
    assert read(bytes(row.answer))["MSA"].get("2") == "M1"
    assert row.milliseconds
    assert {event.patient for event in Event.objects.filter(cause=row.cause)} == {Patient.objects.get()}


def test_events_name_the_sender_and_where_it_came_from(accepted: Accepted) -> None:
    accepted(adt())
    event = Event.objects.order_by("pk")[0]
    assert (event.actor_kind, event.actor_name, event.address) == ("HL7", "HIS|HOSPITAL", PEER)


def test_a_message_sent_again_gets_its_answer_again_and_no_second_effect(send: Send) -> None:
    raw = orm("NW", start=TEN)
    first, second = send(raw), send(raw)
    assert [segment.raw for segment in first] == [segment.raw for segment in second]
    assert Order.objects.count() == 1
    assert latest().state == MessageState.REPEATED
    assert latest().repeat_of == InboundMessage.objects.earliest("pk")


def test_a_repeat_with_other_line_ends_and_a_new_time_is_a_repeat(send: Send) -> None:
    raw = adt("A04", control_id="M1")
    send(raw)
    send(raw.replace(b"\r", b"\r\n").replace(b"20260105080000||ADT", b"20260105080700||ADT") + b"\r\r")
    assert latest().state == MessageState.REPEATED


def test_the_same_control_id_with_another_content_is_applied_with_a_warning(accepted: Accepted) -> None:
    accepted(adt("A04", control_id="M1"))
    row = accepted(adt("A08", pid(name="Roe^Jane"), control_id="M1"))
    assert row.state == MessageState.APPLIED_WITH_WARNINGS
    assert Patient.objects.get().patient_name == "Roe^Jane"


def test_a_sender_with_one_control_id_for_all_costs_no_more_with_each(accepted: Accepted) -> None:
    for number in range(5):
        row = accepted(adt("A04", pid(f"47{number}"), control_id="M1"))
    assert len(row.warnings) == 1
    assert len(twins_of(row)) == 2  # it, and the first of the others


def test_another_sender_may_use_the_same_control_id(accepted: Accepted) -> None:
    raw = adt("A04", control_id="M1")
    accepted(raw)
    assert accepted(raw.replace(b"|HIS|", b"|LAB|", 1)).state == MessageState.APPLIED


def test_a_refused_message_leaves_nothing_behind_and_may_be_sent_again(send: Send, accepted: Accepted) -> None:
    wrong = orm("NW", "ORC|NW|P2", "OBR|2|P2", control_id="M1")
    assert send(wrong)["MSA"].get("1") == "AE"
    assert not Order.objects.exists()
    assert not Patient.objects.exists()
    assert latest().state == MessageState.FAILED
    assert (latest().error_code, latest().error_place) == (101, "OBR[2]-4")
    assert send(wrong)["MSA"].get("1") == "AE", "a refused message is tried anew, not answered from memory"
    assert latest().state == MessageState.FAILED


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", ("AR", "100")),
        (b"hello", ("AR", "100")),
        (written(msh("ADT^A99"), pid()), ("AR", "201")),
        (written(msh("ADT"), pid()), ("AR", "201")),
        (written(msh("XYZ^A01"), pid()), ("AR", "200")),
        (written(msh(""), pid()), ("AR", "200")),
        (b"MSH|^~\\&|HIS", ("AR", "101")),
        (written(msh(), pid(), msh(), pid()), ("AR", "100")),
        (written(msh("ORM^O01"), pid()), ("AE", "100")),
        (written(msh("ADT^A04")), ("AE", "101")),
        (adt("A04", pid(number="")), ("AE", "101")),
        (adt("A04", pid(birth_date="20260230")), ("AE", "102")),
    ],
)
def test_what_cannot_be_taken_is_kept_and_answered_with_its_reason(
    send: Send, raw: bytes, expected: tuple[str, str]
) -> None:
    answer = send(raw)
    code = answer["ERR"].get("3") or answer["ERR"].get("1.4")
    assert (answer["MSA"].get("1"), code) == expected
    assert bytes(latest().raw) == raw
    assert not Patient.objects.exists()


def test_the_place_of_an_error_is_told(refused: Refused) -> None:
    assert refused(adt("A04", pid(birth_date="20260230"))) == ("AE", "102", "PID^1^7^1")
    assert latest().error_place == "PID-7"


def test_a_message_of_an_unknown_type_is_kept_for_a_person(send: Send) -> None:
    send(written(msh("MFN^M02"), pid()))
    assert latest().state == MessageState.KEPT


def test_an_answer_is_never_answered(hospital: None) -> None:
    assert intake.receive(written(msh("ACK^A04"), "MSA|AA|77"), PEER) == b""
    assert latest().state == MessageState.KEPT


def test_an_oversized_message_is_refused_by_its_head(hospital: None) -> None:
    answer = read(intake.refuse_oversized(adt("A04", control_id="BIG"), PEER))
    assert (answer["MSA"].get("1"), answer["MSA"].get("2"), answer["ERR"].get("3")) == ("AR", "BIG", "102")
    assert answer["ERR"].get("8") == "The message is larger than 10485760 bytes. Sending it again does not help."
    assert latest().state == MessageState.FAILED


def test_a_version_that_nobody_knows_does_not_keep_a_message_out(accepted: Accepted) -> None:
    accepted(written(msh("ADT^A04", version="2.99"), pid()))


def test_poison_does_not_keep_the_next_message_out(send: Send, accepted: Accepted) -> None:
    send(adt("A04", pid(number="^^^^", name="^".join("x" * 500))))
    send(written(msh("ADT^A04"), pid("4712"), *["OBX|1|NM|8302-2||" + "~" * 5000]))
    accepted(adt("A04"))


def test_zero_bytes_reach_no_column(accepted: Accepted) -> None:
    accepted(written(msh("ADT^A04", application="HI\x00S"), pid(name="Do\x00e^Jane")))
    assert Patient.objects.get().patient_name == "Doe^Jane"


def away(*args: Any, **kwargs: Any) -> None:
    raise OperationalError("server closed the connection unexpectedly")


def test_a_database_that_goes_away_is_answered_ar_and_nothing_is_claimed(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(handlers, "apply", away)
        answer = send(adt("A04", control_id="M1"))
    assert (answer["MSA"].get("1"), answer["MSA"].get("2"), answer["ERR"].get("3")) == ("AR", "M1", "207")
    assert latest().state == MessageState.RECEIVED
    assert send(adt("A04", control_id="M1"))["MSA"].get("1") == "AA"


def endless(*args: Any, **kwargs: Any) -> None:
    if connection.vendor != "postgresql":
        raise OperationalError("interrupted")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 50")
        cursor.execute("SELECT pg_sleep(600)")


def test_a_statement_that_takes_too_long_is_answered_ar_and_the_next_message_is_taken(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(handlers, "apply", endless)
        answer = send(adt("A04", control_id="M1"))
    assert (answer["MSA"].get("1"), answer["ERR"].get("3")) == ("AR", "207")
    assert not Patient.objects.exists()
    assert send(adt("A04", control_id="M1"))["MSA"].get("1") == "AA"


def test_a_database_that_is_away_from_the_start_is_answered_ar(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "store", away)
    assert send(adt("A04"))["MSA"].get("1") == "AR"
    assert send(b"hello")["MSA"].get("1") == "AR"
    assert not InboundMessage.objects.exists()


def test_a_fault_of_ours_is_answered_ae_and_logged_without_the_patient(
    send: Send, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("Doe")

    monkeypatch.setattr(handlers, "apply", broken)
    answer = send(adt("A04"))
    assert (answer["MSA"].get("1"), answer["ERR"].get("3")) == ("AE", "207")
    assert latest().state == MessageState.FAILED
    assert sum(record.levelno == logging.ERROR for record in caplog.records) == 1
    assert "Doe" not in "".join(record.getMessage() for record in caplog.records)


def test_a_conflict_between_connections_is_tried_again(accepted: Accepted, monkeypatch: pytest.MonkeyPatch) -> None:
    real, attempts = handlers.apply, []

    def unlucky(*args: Any, **kwargs: Any) -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise IntegrityError
        real(*args, **kwargs)

    monkeypatch.setattr(handlers, "apply", unlucky)
    assert accepted(adt("A04")).state == MessageState.APPLIED


def test_a_conflict_that_does_not_end_is_answered_ae(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    def conflict(*args: Any, **kwargs: Any) -> None:
        raise IntegrityError

    monkeypatch.setattr(handlers, "apply", conflict)
    assert send(adt("A04"))["MSA"].get("1") == "AE"


def test_a_message_that_was_stored_and_never_answered_is_flagged(hospital: None) -> None:
    stale = InboundMessage.objects.create(raw=b"MSH", content_hash="x")
    InboundMessage.objects.update(received_at=timezone.now() - timedelta(minutes=2))
    fresh = InboundMessage.objects.create(raw=b"MSH", content_hash="y")
    assert tasks.flag_interrupted() == 1
    stale.refresh_from_db()
    fresh.refresh_from_db()
    assert (stale.state, fresh.state) == (MessageState.INTERRUPTED, MessageState.RECEIVED)


def test_an_interrupted_message_is_applied_when_it_is_sent_again(accepted: Accepted) -> None:
    raw = adt("A04", control_id="M1")
    InboundMessage.objects.create(
        raw=raw, control_id="M1", content_hash=content_hash(raw), state=MessageState.INTERRUPTED
    )
    assert accepted(raw).state == MessageState.APPLIED


@pytest.mark.parametrize("state", [MessageState.APPLIED, MessageState.APPLIED_WITH_WARNINGS])
def test_the_database_itself_refuses_a_second_effect(hospital: None, state: MessageState) -> None:
    InboundMessage.objects.create(raw=b"x", control_id="M1", content_hash="h", state=MessageState.APPLIED)
    with pytest.raises(IntegrityError):
        InboundMessage.objects.create(raw=b"x", control_id="M1", content_hash="h", state=state)


STATEMENTS: dict[str, tuple[Callable[[], bytes], int, int]] = {
    "a patient registered with a visit": (lambda: adt("A04", pid("1"), pv1("V1")), 10, 4),
    "a patient as known": (lambda: adt("A08", pid(), pv1()), 5, 4),
    "a patient renamed": (lambda: adt("A08", pid(name="Roe^Jane"), pv1()), 9, 6),
    "two patients merged": (lambda: adt("A40", pid(), mrg("4712")), 13, 10),
    "an order of somebody new": (
        lambda: written(msh("ORM^O01"), pid("4713"), pv1("V300"), orc("NW", "P2", start=TEN), obr(placer="P2")),
        18,
        8,
    ),
    "an order placed on a station": (lambda: orm("NW", placer="P2", start=ELEVEN), 14, 8),
    "an order that waits": (lambda: orm("NW", placer="P2"), 11, 6),
    "an order moved": (lambda: orm("XO", start=ELEVEN), 19, 16),
    "an order cancelled": (lambda: orm("CA"), 15, 11),
    "a patient transferred": (lambda: adt("A02", pid(), pv1(location="WARD9")), 9, 6),
    "a patient discharged": (lambda: adt("A03"), 11, 7),
    "a patient on the way": (lambda: adt("A09"), 8, 6),
    "an admission cancelled": (lambda: adt("A11"), 11, 7),
    "a record deleted": (lambda: adt("A29"), 9, 5),
    "two visits merged": (lambda: adt("A42", pid(), mrg("4711", fields={5: "V9^^^HIS"}), pv1()), 18, 14),
    "two patients linked": (lambda: adt("A24", pid(), pid("4712")), 9, 7),
    "a number changed": (lambda: adt("A47", pid("4713"), mrg("4711")), 12, 7),
    "a number moved": (lambda: adt("A43", pid("4711^^^HIS^MR~4712^^^HIS^MR"), mrg("4712")), 19, 16),
    "a visit moved": (lambda: adt("A45", pid("4712"), mrg("4711", fields={5: "V100^^^HIS"}), pv1()), 15, 13),
    "an account renumbered": (lambda: adt("A50", pid(), mrg("4711", fields={5: "V100^^^HIS"}), pv1("V9")), 13, 9),
}
"""Kind -> a message, and what it may cost: statements on SQLite, round trips on PostgreSQL."""


@pytest.mark.parametrize("kind", STATEMENTS)
def test_a_message_costs_few_statements(accepted: Accepted, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "SECONDS", 600)  # as when messages follow each other
    identifiers.let_go()  # whatever ran before, the numbers taken for the order below last for the next one
    accepted(adt("A04", pid(), pv1()))
    accepted(adt("A04", pid("4712"), pv1("V200")))
    accepted(orm("NW", start=TEN))
    write, statements_allowed, trips_allowed = STATEMENTS[kind]
    allowed = trips_allowed if connection.vendor == "postgresql" else statements_allowed
    raw = write()
    with CaptureQueriesContext(connection) as captured:
        accepted(raw)
    control = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    minting = ("SELECT nextval", "INSERT INTO ris_counter")  # how often depends on the database
    statements = [query["sql"] for query in captured if not query["sql"].startswith((*control, *minting))]
    assert len(statements) - 1 <= allowed, "\n".join(statements)  # the last one is the test's own
