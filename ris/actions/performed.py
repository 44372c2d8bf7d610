"""What scanners say that they did: begin, update and end performed steps, link them with scheduled ones.

Locks are taken in one order everywhere: the performed step, then the orders that it is linked with by their keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from ris.actions import exams, orders, recognizing, rollup
from ris.actions.recognizing import Item
from ris.actions.requests import ProcedureRequest
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import DuplicatePerformedStep, ForbiddenMove, PerformedStepEnded, UnknownPerformedStep
from ris.models import (
    Attention,
    Event,
    EventKind,
    LinkedBy,
    Order,
    Patient,
    PerformedLink,
    PerformedProcedureStep,
    RequestedProcedure,
    ScheduledProcedureStep,
    Station,
    StepClosure,
)
from ris.models.base import Diff
from ris.models.waiting import refused
from ris.states import (
    STEP_MOVES,
    WRONG_ENTRY,
    PerformedState,
    StepState,
    performed_move,
)

ENDINGS: dict[str, EventKind] = {
    PerformedState.IN_PROGRESS: EventKind.PERFORMED_UPDATED,
    PerformedState.COMPLETED: EventKind.PERFORMED_COMPLETED,
    PerformedState.DISCONTINUED: EventKind.PERFORMED_DISCONTINUED,
}
CONTRADICTION = "contradiction"
"""Doubt: the identifiers of an item name two orders."""
UNMATCHED = "unmatched"
"""Doubt, with the number: an item of a group belongs to no step that is known, or to more than one."""
_NAMES = ("sps_id", "accession_number", "requested_procedure_id", "study_instance_uid")
_UNDERWAY = frozenset({StepState.STARTED, StepState.DEPARTED, StepState.DISCONTINUED})
_TOLD = ("state", "end", "discontinuation_code", "discontinuation_reason")


@verb
def begin(
    *, by: Actor, sop_instance_uid: str, station_ae_title: str, items: Sequence[Item], **fields: Any
) -> PerformedProcedureStep:
    """Keep a step that a scanner has begun, and start the scheduled steps that its items name.

    fields: columns of PerformedProcedureStep. Raises DuplicatePerformedStep, InvalidValue.
    """
    try:
        performed = PerformedProcedureStep.new(
            sop_instance_uid=sop_instance_uid,
            station_ae_title=station_ae_title,
            station=Station.objects.filter(ae_title=station_ae_title).first(),
            items=[dict(item) for item in items],
            **fields,
        )
    except IntegrityError as error:
        if not refused(error, PerformedProcedureStep):
            raise
        raise DuplicatePerformedStep from None
    _tell(EventKind.PERFORMED_BEGUN, by=by, performed=performed)
    found: dict[int, recognizing.Found] = {}
    lost: list[Item] = []
    for item in items:
        match = recognizing.find(item, performed)
        if match is not None:
            found[match.step.pk] = match
        elif any(item.values()) and item not in lost:
            lost.append(item)
    meant = max(len(found) + len(lost), 1)
    doubts = [CONTRADICTION] if any(_contradicts(item) for item in lost) else []
    if meant > 1:
        doubts += [f"{UNMATCHED}:{next(filter(None, map(item.get, _NAMES)))}" for item in lost]
    performed.change(doubts=[*performed.doubts, *doubts], steps_meant=meant)
    steps = _locked_steps(found)
    for step in steps:
        match = found[step.pk]
        _attach(by=by, performed=performed, step=step, linked_by=match.linked_by, item=match.item)
    return performed


@verb
def update(*, by: Actor, performed: PerformedProcedureStep, state: str = "", **fields: Any) -> PerformedProcedureStep:
    """Bring a performed step up to date, or end it; the scheduled steps follow. `performed` comes from `lock`.

    state: COMPLETED or DISCONTINUED ends it. Raises PerformedStepEnded, InvalidValue.
    """
    if performed.state != PerformedState.IN_PROGRESS:
        raise PerformedStepEnded
    steps = _linked_steps(performed)
    diff = performed.change(**fields, **({"state": state} if state else {}))
    if diff:
        told = {name: diff[name] for name in _TOLD if name in diff}
        _tell(ENDINGS[performed.state], by=by, performed=performed, steps=steps, diff=told)
    if "state" in diff:
        for step in steps:
            if performed.state == PerformedState.DISCONTINUED and performed.discontinuation_code == WRONG_ENTRY:
                rollup.mark(step.requested_procedure.order, add=[Attention.WRONG_ENTRY])
                _date_study(step.requested_procedure)
            _follow(by=by, performed=performed, step=step)
    return performed


@verb
def link(*, by: Actor, performed: PerformedProcedureStep, step: ScheduledProcedureStep) -> None:
    """Say that a performed step was this scheduled one; its procedure takes the Study Instance UID of the images.

    Nothing happens when the two are linked. Raises ForbiddenMove for a step that was cancelled.
    """
    performed = lock(performed.sop_instance_uid)
    (step,) = _locked_steps([step.pk])
    if PerformedLink.objects.active().filter(performed=performed, step=step).exists():
        return
    if step.state == StepState.CANCELED:
        raise ForbiddenMove(_("The step was cancelled; place the order again."), field="step")
    before = _take_study(by=by, performed=performed, procedure=step.requested_procedure)
    performed.change(set_aside="")
    _attach(by=by, performed=performed, step=step, linked_by=LinkedBy.PERSON, study_uid_before=before)


@verb
def order_afterwards(
    *, by: Actor, performed: PerformedProcedureStep, patient: Patient, request: ProcedureRequest, **fields: Any
) -> Order:
    """Place the order of an exam that is already done: it is made with the study of the images, and linked with them.

    fields: as for orders.place. Raises what that and `link` raise, and ForbiddenMove when all that it names is linked.
    """
    performed = lock(performed.sop_instance_uid)
    _check_waits(performed)
    wish = replace(request, study_instance_uid=performed.study_instance_uid or None)
    order = orders.place(by=by, patient=patient, requests=[wish], **fields)
    first = ScheduledProcedureStep.objects.filter(requested_procedure__order=order).order_by("pk")[0]
    link(by=by, performed=performed, step=first)
    return order


@verb
def unlink(*, by: Actor, performed: PerformedProcedureStep, step: ScheduledProcedureStep, reason: str = "") -> None:
    """Take a performed step off a scheduled one, which goes back to the state that it had before.

    Where something else is linked with it, it follows that; where something else has moved it since, it stays and the
    order is marked. The procedure gets the Study Instance UID back that it had. Nothing happens when the two are not
    linked.
    """
    performed = lock(performed.sop_instance_uid)
    (step,) = _locked_steps([step.pk])
    row = PerformedLink.objects.active().filter(performed=performed, step=step).first()
    if row is None:
        return
    row.change(undone_at=timezone.now())
    performed.change(set_aside="")  # that one of a group needs no order says nothing of this one
    procedure = step.requested_procedure
    if row.study_uid_before and procedure.study_instance_uid == performed.study_instance_uid:
        _set_study(by=by, procedure=procedure, uid=row.study_uid_before)
    _date_study(procedure)
    drop = [Attention.OTHER_PATIENT, Attention.OTHER_STUDY, Attention.WRONG_ENTRY, Attention.DONE_ANYWAY]
    if not PerformedLink.objects.active().filter(step__requested_procedure__order=procedure.order).exists():
        rollup.mark(procedure.order, drop=drop)
    _tell(EventKind.PERFORMED_UNLINKED, by=by, performed=performed, steps=[step], reason=reason)
    _go_back(by=by, performed=performed, step=step, link=row, reason=reason)


@verb
def set_aside(*, by: Actor, performed: PerformedProcedureStep, reason: str) -> None:
    """Say that a performed step needs no order, such as a test with a phantom; an empty reason takes that back.

    Of a group of which some are linked it says that the others need none. Raises ForbiddenMove when all are linked.
    """
    performed = lock(performed.sop_instance_uid)
    if reason:
        _check_waits(performed)
    diff = performed.change(set_aside=reason)
    if diff:
        _tell(EventKind.PERFORMED_SET_ASIDE, by=by, performed=performed, diff=diff, reason=reason)


def lock(sop_instance_uid: str) -> PerformedProcedureStep:
    """Return a performed step as it is now, locked for this transaction. Raises UnknownPerformedStep."""
    rows = PerformedProcedureStep.objects.select_for_update(of=("self",), no_key=True).select_related("station")
    performed = rows.filter(sop_instance_uid=sop_instance_uid).first()
    if performed is None:
        raise UnknownPerformedStep
    return performed


def _check_waits(performed: PerformedProcedureStep) -> None:
    if PerformedLink.objects.active().filter(performed=performed).count() >= performed.steps_meant:
        raise ForbiddenMove(_("It is linked with an order."), field="performed")


def _contradicts(item: Item) -> bool:
    """Tell whether the step that an item names by its ID is of another order than the item says."""
    rows = ScheduledProcedureStep.objects.select_related("requested_procedure__order")
    step = rows.filter(sps_id=item["sps_id"]).first() if item["sps_id"] else None
    return step is not None and recognizing.contradicts(item, step)


def _linked_steps(performed: PerformedProcedureStep) -> list[ScheduledProcedureStep]:
    return _locked_steps(PerformedLink.objects.active().filter(performed=performed).values_list("step", flat=True))


def _locked_steps(keys: Any) -> list[ScheduledProcedureStep]:
    """Lock the orders of these steps, always in the same sequence; return the steps, sharing one object an order."""
    keys = list(keys)
    rows = Order.objects.filter(procedures__steps__in=keys).order_by("pk").distinct()
    locked = {order.pk: orders.lock(order) for order in rows}
    steps = ScheduledProcedureStep.objects.filter(pk__in=keys).select_related("requested_procedure__exam", "station")
    found = list(steps.order_by("pk"))
    for step in found:
        step.requested_procedure.order = locked[step.requested_procedure.order_id]
    return found


def _attach(
    *,
    by: Actor,
    performed: PerformedProcedureStep,
    step: ScheduledProcedureStep,
    linked_by: LinkedBy,
    item: Item | None = None,
    study_uid_before: str = "",
) -> None:
    """Link, mark what a person has to look at, and let the step follow."""
    procedure = step.requested_procedure
    order = procedure.order
    PerformedLink.new(
        performed=performed,
        step=step,
        linked_by=linked_by,
        state_before=step.state,
        study_uid_before=study_uid_before,
    )
    uid = item["study_instance_uid"] if item else performed.study_instance_uid
    marks = {
        Attention.OTHER_PATIENT: recognizing.is_somebody_else(order.patient, performed.said),
        Attention.DONE_ANYWAY: step.state == StepState.CANCELED,
        Attention.OTHER_STUDY: bool(uid) and uid != procedure.study_instance_uid,
    }
    rollup.mark(order, add=[mark for mark, holds in marks.items() if holds])
    _date_study(procedure)
    data = {"linked_by": linked_by}
    _tell(EventKind.PERFORMED_LINKED, by=by, performed=performed, steps=[step], data=data)
    _follow(by=by, performed=performed, step=step)


def _follow(*, by: Actor, performed: PerformedProcedureStep, step: ScheduledProcedureStep) -> None:
    """Bring a step to where all that was performed for it puts it; what is cancelled or completed stays so."""
    links = PerformedLink.objects.active().filter(step=step)
    move = performed_move(links.values_list("performed__state", "performed__discontinuation_code"))
    _settle_closure(step, reported=move == "complete")
    if move is None or (move == "reopen" and step.state not in _UNDERWAY):
        return
    reason = performed.discontinuation_reason if move in ("discontinue", "reopen") else ""
    if step.state not in STEP_MOVES[move].sources and move in ("complete", "discontinue"):
        if step.state == StepState.DISCONTINUED == STEP_MOVES[move].target:
            return
        _perform(by=by, performed=performed, step=step)
    if move == "perform":
        _perform(by=by, performed=performed, step=step)
    elif step.state in STEP_MOVES[move].sources:
        exams.make(move, by=by, step=step, reason=reason)


def _go_back(
    *, by: Actor, performed: PerformedProcedureStep, step: ScheduledProcedureStep, link: PerformedLink, reason: str
) -> None:
    """Bring a step to where it stood before a link that was undone, as far as nothing else speaks for its state."""
    others = PerformedLink.objects.active().filter(step=step).order_by("pk")
    rest = list(others)
    for later in [one for one in rest if one.pk > link.pk][:1]:
        later.change(state_before=link.state_before)  # what the undone one did is not what stood before it any more
    _settle_closure(step, reported=False)
    if rest:
        _follow(by=by, performed=performed, step=step)
        stands = step.state != StepState.COMPLETED or StepState.COMPLETED in (rest[0].state_before, _owed(others))
    elif step.state == _owed(PerformedLink.objects.filter(pk=link.pk)):
        stands = True
    else:
        stands = step.state == link.state_before
    if not stands:
        rollup.mark(step.requested_procedure.order, add=[Attention.REPORT_TAKEN_OFF])
    elif not rest and step.state != link.state_before:
        exams.put_back(by=by, step=step, state=link.state_before, reason=reason)


def _settle_closure(step: ScheduledProcedureStep, *, reported: bool) -> None:
    """Keep with the closure of a step whether a scanner's report says too that it is over."""
    for closure in StepClosure.objects.standing().filter(step=step):
        if reported != (closure.reported_at is not None):
            closure.change(reported_at=timezone.now() if reported else None)


