"""The table of MPPS attributes against PS3.4 table F.7.2-1, written down once more; and each item of a group."""

import pytest
from pydicom.tag import Tag
from pydicom.uid import generate_uid

from ris.models import PerformedProcedureStep
from tests.worklist.performing import ask, creation, scheduled
from worklist.dimse import Command
from worklist.mpps_rules import MOST_SCHEDULED, RULES, SCHEDULED, SERIES

STANDARD = {
    ("1", "-", ""): "ScheduledStepAttributesSequence PerformedProcedureStepID PerformedStationAETitle Modality"
    " PerformedProcedureStepStartDate PerformedProcedureStepStartTime",
    ("1", "3", ""): "PerformedProcedureStepStatus",
    ("2", "-", ""): "PatientName PatientID PatientBirthDate PatientSex ReferencedPatientSequence PerformedStationName"
    " PerformedLocation StudyID",
    ("2", "3", ""): "PerformedProcedureStepDescription PerformedProcedureTypeDescription ProcedureCodeSequence"
    " PerformedProcedureStepEndDate PerformedProcedureStepEndTime PerformedProtocolCodeSequence"
    " PerformedSeriesSequence",
    ("3", "3", ""): "PerformedProcedureStepDiscontinuationReasonCodeSequence CommentsOnThePerformedProcedureStep",
    ("1", "-", SCHEDULED): "StudyInstanceUID",
    ("2", "-", SCHEDULED): "ReferencedStudySequence AccessionNumber RequestedProcedureID ScheduledProcedureStepID"
    " RequestedProcedureDescription ScheduledProcedureStepDescription ScheduledProtocolCodeSequence",
    ("1", "1", SERIES): "ProtocolName SeriesInstanceUID",
    (
        "2",
        "2",
        SERIES,
    ): "PerformingPhysicianName OperatorsName SeriesDescription RetrieveAETitle ReferencedImageSequence"
    " ReferencedNonImageCompositeSOPInstanceSequence",
}
"""Types for N-CREATE and N-SET ("-" is not allowed), sequence -> keywords."""


@pytest.mark.parametrize(("types", "keywords"), STANDARD.items(), ids=str)
def test_the_table_says_what_the_standard_says(types: tuple[str, str, str], keywords: str) -> None:
    ours = {rule.keyword: (rule.create, rule.set, rule.within) for rule in RULES}
    assert {keyword: ours[keyword] for keyword in keywords.split()} == dict.fromkeys(keywords.split(), types)


@pytest.mark.django_db
@pytest.mark.parametrize("place", [0, 1, 2])
def test_each_step_of_a_group_has_its_study(place: int) -> None:
    """What is asked of one item is asked of all, and what is noted of one is noted of any."""
    items = [scheduled(study=generate_uid()) for _ in range(3)]
    del items[place].AccessionNumber
    uid = generate_uid()
    assert ask(Command.N_CREATE, uid, creation(*items)).status == 0
    doubts = PerformedProcedureStep.objects.get(sop_instance_uid=uid).doubts
    assert [doubt for doubt in doubts if doubt.startswith("missing")] == ["missing:AccessionNumber"]
    del items[place].StudyInstanceUID
    outcome = ask(Command.N_CREATE, generate_uid(), creation(*items))
    assert (outcome.status, outcome.tags) == (0x0120, (Tag("StudyInstanceUID"),))


@pytest.mark.django_db
def test_a_group_without_measure_is_refused_before_it_is_looked_for() -> None:
    """Eight megabytes of items would keep one of four threads for minutes."""
    items = [scheduled(study=generate_uid()) for _ in range(MOST_SCHEDULED + 1)]
    outcome = ask(Command.N_CREATE, generate_uid(), creation(*items))
    assert (outcome.status, outcome.tags) == (0x0106, (Tag("ScheduledStepAttributesSequence"),))
    assert not PerformedProcedureStep.objects.exists()
    assert ask(Command.N_CREATE, generate_uid(), creation(*items[1:])).status == 0
