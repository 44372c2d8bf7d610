"""What a person reads when a page could not be made."""

import logging
import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.defaults import server_error

from ris.middleware import language_for

log = logging.getLogger(__name__)


def failed(request: HttpRequest) -> HttpResponse:
    """Answer 500, or 503 and one line in the log while the database is away, full, or slower than a statement may be.

    Django asks for this page while it handles what was raised.
    """
    fault = sys.exception()
    if not isinstance(fault, OperationalError | InterfaceError):
        return server_error(request)
    log.error("the database is away (%s): a page was answered 503", type(fault).__name__)
    with translation.override(language_for(request)):  # whose account it is, nobody can look up
        response = render(request, "503.html", status=HTTPStatus.SERVICE_UNAVAILABLE)
    response["Retry-After"] = "10"
    response["Cache-Control"] = "no-store"
    response._has_been_logged = True  # type: ignore[attr-defined]  # else django.request adds forty lines to each page
    return response
