"""Which endpoint a message comes from, and what is agreed with its sender."""

from time import monotonic
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from hl7 import endpoints, intake
from hl7.dialect import PLAIN
from hl7.models import Endpoint, InboundMessage, MessageState
from ris.models import Event, EventKind, Order, PatientIdentifier
from ris.roles import Role
from tests import factories
from tests.hl7.stories import Accepted, Refused, Send
from tests.messages import adt, msh, orm, pid
from tests.messages import send as written
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db

PEER = "10.0.0.7"


def endpoint(name: str, **values: Any) -> Endpoint:
    return Endpoint.objects.create(name=name, **values)


def name_of(application: str, facility: str = "GH", address: str = PEER) -> str:
    found = endpoints.dialect_for(application, facility, address).endpoint
    return Endpoint.objects.get(pk=found).name if found else ""


@pytest.mark.parametrize(
    ("application", "facility", "address", "expected"),
    [
        ("HIS", "GH", PEER, "by name"),
        ("his", "GH", PEER, "by name"),
        ("HIS^1.2.3^ISO", "GH", PEER, "by name"),
        ("HIS", "SOUTH", PEER, "by both names"),
        ("HISTORIC", "GH", PEER, "by wildcard"),
        ("HIS2", "GH", PEER, "by wildcard"),
        ("LAB", "GH", PEER, "Any other sender"),
        ("LAB", "GH", "10.1.2.3", "by network"),
        ("LAB", "GH", "::ffff:10.1.2.3", "by network"),
        ("LAB", "GH", "10.1.9.9", "by address"),
        ("HIS2", "GH", "10.1.9.9", "by address"),
        ("HIS", "SOUTH", "10.1.9.9", "by both names"),
        ("LAB", "GH", "unknown", "Any other sender"),
        ("x+y", "", "", "with signs of regular expressions"),
        ("xxy", "", "", "Any other sender"),
        ("RETIRED", "GH", PEER, "Any other sender"),
    ],
)
def test_the_endpoint_that_says_most_about_a_sender_counts(
    application: str, facility: str, address: str, expected: str
) -> None:
    endpoint("by name", sending_application="HIS")
    endpoint("by both names", sending_application="HIS", sending_facility="SOUTH")
    endpoint("by wildcard", sending_application="HIS*")
    endpoint("by network", address="10.1.0.0/16")
    endpoint("by address", address="10.1.9.9")
    endpoint("with signs of regular expressions", sending_application="x+y")
    endpoint("retired", sending_application="RETIRED", active=False)
    assert name_of(application, facility, address) == expected


def test_of_equal_endpoints_the_oldest_counts() -> None:
    endpoint("first", sending_application="A*")
    endpoint("second", sending_application="*A")
    assert name_of("AA") == "first"


def test_without_any_endpoint_the_defaults_count() -> None:
    Endpoint.objects.all().delete()
    assert endpoints.dialect_for("HIS", "GH", PEER) == PLAIN


def test_the_endpoint_of_all_others_has_the_same_defaults() -> None:
    found = endpoints.dialect_for("HIS", "GH", PEER)
    assert found.endpoint is not None
    row = Endpoint(name="new")
    assert row.dialect == PLAIN


def test_endpoints_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "SECONDS", 600)
    endpoints.dialect_for("HIS", "GH", PEER)
    with CaptureQueriesContext(connection) as captured:
        for number in range(50):
            endpoints.dialect_for(f"HIS{number % 5}", "GH", PEER)
    assert not len(captured)


def test_a_change_made_here_counts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "SECONDS", 600)
    assert name_of("HIS") == "Any other sender"
    row = endpoint("the HIS", sending_application="HIS")
    assert name_of("HIS") == "the HIS"
    row.active = False
    row.save()
    assert name_of("HIS") == "Any other sender"


