# ruff: noqa: E501 - a table reads best one row a line
"""THE TABLE: every attribute of the Modality Worklist information model (DICOM PS3.4 table K.6-1, IHE Radiology).

Matching, answering and the conformance page all read this table; none of them names an attribute of its own accord.
Paths are Django lookups from the step. Everything that is not here is an unsupported key: answered with zero length.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from pydicom.datadict import dictionary_description, dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.tag import BaseTag, Tag

from worklist.matching import Kind


class Level(StrEnum):
    """The thing of the real world that an attribute tells of."""

    PATIENT = "patient"
    VISIT = "visit"
    ORDER = "order"
    PROCEDURE = "requested procedure"
    STEP = "scheduled procedure step"


class Fault(StrEnum):
    """What to do with a stored value that DICOM cannot write."""

    SKIP = "leave the step out"
    CUT = "mend and shorten"
    EMPTY = "send no value"


@dataclass(frozen=True)
class Attribute:
    """One row of the table, or one attribute of a sequence's items.

    path: lookup of the column from the step; of an item whose sequence has a path: the name in that list's entries.
    groups: of a name, the columns of the ideographic and phonetic component groups.
    folded: of a name, the column that keeps it without case and accents.
    also: a further column, whose text comes first, or whose number instead.
    constant: a value that is always the same. many: the column holds several values with `; ` between them; one that is
    too long for a value becomes several.
    items: of a sequence, its attributes. A sequence with a path has one item for each entry of that list, one without
    a path has a single item; an item whose first attribute is empty is left out.
    origin: where the value comes from, in words and HL7 fields.
    """

    keyword: str
    level: Level
    kind: Kind
    return_type: str
    path: str = ""
    origin: str = ""
    groups: tuple[str, ...] = ()
    folded: str = ""
    constant: str = ""
    many: bool = False
    also: str = ""
    fault: Fault = Fault.CUT
    items: tuple["Attribute", ...] = ()

    @cached_property
    def tag(self) -> BaseTag:
        """The attribute's tag."""
        tag = tag_for_keyword(self.keyword)
        if tag is None:
            raise LookupError(self.keyword)
        return Tag(tag)

    @cached_property
    def vr(self) -> str:
        """The attribute's value representation."""
        return dictionary_VR(self.tag)

    @cached_property
    def has_many(self) -> bool:
        """Whether the data dictionary allows several values."""
        return dictionary_VM(self.tag) != "1"

    @cached_property
    def name(self) -> str:
        """The attribute's name in the data dictionary."""
        return dictionary_description(self.tag)

    @property
    def leading(self) -> "Attribute | None":
        """Of a sequence that may be empty, the attribute without which an item says nothing: its first."""
        return self.items[0] if self.items and self.return_type != "1" else None

    @property
    def known(self) -> bool:
        """Tell whether Bucky keeps a value for it at all."""
        return bool(self.path or self.constant or any(item.known for item in self.items))

    @property
    def personal(self) -> bool:
        """Tell whether it is about a person: what its key asks for is for readers who are known."""
        return self.level in (Level.PATIENT, Level.VISIT) or self.vr == "PN"


