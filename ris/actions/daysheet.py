"""The day of some stations for a board: who has an appointment, when they are open, what keeps patients out."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from zlib import crc32

from django.db.models import Case, Max, QuerySet, Value, When

from ris.actions import schedule
from ris.actions.calendars import Calendars, Claim, Shut
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import ForbiddenMove
from ris.intervals import Intervals
from ris.models import (
    Booking,
    Event,
    EventKind,
    Priority,
    Resource,
    ResourceKind,
    ScheduledProcedureStep,
    Station,
)
from ris.states import StepState


class Scanner(NamedTuple):
    """A station, and the resource that is booked with it."""

    station: Station
    resource: Resource

    @property
    def in_use(self) -> bool:
        """Whether it can be booked at all."""
        return self.station.active and self.resource.active


@dataclass(frozen=True)
class Column:
    """A station for some time. opening: when it is open; shut: closures and blocks, also those reserved for some.

    steps: what has a place there then and is not cancelled, the earliest first, with procedure, exam, order and patient
    at hand. overbooked: the keys of those that take time which something else has.
    """

    scanner: Scanner
    opening: Intervals
    shut: tuple[Shut, ...]
    steps: tuple[ScheduledProcedureStep, ...]
    overbooked: frozenset[int]


def scanners() -> list[Scanner]:
    """Return all stations, also those out of use, with their sites, as they stand side by side; one statement."""
    rows = Resource.objects.filter(kind=ResourceKind.SCANNER).select_related("site", "station__site")
    rows = rows.order_by("station__site", "station__modality", "station__rank", "station__ae_title")
    return [Scanner(row.station, row) for row in rows if row.station is not None]


def columns(scanners: Sequence[Scanner], since: datetime, until: datetime) -> list[Column]:
    """Return the columns of stations between two moments; five statements, however many there are."""
    resources = [row.resource for row in scanners]
    calendars = Calendars(resources, since, until)
    rows = ScheduledProcedureStep.objects.filter(station__in=[row.station for row in scanners])
    rows = rows.exclude(state=StepState.CANCELED).overlapping(since, until)
    steps: defaultdict[int | None, list[ScheduledProcedureStep]] = defaultdict(list)
    for step in rows.select_related("requested_procedure__exam", _PATIENT).order_by("start", "pk"):
        steps[step.station_id].append(step)
    marked = Booking.objects.active().overlapping(since, until).filter(overbooked=True, resource__in=resources)
    overbooked = frozenset(marked.values_list("step", flat=True))
    return [
        Column(
            row,
            calendars.opening(row.resource),
            tuple(calendars.shut(row.resource, Claim())),
            tuple(steps[row.station.pk]),
            overbooked & {step.pk for step in steps[row.station.pk]},
        )
        for row in scanners
    ]


_PATIENT = "requested_procedure__order__patient"


def arrivals(steps: Collection[ScheduledProcedureStep]) -> dict[int, datetime]:
    """Return since when the patients of these steps, by key, have been waiting; who has begun waits no more."""
    waiting = [step.pk for step in steps if step.state in (StepState.ARRIVED, StepState.READY)]
    if not waiting:
        return {}
    told = Event.objects.filter(step__in=waiting, kind__in=(EventKind.STEP_ARRIVED, EventKind.STEP_READY))
    return dict(told.order_by().values_list("step").annotate(Max("at")))


def to_schedule() -> QuerySet[ScheduledProcedureStep]:
    """Return what waits for a time, the urgent first, with its patient."""
    urgency = Case(
        When(requested_procedure__priority=Priority.STAT, then=Value(0)),
        When(requested_procedure__priority=Priority.HIGH, then=Value(1)),
        default=Value(2),
    )
    rows = ScheduledProcedureStep.objects.filter(state=StepState.REQUESTED)
    return rows.select_related(_PATIENT).order_by(urgency, "pk")


_READS = (
    *(EventKind.PATIENT_VIEWED, EventKind.PATIENTS_LISTED, EventKind.RECORD_VIEWED, EventKind.DOCUMENT_PRINTED),
    *(EventKind.SIGNED_IN, EventKind.SIGNED_OUT, EventKind.SIGN_IN_FAILED, EventKind.LOCKED_OUT),
)
_LATEST = 50


def pulse() -> str:
    """Return a short text that is another one as soon as anything that a board shows may have changed.

    The last events tell, several of them: one with a lower key may be committed after one with a higher.
    """
    latest = Event.objects.exclude(kind__in=_READS).order_by("-pk").values_list("pk", flat=True)[:_LATEST]
    return f"{crc32(repr(list(latest)).encode()):x}"


version = schedule.version
"""What tells whether a step still stands as somebody has seen it."""


@verb
def put(
    *,
    by: Actor,
    step: ScheduledProcedureStep,
    seen: str,
    station: Station,
    start: datetime,
    duration: int,
    reason: str = "",
    overbook: bool = False,
) -> None:
    """Book or move a step to where it was put on a board, as `ris.actions.schedule.book` does.

    seen: its `version` when it was picked up. Where it stands there already all is well. Raises ForbiddenMove where
    somebody has changed it meanwhile, and what `book` raises.
    """
    now = schedule.locked(step)
    if now.state == StepState.SCHEDULED and (now.station, now.start, now.duration) == (station, start, duration):
        return
    if version(now) != seen:
        raise ForbiddenMove
    schedule.book(by=by, step=step, station=station, start=start, duration=duration, reason=reason, overbook=overbook)
