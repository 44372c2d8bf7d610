"""Writes that wait for the next query of their transaction, on the database where that makes a difference."""

from collections import deque

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
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


@pytest.mark.django_db(transaction=True)
class TestABlockThatIsAWholeTransaction:
    """BEGIN and COMMIT go along with what is asked, where the driver would send each on its own."""

    def test_is_committed_when_it_ends(self) -> None:
        with transaction.atomic(), writes_together(GROUP):
            jane = _register("1")
        connection.close()
        assert Patient.objects.get() == jane

    def test_is_as_many_messages_to_postgresql_as_there_are_queries(self) -> None:
        with (
            CaptureQueriesContext(connection) as captured,
            transaction.atomic(),
            writes_together(GROUP, keys={Patient: deque([7]), PatientIdentifier: deque([9])}),
        ):
            assert not Patient.objects.exists()
            jane = _register("1")
            assert Patient.objects.get() == jane
            jane.change(sex="F")
        sent = [query["sql"] for query in captured if query["sql"] not in ("BEGIN", "COMMIT")]  # Django says so, too
        if connection.vendor == "postgresql":
            assert len(sent) == 3
            assert sent[0].startswith("BEGIN; SELECT")
            assert sent[2].endswith("; COMMIT")
            assert (jane.pk, jane.identifiers.get().pk) == (7, 9)
        else:
            assert not any("COMMIT" in text for text in sent)

    def test_is_undone_when_it_raises_and_the_next_one_works(self) -> None:
        def fail() -> None:
            _register("1")
            assert Patient.objects.exists()
            raise LookupError

        with pytest.raises(LookupError), transaction.atomic(), writes_together(GROUP):
            fail()
        assert not Patient.objects.exists()
        with transaction.atomic(), writes_together(GROUP):
            _register("1")
        assert Patient.objects.count() == 1
        assert connection.get_autocommit()

    def test_is_undone_when_django_is_told_to(self) -> None:
        with transaction.atomic(), writes_together(GROUP):
            _register("1")
            transaction.set_rollback(True)
        assert not Patient.objects.exists()

    def test_is_undone_when_the_commit_is_refused(self) -> None:
        def refer_to_nobody() -> None:
            _register("1")
            PatientIdentifier.new(patient_id=999_999, value="2", issuer="HIS")

        with pytest.raises(IntegrityError), transaction.atomic(), writes_together(GROUP):
            refer_to_nobody()
        assert not Patient.objects.exists()

    def test_is_undone_when_the_connection_breaks(self) -> None:
        def hang_up() -> None:
            _register("1")
            with connection.cursor() as cursor:  # SQLite has no such function, which is an OperationalError as well
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        with pytest.raises(OperationalError), transaction.atomic(), writes_together(GROUP):
            hang_up()
        assert not Patient.objects.exists()

    def test_with_nothing_in_it_costs_nothing(self) -> None:
        with transaction.atomic(), writes_together(GROUP):
            pass
        assert connection.get_autocommit()

    def test_does_what_was_to_be_done_after_the_commit(self) -> None:
        done: list[int] = []
        with transaction.atomic(), writes_together(GROUP):
            _register("1")
            transaction.on_commit(lambda: done.append(Patient.objects.count()))
            assert not done
        assert done == [1]
