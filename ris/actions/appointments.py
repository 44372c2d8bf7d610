"""Appointments of another scheduling system: the numbers by which it knows our steps, and the times that it closes."""

from datetime import datetime

from django.utils.translation import gettext as _

from ris.actions import rollup, schedule
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import SlotTaken
from ris.models import Booking, Closure, Event, EventKind, Resource, ResourceKind, ScheduledProcedureStep
from ris.models.base import Diff
from ris.models.event import name_of


@verb
def note(*, by: Actor, step: ScheduledProcedureStep, **said: str) -> None:
    """Note what another system says of a step that it has booked: its own number of it, who does it, comments."""
    step = schedule.locked(step)
    diff = step.change(**said)
    if diff:
        rollup.tell(EventKind.STEP_CHANGED, by=by, step=step, diff=diff)


def resource_named(name: str) -> Resource | None:
    """Return the usable resource of this name: the scanner of a station, else any; None where it is not one alone."""
    station = schedule.station_named(name)
    if station is not None:
        return Resource.objects.usable().filter(station=station, kind=ResourceKind.SCANNER).first()
    found = list(Resource.objects.usable().filter(name=name)[:2])
    return found[0] if len(found) == 1 else None


@verb
def close(*, by: Actor, resource: Resource, start: datetime, end: datetime, reason: str) -> Closure:
    """Keep patients out of a resource from start to end; a closure that covers the time already stays as it is.

    Raises SlotTaken while exams are booked in this time, InvalidValue.
    """
    resource = Resource.objects.select_for_update(no_key=True).get(pk=resource.pk)
    known = Closure.objects.filter(resource=resource, start__lte=start, end__gte=end).first()
    if known is not None:
        return known
    if Booking.objects.filter(resource=resource, start__lt=end, end__gt=start, active=True).exists():
        raise SlotTaken(_("Exams are booked in this time; move them first."), field="start")
    made = Closure.new(resource=resource, start=start, end=end, reason=reason)
    _tell(made, "added", {"start": [None, start], "end": [None, end]}, by=by)
    return made


@verb
def reopen(*, by: Actor, resource: Resource, start: datetime, end: datetime) -> int:
    """Take the closures of a resource between start and end away; returns how many. What is outside stays."""
    resource = Resource.objects.select_for_update(no_key=True).get(pk=resource.pk)
    overlapping = list(Closure.objects.filter(resource=resource, start__lt=end, end__gt=start))
    for closure in overlapping:
        before, after = closure.start < start, closure.end > end
        if before and after:
            rest = Closure.new(resource=resource, start=end, end=closure.end, reason=closure.reason, kind=closure.kind)
            _tell(rest, "added", {"start": [None, rest.start], "end": [None, rest.end]}, by=by)
        if before or after:
            _tell(closure, "changed", closure.change(**({"end": start} if before else {"start": end})), by=by)
        else:
            _tell(closure, "deleted", {}, by=by)
            closure.delete()
    return len(overlapping)


def _tell(closure: Closure, change: str, diff: Diff, *, by: Actor) -> None:
    Event.objects.record(
        EventKind.CATALOG_CHANGED,
        by=by,
        subject=f"ris.closure:{closure.pk}",
        data={"change": change, "name": name_of(closure), "changes": diff},
    )
