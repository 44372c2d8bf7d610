"""The rows of bookings: what a step takes of resources and of its patient. Only other verbs call these."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import IntegrityError, connection, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When

from ris.errors import SlotTaken
from ris.models import Booking, Order, Patient, ScheduledProcedureStep, Station
from ris.models.statements import Statement
from ris.models.waiting import refused
from ris.states import OPEN

MERGED = "two patients were merged"
"""Why a booking is overbooked that was not before a merge; undoing the merge takes it back."""

_COLUMNS = 'step_id, resource_id, patient_id, start, "end", active, overbooked, reason'
_SCANNER = "(SELECT r.id FROM ris_resource r WHERE r.station_id = %s AND r.kind = 'SCANNER')"
_CLASH = """EXISTS (
    SELECT 1 FROM ris_booking b
    WHERE b.active AND b.{owner} = {value} AND b.start < %s AND b."end" > %s AND b.step_id <> %s
)"""
# Written by hand like the statement that chooses a station: one of these is carried out for each step that is placed.


class Overbooked(NamedTuple):
    """What of a booking was taken already: a resource, the patient's own time."""

    resource: bool
    patient: bool


def take(
    *,
    step: ScheduledProcedureStep,
    patient: int,
    station: Station,
    resources: Iterable[int] = (),
    overbook: bool,
    moving: bool = False,
    reason: str = "",
) -> Overbooked:
    """Book the scanner of a station, further resources and the patient for the time of a step.

    moving: the step may have bookings already, which are let go.
    overbook: what is taken is booked all the same and marked, with the reason. Returns what was.
    Raises SlotTaken when it is not allowed; the transaction is lost then. Rows are written in one order, scanner,
    resources by key, patient, so that two who only book never wait for each other in a circle.
    """
    owners: list[tuple[str, str, int]] = [("resource_id", _SCANNER, station.pk)]
    owners += [("resource_id", "%s", key) for key in sorted(resources)]
    owners.append(("patient_id", "%s", patient))
    try:
        done = _insert(step, owners, marked=None if overbook else False, reason=reason)
        if len(done) < len(owners):
            # Somebody took it between our look and our write: the rows that are missing are overbooked.
            done += _insert(step, _missing(done, owners), marked=True, reason=reason)
    except IntegrityError as error:
        if not refused(error, Booking):
            raise
        raise SlotTaken from None
    if moving:
        Booking.objects.filter(step=step).exclude(pk__in=[key for key, *_ in done]).delete()
    marked = [resource for _key, resource, overbooked in done if overbooked]
    return Overbooked(any(marked), None in marked)


def _insert(
    step: ScheduledProcedureStep, owners: Sequence[tuple[str, str, int]], *, marked: bool | None, reason: str
) -> list[tuple[int, int | None, bool]]:
    """Write rows; returns key, resource and whether overbooked of those that could be. marked: None looks for it."""
    adapt = connection.ops.adapt_datetimefield_value
    start, end = adapt(step.start), adapt(step.end)
    values: list[Any] = []
    for _owner, _value, key in owners:
        values += [step.pk, key, start, end]
        values += [key, end, start, step.pk] if marked is None else []
        values.append(reason)
    statement = _insertion(tuple((owner, value) for owner, value, _key in owners), marked)
    with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
        statement.execute(cursor, values)
        return [(key, resource, bool(overbooked)) for key, resource, overbooked in cursor.fetchall()]


@lru_cache(maxsize=64)
def _insertion(owners: tuple[tuple[str, str], ...], marked: bool | None) -> Statement:
    """Return the INSERT of a row for each of the owners: column, and how its value is found from a key."""
    rows = []
    for owner, value in owners:
        columns = {"resource_id": "NULL", "patient_id": "NULL"} | {owner: value}
        overbooked = _CLASH.format(owner=owner, value=value) if marked is None else str(marked).upper()
        rows.append(f"(%s, {columns['resource_id']}, {columns['patient_id']}, %s, %s, TRUE, {overbooked}, %s)")
    # Only who may overbook goes on after a clash; for all others the refusal of the database is the last word.
    calm = "" if marked is False else "ON CONFLICT DO NOTHING"
    return Statement(
        f"INSERT INTO ris_booking ({_COLUMNS}) VALUES {', '.join(rows)} {calm} RETURNING id, resource_id, overbooked"  # noqa: S608 (our own words)
    )


