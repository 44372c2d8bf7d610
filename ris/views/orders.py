"""The page of one order, and what people do with a whole order."""

from typing import Any

from django.contrib import messages
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ris import audit, desk
from ris.actions import orders, procedures
from ris.errors import DomainError
from ris.forms import ExamForm
from ris.models import (
    Order,
    PerformedProcedureStep,
    RequestedProcedure,
    ScheduledProcedureStep,
    StepClosure,
    WaitingListEntry,
)
from ris.states import BEFORE_START, NEEDS_PLACE, StepState
from ris.views import frame, story, waiting_list
from ris.views.against import reasons_against
from ris.views.gates import gated
from ris.views.moves import ORDER_BUTTONS, can_book, next_move, offered_for_order, rest_of

EVENTS_SHOWN = 100
IN_LETTER = NEEDS_PLACE - {StepState.NO_SHOW, StepState.DISCONTINUED}
"""States of a step that stands in the letter of its order: what has a place and was neither missed nor stopped."""
VERBS = {
    "settle": orders.settle,
    "release": orders.release,
    "hold": orders.hold,
    "cancel": orders.cancel,
    "discontinue": orders.discontinue,
}


def show(request: HttpRequest, object_id: str) -> HttpResponse:
    """Show an order with its procedures, steps, history, and the buttons that make sense now."""
    frame.require(request, "ris.view_order")
    order = find(frame.key(object_id))
    rows = list(order.procedures.all())
    steps = [step for row in rows for step in row.steps.all()]
    user = request.user
    gates = gated(order)
    waits = waiting_list.on_list(request, order)
    answer = frame.page(
        request,
        "desk/order.html",
        title=_("Order %s") % order.accession_number,
        order=order,
        patient=order.patient,
        replaces=order.replaces.order_by("pk"),
        children=order.children.order_by("pk"),
        procedures=[
            {
                "row": row,
                "steps": [_entry(request, order, row, step, waits.get(step.pk)) for step in row.steps.all()],
                "unknown": row.exam is None and _can_assign(request, row),
            }
            for row in rows
        ],
        buttons=offered_for_order(user, order, steps),
        letter=any(step.state in IN_LETTER for step in steps),
        offers=waiting_list.freed_by(request, order),
        safety=gates,
        safety_shut=any(entry["shut"] for entry in gates),
        story=story.tell(story.of_order(order, EVENTS_SHOWN)),
        step_links=[link for link in desk.step_links() if user.has_perm(link.permission)],
        closures=StepClosure.objects.unreported().filter(step__in=steps, step__state=StepState.COMPLETED),
        performed=PerformedProcedureStep.objects.of_order(order).select_related("station__site").order_by("start"),
    )
    audit.patient_viewed(request, order.patient, order=order)
    return answer


def _entry(
    request: HttpRequest,
    order: Order,
    procedure: RequestedProcedure,
    step: ScheduledProcedureStep,
    waits: WaitingListEntry | None,
) -> dict[str, Any]:
    """Return a step with what may be done with it: what comes next, and all the rest."""
    user = request.user
    entry = {
        "row": step,
        "next": next_move(user, step),
        "rest": rest_of(user, step),
        "book": can_book(user, step),
        "waits": waits,
        "may_wait": waiting_list.may_wait(user, step),
        "against": reasons_against(order, procedure, step),
    }
    return entry | {"has_more": entry["rest"] or entry["book"] or entry["may_wait"]}


def _can_assign(request: HttpRequest, procedure: RequestedProcedure) -> bool:
    waiting = any(step.state in BEFORE_START for step in procedure.steps.all())
    return waiting and request.user.has_perm("ris.settle_order")


@require_POST
def act(request: HttpRequest, pk: int) -> HttpResponse:
    """Do to the whole order what the button says that was pressed. Pressed twice, it is done once."""
    button = next((one for one in ORDER_BUTTONS if one.verb == request.POST.get("verb")), None)
    if button is None:
        raise Http404
    frame.require(request, "ris.view_order", button.permission)
    order = find(pk)
    reason = frame.reason_in(request)
    if button.needs_reason and not reason:
        messages.error(request, _("Please say why."))
    else:
        try:
            frame.do(VERBS[button.verb], request, order=order, reason=reason)
        except DomainError as error:
            messages.error(request, frame.words(error))
        else:
            messages.success(request, button.done)
    return frame.back(request, "ris_order_change", pk)


def assign_exam(request: HttpRequest, pk: int, procedure: int) -> HttpResponse:
    """Tell which exam of the catalogue a procedure is whose code the catalogue did not know."""
    frame.require(request, "ris.view_order", "ris.settle_order")
    order = find(pk)
    row = get_object_or_404(RequestedProcedure, pk=procedure, order=order)
    form = ExamForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        exam = form.cleaned_data["exam"]
        try:
            if row.exam_id != exam.pk:
                frame.do(procedures.assign_exam, request, procedure=row, exam=exam)
        except DomainError as error:
            frame.refuse(form, error)
        else:
            messages.success(request, _("The exam is assigned."))
            return frame.leads_to("ris_order_change", pk)
    audit.patient_viewed(request, order.patient, order=order)
    return frame.page(
        request,
        "desk/form.html",
        title=_("Which exam is “%s”?") % (row.meaning or row.code),
        patient=order.patient,
        form=form,
        verb=_("Assign"),
        back=reverse("admin:ris_order_change", args=[pk]),
    )


def find(pk: int) -> Order:
    """Return an order with all that its page shows; Http404 when there is none."""
    steps = ScheduledProcedureStep.objects.select_related("station__site").order_by("start", "pk")
    rows = RequestedProcedure.objects.select_related("exam").prefetch_related(Prefetch("steps", steps))
    orders_ = Order.objects.select_related("patient", "site", "visit", "replaced_by", "parent")
    return get_object_or_404(orders_.prefetch_related(Prefetch("procedures", rows), "patient__identifiers"), pk=pk)
