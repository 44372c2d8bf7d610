"""“Why is it not on my scanner?”: the page of a step."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _

from ris import audit
from ris.models import ScheduledProcedureStep, Station
from ris.views import frame
from worklist.callers import profile_for
from worklist.charsets import UTF_8
from worklist.describe import from_json, is_whole, said
from worklist.models import QueryLog, Road
from worklist.preview import usual_query
from worklist.query import Caller
from worklist.query_words import answers_in_words, asked_in_words, ways_in_words
from worklist.ways import page_of, ways_of
from worklist.why import Explanation, explain
from worklist.why_contact import contact
from worklist.why_since import since
from worklist.why_words import advice, told, verdict

EXPLAIN = "worklist.explain_querylog"
RECENT = timedelta(days=7)
OFFERED = 5
"""The last queries of a device by each road that are offered."""


def why(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell key by key why a query of a device did or did not find a step.

    `station`: the AE title of the device, of the step's own station by default. `query`: another query than the one
    that QueryLogQuerySet.last_of names.
    """
    frame.require(request, "ris.view_order", EXPLAIN)
    steps = ScheduledProcedureStep.objects.select_related("station__site", "requested_procedure__order__patient")
    step = get_object_or_404(steps, pk=pk)
    order = step.requested_procedure.order
    query = _query(request)
    title = query.calling_ae_title if query else request.GET.get("station", device_of(step))[:16]
    query = query or QueryLog.objects.last_of(title)
    latest = QueryLog.objects.newest(title, Road(query.road)).first() if query else None
    explanation = explain_to(step, title, query)
    audit.patient_viewed(request, order.patient, order=order, step=step, subject=audit.subject_of(query or step))
    return frame.page(
        request,
        "worklist/why.html",
        title=_("Why is it not on my scanner?"),
        step=step,
        order=order,
        patient=order.patient,
        callers=_callers(title),
        ae_title=title,
        queries=[(one, asked_in_words(one, names_people=False), answers_in_words(one)) for one in recent(title)],
        query=query,
        is_latest=query == latest,
        asked=_asked(query, explanation) if query else {},
        answers=answers_in_words(query) if query else "",
        verdict=verdict(step, query, explanation),
        is_answered=not (explanation.refused or explanation.unread),
        lines=[
            (told(line, step, explanation.profile, title), advice(line, explanation.profile))
            for line in explanation.lines
        ],
        profile=explanation.profile.name,
        others=explanation.matches - explanation.found,
        contact=contact(title, latest, timezone.now()),
        is_whole=query is None or is_whole(query.keys),
        ways=ways_in_words(query.ways) if query else [],
        since=since(step, title, query) if query else [],
        kept_days=settings.BUCKY_QUERY_LOG_DAYS,
    )


def explain_to(step: ScheduledProcedureStep, ae_title: str, query: QueryLog | None) -> Explanation:
    """Hold a step against a query, or against the usual one of a device that has not asked yet."""
    if query is not None and not query.keys:
        return Explanation(unread=True, profile=profile_for(ae_title))
    if query is not None:
        return explain(step, from_json(query.keys), caller_of(query), page_of(query.ways))
    zone = step.station.site.zone if step.station else timezone.get_current_timezone()
    day = timezone.localdate(step.start, zone) if step.start else timezone.localdate()
    return explain(step, usual_query(ae_title, day), Caller(ae_title))


def caller_of(query: QueryLog) -> Caller:
    """Return who has asked, with what was agreed then."""
    letters = UTF_8 if query.road == Road.WEB else ""
    return Caller(query.calling_ae_title, query.called_ae_title, query.address, letters, ways_of(query.ways))


def recent(ae_title: str) -> list[QueryLog]:
    """Return the queries of a device that one may choose from, the last first: some of each road."""
    found = [one for road in Road for one in QueryLog.objects.newest(ae_title, road)[:OFFERED]]
    return sorted(found, key=lambda one: (one.last_at, one.pk), reverse=True)


def device_of(step: ScheduledProcedureStep) -> str:
    """Return the AE title under which a step's own station asks: its own, else the one that its profile says it has."""
    own = step.station.ae_title if step.station else ""
    if not own or QueryLog.objects.last_of(own):
        return own
    return next((title for title in _callers_of_late() if title and profile_for(title).own(title) == own), own)


def _asked(query: QueryLog, explanation: Explanation) -> dict[str, str]:
    """Return what a query asked for, where no table tells it."""
    if explanation.lines:
        return {}
    return dict(said(query.keys)) if query.keys else {name: ", ".join(values) for name, values in query.unread.items()}


def _query(request: HttpRequest) -> QueryLog | None:
    pk = request.GET.get("query", "")
    return get_object_or_404(QueryLog, pk=frame.key(pk)) if pk else None


def _callers(chosen: str) -> list[tuple[str, str]]:
    """Return AE title and name of the stations, then of the other devices that have asked of late."""
    found = {station.ae_title: f"{station} · {station.site}" for station in Station.objects.select_related("site")}
    for title in _callers_of_late():
        found.setdefault(title, title)
    if chosen:
        found.setdefault(chosen, chosen)
    return list(found.items())


def _callers_of_late() -> list[str]:
    """Return the AE titles that have asked in the last days."""
    return QueryLog.objects.callers_since(timezone.now() - RECENT)


def steps_named(text: str) -> list[ScheduledProcedureStep]:
    """Return the step of this ID, else those of the order with this accession number."""
    steps = ScheduledProcedureStep.objects.select_related("station__site", "requested_procedure__order__patient")
    found = list(steps.filter(sps_id=text))
    return found or list(steps.filter(requested_procedure__order__accession_number=text).order_by("pk")[:20])