def test_a_change_made_elsewhere_counts_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    row = endpoint("the HIS", sending_application="HIS")
    assert name_of("HIS") == "the HIS"
    Endpoint.objects.filter(pk=row.pk).update(active=False)  # sends no signal, as a change by another process does not
    now = monotonic() + 2 * endpoints.SECONDS
    monkeypatch.setattr(endpoints, "monotonic", lambda: now)
    assert name_of("HIS") == "Any other sender"


def test_while_the_database_is_away_what_was_known_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    row = endpoint("the HIS", sending_application="HIS")
    assert name_of("HIS") == "the HIS"

    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    endpoints.forget()
    monkeypatch.setattr(Endpoint.objects, "filter", away)
    assert endpoints.dialect_for("HIS", "GH", PEER).endpoint == row.pk


def test_endless_made_up_senders_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "_MOST", 3)
    for number in range(20):
        endpoints.dialect_for(f"{number}" + "X" * 10_000, "GH", PEER)
    assert len(endpoints._memory.senders) <= 3
    assert all(len(name) <= 180 for sender in endpoints._memory.senders for name in sender)


def test_the_message_log_says_from_which_endpoint_a_message_came(accepted: Accepted) -> None:
    row = endpoint("the HIS", sending_application="HIS")
    message = accepted(adt("A04"))
    assert message.endpoint == row
    page = Desk(Role.INFORMATICS).get(f"/hl7/inboundmessage/{message.pk}/change/")
    assert f'<a href="/hl7/endpoint/{row.pk}/change/">the HIS</a>' in page
    InboundMessage.objects.update(endpoint=987654)  # its endpoint went in the moment in which it came
    assert "Endpoint</dt>" not in Desk(Role.INFORMATICS).get(f"/hl7/inboundmessage/{message.pk}/change/")


def test_one_endpoint_in_use_for_one_sender() -> None:
    endpoint("the HIS", sending_application="HIS")
    endpoint("the HIS before", sending_application="HIS", active=False)
    with pytest.raises(IntegrityError), transaction.atomic():
        endpoint("the HIS again", sending_application="HIS")


def test_a_number_without_an_authority_is_of_the_endpoints(accepted: Accepted) -> None:
    endpoint("the HIS", sending_application="HIS", issuer="NORTH")
    accepted(adt("A04", pid("4711^^^^MR")))
    assert PatientIdentifier.objects.get().issuer == "NORTH"


def test_an_order_without_a_site_is_of_the_endpoints(accepted: Accepted) -> None:
    factories.site("SOUTH")
    endpoint("the HIS", sending_application="HIS", site=factories.site("NORTH"))
    accepted(orm().replace(b"|HOSPITAL|", b"|GH|"))
    order = Order.objects.select_related("site").get()
    assert order.site is not None
    assert order.site.code == "NORTH"


def test_a_message_without_a_character_set_is_read_by_the_endpoints(accepted: Accepted) -> None:
    endpoint("the HIS", sending_application="HIS", charset="8859/5")
    message = accepted(written(msh("ADT^A04", charset=""), pid(name="Тарковский^Андрей"), encoding="iso8859-5"))
    assert (message.state, message.warnings) == (MessageState.APPLIED, [])
    assert PatientIdentifier.objects.get().patient.patient_name == "Тарковский^Андрей"


@pytest.mark.parametrize(
    ("taken", "said", "answer"),
    [
        ("P", "P", "AA"),
        ("P", "", "AA"),
        ("P", "P^A", "AA"),
        ("P", "T", "AR"),
        ("PT", "T", "AA"),
        ("PT", "D", "AR"),
        ("PTD", "D", "AA"),
        ("PTD", "PT", "AR"),
        ("any", "X", "AA"),
    ],
)
def test_the_endpoint_says_which_processing_ids_are_taken(send: Send, taken: str, said: str, answer: str) -> None:
    endpoint("the HIS", sending_application="HIS", processing_ids=taken)
    assert send(written(msh("ADT^A04", processing_id=said), pid()))["MSA"].get("1") == answer


