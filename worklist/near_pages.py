"""What a query has just missed: the steps that one key alone keeps off, and what each key does by itself."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _

from ris import audit
from ris.models import ScheduledProcedureStep
from ris.views import frame
from worklist import refusals
from worklist.callers import profile_for
from worklist.describe import from_json, is_whole
from worklist.errors import QueryError
from worklist.models import QueryLog
from worklist.query_words import asked_in_words
from worklist.why import OF_EACH, Miss, Shares, near_misses, shares
from worklist.why_pages import EXPLAIN, caller_of, steps_named
from worklist.why_words import Told, advice, told, wanted_in_words

NEAR = timedelta(days=7)
"""How far from the query an exam may be to count as a near miss."""


@dataclass(frozen=True)
class NearMiss:
    """A step, and the one line that it fails."""

    step: ScheduledProcedureStep
    told: Told
    advice: str


def near(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the steps that one key alone has kept off the answer to a query, and how many exams meet each key.

    `exam`: a step ID or an accession number, which leads to the explanation of that one.
    """
    frame.require(request, "worklist.view_querylog", "ris.view_order", EXPLAIN)
    query = get_object_or_404(QueryLog, pk=pk)
    wanted = request.GET.get("exam", "").strip()
    named = steps_named(wanted) if wanted else []
    if len(named) == 1:
        return HttpResponseRedirect(f"{reverse('admin:worklist_why', args=[named[0].pk])}?query={query.pk}")
    problem, misses, found = _asked_again(query)
    rows = _rows(query, misses)
    patients = [row.step.requested_procedure.order.patient_id for row in rows]
    audit.patients_listed(request, patients, subject=audit.subject_of(query))
    profile, title = profile_for(query.calling_ae_title), query.calling_ae_title
    return frame.page(
        request,
        "worklist/near.html",
        title=_("What this query has just missed"),
        query=query,
        words=asked_in_words(query),
        wanted=wanted,
        named=named,
        rows=rows,
        problem=problem,
        keys=[(*wanted_in_words(part, profile, title), number) for part, number in found.keys],
        of=found.steps,
        days=NEAR.days,
        most=OF_EACH,
        is_whole=is_whole(query.keys),
    )


def _asked_again(query: QueryLog) -> tuple[str, list[Miss], Shares]:
    """Return what is wrong with a query, its near misses, and what each of its keys finds."""
    if not query.keys:
        return _("What was asked could not be read: %s.") % query.comment, [], Shares()
    around = Q(start__range=(query.last_at - NEAR, query.last_at + NEAR)) | Q(start__isnull=True)
    identifier, caller = from_json(query.keys), caller_of(query)
    try:
        return (
            "",
            near_misses(identifier, caller, around, query.last_at),
            shares(identifier, caller, around, query.last_at),
        )
    except QueryError as reason:
        return _("This query cannot be answered: %s.") % refusals.in_words(reason), [], Shares()


def _rows(query: QueryLog, misses: list[Miss]) -> list[NearMiss]:
    """Return the near misses as they are shown."""
    profile = profile_for(query.calling_ae_title)
    steps = ScheduledProcedureStep.objects.select_related("station__site", "requested_procedure__order__patient")
    found = steps.in_bulk([miss.step_id for miss in misses])
    return [
        NearMiss(step, told(miss.line, step, profile, query.calling_ae_title), advice(miss.line, profile))
        for miss in misses
        if (step := found.get(miss.step_id))
    ]
