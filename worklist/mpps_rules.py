"""What a scanner must, may and may not say of a performed step: the attributes of PS3.4 table F.7.2-1, as a table.

An attribute without which there is no record is asked for strictly (0120, 0121, 0106). What else is missing or not
allowed is noted as a doubt and read over: a department that is not told of an exam is worse off than one that is told
of it without a Study ID.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Items
from pydicom.tag import BaseTag, Tag

from ris.identifiers import is_uid
from ris.states import PerformedState
from worklist.values import valid

# Statuses of PS3.7 annex C.
SUCCESS = 0x0000
ATTRIBUTES_NOT_SUPPORTED = 0x0001
INVALID_VALUE = 0x0106
PROCESSING_FAILURE = 0x0110
DUPLICATE_INSTANCE = 0x0111
NO_SUCH_INSTANCE = 0x0112
INVALID_INSTANCE = 0x0117
CLASS_INSTANCE_CONFLICT = 0x0119
MISSING_ATTRIBUTE = 0x0120
MISSING_VALUE = 0x0121
CLASS_NOT_SUPPORTED = 0x0122
UNRECOGNIZED_OPERATION = 0x0211
RESOURCE_LIMITATION = 0x0213
MAY_NO_LONGER_BE_UPDATED = 0xA710
"""Error ID (0000,0903) beside 0110 (PS3.4 table F.7.2-2)."""


class Refusal(Exception):
    """A request that is not carried out. status: see above; tags: the attributes at fault; error_id: beside 0110."""

    def __init__(self, status: int, comment: str, tags: Sequence[BaseTag] = (), *, error_id: int | None = None) -> None:
        self.status = status
        self.comment = comment[:64]
        self.tags = tuple(tags)
        self.error_id = error_id
        super().__init__(f"{status:04X} {self.comment}")


@dataclass(frozen=True)
class Rule:
    """One attribute. create, set: type for N-CREATE and for N-SET; "-" is not allowed. within: its sequence."""

    keyword: str
    create: str
    set: str
    within: str = ""

    @property
    def tag(self) -> BaseTag:
        """Its tag."""
        return Tag(self.keyword)


SCHEDULED = "ScheduledStepAttributesSequence"
MOST_SCHEDULED = 200
"""Scheduled steps that one performed step may name: each is looked for, while others wait for the database."""
SERIES = "PerformedSeriesSequence"
RULES: tuple[Rule, ...] = (
    Rule("SpecificCharacterSet", "1C", "1C"),
    Rule("TimezoneOffsetFromUTC", "3", "3"),
    Rule(SCHEDULED, "1", "-"),
    Rule("StudyInstanceUID", "1", "-", SCHEDULED),
    Rule("ReferencedStudySequence", "2", "-", SCHEDULED),
    Rule("AccessionNumber", "2", "-", SCHEDULED),
    Rule("RequestedProcedureID", "2", "-", SCHEDULED),
    Rule("ScheduledProcedureStepID", "2", "-", SCHEDULED),
    Rule("RequestedProcedureDescription", "2", "-", SCHEDULED),
    Rule("ScheduledProcedureStepDescription", "2", "-", SCHEDULED),
    Rule("ScheduledProtocolCodeSequence", "2", "-", SCHEDULED),
    Rule("PatientName", "2", "-"),
    Rule("PatientID", "2", "-"),
    Rule("IssuerOfPatientID", "3", "-"),
    Rule("PatientBirthDate", "2", "-"),
    Rule("PatientSex", "2", "-"),
    Rule("ReferencedPatientSequence", "2", "-"),
    Rule("AdmissionID", "3", "-"),
    Rule("PerformedProcedureStepID", "1", "-"),
    Rule("PerformedStationAETitle", "1", "-"),
    Rule("PerformedStationName", "2", "-"),
    Rule("PerformedLocation", "2", "-"),
    Rule("PerformedProcedureStepStartDate", "1", "-"),
    Rule("PerformedProcedureStepStartTime", "1", "-"),
    Rule("PerformedProcedureStepStatus", "1", "3"),
    Rule("PerformedProcedureStepDescription", "2", "3"),
    Rule("PerformedProcedureTypeDescription", "2", "3"),
    Rule("ProcedureCodeSequence", "2", "3"),
    Rule("PerformedProcedureStepEndDate", "2", "3"),
    Rule("PerformedProcedureStepEndTime", "2", "3"),
    Rule("CommentsOnThePerformedProcedureStep", "3", "3"),
    Rule("PerformedProcedureStepDiscontinuationReasonCodeSequence", "3", "3"),
    Rule("Modality", "1", "-"),
    Rule("StudyID", "2", "-"),
    Rule("PerformedProtocolCodeSequence", "2", "3"),
    Rule(SERIES, "2", "3"),
    Rule("PerformingPhysicianName", "2", "2", SERIES),
    Rule("ProtocolName", "1", "1", SERIES),
    Rule("OperatorsName", "2", "2", SERIES),
    Rule("SeriesInstanceUID", "1", "1", SERIES),
    Rule("SeriesDescription", "2", "2", SERIES),
    Rule("RetrieveAETitle", "2", "2", SERIES),
    Rule("ReferencedImageSequence", "2", "2", SERIES),
    Rule("ReferencedNonImageCompositeSOPInstanceSequence", "2", "2", SERIES),
    Rule("ImageAndFluoroscopyAreaDoseProduct", "3", "3"),
    Rule("EntranceDoseInmGy", "3", "3"),
    Rule("TotalTimeOfFluoroscopy", "3", "3"),
    Rule("TotalNumberOfExposures", "3", "3"),
    Rule("BillingProcedureStepSequence", "3", "3"),
    Rule("FilmConsumptionSequence", "3", "3"),
    Rule("BillingSuppliesAndDevicesSequence", "3", "3"),
)
"""The type of what else a scanner sends is 3: it is kept as it came."""

TOP = {rule.tag: rule for rule in RULES if not rule.within}
ESSENTIAL = tuple(rule for rule in RULES if rule.create == "1" and rule.within != SERIES)
"""Without these a performed step is refused."""


EARLIEST = "18500101"


def is_date(text: str) -> bool:
    """Tell whether a text is a day (VR DA)."""
    try:
        datetime.strptime(text, "%Y%m%d")  # noqa: DTZ007 (a day has no zone)
    except ValueError:
        return False
    return len(text) == 8 and text >= EARLIEST


def is_time(text: str) -> bool:
    """Tell whether a text is a time of day (VR TM)."""
    return re.fullmatch(r"([01]\d|2[0-3])([0-5]\d(([0-5]\d|60)(\.\d{1,6})?)?)?", text, re.ASCII) is not None


VALUES: dict[str, Callable[[str], bool]] = {
    "StudyInstanceUID": is_uid,
    "PerformedProcedureStepID": lambda text: valid("SH", text),
    "PerformedStationAETitle": lambda text: valid("AE", text),
    "PerformedProcedureStepStartDate": is_date,
    "PerformedProcedureStepStartTime": is_time,
    "PerformedProcedureStepStatus": lambda text: text == PerformedState.IN_PROGRESS,
    "Modality": lambda text: valid("CS", text),
}
"""What an essential value must look like."""


def text(data_set: Dataset, keyword: str) -> str:
    """Return a value as text without blanks and NULs around it; empty where there is none or it cannot be read."""
    try:
        value = data_set.get(keyword)
    except Exception:  # pydicom reads values when they are looked at, and fails in many ways
        return ""
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if isinstance(value, MultiValue):
        value = "\\".join(map(str, value))
    return str(value).replace("\0", "").encode("utf-8", "replace").decode("utf-8").strip()


def items(data_set: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; none where it is missing or no sequence."""
    try:
        found = data_set.get(keyword)
        return list(found) if isinstance(found, Items) else []
    except Exception:  # as above
        return []


