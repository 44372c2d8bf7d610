"""The waiting list on screen: who wants an earlier place, which freed times are offered, and what they answered."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ris import audit
from ris.actions import waiting_list
from ris.actor import Actor
from ris.days import YEARS
from ris.errors import AgainstRules, DomainError, NotOpen, SlotTaken
from ris.forms import DeskForm
from ris.models import Order, Priority, ScheduledProcedureStep, Site, SlotOffer, Station, WaitingListEntry, WaitingState
from ris.models.waiting_list import CAN_WAIT
from ris.views import frame
from ris.views.kept import keeps_what_was_typed, typed
from ris.views.moves import BOOK

SEE = "ris.view_waitinglistentry"
KEEP = "ris.keep_waiting_list"
SHOWN = 200
OFFERS_SHOWN = 50
OFFERS_ON_FIRST_PAGE = 8


def _day(label: Any, help_text: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        required=False,
        help_text=help_text,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )


class WaitingForm(DeskForm):
    """What a patient waits for."""

    priority = forms.ChoiceField(label=gettext_lazy("Priority"), choices=Priority.choices)
    earliest = _day(gettext_lazy("From"), gettext_lazy("First day that would do; empty: any"))
    latest = _day(gettext_lazy("Until"), gettext_lazy("Last day that would do; empty: any"))
    notice = forms.IntegerField(
        label=gettext_lazy("Hours of notice"),
        min_value=0,
        max_value=2000,
        help_text=gettext_lazy("How long before the time the patient must be told"),
    )
    site = forms.ModelChoiceField(
        label=gettext_lazy("Site"), queryset=Site.objects.all(), required=False, empty_label=gettext_lazy("any")
    )
    stations = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Only these stations"),
        queryset=Station.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None ticked: any that does the exam"),
    )
    phone = forms.CharField(
        label=gettext_lazy("Phone"),
        required=False,
        max_length=80,
        help_text=gettext_lazy("Where and when the patient can be reached for this"),
    )
    notes = forms.CharField(label=gettext_lazy("Notes"), required=False, max_length=250)

    def __init__(self, *args: Any, step: ScheduledProcedureStep, entry: WaitingListEntry | None, **kwargs: Any) -> None:
        """Begin with what the step waits for already, else with the order's own priority and site."""
        procedure = step.requested_procedure
        begin: dict[str, Any] = {
            "priority": procedure.priority,
            "notice": WaitingListEntry._meta.get_field("notice").default,
            "site": procedure.order.site_id,
            "phone": procedure.order.patient.phone,
        }
        if entry is not None:
            begin = {name: getattr(entry, name) for name in self.base_fields}
        super().__init__(*args, initial=begin, **kwargs)
        field = self.fields["stations"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = Station.objects.active().filter(modality=step.modality).select_related("site")

    def clean(self) -> dict[str, Any] | None:
        """The last day is not before the first, and neither is centuries away."""
        said = super().clean()
        if said is None:
            return None
        for name in ("earliest", "latest"):
            if said.get(name) and said[name].year not in YEARS:
                self.add_error(name, _("Enter a year between 1900 and 2199."))
        if said.get("earliest") and said.get("latest") and said["latest"] < said["earliest"]:
            self.add_error("latest", _("The last day is before the first one."))
        return said

    def wishes(self) -> dict[str, Any]:
        """Return what was said, as columns of WaitingListEntry."""
        return self.cleaned_data | {"stations": sorted(row.pk for row in self.cleaned_data["stations"])}


@keeps_what_was_typed
def put_on(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a step on the waiting list, or change what it waits for. Sent twice, it is there once."""
    frame.require(request, "ris.view_scheduledprocedurestep", KEEP)
    step = get_object_or_404(
        ScheduledProcedureStep.objects.select_related(
            "requested_procedure__order__patient", "requested_procedure__order__site"
        ),
        pk=pk,
    )
    order = step.requested_procedure.order
    entry = WaitingListEntry.objects.filter(step=step, state=WaitingState.WAITING).first()
    form = WaitingForm(typed(request), step=step, entry=entry)
    if request.method == "POST" and form.is_valid():
        try:
            frame.do(waiting_list.put_on, request, step=step, **form.wishes())
        except DomainError as error:
            frame.refuse(form, error)
        else:
            messages.success(request, _("The patient is on the waiting list."))
            return frame.leads_to("ris_order_change", order.pk)
    audit.patient_viewed(request, order.patient, order=order, step=step)
    return frame.page(
        request,
        "desk/form.html",
        title=_("On the waiting list") if entry else _("Put on the waiting list"),
        patient=order.patient,
        form=form,
        verb=_("Save") if entry else _("Put on the waiting list"),
        back=reverse("admin:ris_order_change", args=[order.pk]),
    )


def board(request: HttpRequest) -> HttpResponse:
    """Show the open offers and the list; POST answers an offer or takes somebody off."""
    frame.require(request, SEE, "ris.view_patient", "ris.view_scheduledprocedurestep")
    if request.method == "POST":
        return _answer(request)
    offers = _offers(SlotOffer.objects.all())[:OFFERS_SHOWN]
    rows = WaitingListEntry.objects.waiting().select_related(
        "site", "step__station__site", "step__requested_procedure__order__patient"
    )
    wanted = request.GET.get("modality", "")
    modalities = list(rows.order_by().values_list("step__modality", flat=True).distinct().order_by("step__modality"))
    if wanted:
        rows = rows.filter(step__modality=wanted)
    found = list(rows.prefetch_related("step__requested_procedure__order__patient__identifiers")[: SHOWN + 1])
    entries = found[:SHOWN]
    names = Station.objects.in_bulk({key for entry in entries for key in entry.stations})
    patients = {row.step.requested_procedure.order.patient_id for row in entries} | set(patients_of(offers))
    audit.patients_listed(request, patients, subject="ris.waitinglistentry")
    return frame.page(
        request,
        "desk/waiting_list.html",
        title=_("Waiting list"),
        offers=offers,
        entries=[(entry, [names[key] for key in entry.stations if key in names]) for entry in entries],
        more=len(found) > SHOWN,
        modalities=modalities,
        wanted=wanted,
    )


def panel(request: HttpRequest) -> dict[str, Any]:
    """Show the freed times that wait for an answer."""
    offers = list(_offers(SlotOffer.objects.all())[: OFFERS_ON_FIRST_PAGE + 1])
    shown = offers[:OFFERS_ON_FIRST_PAGE]
    return {"offers": shown, "more": len(offers) > OFFERS_ON_FIRST_PAGE, "patient_ids": patients_of(shown)}


def freed_by(request: HttpRequest, order: Order) -> list[SlotOffer]:
    """Return the open offers of times that an order has given up, for its page, and tell whom it names."""
    if not request.user.has_perm(SEE):
        return []
    offers = list(_offers(SlotOffer.objects.filter(freed_by__requested_procedure__order=order)))
    if offers:
        audit.patients_listed(request, patients_of(offers), subject="ris.slotoffer")
    return offers


def on_list(request: HttpRequest, order: Order) -> dict[int, WaitingListEntry]:
    """Return the entries of an order's steps by the key of the step."""
    if not request.user.has_perm(SEE):
        return {}
    found = WaitingListEntry.objects.filter(state=WaitingState.WAITING, step__requested_procedure__order=order)
    return {entry.step_id: entry for entry in found}


def may_wait(user: Any, step: ScheduledProcedureStep) -> bool:
    """Tell whether a person may put a step on the list."""
    return step.state in CAN_WAIT and bool(step.modality) and user.has_perm(KEEP)


def _offers(rows: "QuerySet[SlotOffer]") -> "QuerySet[SlotOffer]":
    return (
        SlotOffer.objects.standing()
        .filter(pk__in=rows.values("pk"))
        .select_related(
            "station__site", "entry__step__station__site", "entry__step__requested_procedure__order__patient"
        )
        .order_by("start", "pk")
    )


def patients_of(offers: Any) -> list[int]:
    """Return the keys of the patients to whom something is offered."""
    return [offer.entry.step.requested_procedure.order.patient_id for offer in offers]


def _answer(request: HttpRequest) -> HttpResponse:
    verb, reason = request.POST.get("verb", ""), frame.reason_in(request)
    if verb == "take off":
        frame.require(request, KEEP)
        entry = get_object_or_404(
            WaitingListEntry.objects.select_related("step"), pk=frame.key(request.POST.get("entry", ""))
        )
        if not reason:
            messages.error(request, _("Please say why."))
        else:
            frame.do(waiting_list.take_off, request, entry=entry, reason=reason)
            messages.success(request, _("The patient is off the waiting list."))
        return frame.back(request, "ris_waiting_list")
    if verb not in ("accept", "decline"):
        raise Http404
    frame.require(request, KEEP, BOOK)
    offers = SlotOffer.objects.select_related("station__site", "entry__step__requested_procedure__order__patient")
    offer = get_object_or_404(offers, pk=frame.key(request.POST.get("offer", "")))
    if verb == "accept":
        _accept(request, offer, reason)
    else:
        _decline(request, offer, reason)
    return frame.back(request, "ris_waiting_list")


def _accept(request: HttpRequest, offer: SlotOffer, reason: str) -> None:
    """Book the offered time; where that is refused, or the offer does not stand any more, the time goes to the next."""
    try:
        frame.do(waiting_list.accept, request, offer=offer, reason=reason)
    except DomainError as error:
        messages.error(request, frame.words(error))
        frame.do(_expire, request, offer=offer, refused=isinstance(error, SlotTaken | NotOpen | AgainstRules))
    else:
        messages.success(request, _("The exam is booked at the offered time."))


def _expire(*, by: Actor, offer: SlotOffer, refused: bool) -> bool:
    return waiting_list.expire(by=by, offer=offer, refused=refused)


def _decline(request: HttpRequest, offer: SlotOffer, reason: str) -> None:
    try:
        following = frame.do(waiting_list.decline, request, offer=offer, reason=reason)
    except DomainError as error:
        messages.error(request, frame.words(error))
        return
    if following is None:
        messages.success(request, _("It is noted. Nobody else on the waiting list can use this time."))
    else:
        messages.success(request, _("It is noted. The time is offered to the next on the waiting list."))
