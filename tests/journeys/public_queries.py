"""What DCMTK's public example queries (dcmwlm/data/wlistqry) ask for, in words of our own.

Each has keys beside the step sequence, keys in it, and values in it. Their own list has nobody whom most of them find:
`CAST` makes somebody for each: stations of those AE titles and names, and exams late in the evening.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

CAST = """
aa2 = Station.new(ae_title="AA2", name="A2", site=site, modality="US")
aa4 = Station.new(ae_title="AA4", name="A2", site=site, modality="US")
doppler = Station.new(ae_title="DD1", name="DD1", site=site, modality="DD")
place("8001", aa2, 18, patient_name="Bach^Anna")
place("8002", aa2, 19, patient_name="Bach^Bernd")
place("8003", aa4, 19, patient_name="Bach^Carl")
place("8004", doppler, 23, 30, patient_name="Bach^Dora")
place("8005", aa4, 23, 40, patient_name="Bach^Erna")
"""

NAME = ("PatientName",)
OF_PATIENT = (
    *("AccessionNumber", "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "MedicalAlerts"),
    *("ContrastAllergies", "StudyInstanceUID", "RequestingPhysician", "RequestedProcedureDescription"),
    *("RequestedProcedureID", "RequestedProcedurePriority"),
)
OF_STEP = (
    *("Modality", "RequestedContrastAgent", "ScheduledStationAETitle", "ScheduledProcedureStepStartDate"),
    *("ScheduledProcedureStepStartTime", "ScheduledPerformingPhysicianName", "ScheduledProcedureStepDescription"),
    *("ScheduledProcedureStepID", "ScheduledStationName", "ScheduledProcedureStepLocation", "PreMedication"),
    "CommentsOnTheScheduledProcedureStep",
)
TIMES = ("Modality", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime")
OF_CODE = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
AT_AA2, NAMED_A2 = {"ScheduledStationAETitle": "AA2"}, {"ScheduledStationName": "A2"}
AT_AA4 = {"ScheduledStationAETitle": "AA4"}
WITH_PHYSICIAN = (*TIMES, "ScheduledPerformingPhysicianName")


@dataclass(frozen=True)
class PublicQuery:
    """One of them. in_step: None where there is no step sequence. finds: names; None for everybody."""

    beside: Sequence[str]
    in_step: Sequence[str] | None
    values: dict[str, str] = field(default_factory=dict)
    finds: Sequence[str] | None = None

    def identifier(self) -> Dataset:
        """Return the identifier."""
        asked = _empty(self.beside)
        if self.in_step is not None:
            step = _empty(self.in_step)
            for keyword, value in self.values.items():
                setattr(step, keyword, value)
            asked.ScheduledProcedureStepSequence = [step]
        return asked


def _empty(keywords: Sequence[str]) -> Dataset:
    """Return empty keys; a sequence of codes has one item of empty keys, as theirs has."""
    data_set = Dataset()
    for keyword in keywords:
        setattr(data_set, keyword, [_empty(OF_CODE)] if keyword.endswith("CodeSequence") else "")
    return data_set


QUERIES = {
    "0, a code, no step": PublicQuery((*NAME, "RequestedProcedureCodeSequence"), None),
    "1, an empty step": PublicQuery(OF_PATIENT, ()),
    "2, station and its name": PublicQuery(OF_PATIENT, OF_STEP, AT_AA2 | NAMED_A2, ["Bach^Anna", "Bach^Bernd"]),
    "3, only the name": PublicQuery(NAME, ()),
    "4, modality": PublicQuery(NAME, (), {"Modality": "DD"}, ["Bach^Dora"]),
    "5, from a time on, any day": PublicQuery(
        NAME,
        (*WITH_PHYSICIAN, "ScheduledProcedureStepID"),
        {"ScheduledProcedureStepStartTime": "233000-"},
        ["Bach^Dora", "Bach^Erna"],
    ),
    "6, station": PublicQuery(NAME, ("Modality",), AT_AA2, ["Bach^Anna", "Bach^Bernd"]),
    "7, station, all keys": PublicQuery(OF_PATIENT, OF_STEP, AT_AA2, ["Bach^Anna", "Bach^Bernd"]),
    "8, station and its name, few keys": PublicQuery(
        NAME, ("Modality",), AT_AA2 | NAMED_A2, ["Bach^Anna", "Bach^Bernd"]
    ),
    "9, station and its name, some keys": PublicQuery(
        (*NAME, "RequestedProcedureID", "RequestedProcedurePriority"),
        (*WITH_PHYSICIAN, "ScheduledProcedureStepLocation"),
        AT_AA2 | NAMED_A2,
        ["Bach^Anna", "Bach^Bernd"],
    ),
    "10, the protocol's codes": PublicQuery(
        (*NAME, "RequestedProcedureID"), ("Modality", "ScheduledProcedureStepLocation", "ScheduledProtocolCodeSequence")
    ),
    "11, all keys": PublicQuery(OF_PATIENT, OF_STEP),
    "12, another station of that name, any comment": PublicQuery(
        NAME,
        ("Modality",),
        AT_AA4 | NAMED_A2 | {"CommentsOnTheScheduledProcedureStep": "*"},
        ["Bach^Carl", "Bach^Erna"],
    ),
}
