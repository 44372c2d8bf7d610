"""What has happened since a query was asked that may let it find a step, or find it no longer."""

from dataclasses import replace

from django.db.models import Q

from ris import audit
from ris.models import Event, EventKind, ScheduledProcedureStep, Station
from ris.views import story
from worklist.callers import profile_for
from worklist.models import QueryLog

SHOWN = 20
PROFILES = "worklist.stationprofile:"
"""How the subject of an event about a station profile begins; see ris.audit.subject_of."""


def since(step: ScheduledProcedureStep, ae_title: str, query: QueryLog) -> list[story.Line]:
    """Return the story of a step's order and its patient's record, and of what the device may see, after a query.

    ae_title: of the device.
    """
    order = step.requested_procedure.order
    events = [
        *story.of_order(order, SHOWN, record=story.OF_THE_RECORD, after=query.last_at),
        *_agreed(step, ae_title, query),
    ]
    lines = story.tell(sorted(events, key=lambda event: event.pk, reverse=True)[:SHOWN])
    return [_with_its_row(line) for line in lines]


def _agreed(step: ScheduledProcedureStep, ae_title: str, query: QueryLog) -> list[Event]:
    """Return the changes of station profiles, and of the stations of the step and of the device."""
    titles = {ae_title, profile_for(ae_title).own(ae_title)}
    stations = Station.objects.filter(Q(ae_title__in=titles) | Q(pk=step.station_id))
    subjects = Q(subject__startswith=PROFILES) | Q(subject__in=[audit.subject_of(one) for one in stations])
    events = Event.objects.filter(subjects, kind=EventKind.CATALOG_CHANGED, at__gt=query.last_at)
    return list(events.order_by("-pk")[:SHOWN])


def _with_its_row(line: story.Line) -> story.Line:
    """Say which row of the catalogue has changed."""
    if line.event.kind != EventKind.CATALOG_CHANGED:
        return line
    return replace(line, what=f"{line.what}: {line.event.data.get('name', line.event.subject)}")
