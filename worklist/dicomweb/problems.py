"""What goes wrong with a request, as its sender is told: a status and a sentence, never a value that was sent."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

MEDIA_TYPE = "application/problem+json"
"""RFC 9457; PS3.18 section 8.6.3 leaves the form of a status report open."""


class Problem(Exception):
    """A request that is not carried out. more: further members of the report."""

    def __init__(
        self, status: HTTPStatus, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more
        super().__init__(f"{status.value} {detail}")

    def answer(self) -> HttpResponse:
        """Return the report."""
        report = {"status": self.status.value, "title": self.status.phrase, "detail": self.detail, **self.more}
        response = JsonResponse(report, status=self.status.value, content_type=MEDIA_TYPE)
        for name, value in self.headers.items():
            response[name] = value
        return response


def bad_request(detail: str, **more: Any) -> Problem:
    """Return the commonest problem."""
    return Problem(HTTPStatus.BAD_REQUEST, detail, **more)


def reports(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer a device with a report also where a request does not get as far as a view: what people get is a page."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        of_a_device = f"{request.path_info}/".startswith("/dicomweb/")
        if response.status_code < HTTPStatus.BAD_REQUEST or not of_a_device or response["Content-Type"] == MEDIA_TYPE:
            return response
        status = HTTPStatus(response.status_code)
        report = Problem(status, status.description or status.phrase, headers={"Cache-Control": "no-store"}).answer()
        report._has_been_logged = True  # type: ignore[attr-defined]  # where it happened; the address would be quoted
        return report

    return answer
