"""The safety questions of the demo department, and how its people are asked them."""

from collections.abc import Sequence
from typing import Any

from ris.actions import gate
from ris.actor import Actor
from ris.models import Effect, Order, PregnancyStatus, ScheduledProcedureStep, ScreeningRule, Topic
from ris.models.examrows import Unit

HOLD, TELL = Effect.HOLD, Effect.TELL

QUESTIONS: Sequence[dict[str, Any]] = (
    {
        "question": "Is there a pacemaker, a pump or another active implant?",
        "topic": Topic.IMPLANT,
        "modality": "MR",
        "alert": "Active implant",
        "when_open": HOLD,
        "when_positive": HOLD,
    },
    {
        "question": "Is there metal in the body: clips, joints, splinters?",
        "topic": Topic.IMPLANT,
        "modality": "MR",
        "alert": "Metal in the body",
        "when_open": HOLD,
        "when_positive": TELL,
    },
    {
        "question": "Kidney function (eGFR, mL/min)",
        "topic": Topic.KIDNEY,
        "limit": 30,
        "modality": "CT",
        "only_with_contrast": True,
        "valid_for": 4,
        "unit": Unit.WEEKS,
        "alert": "Kidney function",
        "when_open": TELL,
        "when_positive": HOLD,
    },
    {
        "question": "Was there ever a reaction to contrast media?",
        "topic": Topic.ALLERGY,
        "modality": "CT",
        "only_with_contrast": True,
        "valid_for": 26,
        "unit": Unit.WEEKS,
        "alert": "Reaction to contrast media",
        "when_open": TELL,
        "when_positive": TELL,
    },
    {
        "question": "Could the patient be pregnant?",
        "topic": Topic.PREGNANCY,
        "modality": "CT",
        "sex": "F",
        "min_age": 12,
        "max_age": 55,
        "alert": "Pregnancy",
        "when_open": TELL,
        "when_positive": HOLD,
    },
)
"""The first two keep an MR off the worklist until somebody has asked."""


def make() -> None:
    """Put the questions into the catalogue."""
    for rank, values in enumerate(QUESTIONS, start=1):
        ScreeningRule.new(rank=rank, **values)


def ask_when_booked(order: Order, number: int, *, by: Actor) -> None:
    """Ask on the phone: of every five who are booked two are asked all, and one only the first question."""
    if number % 5 in (0, 1):
        _ask(order, by=by)
    elif number % 5 == 2:
        _ask(order, by=by, most=1)


def ask_at_the_door(order: Order, step: ScheduledProcedureStep, *, by: Actor) -> None:
    """Ask what is still open of somebody who is there, so that the exam can begin."""
    step.refresh_from_db(fields=["gate", "gate_until"])
    if gate.is_shut(step):
        _ask(order, by=by)


def _ask(order: Order, *, by: Actor, most: int = 100) -> None:
    open_rules: dict[int, ScreeningRule] = {}
    steps = ScheduledProcedureStep.objects.filter(requested_procedure__order=order).exclude(gate="")
    for step in steps.select_related("requested_procedure__exam", "station").order_by("pk"):
        step.requested_procedure.order = order
        for finding in gate.verdict_of(step).findings:
            if finding.status == "open" and finding.rule.topic != Topic.KIDNEY:
                open_rules[finding.rule.pk] = finding.rule
    for rule in list(open_rules.values())[:most]:
        value = str(PregnancyStatus.NOT_PREGNANT.value) if rule.topic == Topic.PREGNANCY else "no"
        gate.answer(by=by, order=order, rule=rule, value=value)
