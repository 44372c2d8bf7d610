"""One day of the stations: appointments, hours and closures, in few statements however many there are."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from ris.actions import daysheet, exams
from ris.errors import ForbiddenMove
from ris.models import Event, EventKind, Resource
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
    since = factories.today_at(0)
    with django_assert_num_queries(6):
        one, other = daysheet.columns(daysheet.scanners(), since, since + timedelta(days=1))
        assert [step.requested_procedure.order.patient.patient_name for step in one.steps] == ["Doe^Jane"] * 2
    assert (one.scanner.station, one.scanner.in_use) == (stations[0], True)
    assert one.steps == (first, second)
    assert one.overbooked == {second.pk}
    assert one.opening == [(factories.today_at(8), factories.today_at(17))]
    assert [shut.start for shut in one.shut] == [factories.today_at(12), factories.today_at(16)]
    assert (other.steps, other.shut) == ((), ())
    week = daysheet.columns(daysheet.scanners(), since, since + timedelta(days=7))
    assert len(week[0].steps) == 3


def test_who_was_checked_in_waits_since_then_until_it_begins() -> None:
    arrived, ready, begun = factories.step("ARRIVED"), factories.step("READY"), factories.step("STARTED")
    since = daysheet.arrivals([arrived, ready, begun])
    assert since.keys() == {arrived.pk, ready.pk}
    assert since[arrived.pk] == Event.objects.get(step=arrived, kind=EventKind.STEP_ARRIVED).at
    assert daysheet.arrivals([begun]) == {}


def test_the_urgent_are_scheduled_first() -> None:
    routine, high, stat = (factories.step("REQUESTED", priority=name) for name in ("ROUTINE", "HIGH", "STAT"))
    factories.step()
    assert list(daysheet.to_schedule()) == [stat, high, routine]


def test_the_pulse_beats_when_something_changes_and_not_when_somebody_reads() -> None:
    step = factories.step()
    pulse = daysheet.pulse()
    Event.objects.record(EventKind.PATIENTS_LISTED, by=factories.BY)
    assert daysheet.pulse() == pulse
    exams.go("arrive", by=factories.BY, step=step)
    assert daysheet.pulse() != pulse


def test_a_step_is_put_where_it_was_dropped_only_as_it_was_seen() -> None:
    step, ct1 = factories.step(), factories.station("CT1")
    put = partial(daysheet.put, by=factories.BY, step=step, station=ct1, start=factories.today_at(12), duration=30)
    with pytest.raises(ForbiddenMove), transaction.atomic():
        put(seen="REQUESTED---20")
    for _time in range(2):
        put(seen=daysheet.version(step))
    step.refresh_from_db()
    assert (step.start, step.duration) == (factories.today_at(12), 30)
    assert Event.objects.filter(step=step, kind=EventKind.STEP_MOVED).count() == 1
