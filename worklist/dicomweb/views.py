"""What every resource of DICOMweb does, and the search for scheduled steps (PS3.18 chapter 14)."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from http import HTTPStatus

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.csrf import csrf_exempt

from ris.audit import address_of
from worklist.attributes import PATIENT
from worklist.describe import as_json, as_parameters
from worklist.dicomweb import media, trail
from worklist.dicomweb.access import Right, Visitor, admit, bearer_of
from worklist.dicomweb.parameters import PARAMETERS, Search, parameter_of, read_search
from worklist.dicomweb.problems import Problem, bad_request
from worklist.errors import (
    DATABASE_AWAY,
    IDENTIFIER_DOES_NOT_FIT,
    OUT_OF_RESOURCES,
    UNABLE_TO_PROCESS,
    QueryError,
    TooManyAnswers,
)
from worklist.journal import QueryEntry, write_now
from worklist.models import Road
from worklist.query import Result, find
from worklist.ways import kept

log = logging.getLogger(__name__)

Handler = Callable[..., HttpResponse]
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")
IGNORED = "These attributes are not matched: {}"
CUT = "More steps match; these are among the newest {}"
MORE = "There are {} additional results that can be requested"
LEFT_OUT = "{} of the matching steps cannot be written"


class _ForgedRequests(CsrfViewMiddleware):
    """Django's check of requests that another page could have made a browser send, with a report as its refusal."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return Problem(HTTPStatus.FORBIDDEN, "A session needs the header X-CSRFToken").answer()


def resource(**handlers: Handler) -> Handler:
    """Return the view of a resource: what it does by method. Every refusal is a report, every answer is not kept."""
    methods = {**({"HEAD": handlers["GET"]} if "GET" in handlers else {}), **handlers}
    allowed = ", ".join(sorted({*methods, "OPTIONS"}))

    def answer(request: HttpRequest, **arguments: str) -> HttpResponse:
        try:
            if request.method in methods:
                response = methods[request.method](request, **arguments)
            elif request.method == "OPTIONS":
                response = HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"Allow": allowed})
            else:
                raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "This method is not done here", headers={"Allow": allowed})
        except Problem as problem:
            response = problem.answer()
        except QueryError as reason:
            response = _problem_of(reason, request).answer()
        except DatabaseError as trouble:
            log.error("dicomweb: the database cannot answer (%s)", type(trouble).__name__)
            response = away().answer()
        except Exception as fault:
            log.exception("dicomweb: a request failed (%s)", type(fault).__name__)
            response = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Bucky cannot do this").answer()
        return response

    forged = _ForgedRequests(answer)

    @csrf_exempt
    def view(request: HttpRequest, **arguments: str) -> HttpResponse:
        """Only a browser sends a session's cookie without being asked: a token cannot be sent from another page."""
        if arguments:  # the web server's log writes the path, and a device may put anything into it
            (said,) = arguments.values()
            request.META["PATH_INFO"] = f"{request.path_info.removesuffix(said)}..."
        with translation.override("en"):  # what a device is told, and what is kept of it, is in one language
            by_session = bearer_of(request) is None and settings.SESSION_COOKIE_NAME in request.COOKIES
            refused = forged.process_view(request, answer, (), {}) if by_session else None
            response = refused or answer(request, **arguments)
        return _finished(request, response)

    return view


def _finished(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept, Authorization, Cookie"
    if not response.content and request.method != "HEAD":  # nothing is of no media type
        del response["Content-Type"]
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        log.info("dicomweb: %s from %s answered %d", request.method, address_of(request), response.status_code)
        response._has_been_logged = True  # type: ignore[attr-defined]  # django.request would log the path: a UID
    return response


def away() -> Problem:
    """Return the problem of a database that cannot be reached."""
    headers = {"Retry-After": "10"}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "The database cannot be reached, ask again", headers=headers)


def capabilities(request: HttpRequest) -> HttpResponse:
    """Tell what there is, without asking who wants to know: it names no patient (PS3.18 section 8.9)."""
    search = {
        "resource": reverse("dicomweb_scheduled"),
        "methods": ["GET"],
        "answered": _described(media.SEARCH_OFFERS),
        "parameters": ["{attribute}", *PARAMETERS],
    }
    performed = {
        "resource": f"{reverse('dicomweb')}modality-performed-procedure-steps/{{mppsUID}}",
        "methods": ["GET", "POST"],
        "answered": _described(media.RETRIEVE_OFFERS),
        "parameters": ["update", "includefield", "accept", "charset"],
    }
    told = {"service": "Bucky", "standard": "DICOM PS3.18 chapters 14 and 15", "resources": [search, performed]}
    return JsonResponse(told)


