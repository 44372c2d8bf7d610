"""“Why is it not on my scanner?”: the page of a step, and the steps that a query has missed by one key."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _

from ris import audit
from ris.models import Event, ScheduledProcedureStep, Station
from ris.views import frame, story
from worklist import refusals
from worklist.callers import profile_for
from worklist.describe import from_json, is_whole
from worklist.errors import QueryError
from worklist.models import QueryLog
from worklist.preview import usual_query
from worklist.query import Caller
from worklist.ways import page_of, ways_of
from worklist.why import LOOKED_AT, Explanation, Line, explain, near_misses
from worklist.why_contact import contact
from worklist.why_words import ADVICE, Told, told, verdict, ways_in_words

EXPLAIN = "worklist.explain_querylog"
RECENT = timedelta(days=7)
OFFERED = 5
"""The last queries of a scanner that are offered."""
NEAR = timedelta(days=7)
"""How far from the query an exam may be to count as a near miss."""


@dataclass(frozen=True)
class NearMiss:
    """A step, and the one line that it fails."""

    step: ScheduledProcedureStep
    told: Told
    advice: str


def why(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell key by key why the last query of a device did or did not find a step.

    `station`: the AE title of the device, of the step's own station by default. `query`: another query than its last.
    """
    frame.require(request, "ris.view_order", EXPLAIN)
    steps = ScheduledProcedureStep.objects.select_related("station__site", "requested_procedure__order__patient")
    step = get_object_or_404(steps, pk=pk)
    order = step.requested_procedure.order
    query = _query(request)
    own = step.station.ae_title if step.station else ""
    title = query.calling_ae_title if query else request.GET.get("station", own)[:16]
    queries = list(QueryLog.objects.filter(calling_ae_title=title).order_by("-last_at", "-pk")[:OFFERED])
    query = query or (queries[0] if queries else None)
    explanation = explain_to(step, title, query)
    audit.patient_viewed(request, order.patient, order=order, step=step, subject=audit.subject_of(query or step))
    since = order.events.filter(at__gt=query.last_at) if query else Event.objects.none()
    return frame.page(
        request,
        "worklist/why.html",
        title=_("Why is it not on my scanner?"),
        step=step,
        order=order,
        patient=order.patient,
        callers=_callers(title),
        ae_title=title,
        queries=queries,
        query=query,
        verdict=verdict(step, query, explanation),
        refused=explanation.refused,
        lines=[(told(line, step, explanation.profile, title), _advice(line)) for line in explanation.lines],
        profile=explanation.profile.name,
        others=explanation.matches - explanation.found,
        contact=contact(title, query, timezone.now()),
        is_whole=query is None or is_whole(query.keys),
        ways=ways_in_words(query.ways) if query else [],
        since=story.tell(since.exclude(kind__in=story.READS).select_related("patient", "order").order_by("-pk")[:20]),
        kept_days=settings.BUCKY_QUERY_LOG_DAYS,
    )


def explain_to(step: ScheduledProcedureStep, ae_title: str, query: QueryLog | None) -> Explanation:
    """Hold a step against a query, or against the usual one of a device that has not asked yet."""
    if query is not None:
        return explain(step, from_json(query.keys), _caller(query), page_of(query.ways))
    zone = step.station.site.zone if step.station else timezone.get_current_timezone()
    day = timezone.localdate(step.start, zone) if step.start else timezone.localdate()
    return explain(step, usual_query(ae_title, day), Caller(ae_title))


def _caller(query: QueryLog) -> Caller:
    """Return who has asked, with what was agreed then."""
    return Caller(query.calling_ae_title, query.called_ae_title, query.address, ways=ways_of(query.ways))


def _advice(line: Line) -> str:
    return "" if line.holds else str(ADVICE.get(line.part.name, ADVICE[""]))


def _query(request: HttpRequest) -> QueryLog | None:
    pk = request.GET.get("query", "")
    return get_object_or_404(QueryLog, pk=frame.key(pk)) if pk else None


def _callers(chosen: str) -> list[tuple[str, str]]:
    """Return AE title and name of the stations, then of the other devices that have asked of late."""
    found = {station.ae_title: f"{station} · {station.site}" for station in Station.objects.select_related("site")}
    asked = QueryLog.objects.filter(last_at__gt=timezone.now() - RECENT).order_by("calling_ae_title")
    for title in asked.values_list("calling_ae_title", flat=True).distinct()[:100]:
        found.setdefault(title, title)
    if chosen:
        found.setdefault(chosen, chosen)
    return list(found.items())


def near(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the steps that one key alone has kept off the answer to a query."""
    frame.require(request, "worklist.view_querylog", "ris.view_order", EXPLAIN)
    query = get_object_or_404(QueryLog, pk=pk)
    around = Q(start__range=(query.last_at - NEAR, query.last_at + NEAR)) | Q(start__isnull=True)
    problem, rows = "", []
    profile = profile_for(query.calling_ae_title)
    try:
        misses = near_misses(from_json(query.keys), _caller(query), around)
    except QueryError as reason:
        problem, misses = _("This query cannot be answered: %s.") % refusals.in_words(reason), []
    steps = ScheduledProcedureStep.objects.select_related("station__site", "requested_procedure__order__patient")
    found = steps.in_bulk([miss.step_id for miss in misses])
    for miss in misses:
        step = found[miss.step_id]
        rows.append(NearMiss(step, told(miss.line, step, profile, query.calling_ae_title), _advice(miss.line)))
    patients = [row.step.requested_procedure.order.patient_id for row in rows]
    audit.patients_listed(request, patients, subject=audit.subject_of(query))
    return frame.page(
        request,
        "worklist/near.html",
        title=_("What this query has just missed"),
        query=query,
        rows=rows,
        problem=problem,
        days=NEAR.days,
        looked_at=LOOKED_AT,
        is_whole=is_whole(query.keys),
    )
