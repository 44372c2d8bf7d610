"""The DICOM door on pynetdicom: C-ECHO, and C-FIND on the Modality Worklist in front of worklist.query.

Who may call, how many, how long; every failure becomes a status that the scanner can show. What it answers is
decided in worklist.query.
"""

import logging
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast
from weakref import WeakKeyDictionary

from django.db import Error as DatabaseError
from django.utils import timezone
from pydicom import config as pydicom_config
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE

from ris.config import Address
from ris.models import Station
from worklist.describe import as_json
from worklist.errors import IDENTIFIER_DOES_NOT_FIT, UNABLE_TO_PROCESS, QueryError
from worklist.journal import Journal, QueryEntry, Recorder, UnknownCallerEntry
from worklist.query import Caller, Result, find
from worklist.transport import BoundedServer, BoundedSocket
from worklist.workers import Workers

log = logging.getLogger(__name__)

TRANSFER_SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
]
VERIFICATION = "1.2.840.10008.1.1"
MODALITY_WORKLIST_FIND = "1.2.840.10008.5.1.4.31"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""DICOM Application Context Name (PS3.7 A.2.1)."""
CANCELED = 0xFE00
SUCCESS = 0x0000

ASSOCIATION_SECONDS = 10
"""ARTIM: from the connection to the association request."""
IDLE_SECONDS = 900
"""How long an association may stay open without a word. Scanners that hold theirs open poll more often."""
LOOK_UP_SECONDS = 5.0
QUERY_SECONDS = 20.0
"""How long the database may take; scanners give up after 30 s or so."""
STOP_SECONDS = 4.0
"""How long running answers may take to finish when the door closes."""


@dataclass(frozen=True)
class Rejection:
    """Why an association is not accepted (PS3.8 table 9-21)."""

    result: int
    source: int
    reason: int
    words: str


WRONG_CONTEXT = Rejection(1, 1, 2, "it is not DICOM's application context")
WRONG_CALLED = Rejection(1, 1, 7, "it calls another AE title")
UNKNOWN_CALLING = Rejection(1, 1, 3, "its AE title is no station")
CANNOT_LOOK_UP = Rejection(2, 1, 1, "the stations cannot be looked up now")
TOO_MANY = Rejection(2, 3, 2, "too many associations are open")


def is_active_station(ae_title: str) -> bool:
    """Tell whether an AE title is a station in use."""
    return Station.objects.active().filter(ae_title=ae_title).exists()


class Door:
    """The listener and its associations."""

    def __init__(
        self,
        at: Address,
        ae_title: str,
        *,
        refuse_unknown: bool = False,
        most: int = 50,
        answers: Callable[[Dataset, Caller], Result] = find,
        is_station: Callable[[str], bool] = is_active_station,
        journal: Recorder | None = None,
    ) -> None:
        """Prepare; nothing listens yet.

        ae_title: what callers must call. refuse_unknown: refuse AE titles that are no active station.
        most: associations at the same time. answers, is_station, journal: what stands behind the door.
        """
        self.address = at
        self._refuse_unknown = refuse_unknown
        self._most = most
        self._callers: WeakKeyDictionary[Association, Caller] = WeakKeyDictionary()
        self._busy: set[Association] = set()
        self._workers = Workers()
        self._journal = journal or Journal()
        self._answers_to = answers
        self._is_active_station = is_station
        self._ae = AE(ae_title)
        self._ae.acse_timeout = ASSOCIATION_SECONDS
        self._ae.network_timeout = IDLE_SECONDS
        self._ae.maximum_associations = 1_000_000  # counted here, where silent connections do not take a place
        for service in (VERIFICATION, MODALITY_WORKLIST_FIND):
            self._ae.add_supported_context(service, TRANSFER_SYNTAXES)
        self._server: BoundedServer | None = None

    def start(self) -> None:
        """Listen and serve in threads. Raises OSError when the address is taken."""
        _keep_silent()
        server = BoundedServer(
            self._ae,
            (self.address.host, self.address.port),
            self._ae.ae_title,
            self._ae.supported_contexts,
            evt_handlers=[
                (evt.EVT_REQUESTED, self._requested),
                (evt.EVT_DIMSE_RECV, _message_received),
                (evt.EVT_C_FIND, self._found),
            ],
        )
        server.most_connections = self._most * 4 + 100
        self._ae._servers.append(server)  # shutdown() takes it out again
        self._journal.start()
        threading.Thread(target=server.serve_forever, args=(0.1,), name="listener", daemon=True).start()
        self._server = server
        log.info("worklist: %s listens on %s", self._ae.ae_title, self.address)

    def stop(self) -> None:
        """Take no more callers, let running answers finish, end the associations and write down the rest."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.shutdown()
        associations = server.active_associations
        for one in associations:
            if not one.is_established:
                _drop(one)
        _wait(STOP_SECONDS, lambda: not self._busy)
        for one in associations:
            if one.is_established:
                threading.Thread(target=one.abort, daemon=True).start()
        _wait(1, lambda: not any(one.is_alive() for one in associations))
        for one in associations:
            _drop(one)
        _wait(1, lambda: not any(one.is_alive() for one in associations))
        self._workers.close()
        self._journal.stop()
        log.info("worklist: closed")

    # --- who calls --------------------------------------------------------------------------------

    def _requested(self, event: evt.Event) -> None:
        """Accept or reject an association request, before pynetdicom negotiates it."""
        assoc: Association = event.assoc
        request = cast(A_ASSOCIATE, assoc.requestor.primitive)
        caller = Caller(
            ae_title=(request.calling_ae_title or "").strip(),
            called_ae_title=(request.called_ae_title or "").strip(),
            address=assoc.requestor.address or "",
        )
        self._callers[assoc] = caller
        rejection = self._judge(caller, str(request.application_context_name or ""))
        if rejection:
            log.warning("worklist: %a at %s refused: %s", caller.ae_title, caller.address, rejection.words)
            assoc.acse.send_reject(rejection.result, rejection.source, rejection.reason)
            assoc.kill()

    def _judge(self, caller: Caller, application_context: str) -> Rejection | None:
        """Return why the caller is refused, None when it is welcome."""
        if application_context != APPLICATION_CONTEXT:
            return WRONG_CONTEXT
        if caller.called_ae_title != self._ae.ae_title:
            return WRONG_CALLED
        if sum(one.is_established for one in self._ae.active_associations) >= self._most:
            return TOO_MANY
        known = self._is_station(caller.ae_title)
        if known is False:
            entry = UnknownCallerEntry(timezone.now(), caller.ae_title, caller.address, self._refuse_unknown)
            self._journal.put(entry)
        if known or not self._refuse_unknown:
            return None
        return CANNOT_LOOK_UP if known is None else UNKNOWN_CALLING

    def _is_station(self, ae_title: str) -> bool | None:
        """Tell whether an AE title is an active station; None when the database is away."""
        try:
            return self._workers.run(LOOK_UP_SECONDS, self._is_active_station, ae_title)
        except (DatabaseError, QueryError):
            return None

    # --- what is asked ----------------------------------------------------------------------------

    def _found(self, event: evt.Event) -> Iterator[tuple[int | Dataset, Dataset | None]]:
        """Answer one C-FIND: a status and a data set for each step, and at the end nothing or why not."""
        assoc: Association = event.assoc
        caller = self._callers.get(assoc) or Caller("")
        began, clock = timezone.now(), time.perf_counter()
        entry = QueryEntry(began, caller.ae_title, caller.called_ae_title, caller.address)
        self._busy.add(assoc)
        try:
            yield from self._answers(event, caller, entry)
        except GeneratorExit:
            entry.comment = "The association ended before the answer did"
            raise
        finally:
            self._busy.discard(assoc)
            entry.milliseconds = round((time.perf_counter() - clock) * 1000, 2)
            self._journal.put(entry)

    def _answers(
        self, event: evt.Event, caller: Caller, entry: QueryEntry
    ) -> Iterator[tuple[int | Dataset, Dataset | None]]:
        result: Result | None = None
        try:
            identifier = _identifier(event)
            entry.keys = as_json(identifier)
            result = self._workers.run(QUERY_SECONDS, self._answers_to, identifier, caller)
            entry.matches = result.matches
            for one in result:
                if event.is_cancelled:
                    entry.status = f"{CANCELED:04X}"
                    yield CANCELED, None
                    return
                entry.step_ids.append(one.step_id)
                yield result.pending, one.data_set
        except QueryError as reason:
            yield _failure(reason, entry), None
        except Exception as fault:
            log.exception("worklist: a query of %a failed (%s)", caller.ae_title, type(fault).__name__)
            yield _failure(QueryError(UNABLE_TO_PROCESS, "Bucky cannot answer this query"), entry), None
        finally:
            entry.skipped = result.skipped if result else []


