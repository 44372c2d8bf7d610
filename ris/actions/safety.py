"""What the safety questions of a step come to: which apply, how they were answered, whether scanners may see it.

Reads and decides; ris.actions.gate writes. What the patient's record says (allergies, pregnancy, weight; PID, AL1, OBX,
PV1-15) counts as an answer until somebody answers the question itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils import timezone

from ris.actions import catalogue
from ris.models import (
    CLOSED,
    Effect,
    Exam,
    Gate,
    Order,
    Patient,
    PregnancyStatus,
    RequestedProcedure,
    ScreeningAnswer,
    ScreeningRule,
    Sex,
    Station,
    Tells,
    Topic,
)
from ris.models.catalog import age_on
from ris.shortening import shortened

OPEN, POSITIVE, NEGATIVE = "open", "positive", "negative"
ALERTS_LENGTH, NEEDS_LENGTH = 250, 64

RECORD: dict[str, str] = {
    Topic.ALLERGY: "allergies",
    Topic.PREGNANCY: "pregnancy_status",
    Topic.WEIGHT: "weight",
}
"""Topic -> column of Patient that answers it."""
FACTS = frozenset({*RECORD.values(), "birth_date", "sex"})
"""Columns of Patient that decide about questions."""


@dataclass(frozen=True)
class Occasion:
    """What the questions of a step depend on besides its procedure."""

    modality: str
    contrast_agent: str
    start: datetime | None
    station: Station | None


@dataclass(frozen=True)
class Finding:
    """One question of a step and how it stands. answer: None where nobody answered or the record did (`recorded`)."""

    rule: ScreeningRule
    status: str
    value: str = ""
    answer: ScreeningAnswer | None = None
    recorded: bool = False

    @property
    def holds_back(self) -> bool:
        """Whether it keeps the step off the worklist."""
        effect = {OPEN: self.rule.when_open, POSITIVE: self.rule.when_positive}.get(self.status)
        return effect == Effect.HOLD

    @property
    def expires_at(self) -> datetime | None:
        """Until when the answer holds."""
        return self.answer.expires_at if self.answer else None

    @property
    def mark(self) -> list[Any]:
        """How an override names it."""
        return [self.rule.pk, self.status]


@dataclass(frozen=True)
class Verdict:
    """What all questions of a step come to."""

    findings: list[Finding] = field(default_factory=list)
    overridden: bool = False

    @property
    def held_back(self) -> list[Finding]:
        """The findings that keep the step off the worklist."""
        return [finding for finding in self.findings if finding.holds_back]

    @property
    def gate(self) -> str:
        """The step's `gate`; empty where no question applies."""
        if not self.findings:
            return ""
        if not self.held_back:
            return Gate.CLEARED
        if self.overridden:
            return Gate.OVERRIDDEN
        return Gate.POSITIVE if any(finding.status == POSITIVE for finding in self.held_back) else Gate.OPEN

    def columns(self) -> dict[str, Any]:
        """Return the columns of the step that follow."""
        gate = self.gate
        return {
            "gate": gate,
            "gate_until": self._until(gate),
            "gate_alerts": self._told(Tells.ALERTS, ALERTS_LENGTH),
            "gate_needs": self._told(Tells.NEEDS, NEEDS_LENGTH),
            "gate_pregnancy": self._pregnancy(),
        }

    def _until(self, gate: str) -> datetime | None:
        if gate in (Gate.OPEN, Gate.POSITIVE):
            return CLOSED
        ends = [one.expires_at for one in self.findings if one.expires_at and one.rule.when_open == Effect.HOLD]
        return min(ends, default=None) if gate == Gate.CLEARED else None

    def _told(self, where: str, longest: int) -> str:
        """Return the words for the scanner: a question mark behind what nobody has answered, dots for the rest."""
        words = [
            one.rule.alert + ("?" if one.status == OPEN else "")
            for one in self.findings
            if one.rule.tells == where and one.status != NEGATIVE
        ]
        told = "; ".join(dict.fromkeys(words))
        return shortened(told, longest)

    def _pregnancy(self) -> int | None:
        for one in self.findings:
            if one.rule.topic == Topic.PREGNANCY:
                return int(one.value) if one.value else PregnancyStatus.UNKNOWN
        return None


def rules() -> list[ScreeningRule]:
    """Return the questions in use, kept in memory for a second."""
    return catalogue.remembered("screening", lambda: list(ScreeningRule.objects.filter(active=True)))


