"""Requested procedures and their steps: make them, change them, give an unknown one its exam."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from ris.actions import exam_rules, exams, freed, gate, numbering, placement, places, rollup, schedule
from ris.actions.locking import locked_order
from ris.actions.placement import How, Placement
from ris.actions.requests import ProcedureRequest, StepPlan, StepWish, plan_steps
from ris.actions.safety import Occasion, judge
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import OrderClosed, OrderStarted
from ris.models import Attention, Event, EventKind, Exam, Order, RequestedProcedure, ScheduledProcedureStep
from ris.models.base import Diff
from ris.models.step import end_of
from ris.states import BEFORE_START, OPEN, STEP_MOVES, StepState

_WAITING = frozenset({StepState.REQUESTED, StepState.SCHEDULED})
_MOVABLE = _WAITING | {StepState.NO_SHOW}


@verb
def add(*, by: Actor, order: Order, request: ProcedureRequest) -> list[ScheduledProcedureStep]:
    """Add a procedure and its steps to an order; returns the steps.

    Identifiers that came along are kept where they are free and valid.
    Raises InvalidValue and what placing a step on a named station raises.
    """
    marks: list[Attention] = [] if request.exam else [Attention.UNKNOWN_EXAM]
    procedure = RequestedProcedure.new(
        order=order,
        requested_procedure_id=numbering.requested_procedure_id(request, marks),
        study_instance_uid=numbering.study_instance_uid(order, request, marks),
        exam=request.exam,
        **request.ordered_code(),
        **request.details(),
    )
    rollup.mark(order, add=marks)
    return _add_steps(by=by, procedure=procedure, request=request)


@verb
def change(*, by: Actor, order: Order, procedure: RequestedProcedure, request: ProcedureRequest) -> None:
    """Bring one procedure up to date with what a request says (None in it means no change).

    Another exam replaces the steps, at their time, as long as none has started. Raises OrderStarted, ForbiddenMove.
    """
    values = request.details()
    other_exam = _is_other_exam(procedure, request)
    if other_exam:
        # A code that comes without its name must not keep the name of the exam before.
        values |= {"exam": request.exam, "meaning": "", "coding_scheme": "", **request.ordered_code()}
    diff = procedure.change(**values)
    if diff:
        Event.objects.record(
            EventKind.ORDER_CHANGED,
            by=by,
            patient=order.patient,
            order=order,
            subject=f"ris.requestedprocedure:{procedure.pk}",
            data={"changes": diff},
        )
    if other_exam:
        _replace_steps(by=by, procedure=procedure, request=request)
    else:
        _drop_steps(by=by, procedure=procedure, request=request)
        _move_steps(by=by, procedure=procedure, request=request)
        _add_further_steps(by=by, procedure=procedure, request=request)


@verb
def assign_exam(*, by: Actor, procedure: RequestedProcedure, exam: Exam, reason: str = "") -> None:
    """Tell which exam of the catalogue an ordered procedure is; its steps are made anew and placed at their time.

    The code as ordered stays, because the placer knows it. Raises OrderStarted, OrderClosed.
    """
    order = locked_order(pk=procedure.order_id)
    procedure = RequestedProcedure.objects.get(pk=procedure.pk)
    diff = procedure.change(exam=exam)
    Event.objects.record(
        EventKind.ORDER_CHANGED,
        by=by,
        patient=order.patient,
        order=order,
        subject=f"ris.requestedprocedure:{procedure.pk}",
        reason=reason,
        data={"changes": diff},
    )
    procedure.order = order
    _replace_steps(by=by, procedure=procedure, request=ProcedureRequest(exam=exam))


def pair(
    order: Order, requests: Sequence[ProcedureRequest]
) -> Iterator[tuple[RequestedProcedure | None, ProcedureRequest]]:
    """Pair requests with the procedures they are about: by procedure ID, by code, in order; else with None."""
    left = list(order.procedures.select_related("exam")) if requests else []
    found: dict[int, RequestedProcedure] = {}
    rules = (
        lambda row, wish: row.requested_procedure_id == wish.requested_procedure_id,
        lambda row, wish: bool(row.code) and row.code == wish.ordered_code().get("code"),
        lambda row, wish: True,
    )
    for fits in rules:
        for number, request in enumerate(requests):
            row = next((row for row in left if fits(row, request)), None) if number not in found else None
            if row is not None:
                found[number] = row
                left.remove(row)
    for number, request in enumerate(requests):
        procedure = found.get(number)
        if procedure is not None:
            procedure.order = order
        yield procedure, request


def _is_other_exam(procedure: RequestedProcedure, request: ProcedureRequest) -> bool:
    """Tell whether a request asks for another exam than the procedure has."""
    said = request.ordered_code()
    if not said.get("code"):
        return False
    return said["code"] != procedure.code or (request.exam is not None and request.exam != procedure.exam)


def _add_steps(*, by: Actor, procedure: RequestedProcedure, request: ProcedureRequest) -> list[ScheduledProcedureStep]:
    """Make the steps of a procedure, one after the other from the wished start on."""
    start = request.start
    steps = []
    child = _is_child(procedure, request)
    for number, plan in enumerate(plan_steps(request, child=child)):
        step = _add_step(by=by, procedure=procedure, request=request, plan=plan, start=start, number=number)
        steps.append(step)
        start = end_of(start, plan.duration) if start else None
    return steps


def _add_further_steps(*, by: Actor, procedure: RequestedProcedure, request: ProcedureRequest) -> None:
    """Add the steps that a request has beyond those that there are, after the last one."""
    steps = _live_steps(procedure)
    if len(request.steps) <= max(1, len(steps)):
        return
    start = steps[-1].end
    for number, plan in list(enumerate(plan_steps(request, child=_is_child(procedure, request))))[len(steps) :]:
        _add_step(by=by, procedure=procedure, request=request, plan=plan, start=start, number=number)
        start = end_of(start, plan.duration) if start else None


def _drop_steps(*, by: Actor, procedure: RequestedProcedure, request: ProcedureRequest) -> None:
    """Cancel the steps that a request which names its steps has no more; one that has begun is marked and stays.

    Where it names one step only, the catalogue says how many there are. Which ones stay: those that are named by their
    IDs, then the others in their order.
    """
    live = _live_steps(procedure) if request.steps else []
    wanted = len(plan_steps(request))
    if wanted >= len(live):
        return
    named = {wish.sps_id for wish in request.steps}
    left_over = sorted(live, key=lambda step: (step.sps_id not in named, step.pk))[wanted:]
    unbegun = [step for step in left_over if step.state in STEP_MOVES["cancel"].sources]
    for step in unbegun:
        exams.make("cancel", by=by, step=step, reason="the sender no longer asks for this step")
    begun = any(step not in unbegun and step.state != StepState.DISCONTINUED for step in left_over)
    rollup.mark(procedure.order, add=[Attention.STEP_UNWANTED] if begun else [])


def _live_steps(procedure: RequestedProcedure) -> list[ScheduledProcedureStep]:
    return [step for step in _steps(procedure) if step.state != StepState.CANCELED]


def _is_child(procedure: RequestedProcedure, request: ProcedureRequest) -> bool:
    """Tell whether the patient is a child to the exam, on the day of the exam or, where that is not known, today."""
    if request.exam is None:
        return False
    order = procedure.order
    day = timezone.localdate(request.start, order.site.zone)
    return request.exam.is_for_child(order.patient.birth_date, day)


def _add_step(
    *,
    by: Actor,
    procedure: RequestedProcedure,
    request: ProcedureRequest,
    plan: StepPlan,
    start: datetime | None,
    number: int,
) -> ScheduledProcedureStep:
    order = procedure.order
    wish = request.wish(number)
    modality = plan.modality or (wish.station.modality if wish.station else "")
    chosen = Placement(None)
    if start is not None and not request.asked:
        chosen = _promised(procedure, wish, plan, modality=modality, start=start, number=number)
    marks = [chosen.attention] if chosen.attention else []
    contrast_agent = procedure.exam.contrast_agent if procedure.exam else ""
    verdict = judge(procedure, Occasion(modality, contrast_agent, start, chosen.station))
    step = ScheduledProcedureStep.new(
        requested_procedure=procedure,
        sps_id=numbering.sps_id(wish.sps_id, marks),
        state=StepState.SCHEDULED if chosen.station else StepState.REQUESTED,
        modality=modality,
        description=plan.description,
        station=chosen.station,
        start=start,
        duration=plan.duration,
        protocol_codes=plan.protocol_codes,
        performing_physician=request.performing_physician or "",
        technologist=request.technologist or "",
        contrast_agent=contrast_agent,
        pre_medication=procedure.exam.pre_medication if procedure.exam else "",
        comments=wish.comments or "",
        **verdict.columns(),
    )
    if chosen.station and start is not None:
        found = schedule.take(step, chosen, how=How.PROMISED) | exam_rules.marks(procedure, start, chosen.station)
        marks += found - set(marks)
    rollup.mark(order, add=marks)
    gate.tell_new(step, by=by)
    if chosen.station:
        place: Diff = {"station": [None, chosen.station.pk], "start": [None, start]}
        rollup.tell(EventKind.STEP_BOOKED, by=by, step=step, diff=place)
    elif start is not None and request.asked:
        station = wish.station if wish.station and wish.station.modality == modality else None
        schedule.place(by=by, step=step, start=start, station=station, duration=None, how=How.ASKED)
    return step


def _promised(
    procedure: RequestedProcedure,
    wish: StepWish,
    plan: StepPlan,
    *,
    modality: str,
    start: datetime,
    number: int,
) -> Placement:
    """Return the place of a new step whose time was promised to the patient by whoever ordered it."""
    if wish.station is not None and wish.station.modality == modality:
        chosen = placement.on_station(wish.station, modality=modality, start=start, duration=plan.duration)
    else:
        chosen = placement.choose_station(
            modality=modality,
            site=procedure.order.site,
            exam=procedure.exam,
            start=start,
            duration=plan.duration,
        )
    needs = places.needs_of(procedure.exam, number + 1)
    return placement.with_needs(chosen, procedure, needs, start=start, duration=plan.duration)


def _replace_steps(*, by: Actor, procedure: RequestedProcedure, request: ProcedureRequest) -> None:
    """Cancel the steps of a procedure and make those of its new exam, at the same time and station where possible."""
    steps = _steps(procedure)
    if any(step.state in OPEN - BEFORE_START for step in steps):
        raise OrderStarted
    waiting = [step for step in steps if step.state in BEFORE_START]
    if not waiting:
        raise OrderClosed
    with freed.at_the_end(by=by):
        _replace(by=by, procedure=procedure, request=request, waiting=waiting)


def _replace(
    *, by: Actor, procedure: RequestedProcedure, request: ProcedureRequest, waiting: Sequence[ScheduledProcedureStep]
) -> None:
    first = waiting[0]
    for step in waiting:
        exams.make("cancel", by=by, step=step, reason="another exam")
    same_station = first.station if request.exam and first.station_id and does(first, request.exam) else None
    known = not procedure.order.procedures.filter(exam=None).exclude(pk=procedure.pk).exists()
    rollup.mark(
        procedure.order,
        add=[] if request.exam else [Attention.UNKNOWN_EXAM],
        drop=[Attention.UNKNOWN_EXAM] if known else [],
    )
    wish = ProcedureRequest(
        exam=request.exam,
        code=request.code,
        meaning=request.meaning,
        modality=request.modality or first.modality,
        start=request.start or first.start,
        duration=request.duration,
        station=request.station or same_station,
        performing_physician=request.performing_physician or first.performing_physician,
        technologist=request.technologist or first.technologist,
        protocol_codes=request.protocol_codes,
        asked=request.asked,
        steps=tuple(replace(wish, sps_id=None) for wish in request.steps),
    )
    _add_steps(by=by, procedure=procedure, request=wish)
    rollup.order_state(procedure.order)


def does(step: ScheduledProcedureStep, exam: Exam) -> bool:
    """Tell whether the step's station may do an exam."""
    station = step.station
    if station is None or station.modality != exam.modality:
        return False
    allowed = set(exam.stations.values_list("pk", flat=True))
    return not allowed or station.pk in allowed


