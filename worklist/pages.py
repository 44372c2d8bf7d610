"""The worklist as a station sees it, through the engine that answers the scanners."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset

from ris import audit, person_name
from ris.days import day_named
from ris.models import Order, ScheduledProcedureStep, Station
from ris.views import frame
from worklist import refusals
from worklist.describe import Line
from worklist.errors import QueryError
from worklist.models import QueryLog
from worklist.preview import Preview, station_worklist


@dataclass(frozen=True)
class Entry:
    """One row of the list: what the scanner shows, and the order behind it."""

    time: str
    patient: str
    patient_id: str
    accession_number: str
    description: str
    sps_id: str
    order: Order | None
    lines: list[Line]


@dataclass(frozen=True)
class LeftOut:
    """A step that is not on the list because DICOM cannot write this attribute of it."""

    order: Order
    keyword: str


@dataclass(frozen=True)
class Shown:
    """What the page tells of one station and day."""

    entries: Sequence[Entry] = ()
    left_out: Sequence[LeftOut] = ()
    problem: str = ""


def station_page(request: HttpRequest) -> HttpResponse:
    """Show what a station's scanner gets for a day; `station` is its AE title, `day` an ISO date, today by default."""
    frame.require(request, "ris.view_worklist")
    stations = list(Station.objects.active().select_related("site"))
    chosen = next((one for one in stations if one.ae_title == request.GET.get("station")), None)
    zone = chosen.site.zone if chosen else timezone.get_current_timezone()
    day = day_named(request.GET.get("day", "")) or timezone.localdate(timezone=zone)
    shown = _shown(request, chosen, day) if chosen else Shown()
    return frame.page(
        request,
        "worklist/station.html",
        title=_("Worklist of a station"),
        stations=stations,
        chosen=chosen,
        day=day,
        before=day - timedelta(days=1),
        after=day + timedelta(days=1),
        shown=shown,
        asked=QueryLog.objects.last_of(chosen.ae_title) if chosen else None,
    )


def _shown(request: HttpRequest, station: Station, day: date) -> Shown:
    """Ask the engine; tells in words why it could not answer."""
    try:
        listing = station_worklist(station.ae_title, day)
    except QueryError as error:
        return Shown(problem=_("The scanner gets no list: %s.") % refusals.in_words(error))
    wanted = [*(preview.step_id for preview in listing.previews), *listing.left_out]
    steps = ScheduledProcedureStep.objects.filter(pk__in=wanted).order_by("start", "pk")
    orders = {step.pk: step.requested_procedure.order for step in steps.select_related("requested_procedure__order")}
    audit.patients_listed(
        request, [order.patient_id for order in orders.values()], subject=f"{audit.subject_of(station)} {day}"
    )
    entries = [_entry(preview, orders.get(preview.step_id)) for preview in listing.previews]
    missing = [LeftOut(orders[pk], keyword) for pk, keyword in listing.left_out.items() if pk in orders]
    return Shown(entries, missing)


def _entry(preview: Preview, order: Order | None) -> Entry:
    data_set = preview.data_set
    step = data_set.ScheduledProcedureStepSequence[0]
    time = str(step.get("ScheduledProcedureStepStartTime", ""))
    return Entry(
        time=f"{time[:2]}:{time[2:4]}",
        patient=_name(data_set),
        patient_id=str(data_set.get("PatientID", "")),
        accession_number=str(data_set.get("AccessionNumber", "")),
        description=str(step.get("ScheduledProcedureStepDescription", "")),
        sps_id=str(step.get("ScheduledProcedureStepID", "")),
        order=order,
        lines=preview.lines,
    )


def _name(data_set: Dataset) -> str:
    groups = str(data_set.get("PatientName", "")).split("=")
    return " · ".join(person_name.display(group) for group in groups if group)
