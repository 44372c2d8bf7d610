"""The demo department: the same seed gives the same one, and it never comes over a department that has patients."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, models, transaction
from django.utils import timezone

from ris import identifiers
from ris.demo.load import clock_at, load
from ris.demo.people import SERVICES
from ris.demo.plan import make_plan
from ris.identifiers import Series
from ris.models import (
    Attention,
    Exam,
    Order,
    Patient,
    PatientIdentifier,
    RequestedProcedure,
    ScheduledProcedureStep,
    Site,
    Station,
    Visit,
)
from tests import factories

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 18, 12, 0, tzinfo=BERLIN)
"""A Wednesday."""
TABLES: tuple[type[models.Model], ...] = (
    Site,
    Station,
    Exam,
    Patient,
    PatientIdentifier,
    Visit,
    Order,
    RequestedProcedure,
    ScheduledProcedureStep,
)


def contents(model: type[models.Model]) -> list[tuple[Any, ...]]:
    """All rows of a table, without the primary keys that a sequence may have moved on."""
    names = [field.attname for field in model._meta.concrete_fields if not (field.primary_key or field.is_relation)]
    return list(model._default_manager.order_by("pk").values_list(*names))


def count_from_one() -> None:
    """Let the numbers begin anew, as in another new database; PostgreSQL's sequences survive a rollback."""
    identifiers.let_go()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for series in Series:
                cursor.execute(f"ALTER SEQUENCE {series.value} RESTART")


def test_the_same_seed_gives_the_same_department(db: None) -> None:
    found = []
    for _ in range(2):
        with transaction.atomic():
            count_from_one()
            load(seed=7, patients=40, orders=60, now=NOON)
            found.append([contents(model) for model in TABLES])
            transaction.set_rollback(True)
    assert found[0] == found[1]


def test_another_seed_gives_another_department() -> None:
    one, other = (make_plan(seed=seed, now=NOON, zone=BERLIN, patients=40, orders=60) for seed in (1, 2))
    assert [person.columns for person in one.people] != [person.columns for person in other.people]
    assert one.orders != other.orders


def test_the_plan_of_a_day_does_not_depend_on_the_hour() -> None:
    morning, evening = (
        make_plan(seed=1, now=NOON.replace(hour=hour), zone=BERLIN, patients=40, orders=60) for hour in (6, 20)
    )
    assert morning == evening


def test_the_clock_decides_only_how_far_the_day_has_come(db: None) -> None:
    tables = tuple(model for model in TABLES if model not in (Order, ScheduledProcedureStep))
    planned, states = [], []
    for now in (NOON.replace(hour=0), NOON, NOON.replace(hour=23, minute=59)):
        with transaction.atomic():
            count_from_one()
            load(seed=7, patients=40, orders=60, now=now)
            planned.append([*map(contents, tables), ordered(), scheduled()])
            states.append(list(ScheduledProcedureStep.objects.order_by("pk").values_list("state", flat=True)))
            transaction.set_rollback(True)
    assert planned[0] == planned[1] == planned[2]
    assert states[0] != states[1] != states[2]


def ordered() -> list[tuple[Any, ...]]:
    """Who was to have what, asked by whom and when, under which numbers."""
    who_and_when = ("patient__patient_name", "requesting_physician", "requesting_service", "ordered_at")
    numbers = ("accession_number", "placer_order_number", "visit__visit_number", "site__code")
    return list(Order.objects.order_by("pk").values_list(*who_and_when, *numbers))


def scheduled() -> list[tuple[Any, ...]]:
    """Where and when it is planned, and why."""
    why = tuple(f"requested_procedure__{name}" for name in ("exam__code", "study_instance_uid", "priority", "reason"))
    steps = ScheduledProcedureStep.objects.order_by("pk")
    return list(steps.values_list("sps_id", "station__ae_title", "start", "duration", *why))


@pytest.mark.parametrize("hour", range(2, 24, 3))
def test_at_any_hour_the_emergency_department_has_somebody_in_every_state(hour: int) -> None:
    now = NOON.replace(hour=hour, minute=17)
    plan = make_plan(seed=1, now=now, zone=BERLIN, patients=40, orders=60)
    last = {id(order): happening.what for order, happening in plan.timeline(now) if order.service == SERVICES[0]}
    moves = {"place", "arrive", "make ready", "start", "depart", "complete", "discontinue", "miss", "cancel"}
    assert set(last.values()) >= moves


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 3, 29, 3, 30, tzinfo=BERLIN),  # the hour before was left out
        datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN),  # this hour comes twice
        datetime(2028, 2, 29, 23, 30, tzinfo=BERLIN),
        datetime(2027, 1, 1, 0, 5, tzinfo=BERLIN),
    ],
)
def test_a_department_can_be_made_on_any_day_at_any_hour(db: None, now: datetime) -> None:
    load(seed=3, patients=10, orders=30, now=now)
    assert Order.objects.count() >= 30
    assert not Order.objects.filter(attention__contains=Attention.DOUBLE_BOOKED).exists()


def test_the_command_says_what_it_made_and_refuses_a_second_time(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("demo", orders=20, patients=10)
    assert "12 stations, 10 patients" in capsys.readouterr().out
    with pytest.raises(CommandError, match="needs an empty database"):
        call_command("demo")


def test_the_command_leaves_a_department_alone_that_has_only_a_site(db: None) -> None:
    factories.site()
    with pytest.raises(CommandError, match="needs an empty database"):
        call_command("demo")
    assert not Patient.objects.exists()


@pytest.mark.parametrize("orders", ["0", "-1", "many"])
def test_a_number_of_orders_that_is_none_is_refused_in_words(orders: str) -> None:
    with pytest.raises(CommandError, match="--orders"):
        call_command("demo", f"--orders={orders}")


def test_the_clock_goes_on_after_the_story() -> None:
    with clock_at(NOON):
        assert timezone.now() == NOON
    assert timezone.now() != NOON
