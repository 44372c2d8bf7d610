"""The safety gate: answers, overrides, and the columns of a step that say whether scanners may see it.

The only writer of answers, overrides and gate columns. Each verb locks the orders that it changes.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from ris.actions import rollup
from ris.actions.locking import locked_orders
from ris.actions.safety import RECORD, Occasion, Verdict, judge, number, rules
from ris.actions.verb import verb
from ris.actor import Actor
from ris.errors import ForbiddenMove, InvalidValue
from ris.models import (
    Event,
    EventKind,
    Gate,
    GateOverride,
    Order,
    Patient,
    PregnancyStatus,
    RequestedProcedure,
    ScheduledProcedureStep,
    ScreeningAnswer,
    ScreeningRule,
    Topic,
)
from ris.models.base import Diff
from ris.models.screening import NUMBERS
from ris.states import BEFORE_START, OPEN_ORDERS

SHUT = frozenset({Gate.OPEN, Gate.POSITIVE})
LARGEST = Decimal(99999)
_MOST = 500  # steps that one run of the clock looks at again
_LATELY = timedelta(hours=1)


def occasion_of(step: ScheduledProcedureStep) -> Occasion:
    """Return what the questions of a step depend on."""
    return Occasion(step.modality, step.contrast_agent, step.start, step.station)


def is_shut(step: ScheduledProcedureStep) -> bool:
    """Tell whether scanners are not shown a step for its safety questions at this moment."""
    return step.gate in SHUT or (step.gate_until is not None and step.gate_until <= timezone.now())


def verdict_of(step: ScheduledProcedureStep) -> Verdict:
    """Return how the questions of a step stand now; its procedure, exam, order, patient and site should be at hand."""
    newest = step.overrides.first() if step.gate else None
    return judge(step.requested_procedure, occasion_of(step), overridden=newest.findings if newest else None)


@verb
def answer(
    *,
    by: Actor,
    order: Order,
    rule: ScreeningRule,
    value: str,
    measured_on: date | None = None,
    note: str = "",
) -> ScreeningAnswer:
    """Keep an answer of the patient of an order; every open order of theirs is looked at again.

    value: "yes" or "no", a number, or a Pregnancy Status. measured_on: the day of a value, from which on it holds.
    Raises InvalidValue.
    """
    _check(rule, value, measured_on)
    orders = _open_orders(order.patient, also=order)
    order = next(one for one in orders if one.pk == order.pk)
    given = ScreeningAnswer.new(
        patient=order.patient,
        order=order,
        rule=rule,
        value=value,
        measured_on=measured_on,
        note=note,
        answered_by=by.name,
        expires_at=_expiry(rule, order, measured_on),
    )
    data = {"rule": rule.pk, "question": rule.question, "answer": value, "note": note}
    if given.measured_on:
        data["measured_on"] = given.measured_on.isoformat()
    Event.objects.record(EventKind.QUESTION_ANSWERED, by=by, patient=order.patient, order=order, data=data)
    _refresh(orders, by=by)
    return given


def _check(rule: ScreeningRule, value: str, measured_on: date | None) -> None:
    if measured_on and measured_on > timezone.localdate():
        raise InvalidValue(_("The day of the value is still to come."), field="measured_on")
    if rule.topic == Topic.KIDNEY and measured_on is None:
        raise InvalidValue(_("On which day was the value taken?"), field="measured_on")
    if rule.topic in NUMBERS:
        try:
            fits = 0 < number(value) <= LARGEST
        except ValueError:
            fits = False
        if not fits:
            raise InvalidValue(_("Enter a number above 0."), field="value")
        return
    known = [str(one) for one in PregnancyStatus.values] if rule.topic == Topic.PREGNANCY else ["yes", "no"]
    if value not in known:
        raise InvalidValue(_("Choose one of the answers."), field="value")


def _expiry(rule: ScreeningRule, order: Order, measured_on: date | None) -> datetime | None:
    if rule.span is None:
        return None
    if measured_on is None:
        return timezone.now() + rule.span
    return datetime.combine(measured_on, time(), tzinfo=order.site.zone) + rule.span


@verb
def override(*, by: Actor, step: ScheduledProcedureStep, reason: str) -> None:
    """Let a step that is held back onto the worklist, in spite of what is open or positive now.

    It is held back again when something else turns up. Raises InvalidValue without a reason, ForbiddenMove when the
    step is not held back.
    """
    if not reason.strip():
        raise InvalidValue(_("Please say why."), field="reason")
    (order,) = _locked(Order.objects.filter(procedures__steps=step.pk))
    step = _steps([order]).get(pk=step.pk)
    step.requested_procedure.order = order
    found = judge(step.requested_procedure, occasion_of(step))
    if step.gate not in SHUT or not found.held_back:
        raise ForbiddenMove(_("This exam is not held back."), field="step")
    marks = [finding.mark for finding in found.held_back]
    GateOverride.new(step=step, findings=marks, reason=reason, overridden_by=by.name)
    verdict = Verdict(found.findings, overridden=True)
    diff = step.change(**verdict.columns())
    told = {"changes": _shown(diff), "in spite of": [finding.rule.question for finding in found.held_back]}
    order_ = step.requested_procedure.order
    Event.objects.record(
        EventKind.STEP_OVERRIDDEN, by=by, patient=order_.patient, order=order_, step=step, reason=reason, data=told
    )


def tell_new(step: ScheduledProcedureStep, *, by: Actor) -> None:
    """Tell of a new step that it is held back, if it is."""
    if step.gate in SHUT:
        rollup.tell(EventKind.STEP_HELD_BACK, by=by, step=step, diff={"gate": ["", step.gate]})


def refresh(step: ScheduledProcedureStep, *, by: Actor) -> None:
    """Bring the gate of a step up to date whose order the caller has locked.

    It asks the database nothing where no question is in use.
    """
    if step.state not in BEFORE_START or not (step.gate or rules()):
        return
    diff = step.change(**verdict_of(step).columns())
    if "gate" in diff:
        kind = EventKind.STEP_HELD_BACK if step.gate in SHUT else EventKind.STEP_CLEARED
        rollup.tell(kind, by=by, step=step, diff=_shown(diff))


def _shown(diff: Diff) -> Diff:
    """Return what people are told of a change: not until when a gate is shut for ever."""
    return {name: pair for name, pair in diff.items() if name != "gate_until"}


def patient_changed(patient: Patient, changed: Collection[str], *, by: Actor) -> None:
    """Look at a patient's open orders again after their record was changed by a verb that has locked the patient.

    What the record says now is newer than what was answered about it before, which is out of date from now on.
    """
    if not rules():
        return
    topics = [topic for topic, column in RECORD.items() if column in changed]
    if topics:
        stale = ScreeningAnswer.objects.filter(patient=patient, rule__topic__in=topics, withdrawn_at__isnull=True)
        stale.update(withdrawn_at=timezone.now())
    _refresh(_open_orders(patient), by=by)


def patient_merged(patient: Patient, *, by: Actor) -> None:
    """Look at a patient's open orders again after a merge or its undoing."""
    if rules():
        _refresh(_open_orders(patient), by=by)


