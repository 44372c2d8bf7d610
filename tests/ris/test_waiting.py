"""Writes that wait for the next query of their transaction, on the database where that makes a difference."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from ris.actions import patients
from ris.actions.patients import Identifier
from ris.errors import DuplicateIdentifier
from ris.models import Patient, PatientIdentifier
from ris.models.waiting import made_here, writes_together
from tests import factories

pytestmark = pytest.mark.django_db

GROUP = (Patient, PatientIdentifier)


def _register(number: str) -> Patient:
    return patients.register(by=factories.BY, identifiers=[Identifier(number, "HIS")], patient_name=f"Doe^{number}")


def test_what_was_written_is_there_for_the_next_query_and_after_the_block() -> None:
    with transaction.atomic(), writes_together(GROUP):
        jane = _register("1")
        assert Patient.objects.get(patient_name="Doe^1").pk == jane.pk
        patients.update(by=factories.BY, patient=jane, sex="F")
        joan = _register("2")
    assert list(Patient.objects.order_by("pk").values_list("pk", "sex")) == [(jane.pk, "F"), (joan.pk, "")]
    assert joan.identifiers.get().value == "2"


def test_a_registration_is_two_round_trips_to_postgresql() -> None:
    with transaction.atomic(), CaptureQueriesContext(connection) as captured, writes_together(GROUP):
        _register("1")
    assert len(captured) == (2 if connection.vendor == "postgresql" else 3)


def test_what_the_database_refuses_is_raised_before_the_commit() -> None:
    row = factories.patient(number="4711").identifiers.get()
    with pytest.raises((IntegrityError, DuplicateIdentifier)), transaction.atomic(), writes_together(GROUP):
        _register("4711")
    assert PatientIdentifier.objects.get(value="4711") == row
    assert Patient.objects.count() == 1


def test_only_rows_of_this_transaction_count_as_made_here() -> None:
    jane = factories.patient()
    with transaction.atomic(), writes_together(GROUP):
        joan = _register("2")
        assert not made_here(jane)
        assert made_here(joan) == (connection.vendor == "postgresql")
    assert not made_here(joan)