def _missing(
    done: list[tuple[int, int | None, bool]], owners: Sequence[tuple[str, str, int]]
) -> list[tuple[str, str, int]]:
    """Return the owners that no row was written for; which resource the scanner is, the first of them tells."""
    written = [resource for _key, resource, _overbooked in done]
    others = {key for _owner, value, key in owners if value == "%s"}
    scanner = any(resource is not None and resource not in others for resource in written)
    return [
        (owner, value, key)
        for owner, value, key in owners
        if not (scanner if value == _SCANNER else None in written if owner == "patient_id" else key in written)
    ]


def release(step: ScheduledProcedureStep) -> None:
    """Take away all bookings of a step that has no place any more."""
    Booking.objects.filter(step=step).delete()


def follow(step: ScheduledProcedureStep, before: str) -> None:
    """Bring the bookings of a step after its state: what is over takes no time, what is put back takes it again.

    Time that somebody else has got meanwhile is overbooked then. before: the state that the step had. Raises SlotTaken
    when that happens in the same moment.
    """
    if (before in OPEN) == (step.state in OPEN) or step.station_id is None:
        return
    if step.state not in OPEN:
        Booking.objects.active().filter(step=step).update(active=False)
        return
    try:
        Booking.objects.filter(step=step).update(active=True, overbooked=Exists(_clashes()))
    except IntegrityError as error:
        if not refused(error, Booking):
            raise
        raise SlotTaken from None


def is_patient_busy(step: ScheduledProcedureStep) -> bool:
    """Tell whether the patient of a step has another exam at its time."""
    return Booking.objects.active().filter(Exists(_clashes()), step=step, patient__isnull=False).exists()


def busy_orders(orders: Sequence[int]) -> list[int]:
    """Return which of these orders have an exam at a time at which their patient has another one."""
    if not orders:
        return []
    rows = Booking.objects.active().filter(patient__isnull=False, step__requested_procedure__order__in=orders)
    found = rows.filter(Exists(_clashes())).order_by("step__requested_procedure__order").distinct()
    return list(found.values_list("step__requested_procedure__order", flat=True))


def is_double_booked(step: ScheduledProcedureStep) -> bool:
    """Tell whether another exam takes the station of a step, or what else it needs, at its time."""
    return Booking.objects.active().filter(Exists(_clashes()), step=step, resource__isnull=False).exists()


def settle(order: Order) -> None:
    """Take the mark off bookings of an order's steps in whose way nothing stands any more."""
    rows = Booking.objects.active().filter(step__requested_procedure__order=order, overbooked=True)
    rows.filter(~Exists(_clashes())).update(overbooked=False, reason="")


def hand_over(orders: Sequence[int], to: Patient) -> None:
    """Give the patient's bookings of these orders to another patient, overbooked where that one is busy."""
    if not orders:
        return
    rows = Booking.objects.filter(patient__isnull=False, step__requested_procedure__order__in=orders)
    ours = Q(step__requested_procedure__order__in=orders)
    busy = Booking.objects.active().filter(patient=to, start__lt=OuterRef("end"), end__gt=OuterRef("start"))
    clash = Q(Exists(busy.exclude(ours)), active=True)
    try:
        with transaction.atomic():
            _give(rows, to, clash)
    except IntegrityError:
        # The other one was booked in this moment. Nobody is refused a merge for it.
        _give(rows, to, Q(active=True))


def _give(rows: "QuerySet[Booking]", to: Patient, clash: Q) -> None:
    merged: Any = Q(reason=MERGED)
    rows.update(
        patient=to,
        overbooked=Case(When(clash, then=True), When(merged, then=False), default=F("overbooked")),
        reason=Case(
            When(clash & Q(overbooked=False), then=Value(MERGED)),
            When(merged & ~clash, then=Value("")),
            default=F("reason"),
        ),
    )


def _clashes() -> "QuerySet[Booking]":
    """Return, inside another query of bookings, what takes the time of each."""
    same = Q(resource=OuterRef("resource")) | Q(patient=OuterRef("patient"))
    others = Booking.objects.active().overlapping(OuterRef("start"), OuterRef("end"))  # type: ignore[arg-type]
    return others.filter(same).exclude(step=OuterRef("step"))
