"""The waiting list of the demo department: who wants a place or an earlier one, and two times that were given up."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, QuerySet

from ris.actions import orders, waiting_list
from ris.actor import Actor
from ris.models import ScheduledProcedureStep
from ris.states import StepState

_EARLIER: tuple[tuple[str, dict[str, Any]], ...] = (
    ("MR", {"notes": "Lives near, comes within the hour", "notice": 1, "priority": "HIGH"}),
    ("MR", {"notes": "Mornings are best", "notice": 12}),
    ("CT", {"notes": "Needs a lift home: a day's notice", "notice": 24}),
    ("US", {"notes": "Works nights, phone after 14:00"}),
)
"""Modality and wishes of those who have a place that is some days away."""
_ANY: tuple[dict[str, Any], ...] = ({"notes": "Any day will do"}, {"priority": "HIGH", "notes": "Before the holidays"})
"""Wishes of those who have no place yet."""
_GIVEN_UP = ("MR", "CT")
"""Modalities of which one appointment of the next days is cancelled."""


def keep(*, by: Actor, now: datetime, zone: ZoneInfo) -> None:
    """Put some on the list once the calendars are there, then let two others give their times up."""
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    later = _alone("SCHEDULED").filter(start__gte=today + timedelta(days=6)).order_by("-start", "pk")
    chosen = {
        modality: list(later.filter(modality=modality)[: sum(1 for name, _wishes in _EARLIER if name == modality)])
        for modality, _wishes in _EARLIER
    }
    wishes = [(step, said) for name, said in _EARLIER if chosen[name] and (step := chosen[name].pop())]
    wishes += zip(_alone("REQUESTED").exclude(modality="").order_by("pk"), _ANY, strict=False)
    for number, (step, said) in enumerate(wishes, start=1):
        patient = step.requested_procedure.order.patient
        since = now - timedelta(days=number, hours=2 * number)
        waiting_list.put_on(by=by, step=step, phone=patient.phone, since=since, **said)
    soon = _alone("SCHEDULED").filter(start__gte=today + timedelta(days=2), waiting=None).order_by("start", "pk")
    for modality in _GIVEN_UP:
        gone = soon.filter(modality=modality).first()
        if gone is not None:
            orders.cancel(by=by, order=gone.requested_procedure.order, reason="Patient is ill")


def _alone(state: StepState | str) -> QuerySet[ScheduledProcedureStep]:
    """Return steps in a state that are the only ones of orders which the catalogue knows and nobody holds."""
    steps = ScheduledProcedureStep.objects.filter(
        state=state, requested_procedure__exam__isnull=False, requested_procedure__order__on_hold=False
    )
    alone = steps.annotate(beside=Count("requested_procedure__order__procedures__steps")).filter(beside=1)
    return alone.select_related("requested_procedure__order__patient")
