"""What a scanner tells of a performed step, as data sets; and the requests that carry it, without a socket."""

from typing import Any

from django.utils import timezone
from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom.dsutils import encode

from ris.models import PerformedProcedureStep, ScheduledProcedureStep
from worklist.dimse import Command
from worklist.encoding import decode, syntax_of
from worklist.mpps import Operation, Outcome, handle
from worklist.negotiation import PERFORMED_STEP
from worklist.query import Caller

NAMES = {
    "sps_id": "ScheduledProcedureStepID",
    "accession": "AccessionNumber",
    "procedure": "RequestedProcedureID",
    "study": "StudyInstanceUID",
}
CT1 = Caller("CT1", "BUCKY", "10.0.0.7")


def data_set(values: dict[str, Any]) -> Dataset:
    """Return a data set of keywords; values may be as wrong as a scanner's."""
    made = Dataset()
    for keyword, value in values.items():
        made.add(DataElement(Tag(keyword), dictionary_VR(Tag(keyword)), value, validation_mode=config.IGNORE))
    return made


def code(value: str, meaning: str, scheme: str = "DCM") -> Dataset:
    """Return an item of a code sequence."""
    return data_set({"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning})


def item_of(step: ScheduledProcedureStep, *only: str, **other: str) -> Dataset:
    """Return the item by which a scanner names a step; `only` some identifiers, or `other` ones."""
    procedure = step.requested_procedure
    known = {
        "sps_id": step.sps_id,
        "accession": procedure.order.accession_number,
        "procedure": procedure.requested_procedure_id,
        "study": procedure.study_instance_uid,
    }
    said = {name: value if not only or name in only or name == "study" else "" for name, value in known.items()}
    return scheduled(**(said | other))


def scheduled(**said: str) -> Dataset:
    """Return one Scheduled Step Attributes Sequence item; what is not said is empty."""
    made = data_set({keyword: said.get(name, "") for name, keyword in NAMES.items()})
    for keyword in ("ReferencedStudySequence", "ScheduledProtocolCodeSequence"):
        setattr(made, keyword, [])
    made.RequestedProcedureDescription = made.ScheduledProcedureStepDescription = ""
    return made


def creation(*items: Dataset, patient: Any = None, **values: Any) -> Dataset:
    """Return the data set of an N-CREATE; the patient is that of the first item's order unless one is named."""
    now = timezone.localtime()
    said = {
        "ScheduledStepAttributesSequence": list(items) or [scheduled(study=generate_uid())],
        "PatientName": "",
        "PatientID": "",
        "PatientBirthDate": "",
        "PatientSex": "",
        "ReferencedPatientSequence": [],
        "PerformedProcedureStepID": "PPS1",
        "PerformedStationAETitle": "CT1",
        "PerformedStationName": "",
        "PerformedLocation": "",
        "PerformedProcedureStepStartDate": f"{now:%Y%m%d}",
        "PerformedProcedureStepStartTime": f"{now:%H%M%S}",
        "PerformedProcedureStepStatus": "IN PROGRESS",
        "PerformedProcedureStepDescription": "",
        "PerformedProcedureTypeDescription": "",
        "ProcedureCodeSequence": [],
        "PerformedProcedureStepEndDate": "",
        "PerformedProcedureStepEndTime": "",
        "Modality": "CT",
        "StudyID": "",
        "PerformedProtocolCodeSequence": [],
        "PerformedSeriesSequence": [],
    }
    if patient is not None:
        said |= {
            "PatientName": patient.patient_name,
            "PatientID": patient.patient_id,
            "PatientBirthDate": f"{patient.birth_date:%Y%m%d}",
            "PatientSex": patient.sex,
        }
    return data_set(said | values)


def series(images: int = 2, **values: Any) -> Dataset:
    """Return one performed series."""
    refs = [
        data_set({"ReferencedSOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "ReferencedSOPInstanceUID": generate_uid()})
        for _ in range(images)
    ]
    said = {
        "PerformingPhysicianName": "Curie^Marie",
        "ProtocolName": "ABDOMEN",
        "OperatorsName": "Tech^Tom",
        "SeriesInstanceUID": generate_uid(),
        "SeriesDescription": "Thin",
        "RetrieveAETitle": "PACS",
        "ReferencedImageSequence": refs,
        "ReferencedNonImageCompositeSOPInstanceSequence": [],
    }
    return data_set(said | values)


def ending(status: str = "COMPLETED", *, reason: Dataset | None = None, **values: Any) -> Dataset:
    """Return the data set of the N-SET that ends a step: completed with one series, or discontinued for a reason."""
    now = timezone.localtime()
    said: dict[str, Any] = {
        "PerformedProcedureStepStatus": status,
        "PerformedProcedureStepEndDate": f"{now:%Y%m%d}",
        "PerformedProcedureStepEndTime": f"{now:%H%M%S}",
        "PerformedSeriesSequence": [series()] if status == "COMPLETED" else [],
    }
    if reason is not None:
        said["PerformedProcedureStepDiscontinuationReasonCodeSequence"] = [reason]
    return data_set(said | values)


WRONG_ENTRY = ("110514", "Incorrect worklist entry selected")


def ask(command: int, uid: str, data: Dataset | bytes | None = None, *, caller: Caller = CT1, **values: Any) -> Outcome:
    """Send one request to the service."""
    sent = data if isinstance(data, bytes) else encode(data or Dataset(), False, True) or b""
    usual: dict[str, Any] = {
        "abstract_syntax": PERFORMED_STEP,
        "sop_class": PERFORMED_STEP,
        "transfer_syntax": ExplicitVRLittleEndian,
    }
    return handle(Operation(command=command, sop_instance_uid=uid, caller=caller, data=sent, **(usual | values)))


def create(*items: Dataset, uid: str = "", **values: Any) -> PerformedProcedureStep:
    """Begin a step that must be taken."""
    uid = uid or generate_uid()
    outcome = ask(Command.N_CREATE, uid, creation(*items, **values))
    assert outcome.status == 0, outcome
    return PerformedProcedureStep.objects.get(sop_instance_uid=uid)


def update(performed: PerformedProcedureStep, data: Dataset) -> PerformedProcedureStep:
    """Send an N-SET that must be taken."""
    outcome = ask(Command.N_SET, performed.sop_instance_uid, data)
    assert outcome.status == 0, outcome
    performed.refresh_from_db()
    return performed


def get(performed: PerformedProcedureStep, *tags: int) -> Dataset:
    """Ask for a step; the data set of the answer."""
    outcome = ask(Command.N_GET, performed.sop_instance_uid, tags=tags)
    assert outcome.data is not None, outcome
    return decode(outcome.data, syntax_of(ExplicitVRLittleEndian))
