"""The DICOM door itself: who may call, what is answered, what hostile peers may not do. No database behind it."""

import logging
import os
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.dsutils import encode

from tests.waiting import wait_until
from tests.worklist.asking import keys
from tests.worklist.door import (
    A_NAME,
    ASKED,
    Notebook,
    Responses,
    associate,
    endless,
    open_door,
    query,
    rows,
    scanner,
    statuses,
    still_serves,
    three_steps,
)
from tests.worklist.test_upperlayer import FIND, RELEASE, request_pdu
from worklist import peer as peers
from worklist import server
from worklist.answer import Row
from worklist.errors import OUT_OF_RESOURCES, QueryError
from worklist.host import BATCH
from worklist.identifier import read
from worklist.journal import RefusedCallEntry
from worklist.negotiation import MODALITY_WORKLIST_FIND
from worklist.pdu import Limits
from worklist.query import Caller, Result
from worklist.server import Door


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def door(notebook: Notebook) -> Iterator[Door]:
    with open_door(notebook) as opened:
        yield opened


# --- a good scanner --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
    ids=lambda uid: uid.name,
)
def test_echo_and_find_in_every_transfer_syntax(door: Door, syntax: str) -> None:
    with scanner(door, syntax=syntax) as assoc:
        assert assoc.send_c_echo().Status == 0
        responses = query(assoc)
    assert statuses(responses) == [0xFF00, 0xFF00, 0xFF00, 0]
    assert [data_set.PatientName for _, data_set in responses if data_set] == [A_NAME] * 3


def test_one_association_carries_many_queries(door: Door) -> None:
    with scanner(door) as assoc:
        assert [len(query(assoc)) for _ in range(5)] == [4] * 5


def test_no_part_of_an_answer_waits_for_an_acknowledgement(door: Door) -> None:
    with scanner(door):
        (peer,) = door._peers
        assert peer._socket
        assert peer._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_cancel_that_comes_too_late_does_not_cancel_the_next_query(door: Door) -> None:
    """Scanners use the same message ID again and again."""
    with scanner(door) as assoc:
        assert statuses(query(assoc)) == [0xFF00] * 3 + [0]
        assoc.send_c_cancel(1, query_model=MODALITY_WORKLIST_FIND)
        assert statuses(query(assoc)) == [0xFF00] * 3 + [0]


def test_the_query_is_written_down_with_what_was_shown(door: Door, notebook: Notebook) -> None:
    with scanner(door) as assoc:
        query(assoc, keys(PatientName="DOE*"))
    entry = notebook.query()
    assert (entry.calling_ae_title, entry.called_ae_title, entry.address) == ("CT1", "BUCKY", "127.0.0.1")
    assert entry.keys["PatientName"] == "DOE*"
    assert entry.step_ids == [0, 1, 2]
    assert (entry.matches, entry.status) == (3, "0000")
    assert entry.milliseconds > 0


def test_what_was_negotiated_is_written_down(door: Door, notebook: Notebook) -> None:
    with scanner(door, wishes=b"\1\1\1\1\1\1\1") as assoc:
        assert assoc.acceptor.sop_class_extended == {MODALITY_WORKLIST_FIND: b"\1\1\1\0\0\1\1"}
        query(assoc)
    assert notebook.query().ways == {"by_ear": True, "empty": True, "every": True}


# --- who may call ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("called", ["OTHER", "bucky", "BUCKY2", "../BUCKY"])
def test_a_wrong_called_ae_title_is_rejected_and_noted(door: Door, notebook: Notebook, called: str) -> None:
    assoc = associate(door, called=called)
    assert assoc.is_rejected
    assert assoc.acceptor.primitive
    assert (assoc.acceptor.primitive.result, assoc.acceptor.primitive.diagnostic) == (1, 7)
    calls = [entry for entry in notebook.entries if isinstance(entry, RefusedCallEntry)]
    noted = {(call.ae_title, call.called_ae_title, call.address, call.reason) for call in calls}
    assert noted == {("CT1", called, "127.0.0.1", "CALLED")}
    still_serves(door)


