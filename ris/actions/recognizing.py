"""Which scheduled step a scanner means: by identifiers only, never by patient, station or time.

A Scheduled Step Attributes Sequence item names its step by step ID, accession number and study UID. The first of these
that finds exactly one step decides; where they contradict each other nothing is decided and a person has to look.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from ris import person_name
from ris.models import LinkedBy, Patient, PerformedProcedureStep, ScheduledProcedureStep
from ris.states import StepState

Item = Mapping[str, str]
"""study_instance_uid, accession_number, requested_procedure_id and sps_id as a scanner sent them; empty where not."""

_MOST = 50  # steps of one accession number or study
_OVER = (StepState.COMPLETED, StepState.DISCONTINUED)


@dataclass(frozen=True)
class Found:
    """The step that an item names, and what it was found by."""

    step: ScheduledProcedureStep
    linked_by: LinkedBy
    item: Item


def find(item: Item, performed: PerformedProcedureStep) -> Found | None:
    """Return the step of an item; None where it names none, more than one, or contradicts itself."""
    rows = ScheduledProcedureStep.objects.select_related("requested_procedure__order")
    for linked_by, condition in _ways(item):
        step = _only(rows.filter(condition).order_by("pk")[:_MOST], performed)
        if step is not None:
            return None if contradicts(item, step) else Found(step, linked_by, item)
    return None


def _ways(item: Item) -> Iterable[tuple[LinkedBy, Q]]:
    """Return the conditions to try, in their order."""
    procedure = "requested_procedure__"
    if item["sps_id"]:
        yield LinkedBy.SPS_ID, Q(sps_id=item["sps_id"])
    if item["accession_number"]:
        order = Q(**{f"{procedure}order__accession_number": item["accession_number"]})
        if item["requested_procedure_id"]:
            number = Q(**{f"{procedure}requested_procedure_id": item["requested_procedure_id"]})
            yield LinkedBy.ACCESSION, order & number
        yield LinkedBy.ACCESSION, order
    uid = item["study_instance_uid"]
    if uid:
        # A procedure that took the UID of an unscheduled exam is still known by the one that it had.
        before = Q(performances__study_uid_before=uid, performances__undone_at__isnull=True)
        yield LinkedBy.STUDY_UID, Q(**{f"{procedure}study_instance_uid": uid}) | before


def _only(rows: Iterable[ScheduledProcedureStep], performed: PerformedProcedureStep) -> ScheduledProcedureStep | None:
    """Return the one step that is meant; of several, what tells scheduled steps apart may leave one."""
    left = list({step.pk: step for step in rows}.values())
    narrower: tuple[Callable[[ScheduledProcedureStep], bool], ...] = (
        lambda step: step.state != StepState.CANCELED,
        lambda step: step.modality == performed.modality,
        lambda step: step.station_id is not None and step.station_id == performed.station_id,
        lambda step: step.state not in _OVER,
    )
    for fits in narrower:
        if len(left) > 1:
            left = [step for step in left if fits(step)] or left
    return left[0] if len(left) == 1 else None


def contradicts(item: Item, step: ScheduledProcedureStep) -> bool:
    """Tell whether an item names another order than the step's."""
    procedure = step.requested_procedure
    return _differ(item["accession_number"], procedure.order.accession_number) or (
        _differ(item["requested_procedure_id"], procedure.requested_procedure_id) and item["sps_id"] != step.sps_id
    )


def _differ(said: str, known: str) -> bool:
    return bool(said) and said != known


def is_somebody_else(patient: Patient, said: Mapping[str, Any]) -> bool:
    """Tell whether a scanner names another patient than the order's. What it does not say is no difference.

    A number of a record that was merged into the patient's is theirs. A name may have changed since the scanner read
    it, so it counts only where neither number nor birth date is the same.
    """
    if said.get("id") and not _has_number(patient, said["id"]):
        return True
    born = patient.birth_date.isoformat() if patient.birth_date else ""
    if said.get("birth_date") and born:
        return bool(said["birth_date"] != born)
    name = person_name.fold(str(said.get("name", "")).partition("=")[0]).rstrip("^")
    return (
        bool(name) and not said.get("id") and bool(patient.patient_name_folded) and name != patient.patient_name_folded
    )


def _has_number(patient: Patient, number: str) -> bool:
    """Tell whether a number is the patient's; where identifiers were read along, most need no query."""
    return any(number == one.value for one in patient.identifiers.all()) or number in _numbers(patient)


def _numbers(patient: Patient) -> set[str]:
    """Return all numbers of a patient, and of the records that were merged into theirs."""
    found: set[str] = set()
    level = [patient.pk]
    while level:
        found |= set(Patient.objects.filter(pk__in=level).values_list("identifiers__value", flat=True))
        level = list(Patient.objects.filter(merged_into__in=level).order_by().values_list("pk", flat=True))
    return found