def applying(exam: Exam | None, patient: Patient, occasion: Occasion, day: date) -> list[ScreeningRule]:
    """Return the questions that a step's exam, modality, contrast agent and patient call for."""
    return [
        rule
        for rule in rules()
        if (rule.exam_id == (exam.pk if exam else 0) if rule.exam_id else rule.modality == occasion.modality)
        and (occasion.contrast_agent or not rule.only_with_contrast)
        and _is_for(rule, patient, day)
    ]


def _is_for(rule: ScreeningRule, patient: Patient, day: date) -> bool:
    """Tell whether a patient is asked; where sex or age is not known they are."""
    if rule.sex and patient.sex in (Sex.MALE, Sex.FEMALE) and patient.sex != rule.sex:
        return False
    if patient.birth_date is None:
        return True
    age = age_on(day, patient.birth_date)
    return (rule.min_age is None or age >= rule.min_age) and (rule.max_age is None or age <= rule.max_age)


def judge(
    procedure: RequestedProcedure,
    occasion: Occasion,
    *,
    overridden: Sequence[Sequence[Any]] | None = None,
    answers: Sequence[ScreeningAnswer] | None = None,
) -> Verdict:
    """Return what the questions of a step come to; no question is asked of the database where none applies.

    overridden: the marks of the findings in spite of which somebody let the step through. answers: of the patient, the
    newest first, read here where None. An answer must hold at the time of the exam.
    """
    if not rules():
        return Verdict()
    order = procedure.order
    at = max(occasion.start or timezone.now(), timezone.now())
    asked = applying(procedure.exam, order.patient, occasion, at.astimezone(order.site.zone).date())
    if not asked:
        return Verdict()
    if answers is None:
        answers = answers_of(order.patient)
    findings = [_finding(rule, order, occasion, at, answers) for rule in asked]
    held = [finding.mark for finding in findings if finding.holds_back]
    return Verdict(findings, overridden is not None and all(mark in overridden for mark in held))


def answers_of(patient: Patient) -> list[ScreeningAnswer]:
    """Return the answers of a patient and of those merged into them that are not out of date, the newest first."""
    keys = level = [patient.pk]
    while level:  # a merge leaves the answers with whom they were given for, and merges follow each other
        level = list(Patient.objects.filter(merged_into__in=level).order_by().values_list("pk", flat=True))
        keys = keys + level
    return list(ScreeningAnswer.objects.filter(patient__in=keys, withdrawn_at__isnull=True).order_by("-pk"))


def _finding(
    rule: ScreeningRule, order: Order, occasion: Occasion, at: datetime, answers: Iterable[ScreeningAnswer]
) -> Finding:
    for answer in answers:
        if answer.rule_id == rule.pk and (rule.valid_for or answer.order_id == order.pk):
            # The newest answer counts, also when it is out of date: an older one is no better.
            if answer.expires_at is not None and answer.expires_at <= at:
                return Finding(rule, OPEN, answer=answer)
            return Finding(rule, status_of(rule, answer.value, occasion.station), answer.value, answer)
    recorded = _recorded(rule, order.patient)
    if recorded:
        return Finding(rule, status_of(rule, recorded, occasion.station), recorded, recorded=True)
    return Finding(rule, OPEN)


def _recorded(rule: ScreeningRule, patient: Patient) -> str:
    """Return what the patient's record answers, empty where it does not."""
    column = RECORD.get(rule.topic)
    value = getattr(patient, column) if column else None
    if rule.topic == Topic.ALLERGY:
        return "yes" if value else ""
    return "" if value is None else str(value)


def status_of(rule: ScreeningRule, value: str, station: Station | None) -> str:
    """Return what an answer means: positive, negative, or open where it says that it is not known."""
    if rule.topic == Topic.PREGNANCY:
        meant = {PregnancyStatus.NOT_PREGNANT: NEGATIVE, PregnancyStatus.UNKNOWN: OPEN}
        return meant.get(PregnancyStatus(int(value)), POSITIVE)
    if rule.topic == Topic.KIDNEY:
        return POSITIVE if rule.limit is not None and number(value) < rule.limit else NEGATIVE
    if rule.topic == Topic.WEIGHT:
        limit = rule.limit if rule.limit is not None else station.max_weight if station else None
        return POSITIVE if limit is not None and number(value) > limit else NEGATIVE
    return POSITIVE if value == "yes" else NEGATIVE


def number(value: str) -> Decimal:
    """Return an answer that is a number. Raises ValueError."""
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise ValueError(value) from None
    if not found.is_finite():
        raise ValueError(value)
    return found