def test_an_unknown_caller_is_served_and_noted(door: Door, notebook: Notebook) -> None:
    with scanner(door, calling="STRANGER") as assoc:
        assert len(query(assoc)) == 4
    (stranger,) = notebook.strangers
    assert (stranger.ae_title, stranger.address, stranger.refused) == ("STRANGER", "127.0.0.1", False)


def test_an_unknown_caller_is_refused_where_the_setting_says_so(notebook: Notebook) -> None:
    with open_door(notebook, refuse_unknown=True) as door:
        assoc = associate(door, calling="STRANGER")
        assert assoc.is_rejected
        assert notebook.strangers[0].refused
        still_serves(door)


def test_a_caller_that_cannot_be_looked_up_may_try_again(notebook: Notebook) -> None:
    def away(_ae_title: str) -> bool:
        raise QueryError(OUT_OF_RESOURCES, "away")

    with open_door(notebook, refuse_unknown=True, is_station=away) as door:
        assoc = associate(door)
        assert assoc.is_rejected
        assert assoc.acceptor.primitive
        assert assoc.acceptor.primitive.result == 2  # transient
    with open_door(notebook, is_station=away) as door:
        still_serves(door)


def test_one_association_too_many_is_told_to_wait(notebook: Notebook) -> None:
    with open_door(notebook, most=2) as door:
        with scanner(door), scanner(door):
            refused = associate(door)
            assert refused.is_rejected
            assert refused.acceptor.primitive
            assert refused.acceptor.primitive.result == 2
        wait_until(lambda: not door.connections)
        still_serves(door)


# --- what goes wrong ---------------------------------------------------------------------------------------


def failing(error: Exception) -> Callable[[Dataset, Caller], Result]:
    def fail(_identifier: Dataset, _caller: Caller) -> Result:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "status", "comment"),
    [
        (QueryError(0xA700, "The database cannot be reached"), 0xA700, "The database cannot be reached"),
        (QueryError(0xA900, "More than one item"), 0xA900, "More than one item"),
        (ZeroDivisionError("Doe^Jane"), 0xC000, "Bucky cannot answer this query"),
    ],
)
def test_a_failure_is_a_status_with_a_comment(
    notebook: Notebook, caplog: pytest.LogCaptureFixture, error: Exception, status: int, comment: str
) -> None:
    with open_door(notebook, answers=failing(error)) as door, scanner(door) as assoc:
        ((failure, data_set),) = query(assoc)
    assert (failure.Status, failure.ErrorComment, data_set) == (status, comment, None)
    assert notebook.query().status == f"{status:04X}"
    assert notebook.query().keys, "what was asked is kept, so that it can be explained"
    assert "Doe" not in "".join(record.getMessage() for record in caplog.records)


def test_a_slow_database_is_out_of_resources(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "QUERY_SECONDS", 0.2)
    free = threading.Event()

    def slow(identifier: Dataset, caller: Caller) -> Result:
        free.wait(60)
        return three_steps(identifier, caller)

    with open_door(notebook, answers=slow) as door:
        with scanner(door) as assoc:
            assert statuses(query(assoc)) == [0xA700]
        free.set()


def send_raw(assoc: Association, identifier: bytes | None) -> Responses:
    """Send a C-FIND request with these bytes for an identifier; None sends none at all."""
    request = C_FIND()
    request.MessageID = 7
    request.AffectedSOPClassUID = MODALITY_WORKLIST_FIND
    request.Priority = 2
    if identifier is not None:
        request.Identifier = BytesIO(identifier)
    assoc._reactor_checkpoint.clear()
    context = next(cx for cx in assoc.accepted_contexts if cx.abstract_syntax == MODALITY_WORKLIST_FIND)
    assert context.context_id
    assoc.dimse.send_msg(request, context.context_id)
    syntax = UID(context.transfer_syntax[0])
    return list(assoc._wrap_find_responses(syntax, UID(MODALITY_WORKLIST_FIND)))


