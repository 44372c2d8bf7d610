"""A device that asks over HTTP, without a socket: what it sends and what it reads."""

from email import message_from_bytes
from typing import Any

from django.test import Client
from pydicom.dataset import Dataset

from worklist.tokens import ApiToken

SEARCH = "/dicomweb/modality-scheduled-procedure-steps"


class Device:
    """Holds a token; `get` and `post` are those of Django's test client."""

    def __init__(self, ae_title: str = "CT1", **values: Any) -> None:
        usual: dict[str, Any] = {"name": f"Device {ApiToken.objects.count()}", "may_report": True}
        self.token, self.text = ApiToken.objects.issue(ae_title=ae_title, **(usual | values))
        self.client = Client(headers={"authorization": f"Bearer {self.text}"})

    def get(self, address: str = SEARCH, query: str = "", **headers: str) -> Any:
        """Send a GET."""
        return self.client.get(f"{address}?{query}" if query else address, headers=headers)

    def search(self, **values: str) -> list[Dataset]:
        """Search, with `__` for the dots of a path; the data sets as pydicom reads them."""
        answer = self.client.get(SEARCH, {name.replace("__", "."): value for name, value in values.items()})
        if answer.status_code == 204:
            assert answer.content == b""
            return []
        assert answer.status_code == 200, answer.content
        assert answer["Content-Type"] == "application/dicom+json"
        return [Dataset.from_json(one) for one in answer.json()]

    def steps(self, **values: str) -> list[str]:
        """Return the step IDs that a search finds, in their order."""
        return [str(one.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID) for one in self.search(**values)]


def problem(answer: Any, status: int) -> dict[str, Any]:
    """Return the report of a request that was refused."""
    assert answer.status_code == status, (answer.status_code, answer.content)
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Cache-Control"] == "no-store"
    report: dict[str, Any] = answer.json()
    assert report["status"] == status
    return report


def parts_of(answer: Any) -> list[tuple[str, bytes]]:
    """Return the parts of a multipart answer: media type and content, as a mail program takes it apart."""
    whole = message_from_bytes(b"Content-Type: " + answer["Content-Type"].encode() + b"\r\n\r\n" + answer.content)
    assert whole.get_content_type() == "multipart/related"
    parts: Any = whole.get_payload()
    return [(part.get_content_type(), part.get_payload(decode=True)) for part in parts]
