"""The appointments that a closure was laid over, so that somebody moves them."""

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _

from ris import audit
from ris.models import Booking, Closure, ScheduledProcedureStep
from ris.views import frame

SHOWN = 200
"""Appointments on the page; the later ones come when these are moved."""


def affected(closure: Closure) -> QuerySet[ScheduledProcedureStep]:
    """Return the steps that have an appointment during a closure with what is closed."""
    whose = Q(resource=closure.resource_id) if closure.resource_id else Q(resource__site=closure.site_id)
    bookings = Booking.objects.active().overlapping(closure.start, closure.end).filter(whose)
    return ScheduledProcedureStep.objects.filter(pk__in=bookings.values("step")).order_by("start", "pk")


def show(request: HttpRequest, pk: int) -> HttpResponse:
    """List the appointments during a closure, each with a way to another time."""
    frame.require(request, "ris.view_closure", "ris.view_scheduledprocedurestep", "ris.view_patient")
    closure = get_object_or_404(Closure.objects.select_related("resource", "site"), pk=pk)
    rows = affected(closure).select_related("station__site", "requested_procedure__order__patient")
    found = list(rows[: SHOWN + 1])
    steps = found[:SHOWN]
    patients = {step.requested_procedure.order.patient_id for step in steps}
    audit.patients_listed(request, patients, subject=audit.subject_of(closure))
    return frame.page(
        request,
        "desk/affected.html",
        title=_("Appointments during a closure"),
        closure=closure,
        steps=steps,
        more=len(found) > SHOWN,
        back=reverse("admin:ris_closure_changelist"),
    )