@pytest.mark.parametrize(
    "identifier",
    [
        b"garbage that is no data set",
        b"\x40\x00\x00\x01SQ\x00\x00\xff\xff\xff\xff" * 3000,
        b"\x40\x00\x00\x01LO\x02\x00hi",
    ],
    ids=["garbage", "3,000 levels", "no sequence"],
)
def test_an_identifier_that_does_not_parse_is_refused(door: Door, identifier: bytes) -> None:
    with scanner(door) as assoc:
        ((status, _),) = send_raw(assoc, identifier)
        assert status.Status in (0xA900, 0xC001)
        assert assoc.send_c_echo().Status == 0
    still_serves(door)


@pytest.mark.parametrize(
    "identifier",
    [
        b"\x10\x00\x10\x00PN\xff\xff",
        b"\x08\x00\x05\x00CS\x06\x00KLINGO\x10\x00\x10\x00PN\x04\x00\xff\xfe\xfd\xfc",
    ],
    ids=["cut short", "unknown character set"],
)
def test_an_odd_identifier_gets_an_answer_all_the_same(door: Door, identifier: bytes) -> None:
    with scanner(door) as assoc:
        assert statuses(send_raw(assoc, identifier))[-1] in (0, 0xA900, 0xC001)
    still_serves(door)


def test_a_request_without_data_set_is_refused(door: Door) -> None:
    with scanner(door) as assoc:
        ((status, _),) = send_raw(assoc, None)
    assert status.Status == 0xA900


def test_cancel_ends_the_answer(notebook: Notebook) -> None:
    sent = threading.Event()

    class Slowly(list[Row]):
        def __iter__(self) -> Iterator[Row]:
            for number, one in enumerate(rows(10_000)):
                if number == 2 * BATCH:
                    assert sent.wait(60)
                if number > 2 * BATCH:
                    time.sleep(0.001)
                yield one

    def endless(identifier: Dataset, _caller: Caller) -> Result:
        return Result(0xFF00, read(identifier), Slowly(rows(3)))

    with open_door(notebook, answers=endless) as door, scanner(door) as assoc:
        found = []
        for status, _ in assoc.send_c_find(keys(**ASKED), MODALITY_WORKLIST_FIND, msg_id=9):
            found.append(status.Status)
            if len(found) == BATCH:
                assoc.send_c_cancel(9, query_model=MODALITY_WORKLIST_FIND)
                sent.set()
    assert found[-1] == 0xFE00
    assert len(found) < 9_000
    assert notebook.query().status == "FE00"
    assert len(notebook.query().step_ids) == len(found) - 1, "those that were sent"


def test_an_abort_in_mid_answer_leaves_nothing_behind(notebook: Notebook) -> None:
    def many(identifier: Dataset, _caller: Caller) -> Result:
        return Result(0xFF00, read(identifier), rows(2_000))

    with open_door(notebook, answers=many) as door:
        assoc = associate(door)
        responses = assoc.send_c_find(keys(**ASKED), MODALITY_WORKLIST_FIND)
        next(responses)
        assoc.abort()
        wait_until(lambda: not door.connections, what="the association to end")


RELEASE_RP = b"\x06\0" + struct.pack(">I", 4) + bytes(4)


def slowly(go_on: threading.Event, begun: threading.Event) -> Callable[[Dataset, Caller], Result]:
    """Return an engine whose answers wait in the middle until they may go on."""

    class Rows(list[Row]):
        def __iter__(self) -> Iterator[Row]:
            for number, one in enumerate(rows(2 * BATCH)):
                if number == BATCH:
                    begun.set()
                    assert go_on.wait(60)
                yield one

    return lambda identifier, _caller: Result(0xFF00, read(identifier), Rows(rows(3)))


def test_a_release_in_mid_answer_waits_for_the_end_of_the_answer(notebook: Notebook) -> None:
    go_on, begun = threading.Event(), threading.Event()
    with open_door(notebook, answers=slowly(go_on, begun)) as door:
        peer = knock(door, request_pdu())
        assert peer.recv(1) == b"\2"
        peer.sendall(FIND + RELEASE)
        assert begun.wait(60)
        go_on.set()
        sent = bytearray()
        while piece := peer.recv(65536):
            sent += piece
            if sent.endswith(RELEASE_RP):
                peer.close()
                break
        assert sent.endswith(RELEASE_RP)
    assert (notebook.query().status, len(notebook.query().step_ids)) == ("0000", 2 * BATCH)


