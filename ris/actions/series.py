"""A series: one exam again and again, whole days apart, always at the same time by the clock of the site."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from ris.actions import places, procedures, schedule, together
from ris.actions.places import Place
from ris.actions.requests import DETAILS, ProcedureRequest
from ris.actions.together import Appointment
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import DomainError, ForbiddenMove, InvalidValue
from ris.models import ScheduledProcedureStep, Station
from ris.models.step import end_of
from ris.states import StepState

MOST = 60
"""Appointments of one series."""
LONGEST = timedelta(days=731)
"""From its first day to its last: calendars are read for all of it."""


def starts(first: datetime, *, station: Station, every: timedelta, count: int) -> list[datetime]:
    """Return the starts of a series. every: whole days from one to the next. Raises InvalidValue."""
    if every < timedelta(days=1) or every % timedelta(days=1):
        raise InvalidValue(_("Appointments of a series are whole days apart."), field="every")
    if not 1 <= count <= MOST:
        raise InvalidValue(_("A series has 1 to %d appointments.") % MOST, field="count")
    if every * (count - 1) > LONGEST:
        raise InvalidValue(_("A series ends within two years."), field="count")
    # Adding to a local time keeps the time on the wall where the clock changes between two appointments.
    there = first.astimezone(station.site.zone)
    return [there + number * every for number in range(count)]


def preview(step: ScheduledProcedureStep, *, station: Station, wanted: Sequence[datetime]) -> list[Place]:
    """Return the place of each start with the reasons against it. Nothing is locked or written."""
    wish = places.wish_of(step)
    table = places.Timetable(wish, [station], min(wanted), end_of(max(wanted), wish.minutes))
    return [table.place(station, start) for start in wanted]


@verb
def book(
    *,
    by: Actor,
    step: ScheduledProcedureStep,
    station: Station,
    wanted: Sequence[datetime],
    reason: str = "",
    overbook: bool = False,
) -> list[ScheduledProcedureStep]:
    """Book a waiting step and the following of its series, all of them or none; returns the steps.

    Waiting steps of the same exam in its order are taken first; for those that are missing the order gets further
    procedures. Raises ForbiddenMove for a step that does not wait or an exam of several steps, and what
    `schedule.book` raises, with the day in front.
    """
    if not 1 <= len(wanted) <= MOST:
        raise InvalidValue(_("A series has 1 to %d appointments.") % MOST, field="count")
    step = schedule.locked(step)
    if step.state != StepState.REQUESTED:
        raise ForbiddenMove
    _check_is_one(step.requested_procedure.steps.exclude(state=StepState.CANCELED).count())
    steps = [step, *_waiting(step)][: len(wanted)]
    while len(steps) < len(wanted):
        steps += _one_more(step, by=by)
    done: list[ScheduledProcedureStep] = []
    for one, start in zip(steps, sorted(wanted), strict=True):
        appointment = Appointment(one, station, start, step.duration)
        try:
            done += together.book_together(by=by, appointments=[appointment], reason=reason, overbook=overbook)
        except DomainError as error:
            day = date_format(start.astimezone(station.site.zone), "DATE_FORMAT")
            raise type(error)(f"{day}: {error.message}", field=error.field) from None
    return done


def _check_is_one(steps: int) -> None:
    if steps != 1:
        raise ForbiddenMove(_("An exam of several steps cannot be booked as a series."), field="step")


def _waiting(step: ScheduledProcedureStep) -> list[ScheduledProcedureStep]:
    """Return the other waiting steps of the same exam in a step's order, those that are one step of theirs."""
    procedure = step.requested_procedure
    rows = ScheduledProcedureStep.objects.filter(
        requested_procedure__order=procedure.order_id, state=StepState.REQUESTED, modality=step.modality
    )
    same = {"requested_procedure__exam": procedure.exam_id, "requested_procedure__code": procedure.code}
    found = rows.filter(**same).exclude(requested_procedure=procedure)
    firsts = {row.requested_procedure_id: row for row in found.order_by("-pk")}
    return sorted(firsts.values(), key=lambda row: row.pk)


def _one_more(step: ScheduledProcedureStep, *, by: Actor) -> list[ScheduledProcedureStep]:
    """Add a procedure like the step's own to its order."""
    procedure = step.requested_procedure
    request = ProcedureRequest(
        exam=procedure.exam,
        code=procedure.code,
        coding_scheme=procedure.coding_scheme,
        meaning=procedure.meaning,
        modality=step.modality,
        duration=step.duration,
        **{name: getattr(procedure, name) for name in DETAILS},
    )
    added = procedures.add(by=by, order=procedure.order, request=request)
    _check_is_one(len(added))  # the catalogue may have given the exam more steps since it was ordered
    return added
