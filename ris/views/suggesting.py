"""Which order an unscheduled performed step is likely to belong to, and why. Suggestions only: a person decides."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ris import person_name
from ris.errors import InvalidValue
from ris.models import PatientIdentifier, PerformedLink, PerformedProcedureStep, ScheduledProcedureStep
from ris.states import StepState

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

SHOWN = 5
LOOKED_AT = 300
"""Steps that are weighed; the nearest in time first."""
AROUND = timedelta(days=2)
ENOUGH = 20
"""Points below which a step is not suggested: the station and the time alone are not enough on a busy day."""


@dataclass(frozen=True)
class Clue:
    """One thing that a step and a performed one may have in common. points: how much it says."""

    words: "_StrPromise"
    points: int
    holds: "Callable[[_Weighed], bool]"


@dataclass
class Suggestion:
    """A step, what speaks for it, and what against it."""

    step: ScheduledProcedureStep
    points: int = 0
    reasons: list["_StrPromise"] = field(default_factory=list)
    doubts: list["_StrPromise"] = field(default_factory=list)


@dataclass(frozen=True)
class _Weighed:
    """A step beside the performed one. patients: who has the number that the scanner says."""

    step: ScheduledProcedureStep
    performed: PerformedProcedureStep
    patients: frozenset[int]

    def item_has(self, name: str, value: str) -> bool:
        return any(value and item.get(name) == value for item in self.performed.items)

    @property
    def minutes(self) -> float:
        """How far the two are apart in time; very far where the step has no time."""
        start = self.step.start
        return abs((start - self.performed.start).total_seconds()) / 60 if start else float("inf")

    def same_patient(self) -> bool:
        return self.step.requested_procedure.order.patient_id in self.patients

    def same_name(self) -> bool:
        patient = self.step.requested_procedure.order.patient
        said = person_name.fold(str(self.performed.said.get("name", "")).partition("=")[0]).rstrip("^")
        return bool(said) and said == patient.patient_name_folded

    def same_birth_date(self) -> bool:
        born = self.step.requested_procedure.order.patient.birth_date
        return born is not None and self.performed.said.get("birth_date") == born.isoformat()


FOR: tuple[Clue, ...] = (
    Clue(
        _("the study UID is the same"),
        50,
        lambda both: both.item_has("study_instance_uid", both.step.requested_procedure.study_instance_uid),
    ),
    Clue(
        _("the accession number is the same"),
        40,
        lambda both: both.item_has("accession_number", both.step.requested_procedure.order.accession_number),
    ),
    Clue(_("the patient's number is the same"), 30, _Weighed.same_patient),
    Clue(_("the patient's name is the same"), 15, _Weighed.same_name),
    Clue(_("the birth date is the same"), 10, _Weighed.same_birth_date),
    Clue(
        _("it was planned for this station"),
        8,
        lambda both: both.step.station_id is not None and both.step.station_id == both.performed.station_id,
    ),
    Clue(_("it was planned for about this time"), 8, lambda both: both.minutes <= 45),
    Clue(_("it is of the same day"), 3, lambda both: 45 < both.minutes <= 12 * 60),
    Clue(_("the modality is the same"), 2, lambda both: both.step.modality == both.performed.modality),
    Clue(_("the exam has begun without a scanner's report"), 4, lambda both: both.step.state == StepState.STARTED),
)
AGAINST: tuple[Clue, ...] = (
    Clue(
        _("the patient has another number"),
        15,
        lambda both: bool(both.performed.said.get("id")) and not both.same_patient(),
    ),
    Clue(
        _("the birth date is another"),
        25,
        lambda both: (
            bool(both.performed.said.get("birth_date"))
            and both.step.requested_procedure.order.patient.birth_date is not None
            and not both.same_birth_date()
        ),
    ),
    Clue(_("the modality is another"), 15, lambda both: both.step.modality not in ("", both.performed.modality)),
)


def likely(performed: PerformedProcedureStep) -> list[Suggestion]:
    """Return the steps that a performed one may have been, the likeliest first."""
    patients = _known_as(performed)
    found = [_weigh(_Weighed(step, performed, patients)) for step in _candidates(performed, patients)]
    good = [one for one in found if one.points >= ENOUGH]
    return sorted(good, key=lambda one: (-one.points, one.step.pk))[:SHOWN]


def named(performed: PerformedProcedureStep, number: str) -> list[Suggestion]:
    """Return the steps of an accession number, or the one of a step ID, with what speaks for and against each.

    Raises InvalidValue where there is none that can be linked.
    """
    patients, number = _known_as(performed), number.upper()
    whose = Q(sps_id=number) | Q(requested_procedure__order__accession_number=number)
    found = list(_steps().filter(whose).order_by("pk")[:LOOKED_AT])
    if not found:
        raise InvalidValue(gettext("No exam has this accession number or step ID."), field="number")
    open_ones = [step for step in found if step.state != StepState.CANCELED]
    if not open_ones:
        raise InvalidValue(gettext("The exam was cancelled; place the order again."), field="number")
    linked = set(PerformedLink.objects.active().filter(performed=performed).values_list("step", flat=True))
    left = [step for step in open_ones if step.pk not in linked]
    if not left:
        raise InvalidValue(gettext("The exam is linked already."), field="number")
    return [_weigh(_Weighed(step, performed, patients)) for step in left]


def _weigh(both: _Weighed) -> Suggestion:
    found = Suggestion(both.step)
    for clue in FOR:
        if clue.holds(both):
            found.points += clue.points
            found.reasons.append(clue.words)
    for clue in AGAINST:
        if clue.holds(both):
            found.points -= clue.points
            found.doubts.append(clue.words)
    return found


def _known_as(performed: PerformedProcedureStep) -> frozenset[int]:
    """Return the patients who have the number that the scanner says, whoever gave it; of merged ones the survivor."""
    number = str(performed.said.get("id", ""))
    rows = PatientIdentifier.objects.filter(value=number).select_related("patient__merged_into") if number else ()
    return frozenset(row.patient.survivor().pk for row in rows)


def _steps() -> QuerySet[ScheduledProcedureStep]:
    """Return all steps, with what the weighing and the page look at."""
    rows = ScheduledProcedureStep.objects.select_related(
        "station__site", "requested_procedure__exam", "requested_procedure__order__patient"
    )
    return rows.prefetch_related("requested_procedure__order__patient__identifiers")


def _candidates(performed: PerformedProcedureStep, patients: frozenset[int]) -> list[ScheduledProcedureStep]:
    """Return the steps to weigh: those of the patient and the study, and those around the time."""
    done = PerformedLink.objects.active().filter(step__state=StepState.COMPLETED).values("step")
    steps = (
        _steps()
        .exclude(state=StepState.CANCELED)
        .exclude(pk__in=done)
        .exclude(pk__in=PerformedLink.objects.active().filter(performed=performed).values("step"))
    )
    named = Q()
    for item in performed.items:
        for name, path in (
            ("accession_number", "requested_procedure__order__accession_number"),
            ("study_instance_uid", "requested_procedure__study_instance_uid"),
        ):
            if item.get(name):
                named |= Q(**{path: item[name]})
    theirs = Q(requested_procedure__order__patient__in=patients)
    near = Q(start__gte=performed.start - AROUND, start__lt=performed.start + AROUND, modality=performed.modality)
    first = list(steps.filter(named | theirs if named else theirs).order_by("-pk")[:LOOKED_AT])
    known = {step.pk for step in first}
    return first + [step for step in steps.filter(near).order_by("start")[:LOOKED_AT] if step.pk not in known]
