"""Place steps on stations: book, move, unbook. The only writer of a step's station and start."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from ris.actions import rollup
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import ForbiddenMove, InvalidValue, UnknownStation
from ris.models import Attention, EventKind, Exam, Order, ScheduledProcedureStep, Site, Station
from ris.models.step import end_of
from ris.states import OPEN, StepState, check_move

PLACEMENT_MARKS = (Attention.NO_MODALITY, Attention.NO_STATION, Attention.DOUBLE_BOOKED)


@dataclass(frozen=True)
class Placement:
    """A station for a step, or none, and what a person should know about it."""

    station: Station | None
    attention: Attention | None = None


def choose_station(
    *,
    modality: str,
    site: Site,
    exam: Exam | None,
    start: datetime,
    duration: int,
    moving: ScheduledProcedureStep | None = None,
) -> Placement:
    """Return the station that fits best: allowed for the exam, at this site first, free at this time, lowest rank.

    moving: the step that is being moved; it does not count as taking time, and its own station comes before others.
    Where all are taken the best one is returned with DOUBLE_BOOKED, because the sender has already promised the time.
    """
    if not modality:
        return Placement(None, Attention.NO_MODALITY)
    adapt = connection.ops.adapt_datetimefield_value
    values = {
        "start": adapt(start),
        "end": adapt(end_of(start, duration)),
        "moving": moving.pk if moving else 0,
        "modality": modality,
        "exam": exam.pk if exam else 0,
        "site": site.pk,
        "own": (moving and moving.station_id) or 0,
    }
    choice = next(iter(Station.objects.raw(_CHOICE, values)), None)
    if choice is None:
        return Placement(None, Attention.NO_STATION)
    return Placement(choice, Attention.DOUBLE_BOOKED if choice.taken else None)  # type: ignore[attr-defined]


_CHOICE = f"""
SELECT s.*, EXISTS (
    SELECT 1 FROM ris_scheduledprocedurestep t
    WHERE t.station_id = s.id AND t.state IN ({", ".join(f"'{state}'" for state in sorted(OPEN))})
      AND t.start < %(end)s AND t."end" > %(start)s AND t.id <> %(moving)s
) AS taken
FROM ris_station s
WHERE s.active AND s.modality = %(modality)s AND (
    NOT EXISTS (SELECT 1 FROM ris_exam_stations a WHERE a.exam_id = %(exam)s)
    OR EXISTS (SELECT 1 FROM ris_exam_stations a WHERE a.exam_id = %(exam)s AND a.station_id = s.id)
)
ORDER BY
    CASE WHEN s.site_id = %(site)s THEN 0 ELSE 1 END,
    taken,
    CASE WHEN s.id = %(own)s THEN 0 ELSE 1 END,
    s.rank,
    s.ae_title
LIMIT 1
"""  # noqa: S608 (nothing in it comes from outside)
# Written by hand: to have Django write it for every step costs more than to carry it out.


def on_station(
    station: Station,
    *,
    modality: str,
    start: datetime,
    duration: int,
    moving: ScheduledProcedureStep | None = None,
) -> Placement:
    """Return a placement on the station that somebody named. Raises UnknownStation, ForbiddenMove."""
    if not station.active:
        raise UnknownStation(field="station")
    if modality and station.modality != modality:
        raise ForbiddenMove(f"{station} does {station.modality}, the step needs {modality}.", field="station")
    taken = _taken(start, duration, moving).filter(station=station).exists()
    return Placement(station, Attention.DOUBLE_BOOKED if taken else None)


def _is_double_booked(step: ScheduledProcedureStep) -> bool:
    """Tell whether another step takes this one's station at its time."""
    taken = _taken(step.start, step.duration, step) if step.start else ScheduledProcedureStep.objects.none()
    return taken.filter(station=step.station_id).exists()


def _taken(start: datetime, duration: int, moving: ScheduledProcedureStep | None) -> QuerySet[ScheduledProcedureStep]:
    """Return the open steps, but the one that is being moved, that take time within these minutes from start on."""
    steps = ScheduledProcedureStep.objects.filter(state__in=OPEN)
    steps = steps.overlapping(start, end_of(start, duration))
    return steps.exclude(pk=moving.pk) if moving else steps


def station_named(name: str) -> Station | None:
    """Return the active station with this AE title or, failing that, this name; None when there is none."""
    stations = list(Station.objects.active().filter(ae_title=name)) or list(Station.objects.active().filter(name=name))
    return stations[0] if len(stations) == 1 else None


