"""What every request to the desk passes first: no zero bytes, and the address of the person behind a proxy."""

from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse

GetResponse = Callable[[HttpRequest], HttpResponse]


def no_zero_bytes(get_response: GetResponse) -> GetResponse:
    """Answer 400 to a zero byte in an address: no keyboard types one, and PostgreSQL takes none."""

    def answer(request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path or any("\x00" in value for values in request.GET.lists() for value in values[1]):
            raise SuspiciousOperation("A zero byte in the address.")
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
