"""Messages go when their time is over; their line in the log stays and still knows a repeat."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from hl7 import retention
from hl7.models import Endpoint, InboundMessage, MessageState
from hl7.tasks import purge_messages
from ris.models import Event, EventKind, Patient
from ris.roles import Role
from tests.hl7.stories import Send
from tests.messages import adt, msh, pid
from tests.messages import send as written
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db


def his(**agreed: Any) -> Endpoint:
    return Endpoint.objects.create(name="the HIS", sending_application="HIS", **agreed)


def aged(days: int, **which: Any) -> None:
    InboundMessage.objects.filter(**which).update(received_at=timezone.now() - timedelta(days=days))


def said(*words: str) -> str:
    out = StringIO()
    call_command("hl7_purge", *words, stdout=out)
    return " ".join(out.getvalue().split())


def left() -> set[str]:
    return set(InboundMessage.objects.filter(purged_at=None).values_list("control_id", flat=True))


@pytest.fixture
def log(send: Send) -> Endpoint:
    """An endpoint that keeps applied messages a week and others a month, with one message of each kind."""
    endpoint = his(keep_applied_days=7, keep_failed_days=30)
    send(adt("A04", control_id="APPLIED"))
    send(adt("A04", control_id="REPEATED"))
    send(adt("A04", control_id="REPEATED"))
    send(adt("A08", pid(""), control_id="FAILED"))
    send(written(msh("ADT^A04", control_id="KEPT", processing_id="T"), pid()))
    send(written(msh("ADT^A04", control_id="OTHER", application="LAB"), pid()))
    for name, state in (("UNDER WAY", MessageState.RECEIVED), ("WAITING", MessageState.WAITING)):
        InboundMessage.objects.create(raw=b"MSH|", content_hash="x", control_id=name, endpoint=endpoint, state=state)
    return endpoint


ALL = {"APPLIED", "REPEATED", "FAILED", "KEPT", "OTHER", "UNDER WAY", "WAITING"}


@pytest.mark.parametrize(
    ("days", "stay"),
    [
        (6, ALL),
        (8, {"FAILED", "KEPT", "OTHER", "UNDER WAY", "WAITING"}),
        (31, {"OTHER", "UNDER WAY", "WAITING"}),
        (366, {"UNDER WAY", "WAITING"}),
    ],
)
def test_each_endpoint_keeps_its_messages_as_long_as_it_says(log: Endpoint, days: int, stay: set[str]) -> None:
    aged(days)
    purge_messages()
    assert left() == stay


def test_without_days_messages_are_kept_for_ever(send: Send) -> None:
    his(keep_applied_days=None, keep_failed_days=None)
    send(adt("A04"))
    aged(100_000)
    assert purge_messages() == 0


def test_messages_without_an_endpoint_are_kept_as_a_new_endpoint_would(log: Endpoint) -> None:
    InboundMessage.objects.filter(control_id="APPLIED").update(endpoint=None)
    InboundMessage.objects.filter(control_id="FAILED").update(endpoint=987654)  # it went a moment before
    aged(364, control_id__in=["APPLIED", "FAILED"])
    assert purge_messages() == 0
    aged(366, control_id="APPLIED")
    aged(731, control_id="FAILED")
    assert "2 message(s) would go" in said()
    assert purge_messages() == 2


def test_the_command_says_what_would_go_and_changes_nothing(log: Endpoint) -> None:
    aged(8)
    text = said()
    assert "3 the HIS: applied messages older than 7 days (from before " in text
    assert "The bytes of 3 message(s) would go. Nothing was changed: use --delete to do it." in text
    assert left() == ALL
    assert not Event.objects.filter(kind=EventKind.MESSAGES_PURGED).exists()


def test_the_command_does_it_where_it_is_told_to(log: Endpoint) -> None:
    aged(8)
    assert "The bytes of 3 message(s) are gone" in said("--delete")
    gone = InboundMessage.objects.get(control_id="APPLIED")
    assert (bytes(gone.raw), bytes(gone.answer), gone.state) == (b"", b"", MessageState.APPLIED)
    event = Event.objects.get(kind=EventKind.MESSAGES_PURGED)
    assert (event.subject, event.actor_name, event.data["messages"]) == (f"hl7.endpoint:{log.pk}", "hl7_purge", 3)
    assert said("--delete") == "There is nothing to delete."


def test_it_goes_batch_by_batch(log: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    aged(8)
    assert purge_messages() == 3
    counts = (
        Event.objects.filter(kind=EventKind.MESSAGES_PURGED).order_by("pk").values_list("data__messages", flat=True)
    )
    assert list(counts) == [2, 1]


def test_a_repeat_is_known_when_the_bytes_are_gone(log: Endpoint, send: Send) -> None:
    aged(8)
    purge_messages()
    Patient.objects.update(patient_name="Roe^Jane")
    answer = send(adt("A04", control_id="APPLIED"))
    assert (answer["MSA"].get("1"), answer["MSA"].get("2")) == ("AA", "APPLIED")
    assert InboundMessage.objects.latest("pk").state == MessageState.REPEATED
    assert Patient.objects.get().patient_name == "Roe^Jane"


def test_the_desk_says_that_the_text_is_gone(log: Endpoint) -> None:
    aged(8)
    purge_messages()
    message = InboundMessage.objects.get(control_id="APPLIED")
    page = text_of(Desk(Role.INFORMATICS).get(f"/hl7/inboundmessage/{message.pk}/change/"))
    assert "because it was kept long enough" in page
    assert "Doe" not in page.split("because it was kept long enough", 1)[0].split("ADT^A04", 1)[-1]
