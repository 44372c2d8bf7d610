"""Queries that are compiled once, and statements that PostgreSQL prepares once."""

from django.db import connection
from django.db.models import Q, QuerySet
from pytest_django import DjangoAssertNumQueries

from ris.models import Patient, PatientIdentifier
from ris.models.compiled import compiled
from tests import factories

_asked: list[object] = []


@compiled
def _holders(numbers: tuple[tuple[str, str], ...], patient: int) -> QuerySet[PatientIdentifier]:
    _asked.append(numbers)
    terms = Q(patient=patient)
    for issuer, value in numbers:
        terms |= Q(issuer=issuer, value=value)
    return PatientIdentifier.objects.filter(terms).select_related("patient__merged_into").order_by("pk")


def _number(patient: Patient) -> tuple[str, str]:
    row = patient.identifiers.get()
    return row.issuer, row.value


def test_a_compiled_query_finds_what_the_query_finds(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    survivor, loser, other = factories.patient(), factories.patient(), factories.patient()
    Patient.objects.filter(pk=loser.pk).update(merged_into=survivor)
    numbers = _number(loser), ("nobody's", "100% 'quoted' %s $1")
    with django_assert_num_queries(1):
        first, second = _holders(numbers, other.pk)
        assert first.patient.merged_into == survivor
        assert second.patient == other
        assert second.patient.birth_date == other.birth_date
        assert second.patient.merged_into is None


def test_it_is_compiled_once_for_each_shape_of_its_arguments(db: None) -> None:
    patient = factories.patient()
    _asked.clear()
    for value in "1234":
        assert _holders((("A", value), ("B", value), ("C", value)), -1) == []
    assert len(_asked) == 1
    assert len(_holders((_number(patient),), -1)) == 1
    assert len(_asked) == 2


def test_a_new_connection_is_told_the_statements_anew(transactional_db: None) -> None:
    patient = factories.patient()
    assert _holders((), patient.pk)
    connection.close()
    assert _holders((), patient.pk)


def test_a_statement_with_very_many_values_is_not_kept_by_the_database(db: None) -> None:
    patient = factories.patient()
    many = (("A", "1"),) * 100
    assert [row.patient for row in _holders(many, patient.pk)] == [patient]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE cardinality(parameter_types) > 130")
            assert cursor.fetchone() == (0,)
