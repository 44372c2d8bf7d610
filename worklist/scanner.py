"""What a simulated scanner does, as SCU through pynetdicom: asks for its worklist, tells what it performs.

For demos and site acceptance. It makes no images; the UIDs that it names are invented.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import CTImageStorage, generate_uid

from worklist.errors import OUT_OF_RESOURCES
from worklist.mpps_rules import text
from worklist.negotiation import MODALITY_WORKLIST_FIND, PERFORMED_STEP
from worklist.scu import Called, CallFailed, calling, comment_of, status_of

RETURN_KEYS = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyInstanceUID"),
    *("RequestedProcedureID", "RequestedProcedureDescription"),
)
STEP_KEYS = (
    *("ScheduledStationAETitle", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime", "Modality"),
    *("ScheduledProcedureStepID", "ScheduledProcedureStepDescription", "ScheduledProcedureStepStatus"),
)
REASONS = {
    "110514": "Incorrect worklist entry selected",
    "110513": "Discontinued for unspecified reason",
    "110501": "Equipment failure",
    "110500": "Doctor canceled procedure",
    "110507": "Patient did not arrive",
    "110510": "Duplicate order",
    "110512": "Incorrect side ordered",
    "110515": "Patient condition prevented continuing",
    "110516": "Equipment change",
}
"""Discontinuation reasons (PS3.16 CID 9300): code and meaning."""


@dataclass(frozen=True)
class Entry:
    """One entry of the worklist."""

    answer: Dataset

    @property
    def step(self) -> Dataset:
        """The item of its Scheduled Procedure Step Sequence."""
        found: Dataset = self.answer.ScheduledProcedureStepSequence[0]
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """Return the numbers by which it may be picked: step ID, accession number, patient ID."""
        return (
            text(self.step, "ScheduledProcedureStepID"),
            text(self.answer, "AccessionNumber"),
            text(self.answer, "PatientID"),
        )

    def __str__(self) -> str:
        """Write it as a scanner's list shows it."""
        clock = text(self.step, "ScheduledProcedureStepStartTime")
        parts = (
            f"{clock[:2]}:{clock[2:4]}",
            text(self.answer, "PatientName").replace("^", " ").strip(),
            *self.names,
            text(self.step, "ScheduledProcedureStepDescription"),
            text(self.step, "ScheduledProcedureStepStatus"),
        )
        return "  ".join(part for part in parts if part)


def worklist(called: Called, day: str) -> list[Entry]:
    """Return what the station gets for a day (YYYYMMDD). Raises CallFailed."""
    identifier, step = Dataset(), Dataset()
    for keyword in RETURN_KEYS:
        setattr(identifier, keyword, "")
    for keyword in STEP_KEYS:
        setattr(step, keyword, "")
    step.ScheduledStationAETitle, step.ScheduledProcedureStepStartDate = called.calling, day
    identifier.ScheduledProcedureStepSequence = Items([step])
    found: list[Entry] = []
    with calling(called, MODALITY_WORKLIST_FIND) as assoc:
        for status, answer in assoc.send_c_find(identifier, MODALITY_WORKLIST_FIND):
            code = status_of(status, called)
            if code in (0xFF00, 0xFF01) and answer is not None:
                found.append(Entry(answer))
            elif code != 0:
                hint = " The database may be away: try again." if code == OUT_OF_RESOURCES else ""
                raise CallFailed(f"{called} refused the query, {comment_of(status)}.{hint}")
    return found


