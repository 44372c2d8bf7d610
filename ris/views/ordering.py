"""Place a new order for a patient; change what an order says."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _

from ris import audit
from ris.actions import orders, performed
from ris.actor import Actor
from ris.entry import OrderForm, QuestionForm, find_exams, find_referrers
from ris.errors import DomainError
from ris.forms import EditOrderForm, EditProcedureForm
from ris.models import EventKind, Exam, Order, Patient, PerformedProcedureStep
from ris.views import frame
from ris.views import performed as performed_pages
from ris.views.against import warn
from ris.views.kept import keeps_what_was_typed, typed
from ris.views.orders import find as find_order
from ris.views.patients import find as find_patient


@keeps_what_was_typed
def place(request: HttpRequest, pk: int) -> HttpResponse:
    """Place an order of one exam, with its time if that is known already."""
    frame.require(request, "ris.view_patient", "ris.add_order")
    patient = find_patient(pk)
    done = _done(request)
    form = OrderForm(typed(request), initial={"token": frame.new_token()})
    if request.method == "POST" and form.is_valid():
        order = _placed(request, patient, form, done)
        if order is not None:
            messages.success(request, _("Order %s is placed.") % order.accession_number)
            warn(request, order)
            return frame.leads_to("ris_order_change", order.pk)
    audit.patient_viewed(request, patient)
    return frame.page(
        request,
        "desk/order_entry.html",
        title=_("New order of what was done by %s") % done if done else _("New order"),
        patient=patient,
        form=form,
        verb=_("Place the order"),
        back=reverse("admin:ris_patient_change", args=[pk]),
    )


def exams_live(request: HttpRequest) -> HttpResponse:
    """Answer with a part of a page: the exams that the typed words mean."""
    frame.require(request, "ris.add_order")
    text = request.GET.get("exam_text", "")
    return render(request, "desk/found_exams.html", {"exams": find_exams(text), "text": text.strip()})


def questions_live(request: HttpRequest) -> HttpResponse:
    """Answer with a part of a page: the questions of the exam that was chosen."""
    frame.require(request, "ris.add_order")
    exam = get_object_or_404(Exam.objects.in_use(), pk=frame.key(request.GET.get("exam", "")))
    return render(request, "desk/questions.html", {"fields": list(QuestionForm(exam))})


def referrers_live(request: HttpRequest) -> HttpResponse:
    """Answer with a part of a page: who asked for exams lately and is called so."""
    frame.require(request, "ris.add_order")
    names = find_referrers(request.GET.get("requesting_physician", ""))
    return render(request, "desk/found_referrers.html", {"names": names})


def _done(request: HttpRequest) -> PerformedProcedureStep | None:
    """Return the performed step that the address names: what is ordered was done already."""
    pk = request.GET.get("performed")
    if not pk:
        return None
    frame.require(request, performed_pages.LINK)
    return performed_pages.find(frame.key(pk))


def _placed(
    request: HttpRequest, patient: Patient, form: OrderForm, done: PerformedProcedureStep | None
) -> Order | None:
    station = form.cleaned_data["station"] or (done.station if done else None)

    def act(by: Actor) -> None:
        fields: dict[str, Any] = {"site": station.site if station else None, "requesting_physician": form.physician()}
        if done is None:
            orders.place(by=by, patient=patient, requests=[form.request()], **fields)
        else:
            performed.order_afterwards(by=by, performed=done, patient=patient, request=form.request(), **fields)

    try:
        return frame.once(request, form.cleaned_data["token"], EventKind.ORDER_PLACED, act).order
    except DomainError as error:
        frame.refuse(form, error, {"exam": "exam_text"})
        return None


def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change who asked, and why and how urgently each procedure is wanted."""
    frame.require(request, "ris.view_order", "ris.change_order")
    order = find_order(pk)
    sent = request.POST or None
    form = EditOrderForm(sent, initial=EditOrderForm.of(order))
    rows = list(order.procedures.all())
    parts = [
        EditProcedureForm(
            sent,
            prefix=str(row.pk),
            initial={"priority": row.priority, "reason": row.reason, "comments": row.comments},
        )
        for row in rows
    ]
    if request.method == "POST" and form.is_valid() and all(part.is_valid() for part in parts):
        requests = [part.request(row) for part, row in zip(parts, rows, strict=True) if part.has_changed()]
        try:
            frame.do(orders.change, request, order=order, requests=requests, **form.columns())
        except DomainError as error:
            frame.refuse(form, error)
        else:
            messages.success(request, _("The order is changed."))
            return frame.leads_to("ris_order_change", pk)
    audit.patient_viewed(request, order.patient, order=order)
    return frame.page(
        request,
        "desk/edit_order.html",
        title=_("Change order %s") % order.accession_number,
        order=order,
        patient=order.patient,
        form=form,
        parts=list(zip(rows, parts, strict=True)),
        back=reverse("admin:ris_order_change", args=[pk]),
    )
