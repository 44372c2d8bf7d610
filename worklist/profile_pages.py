"""What a device would be sent of one step, byte for byte."""

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from ris import audit
from ris.models import ScheduledProcedureStep
from ris.views import frame
from worklist import refusals
from worklist.callers import profile_for
from worklist.errors import QueryError
from worklist.models import StationProfile
from worklist.preview import Sent, sent
from worklist.profiles import Profile
from worklist.spelling import What

WORDS = {
    What.LATIN: _lazy("written in Latin letters"),
    What.OTHER: _lazy("another representation of the name, in Latin letters"),
    What.GROUP: _lazy("a representation of the name is left out"),
    What.CUT: _lazy("shortened"),
    What.MENDED: _lazy("signs that DICOM does not take are replaced"),
    What.EMPTY: _lazy("left empty: it cannot be written, and is never rewritten"),
    What.CAPITALS: _lazy("in capitals: “names in capitals” of the station profile"),
    What.DEFAULT: _lazy("“if empty, is” of the station profile, for nothing is kept"),
    What.FORCED: _lazy("“is always” of the station profile"),
}


def preview(request: HttpRequest) -> HttpResponse:
    """Show what is sent of a step.

    step: its ID, or an accession number. caller: AE title, of the step's station by default. profile: primary key of
    another one than the caller's, used or not.
    """
    frame.require(request, "worklist.view_stationprofile", "ris.view_worklist")
    asked = request.GET.get("step", "").strip()
    step = _step(asked) if asked else None
    title = request.GET.get("caller", "").strip()[:16] or (step.station.ae_title if step and step.station else "")
    chosen = StationProfile.objects.filter(pk=frame.key(request.GET.get("profile") or "0")).first()
    shown, problem = None, "" if step or not asked else _("There is no such step.")
    if step is not None:
        order = step.requested_procedure.order
        audit.patient_viewed(request, order.patient, order=order, step=step, subject=audit.subject_of(chosen or step))
        shown, problem = _sent(step, title, chosen.profile if chosen else None)
    return frame.page(
        request,
        "worklist/sent.html",
        title=_("What a device is sent"),
        asked=asked,
        caller=title,
        profiles=StationProfile.objects.all(),
        chosen=chosen,
        used=chosen or (profile_for(title).name if step else ""),
        step=step,
        shown=shown,
        problem=problem,
        lines=[(line, [WORDS[what] for what in line.changes]) for line in shown.lines] if shown else [],
    )


def _step(asked: str) -> ScheduledProcedureStep | None:
    steps = ScheduledProcedureStep.objects.select_related("station__site", "requested_procedure__order__patient")
    named = Q(sps_id=asked) | Q(requested_procedure__order__accession_number=asked)
    return steps.filter(named).order_by("start", "pk").first()


def _sent(step: ScheduledProcedureStep, title: str, profile: Profile | None) -> tuple[Sent | None, str]:
    """Ask the engine; tells in words why there is nothing."""
    try:
        shown = sent(step, title, profile)
    except QueryError as error:
        return None, _("The device is not sent this exam: %s.") % refusals.in_words(error)
    return shown, "" if shown else _("The device is not sent this exam.")