def _drop(assoc: Association) -> None:
    """Hang up on a peer."""
    cast(BoundedSocket, assoc.dul.socket).drop()


def _wait(seconds: float, done: Callable[[], bool]) -> None:
    """Wait until something is done, for at most so many seconds."""
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.02)


def _identifier(event: evt.Event) -> Dataset:
    """Decode the identifier of a request."""
    try:
        identifier: Dataset = event.identifier
    except Exception:  # whatever zlib, pydicom or recursion makes of what a peer sent
        raise QueryError(IDENTIFIER_DOES_NOT_FIT, "The identifier cannot be decoded") from None
    return identifier


def _failure(reason: QueryError, entry: QueryEntry) -> Dataset:
    """Return the response's status elements (PS3.7 table C.4-1)."""
    entry.status, entry.comment = f"{reason.status:04X}", reason.comment
    status = Dataset()
    status.Status = reason.status
    status.ErrorComment = reason.comment
    if reason.tag is not None:
        status.OffendingElement = [reason.tag]
    return status


def _message_received(event: evt.Event) -> None:
    """Count anew: LARGEST_MESSAGE bounds what arrives between two whole messages."""
    cast(BoundedSocket, event.assoc.dul.socket).received = 0


def _keep_silent() -> None:
    """Keep patients out of the output; what the libraries tell is told by this module without values.

    pynetdicom logs identifiers, which it formats even when nobody reads them, and the words of exceptions; pydicom
    warns with values.
    """
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE
    warnings.filterwarnings("ignore", module=r"pydicom|pynetdicom")
