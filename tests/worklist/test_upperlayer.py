"""The acceptor without sockets: what a peer's bytes mean, however they are cut, and what it gets for nonsense."""

import struct
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom import AE
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassExtendedNegotiation,
)

from worklist.dimse import (
    AFFECTED_SOP_CLASS_UID,
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    MESSAGE_ID,
    MESSAGE_ID_BEING_RESPONDED_TO,
    NO_DATA_SET,
    STATUS,
    Command,
    decode_command,
    encode_command,
    respond,
)
from worklist.negotiation import MODALITY_WORKLIST_FIND, VERIFICATION, choose, extended, judge, ways_of
from worklist.pdu import AbortReason, ContextResult, Limits, Request
from worklist.upperlayer import Acceptor, Ended, Event, Message, ReleaseRequested, State
from worklist.ways import LITERAL, Ways

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
LIMITS = Limits()
RELEASE = b"\x05\0" + struct.pack(">I", 4) + bytes(4)
IDENTIFIER = b"\x10\0\x10\0\0\0\0\0"


def request_pdu(*, maximum: int = 16382, **changes: object) -> bytes:
    """Return an A-ASSOCIATE-RQ as pynetdicom writes it."""
    scanner = AE("CT1")
    for syntax in (MODALITY_WORKLIST_FIND, VERIFICATION, CT_STORAGE):
        scanner.add_requested_context(syntax, [IMPLICIT, EXPLICIT])
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "CT1", "BUCKY"
    contexts = scanner.requested_contexts
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = contexts
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received, implementation.implementation_class_uid = maximum, "1.2.3"
    window, role, wish = (
        AsynchronousOperationsWindowNegotiation(),
        SCP_SCU_RoleSelectionNegotiation(),
        SOPClassExtendedNegotiation(),
    )
    window.maximum_number_operations_invoked = window.maximum_number_operations_performed = 5
    role.sop_class_uid, role.scu_role, role.scp_role = MODALITY_WORKLIST_FIND, True, True
    wish.sop_class_uid, wish.service_class_application_information = MODALITY_WORKLIST_FIND, b"\1\1\1\1"
    primitive.user_information = [length, implementation, window, role, wish]
    pdu = A_ASSOCIATE_RQ(primitive)
    for name, value in changes.items():
        setattr(pdu, name, value)
    return pdu.encode()


def fragment(header: int, value: bytes, context_id: int = 1) -> bytes:
    """Return a P-DATA-TF with one presentation data value."""
    return struct.pack(">BxIIBB", 4, len(value) + 6, len(value) + 2, context_id, header) + value


def find_command(message_id: int = 1) -> bytes:
    """Return the command set of a C-FIND request."""
    elements: dict[int, bytes | int | str] = {
        AFFECTED_SOP_CLASS_UID: MODALITY_WORKLIST_FIND,
        COMMAND_FIELD: 0x20,
        MESSAGE_ID: message_id,
    }
    return encode_command({**elements, COMMAND_DATA_SET_TYPE: 1})


FIND = fragment(3, find_command()) + fragment(2, IDENTIFIER)


def accept(acceptor: Acceptor, request: Request) -> None:
    """Accept as the door does."""
    acceptor.accept(
        choose(request.proposals),
        implementation_class_uid="1.2.3.4",
        implementation_version="TEST",
        extended=extended(request),
    )


def established(limits: Limits = LIMITS, **request: int) -> Acceptor:
    """Return an acceptor with an association."""
    acceptor = Acceptor(limits)
    (event,) = acceptor.receive(request_pdu(**request))
    assert isinstance(event, Request)
    accept(acceptor, event)
    acceptor.to_send()
    return acceptor


def abort_reason(acceptor: Acceptor) -> int:
    """Return the reason of the A-ABORT that waits to be sent."""
    pdu = A_ABORT_RQ()
    pdu.decode(acceptor.to_send())
    assert acceptor.closing
    return int(pdu.reason_diagnostic or 0)


# --- the request ------------------------------------------------------------------------------------


def test_a_request_says_who_calls_and_what_they_want() -> None:
    (request,) = Acceptor(LIMITS).receive(request_pdu())
    assert isinstance(request, Request)
    assert (request.calling_ae_title, request.called_ae_title) == ("CT1", "BUCKY")
    assert [proposal.abstract_syntax for proposal in request.proposals] == [
        MODALITY_WORKLIST_FIND,
        VERIFICATION,
        CT_STORAGE,
    ]
    assert request.proposals[0].transfer_syntaxes == (IMPLICIT, EXPLICIT)
    assert request.maximum_length == 16382
    assert request.roles == {MODALITY_WORKLIST_FIND: (True, True)}
    assert request.extended == {MODALITY_WORKLIST_FIND: b"\1\1\1\1"}
    assert request.wants_asynchronous


