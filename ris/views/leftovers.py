"""The board of left-over exams: close many at once, and see how far that is."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from ris import audit
from ris.actions import leftovers
from ris.actor import Actor
from ris.errors import DomainError
from ris.models import BulkClosing
from ris.tasks import wake
from ris.views import frame
from ris.views.moves import PERFORM

SHOWN = 200


def board(request: HttpRequest) -> HttpResponse:
    """Show the left-over exams; `bulk` in the address shows how far a closing is; POST begins one."""
    frame.require(request, "ris.view_scheduledprocedurestep", PERFORM)
    if request.method == "POST":
        return _begin(request)
    bulk = _progress(request)  # before the rows: a page that says "finished" must not show what was closed meanwhile
    rows = leftovers.left_over().select_related(
        "station__site", "requested_procedure__exam", "requested_procedure__order__patient"
    )
    steps = list(rows.prefetch_related("requested_procedure__order__patient__identifiers")[: SHOWN + 1])
    shown = steps[:SHOWN]
    audit.patients_listed(
        request, [step.requested_procedure.order.patient_id for step in shown], subject="ris.left_over"
    )
    context: dict[str, Any] = {"steps": shown, "more": len(steps) > SHOWN, "bulk": bulk}
    return frame.page(request, "desk/left_over.html", title=_("Left-over exams"), **context)


def _progress(request: HttpRequest) -> BulkClosing | None:
    """Return the closing that the address names."""
    pk = request.GET.get("bulk")
    return get_object_or_404(BulkClosing, pk=frame.key(pk)) if pk else None


def _begin(request: HttpRequest) -> HttpResponse:
    """Note what was ticked, and have the worker begin."""
    kind, reason = request.POST.get("kind", ""), frame.reason_in(request)
    here = reverse("admin:ris_left_over")
    if kind not in BulkClosing.Kind.values or not reason:
        messages.error(request, _("Please say why."))
        return redirect(here)
    ticked = [frame.key(pk) for pk in request.POST.getlist("step")]

    def begin(*, by: Actor) -> BulkClosing:
        bulk = leftovers.begin(by=by, kind=kind, steps=ticked, reason=reason)
        wake()
        return bulk

    try:
        bulk = frame.do(begin, request)
    except DomainError as error:
        messages.error(request, frame.words(error))
        return redirect(here)
    return redirect(f"{here}?bulk={bulk.pk}")