def beginning(station: str, modality: str, entries: Sequence[Entry], now: datetime) -> Dataset:
    """Return the data set of an N-CREATE: for these entries, several being a group; none is an unscheduled step."""
    told = Dataset()
    told.SpecificCharacterSet = "ISO_IR 192"
    told.ScheduledStepAttributesSequence = Items([_scheduled(entry) for entry in entries] or [_unscheduled()])
    first = entries[0].answer if entries else Dataset()
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"):
        setattr(told, keyword, text(first, keyword))
    told.ReferencedPatientSequence = Items()
    told.PerformedProcedureStepID = f"SIM{now:%d%H%M%S}"
    told.PerformedStationAETitle = station
    told.PerformedProcedureStepStartDate, told.PerformedProcedureStepStartTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    told.PerformedProcedureStepStatus = "IN PROGRESS"
    told.Modality = text(entries[0].step, "Modality") if entries else modality
    told.PerformedProcedureStepDescription = (
        text(entries[0].step, "ScheduledProcedureStepDescription") if entries else "Unscheduled"
    )
    for keyword in (
        *("PerformedStationName", "PerformedLocation", "PerformedProcedureTypeDescription", "StudyID"),
        *("PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime"),
    ):
        setattr(told, keyword, "")
    for keyword in (
        *("ProcedureCodeSequence", "PerformedProtocolCodeSequence", "PerformedSeriesSequence"),
        # What an N-SET may say was created before (note 5 there).
        "PerformedProcedureStepDiscontinuationReasonCodeSequence",
    ):
        setattr(told, keyword, Items())
    return told


def _scheduled(entry: Entry) -> Dataset:
    item = _unscheduled()
    item.StudyInstanceUID = text(entry.answer, "StudyInstanceUID")
    for keyword in ("AccessionNumber", "RequestedProcedureID", "RequestedProcedureDescription"):
        setattr(item, keyword, text(entry.answer, keyword))
    for keyword in ("ScheduledProcedureStepID", "ScheduledProcedureStepDescription"):
        setattr(item, keyword, text(entry.step, keyword))
    return item


def _unscheduled() -> Dataset:
    item = Dataset()
    item.StudyInstanceUID = generate_uid(prefix=None)
    item.ReferencedStudySequence = item.ScheduledProtocolCodeSequence = Items()
    for keyword in (
        *("AccessionNumber", "RequestedProcedureID", "RequestedProcedureDescription"),
        *("ScheduledProcedureStepID", "ScheduledProcedureStepDescription"),
    ):
        setattr(item, keyword, "")
    return item


def ending(now: datetime, *, images: int = 0, reason: str = "") -> Dataset:
    """Return the data set of the last N-SET: completed with one series of `images`, or discontinued for a reason.

    A discontinued step has a series too, without images (PS3.4 table F.7.2-1, note 2).
    """
    told = Dataset()
    told.PerformedProcedureStepEndDate, told.PerformedProcedureStepEndTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    told.PerformedProcedureStepStatus = "DISCONTINUED" if reason else "COMPLETED"
    told.PerformedSeriesSequence = Items([_series(0 if reason else images)])
    if reason:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator = reason, "DCM"
        code.CodeMeaning = REASONS.get(reason, "Other")
        told.PerformedProcedureStepDiscontinuationReasonCodeSequence = Items([code])
    return told


def _series(images: int) -> Dataset:
    series = Dataset()
    series.PerformingPhysicianName = series.OperatorsName = series.RetrieveAETitle = ""
    series.SeriesInstanceUID = generate_uid(prefix=None)
    series.ProtocolName, series.SeriesDescription = "SIMULATION", "Simulated series"
    references = []
    for _ in range(images):
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, generate_uid(prefix=None)
        references.append(reference)
    series.ReferencedImageSequence = Items(references)
    series.ReferencedNonImageCompositeSOPInstanceSequence = Items()
    return series


def begin(called: Called, uid: str, told: Dataset) -> None:
    """Send an N-CREATE. Raises CallFailed."""
    with calling(called, PERFORMED_STEP) as assoc:
        _expect(assoc.send_n_create(told, PERFORMED_STEP, uid)[0], called, "begin the step")


def update(called: Called, uid: str, told: Dataset) -> None:
    """Send an N-SET. Raises CallFailed."""
    with calling(called, PERFORMED_STEP) as assoc:
        _expect(assoc.send_n_set(told, PERFORMED_STEP, uid)[0], called, "end the step")


def _expect(answer: Dataset, called: Called, what: str) -> None:
    if status_of(answer, called) != 0:
        raise CallFailed(f"{called} did not let us {what}, {comment_of(answer)}")