def test_pynetdicom_reads_our_acceptance() -> None:
    acceptor = Acceptor(LIMITS)
    (request,) = acceptor.receive(request_pdu())
    assert isinstance(request, Request)
    accept(acceptor, request)
    pdu = A_ASSOCIATE_AC()
    pdu.decode(acceptor.to_send())
    assert [(item.context_id, item.result) for item in pdu.presentation_context] == [
        (1, ContextResult.ACCEPTED),
        (3, ContextResult.ACCEPTED),
        (5, ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED),
    ]
    assert pdu.presentation_context[0].transfer_syntax == EXPLICIT
    assert pdu.user_information
    assert pdu.user_information.maximum_length == LIMITS.pdu
    assert pdu.user_information.async_ops_window
    assert pdu.user_information.async_ops_window.maximum_number_operations_invoked == 1
    assert pdu.user_information.ext_neg[0].app_info == b"\1\1\1\0"
    assert acceptor.contexts == {1: (MODALITY_WORKLIST_FIND, EXPLICIT), 3: (VERIFICATION, EXPLICIT)}


@pytest.mark.parametrize(
    ("offered", "answered", "agreed"),
    [
        (b"", b"", LITERAL),
        (b"\1\1\0", b"\1\1\0", LITERAL),
        (b"\1\1\1", b"\1\1\1", Ways(by_ear=True)),
        (b"\1\1\1\1", b"\1\1\1\0", Ways(by_ear=True)),
        (b"\1\1\0\0\1", b"\1\1\0\0\0", LITERAL),  # enhanced multi-frame conversion: nothing to a worklist
        (b"\1\1\0\0\0\1", b"\1\1\0\0\0\1", Ways(empty=True)),
        (b"\1\1\0\0\0\0\1", b"\1\1\0\0\0\0\1", Ways(every=True)),
        (b"\1" * 9, b"\1\1\1\0\0\1\1", Ways(by_ear=True, empty=True, every=True)),
    ],
)
def test_extended_negotiation_is_answered_byte_by_byte_and_kept(offered: bytes, answered: bytes, agreed: Ways) -> None:
    (request,) = Acceptor(LIMITS).receive(request_pdu())
    assert isinstance(request, Request)
    request = replace(request, extended={MODALITY_WORKLIST_FIND: offered, VERIFICATION: b"\1"})
    assert extended(request) == {MODALITY_WORKLIST_FIND: answered}
    assert ways_of(request) == agreed
    assert ways_of(replace(request, extended={})) == LITERAL


@pytest.mark.parametrize(
    ("changes", "numbers"),
    [
        ({"called_ae_title": "OTHER"}, (1, 1, 7)),
        ({"application_context_name": "1.2.3"}, (1, 1, 2)),
    ],
)
def test_a_request_that_is_not_for_us_is_rejected(changes: dict[str, str], numbers: tuple[int, int, int]) -> None:
    acceptor = Acceptor(LIMITS)
    pdu = request_pdu()
    for old, new in ((b"BUCKY           ", changes.get("called_ae_title")),):
        pdu = pdu.replace(old, new.encode().ljust(16)) if new else pdu
    if "application_context_name" in changes:
        pdu = pdu.replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.9")
    (request,) = acceptor.receive(pdu)
    assert isinstance(request, Request)
    rejection = judge(request, "BUCKY", is_full=False)
    assert rejection
    acceptor.reject(rejection.result, rejection.source, rejection.reason)
    answer = A_ASSOCIATE_RJ()
    answer.decode(acceptor.to_send())
    assert (answer.result, answer.source, answer.reason_diagnostic) == numbers
    assert acceptor.closing


def test_another_protocol_version_is_rejected_by_the_provider() -> None:
    acceptor = Acceptor(LIMITS)
    pdu = bytearray(request_pdu())
    pdu[6:8] = b"\0\2"
    (event,) = acceptor.receive(bytes(pdu))
    assert isinstance(event, Ended)
    answer = A_ASSOCIATE_RJ()
    answer.decode(acceptor.to_send())
    assert (answer.result, answer.source, answer.reason_diagnostic) == (1, 2, 2)


