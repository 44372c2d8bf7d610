"""The board of left-over exams: close many at once, see how far that is, and open them again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from ris import audit
from ris.actions import leftovers
from ris.actor import Actor
from ris.errors import DomainError
from ris.models import BulkClosing, ScheduledProcedureStep, Site, Station
from ris.tasks import wake
from ris.views import frame
from ris.views.moves import PERFORM

SHOWN = 200
_KINDS = (BulkClosing.Kind.COMPLETE, BulkClosing.Kind.MISS)


@dataclass(frozen=True)
class _Asked:
    """What the address narrows the board to; primary keys."""

    site: int | None
    station: int | None

    @classmethod
    def of(cls, request: HttpRequest) -> "_Asked":
        site, station = (request.GET.get(name) for name in ("site", "station"))
        return cls(frame.key(site) if site else None, frame.key(station) if station else None)

    def narrow(self, steps: QuerySet[ScheduledProcedureStep]) -> QuerySet[ScheduledProcedureStep]:
        wanted = {"station__site": self.site, "station": self.station}
        return steps.filter(**{lookup: key for lookup, key in wanted.items() if key is not None})


def board(request: HttpRequest) -> HttpResponse:
    """Show the left-over exams, narrowed by `site` and `station` in the address; POST closes what is ticked.

    `bulk` in the address shows how far a closing is; its POST with `undo` opens again what it closed.
    """
    frame.require(request, "ris.view_scheduledprocedurestep", PERFORM)
    if request.method == "POST":
        return _begin(request)
    return _show(request)


def _show(request: HttpRequest, error: str = "") -> HttpResponse:
    """Answer with the board; error: why nothing was done, with what was ticked and typed still there."""
    bulk = _named(request.GET.get("bulk"))  # before the rows: "finished" must not stand above what was closed meanwhile
    asked = _Asked.of(request)
    everything = leftovers.left_over()
    rows = asked.narrow(everything).select_related(
        "station__site", "requested_procedure__exam", "requested_procedure__order__patient"
    )
    steps = list(rows.prefetch_related("requested_procedure__order__patient__identifiers")[: SHOWN + 1])
    shown = steps[:SHOWN]
    audit.patients_listed(
        request, [step.requested_procedure.order.patient_id for step in shown], subject="ris.left_over"
    )
    there = everything.order_by()
    # What was asked for stays to be chosen when its last exam is closed: else the list would be narrowed unseen.
    stations = Station.objects.filter(Q(pk__in=there.values("station")) | Q(pk=asked.station)).select_related("site")
    sites = Site.objects.filter(Q(pk__in=there.values("station__site")) | Q(pk=asked.site))
    context: dict[str, Any] = {
        "steps": shown,
        "more": len(steps) > SHOWN,
        "bulk": bulk,
        "asked": asked,
        "error": error,
        "stations": stations.order_by("site__name", "name"),
        "sites": sites.order_by("name"),
        "undoable": bulk is not None and bulk.finished_at is not None and leftovers.closed_by(bulk).count(),
        "ticked": request.POST.getlist("step"),
        "reason": frame.reason_in(request),
    }
    return frame.page(request, "desk/left_over.html", title=_("Left-over exams"), **context)


def _named(pk: str | None) -> BulkClosing | None:
    return get_object_or_404(BulkClosing, pk=frame.key(pk)) if pk else None


def _begin(request: HttpRequest) -> HttpResponse:
    """Note what was ticked, or whose closing is to be undone, and have the worker begin."""
    kind, reason, undone = request.POST.get("kind", ""), frame.reason_in(request), _named(request.POST.get("undo"))
    ticked = [frame.key(pk) for pk in request.POST.getlist("step")]
    if not reason or (undone is None and kind not in _KINDS):
        return _show(request, _("Please say why."))
    if undone is not None:
        return _noted(request, lambda by: leftovers.take_back(by=by, bulk=undone, reason=reason))
    return _noted(request, lambda by: leftovers.begin(by=by, kind=kind, steps=ticked, reason=reason))


def _noted(request: HttpRequest, verb: Callable[[Actor], BulkClosing]) -> HttpResponse:
    def begin(*, by: Actor) -> BulkClosing:
        bulk = verb(by)
        wake()
        return bulk

    try:
        bulk = frame.do(begin, request)
    except DomainError as error:
        return _show(request, frame.words(error))
    kept = {name: value for name, value in request.GET.items() if name in ("site", "station")}
    return redirect(f"{reverse('admin:ris_left_over')}?{urlencode({'bulk': bulk.pk, **kept})}")
