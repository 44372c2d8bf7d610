"""The first page: what each panel of the floor shows."""

from datetime import timedelta
from typing import Any

from django.db.models import Case, Prefetch, Value, When
from django.http import HttpRequest
from django.utils import timezone

from ris.models import Order, Priority, RequestedProcedure, ScheduledProcedureStep
from ris.states import OPEN, StepState
from ris.views.moves import next_move

SHOWN = 12
SHOWN_TODAY = 60


def find(request: HttpRequest) -> dict[str, Any]:
    """Offer to find a patient, or to register one."""
    return {}


def today(request: HttpRequest) -> dict[str, Any]:
    """Show who is still to be examined today, by time, with the next move of each."""
    begin = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    steps = list(
        ScheduledProcedureStep.objects.filter(
            start__gte=begin, start__lt=begin + timedelta(days=1), station__isnull=False, state__in=OPEN
        )
        .select_related("station__site", "requested_procedure__order__patient")
        .prefetch_related("requested_procedure__order__patient__identifiers")
        .order_by("start", "pk")[: SHOWN_TODAY + 1]
    )
    rows = [{"step": step, "buttons": next_move(request.user, step)} for step in steps[:SHOWN_TODAY]]
    return {"rows": rows, "more": len(steps) > SHOWN_TODAY, "patient_ids": _patients(steps[:SHOWN_TODAY])}


def to_schedule(request: HttpRequest) -> dict[str, Any]:
    """Show what waits for a time, the urgent first."""
    urgency = Case(
        When(requested_procedure__priority=Priority.STAT, then=Value(0)),
        When(requested_procedure__priority=Priority.HIGH, then=Value(1)),
        default=Value(2),
    )
    waiting = ScheduledProcedureStep.objects.filter(state=StepState.REQUESTED)
    waiting = waiting.select_related("requested_procedure__order__patient")
    steps = list(waiting.order_by(urgency, "pk")[: SHOWN + 1])
    return {"steps": steps[:SHOWN], "more": len(steps) > SHOWN, "patient_ids": _patients(steps[:SHOWN])}


def attention(request: HttpRequest) -> dict[str, Any]:
    """Show the orders that a person has to look at, the newest first."""
    procedures = RequestedProcedure.objects.select_related("exam")
    orders = list(
        Order.objects.in_need_of_attention()
        .select_related("patient")
        .prefetch_related(Prefetch("procedures", procedures))
        .order_by("-pk")[: SHOWN + 1]
    )
    shown = orders[:SHOWN]
    return {"orders": shown, "more": len(orders) > SHOWN, "patient_ids": [order.patient_id for order in shown]}


def _patients(steps: list[ScheduledProcedureStep]) -> list[int]:
    return [step.requested_procedure.order.patient_id for step in steps]
