"""A door without a database behind it, and good scanners that come in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
)
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dsutils import encode
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from ris.config import Address
from tests.ports import free_port
from tests.waiting import wait_until
from tests.worklist.asking import keys
from worklist.answer import Row
from worklist.attributes import SITE_ZONE
from worklist.describe import as_json
from worklist.encoding import decode, syntax_of
from worklist.host import Answers, Opened
from worklist.identifier import read
from worklist.journal import Entry, QueryEntry, UnknownCallerEntry
from worklist.moment import Moment
from worklist.negotiation import MODALITY_WORKLIST_FIND, VERIFICATION
from worklist.query import Caller, Result
from worklist.server import Door

A_NAME = "Doe^Jane"
ASKED: dict[str, Any] = {"PatientName": None}


def rows(count: int) -> list[Row]:
    """Rows as worklist.query reads them."""
    name = "requested_procedure__order__patient__patient_name"
    groups = {f"{name}_{group}": "" for group in ("ideographic", "phonetic")}
    return [{"pk": number, SITE_ZONE: "UTC", "sps_id": f"S{number}", name: A_NAME, **groups} for number in range(count)]


def three_steps(identifier: Dataset, _caller: Caller) -> Result:
    return Result(0xFF00, read(identifier), rows(3))


class Encoded:
    """The answers of worklist.query.find as the door wants them, encoded by pynetdicom."""

    def __init__(self, identifier: Dataset, syntax: UID, result: Result) -> None:
        self.pending, self.keys, self.matches = result.pending, as_json(identifier), result.matches
        self.shown: list[int] = []
        self.skipped, self.cut, self.changed = result.skipped, result.cut, 0
        self._result, self._syntax = result, syntax

    def __iter__(self) -> Iterator[bytes]:
        for one in self._result:
            self.shown.append(one.step_id)
            syntax = self._syntax
            flags = syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated
            yield encode(one.data_set, *flags) or b""


def encoded(find: Callable[[Dataset, Caller], Result]) -> Callable[[bytes, str, Caller], Encoded]:
    def answer(identifier: bytes, transfer_syntax: str, caller: Caller) -> Encoded:
        data_set = decode(identifier, syntax_of(transfer_syntax))
        return Encoded(data_set, UID(transfer_syntax), find(data_set, caller))

    return answer


Answering = Callable[[bytes, str, Caller], Answers]


class Engine:
    """Answers from a function, read anew for each query."""

    def __init__(self, answers: Answering) -> None:
        self._answers = answers

    def look(self) -> Moment | None:
        return None

    def kept(self, identifier: bytes, transfer_syntax: str, caller: Caller, moment: Moment) -> Opened | None:
        return None

    def reply(self, identifier: bytes, transfer_syntax: str, caller: Caller, moment: Moment | None) -> Answers:
        return self._answers(identifier, transfer_syntax, caller)


class Endless:
    """Answers without an end."""

    pending, matches = 0xFF00, 1_000_000

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.shown: list[int] = []
        self.skipped: list[int] = []
        self.cut, self.changed = False, 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield bytes(10_000)


def endless(_identifier: bytes, _transfer_syntax: str, _caller: Caller) -> Endless:
    return Endless()


class Notebook:
    """A journal that can be read."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def start(self) -> None: ...

    def put(self, entry: Entry) -> None:
        self.entries.append(entry)

    def stop(self) -> None: ...

    def query(self) -> QueryEntry:
        """Return the one query, once it is written."""
        wait_until(lambda: self.queries, what="a query in the journal")
        (entry,) = self.queries
        return entry

    @property
    def queries(self) -> list[QueryEntry]:
        return [entry for entry in self.entries if isinstance(entry, QueryEntry)]

    @property
    def strangers(self) -> list[UnknownCallerEntry]:
        return [entry for entry in self.entries if isinstance(entry, UnknownCallerEntry)]


@contextmanager
def open_door(notebook: Notebook, **options: Any) -> Iterator[Door]:
    settings: dict[str, Any] = {
        "answers": three_steps,
        "is_station": lambda ae_title: ae_title.startswith("CT"),
        "journal": notebook,
    }
    settings |= options
    answers = settings.pop("answers")
    settings.setdefault("source", Engine(answers if answers is endless else encoded(answers)))
    door = Door(Address("127.0.0.1", free_port()), "BUCKY", **settings)
    door.start()
    try:
        yield door
    finally:
        door.stop()


def associate(
    door: Door, calling: str = "CT1", called: str = "BUCKY", syntax: str = ExplicitVRLittleEndian, wishes: bytes = b""
) -> Association:
    """Ask for an association. wishes: bytes of extended negotiation for the worklist."""
    scanner = AE(calling)
    scanner.acse_timeout = scanner.dimse_timeout = scanner.network_timeout = 90
    scanner.add_requested_context(MODALITY_WORKLIST_FIND, syntax)
    scanner.add_requested_context(VERIFICATION, syntax)
    wish = SOPClassExtendedNegotiation()
    wish.sop_class_uid, wish.service_class_application_information = UID(MODALITY_WORKLIST_FIND), wishes
    where = door.address.host, door.address.port
    assoc = scanner.associate(*where, ae_title=called, ext_neg=[wish] if wishes else [])
    # pynetdicom returns when the connection is gone, which may be a moment before it has noted why.
    wait_until(lambda: assoc.is_established or assoc.is_rejected or assoc.is_aborted, what="the answer to a request")
    if assoc.is_aborted and assoc.acceptor.primitive is None:
        # A rejection that came before its thread woke up is taken for a connection that failed.
        return associate(door, calling, called, syntax, wishes)
    return without_thieves(assoc)


def without_thieves(assoc: Association) -> Association:
    """Let only the one who asked take the answers.

    pynetdicom's own thread looks for requests in the same queue; it may have passed its check for a pause a moment
    before the question, and then takes an answer that comes as fast as ours.
    """
    take = assoc.dimse.get_msg
    assoc.dimse.get_msg = lambda block=False: take(True) if block else (None, None)  # type: ignore[method-assign]
    return assoc


@contextmanager
def scanner(door: Door, **options: Any) -> Iterator[Association]:
    assoc = associate(door, **options)
    assert assoc.is_established
    try:
        yield assoc
    finally:
        assoc.release()


Responses = list[tuple[Dataset, Dataset | None]]


def query(assoc: Association, identifier: Dataset | None = None) -> Responses:
    return list(assoc.send_c_find(identifier or keys(**ASKED), MODALITY_WORKLIST_FIND))


def statuses(responses: Responses) -> list[int]:
    return [status.Status for status, _ in responses]


def still_serves(door: Door) -> None:
    """A good scanner is answered, whatever the others do."""
    with scanner(door) as assoc:
        assert statuses(query(assoc)) == [0xFF00] * 3 + [0]
