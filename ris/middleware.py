"""What no request to the desk may hold."""

from collections.abc import Callable

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
