"""Pages of the desk cost the same few queries however much there is to show."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ris.models import Order, Patient, ScheduledProcedureStep
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk

pytestmark = pytest.mark.django_db

MOST = 19
"""Fewer than 20 queries a page, session, permissions and the audit event among them."""


@pytest.fixture
def expert() -> Desk:
    """Somebody who sees every panel."""
    return Desk(Role.INFORMATICS)


def fill(count: int) -> None:
    """Make orders of all kinds: today on two stations, some waiting, some of an unknown exam."""
    factories.station("CT1")
    factories.station("MR1")
    exams = (factories.exam(), factories.exam("MRHEAD"))
    for number in range(count):
        patient = factories.patient(f"Doe^Number {number}")
        if number % 3 == 2:
            factories.order(patient=patient, code=f"X{number}", modality="CT", start=None)
        else:
            start = None if number % 4 == 3 else factories.today_at(8 + number % 9)
            factories.order(patient=patient, exam=exams[number % 2], start=start)


def pages() -> dict[str, Callable[[], str]]:
    def order() -> Order:
        return Order.objects.order_by("pk")[0]

    return {
        "desk": lambda: "/",
        "patients": lambda: "/ris/patient/",
        "patients, searched": lambda: "/ris/patient/?q=doe",
        "patients, while typing": lambda: "/ris/patient/live/?q=doe+P1",
        "orders": lambda: "/ris/order/",
        "orders, searched": lambda: "/ris/order/?q=doe",
        "orders, filtered": lambda: "/ris/order/?day=today&modality=CT&state__exact=SCHEDULED",
        "board": lambda: "/board/",
        "schedule": lambda: "/ris/scheduledprocedurestep/?day=today",
        "schedule, searched": lambda: "/ris/scheduledprocedurestep/?q=doe",
        "worklist": lambda: "/worklist/station/?station=CT1",
        "audit trail": lambda: "/ris/event/",
        "audit trail, searched": lambda: "/ris/event/?q=doe",
        "messages": lambda: "/hl7/inboundmessage/",
        "worklist queries": lambda: "/worklist/querylog/",
        "exams": lambda: "/ris/exam/",
        "patient": lambda: f"/ris/patient/{Patient.objects.order_by('pk')[0].pk}/change/",
        "order": lambda: f"/ris/order/{order().pk}/change/",
        "new order": lambda: f"/ris/patient/{order().patient_id}/order/",
        "book": lambda: f"/ris/scheduledprocedurestep/{ScheduledProcedureStep.objects.order_by('pk')[0].pk}/book/",
    }


def queries(desk: Desk, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        desk.get(address)
    return sum(not query["sql"].startswith(("SAVEPOINT", "RELEASE")) for query in captured)


@pytest.mark.parametrize("page", pages())
def test_a_page_costs_the_same_few_queries_with_three_orders_and_with_thirty(expert: Desk, page: str) -> None:
    fill(3)
    address = pages()[page]
    expert.get(address())  # what a process reads once
    few = queries(expert, address())
    fill(30)
    many = queries(expert, address())
    assert many <= MOST
    assert many <= few + 3  # a list that was empty asks for nothing further


def test_a_patient_with_many_orders_costs_no_more_than_one_with_few(expert: Desk) -> None:
    fill(3)
    patient = Patient.objects.order_by("pk")[0]
    address = f"/ris/patient/{patient.pk}/change/"
    few = queries(expert, address)
    for hour in range(20):
        factories.order(patient=patient, start=factories.today_at(hour, days=1))
    assert queries(expert, address) <= few + 1
