"""One connection: what of it waits for whom."""

import socket

import pytest

from ris.seldom import Seldom
from tests.waiting import wait_until
from tests.worklist.door import Notebook, open_door, still_serves
from tests.worklist.test_server import closed, knock
from tests.worklist.test_upperlayer import FIND, find_command, fragment, request_pdu
from worklist import peer as peers
from worklist.dimse import (
    AFFECTED_SOP_CLASS_UID,
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    MESSAGE_ID,
    MESSAGE_ID_BEING_RESPONDED_TO,
    NO_DATA_SET,
    Command,
    encode_command,
    respond,
)
from worklist.journal import RefusedCallEntry
from worklist.negotiation import MODALITY_WORKLIST_FIND

CANCEL = encode_command(
    {COMMAND_FIELD: Command.C_CANCEL, MESSAGE_ID_BEING_RESPONDED_TO: 1, COMMAND_DATA_SET_TYPE: NO_DATA_SET}
)


def test_what_gets_no_answer_at_once_is_acknowledged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scanner with Nagle's algorithm sends nothing more until then, and Linux waits 40 ms for an answer."""
    acknowledged: list[int] = []
    acknowledge = peers.Peer._acknowledge_quickly

    def note(peer: peers.Peer) -> None:
        acknowledged.append(1)
        acknowledge(peer)

    monkeypatch.setattr(peers.Peer, "_acknowledge_quickly", note)
    request, command = request_pdu(), fragment(3, find_command())
    late_cancel = fragment(3, CANCEL)
    last = respond(Command.C_FIND, 1, MODALITY_WORKLIST_FIND, 0)
    with open_door(Notebook()) as door, knock(door) as peer:
        for sent, answer in (
            (request[:6], b""),
            (request[6:], b"2.25."),
            (command[:6], b""),
            (command[6:], b""),
            (FIND[len(command) :], last),
            (late_cancel, b""),
            (FIND, last),
        ):
            peer.sendall(sent)
            if answer:
                read_until(peer, answer)
                assert not acknowledged
            else:
                wait_until(lambda: acknowledged, what="an acknowledgement")
                acknowledged.clear()


def test_a_cancel_of_a_query_that_was_refused_does_not_meet_the_next_one() -> None:
    unusable = {COMMAND_FIELD: Command.C_FIND, MESSAGE_ID: 1, COMMAND_DATA_SET_TYPE: NO_DATA_SET}
    with open_door(Notebook()) as door, knock(door) as peer:
        peer.sendall(request_pdu())
        read_until(peer, b"2.25.")
        peer.sendall(fragment(3, encode_command({AFFECTED_SOP_CLASS_UID: MODALITY_WORKLIST_FIND, **unusable})))
        read_until(peer, b"The request has no identifier")
        peer.sendall(fragment(3, CANCEL) + FIND)
        read_until(peer, respond(Command.C_FIND, 1, MODALITY_WORKLIST_FIND, 0))


@pytest.mark.parametrize(
    ("sent", "words", "code"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "it began TLS on the plain port", "TLS"),
        (b"GET / HTTP/1.1\r\n\r\n", "it began HTTP", "HTTP"),
        (b"\x0bMSH|^~\\&|HIS\r\x1c\r", "it began HL7 over MLLP", "MLLP"),
        (b"\x99\0\0\0\0\0", "a PDU of unknown type", ""),
    ],
    ids=["TLS", "HTTP", "MLLP", "noise"],
)
def test_who_does_not_speak_dicom_is_named_once_and_noted_each_time(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    sent: bytes,
    words: str,
    code: str,
) -> None:
    monkeypatch.setattr(peers, "_strangers", Seldom())
    notebook = Notebook()
    with open_door(notebook) as door:
        for _ in range(2):
            with knock(door, sent) as stranger:
                assert closed(stranger)
        still_serves(door)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [words in said for said in warnings] == [True] * (1 if code else 2)
    calls = [entry.at_a_glance() for entry in notebook.entries if isinstance(entry, RefusedCallEntry)]
    assert calls == ([("", "", "127.0.0.1", code)] * 2 if code else [])


def read_until(peer: socket.socket, found: bytes) -> None:
    """Take what the door sends until this is among it."""
    got = bytearray()
    while found not in got:
        piece = peer.recv(65536)
        assert piece
        got += piece
