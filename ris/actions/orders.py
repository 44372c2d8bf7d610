"""Place, change, hold, release, cancel and discontinue orders."""

from collections.abc import Sequence
from dataclasses import fields as fields_of
from dataclasses import is_dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from ris import identifiers
from ris.actions import attention, catalogue, exams, patients, procedures, rollup
from ris.actions.locking import locked_order
from ris.actions.requests import ProcedureRequest
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import ForbiddenMove, InvalidValue, OrderClosed, OrderStarted
from ris.identifiers import Series
from ris.models import Attention, Event, EventKind, Order, Patient, ScheduledProcedureStep, Site
from ris.states import OPEN, STEP_MOVES, OrderState, roll_up

_CLOSED = frozenset({OrderState.COMPLETED, OrderState.CANCELED, OrderState.DISCONTINUED})


@verb
def place(
    *,
    by: Actor,
    patient: Patient,
    requests: Sequence[ProcedureRequest],
    site: Site | None = None,
    accession_number: str = "",
    **fields: Any,
) -> Order:
    """Make an order with its procedures and steps; steps whose time is known are placed on stations.

    site: the default site when None. accession_number: kept when it is free and not of our own form, else one is
    minted. fields: columns of Order. What a person has to settle is marked in `attention`. Raises InvalidValue.
    """
    if not requests:
        raise InvalidValue(_("An order needs at least one procedure."), field="requests")
    patient = patients.current(patient)
    site = site or _default_site()
    number, marks = _accession_number(accession_number, site)
    order = Order.new(patient=patient, site=site, accession_number=number, **fields)
    if patient.deleted_at is not None:
        marks.append(Attention.PATIENT_DELETED)
    marks += patients.of_name(patient)
    rollup.mark(order, add=marks)
    Event.objects.record(
        EventKind.ORDER_PLACED,
        by=by,
        patient=patient,
        order=order,
        data={
            "accession_number": number,
            "fields": _plain(fields),
            "requests": _value(requests),
        },
    )
    steps = [step for request in requests for step in procedures.add(by=by, order=order, request=request)]
    order.change(state=roll_up({step.state for step in steps}))
    return order


@verb
def change(
    *, by: Actor, order: Order, requests: Sequence[ProcedureRequest] = (), reason: str = "", **fields: Any
) -> Order:
    """Bring an open order up to date: what the requests and fields say; returns it as it is now.

    Requests are paired with procedures by procedure ID, then by code, then in order; one that fits none is added, a
    procedure that none fits stays. A new time or station moves the step, another exam replaces steps that have not
    started. Raises OrderClosed, OrderStarted, ForbiddenMove, InvalidValue.
    """
    order = lock(order)
    if order.state in _CLOSED:
        raise OrderClosed
    diff = order.change(**fields)
    if diff:
        Event.objects.record(
            EventKind.ORDER_CHANGED,
            by=by,
            patient=order.patient,
            order=order,
            reason=reason,
            data={"changes": diff},
        )
    for procedure, request in procedures.pair(order, requests):
        if procedure is None:
            procedures.add(by=by, order=order, request=request)
        else:
            procedures.change(by=by, order=order, procedure=procedure, request=request)
    rollup.order_state(order)
    return order


@verb
def cancel(*, by: Actor, order: Order, reason: str = "") -> Order:
    """Cancel an order none of whose steps has started; a cancelled one stays.

    Raises OrderStarted, OrderClosed.
    """
    order = lock(order)
    if order.state == OrderState.CANCELED:
        return order
    if order.state == OrderState.IN_PROGRESS:
        raise OrderStarted
    if order.state in _CLOSED:
        raise OrderClosed
    return _end(order, steps_of(order), EventKind.ORDER_CANCELED, by=by, reason=reason)


@verb
def discontinue(*, by: Actor, order: Order, reason: str = "") -> Order:
    """End an order whatever has started: open steps are cancelled or discontinued.

    Raises OrderClosed when it is completed.
    """
    order = lock(order)
    if order.state in (OrderState.CANCELED, OrderState.DISCONTINUED):
        return order
    if order.state == OrderState.COMPLETED:
        raise OrderClosed
    return _end(order, steps_of(order), EventKind.ORDER_DISCONTINUED, by=by, reason=reason)


