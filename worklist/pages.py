"""The worklist as a station sees it, through the engine that answers the scanners."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset

from ris import audit, person_name
from ris.days import day_named
from ris.models import ScheduledProcedureStep, Station
from ris.views import frame
from worklist.describe import Line
from worklist.errors import QueryError
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
    order: int | None
    lines: list[Line]


def station_page(request: HttpRequest) -> HttpResponse:
    """Show what a station's scanner gets for a day; `station` is its AE title, `day` an ISO date, today by default."""
    frame.require(request, "ris.view_worklist")
    stations = list(Station.objects.active().select_related("site"))
    chosen = next((one for one in stations if one.ae_title == request.GET.get("station")), None)
    zone = chosen.site.zone if chosen else timezone.get_current_timezone()
    day = day_named(request.GET.get("day", "")) or timezone.localdate(timezone=zone)
    entries, problem = _entries(request, chosen, day) if chosen else ([], "")
    return frame.page(
        request,
        "worklist/station.html",
        title=_("Worklist of a station"),
        stations=stations,
        chosen=chosen,
        day=day,
        before=day - timedelta(days=1),
        after=day + timedelta(days=1),
        entries=entries,
        problem=problem,
    )


def _entries(request: HttpRequest, station: Station, day: date) -> tuple[list[Entry], str]:
    """Ask the engine; returns the rows, or in words why there are none."""
    try:
        previews = station_worklist(station.ae_title, day)
    except QueryError as error:
        return [], str(error)
    steps = ScheduledProcedureStep.objects.filter(pk__in=[preview.step_id for preview in previews])
    found = steps.order_by().values_list(
        "pk", "requested_procedure__order", "requested_procedure__order__patient", named=False
    )
    orders = {pk: (order, patient) for pk, order, patient in found}
    audit.patients_listed(
        request, [patient for _order, patient in orders.values()], subject=f"{audit.subject_of(station)} {day}"
    )
    return [_entry(preview, orders.get(preview.step_id, (None, None))[0]) for preview in previews], ""


def _entry(preview: Preview, order: int | None) -> Entry:
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
