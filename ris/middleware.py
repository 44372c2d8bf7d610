"""What every request passes first: zero bytes, large forms, the address behind a proxy, session, language."""

from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from ipaddress import ip_address

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.utils import translation

GetResponse = Callable[[HttpRequest], HttpResponse]


def no_zero_bytes(get_response: GetResponse) -> GetResponse:
    """Answer 400 to a zero byte in an address: no keyboard types one, and PostgreSQL takes none."""

    def answer(request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path or any("\x00" in value for values in request.GET.lists() for value in values[1]):
            raise SuspiciousOperation("A zero byte in the address.")
        return get_response(request)

    return answer


LARGEST_FORM = 10 * 1024 * 1024
"""Bytes of a form with its files; a catalogue, the largest one, has at most half of it (ris.spreadsheets)."""


def bounded_forms(get_response: GetResponse) -> GetResponse:
    """Answer 400 to a form that is too large, before it is read: its files go to the disk, also those of strangers."""

    def answer(request: HttpRequest) -> HttpResponse:
        length = str(request.META.get("CONTENT_LENGTH") or "")
        if request.content_type == "multipart/form-data" and length.isdecimal() and int(length) > LARGEST_FORM:
            raise RequestDataTooBig("A form is too large.")
        return get_response(request)

    return answer


def address_behind_proxies(get_response: GetResponse) -> GetResponse:
    """Put the person's address where Django looks for it (REMOTE_ADDR), for the audit trail and the lock-out.

    Each of the BUCKY_PROXIES proxies adds the address of its own client at the right end of X-Forwarded-For. What
    stands further left was written by the browser and proves nothing.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        count = settings.BUCKY_PROXIES
        if count:
            hops = request.headers.get("X-Forwarded-For", "").split(",")
            claimed = hops[-count].strip() if len(hops) >= count else ""
            with suppress(ValueError):  # not what the setting says: the proxy's own address is at least true
                request.META["REMOTE_ADDR"] = str(ip_address(claimed))
        return get_response(request)

    return answer


def language(get_response: GetResponse) -> GetResponse:
    """Answer in the language of the account, else in the one chosen in this browser, else in the department's.

    The browser's own wish (Accept-Language) is not asked: it is what somebody installed, not who sits there. Nothing
    else in Bucky leaves English, so what doors answer and what the trail keeps is the same for all.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        with translation.override(language_for(request, getattr(request.user, "language", ""))):
            return get_response(request)

    return answer


def language_for(request: HttpRequest, account: str = "") -> str:
    """Return the language to answer in. account: the one of the account, where it is known."""
    offered = dict(settings.LANGUAGES)
    wishes = (account, request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, ""))
    return next((code for code in wishes if code in offered), settings.BUCKY_LANGUAGE)


_GLANCE = "bucky.glance"


def glance(request: HttpRequest) -> None:
    """Note that a page asks by itself: nobody has touched a key, so that the session does not last longer for it."""
    request.META[_GLANCE] = True


class Sessions(SessionMiddleware):
    """Django's sessions, which last from the last click on, not from the last glance."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Leave the session as it is after a glance, and the cookie of one that has run out: it tells whose it was.

        With it ris.views.kept knows for whom to keep what is typed in another window. Signing out takes it away.
        """
        if request.META.get(_GLANCE) or response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            return response  # in the second case there is no database to ask for the session once more
        response = super().process_response(request, response)
        if request.session.is_empty() and not request.session.modified:
            response.cookies.pop(settings.SESSION_COOKIE_NAME, None)
        return response
