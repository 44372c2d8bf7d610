"""Identifiers as scanners write them, and answers as tests read them."""

from typing import Any

from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from worklist.query import Caller, Result, find

STEP_KEYS = frozenset(
    {
        "ScheduledStationAETitle",
        "ScheduledProcedureStepStartDate",
        "ScheduledProcedureStepStartTime",
        "Modality",
        "ScheduledPerformingPhysicianName",
        "ScheduledProcedureStepDescription",
        "ScheduledProtocolCodeSequence",
        "ScheduledStationName",
        "ScheduledProcedureStepLocation",
        "PreMedication",
        "ScheduledProcedureStepID",
        "RequestedContrastAgent",
        "ScheduledProcedureStepStatus",
        "CommentsOnTheScheduledProcedureStep",
    }
)


def keys(**values: Any) -> Dataset:
    """Return an identifier; keys of the step go into the sequence, which is always there. None is an empty key."""
    step, identifier = Dataset(), Dataset()
    for keyword, value in values.items():
        (step if keyword in STEP_KEYS else identifier).add(_element(keyword, value))
    if "ScheduledProcedureStepID" not in values:
        step.ScheduledProcedureStepID = None
    identifier.ScheduledProcedureStepSequence = [step]
    return identifier


def _element(keyword: str, value: Any) -> DataElement:
    tag = Tag(keyword)
    return DataElement(tag, dictionary_VR(tag), value, validation_mode=config.IGNORE)


def ask(**values: Any) -> Result:
    """Ask the query engine as CT1 does."""
    return find(keys(**values), Caller("CT1"))


def answers(**values: Any) -> list[Dataset]:
    """Return the data sets of the answers."""
    return [one.data_set for one in ask(**values)]


def step_ids(**values: Any) -> list[str]:
    """Return the step IDs of the answers, in their order."""
    return [str(step(one).ScheduledProcedureStepID) for one in answers(**values)]


def step(data_set: Dataset) -> Dataset:
    """Return the one item of the step sequence."""
    (item,) = data_set.ScheduledProcedureStepSequence
    found: Dataset = item
    return found
