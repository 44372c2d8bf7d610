"""The pages of one patient: register, show, change, add a number."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _

from ris import audit, findable
from ris.actions import patients
from ris.actions.patients import Identifier
from ris.actor import Actor
from ris.errors import DomainError
from ris.forms import IdentifierForm, PersonForm, RegisterForm
from ris.identifiers import mint_patient_number
from ris.models import Event, EventKind, Insurance, Order, Patient, RequestedProcedure, ScheduledProcedureStep
from ris.views import duplicates, frame, story
from ris.views.home import today_of
from ris.views.kept import typed
from ris.views.searching import normal

SHOWN = 50
"""Orders and events on a patient's page; older ones are in the lists."""

TOLD = 200
"""Events on a page of the whole story."""
FIELDS = {"patient_name": "family", "identifiers": "number", "value": "number"}
"""Where a refusal that names a column is shown."""


def show(request: HttpRequest, object_id: str) -> HttpResponse:
    """Show who a patient is, their numbers, visits, orders and what happened."""
    frame.require(request, "ris.view_patient")
    patient = find(frame.key(object_id))
    steps = ScheduledProcedureStep.objects.select_related("station__site").order_by("start", "pk")
    procedures = RequestedProcedure.objects.select_related("exam").prefetch_related(Prefetch("steps", steps))
    orders = Order.objects.filter(patient=patient).prefetch_related(Prefetch("procedures", procedures))
    merged = list(patient.merged.prefetch_related("identifiers"))
    events = _once(_events(patient).order_by("-pk")[:SHOWN], patient)
    answer = frame.page(
        request,
        "desk/patient.html",
        title=_("Patient"),  # browsers keep titles in their history, and show them in lists of windows
        patient=patient,
        today=today_of(request, patient),
        orders=orders.order_by("-pk")[:SHOWN],
        visits=patient.visits.all()[:SHOWN],
        linked=Patient.objects.linked_with(patient).prefetch_related("identifiers"),
        merged=merged,
        insurance=Insurance.objects.filter(patient=patient).first(),
        story=story.tell(events),
    )
    audit.patient_viewed(request, patient)
    return answer


def _events(patient: Patient) -> QuerySet[Event]:
    """Return what happened to a patient and to all that were merged into them."""
    away: list[int] = []
    level = [patient.pk]
    while level:
        level = list(Patient.objects.filter(merged_into__in=level).order_by().values_list("pk", flat=True))
        away += level
    events = Event.objects.filter(patient__in=[patient.pk, *away]).exclude(kind__in=story.READS)
    return events.select_related("order", "patient")


def _once(events: Iterable[Event], patient: Patient) -> list[Event]:
    """Leave each merge once: it has an event with each of the two, and the one of the survivor is enough here."""
    twice = {EventKind.PATIENT_MERGED, EventKind.PATIENT_UNMERGED}
    return [
        event
        for event in events
        if event.patient_id == patient.pk or event.kind not in twice or event.data.get("loser") != event.patient_id
    ]


def tell(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell all that ever happened to a patient, in order of time, page by page."""
    frame.require(request, "ris.view_patient")
    patient = find(pk)
    page = Paginator(_events(patient).order_by("pk"), TOLD).get_page(request.GET.get("page"))
    audit.patient_viewed(request, patient)
    return frame.page(
        request,
        "desk/whole_story.html",
        title=_("All that happened"),
        patient=patient,
        page=page,
        story=story.tell(_once(page.object_list, patient)),
        back=reverse("admin:ris_patient_change", args=[pk]),
    )


def register(request: HttpRequest) -> HttpResponse:
    """Register a patient; whoever may be somebody who is there already is asked about once."""
    frame.require(request, "ris.add_patient")
    form = RegisterForm(typed(request), initial=_suggested(request))
    alike: list[duplicates.Alike] = []
    if request.method == "POST" and form.is_valid():
        alike = [] if form.cleaned_data["anyway"] else duplicates.probable(form.cleaned_data)
        if not alike and (patient := _registered(request, form)) is not None:
            messages.success(request, _("The patient is registered under number %s.") % patient.patient_id)
            return frame.leads_to("ris_patient_change", patient.pk)
    if alike:
        audit.patients_listed(request, [one.patient.pk for one in alike], subject="ris.patient")
    return frame.page(request, "desk/register.html", title=_("Register a patient"), form=form, alike=alike, asked=True)


def _suggested(request: HttpRequest) -> dict[str, Any]:
    """Begin with what was searched for: a birth date, and the name; another word with a digit is no part of one.

    Without a comma the first word is taken for the family name, as people are called at a counter.
    """
    text = request.GET.get("name") or request.GET.get("q") or ""
    days = [word.day for word in findable.words(normal(text)) if word.day]
    name = " ".join(word for word in text.split() if not any(sign.isdigit() for sign in word))
    family, _separator, given = name.partition("," if "," in name else " ")
    suggested = {"token": frame.new_token(), "family": family.strip(), "given": given.strip()}
    return suggested | {"birth_date": days[0] if days else None, "issuer": settings.BUCKY_PATIENT_ID_ISSUER}


def _registered(request: HttpRequest, form: RegisterForm) -> Patient | None:
    said = form.cleaned_data

    def act(by: Actor) -> None:
        number = said["number"].strip()
        issuer = said["issuer"].strip() if number else settings.BUCKY_PATIENT_ID_ISSUER
        identifier = Identifier(number or mint_patient_number(), issuer)
        patients.register(by=by, identifiers=[identifier], **form.columns())

    try:
        return frame.once(request, said["token"], EventKind.PATIENT_REGISTERED, act).patient
    except DomainError as error:
        frame.refuse(form, error, FIELDS)
        return None


def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change who a patient is."""
    frame.require(request, "ris.view_patient", "ris.change_patient")
    patient = find(pk)
    form = PersonForm(request.POST or None, initial=PersonForm.of(patient))
    if request.method == "POST" and form.is_valid():
        try:
            changed = frame.do(patients.update, request, patient=patient, **form.columns())
        except DomainError as error:
            frame.refuse(form, error, FIELDS)
        else:
            messages.success(request, _("The patient is changed.") if changed else _("Nothing was changed."))
            return frame.leads_to("ris_patient_change", pk)
    return _form(request, patient, form, _("Change the patient"), _("Save"))


def identify(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a patient one more number."""
    frame.require(request, "ris.view_patient", "ris.add_patientidentifier")
    patient = find(pk)
    form = IdentifierForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            frame.do(patients.identify, request, patient=patient, identifier=form.identifier())
        except DomainError as error:
            frame.refuse(form, error, {"value": "number", "": "number"})
        else:
            messages.success(request, _("The number is added."))
            return frame.leads_to("ris_patient_change", pk)
    return _form(request, patient, form, _("Add a number"), _("Add"))


def _form(
    request: HttpRequest, patient: Patient, form: PersonForm | IdentifierForm, title: str, verb: str
) -> HttpResponse:
    audit.patient_viewed(request, patient)
    back = reverse("admin:ris_patient_change", args=[patient.pk])
    return frame.page(request, "desk/form.html", title=title, patient=patient, form=form, verb=verb, back=back)


def find(pk: int) -> Patient:
    """Return a patient with their identifiers; Http404 when there is none."""
    rows = Patient.objects.select_related("merged_into").prefetch_related("identifiers")
    return get_object_or_404(rows, pk=pk)