def test_a_door_that_closes_lets_an_answer_finish(notebook: Notebook) -> None:
    go_on, begun = threading.Event(), threading.Event()
    with open_door(notebook, answers=slowly(go_on, begun)) as door, ThreadPoolExecutor(2) as threads:
        assoc = associate(door)
        found = threads.submit(lambda: statuses(query(assoc)))
        assert begun.wait(60)
        closing = threads.submit(door.stop)
        wait_until(lambda: refuses(door), what="the door to take no more callers")
        go_on.set()
        assert found.result(60) == [0xFF00] * 2 * BATCH + [0]
        closing.result(60)


def refuses(door: Door) -> bool:
    try:
        knock(door).close()
    except OSError:
        return True
    return False


# --- hostile peers -----------------------------------------------------------------------------------------


def knock(door: Door, data: bytes = b"") -> socket.socket:
    peer = socket.create_connection((door.address.host, door.address.port), timeout=60)
    peer.sendall(data)
    return peer


def closed(peer: socket.socket) -> bool:
    """Whether the door lets go: it may send an abort first."""
    try:
        while peer.recv(4096):
            pass
    except ConnectionResetError:
        pass
    peer.close()
    return True


def goes_out(peer: socket.socket, data: bytes) -> bool:
    """Whether the door still takes what is sent."""
    try:
        peer.sendall(data)
    except OSError:
        return False
    return True


REQUEST_PDU = b"\x01\x00"


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: scanner\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        bytes(200),
        b"\xff" * 200,
        b"\x04\x00" + struct.pack(">L", 10) + bytes(10),
        b"\x05\x00" + struct.pack(">L", 4) + bytes(4),
        REQUEST_PDU + struct.pack(">L", 4_000_000_000) + bytes(100),
        REQUEST_PDU + struct.pack(">L", 68) + bytes(68),
        REQUEST_PDU + struct.pack(">L", 68) + b"\x00\x01\x00\x00BUCKY           CT1             " + bytes(32),
    ],
    ids=["HTTP", "TLS", "zeros", "ones", "data first", "release first", "4 GB", "version 0", "no contexts"],
)
def test_garbage_is_let_go_while_others_are_served(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch, garbage: bytes
) -> None:
    monkeypatch.setattr(peers, "ARTIM_SECONDS", 0.5)
    monkeypatch.setattr(peers, "PDU_SECONDS", 0.5)
    with open_door(notebook) as door:
        with scanner(door) as good:
            peer = knock(door, garbage)
            assert len(query(good)) == 4
            assert closed(peer)
            assert len(query(good)) == 4
        still_serves(door)


