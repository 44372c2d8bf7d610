"""What somebody asks for, before it is an order: the arguments of orders.place and orders.change."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ris.models import Exam, Station

DETAILS = (
    *("priority", "reason", "reason_codes", "diagnosis", "comments", "answers"),
    *("transport_arrangements", "intended_recipients"),
)
"""Columns of RequestedProcedure that describe it and move nothing on the schedule."""
DEFAULT_DURATION = 15
"""Minutes, for a step of an exam that the catalogue does not know."""


@dataclass(frozen=True)
class CodedEntry:
    """A code with its scheme and meaning (HL7 CE, DICOM code sequence item)."""

    code: str
    coding_scheme: str = ""
    meaning: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the entry as it is kept in a JSON column."""
        return {"code": self.code, "coding_scheme": self.coding_scheme, "meaning": self.meaning}


@dataclass(frozen=True)
class StepWish:
    """What is asked of one step of a procedure (HL7 IPC). None means "not said"."""

    sps_id: str | None = None
    description: str | None = None
    modality: str | None = None
    station: Station | None = None
    protocol_codes: tuple[CodedEntry, ...] | None = None
    comments: str | None = None


@dataclass(frozen=True)
class ProcedureRequest:
    """One procedure as asked for. None means "not said": a default when placing, no change when changing."""

    exam: Exam | None = None
    code: str | None = None
    coding_scheme: str | None = None
    meaning: str | None = None
    requested_procedure_id: str | None = None
    study_instance_uid: str | None = None
    priority: str | None = None
    reason: str | None = None
    reason_codes: list[dict[str, str]] | None = None
    diagnosis: str | None = None
    comments: str | None = None
    answers: list[dict[str, str]] | None = None
    transport_arrangements: str | None = None
    intended_recipients: str | None = None
    # Wishes for its first step; further steps of the exam follow one after the other.
    modality: str | None = None
    start: datetime | None = None
    duration: int | None = None
    station: Station | None = None
    sps_id: str | None = None
    performing_physician: str | None = None
    technologist: str | None = None
    protocol_codes: tuple[CodedEntry, ...] | None = None
    # Whether the start is a question, to be refused where it is taken or closed, and not promised to the patient yet.
    asked: bool = False
    # Wishes for each of several steps; then the catalogue does not say how many there are.
    steps: tuple[StepWish, ...] = ()

    def wish(self, number: int) -> StepWish:
        """Return what is asked of a step, counted from 0."""
        if number < len(self.steps):
            return self.steps[number]
        return StepWish(sps_id=None if number else self.sps_id, station=self.station)

    def said(self, *names: str) -> dict[str, Any]:
        """Return those of the named fields that were said."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def details(self) -> dict[str, Any]:
        """Return the columns of RequestedProcedure that only describe it, as far as they were said."""
        return self.said(*DETAILS)

    def ordered_code(self) -> dict[str, str]:
        """Return code, scheme and meaning as ordered, filled up from the catalogue."""
        said = self.said("code", "coding_scheme", "meaning")
        if self.exam is None:
            return said
        known = {
            "code": self.exam.code,
            "coding_scheme": self.exam.coding_scheme,
            "meaning": self.exam.meaning,
        }
        return known | {name: value for name, value in said.items() if value}


@dataclass(frozen=True)
class StepPlan:
    """One step to be made, worked out from the catalogue and the request."""

    description: str
    modality: str
    duration: int
    protocol_codes: list[dict[str, str]]


def plan_steps(request: ProcedureRequest, *, child: bool = False) -> list[StepPlan]:
    """Return the steps that a request leads to: those of its exam, else one as the request itself describes it.

    child: whether the exam's minutes for children count. A step takes its preparation, scan and clean-up.
    The catalogue's modality wins over the one asked for: OBR-24 often holds a section ("RAD"), not a modality.
    """
    exam = request.exam
    if len(request.steps) > 1:
        return _plan_as_asked(request, child=child)
    said = [entry.as_dict() for entry in request.protocol_codes or ()]
    if exam is None:
        description = request.meaning or request.code or ""
        return [StepPlan(description, request.modality or "", request.duration or DEFAULT_DURATION, said)]
    codes = _protocol_codes(exam)
    steps = list(exam.steps.all())
    if not steps:
        duration = request.duration or exam.minutes(child=child)
        return [StepPlan(exam.meaning, exam.modality, duration, said or codes.get(1, []))]
    return [
        StepPlan(
            step.description, step.modality or exam.modality, step.minutes(child=child), codes.get(step.number, [])
        )
        for step in steps
    ]


def _plan_as_asked(request: ProcedureRequest, *, child: bool) -> list[StepPlan]:
    """Return a step for each that is asked for; what is not said of it comes from the catalogue's step of its number.

    Steps that the catalogue does not know share the minutes of the exam. Protocol codes that came along count where the
    catalogue has none for the step.
    """
    exam = request.exam
    known = list(exam.steps.all()) if exam else []
    codes = _protocol_codes(exam) if exam else {}
    whole = request.duration or (exam.minutes(child=child) if exam else DEFAULT_DURATION * len(request.steps))
    share = max(1, whole // len(request.steps))
    plans = []
    for number, wish in enumerate(request.steps):
        step = known[number] if number < len(known) else None
        name = step.description if step else exam.meaning if exam else request.meaning or request.code or ""
        modality = wish.modality or (step.modality if step else "") or (exam.modality if exam else request.modality)
        said = [entry.as_dict() for entry in wish.protocol_codes or ()]
        plans.append(
            StepPlan(
                wish.description or name,
                modality or "",
                step.minutes(child=child) if step else share,
                (codes.get(step.number, []) if step else []) or said or codes.get(1, []),
            )
        )
    return plans


def _protocol_codes(exam: Exam) -> dict[int, list[dict[str, str]]]:
    """Return the catalogue's protocol codes of an exam: number of the step -> codes."""
    codes: dict[int, list[dict[str, str]]] = {}
    for row in exam.protocol_codes.all():
        entry = CodedEntry(row.code, row.coding_scheme, row.meaning)
        codes.setdefault(row.step_number, []).append(entry.as_dict())
    return codes
