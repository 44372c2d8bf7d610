"""Identifiers as scanners write them, and answers as tests read them."""

from typing import Any

from django.test.utils import CaptureQueriesContext
from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import encode

from worklist.prepared import reply_to
from worklist.query import Caller, Result, find

CT1 = Caller("CT1")
SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)

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
    return find(keys(**values), CT1)


def answers(**values: Any) -> list[Dataset]:
    """Return the data sets of the answers, after a look whether the door sends just these."""
    found = [one.data_set for one in ask(**values)]
    door_sends(keys(**values), found)
    return found


def door_sends(identifier: Dataset, data_sets: list[Dataset], caller: Caller = CT1) -> None:
    """Hold the bytes that the door sends against the data sets of worklist.query as pynetdicom encodes them."""
    for uid in SYNTAXES:
        flags = uid.is_implicit_VR, uid.is_little_endian, uid.is_deflated
        asked = encode(identifier, *flags)
        assert asked is not None
        assert list(reply_to(asked, uid, caller)) == [encode(one, *flags) for one in data_sets], uid.name


def step_ids(**values: Any) -> list[str]:
    """Return the step IDs of the answers, in their order."""
    return [str(step(one).ScheduledProcedureStepID) for one in answers(**values)]


def step(data_set: Dataset) -> Dataset:
    """Return the one item of the step sequence."""
    (item,) = data_set.ScheduledProcedureStepSequence
    found: Dataset = item
    return found


def statements(taken: CaptureQueriesContext) -> list[str]:
    """Return the SQL of a query. The profiles are read beside it, once a second."""
    return [one["sql"] for one in taken.captured_queries if "stationprofile" not in one["sql"]]
