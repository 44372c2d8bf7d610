"""Performed steps over HTTP (PS3.18 chapter 15): begun, updated and read by the service that answers MPPS."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.dsutils import encode

from worklist.dicomweb import media
from worklist.dicomweb.access import Right, Visitor, admit
from worklist.dicomweb.media import warn
from worklist.dicomweb.parameters import REQUEST_PARAMETERS, read_included, shown
from worklist.dicomweb.payload import read_data_set
from worklist.dicomweb.problems import Problem, bad_request
from worklist.dimse import Command
from worklist.encoding import decode, syntax_of
from worklist.mpps import Operation, Outcome, handle
from worklist.mpps_rules import (
    ATTRIBUTES_NOT_SUPPORTED,
    DUPLICATE_INSTANCE,
    INVALID_INSTANCE,
    INVALID_VALUE,
    MAY_NO_LONGER_BE_UPDATED,
    MISSING_ATTRIBUTE,
    MISSING_VALUE,
    NO_SUCH_INSTANCE,
    RESOURCE_LIMITATION,
    SUCCESS,
)
from worklist.mpps_values import as_json
from worklist.negotiation import PERFORMED_STEP, PERFORMED_STEP_RETRIEVE
from worklist.silence import keep_silent

SYNTAX = ExplicitVRLittleEndian
"""In which a request is kept and passed on to archives."""
UNKNOWN_ATTRIBUTES = "Some of the attributes are not attributes of a performed step"

CREATE_STATUSES: dict[int, HTTPStatus] = {
    DUPLICATE_INSTANCE: HTTPStatus.CONFLICT,
    INVALID_INSTANCE: HTTPStatus.BAD_REQUEST,
    INVALID_VALUE: HTTPStatus.BAD_REQUEST,
    MISSING_ATTRIBUTE: HTTPStatus.BAD_REQUEST,
    MISSING_VALUE: HTTPStatus.BAD_REQUEST,
    NO_SUCH_INSTANCE: HTTPStatus.NOT_FOUND,
    RESOURCE_LIMITATION: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""DIMSE status -> HTTP status; every other one is a fault in Bucky."""
UPDATE_STATUSES = CREATE_STATUSES | {
    MISSING_ATTRIBUTE: HTTPStatus.CONFLICT,  # the step cannot end as it stands (PS3.18 section 15.5.3.1)
    MISSING_VALUE: HTTPStatus.CONFLICT,
}


def report(request: HttpRequest, uid: str) -> HttpResponse:
    """Begin or update a performed step (PS3.18 sections 15.4 and 15.5)."""
    visitor = admit(request, Right.REPORT)
    updates = _updates(request)
    keep_silent()
    data_set = read_data_set(request)
    if data_set.get("SOPInstanceUID") not in (None, "", uid):
        raise bad_request("The SOP Instance UID is not that of the address", attributes=["00080018"])
    command = Command.N_SET if updates else Command.N_CREATE
    outcome = handle(_operation(command, PERFORMED_STEP, uid, visitor, data=_encoded(data_set)))
    if outcome.status != SUCCESS:
        raise _problem_of(outcome, UPDATE_STATUSES if updates else CREATE_STATUSES)
    if updates:
        return HttpResponse(status=HTTPStatus.OK)
    location = request.build_absolute_uri(reverse("dicomweb_performed", args=[uid]))
    return HttpResponse(status=HTTPStatus.CREATED, headers={"Location": location, "Content-Location": location})


def retrieve(request: HttpRequest, uid: str) -> HttpResponse:
    """Return what is known of a performed step (PS3.18 section 15.6)."""
    visitor = admit(request, Right.RETRIEVE)
    offer = media.choose(request, media.RETRIEVE_OFFERS)
    tags = read_included(request.GET)
    keep_silent()
    outcome = handle(_operation(Command.N_GET, PERFORMED_STEP_RETRIEVE, uid, visitor, tags=tags))
    if outcome.data is None:
        raise _problem_of(outcome, CREATE_STATUSES)
    model, _doubts = as_json(decode(outcome.data, syntax_of(SYNTAX)))
    body, media_type = media.body_of(offer, [model])
    response = HttpResponse(body, content_type=media_type)
    warn(request, response, [UNKNOWN_ATTRIBUTES] if outcome.status == ATTRIBUTES_NOT_SUPPORTED else [])
    return response


def _updates(request: HttpRequest) -> bool:
    """Tell whether an update is asked for (PS3.18 section 15.5.1.2). Raises Problem for any other parameter."""
    unknown = sorted(set(request.GET) - REQUEST_PARAMETERS - {"update"})
    if unknown:
        raise bad_request(f"There is no parameter {shown(unknown[0])} here", parameter=shown(unknown[0]))
    said = request.GET.getlist("update")
    if said not in ([], [""], ["true"]):
        raise bad_request("The parameter update has no value", parameter="update")
    return bool(said)


def _operation(
    command: int, sop_class: str, uid: str, visitor: Visitor, *, data: bytes = b"", tags: tuple[int, ...] = ()
) -> Operation:
    by = visitor.actor if visitor.token is None else None
    return Operation(command, sop_class, sop_class, uid, SYNTAX, visitor.caller, data, tags, by)


def _encoded(data_set: Dataset) -> bytes:
    encoded = encode(data_set, SYNTAX.is_implicit_VR, SYNTAX.is_little_endian)
    if encoded is None:
        raise bad_request("The data set holds a value that its VR cannot hold")
    return encoded


def _problem_of(outcome: Outcome, statuses: dict[int, HTTPStatus]) -> Problem:
    """Return what a refusal of the service is over HTTP, with its DICOM status and the attributes at fault."""
    status = statuses.get(outcome.status, HTTPStatus.INTERNAL_SERVER_ERROR)
    if outcome.error_id == MAY_NO_LONGER_BE_UPDATED:
        status = HTTPStatus.CONFLICT
    more = {"attributes": [f"{tag:08X}" for tag in outcome.tags]} if outcome.tags else {}
    headers = {"Retry-After": "10"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Problem(status, outcome.comment, headers=headers, dicom_status=f"{outcome.status:04X}", **more)