def _owed(links: QuerySet[PerformedLink]) -> StepState | None:
    """Return the state to which these links have brought their step, or should have."""
    move = performed_move(links.values_list("performed__state", "performed__discontinuation_code"))
    return STEP_MOVES[move].target if move else None


def _perform(*, by: Actor, performed: PerformedProcedureStep, step: ScheduledProcedureStep) -> None:
    """Start a step; one that has no place yet gets that of the scanner, where it is a station of ours."""
    if step.state not in STEP_MOVES["perform"].sources:
        return
    place: dict[str, Any] = {}
    if step.station is None or step.start is None or not step.modality:
        if performed.station is None:
            rollup.mark(step.requested_procedure.order, add=[Attention.NO_STATION])
            return
        place = {
            "station": step.station or performed.station,
            "start": step.start or performed.start,
            "modality": step.modality or performed.modality,
        }
    exams.perform(by=by, step=step, **place)


def _take_study(*, by: Actor, performed: PerformedProcedureStep, procedure: RequestedProcedure) -> str:
    """Give a procedure the Study Instance UID of the images; returns the one that it had, empty where it keeps it.

    It keeps it where images lie under it already, or where the UID is that of another order: two orders in one study
    are a matter for a person.
    """
    uid, before = performed.study_instance_uid, procedure.study_instance_uid
    if not uid or uid == before:
        return ""
    if RequestedProcedure.objects.filter(study_instance_uid=uid).exclude(order=procedure.order).exists():
        return ""
    done = PerformedLink.objects.active().filter(step__requested_procedure=procedure)
    if done.filter(performed__study_instance_uid=before).exists():
        return ""
    _set_study(by=by, procedure=procedure, uid=uid)
    return before


