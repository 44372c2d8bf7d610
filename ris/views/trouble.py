"""What a person reads when a page could not be made."""

import logging
import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.defaults import server_error
from psycopg2.errors import DeadlockDetected, LockNotAvailable, SerializationFailure

from ris.middleware import language_for

log = logging.getLogger(__name__)


_IN_THE_WAY = (DeadlockDetected, LockNotAvailable, SerializationFailure)
_LOCKED = "database is locked"  # so SQLite says that somebody else writes for too long
_UNKNOWN = ("no such table", "no such column")  # of SQLite; PostgreSQL does not take them for its own trouble


def failed(request: HttpRequest) -> HttpResponse:
    """Answer 500; while the database is away, full, or slower than a statement may be, 503 and one line in the log.

    Where two people got in each other's way, so that the database undid what one of them did, that one reads so (409).
    Django asks for this page while it handles what was raised.
    """
    fault = sys.exception()
    if not isinstance(fault, OperationalError | InterfaceError) or str(fault).startswith(_UNKNOWN):
        return server_error(request)
    if isinstance(fault.__cause__, _IN_THE_WAY) or str(fault).startswith(_LOCKED):
        log.warning("two changes got in each other's way (%s): a page was answered 409", type(fault).__name__)
        return _plain(request, HTTPStatus.CONFLICT)
    log.error("the database is away (%s): a page was answered 503", type(fault).__name__)
    response = _plain(request, HTTPStatus.SERVICE_UNAVAILABLE)
    response["Retry-After"] = "10"
    return response


def _plain(request: HttpRequest, status: HTTPStatus) -> HttpResponse:
    with translation.override(language_for(request)):  # whose account it is, nobody can look up
        response = render(request, f"{status.value}.html", status=status)
    response["Cache-Control"] = "no-store"
    response._has_been_logged = True  # type: ignore[attr-defined]  # else django.request adds forty lines to each page
    return response
