"""Who stands at the door: a device with a token, or a person who is signed in to the desk (PS3.18 section 8.10)."""

import logging
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

from axes.conf import settings as axes
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from django.utils import timezone

from ris.actor import Actor, ActorKind
from ris.audit import actor_of, address_of
from worklist.charsets import UTF_8
from worklist.dicomweb.problems import Problem
from worklist.journal import RefusedCallEntry, UnknownCallerEntry, write_now
from worklist.models import RefusedCall
from worklist.query import Caller
from worklist.server import is_active_station
from worklist.tokens import ApiToken

log = logging.getLogger(__name__)

CALLED = "DICOMweb"
"""Stands where other queries have the AE title that was called."""
REALM = 'Bearer realm="Bucky"'
NAME = "API token"
"""Under which failed sign-ins with tokens are counted."""


class Right(Enum):
    """What a visitor may do: the field of a token, and the permission of a person."""

    SEARCH = "may_search", "ris.view_worklist"
    REPORT = "may_report", "ris.perform_step"
    RETRIEVE = "may_report", "ris.view_performedprocedurestep"


@dataclass(frozen=True)
class Visitor:
    """Somebody who was let in. token: None for a person."""

    caller: Caller
    actor: Actor
    token: ApiToken | None = None


def bearer_of(request: HttpRequest) -> str | None:
    """Return the token that a request shows (RFC 6750 section 2.1), None where it shows none."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


def admit(request: HttpRequest, right: Right) -> Visitor:
    """Return who is asking. Raises Problem: 401 for nobody, 403 for somebody who may not, 429 for too many attempts."""
    text = bearer_of(request)
    if text is None:
        return _person(request, right)
    token = ApiToken.objects.named_by(text)
    if token is None or token.state != "valid":
        if token:
            _note(token, request, RefusedCall.Reason.TOKEN)
        raise _refused(request, token)
    token.note_use()
    field, _permission = right.value
    if not getattr(token, field):
        _note(token, request, RefusedCall.Reason.SCOPE)
        raise _may_not("The token does not allow this", 'error="insufficient_scope"')
    _check_station(token, request)
    caller = Caller(token.ae_title, CALLED, address_of(request), UTF_8)
    return Visitor(caller, Actor(ActorKind.DICOM, token.ae_title, address=caller.address), token)


def _person(request: HttpRequest, right: Right) -> Visitor:
    user = request.user
    if not user.is_authenticated:
        raise Problem(HTTPStatus.UNAUTHORIZED, "Show a token, or sign in", headers={"WWW-Authenticate": REALM})
    _field, permission = right.value
    if not user.has_perm(permission):
        raise _may_not("Your roles do not allow this")
    return Visitor(Caller("", CALLED, address_of(request), UTF_8), actor_of(request))


def _may_not(detail: str, challenge: str = "") -> Problem:
    headers = {"WWW-Authenticate": f"{REALM}, {challenge}"} if challenge else {}
    return Problem(HTTPStatus.FORBIDDEN, detail, headers=headers)


def _refused(request: HttpRequest, token: ApiToken | None) -> Problem:
    """Tell the trail of a token that opens nothing, and count it as a failed sign-in: too many are not counted on."""
    credentials = {"username": NAME}
    if not AxesProxyHandler.is_allowed(request, credentials):
        wait = int(axes.AXES_COOLOFF_TIME.total_seconds())
        headers = {"Retry-After": str(wait)}
        return Problem(HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong tokens from this address", headers=headers)
    user_login_failed.send(sender=__name__, credentials=credentials, request=request)
    request.axes_locked_out = False  # type: ignore[attr-defined]  # else its middleware answers with a page for people
    log.warning("dicomweb: a token from %s is %s", address_of(request), token.state if token else "unknown")
    why = f"The token is {token.state}" if token else "The token is not known"
    challenge = f'{REALM}, error="invalid_token", error_description="{why}"'
    return Problem(HTTPStatus.UNAUTHORIZED, why, headers={"WWW-Authenticate": challenge})


def _note(token: ApiToken, request: HttpRequest, reason: RefusedCall.Reason) -> None:
    """Note a device that is refused, so that whoever misses something on it can read why."""
    write_now(RefusedCallEntry(timezone.now(), token.ae_title, CALLED, address_of(request), reason))


def _check_station(token: ApiToken, request: HttpRequest) -> None:
    """Note a device that is no station, as the other door does; refuse it where the department wants that."""
    if is_active_station(token.ae_title):
        return
    refused = settings.BUCKY_UNKNOWN_CALLERS == "refuse"
    write_now(UnknownCallerEntry(timezone.now(), token.ae_title, address_of(request), refused))
    if refused:
        raise _may_not("The AE title of the token is no station here")
