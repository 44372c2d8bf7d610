"""Calls of our own to another DICOM application, through pynetdicom. What goes wrong is told in plain words."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association

from worklist.silence import keep_silent

CONNECT_SECONDS = 10
ANSWER_SECONDS = 30


class CallFailed(Exception):
    """The other side could not be reached, did not take the call, or did not answer. The words name no patient."""


@dataclass(frozen=True)
class Called:
    """Whom to call, and as whom."""

    host: str
    port: int
    ae_title: str
    calling: str

    def __str__(self) -> str:
        return f"{self.ae_title} at {self.host}:{self.port}"


REJECTIONS: dict[tuple[int | None, int | None], str] = {
    (1, 1): "it takes no associations",
    (1, 2): "it does not know DICOM's application context",
    (1, 3): "it does not know the calling AE title {calling}",
    (1, 7): "it is not called {ae_title}",
    (2, 1): "it has no reason",
    (2, 2): "it speaks another version of the protocol",
    (3, 1): "it is too busy",
    (3, 2): "it has too many associations",
}
"""Source and diagnostic of an A-ASSOCIATE-RJ (PS3.8 table 9-21) in words."""


@contextmanager
def calling(called: Called, *services: str) -> Iterator[Association]:
    """Open an association in which at least one of the services is accepted, and release it. Raises CallFailed."""
    keep_silent()
    opened: list[evt.Event] = []
    ae = AE(called.calling)
    ae.connection_timeout = ae.acse_timeout = CONNECT_SECONDS
    ae.dimse_timeout = ae.network_timeout = ANSWER_SECONDS
    for service in services:
        ae.add_requested_context(service, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    began = time.monotonic()
    try:
        assoc = ae.associate(
            called.host, called.port, ae_title=called.ae_title, evt_handlers=[(evt.EVT_CONN_OPEN, opened.append)]
        )
    except OSError as trouble:
        why = "this host is not known" if isinstance(trouble, socket.gaierror) else type(trouble).__name__
        raise CallFailed(f"{called} cannot be called: {why}") from None
    except Exception as trouble:  # pynetdicom raises many kinds for an address that is none
        raise CallFailed(f"{called} cannot be called ({type(trouble).__name__})") from None
    if not assoc.is_established:
        silent = time.monotonic() - began >= CONNECT_SECONDS
        raise CallFailed(_why(assoc, called, connected=bool(opened), silent=silent))
    if not assoc.accepted_contexts:
        assoc.release()
        raise CallFailed(f"{called} does not offer this service")
    # pynetdicom's own thread looks for requests in the queue that the asking one waits on, and now and then takes an
    # answer that comes fast.
    take = assoc.dimse.get_msg
    assoc.dimse.get_msg = lambda block=False: take(True) if block else (None, None)  # type: ignore[method-assign]
    try:
        yield assoc
    except RuntimeError:  # pynetdicom's word for a request after the other side has hung up
        if assoc.is_established:
            raise
        raise CallFailed(f"{called} ended the association") from None
    finally:
        if assoc.is_established:
            assoc.release()


def _why(assoc: Association, called: Called, *, connected: bool, silent: bool) -> str:
    """Return why an association was not established. silent: all the time was waited; pynetdicom does not tell."""
    if assoc.is_rejected:
        answer = assoc.acceptor.primitive
        words = REJECTIONS.get((answer.result_source, answer.diagnostic), "it gives no reason") if answer else ""
        return f"{called} refused the association: {words.format(calling=called.calling, ae_title=called.ae_title)}"
    if assoc.is_aborted and assoc.acceptor.primitive is not None:
        return f"{called} offers none of what was asked for"
    if connected:
        return f"{called} does not answer in DICOM: another service listens at this port, or it wants TLS"
    if silent:
        return f"{called} cannot be reached: no answer in {CONNECT_SECONDS} seconds; a wrong address, or a firewall"
    return f"{called} cannot be reached: nobody listens there"


def status_of(answer: Dataset, called: Called) -> int:
    """Return the status of a response. Raises CallFailed where none came: a half answer is no answer."""
    if "Status" not in answer:
        raise CallFailed(f"{called} did not answer, or ended the association")
    return int(answer.Status)


def comment_of(answer: Dataset) -> str:
    """Return status and Error Comment for the terminal of a person: never for a log or a row, see `code_of`."""
    comment = str(answer.get("ErrorComment", "") or "")
    return f"{code_of(answer)}{': ' + comment if comment else ''}"


def code_of(answer: Dataset) -> str:
    """Return the status in words of our own: an archive's Error Comment may quote the patient that it refuses."""
    return f"status {int(answer.Status):04X}"
