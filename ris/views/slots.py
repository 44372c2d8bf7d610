"""The slot finder's page: look for places for the steps of an order that wait, and book one with one press."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ris import audit
from ris.actions import places, slots, together
from ris.actions.slots import Found, Option, Part, Search, Spread
from ris.actions.together import Appointment
from ris.days import YEARS
from ris.errors import DomainError
from ris.forms import DeskForm
from ris.models import ScheduledProcedureStep, Station
from ris.states import STEP_MOVES, StepState
from ris.views import frame
from ris.views.moves import BOOK
from ris.views.waiting_list import may_wait

AHEAD = timedelta(days=60)
"""How far "as soon as possible" looks."""


class SlotForm(DeskForm):
    """When and where a patient can come. Sent by GET: nothing is lost when a session ends or somebody goes back."""

    when = forms.ChoiceField(
        label=gettext_lazy("When"),
        choices=(
            ("earliest", gettext_lazy("as soon as possible")),
            ("day", gettext_lazy("on this day")),
            ("week", gettext_lazy("in the week of this day")),
        ),
    )
    day = forms.DateField(
        label=gettext_lazy("Day"),
        required=False,
        help_text=gettext_lazy("Empty: from today on"),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )
    part = forms.ChoiceField(
        label=gettext_lazy("Time of day"),
        choices=(
            (Part.ANY.value, gettext_lazy("any")),
            (Part.MORNING.value, gettext_lazy("in the morning")),
            (Part.AFTERNOON.value, gettext_lazy("in the afternoon")),
        ),
    )
    where = forms.ChoiceField(
        label=gettext_lazy("Where"),
        choices=(("here", gettext_lazy("at this site")), ("anywhere", gettext_lazy("at any site"))),
    )
    station = forms.ModelChoiceField(
        label=gettext_lazy("Station"),
        queryset=Station.objects.none(),
        required=False,
        empty_label=gettext_lazy("any that does it"),
    )
    alone = forms.BooleanField(label=gettext_lazy("Only this exam, not those that belong to it"), required=False)

    def __init__(self, *args: Any, step: ScheduledProcedureStep, linked: bool, **kwargs: Any) -> None:
        """Offer the stations of the step's modality; ask about linked exams only where there are any."""
        super().__init__(*args, **kwargs)
        field = self.fields["station"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Station.objects.active().filter(modality=step.modality).select_related("site")
        if not linked:
            del self.fields["alone"]

    def clean(self) -> dict[str, Any] | None:
        """No day that is over, or that nobody can mean."""
        said = super().clean()
        if said is None:
            return None
        if said.get("day") and said["day"].year not in YEARS:
            self.add_error("day", _("Enter a year between 1900 and 2199."))
        elif said.get("when") == "day" and said.get("day") and said["day"] < timezone.localdate():
            self.add_error("day", _("This day is over. Choose another."))
        return said


DEFAULTS = {"when": "earliest", "part": Part.ANY.value, "where": "here"}


def _asked(request: HttpRequest, zone: ZoneInfo) -> Mapping[str, Any]:
    """Return what was asked for; who speaks of a day and names none means today."""
    if "when" not in request.GET:
        return DEFAULTS
    asked = request.GET.copy()
    if asked["when"] in ("day", "week") and not asked.get("day", "").strip():
        asked["day"] = timezone.localdate(timezone=zone).isoformat()
    return asked


def find(request: HttpRequest, pk: int) -> HttpResponse:
    """Show where a step fits, with those that belong to it; book what was chosen."""
    frame.require(request, "ris.view_scheduledprocedurestep", BOOK)
    step = _find(pk)
    order = step.requested_procedure.order
    linked = _linked(step)
    zone = order.site.zone
    form = SlotForm(_asked(request, zone), step=step, linked=len(linked) > 1)
    with timezone.override(zone):
        valid = form.is_valid()
        steps = [step] if form.cleaned_data.get("alone") else linked
        movable = all(one.state in STEP_MOVES["book"].sources | STEP_MOVES["move"].sources for one in steps)
        if request.method == "POST" and _booked(request, steps):
            return frame.leads_to("ris_order_change", order.pk)
        found = slots.find(_search(form, steps)) if valid and movable and step.modality else Found(())
        audit.patient_viewed(request, order.patient, order=order, step=step)
        return frame.page(
            request,
            "desk/slots.html",
            title=_("Find a time"),
            form=form,
            step=step,
            steps=steps,
            order=order,
            patient=order.patient,
            seen=_seen(steps),
            options=[(option, _written(option)) for option in found.options],
            groups=_grouped(form, found.options) if valid and form.cleaned_data["when"] != "earliest" else [],
            others=found.others,
            movable=movable,
            may_wait=may_wait(request.user, step),
            looked=valid,
            back=reverse("admin:ris_order_change", args=[order.pk]),
        ).render()


def _search(form: SlotForm, steps: Sequence[ScheduledProcedureStep]) -> Search:
    said, now = form.cleaned_data, timezone.now()
    since, until = now, now + AHEAD
    day = said["day"]
    if day:
        monday = day - timedelta(days=day.weekday()) if said["when"] == "week" else day
        since = timezone.make_aware(datetime.combine(monday, datetime.min.time()))
        lengths = {"day": timedelta(days=1), "week": timedelta(days=7), "earliest": AHEAD}
        last = monday + lengths[said["when"]]
        until = timezone.make_aware(datetime.combine(last, datetime.min.time()))
    here = said["where"] == "here" and said["station"] is None
    most, each, spread = _AMOUNTS[said["when"], said["station"] is not None]
    return Search(
        tuple(places.wish_of(step) for step in steps),
        max(since, now),
        until,
        site=steps[0].requested_procedure.order.site if here else None,
        station=said["station"],
        part=Part(said["part"]),
        most=most,
        each=each,
        spread=spread,
    )


_ALL = 24 * 60 // 5
_AMOUNTS: dict[tuple[str, bool], tuple[int, int, Spread | None]] = {
    ("earliest", False): (12, 3, None),
    ("earliest", True): (12, 3, None),
    ("day", False): (24 * 6, _ALL, Spread(hours=1, stations=6)),
    ("day", True): (_ALL, _ALL, None),
    ("week", False): (14 * 6, _ALL, Spread(hours=12, stations=6)),
    ("week", True): (7 * 24, _ALL, Spread(hours=1, stations=1)),
}
"""When, and whether of one station only -> how many options, how many of one station and day, and how they spread."""


def _grouped(form: SlotForm, options: Sequence[Option]) -> list[tuple[str, list[tuple[Option, str]]]]:
    """Group the options of a day by the hour, those of a week by the half day; each with its value."""
    label = _hour if form.cleaned_data["when"] == "day" else _half_day
    return [(text, [(one, _written(one)) for one in group]) for text, group in groupby(options, lambda one: label(one))]


def _hour(option: Option) -> str:
    there = option.start.astimezone(option.places[0].station.site.zone)
    return date_format(there.replace(minute=0), "TIME_FORMAT")


def _half_day(option: Option) -> str:
    there = option.start.astimezone(option.places[0].station.site.zone)
    return f"{date_format(there, 'D')} {date_format(there)} {_('morning') if there.hour < 12 else _('afternoon')}"


def _booked(request: HttpRequest, steps: Sequence[ScheduledProcedureStep]) -> bool:
    """Book what was pressed; say what became of it. The same press once more does no harm."""
    wanted = _read(request.POST.get("place", ""), steps)
    if wanted is None:
        messages.error(request, _("Please choose one of the times."))
        return False
    there = all(one.step.station_id == one.station.pk and one.step.start == one.start for one in wanted)
    if not there and request.POST.get("seen") != _seen(steps):
        messages.warning(request, _("Somebody has changed it meanwhile. You see it as it is now; choose again."))
        return False
    if not there and any(one.start < timezone.now() for one in wanted):
        messages.error(request, _("This time is over. Choose another."))
        return False
    try:
        frame.do(together.book_together, request, appointments=wanted, reason=frame.reason_in(request))
    except DomainError as error:
        messages.error(request, _("%s You see the next free times.") % frame.words(error))
        return False
    messages.success(request, _("The exam is booked.") if len(wanted) == 1 else _("The exams are booked."))
    return True


def _written(option: Option) -> str:
    """Write an option as the value of a button."""
    return ",".join(f"{place.station.pk}@{place.start.isoformat()}" for place in option.places)


def _read(text: str, steps: Sequence[ScheduledProcedureStep]) -> list[Appointment] | None:
    """Read such a value; None where it is none for these steps."""
    parts = [part.partition("@") for part in text.split(",")]
    if len(parts) != len(steps) or not all(key.isdecimal() and len(key) < 19 for key, _at, _start in parts):
        return None
    stations = Station.objects.select_related("site").in_bulk([int(key) for key, _at, _start in parts])
    wanted = []
    for step, (key, _at, text_of_start) in zip(steps, parts, strict=True):
        try:
            start = parse_datetime(text_of_start)
        except ValueError:
            return None
        station = stations.get(int(key))
        if station is None or start is None or timezone.is_naive(start) or start.year not in YEARS:
            return None
        wanted.append(Appointment(step, station, start))
    return wanted


def _seen(steps: Sequence[ScheduledProcedureStep]) -> str:
    """Return what tells whether the steps are still as the page showed them."""
    return "/".join(
        f"{step.pk}-{step.state}-{step.station_id}-{step.start and step.start.isoformat()}" for step in steps
    )


def _find(pk: int) -> ScheduledProcedureStep:
    """Return a step with all that the page shows; raises Http404."""
    return get_object_or_404(_steps(), pk=pk)


def _steps() -> QuerySet[ScheduledProcedureStep]:
    return ScheduledProcedureStep.objects.select_related(
        "station__site",
        "requested_procedure__exam",
        "requested_procedure__order__patient",
        "requested_procedure__order__site",
        "requested_procedure__order__visit",
    )


def _linked(step: ScheduledProcedureStep) -> list[ScheduledProcedureStep]:
    """Return a waiting step with the further waiting ones of its order, in their order; a scheduled one alone."""
    if step.state != StepState.REQUESTED:
        return [step]
    rows = _steps().filter(requested_procedure__order=step.requested_procedure.order_id, state=StepState.REQUESTED)
    return [row for row in rows.order_by("pk") if row.modality and (row.pk >= step.pk)]