def check_creation(data_set: Dataset) -> list[str]:
    """Check an N-CREATE; returns what is left out that should be there. Raises Refusal."""
    rules = [rule for rule in ESSENTIAL if rule.keyword != SCHEDULED]
    wrong = {
        MISSING_ATTRIBUTE: [rule.tag for rule in ESSENTIAL for part in _parts(data_set, rule) if not _has(part, rule)],
        MISSING_VALUE: [rule.tag for rule in rules for part in _parts(data_set, rule) if not text(part, rule.keyword)],
        INVALID_VALUE: [
            rule.tag
            for rule in rules
            for part in _parts(data_set, rule)
            if not VALUES[rule.keyword](text(part, rule.keyword))
        ],
    }
    if len(items(data_set, SCHEDULED)) > MOST_SCHEDULED:
        comment = f"More than {MOST_SCHEDULED} scheduled steps: {Tag(SCHEDULED)}"
        raise Refusal(INVALID_VALUE, comment, [Tag(SCHEDULED)])
    if not items(data_set, SCHEDULED):
        wrong[MISSING_VALUE].append(Tag(SCHEDULED))
    for status, tags in wrong.items():
        if tags:
            raise Refusal(status, f"{COMMENTS[status]}: {Tag(tags[0])}", list(dict.fromkeys(tags)))
    return [f"missing:{rule.keyword}" for rule in RULES if rule.create in ("1", "2") and _is_left_out(data_set, rule)]


