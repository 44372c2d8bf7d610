"""The trail of what happened: written with the change, never rewritten."""

from datetime import date
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from ris.actions import orders, patients
from ris.actor import Actor, ActorKind, system
from ris.errors import OrderClosed
from ris.models import Event, EventKind
from ris.models.event import events_together
from tests import factories
from tests.refusals import refused

pytestmark = pytest.mark.django_db


def sql(statement: str) -> None:
    """Run SQL as somebody would who has a shell on the database."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_nobody_rewrites_an_event() -> None:
    factories.patient()
    event = Event.objects.get()
    event.reason = "another story"
    with pytest.raises(TypeError, match="append-only"):
        event.save()
    for rewrite in (
        lambda: Event.objects.update(reason="another story"),
        lambda: Event.objects.filter(pk=event.pk).update(actor_name="somebody else"),
        lambda: sql("UPDATE ris_event SET reason = 'another story'"),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            rewrite()
    assert Event.objects.get().reason == ""


def test_nobody_deletes_an_event() -> None:
    factories.patient()
    with pytest.raises(TypeError, match="append-only"):
        Event.objects.get().delete()
    if connection.vendor == "postgresql":  # an SQLite file has no accounts: whoever can open it owns it
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            sql("DELETE FROM ris_event")
    assert Event.objects.exists()


@pytest.mark.parametrize(
    "actor",
    [
        Actor(ActorKind.USER, "clara", address="10.0.0.7"),
        Actor(ActorKind.HL7, "HIS|HOSPITAL", address="10.0.0.1", cause="hl7:42"),
        Actor(ActorKind.DICOM, "CT1", address="10.0.0.2"),
        system("clock"),
    ],
)
def test_an_event_tells_who_from_where_and_because_of_what(actor: Actor) -> None:
    patients.update(by=actor, patient=factories.patient(), sex="O")
    event = Event.objects.first()
    assert event
    assert (event.actor_kind, event.actor_name, event.address, event.cause) == (
        actor.kind,
        actor.name,
        actor.address,
        actor.cause,
    )


def test_an_actor_keeps_their_name_when_the_cause_changes() -> None:
    assert system("clock").because("hl7:7") == Actor(ActorKind.SYSTEM, "clock", cause="hl7:7")


def test_an_account_that_acted_is_kept_with_the_event() -> None:
    account = factories.user(username="clara")
    patients.update(
        by=Actor(ActorKind.USER, "clara", user_id=account.pk), patient=factories.patient(), patient_name="Roe^Jane"
    )
    event = Event.objects.first()
    assert event
    assert event.user == account


def test_a_change_that_is_undone_leaves_no_event() -> None:
    order = factories.order()
    before = Event.objects.count()
    with transaction.atomic():
        orders.hold(by=factories.BY, order=order)
        transaction.set_rollback(True)
    assert Event.objects.count() == before


def test_a_verb_that_refuses_undoes_the_whole_message() -> None:
    order = factories.step("COMPLETED").requested_procedure.order
    before = Event.objects.count()
    with refused(OrderClosed):
        patients.update(by=factories.HIS, patient=order.patient, patient_name="Roe^Jane")
        orders.cancel(by=factories.HIS, order=order)
    order.patient.refresh_from_db()
    assert (order.patient.patient_name, Event.objects.count()) == ("Doe^Jane", before)


def test_the_trail_of_an_order_tells_its_whole_day() -> None:
    order = factories.step("COMPLETED").requested_procedure.order
    told = Event.objects.filter(order=order).order_by("pk")
    assert [event.kind for event in told] == [
        EventKind.ORDER_PLACED,
        EventKind.STEP_BOOKED,
        EventKind.STEP_STARTED,
        EventKind.STEP_COMPLETED,
    ]
    assert {event.patient for event in told} == {order.patient}


def test_the_order_event_keeps_what_was_asked_for() -> None:
    order = factories.order(reason="cough", order_fields={"callback_phone": "0815"})
    data: dict[str, Any] = Event.objects.get(kind=EventKind.ORDER_PLACED).data
    assert data["accession_number"] == order.accession_number
    assert data["fields"]["callback_phone"] == "0815"
    assert data["requests"][0]["reason"] == "cough"


def test_events_of_one_message_are_written_together_in_their_order() -> None:
    patient = factories.patient()
    with CaptureQueriesContext(connection) as captured, transaction.atomic(), events_together():
        patients.update(by=system("test"), patient=patient, sex="O")
        patients.update(by=system("test"), patient=patient, birth_date=date(1970, 1, 1))
    assert sum(EventKind.PATIENT_UPDATED in query["sql"] for query in captured) == 1
    changes = [event.data["changes"] for event in Event.objects.filter(kind=EventKind.PATIENT_UPDATED).order_by("pk")]
    assert [list(change) for change in changes] == [["sex"], ["birth_date"]]


def test_what_raises_leaves_no_event_and_the_next_one_is_written_at_once() -> None:
    patient = factories.patient()
    before = Event.objects.count()

    def fail() -> None:
        with transaction.atomic(), events_together():
            patients.update(by=system("test"), patient=patient, sex="M")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert Event.objects.count() == before
    patients.update(by=system("test"), patient=patient, sex="O")
    assert Event.objects.count() == before + 1


def test_many_events_fit_into_the_statements_of_any_database() -> None:
    with transaction.atomic(), events_together():
        for _ in range(205):
            Event.objects.record(EventKind.RECORD_VIEWED, by=system("test"))
    assert Event.objects.filter(kind=EventKind.RECORD_VIEWED).count() == 205