def _move_steps(*, by: Actor, procedure: RequestedProcedure, request: ProcedureRequest) -> None:
    """Move the steps of a procedure as a request says, as long as the patient is not there; later ones follow."""
    if request.start is None and request.station is None and request.duration is None:
        _describe_steps(by=by, procedure=procedure, request=request)
        return
    live = _live_steps(procedure)
    if live and live[0].state not in _WAITING and _is_there(live[0], request):
        # Senders repeat a whole order to change one word of it: the time that it has is not a new one.
        _describe_steps(by=by, procedure=procedure, request=request)
        return
    steps = [step for step in live if step.state in _MOVABLE]
    if not live or live[0].state not in _MOVABLE:
        raise OrderStarted(_("The patient has arrived or the exam has started; its time cannot be changed any more."))
    start = request.start
    wishes = _wishes(steps, request)
    for step in steps:
        at = start or step.start
        duration = request.duration if len(steps) == 1 else None
        if at is not None:
            station = wishes[step.pk].station
            station = station if station and step.modality in ("", station.modality) else None
            how = How.ASKED if request.asked else How.PROMISED
            schedule.place(by=by, step=step, start=at, station=station, duration=duration, how=how)
            start = end_of(at, duration or step.duration) if start else None
    _describe_steps(by=by, procedure=procedure, request=request)


