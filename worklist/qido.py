"""Asks an archive over DICOMweb what it has of a study: QIDO-RS, SearchForStudies (DICOM PS3.18 section 10.6)."""

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlencode

from django.conf import settings

from worklist.scu import CallFailed

SECONDS = 20.0
"""How long an archive may take for one answer, and for each piece of it."""
LARGEST_ANSWER = 1024 * 1024
STUDY_INSTANCE_UID, MODALITIES_IN_STUDY, STUDY_RELATED_INSTANCES = "0020000D", "00080061", "00201208"


@dataclass(frozen=True)
class Study:
    """What an archive says of a study. modalities: empty where it does not say; images: 0 where it does not."""

    modalities: tuple[str, ...] = ()
    images: int = 0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nobody: the credentials are for this archive alone."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Refuse."""


def study(base: str, name: str, uid: str) -> Study | None:
    """Return what an archive says of a study; None when it has none of this UID. Raises CallFailed.

    base: the address of its DICOMweb services. name: of the archive, for BUCKY_ARCHIVE_LOGINS.
    """
    keys = [("StudyInstanceUID", uid), ("includefield", MODALITIES_IN_STUDY), ("includefield", STUDY_RELATED_INSTANCES)]
    request = urllib.request.Request(f"{base.rstrip('/')}/studies?{urlencode(keys)}")  # noqa: S310 - see Archive
    request.add_header("Accept", "application/dicom+json")
    login = settings.BUCKY_ARCHIVE_LOGINS.get(name)
    if login:
        request.add_unredirected_header("Authorization", login)
    return _read(_body(request), uid)


def _body(request: urllib.request.Request) -> bytes:
    """Return the body of the answer, empty where there is none. Raises CallFailed, without the address: see _fail."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=_context()),
        _NoRedirect(),
    )
    until = time.monotonic() + SECONDS
    try:
        with opener.open(request, timeout=SECONDS) as answer:
            body = b""
            while piece := answer.read1(65536):
                body += piece
                if len(body) > LARGEST_ANSWER:
                    _fail("sent too long an answer")
                if time.monotonic() > until:
                    _fail("was too slow")
            return body
    except urllib.error.HTTPError as refusal:
        refusal.close()
        _fail(f"answered with HTTP status {refusal.code}")
    except (OSError, http.client.HTTPException, ValueError) as trouble:
        cause = trouble.reason if isinstance(trouble, urllib.error.URLError) else trouble
        _fail(f"cannot be asked ({type(cause).__name__})")


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