def _set_study(*, by: Actor, procedure: RequestedProcedure, uid: str) -> None:
    diff = procedure.change(study_instance_uid=uid)
    subject = f"ris.requestedprocedure:{procedure.pk}"
    order = procedure.order
    Event.objects.record(
        EventKind.ORDER_CHANGED, by=by, patient=order.patient, order=order, subject=subject, data={"changes": diff}
    )


def _date_study(procedure: RequestedProcedure) -> None:
    """Keep when the study of a procedure began: a scanner that adds to it is told so (PS3.4 table K.6-1)."""
    uid = procedure.study_instance_uid
    links = PerformedLink.objects.active().filter(step__requested_procedure=procedure).select_related("performed")
    starts = [
        one.start
        for one in (link.performed for link in links)
        if (one.state, one.discontinuation_code) != (PerformedState.DISCONTINUED, WRONG_ENTRY)
        and uid in (one.study_instance_uid, *(item["study_instance_uid"] for item in one.items))
    ]
    procedure.change(study_start=min(starts, default=None))


def _tell(
    kind: EventKind,
    *,
    by: Actor,
    performed: PerformedProcedureStep,
    steps: Sequence[ScheduledProcedureStep] = (),
    diff: Diff | None = None,
    reason: str = "",
    data: Mapping[str, Any] | None = None,
) -> None:
    """Record an event about a performed step, once for each order that it concerns, else without one."""
    subject = f"ris.performedprocedurestep:{performed.pk}"
    details = {**({"changes": diff} if diff else {}), **(data or {})}
    told: set[int] = set()
    for step in steps:
        order = step.requested_procedure.order
        if order.pk not in told:
            told.add(order.pk)
            Event.objects.record(
                kind, by=by, patient=order.patient, order=order, subject=subject, reason=reason, data=details
            )
    if not told:
        Event.objects.record(kind, by=by, subject=subject, reason=reason, data=details)