PROCEDURE = "requested_procedure__"
ORDER = PROCEDURE + "order__"
PATIENT = ORDER + "patient__"
VISIT = ORDER + "visit__"
IDENTIFIER = "primary_identifier__"
OTHER_IDENTIFIERS = "other_identifiers"
"""Not a column: worklist.query reads the further identifiers of all patients in a second statement, when asked."""
SITE_ZONE = "station__site__time_zone"
STUDY_COMPONENT = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management SOP Class: what Referenced Study Sequence points at (IHE RAD TF-2 table 4.5-3)."""

_P, _V, _O, _R, _S = Level.PATIENT, Level.VISIT, Level.ORDER, Level.PROCEDURE, Level.STEP


def _code_items(level: Level, prefix: str, code: str, kind: Kind = Kind.NONE) -> tuple[Attribute, ...]:
    """Return the items of a code sequence (PS3.3 8.8) read from `prefix` + code, coding_scheme, meaning."""
    meaning, scheme = (prefix + "meaning", prefix + "coding_scheme") if code else ("", "")
    return (
        Attribute("CodeValue", level, kind, "1", prefix + code if code else "", fault=Fault.EMPTY),
        Attribute("CodingSchemeDesignator", level, kind, "1", scheme, fault=Fault.EMPTY),
        Attribute("CodingSchemeVersion", level, Kind.NONE, "3"),
        Attribute("CodeMeaning", level, Kind.NONE, "1", meaning),
    )


def _issuer_items(level: Level, path: str, universal: str = "", universal_type: str = "") -> tuple[Attribute, ...]:
    """Return the items of a sequence that names an assigning authority (PS3.3 table 10-17, HL7 HD)."""
    return (
        Attribute("LocalNamespaceEntityID", level, Kind.NONE, "1C", path, fault=Fault.EMPTY),
        Attribute("UniversalEntityID", level, Kind.NONE, "1C", universal, fault=Fault.EMPTY),
        Attribute("UniversalEntityIDType", level, Kind.NONE, "1C", universal_type, fault=Fault.EMPTY),
    )


# fmt: off
STEP_ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("ScheduledStationAETitle", _S, Kind.SINGLE, "1", "station__ae_title", "ORC-18, else the catalogue's rules or our booking", fault=Fault.SKIP),
    Attribute("ScheduledProcedureStepStartDate", _S, Kind.RANGE, "1", "start", "TQ1-7, ORC-7.4, OBR-27.4, OBR-36, else our booking", fault=Fault.SKIP),
    Attribute("ScheduledProcedureStepStartTime", _S, Kind.RANGE, "1", "start", "as the date", fault=Fault.SKIP),
    Attribute("Modality", _S, Kind.SINGLE, "1", "modality", "the exam catalogue, else OBR-24", fault=Fault.SKIP),
    Attribute("ScheduledPerformingPhysicianName", _S, Kind.WILDCARD, "2", "performing_physician", "OBR-34, else our booking", fault=Fault.EMPTY),
    Attribute("ScheduledProcedureStepDescription", _S, Kind.WILDCARD, "1C", "description", "the exam catalogue, else OBR-4"),
    Attribute("ScheduledProtocolCodeSequence", _S, Kind.NONE, "1C", "protocol_codes", "the exam catalogue, else OBR-4.4 to 4.6", items=_code_items(_S, "", "code")),
    Attribute("ScheduledStationName", _S, Kind.WILDCARD, "2", "station__name", "the station"),
    Attribute("ScheduledProcedureStepLocation", _S, Kind.WILDCARD, "2", "station__location", "the station"),
    Attribute("PreMedication", _S, Kind.NONE, "2C", "pre_medication", "the exam catalogue"),
    Attribute("ScheduledProcedureStepID", _S, Kind.WILDCARD, "1", "sps_id", "OBR-20, else ours", fault=Fault.SKIP),
    Attribute("RequestedContrastAgent", _S, Kind.NONE, "2C", "contrast_agent", "the exam catalogue"),
    Attribute("ScheduledProcedureStepStatus", _S, Kind.SINGLE, "3", "state", "the step's state"),
    Attribute("CommentsOnTheScheduledProcedureStep", _S, Kind.NONE, "3", "comments", "NTE-3 below IPC, else the step's comments"),
)

ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("ScheduledProcedureStepSequence", _S, Kind.SEQUENCE, "1", items=STEP_ATTRIBUTES),
    # Requested procedure
    Attribute("RequestedProcedureID", _R, Kind.WILDCARD, "1", PROCEDURE + "requested_procedure_id", "OBR-19, else ours", fault=Fault.SKIP),
    Attribute("RequestedProcedureDescription", _R, Kind.WILDCARD, "1C", PROCEDURE + "meaning", "OBR-4.2, else the exam catalogue"),
    Attribute("RequestedProcedureCodeSequence", _R, Kind.SEQUENCE, "1C", origin="OBR-4.1 to 4.3, else 4.4 to 4.6", items=_code_items(_R, PROCEDURE, "code", Kind.SINGLE)),
    Attribute("StudyInstanceUID", _R, Kind.UID_LIST, "1", PROCEDURE + "study_instance_uid", "ZDS-1, else ours", fault=Fault.SKIP),
    Attribute("StudyDate", _R, Kind.NONE, "3", PROCEDURE + "study_start", "the first performed step of the study", fault=Fault.EMPTY),
    Attribute("StudyTime", _R, Kind.NONE, "3", PROCEDURE + "study_start", "as the date", fault=Fault.EMPTY),
    Attribute(
        "ReferencedStudySequence",
        _R,
        Kind.NONE,
        "2",
        origin="the Study Instance UID",
        items=(
            Attribute("ReferencedSOPInstanceUID", _R, Kind.NONE, "1", PROCEDURE + "study_instance_uid", fault=Fault.SKIP),
            Attribute("ReferencedSOPClassUID", _R, Kind.NONE, "1", constant=STUDY_COMPONENT),
        ),
    ),
    Attribute("RequestedProcedurePriority", _R, Kind.SINGLE, "2", PROCEDURE + "priority", "TQ1-9, ORC-7.6, OBR-27.6, OBR-5"),
    Attribute("PatientTransportArrangements", _R, Kind.NONE, "2", PROCEDURE + "transport_arrangements", "OBR-30"),
    Attribute("RequestedProcedureComments", _R, Kind.NONE, "3", PROCEDURE + "comments", "NTE-3"),
    Attribute("ReasonForTheRequestedProcedure", _R, Kind.NONE, "3", PROCEDURE + "reason", "OBR-31"),
    Attribute("ReasonForRequestedProcedureCodeSequence", _R, Kind.NONE, "3", PROCEDURE + "reason_codes", "OBR-31.1 to 31.3", items=_code_items(_R, "", "code")),
    Attribute("AdmittingDiagnosesDescription", _R, Kind.NONE, "3", PROCEDURE + "diagnosis", "DG1-3, DG1-4", many=True),
    Attribute("NamesOfIntendedRecipientsOfResults", _R, Kind.NONE, "3", PROCEDURE + "intended_recipients", "OBR-28", many=True, fault=Fault.EMPTY),
    # Imaging service request: the order
    Attribute("AccessionNumber", _O, Kind.WILDCARD, "2", ORDER + "accession_number", "OBR-18, else ours", fault=Fault.SKIP),
    Attribute("IssuerOfAccessionNumberSequence", _O, Kind.NONE, "3", origin="the order, where its issuer is kept", items=_issuer_items(_O, ORDER + "accession_issuer")),
    Attribute("RequestingPhysician", _O, Kind.WILDCARD, "2", ORDER + "requesting_physician", "ORC-12, OBR-16", fault=Fault.EMPTY),
    Attribute("ReferringPhysicianName", _O, Kind.WILDCARD, "2", ORDER + "referring_physician", "PV1-8", fault=Fault.EMPTY),
    Attribute("PlacerOrderNumberImagingServiceRequest", _O, Kind.WILDCARD, "3", ORDER + "placer_order_number", "ORC-2.1, OBR-2.1", fault=Fault.EMPTY),
    Attribute("FillerOrderNumberImagingServiceRequest", _O, Kind.WILDCARD, "3", ORDER + "filler_order_number", "ORC-3.1", fault=Fault.EMPTY),
    Attribute("OrderPlacerIdentifierSequence", _O, Kind.NONE, "3", origin="ORC-2.2", items=_issuer_items(_O, ORDER + "placer_issuer")),
    Attribute("OrderFillerIdentifierSequence", _O, Kind.NONE, "3", origin="ORC-3.2", items=_issuer_items(_O, ORDER + "filler_issuer")),
    Attribute("RequestingService", _O, Kind.NONE, "3", ORDER + "requesting_service", "ORC-17"),
    Attribute("BarcodeValue", _O, Kind.NONE, "3", ORDER + "accession_number", "the accession number", fault=Fault.EMPTY),
    # Visit
    Attribute("AdmissionID", _V, Kind.WILDCARD, "2", VISIT + "visit_number", "PV1-19, else PID-18", fault=Fault.EMPTY),
    Attribute("IssuerOfAdmissionIDSequence", _V, Kind.NONE, "3", origin="PV1-19.4", items=_issuer_items(_V, VISIT + "issuer")),
    Attribute("CurrentPatientLocation", _V, Kind.WILDCARD, "2", VISIT + "location", "PV1-3"),
    Attribute("RouteOfAdmissions", _V, Kind.NONE, "3", VISIT + "patient_class", "PV1-2"),
    # Patient
    Attribute("PatientName", _P, Kind.WILDCARD, "1", PATIENT + "patient_name", "PID-5", groups=(PATIENT + "patient_name_ideographic", PATIENT + "patient_name_phonetic"), folded=PATIENT + "patient_name_folded", fault=Fault.SKIP),
    Attribute("PatientID", _P, Kind.SINGLE, "1", IDENTIFIER + "value", "PID-3.1", fault=Fault.SKIP),
    Attribute("IssuerOfPatientID", _P, Kind.SINGLE, "3", IDENTIFIER + "issuer", "PID-3.4", fault=Fault.EMPTY),
    Attribute(
        "IssuerOfPatientIDQualifiersSequence",
        _P,
        Kind.NONE,
        "3",
        origin="PID-3.4",
        items=(
            Attribute("UniversalEntityID", _P, Kind.NONE, "3", IDENTIFIER + "issuer_universal_id", fault=Fault.EMPTY),
            Attribute("UniversalEntityIDType", _P, Kind.NONE, "1C", IDENTIFIER + "issuer_universal_id_type", fault=Fault.EMPTY),
        ),
    ),
    Attribute(
        "OtherPatientIDsSequence",
        _P,
        Kind.NONE,
        "3",
        OTHER_IDENTIFIERS,
        "further repetitions of PID-3",
        items=(
            Attribute("PatientID", _P, Kind.NONE, "1", "value", fault=Fault.EMPTY),
            Attribute("IssuerOfPatientID", _P, Kind.NONE, "3", "issuer", fault=Fault.EMPTY),
            Attribute("TypeOfPatientID", _P, Kind.NONE, "1", constant="TEXT"),
        ),
    ),
    Attribute("PatientBirthDate", _P, Kind.RANGE, "2", PATIENT + "birth_date", "PID-7", fault=Fault.EMPTY),
    Attribute("PatientSex", _P, Kind.SINGLE, "2", PATIENT + "sex", "PID-8 (M, F, O)", fault=Fault.EMPTY),
    Attribute(
        "PatientPrimaryLanguageCodeSequence",
        _P,
        Kind.NONE,
        "3",
        origin="PID-15",
        items=(
            Attribute("CodeValue", _P, Kind.NONE, "1", PATIENT + "primary_language", fault=Fault.EMPTY),
            Attribute("CodingSchemeDesignator", _P, Kind.NONE, "1", constant="RFC5646"),
            Attribute("CodeMeaning", _P, Kind.NONE, "1", PATIENT + "primary_language"),
        ),
    ),
    Attribute("PatientWeight", _P, Kind.NONE, "2", PATIENT + "weight", "OBX, in kg", fault=Fault.EMPTY),
    Attribute("PatientSize", _P, Kind.NONE, "3", PATIENT + "size", "OBX, in m", fault=Fault.EMPTY),
    Attribute("ConfidentialityConstraintOnPatientDataDescription", _P, Kind.NONE, "2", PATIENT + "confidentiality", "ORC-28, PV1-16"),
    Attribute("PatientState", _P, Kind.NONE, "2", PATIENT + "patient_state", "OBR-12"),
    Attribute("PregnancyStatus", _P, Kind.NONE, "2", PATIENT + "pregnancy_status", "the safety questions, else PV1-15 (B6 is 3)", also="gate_pregnancy", fault=Fault.EMPTY),
    Attribute("MedicalAlerts", _P, Kind.NONE, "2", PATIENT + "medical_alerts", "the safety questions and OBR-13", also="gate_alerts", many=True),
    Attribute("Allergies", _P, Kind.NONE, "2", PATIENT + "allergies", "AL1-3", many=True),
    Attribute("SpecialNeeds", _P, Kind.NONE, "2", PATIENT + "special_needs", "the safety questions and PV1-15", also="gate_needs"),
    Attribute("PatientComments", _P, Kind.NONE, "3", PATIENT + "comments", "NTE-3 below PID"),
    Attribute("ReferencedPatientSequence", _P, Kind.NONE, "2"),
)
# fmt: on

BY_TAG: dict[BaseTag, Attribute] = {row.tag: row for row in ATTRIBUTES}
STEP_SEQUENCE: Attribute = BY_TAG[Tag("ScheduledProcedureStepSequence")]
ITEMS_BY_TAG: dict[BaseTag, dict[BaseTag, Attribute]] = {
    row.tag: {item.tag: item for item in row.items} for row in (*ATTRIBUTES, *STEP_ATTRIBUTES) if row.vr == "SQ"
}

NOT_KEYS: frozenset[BaseTag] = frozenset({Tag("SpecificCharacterSet"), Tag("TimezoneOffsetFromUTC")})
"""Describe the data set, are never matched and never sent empty (PS3.4 K.4.1.1.3.1)."""