@pytest.mark.parametrize(
    ("taken", "said", "answer"),
    [
        ("", "2.99", "AA"),
        ("2.3.1, 2.5.1", "2.5.1", "AA"),
        ("2.3.1 2.5.1", "2.3.1^DEU", "AA"),
        ("2.3.1", "2.5.1", "AR"),
        ("2.3.1", "", "AR"),
    ],
)
def test_the_endpoint_says_which_versions_are_taken(send: Send, taken: str, said: str, answer: str) -> None:
    endpoint("the HIS", sending_application="HIS", versions=taken)
    assert send(written(msh("ADT^A04", version=said), pid()))["MSA"].get("1") == answer


def test_what_is_not_taken_is_told_with_its_place_and_kept(refused: Refused) -> None:
    endpoint("the HIS", sending_application="HIS", versions="2.5.1")
    assert refused(written(msh("ADT^A04", processing_id="T"), pid())) == ("AR", "202", "MSH^1^11^1")
    assert refused(written(msh("ADT^A04", version="2.6"), pid())) == ("AR", "203", "MSH^1^12^1")
    assert set(InboundMessage.objects.values_list("state", flat=True)) == {MessageState.KEPT}


FORM = {
    "name": "the HIS",
    "active": "on",
    "sending_application": "HIS",
    "sending_facility": "",
    "address": "",
    "site": "",
    "issuer": "",
    "charset": "",
    "charset_policy": "utf8",
    "master_authority": "",
    "master_missing": "accept",
    "processing_ids": "P",
    "versions": "",
    "keep_applied_days": "365",
    "keep_failed_days": "",
    "field_sources-TOTAL_FORMS": "0",
    "field_sources-INITIAL_FORMS": "0",
    "codes-TOTAL_FORMS": "0",
    "codes-INITIAL_FORMS": "0",
}


def test_an_endpoint_is_made_and_changed_on_the_desk_with_its_history(accepted: Accepted) -> None:
    desk = Desk(Role.INFORMATICS)
    assert "the HIS" in desk.post("/hl7/endpoint/add/", **FORM)
    row = Endpoint.objects.get(name="the HIS")
    desk.post(f"/hl7/endpoint/{row.pk}/change/", **FORM | {"issuer": "NORTH", "address": "10.0.0.0/8"})
    accepted(adt("A04", pid("4711^^^^MR")))
    assert PatientIdentifier.objects.get().issuer == "NORTH"
    events = Event.objects.filter(subject=f"hl7.endpoint:{row.pk}", kind=EventKind.CATALOG_CHANGED).order_by("pk")
    assert [event.data["change"] for event in events] == ["added", "changed"]
    assert events[1].data["changes"]["issuer"] == ["", "NORTH"]
    history = text_of(desk.get(f"/hl7/endpoint/{row.pk}/history/"))
    assert "NORTH" in history
    assert desk.user.username in history


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("address", "10.0.0.300", "not an address or a network"),
        ("versions", "2.5.1, 2.55", "no such version of HL7: 2.55"),
        ("issuer", "A^B", "it holds a delimiter"),
        ("keep_applied_days", "36501", "less than or equal to 36500"),
        ("name", "Any other sender", "already exists"),
        ("sending_application", "", "Another endpoint in use has the same"),
    ],
)
def test_what_cannot_be_is_refused_in_words(field: str, value: str, told: str) -> None:
    page = Desk(Role.ADMINISTRATOR).post("/hl7/endpoint/add/", **FORM | {field: value})
    assert told in text_of(page)
    assert Endpoint.objects.count() == 1


def test_an_endpoint_with_messages_cannot_be_deleted_but_taken_out_of_use(hospital: None) -> None:
    row = endpoint("the HIS", sending_application="HIS")
    intake.receive(adt("A04"), PEER)
    page = Desk(Role.INFORMATICS).post(f"/hl7/endpoint/{row.pk}/delete/", post="yes")
    assert "is in use" in text_of(page)
    assert Endpoint.objects.filter(pk=row.pk).exists()
