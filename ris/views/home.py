"""The first page: what each panel of the floor shows."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from ris.actions import daysheet
from ris.models import (
    Event,
    EventKind,
    Order,
    Patient,
    RequestedProcedure,
    ScheduledProcedureStep,
    Station,
    User,
)
from ris.states import OPEN
from ris.views import frame, safety
from ris.views.moves import next_move

SHOWN = 12
SHOWN_TODAY = 60
STATION_COOKIE = "station"


def find(request: HttpRequest) -> dict[str, Any]:
    """Offer to find a patient, or to register one."""
    return {}


def today(request: HttpRequest, station: Station | None = None) -> dict[str, Any]:
    """Show who is still to be examined today, by time, with the next move of each; of one station or of all."""
    expected = _expected_today()
    if station is not None:
        expected = expected.filter(station=station)
    steps = list(
        expected.select_related("requested_procedure__order__patient")
        .prefetch_related("requested_procedure__order__patient__identifiers")
        .order_by("start", "pk")[: SHOWN_TODAY + 1]
    )
    rows = [{"step": step, "buttons": next_move(request.user, step)} for step in steps[:SHOWN_TODAY]]
    return {"rows": rows, "more": len(steps) > SHOWN_TODAY, "patient_ids": _patients(steps[:SHOWN_TODAY])}


def today_of(request: HttpRequest, patient: Patient) -> list[dict[str, Any]]:
    """Return what a patient is expected for today, with the next move of each: for who stands at the counter."""
    steps = _expected_today().filter(requested_procedure__order__patient=patient)
    steps = steps.select_related("requested_procedure__order").order_by("start", "pk")
    return [{"step": step, "buttons": next_move(request.user, step)} for step in steps[:SHOWN]]


def _expected_today() -> QuerySet[ScheduledProcedureStep]:
    """Return the steps of today that are not over."""
    begin = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    steps = ScheduledProcedureStep.objects.filter(
        start__gte=begin, start__lt=begin + timedelta(days=1), station__isnull=False, state__in=OPEN
    )
    return steps.select_related("station__site")


def my_station(request: HttpRequest) -> dict[str, Any]:
    """Show who is still to be examined today at the station beside this computer, or at any while none is chosen."""
    stations = list(Station.objects.active().order_by("name", "ae_title"))
    wanted = request.COOKIES.get(STATION_COOKIE, "")
    chosen = next((row for row in stations if row.ae_title == wanted), None)
    return today(request, chosen) | {"stations": stations, "chosen": chosen}


@require_POST
def choose_station(request: HttpRequest) -> HttpResponse:
    """Remember in this browser which station stands beside it; what is no station forgets it."""
    response = frame.leads_to("index")
    wanted = Station.objects.active().filter(ae_title=request.POST.get("station", "").replace("\x00", "")).first()
    if wanted is None:
        response.delete_cookie(STATION_COOKIE)
    else:
        response.set_cookie(
            STATION_COOKIE,
            wanted.ae_title,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response


def held_back(request: HttpRequest) -> dict[str, Any]:
    """Show the exams that safety questions hold back, the next one first."""
    steps = list(safety.held_back()[: SHOWN + 1])
    return {"steps": steps[:SHOWN], "more": len(steps) > SHOWN, "patient_ids": _patients(steps[:SHOWN])}


def accounts(request: HttpRequest) -> dict[str, Any]:
    """Show who cannot work yet for want of a role, and how often signing in failed since yesterday."""
    idle = User.objects.filter(is_active=True, is_superuser=False, groups=None).order_by("username")
    recent = Event.objects.filter(at__gte=timezone.now() - timedelta(days=1))
    kinds = recent.filter(kind__in=(EventKind.SIGN_IN_FAILED, EventKind.LOCKED_OUT)).order_by()
    return {"idle": list(idle[:SHOWN]), "failed": kinds.values_list("kind").annotate(Count("pk"))}


def to_schedule(request: HttpRequest) -> dict[str, Any]:
    """Show what waits for a time, the urgent first."""
    steps = list(daysheet.to_schedule()[: SHOWN + 1])
    return {"steps": steps[:SHOWN], "more": len(steps) > SHOWN, "patient_ids": _patients(steps[:SHOWN])}


def attention(request: HttpRequest) -> dict[str, Any]:
    """Show the orders that a person has to look at, the newest first."""
    procedures = RequestedProcedure.objects.select_related("exam")
    orders = list(
        Order.objects.in_need_of_attention()
        .select_related("patient")
        .prefetch_related(Prefetch("procedures", procedures))
        .order_by("-pk")[: SHOWN + 1]
    )
    shown = orders[:SHOWN]
    return {"orders": shown, "more": len(orders) > SHOWN, "patient_ids": [order.patient_id for order in shown]}


def _patients(steps: list[ScheduledProcedureStep]) -> list[int]:
    return [step.requested_procedure.order.patient_id for step in steps]