@verb
def book(
    *,
    by: Actor,
    step: ScheduledProcedureStep,
    start: datetime | None = None,
    station: Station | None = None,
    duration: int | None = None,
    reason: str = "",
) -> bool:
    """Give a waiting step its time and station, or move a scheduled one; returns whether it has a place afterwards.

    start: aware; as before when None. station: chosen by the catalogue's rules when None (a scheduled step stays on
    its station unless its time changes). duration: minutes. Where no station can be found the wish is kept, the step
    waits, and the order is marked for attention. Raises ForbiddenMove, InvalidValue, UnknownStation.
    """
    return place(by=by, step=locked(step), start=start, station=station, duration=duration, reason=reason)


def place(
    *,
    by: Actor,
    step: ScheduledProcedureStep,
    start: datetime | None,
    station: Station | None,
    duration: int | None,
    reason: str = "",
) -> bool:
    """Do the work of `book` on a step whose order the caller has locked."""
    order = step.requested_procedure.order
    moving = step.state == StepState.SCHEDULED
    target = check_move("move" if moving else "book", step.state)
    start, duration = start or step.start, duration or step.duration
    if start is None:
        raise InvalidValue("A step cannot be booked without a start.", field="start")
    if station is None and moving and start == step.start and duration == step.duration:
        return True
    placement = _placement(step, start=start, duration=duration, station=station)
    values: dict[str, object] = {"start": start, "duration": duration, "station": placement.station}
    if placement.station is None:
        # A scheduled step whose new time has no station goes back to waiting rather than staying at a wrong time.
        target = StepState.REQUESTED
    elif not step.modality:
        values["modality"] = placement.station.modality
    diff = step.change(state=target, **values)
    rollup.mark(order, add=[placement.attention] if placement.attention else [], drop=outdated_marks(order, step))
    if diff:
        kind = EventKind.STEP_MOVED if moving else EventKind.STEP_BOOKED
        rollup.tell(kind if placement.station else EventKind.STEP_CHANGED, by=by, step=step, diff=diff, reason=reason)
        rollup.order_state(order)
    return placement.station is not None


def outdated_marks(order: Order, *moved: ScheduledProcedureStep) -> set[Attention]:
    """Return the order's marks about places that none of its other steps deserves any more."""
    marks = set(order.attentions) & set(PLACEMENT_MARKS)
    if not marks:
        return marks
    others = ScheduledProcedureStep.objects.filter(requested_procedure__order=order, start__isnull=False)
    for other in others.exclude(pk__in=[step.pk for step in moved]):
        if other.state == StepState.REQUESTED:
            marks.discard(Attention.NO_STATION if other.modality else Attention.NO_MODALITY)
        elif other.state == StepState.SCHEDULED and _is_double_booked(other):
            marks.discard(Attention.DOUBLE_BOOKED)
    return marks


def _placement(step: ScheduledProcedureStep, *, start: datetime, duration: int, station: Station | None) -> Placement:
    """Return where a step goes: to the station that was named, else where the catalogue's rules put it."""
    if station is not None:
        return on_station(station, modality=step.modality, start=start, duration=duration, moving=step)
    procedure = step.requested_procedure
    return choose_station(
        modality=step.modality,
        site=procedure.order.site,
        exam=procedure.exam,
        start=start,
        duration=duration,
        moving=step,
    )


@verb
def unbook(*, by: Actor, step: ScheduledProcedureStep, reason: str = "") -> None:
    """Take a scheduled step off the schedule; it waits for another time. Raises ForbiddenMove."""
    step = locked(step)
    diff = step.change(state=check_move("unbook", step.state), station=None, start=None)
    rollup.tell(EventKind.STEP_UNBOOKED, by=by, step=step, diff=diff, reason=reason)
    rollup.order_state(step.requested_procedure.order)


def locked(step: ScheduledProcedureStep) -> ScheduledProcedureStep:
    """Return a fresh copy of a step with its procedure, order, patient, site, exam and station; its order is locked.

    Every verb locks the order and nothing below it, so that two verbs cannot wait for each other's rows.
    """
    order = (
        Order.objects.select_for_update(of=("self",), no_key=True)
        .select_related("patient", "site")
        .get(procedures__steps=step.pk)
    )
    step = ScheduledProcedureStep.objects.select_related("requested_procedure__exam", "station").get(pk=step.pk)
    step.requested_procedure.order = order
    return step
