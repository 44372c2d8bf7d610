"""Place steps on stations: book, move, unbook. The only writer of a step's station, start and bookings.

Who promised a time already, a sender of orders, gets it: where it is taken the step is booked on top and the order is
marked. Who asks, a person or a scheduling system, is refused in words unless they overbook on purpose.
"""

from datetime import datetime

from django.utils.translation import gettext as _

from ris.actions import attention, bookings, exam_rules, freed, gate, placement, rollup
from ris.actions.locking import locked_order
from ris.actions.placement import How, Placement
from ris.actions.verb import verb
from ris.actor import Actor, ActorKind
from ris.errors import ForbiddenMove, InvalidValue
from ris.models import Attention, EventKind, ScheduledProcedureStep, Station
from ris.models.base import Diff
from ris.states import StepState, check_move


def station_named(name: str) -> Station | None:
    """Return the active station with this AE title or, failing that, this name; None when there is none."""
    stations = list(Station.objects.active().filter(ae_title=name)) or list(Station.objects.active().filter(name=name))
    return stations[0] if len(stations) == 1 else None


def version(step: ScheduledProcedureStep) -> str:
    """Return what tells whether a step still stands as somebody has seen it."""
    start = step.start.timestamp() if step.start else ""
    return f"{step.state}-{step.station_id or ''}-{start}-{step.duration}"


@verb
def book(
    *,
    by: Actor,
    step: ScheduledProcedureStep,
    start: datetime | None = None,
    station: Station | None = None,
    duration: int | None = None,
    reason: str = "",
    overbook: bool = False,
    seen: str | None = None,
) -> bool:
    """Give a waiting step its time and station, or move a scheduled one; returns whether it has a place afterwards.

    start: aware; as before when None. station: the first that fits when None (a scheduled step stays on its station
    unless its time changes). duration: minutes. The station, what else the exam needs and the patient are booked
    together or not at all. overbook: also what is taken, closed, reserved or against the rules of the exam; asks for a
    reason, and the caller checks the permission. Where no station does such exams the wish is kept, the step waits, and
    the order is marked. seen: its `version` when somebody decided; a step that was changed since is left alone, unless
    it stands where it is wanted. Raises SlotTaken, NotOpen, AgainstRules, ForbiddenMove, InvalidValue, UnknownStation.
    """
    if overbook and not reason:
        raise InvalidValue(_("Say why it is overbooked."), field="reason")
    how = How.OVERBOOKED if overbook else How.ASKED
    step = locked(step)
    if seen is not None and version(step) != seen:
        wanted = (station or step.station, start or step.start, duration or step.duration)
        if step.state != StepState.SCHEDULED or wanted != (step.station, step.start, step.duration):
            raise ForbiddenMove
        return True
    return place(by=by, step=step, start=start, station=station, duration=duration, reason=reason, how=how)


def place(
    *,
    by: Actor,
    step: ScheduledProcedureStep,
    start: datetime | None,
    station: Station | None,
    duration: int | None,
    how: How,
    reason: str = "",
) -> bool:
    """Do the work of `book` on a step whose order the caller has locked.

    The rules of the catalogue bind people. Another system is not refused for them: the order is marked.
    """
    moving, had_place = step.state == StepState.SCHEDULED, step.station_id is not None
    target = check_move("move" if moving else "book", step.state)
    start, duration = start or step.start, duration or step.duration
    if start is None:
        raise InvalidValue(_("A step cannot be booked without a start."), field="start")
    if station is None and moving and start == step.start and duration == step.duration:
        return True
    free_of_rules = by.kind == ActorKind.HL7
    chosen = placement.find(step, start=start, duration=duration, station=station, how=how, ruled=not free_of_rules)
    values: dict[str, object] = {"start": start, "duration": duration, "station": chosen.station}
    if chosen.station is None:
        # A scheduled step whose new time has no station goes back to waiting rather than staying at a wrong time.
        target = StepState.REQUESTED
    elif not step.modality:
        values["modality"] = chosen.station.modality
    diff = step.change(state=target, **values)
    gate.refresh(step, by=by)
    marks = {chosen.attention} if chosen.attention else set()
    if diff and chosen.station is None:
        bookings.release(step)
    elif diff:
        marks |= take(step, chosen, how=how, moving=had_place, reason=reason)
        if free_of_rules or how == How.PROMISED:
            marks |= exam_rules.marks(step.requested_procedure, start, chosen.station)
    attention.of_place(step, marks)
    if diff:
        kind = EventKind.STEP_MOVED if moving else EventKind.STEP_BOOKED
        follow(kind if chosen.station else EventKind.STEP_CHANGED, by=by, step=step, diff=diff, reason=reason)
    return chosen.station is not None


def take(
    step: ScheduledProcedureStep, chosen: Placement, *, how: How, moving: bool = False, reason: str = ""
) -> set[Attention]:
    """Write the bookings of a step that has been given its place; returns what a person should know.

    moving: it may have others, which go. Raises SlotTaken.
    """
    assert chosen.station is not None
    taken = bookings.take(
        step=step,
        patient=step.requested_procedure.order.patient_id,
        station=chosen.station,
        resources=chosen.resources,
        overbook=how != How.ASKED,
        moving=moving,
        reason=reason if how == How.OVERBOOKED else "",
    )
    if how != How.PROMISED:
        return set()
    marks = {Attention.DOUBLE_BOOKED: taken.resource, Attention.PATIENT_BUSY: taken.patient}
    return {mark for mark, holds in marks.items() if holds}


@verb
def unbook(*, by: Actor, step: ScheduledProcedureStep, reason: str = "") -> None:
    """Take a scheduled step off the schedule; it waits for another time. Raises ForbiddenMove."""
    step = locked(step)
    diff = step.change(state=check_move("unbook", step.state), station=None, start=None)
    bookings.release(step)
    follow(EventKind.STEP_UNBOOKED, by=by, step=step, diff=diff, reason=reason)


def follow(kind: EventKind, *, by: Actor, step: ScheduledProcedureStep, diff: Diff, reason: str = "") -> None:
    """Tell of a change of a step and do what follows from it, when its bookings are as they are now.

    The order takes its new state, marks that mean nothing any more go, a time that was given up is offered.
    diff: what `step.change` returned.
    """
    rollup.tell(kind, by=by, step=step, diff=diff, reason=reason)
    rollup.order_state(step.requested_procedure.order)
    slot = freed.given_up(step, diff)
    attention.after(step, diff, slot, by=by)
    if slot is not None:
        freed.after(slot, by=by)


def locked(step: ScheduledProcedureStep) -> ScheduledProcedureStep:
    """Return a fresh copy of a step with its procedure, order, patient, site, exam and station; its order is locked.

    Every verb locks the order and nothing below it, so that two verbs cannot wait for each other's rows.
    """
    order = locked_order(procedures__steps=step.pk)
    step = ScheduledProcedureStep.objects.select_related("requested_procedure__exam", "station").get(pk=step.pk)
    step.requested_procedure.order = order
    return step