def _is_there(step: ScheduledProcedureStep, request: ProcedureRequest) -> bool:
    """Tell whether a step has the time and the station already that a request names, as far as it names them."""
    station = request.station if request.station and request.station.modality == step.modality else None
    return request.start in (None, step.start) and (station is None or station.pk == step.station_id)


def _steps(procedure: RequestedProcedure) -> list[ScheduledProcedureStep]:
    """Return the steps of a procedure, sharing the one procedure and order object."""
    steps = list(procedure.steps.select_related("station").order_by("pk"))
    for step in steps:
        step.requested_procedure = procedure
    return steps


def _describe_steps(*, by: Actor, procedure: RequestedProcedure, request: ProcedureRequest) -> None:
    """Change who performs the steps and which protocols they follow, where a request says so."""
    values = request.said("performing_physician", "technologist")
    if request.protocol_codes is not None and procedure.exam is None:
        values["protocol_codes"] = [entry.as_dict() for entry in request.protocol_codes]
    if not values and not request.steps:
        return
    steps = _steps(procedure)
    wishes = _wishes([step for step in steps if step.state != StepState.CANCELED], request)
    for step in steps:
        said = values | (_described(wishes[step.pk], procedure) if step.pk in wishes else {})
        diff = step.change(**said) if step.state in BEFORE_START else {}
        if diff:
            rollup.tell(EventKind.STEP_CHANGED, by=by, step=step, diff=diff)


def _described(wish: StepWish, procedure: RequestedProcedure) -> dict[str, Any]:
    """Return the columns of a step that only describe it, as far as they were said."""
    values: dict[str, Any] = {} if wish.comments is None else {"comments": wish.comments}
    if wish.protocol_codes and procedure.exam is None:
        values["protocol_codes"] = [entry.as_dict() for entry in wish.protocol_codes]
    return values


def _wishes(steps: Sequence[ScheduledProcedureStep], request: ProcedureRequest) -> dict[int, StepWish]:
    """Pair steps with what is asked of each: by step ID, the others in order; step -> wish."""
    found = {step.pk: wish for step in steps for wish in request.steps if wish.sps_id == step.sps_id}
    named = {wish.sps_id for wish in found.values()}
    others = iter([wish for wish in request.steps if wish.sps_id not in named])
    otherwise = StepWish(station=None if len(request.steps) > 1 else request.station)
    return {step.pk: found.get(step.pk) or next(others, otherwise) for step in steps}