@verb
def rules_changed(*, by: Actor) -> int:
    """Look at every step again that has not begun, after a question was changed; returns how many gates moved."""
    steps = ScheduledProcedureStep.objects.filter(state__in=BEFORE_START)
    return _refresh(_locked(Order.objects.filter(procedures__steps__in=steps)), by=by)


@verb
def close_expired(*, by: Actor) -> int:
    """Hold back the steps whose answers have run out; returns how many. The query hides them by itself meanwhile."""
    over = ScheduledProcedureStep.objects.filter(
        gate=Gate.CLEARED, gate_until__lte=timezone.now(), state__in=BEFORE_START
    )
    chosen = list(over.order_by("pk").values_list("requested_procedure__order", flat=True)[:_MOST])
    chosen += _unasked()
    return _refresh(_locked(Order.objects.filter(pk__in=chosen)), by=by)


def _unasked() -> list[int]:
    """Return orders that changed lately and have a step without a gate that a question may be for.

    They may have come while a question was being changed, from a process that did not know it yet.
    """
    asked = Q(pk__in=())
    for rule in rules():
        asked |= Q(requested_procedure__exam=rule.exam_id) if rule.exam_id else Q(modality=rule.modality)
    changed = Event.objects.filter(at__gte=timezone.now() - _LATELY, order__isnull=False).order_by().values("order")
    steps = ScheduledProcedureStep.objects.filter(
        asked, gate="", state__in=BEFORE_START, requested_procedure__order__in=changed
    )
    return list(steps.order_by("-pk").values_list("requested_procedure__order", flat=True)[:_MOST])


def _open_orders(patient: Patient, also: Order | None = None) -> list[Order]:
    orders = Order.objects.filter(patient=patient, state__in=OPEN_ORDERS)
    return _locked(orders | Order.objects.filter(pk=also.pk) if also else orders)


def _locked(orders: QuerySet[Order]) -> list[Order]:
    """Lock orders, each once however many of its steps were asked for."""
    return locked_orders(Order.objects.filter(pk__in=orders.values("pk")).prefetch_related("patient", "site"))


def _steps(orders: Iterable[Order]) -> QuerySet[ScheduledProcedureStep]:
    steps = ScheduledProcedureStep.objects.filter(requested_procedure__order__in=orders)
    return steps.select_related("requested_procedure__exam", "station").order_by("pk")


def _refresh(orders: list[Order], *, by: Actor) -> int:
    """Bring the gates of all steps of locked orders up to date; returns how many moved."""
    by_key = {order.pk: order for order in orders}
    procedures: dict[int, RequestedProcedure] = {}
    moved = 0
    for step in _steps(orders).filter(state__in=BEFORE_START):
        procedure = procedures.setdefault(step.requested_procedure_id, step.requested_procedure)
        procedure.order = by_key[procedure.order_id]
        step.requested_procedure = procedure
        before = step.gate
        refresh(step, by=by)
        moved += step.gate != before
    return moved