def nothing(request: HttpRequest, rest: str) -> HttpResponse:
    """Tell that there is no such resource, whoever asks: what there is, is no secret."""
    raise Problem(HTTPStatus.NOT_FOUND, "There is no such resource")


def _described(offers: Sequence[media.Offer]) -> list[str]:
    return list(dict.fromkeys(offer.described for offer in offers))


def search_steps(request: HttpRequest) -> HttpResponse:
    """Search the scheduled steps (PS3.18 section 14.4)."""
    visitor = admit(request, Right.SEARCH)
    caller = visitor.caller
    entry = QueryEntry(timezone.now(), caller.ae_title, caller.called_ae_title, caller.address, Road.WEB)
    clock = time.perf_counter()
    try:
        return _search(request, visitor, entry)
    except Exception as trouble:
        _note_failure(entry, trouble)
        entry.unread = {} if entry.keys else as_parameters(request.GET.lists())
        raise
    finally:
        entry.milliseconds = round((time.perf_counter() - clock) * 1000, 2)
        if visitor.token is not None:
            write_now(entry)


def _note_failure(entry: QueryEntry, trouble: Exception) -> None:
    """Let the query log say that nothing was sent, and why."""
    entry.step_ids, entry.matches, entry.total = [], 0, None
    match trouble:
        case QueryError():
            status, comment = trouble.status, trouble.comment
        case Problem():
            status, comment = IDENTIFIER_DOES_NOT_FIT, trouble.detail
        case DatabaseError():
            status, comment = OUT_OF_RESOURCES, DATABASE_AWAY
        case _:
            status, comment = UNABLE_TO_PROCESS, "Bucky cannot answer this query"
    entry.status, entry.comment = f"{status:04X}", comment[:250]


def _search(request: HttpRequest, visitor: Visitor, entry: QueryEntry) -> HttpResponse:
    offer = media.choose(request, media.SEARCH_OFFERS)
    asked = read_search(request.GET)
    entry.keys, entry.ways = as_json(asked.identifier), kept(asked.ways, asked.page)
    result = find(asked.identifier, replace(visitor.caller, ways=asked.ways), page=asked.page)
    if not result.cut:
        entry.total = asked.page.total(result.matches, result.remaining)
    entry.matches = result.matches
    models = []
    for one in result:
        models.append(media.model_of(one.data_set))
        entry.step_ids.append(one.step_id)
    entry.skipped = result.skipped
    if result.cut:
        entry.comment = f"Only the newest {len(models)} were sent"
    shown = set(entry.step_ids)
    trail.tell_listed(request, visitor, [row[PATIENT + "pk"] for row in result.rows if row["pk"] in shown])
    if models:
        body, media_type = media.body_of(offer, models)
        response = HttpResponse(body, content_type=media_type)
    else:  # PS3.18 section 8.3.4.4.1
        response = HttpResponse(status=HTTPStatus.NO_CONTENT)
    media.warn(request, response, _warnings(asked, result))
    return response


def _warnings(asked: Search, result: Result) -> list[str]:
    """Return what the device has to be told."""
    texts = []
    if result.remaining:  # PS3.18 section 8.3.4.4.1
        texts.append(MORE.format(result.remaining))
    if result.cut:
        texts.append(CUT.format(result.most))
    if asked.ignored:
        texts.append(IGNORED.format(" ".join(asked.ignored)))
    if result.skipped:
        texts.append(LEFT_OUT.format(len(result.skipped)))
    return texts


def _problem_of(reason: QueryError, request: HttpRequest) -> Problem:
    """Return what a refused query is over HTTP."""
    if isinstance(reason, TooManyAnswers):
        return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{reason.comment}, or for pages with limit and offset")
    if reason.status == OUT_OF_RESOURCES:
        return away()
    name = parameter_of(request.GET, reason.tag) if reason.tag is not None else ""
    if not name:
        return bad_request(reason.comment)
    return bad_request(f"{name} {reason.fault}" if reason.fault else reason.comment, parameter=name)
