"""What the catalogue's rules say against an exam at its time, for the pages of an order."""

from django.contrib import messages
from django.http import HttpRequest

from ris.actions.exam_rules import ExamRules
from ris.models import Order, RequestedProcedure, ScheduledProcedureStep
from ris.states import BEFORE_START


def reasons_against(order: Order, procedure: RequestedProcedure, step: ScheduledProcedureStep) -> list[str]:
    """Return the reasons against a step that has a time and has not begun; the order is at hand."""
    if procedure.exam is None or step.start is None or step.state not in BEFORE_START:
        return []
    return ExamRules(procedure.exam, order.patient, besides=procedure).against(step.start, station=step.station)


def warn(request: HttpRequest, order: Order) -> None:
    """Tell a person who has just ordered what speaks against it."""
    steps = ScheduledProcedureStep.objects.filter(requested_procedure__order=order)
    told: set[str] = set()
    for step in steps.select_related("requested_procedure__exam", "station__site").order_by("pk"):
        told.update(reasons_against(order, step.requested_procedure, step))
    for reason in sorted(told):
        messages.warning(request, reason)
