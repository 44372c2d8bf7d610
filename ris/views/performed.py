"""What scanners have done: the page of one performed step, and what a person does with one that waits."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ris import audit
from ris.actions import performed as verbs
from ris.actions import recognizing
from ris.errors import DomainError, InvalidValue
from ris.models import (
    Event,
    Patient,
    PatientIdentifier,
    PerformedLink,
    PerformedProcedureStep,
    ScheduledProcedureStep,
)
from ris.views import frame, searching, story
from ris.views.suggesting import Suggestion, likely, named

LINK = "ris.link_performedprocedurestep"
WAITING_SHOWN = 6


def show(request: HttpRequest, object_id: str) -> HttpResponse:
    """Show what a scanner did, the orders that it is linked with, and for one that waits the likely ones."""
    frame.require(request, "ris.view_performedprocedurestep")
    performed = find(frame.key(object_id))
    links = list(performed.links.all())
    waits = len(links) < performed.steps_meant and not performed.set_aside
    may_link = request.user.has_perm(LINK)
    typed = request.GET.get("number", "").strip()[:64] if waits and may_link else ""
    suggestions = likely(performed) if waits else []
    namesakes = _namesakes(performed) if waits else []
    refusal = ""
    if typed:
        found = _searched(request, typed)
        namesakes += [patient for patient in found if patient not in namesakes]
        try:
            suggestions = named(performed, typed)
        except InvalidValue as error:
            refusal = "" if found else frame.words(error)
    events = Event.objects.filter(subject=audit.subject_of(performed)).exclude(kind__in=story.READS)
    answer = frame.page(
        request,
        "desk/performed.html",
        title=_("Performed by %s") % (performed.station or performed.station_ae_title),
        performed=performed,
        links=links,
        others=others(performed),
        waits=waits,
        suggestions=suggestions,
        patients=namesakes,
        doubts=[doubt_in_words(one) for one in performed.doubts],
        may_link=may_link,
        typed=typed,
        refusal=refusal,
        story=story.tell(events.select_related("order", "patient").order_by("-pk")[:100]),
    )
    _tell(request, performed, links, suggestions, namesakes, typed)
    return answer


def _tell(
    request: HttpRequest,
    performed: PerformedProcedureStep,
    links: list[PerformedLink],
    offered: list[Suggestion],
    namesakes: list[Patient],
    typed: str,
) -> None:
    """Write the event of one view of the page."""
    steps = [link.step for link in links] + [one.step for one in offered]
    shown = {step.requested_procedure.order.patient_id for step in steps} | {patient.pk for patient in namesakes}
    subject = audit.subject_of(performed)
    if shown:
        audit.patients_listed(request, shown, search=typed, subject=subject)
    else:
        audit.record_viewed(request, subject, search=typed)


def _searched(request: HttpRequest, typed: str) -> list[Patient]:
    """Return the patients whom the typed words mean, for who may place an order for one of them."""
    if not request.user.has_perms(("ris.view_patient", "ris.add_order")):
        return []
    return list(Patient.objects.search(searching.normal(typed)).order_by("pk")[:WAITING_SHOWN])


def _namesakes(performed: PerformedProcedureStep) -> list[Patient]:
    """Return the patients who have the number that the scanner says: an order may be placed for one of them."""
    number = str(performed.said.get("id", ""))
    rows = Patient.objects.filter(identifiers__value=number).select_related("merged_into") if number else ()
    return list({row.survivor().pk: row.survivor() for row in rows[:5]}.values())


@require_POST
def act(request: HttpRequest, pk: int) -> HttpResponse:
    """Link, unlink, set aside or take back, as the button says. Pressed twice, it is done once."""
    frame.require(request, "ris.view_performedprocedurestep", LINK)
    performed = find(pk)
    do = ACTS.get(request.POST.get("act", ""))
    if do is None:
        raise Http404
    try:
        done = do(request, performed)
    except DomainError as error:
        messages.error(request, frame.words(error))
    else:
        if done:
            messages.success(request, done)
    return frame.back(request, "ris_performedprocedurestep_change", pk)


def _link(request: HttpRequest, performed: PerformedProcedureStep) -> str:
    step = get_object_or_404(ScheduledProcedureStep, pk=frame.key(request.POST.get("step", "")))
    frame.do(verbs.link, request, performed=performed, step=step)
    return _("It belongs to this order now.")


def _unlink(request: HttpRequest, performed: PerformedProcedureStep) -> str:
    step = get_object_or_404(ScheduledProcedureStep, pk=frame.key(request.POST.get("step", "")))
    reason = frame.reason_in(request)
    if not reason:
        messages.error(request, _("Please say why."))
        return ""
    frame.do(verbs.unlink, request, performed=performed, step=step, reason=reason)
    return _("It does not belong to that order any more.")


def _set_aside(request: HttpRequest, performed: PerformedProcedureStep) -> str:
    reason = frame.reason_in(request)
    if not reason:
        messages.error(request, _("Please say why."))
        return ""
    frame.do(verbs.set_aside, request, performed=performed, reason=reason)
    return _("It is set aside and needs no order.")


def _take_back(request: HttpRequest, performed: PerformedProcedureStep) -> str:
    frame.do(verbs.set_aside, request, performed=performed, reason="")
    return _("It waits for an order again.")


ACTS: dict[str, Callable[[HttpRequest, PerformedProcedureStep], str]] = {
    "link": _link,
    "unlink": _unlink,
    "set aside": _set_aside,
    "take back": _take_back,
}


def waiting(request: HttpRequest) -> dict[str, Any]:
    """Show on the first page what scanners did that no order is known for."""
    rows = list(PerformedProcedureStep.objects.waiting().select_related("station__site")[: WAITING_SHOWN + 1])
    shown = rows[:WAITING_SHOWN]
    return {
        "rows": shown,
        "more": len(rows) > WAITING_SHOWN,
        "patient_ids": known_as(shown),
        "names_people": bool(shown),
    }


def known_as(rows: list[PerformedProcedureStep]) -> set[int]:
    """Return the patients who have a number that a scanner says: whom an event of a look at these rows names."""
    numbers = {number for row in rows if (number := str(row.said.get("id", "")))}
    found = PatientIdentifier.objects.filter(value__in=numbers) if numbers else PatientIdentifier.objects.none()
    return set(found.order_by().values_list("patient", flat=True))


def doubt_in_words(doubt: str) -> str:
    """Return a doubt as people read it."""
    kind, _colon, attribute = doubt.partition(":")
    words = {
        "missing": _("%s is missing."),
        "ignored": _("%s was changed later, which is not allowed; the first value counts."),
        "unreadable": _("%s cannot be read."),
        verbs.UNMATCHED: _("“%s” belongs to no exam that is known here, or to more than one."),
    }
    if kind in words:
        return words[kind] % attribute
    return _("The numbers that the scanner sent belong to two different orders.")


def others(performed: PerformedProcedureStep) -> set[int]:
    """Return the links with orders of another patient than the scanner says; the links come as `linked` reads them."""
    return {
        link.pk
        for link in performed.links.all()
        if recognizing.is_somebody_else(link.step.requested_procedure.order.patient, performed.said)
    }


def linked() -> "Prefetch[str]":
    """Return what reads the links of performed steps, with the orders and the patients' numbers."""
    links = PerformedLink.objects.active().select_related(
        "step__station__site", "step__requested_procedure__exam", "step__requested_procedure__order__patient"
    )
    return Prefetch("links", links.prefetch_related("step__requested_procedure__order__patient__identifiers"))


def find(pk: int) -> PerformedProcedureStep:
    """Return a performed step with its links; Http404 when there is none."""
    rows = PerformedProcedureStep.objects.select_related("station__site").prefetch_related(linked())
    return get_object_or_404(rows, pk=pk)
