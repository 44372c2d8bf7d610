"""One connection: what of it waits for whom."""

import socket

import pytest

from tests.waiting import wait_until
from tests.worklist.door import Notebook, open_door
from tests.worklist.test_server import knock
from tests.worklist.test_upperlayer import FIND, find_command, fragment, request_pdu
from worklist import peer as peers
from worklist.dimse import (
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    MESSAGE_ID_BEING_RESPONDED_TO,
    Command,
    encode_command,
    respond,
)
from worklist.negotiation import MODALITY_WORKLIST_FIND


def test_what_gets_no_answer_at_once_is_acknowledged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scanner with Nagle's algorithm sends nothing more until then, and Linux waits 40 ms for an answer."""
    acknowledged: list[int] = []
    acknowledge = peers.Peer._acknowledge_quickly

    def note(peer: peers.Peer) -> None:
        acknowledged.append(1)
        acknowledge(peer)

    monkeypatch.setattr(peers.Peer, "_acknowledge_quickly", note)
    request, command = request_pdu(), fragment(3, find_command())
    cancel = encode_command(
        {COMMAND_FIELD: Command.C_CANCEL, MESSAGE_ID_BEING_RESPONDED_TO: 1, COMMAND_DATA_SET_TYPE: 0x0101}
    )
    late_cancel = fragment(3, cancel)
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


def read_until(peer: socket.socket, found: bytes) -> None:
    """Take what the door sends until this is among it."""
    got = bytearray()
    while found not in got:
        piece = peer.recv(65536)
        assert piece
        got += piece
