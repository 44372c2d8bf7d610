"""The worklist as a station sees it, for screens."""

from dataclasses import dataclass
from datetime import date

from pydicom.dataset import Dataset

from worklist.attributes import ATTRIBUTES, STEP_SEQUENCE
from worklist.describe import Line, as_lines
from worklist.query import Caller, find


@dataclass(frozen=True)
class Preview:
    """One step as the station would be sent it."""

    step_id: int
    data_set: Dataset
    lines: list[Line]


@dataclass(frozen=True)
class Listing:
    """A station's list. left_out: steps that would be on it but for a value that DICOM cannot write: id -> keyword."""

    previews: list[Preview]
    left_out: dict[int, str]


def station_worklist(ae_title: str, day: date | None = None) -> Listing:
    """Return what the station with this AE title gets when it asks for itself and one day, with every key.

    day: at the station's site; None asks for all days. Raises worklist.errors.QueryError as a scanner's query would.
    """
    result = find(usual_query(ae_title, day), Caller(ae_title))
    previews = [Preview(one.step_id, one.data_set, list(as_lines(one.data_set))) for one in result]
    return Listing(previews, result.faults)


def usual_query(ae_title: str, day: date | None) -> Dataset:
    """Return the identifier of a device that asks for itself and one day, with every attribute of the table."""
    step = Dataset()
    for attribute in STEP_SEQUENCE.items:
        setattr(step, attribute.keyword, [] if attribute.vr == "SQ" else None)
    step.ScheduledStationAETitle = ae_title
    step.ScheduledProcedureStepStartDate = day.strftime("%Y%m%d") if day else ""
    identifier = Dataset()
    for attribute in ATTRIBUTES:
        setattr(identifier, attribute.keyword, [] if attribute.vr == "SQ" else None)
    identifier.ScheduledProcedureStepSequence = [step]
    return identifier
