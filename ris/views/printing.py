"""Papers for the patient as PDF; who printed what is an event."""

from collections.abc import Callable, Sequence
from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from ris import audit
from ris.documents import codes, writing
from ris.documents import label as labels
from ris.documents import letter as letters
from ris.models import Order, Patient
from ris.views import frame
from ris.views.orders import IN_LETTER
from ris.views.orders import find as find_order
from ris.views.patients import find as find_patient


def letter(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the appointment letter of an order, if something of it is booked."""
    frame.require(request, "ris.view_patient", "ris.view_order")
    order = find_order(pk)
    steps = [step for row in order.procedures.all() for step in row.steps.all() if step.state in IN_LETTER]
    steps.sort(key=lambda step: (step.start, step.pk))
    if not steps:
        messages.error(request, _("Nothing of this order is booked yet, so there is no appointment to write about."))
        return frame.leads_to("ris_order_change", pk)
    here = timezone.localdate(timezone=order.site.zone)
    texts, number = letters.parts(order, steps), order.accession_number
    return _printed(request, "letter", texts, lambda: letters.make(order, steps, here), order.patient, order, number)


def label(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the label of an order."""
    frame.require(request, "ris.view_patient", "ris.view_order")
    order = find_order(pk)
    texts, number = labels.order_parts(order), order.accession_number
    return _printed(request, "label", texts, lambda: labels.order_label(order), order.patient, order, number)


def wristband(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the wristband of a patient."""
    frame.require(request, "ris.view_patient")
    patient = find_patient(pk)
    texts, number = labels.patient_parts(patient), patient.patient_id
    return _printed(request, "wristband", texts, lambda: labels.wristband(patient), patient, None, number)


def _printed(
    request: HttpRequest,
    name: str,
    texts: Sequence[str],
    make: Callable[[], bytes],
    patient: Patient,
    order: Order | None,
    number: str,
) -> HttpResponse:
    """Answer with the PDF and tell of it; what cannot be printed is said first, on a page of its own."""
    missing = [{"text": text, "signs": signs} for text in texts if (signs := writing.unprintable(text))]
    uncoded = not codes.can_be_coded(number)
    if (missing or uncoded) and not request.GET.get("anyway"):
        audit.patient_viewed(request, patient, order=order)
        back = ("admin:ris_order_change", order.pk) if order else ("admin:ris_patient_change", patient.pk)
        context = {"patient": patient, "missing": missing, "uncoded": uncoded, "back": reverse(back[0], args=[back[1]])}
        return frame.page(request, "desk/unprintable.html", title=_("Not all of it can be printed"), **context)
    pdf = make()
    audit.document_printed(request, name, patient, order=order)
    # The name of the file is no patient's: it ends up in the list of downloads.
    headers = {"Content-Disposition": f'inline; filename="{name}.pdf"', "Cache-Control": "no-store"}
    return HttpResponse(pdf, content_type="application/pdf", status=HTTPStatus.OK, headers=headers)
