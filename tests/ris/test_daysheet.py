"""One day of the stations: appointments, hours and closures, in few statements however many there are."""

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from ris.actions import daysheet
from ris.models import Resource
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_day_has_its_appointments_hours_and_closures(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    stations = [factories.station(name) for name in ("CT1", "CT2")]
    ct1 = Resource.objects.get(station=stations[0])
    factories.hours("08:00", "17:00", resource=ct1, rule="FREQ=DAILY")
    factories.closure(factories.today_at(16), factories.today_at(17), resource=ct1)
    factories.block("12:00", "13:00", resource=ct1, kind="EMERGENCIES", reason="Stroke unit")
    first, second = factories.step(station=stations[0]), factories.step(station=stations[0])
    factories.step("CANCELED", station=stations[0])
    factories.step(station=stations[0], start=factories.today_at(10, days=1))
    zone = stations[0].site.zone
    with django_assert_num_queries(6):
        one, other = daysheet.columns(stations, timezone.localdate(), zone)
        assert [step.requested_procedure.order.patient.patient_name for step in one.steps] == ["Doe^Jane"] * 2
    assert one.steps == (first, second)
    assert one.overbooked == {second.pk}
    assert one.opening == [(factories.today_at(8), factories.today_at(17))]
    assert [shut.start for shut in one.shut] == [factories.today_at(12), factories.today_at(16)]
    assert (other.steps, other.shut) == ((), ())
    week = daysheet.columns(stations, timezone.localdate(), zone, days=7)
    assert len(week[0].steps) == 3
