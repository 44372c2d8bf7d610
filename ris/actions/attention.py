"""Marks about the places of an order's steps, and about work that is still to be done: when they mean nothing any more.

A mark goes with what it speaks of: when the step gets another place or none, when the other exam that was in its way
gives up its time, and when the order ends.
"""

from django.db.models import Exists, OuterRef, Q

from ris.actions import bookings, exam_rules, rollup
from ris.actions.freed import Slot
from ris.actor import Actor
from ris.models import Attention, Booking, Event, EventKind, Order, Patient, ScheduledProcedureStep
from ris.models.base import Diff
from ris.states import OPEN, OPEN_ORDERS, OrderState, StepState

OF_PLACES = frozenset(
    {
        *(Attention.NO_MODALITY, Attention.NO_STATION, Attention.DOUBLE_BOOKED),
        *(Attention.PATIENT_BUSY, Attention.AGAINST_RULES),
    }
)
"""Marks that some step gives its order by the place that it has, or lacks."""
_OF_OTHERS = frozenset({Attention.DOUBLE_BOOKED, Attention.PATIENT_BUSY, Attention.AGAINST_RULES})
"""Of these, the ones that another exam may be the reason of."""
_OF_OPEN_ORDERS = frozenset(
    {
        *(Attention.UNKNOWN_EXAM, Attention.NO_NAME, Attention.BAD_NAME),
        *(Attention.VISIT_DISCHARGED, Attention.VISIT_CANCELED, Attention.PATIENT_DELETED),
    }
)
"""Marks that ask a person to do something before the exam; when it will not be done, there is nothing to do."""


def of_place(step: ScheduledProcedureStep, marks: set[Attention]) -> None:
    """Put on the order what is to be known of the step's new place, take off what no step deserves any more."""
    order = step.requested_procedure.order
    _drop(order, outdated(order, step) - marks)
    rollup.mark(order, add=marks)


def after(step: ScheduledProcedureStep, diff: Diff, slot: Slot | None, *, by: Actor) -> None:
    """Take off marks that meant a time which a step has given up: its own order's, and those of others in its way.

    A step that is put back on the schedule is marked where its time was given to somebody else. diff: what
    `step.change` returned. slot: the time that was given up. Called in the transaction of the change, when the
    bookings are as they are now.
    """
    order = step.requested_procedure.order
    if step.state not in OPEN or step.station is None:
        _drop(order, outdated(order))
    elif step.state == StepState.SCHEDULED and "state" in diff and diff["state"][0] not in OPEN:
        rollup.mark(order, add=_deserved(step) - {Attention.AGAINST_RULES})
    if slot is not None:
        _settle_others(slot, order, by=by)


def of_ended(order: Order) -> None:
    """Take off the marks of an order that was cancelled about what is not to be done any more."""
    if order.state == OrderState.CANCELED:
        rollup.mark(order, drop=OF_PLACES | _OF_OPEN_ORDERS)


def outdated(order: Order, *moved: ScheduledProcedureStep) -> set[Attention]:
    """Return the order's marks about places that none of its steps, but for those that have moved, deserves."""
    marks = set(order.attentions) & OF_PLACES
    if not marks:
        return marks
    steps = ScheduledProcedureStep.objects.filter(requested_procedure__order=order, start__isnull=False)
    steps = steps.select_related("requested_procedure__exam", "requested_procedure__order__patient", "station__site")
    for step in steps.exclude(pk__in=[one.pk for one in moved]):
        if step.state == StepState.REQUESTED:
            marks.discard(Attention.NO_STATION if step.modality else Attention.NO_MODALITY)
        elif step.state in OPEN:
            marks -= _deserved(step)
    return marks


def _deserved(step: ScheduledProcedureStep) -> set[Attention]:
    """Return the marks that a step with a place gives its order."""
    assert step.start is not None
    marks = exam_rules.marks(step.requested_procedure, step.start, step.station)
    if bookings.is_double_booked(step):
        marks.add(Attention.DOUBLE_BOOKED)
    if bookings.is_patient_busy(step):
        marks.add(Attention.PATIENT_BUSY)
    return marks


def _drop(order: Order, marks: set[Attention]) -> None:
    if marks:
        rollup.mark(order, drop=marks)
    if marks & {Attention.DOUBLE_BOOKED, Attention.PATIENT_BUSY}:
        bookings.settle(order)


def _settle_others(slot: Slot, order: Order, *, by: Actor) -> None:
    """Take marks off other orders in whose way only the time was that has been given up.

    An order that somebody is changing in this moment is passed over: two verbs that wait for each other's orders would
    never end. Its mark stays until it is changed again, or a person settles it.
    """
    there = ScheduledProcedureStep.objects.overlapping(slot.start, slot.end).filter(
        station=slot.station, requested_procedure__order=OuterRef("pk"), state__in=OPEN
    )
    # Which room, nurse or device went with the time is not known any more when it was taken off the schedule.
    on_top = Booking.objects.active().overlapping(slot.start, slot.end)
    on_top = on_top.filter(step__requested_procedure__order=OuterRef("pk"), resource__isnull=False, overbooked=True)
    marked = Order.objects.exclude(attention="").filter(
        Q(patient=order.patient_id) | Exists(there) | Exists(on_top), state__in=OPEN_ORDERS
    )
    for other in marked.exclude(pk=order.pk).select_for_update(no_key=True, skip_locked=True).order_by("pk"):
        before = other.attention
        _drop(other, outdated(other) & _OF_OTHERS)
        if other.attention != before:
            data = {"changes": {"attention": [before, other.attention]}}
            patient = Patient(pk=other.patient_id)  # an event needs to know no more
            Event.objects.record(EventKind.ORDER_SETTLED, by=by, patient=patient, order=other, data=data)
