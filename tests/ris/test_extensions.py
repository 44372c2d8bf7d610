"""Extensions of PostgreSQL: made where the account may, explained where it may not."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from django.core.management.base import CommandError
from django.db import ProgrammingError, connection

from ris.extensions import need_extension
from ris.models import Patient

pytestmark = pytest.mark.django_db


def test_an_account_that_may_not_make_an_extension_is_told_who_does_it_and_how() -> None:
    def refuse(statement: str) -> None:
        raise ProgrammingError("permission denied")

    database = SimpleNamespace(
        alias="default",
        ops=connection.ops,
        settings_dict={"NAME": "bucky"},
        cursor=lambda: nullcontext(SimpleNamespace(execute=lambda *_: None, fetchone=lambda: None)),
    )
    with pytest.raises(CommandError, match='psql -d bucky -c "CREATE EXTENSION pg_trgm"'):
        need_extension(SimpleNamespace(connection=database, execute=refuse), "pg_trgm")


def test_parts_of_names_are_found_by_an_index_on_postgresql() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = Patient.objects.search("müller", by_ear=True).order_by().explain()
        assert "patient_search_text_idx" in plan
        assert "patient_sounds_idx" in plan
