"""Merge two patients who are one person: find the other, compare, confirm. And undo it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from ris import audit
from ris.actions import patients, unmerging
from ris.errors import DomainError
from ris.forms import MergeForm
from ris.models import Patient
from ris.views import finding, frame
from ris.views.patients import find

FOUND = 20


def merge(request: HttpRequest, pk: int) -> HttpResponse:
    """Lead through the three steps; the address says how far it is: `q` searches, `other` compares, POST merges."""
    frame.require(request, "ris.view_patient", "ris.merge_patient")
    patient = find(pk)
    if request.method == "POST":
        return _merged(request, patient)
    other = request.GET.get("other", "")
    return _compare(request, patient, find(frame.key(other))) if other else _search(request, patient)


def _search(request: HttpRequest, patient: Patient) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    found: list[Patient] = []
    if text:
        rows = Patient.objects.current().exclude(pk=patient.pk)
        found = [one.patient for one in finding.find(rows, text, FOUND)]
    audit.patients_listed(request, [patient.pk, *(row.pk for row in found)], search=text, subject="ris.patient")
    return frame.page(
        request,
        "desk/merge_search.html",
        title=_("Merge with another patient"),
        patient=patient,
        text=text,
        found=found,
    )


def _compare(request: HttpRequest, patient: Patient, other: Patient) -> HttpResponse:
    both = (patient, other)
    audit.patients_listed(request, [row.pk for row in both], subject="ris.patient")
    sides = [{"patient": row, "orders": row.orders.count(), "visits": row.visits.count()} for row in both]
    address = reverse("admin:ris_patient_change", args=[patient.pk])
    return frame.page(
        request, "desk/merge.html", title=_("Are these two one person?"), sides=sides, patient=patient, back=address
    )


def _merged(request: HttpRequest, patient: Patient) -> HttpResponse:
    other = find(frame.key(request.POST.get("other", "")))
    form = MergeForm(request.POST)
    if not form.is_valid() or form.cleaned_data["survivor"] not in (patient.pk, other.pk):
        messages.error(request, _("Please say which of the two stays."))
        return _compare(request, patient, other)
    survivor, loser = (patient, other) if form.cleaned_data["survivor"] == patient.pk else (other, patient)
    try:
        frame.do(patients.merge, request, survivor=survivor, loser=loser, reason=form.cleaned_data["reason"])
    except DomainError as error:
        messages.error(request, frame.words(error))
        return _compare(request, patient, other)
    messages.success(request, _("The two are one now: orders, visits and numbers lead here."))
    return frame.leads_to("ris_patient_change", survivor.pk)


def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell what goes back and what stays when the merge of this patient is undone; POST undoes it."""
    frame.require(request, "ris.view_patient", "ris.merge_patient")
    patient = find(pk)
    if request.method == "POST":
        try:
            frame.do(unmerging.unmerge, request, loser=patient, reason=frame.reason_in(request))
        except DomainError as error:
            messages.error(request, frame.words(error))
        else:
            messages.success(request, _("The merge is undone. What came after it stays with the other patient."))
        return frame.leads_to("ris_patient_change", pk)
    plan = unmerging.parting(patient)
    if plan is None:
        messages.error(request, _("This patient is not merged into another one."))
        return frame.leads_to("ris_patient_change", pk)
    audit.patients_listed(request, [patient.pk, plan.survivor.pk], subject="ris.patient")
    return frame.page(
        request,
        "desk/unmerge.html",
        title=_("Undo the merge?"),
        patient=patient,
        plan=plan,
        orders=plan.orders.order_by("pk").prefetch_related("procedures__exam"),
        visits=plan.visits.order_by("pk"),
        later=plan.later.order_by("pk").prefetch_related("procedures__exam"),
        back=reverse("admin:ris_patient_change", args=[pk]),
    )
