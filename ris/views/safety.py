"""The safety questions of an order: answer them, let an exam through in spite of them, see what is still open."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ris import audit
from ris.actions import gate
from ris.errors import DomainError
from ris.models import Gate, Order, ScheduledProcedureStep
from ris.safety_forms import AnswerForm
from ris.states import BEFORE_START
from ris.views import frame
from ris.views.gates import gated, line_of
from ris.views.orders import find

ANSWER = "ris.add_screeninganswer"
OVERRIDE = "ris.override_gate"
AHEAD = timedelta(days=14)
SHOWN = 100


def questions(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the questions of an order; POST keeps those that were answered."""
    frame.require(request, "ris.view_order", ANSWER)
    order = find(pk)
    steps = gated(order)
    asked = {line["finding"].rule.pk: line["finding"] for entry in steps for line in entry["lines"]}
    forms = [AnswerForm(request.POST or None, finding=finding) for finding in asked.values()]
    if request.method == "POST" and _valid(forms) and _answered(request, order, forms):
        return frame.leads_to("ris_order_change", pk)
    audit.patient_viewed(request, order.patient, order=order)
    return frame.page(
        request,
        "desk/safety_questions.html",
        title=_("Safety questions"),
        order=order,
        patient=order.patient,
        parts=[{"form": form, "line": line_of(form.finding)} for form in forms],
        back=reverse("admin:ris_order_change", args=[pk]),
    )


def _valid(forms: list[AnswerForm]) -> bool:
    """Check every form, so that all faults are shown at once."""
    return sum(not form.is_valid() for form in forms) == 0


def _answered(request: HttpRequest, order: Order, forms: list[AnswerForm]) -> bool:
    """Keep all answers or none; returns whether they are kept."""
    given = [(form, said) for form in forms if (said := form.said()) is not None]
    if not given:
        messages.warning(request, _("Nothing was answered."))
        return True
    fault: AnswerForm | None = None

    def keep(by: Any) -> None:
        nonlocal fault
        for form, said in given:
            fault = form
            gate.answer(by=by, order=order, rule=form.finding.rule, **said)

    try:
        frame.do(keep, request)
    except DomainError as error:
        assert fault is not None
        frame.refuse(fault, error)
        return False
    messages.success(request, _("The answers are kept."))
    return True


@require_POST
def override(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a step through in spite of its questions, with the reason."""
    frame.require(request, "ris.view_order", OVERRIDE)
    step = get_object_or_404(ScheduledProcedureStep.objects.select_related("requested_procedure"), pk=pk)
    try:
        frame.do(gate.override, request, step=step, reason=frame.reason_in(request))
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The exam is on the worklist. Your reason is kept."))
    return frame.leads_to("ris_order_change", step.requested_procedure.order_id)


def open_list(request: HttpRequest) -> HttpResponse:
    """Show which exams of the next days are held back, the next one first."""
    frame.require(request, "ris.view_order", "ris.view_screeninganswer")
    shown = list(held_back()[:SHOWN])
    rows = [{"step": step, "lines": [line_of(one) for one in gate.verdict_of(step).held_back]} for step in shown]
    patients = [step.requested_procedure.order.patient_id for step in shown]
    audit.patients_listed(request, patients, subject="safety")
    return frame.page(
        request, "desk/safety_open.html", title=_("Held back by safety questions"), rows=rows, days=AHEAD.days
    )


def held_back() -> QuerySet[ScheduledProcedureStep]:
    """Return the exams of the next days that are not shown to scanners for their questions, the next one first."""
    now = timezone.now()
    held = Q(gate__in=sorted(gate.SHUT)) | Q(gate=Gate.CLEARED, gate_until__lte=now)
    return (
        ScheduledProcedureStep.objects.filter(held, state__in=BEFORE_START, station__isnull=False)
        .filter(start__gte=now - timedelta(days=1), start__lt=now + AHEAD)
        .select_related("station__site", "requested_procedure__exam", "requested_procedure__order__patient")
        .select_related("requested_procedure__order__site")
        .prefetch_related("requested_procedure__order__patient__identifiers")
        .order_by("start", "pk")
    )