COMMENTS = {
    MISSING_ATTRIBUTE: "Attribute is missing",
    MISSING_VALUE: "Attribute has no value",
    INVALID_VALUE: "Attribute has an invalid value",
}


def check_update(data_set: Dataset) -> tuple[str, list[str]]:
    """Check an N-SET; returns the new state, empty where none is named, and what will be read over. Raises Refusal."""
    state = text(data_set, "PerformedProcedureStepStatus")
    if "PerformedProcedureStepStatus" in data_set and state not in PerformedState.values:
        raise Refusal(INVALID_VALUE, COMMENTS[INVALID_VALUE] + ": (0040,0252)", [Tag("PerformedProcedureStepStatus")])
    return state, [f"ignored:{rule.keyword}" for rule in TOP.values() if rule.set == "-" and rule.tag in data_set]


def check_end(state: str, data_set: Dataset) -> list[str]:
    """Check all that is known of a step that ends; returns what is left out. Raises Refusal.

    By PS3.4 table F.7.2-1, note 2, either end has at least one series, be it without images. A completed step without
    one is refused; of one that was discontinued before its first series it is a doubt, see docs/decisions.
    """
    ends = ("PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime")
    left_out = [f"missing:{keyword}" for keyword in ends if not text(data_set, keyword)]
    if not items(data_set, SERIES):
        if state == PerformedState.COMPLETED:
            status = MISSING_VALUE if SERIES in data_set else MISSING_ATTRIBUTE
            raise Refusal(status, f"{COMMENTS[status]}: {Tag(SERIES)}", [Tag(SERIES)])
        left_out.append(f"missing:{SERIES}")
    return left_out + [
        f"missing:{rule.keyword}"
        for rule in RULES
        if rule.within == SERIES
        and rule.set == "1"
        and not all(text(one, rule.keyword) for one in items(data_set, SERIES))
    ]


def _parts(data_set: Dataset, rule: Rule) -> Iterator[Dataset]:
    """Return the data sets in which a rule holds: the whole one, or each item of its sequence."""
    yield from items(data_set, rule.within) if rule.within else (data_set,)


def _has(data_set: Dataset, rule: Rule) -> bool:
    return rule.tag in data_set


def _is_left_out(data_set: Dataset, rule: Rule) -> bool:
    return any(not _has(part, rule) for part in _parts(data_set, rule))