@verb
def hold(*, by: Actor, order: Order, reason: str = "") -> Order:
    """Hide an order from every worklist until it is released. Raises OrderClosed, and OrderStarted during the exam."""
    return _set_hold(order, on_hold=True, kind=EventKind.ORDER_HELD, by=by, reason=reason)


@verb
def release(*, by: Actor, order: Order, reason: str = "") -> Order:
    """Show an order again that was on hold. Raises OrderClosed."""
    return _set_hold(order, on_hold=False, kind=EventKind.ORDER_RELEASED, by=by, reason=reason)


@verb
def settle(*, by: Actor, order: Order, reason: str = "") -> Order:
    """Take all attention marks off an order: a person has looked at it."""
    order = lock(order)
    if order.attention:
        diff = order.change(attention="")
        Event.objects.record(
            EventKind.ORDER_SETTLED,
            by=by,
            patient=order.patient,
            order=order,
            reason=reason,
            data={"changes": diff},
        )
    return order


def lock(order: Order) -> Order:
    """Return a fresh copy of the order with its patient and site, locked for this transaction."""
    return locked_order(pk=order.pk)


def steps_of(order: Order) -> list[ScheduledProcedureStep]:
    """Return the steps of a locked order, sharing the one order object."""
    steps = list(
        ScheduledProcedureStep.objects.filter(requested_procedure__order=order)
        .select_related("requested_procedure")
        .order_by("pk")
    )
    for step in steps:
        step.requested_procedure.order = order
    return steps


def _end(order: Order, steps: Sequence[ScheduledProcedureStep], kind: EventKind, *, by: Actor, reason: str) -> Order:
    """Cancel what has not started, discontinue what has, and tell the order's own event."""
    Event.objects.record(kind, by=by, patient=order.patient, order=order, reason=reason)
    for step in steps:
        if step.state in STEP_MOVES["cancel"].sources:
            exams.make("cancel", by=by, step=step, reason=reason)
        elif step.state in OPEN:
            exams.make("discontinue", by=by, step=step, reason=reason)
    attention.of_ended(order)
    return order


def _set_hold(order: Order, *, on_hold: bool, kind: EventKind, by: Actor, reason: str) -> Order:
    order = lock(order)
    if order.state in _CLOSED:
        raise OrderClosed
    if on_hold and order.state == OrderState.IN_PROGRESS:
        raise OrderStarted(_("The exam has already started; it can be stopped but not held."))
    diff = order.change(on_hold=on_hold)
    if diff:
        Event.objects.record(kind, by=by, patient=order.patient, order=order, reason=reason, data={"changes": diff})
    return order


def _default_site() -> Site:
    known = catalogue.sites()
    if not known:
        raise ForbiddenMove(_("No site is set up yet; add one in the catalogue."), field="site")
    return known[-1]


def _accession_number(wanted: str, site: Site) -> tuple[str, list[Attention]]:
    """Return the number wanted where it can be used, else a new one, and what to mark."""
    keeps = identifiers.may_keep(Series.ACCESSION, wanted)
    if keeps and not Order.objects.filter(accession_number=wanted).exists():
        return wanted, []
    today = timezone.localdate(timezone=site.zone)
    return (
        identifiers.mint_accession_number(site.accession_prefix, today),
        [Attention.ACCESSION_TAKEN] if wanted else [],
    )


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields as an event keeps them: rows as their primary keys, what was not said left out."""
    return {name: _value(value) for name, value in fields.items() if value not in (None, "", [], ())}


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return _plain(value)
    if is_dataclass(value):  # not asdict, which copies the rows that it holds
        return _plain({field.name: getattr(value, field.name) for field in fields_of(value)})
    return [_value(one) for one in value] if isinstance(value, list | tuple) else getattr(value, "pk", value)
