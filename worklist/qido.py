"""Asks an archive over DICOMweb what it has of a study: QIDO-RS, SearchForStudies (DICOM PS3.18 section 10.6)."""

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlencode, urlsplit

from django.conf import settings

from worklist.logins import WrongAddress, login_for
from worklist.scu import CallFailed

SECONDS = 20.0
"""How long an archive may take to be reached, and then for its answer."""
LARGEST_ANSWER = 1024 * 1024
STUDY_INSTANCE_UID, MODALITIES_IN_STUDY, STUDY_RELATED_INSTANCES = "0020000D", "00080061", "00201208"


@dataclass(frozen=True)
class Study:
    """What an archive says of a study. modalities: empty where it does not say; images: 0 where it does not."""

    modalities: tuple[str, ...] = ()
    images: int = 0


def study(base: str, name: str, uid: str) -> Study | None:
    """Return what an archive says of a study; None when it has none of this UID. Raises CallFailed.

    base: the address of its DICOMweb services. name: of the archive, for BUCKY_ARCHIVE_LOGINS.
    Where the login is for another address, nothing is asked.
    """
    keys = [("StudyInstanceUID", uid), ("includefield", MODALITIES_IN_STUDY), ("includefield", STUDY_RELATED_INSTANCES)]
    headers = {"Accept": "application/dicom+json"}
    try:
        login = login_for(name, base)
    except WrongAddress as reason:
        raise CallFailed(str(reason)) from None
    if login:
        headers["Authorization"] = login
    return _read(_body(f"{base.rstrip('/')}/studies?{urlencode(keys)}", headers), uid)


def _body(url: str, headers: dict[str, str]) -> bytes:
    """Return the body of the answer, empty where there is none. Raises CallFailed, without the address: see _fail.

    No proxy is used and no redirect followed: the credentials are for this archive alone.
    """
    parts = urlsplit(url)
    late = threading.Event()
    connection: http.client.HTTPConnection
    try:
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(parts.netloc, timeout=SECONDS, context=_context())
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
        with closing(connection):
            connection.connect()
            with _hung_up_after(SECONDS, connection.sock, late):
                connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
                with connection.getresponse() as answer:
                    return _answered(answer, late)
    except (OSError, http.client.HTTPException, ValueError) as trouble:
        _fail("was too slow" if late.is_set() else f"cannot be asked ({type(trouble).__name__})")


@contextmanager
def _hung_up_after(seconds: float, line: socket.socket, late: threading.Event) -> Iterator[None]:
    """End what waits for the other side at the latest then; a time-out of the socket is one for each byte."""

    def hang_up() -> None:
        late.set()
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _answered(answer: http.client.HTTPResponse, late: threading.Event) -> bytes:
    if answer.status not in (http.client.OK, http.client.NO_CONTENT):
        _fail(f"answered with HTTP status {answer.status}")
    body = b""
    while piece := answer.read1(65536):
        body += piece
        if len(body) > LARGEST_ANSWER:
            _fail("sent too long an answer")
    if late.is_set():
        _fail("was too slow")
    return body


def _context() -> ssl.SSLContext:
    """Return how to speak TLS: certificates are checked, by the machine's authorities and those of the setting."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.BUCKY_ARCHIVE_CA:
        context.load_verify_locations(settings.BUCKY_ARCHIVE_CA)
    return context


def _read(body: bytes, uid: str) -> Study | None:
    """Return the study of this UID in an answer in the DICOM JSON model (PS3.18 annex F)."""
    if not body.strip():
        return None  # 204 No Content
    try:
        rows = json.loads(body)
    except (ValueError, RecursionError):
        _fail("sent no JSON")
    for row in rows if isinstance(rows, list) else ():
        if _values(row, STUDY_INSTANCE_UID)[:1] == [uid]:
            number = next(iter(_values(row, STUDY_RELATED_INSTANCES)), "")
            images = int(number) if number.isdecimal() and len(number) < 9 else 0
            return Study(tuple(_values(row, MODALITIES_IN_STUDY)), images)
    return None


def _values(row: object, tag: str) -> list[str]:
    """Return the values of an attribute as text."""
    element = row.get(tag) if isinstance(row, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return [str(value) for value in values if value is not None] if isinstance(values, list) else []


def _fail(words: str) -> NoReturn:
    raise CallFailed(f"The archive's DICOMweb {words}") from None
