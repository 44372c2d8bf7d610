"""Appointments of several steps on screen: two patients change places, a series is looked at and booked."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from hashlib import sha1
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ris import audit
from ris.actions import series, together
from ris.actions.places import Place
from ris.actor import Actor
from ris.days import YEARS, check_start, day_named
from ris.errors import DomainError
from ris.forms import DeskForm, at_station
from ris.models import EventKind, ScheduledProcedureStep, Station
from ris.states import STEP_MOVES, StepState
from ris.views import frame
from ris.views.moves import BOOK, OVERBOOK

SHOWN = 100
"""Appointments of one day to change places with."""


def swap(request: HttpRequest, pk: int) -> HttpResponse:
    """Show with whom a scheduled step can change places on a day; POST changes them. Pressed twice, it is done once."""
    frame.require(request, "ris.view_scheduledprocedurestep", "ris.view_patient", BOOK)
    step = _find(pk)
    order, station = step.requested_procedure.order, step.station
    movable = step.state in STEP_MOVES["move"].sources and station is not None and step.start is not None
    if request.method == "POST" and _swapped(request, step):
        return frame.leads_to("ris_order_change", order.pk)
    with timezone.override((station.site if station else order.site).zone):
        day = day_named(request.GET.get("day", "")) or timezone.localdate(step.start or timezone.now())
        others = _others(step, day) if movable else []
        patients = [other.requested_procedure.order.patient_id for other in others]
        audit.patients_listed(request, [order.patient_id, *patients], subject=audit.subject_of(step))
        return frame.page(
            request,
            "desk/swap.html",
            title=_("Change places"),
            step=step,
            order=order,
            patient=order.patient,
            movable=movable,
            mine=_written(step),
            others=[(other, f"{other.pk}@{_written(other)}") for other in others[:SHOWN]],
            more=len(others) > SHOWN,
            day=day,
            before=day - timedelta(days=1),
            after=day + timedelta(days=1),
            reason=frame.reason_in(request),
            may_overbook=request.user.has_perm(OVERBOOK),
            back=reverse("admin:ris_order_change", args=[order.pk]),
        ).render()


def _others(step: ScheduledProcedureStep, day: date) -> list[ScheduledProcedureStep]:
    assert step.station is not None
    midnight = timezone.make_aware(datetime.combine(day, datetime.min.time()))
    rows = ScheduledProcedureStep.objects.filter(
        state__in=STEP_MOVES["move"].sources,
        station__modality=step.station.modality,
        station__site=step.station.site_id,
        start__gte=midnight,
        start__lt=timezone.make_aware(datetime.combine(day + timedelta(days=1), datetime.min.time())),
    ).exclude(pk=step.pk)
    rows = rows.select_related("station__site", "requested_procedure__order__patient").order_by("start", "pk")
    return list(rows[: SHOWN + 1])


def _written(step: ScheduledProcedureStep) -> str:
    """Write where a step is, for a hidden field."""
    return f"{step.station_id}@{step.start.isoformat()}" if step.start else ""


def _read(text: str) -> tuple[int, datetime] | None:
    """Read it back; None where it is none."""
    station, _at, start = text.partition("@")
    moment = _moment(start)
    return (int(station), moment) if _is_key(station) and moment else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment and timezone.is_aware(moment) and moment.year in YEARS else None


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _swapped(request: HttpRequest, step: ScheduledProcedureStep) -> bool:
    key, _at, theirs = request.POST.get("other", "").partition("@")
    seen = _read(request.POST.get("mine", "")), _read(theirs)
    if not _is_key(key) or seen[0] is None or seen[1] is None:
        messages.error(request, _("Please choose an appointment."))
        return False
    overbook = bool(request.POST.get("overbook")) and request.user.has_perm(OVERBOOK)
    try:
        frame.do(
            together.swap,
            request,
            one=step,
            other=get_object_or_404(ScheduledProcedureStep, pk=int(key)),
            reason=frame.reason_in(request),
            overbook=overbook,
            seen=(seen[0], seen[1]),
        )
    except DomainError as error:
        messages.error(request, frame.words(error))
        return False
    messages.success(request, _("The two have changed places."))
    return True


class SeriesForm(DeskForm):
    """When a series begins, where, and how often it comes. Sent by GET: nothing is lost when a session ends."""

    start = forms.DateTimeField(
        label=gettext_lazy("First start"),
        validators=[check_start],
        widget=forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}),
    )
    station = forms.ModelChoiceField(label=gettext_lazy("Station"), queryset=Station.objects.none())
    every = forms.IntegerField(label=gettext_lazy("Every"), min_value=1, max_value=366)
    unit = forms.ChoiceField(
        label=gettext_lazy("Unit"), choices=(("days", gettext_lazy("days")), ("weeks", gettext_lazy("weeks")))
    )
    count = forms.IntegerField(label=gettext_lazy("How many appointments"), min_value=1, max_value=series.MOST)

    def __init__(self, *args: Any, step: ScheduledProcedureStep, **kwargs: Any) -> None:
        """Offer the stations of the step's modality."""
        super().__init__(*args, initial={"start": step.start, "every": 1, "unit": "weeks", "count": 5}, **kwargs)
        field = self.fields["station"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Station.objects.active().filter(modality=step.modality).select_related("site")

    def clean(self) -> dict[str, Any] | None:
        """Take the time as the clock shows it at the station; a day that is over is a slip."""
        said = at_station(super().clean())
        if said and said.get("start") and said["start"] < timezone.now():
            self.add_error("start", _("This time is over. Choose another."))
        if said and not self.errors:
            every = timedelta(**{said["unit"]: said["every"]})
            try:
                said["wanted"] = series.starts(said["start"], station=said["station"], every=every, count=said["count"])
            except DomainError as error:
                frame.refuse(self, error)
        return said


def book_series(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the days of a series and why some do not fit; POST books those that are ticked, all or none."""
    frame.require(request, "ris.view_scheduledprocedurestep", BOOK)
    step = _find(pk)
    order = step.requested_procedure.order
    with timezone.override(order.site.zone):
        form = SeriesForm(request.GET if "start" in request.GET else None, step=step)
        if request.method == "POST" and _series_booked(request, step):
            return frame.leads_to("ris_order_change", order.pk)
        waits = step.state == StepState.REQUESTED and bool(step.modality)
        preview: Sequence[Place] = ()
        if waits and form.is_valid():
            preview = series.preview(step, station=form.cleaned_data["station"], wanted=form.cleaned_data["wanted"])
        audit.patient_viewed(request, order.patient, order=order, step=step)
        return frame.page(
            request,
            "desk/series.html",
            title=_("Book a series"),
            step=step,
            order=order,
            patient=order.patient,
            form=form,
            waits=waits,
            preview=preview,
            bad=sum(bool(place.reasons) for place in preview),
            token=request.POST.get("token") or frame.new_token(),
            reason=frame.reason_in(request),
            may_overbook=request.user.has_perm(OVERBOOK),
            back=reverse("admin:ris_order_change", args=[order.pk]),
        ).render()


def _series_booked(request: HttpRequest, step: ScheduledProcedureStep) -> bool:
    wanted = [moment for text in request.POST.getlist("day") if (moment := _moment(text))]
    station = request.POST.get("station", "")
    if not wanted or not _is_key(station) or any(moment < timezone.now() for moment in wanted):
        messages.error(request, _("Please tick the days to book."))
        return False
    where = get_object_or_404(Station.objects.select_related("site"), pk=int(station))
    overbook = bool(request.POST.get("overbook")) and request.user.has_perm(OVERBOOK)

    def act(by: Actor) -> None:
        series.book(
            by=by,
            step=step,
            station=where,
            wanted=sorted(set(wanted)),
            reason=frame.reason_in(request),
            overbook=overbook,
        )

    try:
        frame.once(request, _number_of(request, step), EventKind.STEP_BOOKED, act)
    except DomainError as error:
        messages.error(request, frame.words(error))
        return False
    count = len(set(wanted))
    messages.success(
        request,
        ngettext("%(count)d appointment is booked.", "%(count)d appointments are booked.", count) % {"count": count},
    )
    return True


def _number_of(request: HttpRequest, step: ScheduledProcedureStep) -> str:
    """Return the number of what was sent: an old page that is sent again with other ticks is not the same."""
    said = (request.POST.get("token", ""), step.pk, request.POST.get("station"), *request.POST.getlist("day"))
    return sha1(repr(said).encode(), usedforsecurity=False).hexdigest()[:32]


def _find(pk: int) -> ScheduledProcedureStep:
    steps = ScheduledProcedureStep.objects.select_related(
        "station__site",
        "requested_procedure__exam",
        "requested_procedure__order__patient",
        "requested_procedure__order__site",
        "requested_procedure__order__visit",
    )
    return get_object_or_404(steps, pk=pk)
