"""Nouns: made and changed in one way, which checks the values and tells what it did."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from ris.errors import DomainError, InvalidValue, MergeRefused, OrderClosed
from ris.models import Exam, Patient, ScheduledProcedureStep, Site, Station
from tests import factories
from tests.refusals import refused

pytestmark = pytest.mark.django_db


def test_a_change_saves_what_differs_and_tells_it(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    jane = factories.patient("Doe^Jane")
    with django_assert_num_queries(1):
        diff = jane.change(patient_name="Roe^Jane", sex="F", phone="1")
    assert diff == {"patient_name": ["Doe^Jane", "Roe^Jane"], "phone": ["", "1"]}
    with django_assert_num_queries(0):
        assert jane.change(patient_name="Roe^Jane") == {}


def test_a_change_tells_relations_by_their_keys() -> None:
    one, two = factories.patient(), factories.patient()
    assert one.change(merged_into=two) == {"merged_into": [None, two.pk]}


def test_a_change_leaves_the_columns_alone_that_another_window_changed() -> None:
    jane = factories.patient()
    Patient.objects.get(pk=jane.pk).change(phone="1")
    jane.change(address="Bridge Street")
    jane.refresh_from_db()
    assert (jane.phone, jane.address) == ("1", "Bridge Street")


@pytest.mark.parametrize("ae_title", ["", " CT1", "CT1 ", "CT\\1", "X" * 17, "CTÄ", "CT\n1"])
def test_an_ae_title_is_one_that_dicom_can_write(ae_title: str) -> None:
    with refused(InvalidValue):
        Station.new(ae_title=ae_title, name="CT1", site=factories.site(), modality="CT")


@pytest.mark.parametrize("modality", ["", "ct", "C-T", "X" * 17])
def test_a_modality_is_a_code_string(modality: str) -> None:
    with refused(InvalidValue):
        Station.new(ae_title="CT1", name="CT1", site=factories.site(), modality=modality)


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "../../etc/passwd", "/etc/passwd", "", "Europe"])
def test_a_time_zone_is_one_that_exists(zone: str) -> None:
    with refused(InvalidValue):
        Site.new(code="X", name="X", time_zone=zone)


@pytest.mark.parametrize("prefix", ["", "a", "ABCDE", "A1"])
def test_an_accession_prefix_leaves_room_for_the_number(prefix: str) -> None:
    with refused(InvalidValue):
        Site.new(code="X", name="X", time_zone="Europe/Berlin", accession_prefix=prefix)


@pytest.mark.parametrize("duration", [0, -5, "long"])
def test_an_exam_takes_time(duration: Any) -> None:
    with refused(InvalidValue):
        Exam.new(code="X", meaning="X", modality="CT", duration=duration)


def test_a_step_ends_when_its_time_is_over_even_when_the_clocks_change() -> None:
    start = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)  # 02:50 in Berlin, ten minutes before it is 02:00 again
    step = factories.step(start=start.astimezone(factories.today_at(1).tzinfo), exam=factories.exam(duration=30))
    assert step.end == start + timedelta(minutes=30)


def test_a_step_that_leaves_the_schedule_has_no_end() -> None:
    step = factories.step()
    step.change(start=None, station=None, state="REQUESTED")
    assert ScheduledProcedureStep.objects.get().end is None


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (lambda: factories.site(), "Hospital"),
        (lambda: factories.station("CT1"), "CT1"),
        (lambda: factories.station("CT1", name="Scanner"), "Scanner (CT1)"),
        (lambda: factories.exam("CTABD"), "CTABD CT abdomen with contrast"),
        (lambda: factories.patient("Doe^Jane"), "Doe, Jane"),
        (lambda: factories.patient("", patient_name_ideographic="山田^太郎"), "山田^太郎"),
        (lambda: factories.patient(""), "(no name)"),
        (lambda: factories.patient(number="4711").identifiers.get(), "4711 (HIS)"),
        (lambda: factories.order(accession_number="ACC-1"), "ACC-1"),
        (lambda: factories.step(sps_id="S-1"), "S-1"),
    ],
)
def test_a_row_is_shown_as_people_call_it(row: Any, text: str) -> None:
    assert str(row()) == text


@pytest.mark.parametrize("error", [OrderClosed, MergeRefused])
def test_an_error_speaks_its_docstring(error: type[DomainError]) -> None:
    assert error().message == error.__doc__
    assert error("More exact.", field="order").message == "More exact."