def test_half_a_request_is_let_go_in_time(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PDU_SECONDS", 0.5)
    began = time.monotonic()
    assert closed(knock(door, b"\x01\x00\x00"))
    assert closed(knock(door, REQUEST_PDU + struct.pack(">L", 200) + bytes(50)))
    assert time.monotonic() - began < 30
    wait_until(lambda: not door.connections, what="its threads to end")


def test_one_byte_at_a_time_has_a_deadline(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PDU_SECONDS", 0.5)
    peer = knock(door)
    began = time.monotonic()
    drip = iter(b"\x01\x00\x00\x00\x00\xff" + bytes(250))
    wait_until(lambda: not goes_out(peer, bytes([next(drip)])), what="the end of the drip")  # a byte every 30 ms
    peer.close()
    assert time.monotonic() - began < 30
    still_serves(door)


def test_silence_is_let_go_in_time(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "ARTIM_SECONDS", 0.5)
    with open_door(notebook) as door:
        silent = [knock(door) for _ in range(20)]
        still_serves(door)
        assert all(closed(peer) for peer in silent)
        wait_until(lambda: not door.connections, what="their threads to end")


def test_silent_connections_take_no_place_from_scanners(notebook: Notebook) -> None:
    with open_door(notebook, most=2) as door:
        silent = [knock(door) for _ in range(50)]
        still_serves(door)
        for peer in silent:
            peer.close()
        wait_until(lambda: not door.connections, what="their threads to end")


def test_connections_whose_last_word_is_said_take_no_place_from_scanners(notebook: Notebook) -> None:
    with open_door(notebook, most=2) as door, ExitStack() as held:
        for _ in range(120):  # more than there is room for; none closes when it is told to
            peer = held.enter_context(knock(door, b"GET / HTTP/1.1\r\n\r\n"))
            peer.recv(4096)
        still_serves(door)


def test_five_thousand_connections_keep_no_scanner_waiting(notebook: Notebook) -> None:
    def memory() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    with open_door(notebook, most=20) as door, scanner(door) as good, ExitStack() as silent:
        held = [silent.enter_context(knock(door)) for _ in range(200)]  # more than there is room for
        before = memory()
        for number in range(4_800):
            held.append(silent.enter_context(knock(door)))
            held.pop(0).close()
            if number % 800 == 0:
                assert len(query(good)) == 4
                still_serves(door)
        assert door.connections <= 20 * 4 + 100
        assert memory() - before < 50 * 2**20


def test_a_peer_that_does_not_read_is_cut_off(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "SEND_SECONDS", 0.5)
    with open_door(notebook, answers=endless) as door:
        peer = knock(door, request_pdu())
        assert peer.recv(1) == b"\2"
        peer.sendall(FIND)
        with scanner(door) as other:
            assert other.send_c_echo().Status == 0
        wait_until(lambda: not door.connections, what="the end of the answer")
        peer.close()
    assert notebook.query().comment == "The association ended before the answer did"


def test_endless_fragments_are_cut_off(notebook: Notebook) -> None:
    with open_door(notebook, limits=Limits(message=64 * 1024)) as door:
        endless_fragments(door)


def endless_fragments(door: Door) -> None:
    assoc = associate(door)
    fragment = b"\x04\x00" + struct.pack(">LL", 8006, 8002) + b"\x01\x00" + bytes(8000)  # never the last one
    assert assoc.dul.socket
    assert assoc.dul.socket.socket
    peer = assoc.dul.socket.socket
    assert not all(goes_out(peer, fragment) for _ in range(10_000))
    assoc.kill()
    still_serves(door)


def test_a_wrong_application_context_is_rejected(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pynetdicom.acse.APPLICATION_CONTEXT_NAME", "1.2.3.4")
    assoc = associate(door)
    assert assoc.is_rejected
    assert assoc.acceptor.primitive
    assert assoc.acceptor.primitive.diagnostic == 2


def test_the_door_says_nothing_about_patients(
    door: Door, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with scanner(door) as assoc:
        query(assoc, keys(PatientName="Doe*"))
        send_raw(assoc, encode(keys(PatientBirthDate="Doe^19620417"), False, True))
    out = capfd.readouterr()
    said = caplog.text + out.out + out.err
    assert "Doe" not in said
    assert "CT1" not in said.replace("CT1 at", "")


def test_stopping_ends_every_association_quickly(notebook: Notebook) -> None:
    with open_door(notebook) as door:
        scanners = [associate(door) for _ in range(5)]
        peers = [knock(door) for _ in range(5)]
        began = time.monotonic()
        door.stop()
        assert time.monotonic() - began < 30
        assert all(closed(peer) for peer in peers)
        for assoc in scanners:
            wait_until(lambda assoc=assoc: not assoc.is_established)  # type: ignore[misc]
        with pytest.raises(OSError, match=r".*"):
            knock(door)


def test_after_many_associations_nothing_is_left(door: Door) -> None:
    """Released, aborted, cut off: descriptors and threads go back to where they were."""

    def resources() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    still_serves(door)
    wait_until(lambda: not door.connections)
    before = resources()
    for _ in range(10):
        still_serves(door)
        associate(door).abort()
        associate(door, called="OTHER")
        knock(door, b"\x01\x00\x00").close()
    wait_until(lambda: not door.connections, what="the associations to end")
    wait_until(lambda: resources() <= before, what=f"{before} instead of {resources()}")
