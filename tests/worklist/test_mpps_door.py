"""MPPS over a real socket: pynetdicom as the scanner, no database behind the door."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.association import Association

from ris.config import Address
from tests.ports import free_port
from tests.worklist.door import Notebook, without_thieves
from tests.worklist.performing import creation, ending, series
from worklist.dimse import (
    ATTRIBUTE_IDENTIFIER_LIST,
    Command,
    decode_command,
    encode_command,
    respond,
    tag_list,
    tags_in,
)
from worklist.encoding import decode, syntax_of
from worklist.errors import OUT_OF_RESOURCES, QueryError
from worklist.mpps import Operation, Outcome
from worklist.negotiation import PERFORMED_STEP, PERFORMED_STEP_RETRIEVE
from worklist.server import Door


@contextmanager
def scanner(perform: Callable[[Operation], Outcome]) -> Iterator[Association]:
    door = Door(Address("127.0.0.1", free_port()), "BUCKY", perform=perform, journal=Notebook(), is_station=bool)
    door.start()
    try:
        ae = AE("CT1")
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 90
        for service in (PERFORMED_STEP, PERFORMED_STEP_RETRIEVE):
            ae.add_requested_context(service, ExplicitVRLittleEndian)
        assoc = without_thieves(ae.associate(door.address.host, door.address.port, ae_title="BUCKY"))
        assert assoc.is_established
        yield assoc
        assoc.release()
    finally:
        door.stop()


class Recorder:
    """Takes requests and answers what it was told to."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.operations: list[Operation] = []
        self._outcomes = list(outcomes)

    def __call__(self, operation: Operation) -> Outcome:
        self.operations.append(operation)
        return self._outcomes.pop(0)


def test_a_scanner_s_requests_and_our_answers_arrive_whole() -> None:
    uid = generate_uid()
    recorder = Recorder(
        Outcome(0, uid),
        Outcome(0, uid),
        Outcome(0x0120, uid, "Attribute is missing: (0040,0252)", (0x00400252, 0x00080060)),
        Outcome(0x0110, uid, "Performed Procedure Step Object may no longer be updated", error_id=0xA710),
    )
    with scanner(recorder) as assoc:
        created, _ = assoc.send_n_create(creation(), PERFORMED_STEP, uid)
        updated, _ = assoc.send_n_set(ending(), PERFORMED_STEP, uid)
        missing, _ = assoc.send_n_create(creation(), PERFORMED_STEP, uid)
        late, _ = assoc.send_n_set(ending(), PERFORMED_STEP, uid)
    assert (created.Status, updated.Status) == (0, 0)
    assert (missing.Status, missing.ErrorComment) == (0x0120, "Attribute is missing: (0040,0252)")
    assert (late.Status, late.ErrorID) == (0x0110, 0xA710)
    first, second, *_ = recorder.operations
    assert (first.command, second.command) == (Command.N_CREATE, Command.N_SET)
    assert (first.sop_instance_uid, second.sop_instance_uid, first.caller.ae_title) == (uid, uid, "CT1")
    assert decode(first.data, syntax_of(first.transfer_syntax)).PerformedProcedureStepStatus == "IN PROGRESS"


def test_what_is_known_is_read_over_either_sop_class() -> None:
    uid = generate_uid()
    known = b"\x08\x00\x60\x00CS\x02\x00CT"
    recorder = Recorder(Outcome(0, uid, data=known), Outcome(0x0001, uid, data=known))
    with scanner(recorder) as assoc:
        status, read = assoc.send_n_get([Tag(0x00080060)], PERFORMED_STEP_RETRIEVE, uid)
        assert (status.Status, read and read.Modality) == (0, "CT")
        status, _ = assoc.send_n_get([Tag(0x7FE00010)], PERFORMED_STEP, uid, meta_uid=None)
        assert status.Status == 0x0001
    assert [operation.tags for operation in recorder.operations] == [(0x00080060,), (0x7FE00010,)]


def test_a_step_of_many_thousand_images_fits() -> None:
    uid = generate_uid()
    recorder = Recorder(Outcome(0, uid))
    with scanner(recorder) as assoc:
        status, _ = assoc.send_n_set(ending(PerformedSeriesSequence=[series(10_000)]), PERFORMED_STEP, uid)
    assert status.Status == 0
    assert len(recorder.operations[0].data) > 1024 * 1024


def test_a_slow_database_is_told_as_a_lack_of_resources() -> None:
    def slow(_operation: Operation) -> Outcome:
        raise QueryError(OUT_OF_RESOURCES, "The database is too slow, ask again")

    with scanner(slow) as assoc:
        status, _ = assoc.send_n_create(creation(), PERFORMED_STEP, generate_uid())
    assert status.Status == 0x0213


@pytest.mark.parametrize("value", [b"", b"\x08", b"\x08\x00\x60\x00\x40"])
def test_a_list_of_tags_that_is_cut_short_names_what_is_whole(value: bytes) -> None:
    assert tags_in(value) == ([0x00080060] if len(value) > 3 else [])


def test_the_tags_at_fault_are_in_the_answer() -> None:
    tags = [0x00400252, 0x00080060]
    answer = decode_command(respond(Command.N_CREATE, 1, PERFORMED_STEP, 0x0120, more={0x1005: tag_list(tags)})[12:])
    assert tags_in(answer[ATTRIBUTE_IDENTIFIER_LIST]) == tags


def test_a_uid_that_is_no_text_does_not_stop_an_answer() -> None:
    assert b"?" in encode_command({0x0002: "1.2\ufffd"})