# --- messages ---------------------------------------------------------------------------------------


def pieces(stream: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Cut a stream at these places."""
    places = sorted({cut % (len(stream) + 1) for cut in cuts} | {0, len(stream)})
    return [stream[one:other] for one, other in pairwise(places)]


@given(cuts=st.lists(st.integers(min_value=0, max_value=10_000), max_size=40))
def test_however_the_bytes_are_cut_they_say_the_same(cuts: list[int]) -> None:
    acceptor = Acceptor(LIMITS)
    events: list[Event] = []
    for piece in pieces(request_pdu() + FIND + FIND + RELEASE, cuts):
        for event in acceptor.receive(piece):
            events.append(event)
            if isinstance(event, Request):
                accept(acceptor, event)
    # Data that comes with the request, before our answer to it, breaks the protocol (Sta3).
    assert [type(event) for event in events] in ([Request, Message, Message, ReleaseRequested], [Request, Ended])


@given(cuts=st.lists(st.integers(min_value=1, max_value=len(find_command())), max_size=10))
def test_however_a_message_is_fragmented_it_is_whole(cuts: list[int]) -> None:
    acceptor = established()
    parts = pieces(find_command(), cuts)
    stream = b"".join(fragment(1, one) for one in parts[:-1]) + fragment(3, parts[-1])
    stream += fragment(0, IDENTIFIER[:4]) + fragment(2, IDENTIFIER[4:])
    (message,) = acceptor.receive(stream)
    assert isinstance(message, Message)
    assert (message.number(COMMAND_FIELD), message.number(MESSAGE_ID)) == (Command.C_FIND, 1)
    assert message.text(AFFECTED_SOP_CLASS_UID) == MODALITY_WORKLIST_FIND
    assert message.data == IDENTIFIER


def test_command_and_data_set_may_share_a_pdu() -> None:
    values = [(3, find_command()), (2, IDENTIFIER)]
    body = b"".join(struct.pack(">IBB", len(value) + 2, 1, header) + value for header, value in values)
    (message,) = established().receive(struct.pack(">BxI", 4, len(body)) + body)
    assert isinstance(message, Message)
    assert message.data == IDENTIFIER


@pytest.mark.parametrize("maximum", [0, 64, 128, 16382])
def test_what_we_send_fits_what_the_peer_takes(maximum: int) -> None:
    acceptor = established(maximum=maximum)
    command, data = respond(0x20, 1, MODALITY_WORKLIST_FIND, 0xFF00, with_data=True), bytes(range(256)) * 2
    acceptor.send(1, command, data)
    sent, found = acceptor.to_send(), {0: b"", 1: b""}
    while sent:
        length = int.from_bytes(sent[2:6], "big")
        assert maximum == 0 or length <= maximum
        found[sent[11] & 1] += sent[12 : 6 + length]
        sent = sent[6 + length :]
    assert found == {0: data, 1: command}


def test_a_release_is_answered_when_the_door_is_done() -> None:
    acceptor = established()
    assert acceptor.receive(RELEASE) == [ReleaseRequested()]
    assert acceptor.state == State.AWAIT_RELEASE_RESPONSE
    acceptor.send(1, respond(0x20, 1, MODALITY_WORKLIST_FIND, 0), None)
    acceptor.release()
    assert acceptor.to_send()[-10:] == b"\x06\0" + struct.pack(">I", 4) + bytes(4)
    assert acceptor.closing


def test_a_peer_may_abort_at_any_time() -> None:
    acceptor = established()
    (ended,) = acceptor.receive(b"\x07\0" + struct.pack(">I", 4) + bytes(4))
    assert ended == Ended(by_peer=True, why="the peer aborted")
    assert acceptor.receive(FIND) == []
    assert acceptor.to_send() == b""


def test_a_response_is_what_pynetdicom_expects() -> None:
    command = decode_command(respond(0x20, 7, VERIFICATION, 0xA700, comment="too many", offending=0x00400100))
    assert command[STATUS] == b"\x00\xa7"
    assert command[COMMAND_FIELD] == b"\x20\x80"
    assert command[COMMAND_DATA_SET_TYPE] == struct.pack("<H", NO_DATA_SET)
    assert command[0x0902] == b"too many"
    assert command[0x0901] == b"\x40\x00\x00\x01"


@pytest.mark.parametrize(
    "sop_class",
    ["", VERIFICATION, "1.2.3\0\0 \1\2\0\0\0\0\0.4", "\0\0\2\0\2\0\0\0\1\0.4", "9" * 100_000],
    ids=["none", "usual", "like a message ID", "like another element", "too long"],
)
def test_a_response_names_the_request_whatever_its_sop_class_looks_like(sop_class: str) -> None:
    for message_id in (0, 7, 0x0120, 0xFFFF):
        command = decode_command(respond(0x30, message_id, sop_class, 0x0120))
        assert command[MESSAGE_ID_BEING_RESPONDED_TO] == struct.pack("<H", message_id)
        assert command[AFFECTED_SOP_CLASS_UID] == sop_class.encode() + b"\0" * (len(sop_class) % 2)
        assert command[STATUS] == b"\x20\x01"


def test_what_peers_make_up_does_not_fill_the_memory() -> None:
    """Responses that differ in their message ID only are kept; a SOP class of a megabyte comes from no scanner."""
    tracemalloc.start()
    for number in range(20):
        respond(0x30, 1, f"{number:1000000}", 0)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000


# --- nonsense ---------------------------------------------------------------------------------------

LONG = b"\x01\0" + struct.pack(">I", 4_000_000_000)


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"\x09\0\0\0\0\0", AbortReason.UNRECOGNIZED_PDU),
        (b"GET / HTTP/1.1\r\n\r\n", AbortReason.UNRECOGNIZED_PDU),
        (LONG, AbortReason.INVALID_PARAMETER),
        (FIND, AbortReason.UNEXPECTED_PDU),
        (RELEASE, AbortReason.UNEXPECTED_PDU),
        (b"\x01\0" + struct.pack(">I", 20) + bytes(20), AbortReason.INVALID_PARAMETER),
        (request_pdu()[:2] + struct.pack(">I", 80) + request_pdu()[6:74] + b"\x10\0\xff\xff" + bytes(8), 6),
    ],
    ids=["unknown type", "HTTP", "4 GB", "data first", "release first", "too short", "item too long"],
)
def test_nonsense_before_an_association_is_aborted(stream: bytes, reason: int) -> None:
    acceptor = Acceptor(LIMITS)
    events = acceptor.receive(stream)
    assert [type(event) for event in events] == [Ended]
    assert abort_reason(acceptor) == reason


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (request_pdu(), AbortReason.UNEXPECTED_PDU),
        (fragment(3, find_command(), context_id=9), AbortReason.INVALID_PARAMETER),
        (fragment(2, IDENTIFIER), AbortReason.UNEXPECTED_PARAMETER),
        (fragment(3, find_command()) * 2, AbortReason.UNEXPECTED_PARAMETER),
        (fragment(3, b"\x10\0\x10\0\0\0\0\0"), AbortReason.INVALID_PARAMETER),
        (fragment(3, find_command()[:-1]), AbortReason.INVALID_PARAMETER),
        (b"\x04\0" + struct.pack(">II", 4, 99), AbortReason.INVALID_PARAMETER),
        (b"\x04\0" + struct.pack(">I", LIMITS.pdu + 1), AbortReason.INVALID_PARAMETER),
        (fragment(1, find_command()[:20]) + fragment(1, find_command()[20:], context_id=3), 5),
        (b"\x05\0" + struct.pack(">I", 5), AbortReason.INVALID_PARAMETER),
    ],
    ids=[
        "second request",
        "unknown context",
        "data first",
        "two commands",
        "no command set",
        "cut command",
        "wrong value length",
        "PDU too long",
        "two contexts mixed",
        "long release",
    ],
)
def test_nonsense_in_an_association_is_aborted(stream: bytes, reason: int) -> None:
    acceptor = established()
    events = acceptor.receive(stream)
    assert isinstance(events[-1], Ended)
    assert abort_reason(acceptor) == reason


def test_endless_fragments_do_not_grow() -> None:
    acceptor = established(Limits(message=10_000))
    events: list[Event] = []
    for _ in range(20):
        events += acceptor.receive(fragment(1, bytes(1000)))
    assert isinstance(events[-1], Ended)
    assert acceptor.closing


@given(stream=st.binary(max_size=400), associated=st.booleans())
def test_any_bytes_are_taken_without_a_fault(stream: bytes, associated: bool) -> None:
    acceptor = established() if associated else Acceptor(LIMITS)
    for event in acceptor.receive(stream):
        if isinstance(event, Request):
            accept(acceptor, event)
    acceptor.abort()
    assert acceptor.closing
