"""Appointments of several steps at once: one visit, a series, two that change places. All of it or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from ris.actions import bookings, freed, places, schedule
from ris.actions.placement import How
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import ForbiddenMove, InvalidValue
from ris.models import Order, ScheduledProcedureStep, Station
from ris.states import StepState, check_move


@dataclass(frozen=True)
class Appointment:
    """A step with the place that it shall have. duration: minutes; None keeps what the step has."""

    step: ScheduledProcedureStep
    station: Station
    start: datetime
    duration: int | None = None


@verb
def book_together(
    *, by: Actor, appointments: Sequence[Appointment], reason: str = "", overbook: bool = False
) -> list[ScheduledProcedureStep]:
    """Give several steps their places, as the linked exams of one visit; returns them as they are then.

    A step that is scheduled already is moved. Raises what `schedule.book` raises, for the first that does not fit.
    """
    _check_reason(overbook, reason)
    steps = _locked([appointment.step for appointment in appointments])
    wanted = [
        Appointment(step, wish.station, wish.start, wish.duration)
        for step, wish in zip(steps, appointments, strict=True)
    ]
    _place(wanted, by=by, reason=reason, overbook=overbook)
    return steps


Seen = tuple[tuple[int | None, datetime | None], tuple[int | None, datetime | None]]
"""Station and start of two steps."""


def place_of(step: ScheduledProcedureStep) -> tuple[int | None, datetime | None]:
    """Return the key of a step's station, and its start."""
    return step.station_id, step.start


@verb
def swap(
    *,
    by: Actor,
    one: ScheduledProcedureStep,
    other: ScheduledProcedureStep,
    reason: str = "",
    overbook: bool = False,
    seen: Seen | None = None,
) -> None:
    """Let two scheduled steps change their stations and starts. Raises what `schedule.book` raises.

    seen: where both were when somebody decided. Where they have changed places since, nothing happens, so that a
    double click does not swap them back; anything else is ForbiddenMove.
    """
    _check_reason(overbook, reason)
    if one.pk == other.pk:
        raise ForbiddenMove(_("A step cannot change places with itself."))
    one, other = _locked([one, other])
    for step in (one, other):
        check_move("move", step.state)
    now = (place_of(one), place_of(other))
    if seen is not None and now != seen:
        if now == seen[::-1]:
            return
        raise ForbiddenMove
    wanted = []
    for step, to in ((one, other), (other, one)):
        assert to.station is not None
        assert to.start is not None
        wanted.append(Appointment(step, to.station, to.start))
    _place(wanted, by=by, reason=reason, overbook=overbook)


def _check_reason(overbook: bool, reason: str) -> None:
    if overbook and not reason:
        raise InvalidValue(_("Say why it is overbooked."), field="reason")


def _place(wanted: Sequence[Appointment], *, by: Actor, reason: str, overbook: bool) -> None:
    """Give locked steps their places, the earliest first; those that have theirs already are left alone."""
    moving = [wish for wish in wanted if not _is_there(wish)]
    # All resources that may be needed, old places and new, are locked before the first of them is taken.
    pairs = [(wish.step, station) for wish in moving for station in (wish.step.station, wish.station)]
    places.lock([(places.wish_of(step), station) for step, station in pairs if station is not None])
    for wish in moving:
        bookings.release(wish.step)  # so that those that move do not stand in each other's way
    how = How.OVERBOOKED if overbook else How.ASKED
    with freed.at_the_end(by=by):
        for wish in sorted(moving, key=lambda wish: wish.start):
            schedule.place(
                by=by,
                step=wish.step,
                start=wish.start,
                station=wish.station,
                duration=wish.duration,
                how=how,
                reason=reason,
            )


def _is_there(wish: Appointment) -> bool:
    step = wish.step
    place = (step.station_id, step.start, step.duration)
    return step.state == StepState.SCHEDULED and place == (wish.station.pk, wish.start, wish.duration or step.duration)


def _locked(steps: Sequence[ScheduledProcedureStep]) -> list[ScheduledProcedureStep]:
    """Return fresh copies of steps in their order, their orders locked in the order of their keys."""
    orders = {
        step.pk: step.requested_procedure.order_id
        for step in ScheduledProcedureStep.objects.filter(pk__in=[step.pk for step in steps]).select_related(
            "requested_procedure"
        )
    }
    fresh = {step.pk: schedule.locked(step) for step in sorted(steps, key=lambda step: (orders[step.pk], step.pk))}
    shared: dict[int, Order] = {}
    for step in fresh.values():
        # Steps of one order share its object, so that the marks of one are not written over those of the other.
        order = step.requested_procedure.order
        step.requested_procedure.order = shared.setdefault(order.pk, order)
    return [fresh[step.pk] for step in steps]
