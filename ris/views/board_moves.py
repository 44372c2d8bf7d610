"""Moving on the day board: what speaks against a place before a block is dropped there, and the drop itself."""

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from ris import audit
from ris.actions import daysheet, placement, places
from ris.days import day_named
from ris.errors import DomainError
from ris.models import ScheduledProcedureStep, Station
from ris.models.step import end_of
from ris.states import StepState
from ris.views import frame
from ris.views.board import SEE
from ris.views.board_days import Days
from ris.views.board_sheet import MOVABLE
from ris.views.moves import BOOK, OVERBOOK

_LONGEST = 24 * 60


@dataclass(frozen=True)
class Wanted:
    """Where somebody holds a block. duration: minutes."""

    station: Station
    start: datetime
    duration: int

    @property
    def words(self) -> str:
        """The place in words, by the clock of the station's site."""
        zone = self.station.site.zone
        start, end = self.start.astimezone(zone), end_of(self.start, self.duration).astimezone(zone)
        changes = f" {start:%Z}" if start.replace(hour=0).utcoffset() != start.replace(hour=23).utcoffset() else ""
        return f"{self.station.name}, {date_format(start, 'D j M')} {start:%H:%M}–{end:%H:%M}{changes}"


@require_GET
def fits(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer in JSON whether a step fits where it is held, without changing anything.

    where: the place in words; reasons: what speaks against it; insist: whether this person may book it all the same.
    """
    frame.require(request, SEE, BOOK)
    step = _find(pk)
    wanted = _wanted(request.GET)
    if wanted is None:
        return _no(_("This is no place for an exam."))
    reason, reasons = _against(step, wanted)
    if reason or reasons:  # they may speak of the patient's weight, age or other exams
        patient = step.requested_procedure.order.patient_id
        audit.patients_listed(request, [patient], subject="board")
    insist = not reason and bool(reasons) and request.user.has_perm(OVERBOOK)
    return JsonResponse({"where": wanted.words, "reasons": [reason] if reason else reasons, "insist": insist})


@require_POST
def put(request: HttpRequest, pk: int) -> HttpResponse:
    """Book or move a step to where it was dropped; answers in JSON what became of it, in words."""
    overbook = bool(request.POST.get("overbook"))
    frame.require(request, SEE, BOOK, *([OVERBOOK] if overbook else []))
    step = _find(pk)
    wanted = _wanted(request.POST)
    if wanted is None:
        return _no(_("This is no place for an exam."))
    if over := _over(step, wanted):
        return _no(over)
    try:
        frame.do(
            daysheet.put,
            request,
            step=step,
            seen=request.POST.get("seen", ""),
            station=wanted.station,
            start=wanted.start,
            duration=wanted.duration,
            reason=frame.reason_in(request),
            overbook=overbook,
        )
    except DomainError as error:
        return _no(frame.words(error))
    return JsonResponse({"done": True, "words": _("The exam is booked: %s.") % wanted.words})


def _no(words: str) -> HttpResponse:
    return JsonResponse({"done": False, "words": words, "where": "", "reasons": [words], "insist": False})


def _against(step: ScheduledProcedureStep, wanted: Wanted) -> tuple[str, list[str]]:
    """Return what makes a place impossible, or empty, and what speaks against it but could be insisted on."""
    if step.state not in MOVABLE:
        return _("The patient is there already, or it is over: it cannot get another time."), []
    if over := _over(step, wanted):
        return over, []
    try:
        placement.check_station(wanted.station, step.modality)
    except DomainError as error:
        return frame.words(error), []
    wish = places.wish_of(step, minutes=wanted.duration)
    end = end_of(wanted.start, wanted.duration)
    table = places.Timetable(wish, [wanted.station], wanted.start, end)
    return "", list(table.place(wanted.station, wanted.start).reasons)


def _over(step: ScheduledProcedureStep, wanted: Wanted) -> str:
    """Return why a place is over, empty where it is not.

    Earlier today is over for who did not come only: they get a new time, where the others' may be put right.
    """
    zone = wanted.station.site.zone
    if wanted.start.astimezone(zone).date() < timezone.localdate(timezone=zone):
        return _("This day is over. What was done then is entered on the page of the exam.")
    if step.state == StepState.NO_SHOW and end_of(wanted.start, wanted.duration) <= timezone.now():
        return _("This time is over. Choose another.")
    return ""


def _wanted(said: QueryDict) -> Wanted | None:
    """Read a place: station, day, minute of the day, minutes, and how many days the board shows."""
    numbers = [_number(said.get(name, "")) for name in ("station", "minute", "minutes", "days")]
    day = day_named(said.get("day", ""))
    if day is None or None in numbers:
        return None
    key, minute, duration, days = (number or 0 for number in numbers)
    station = Station.objects.active().select_related("site").filter(pk=key).first()
    if station is None or minute > 25 * 60 or not 1 <= duration <= _LONGEST:
        return None
    return Wanted(station, Days(day, max(days, 1), station.site.zone).moment(day, minute), duration)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _find(pk: int) -> ScheduledProcedureStep:
    rows = ScheduledProcedureStep.objects.select_related(
        "requested_procedure__exam", "requested_procedure__order__patient", "requested_procedure__order__visit"
    )
    return get_object_or_404(rows, pk=pk)
