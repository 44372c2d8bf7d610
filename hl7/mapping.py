"""TABLES: which field of a message fills which argument of which verb, and the code tables between.

docs/reference/hl7.md is printed from here. A row names its sources in the order in which they are tried; the first
that says anything wins. An empty field leaves what is known as it is, ``""`` erases it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hl7 import values
from hl7.ack import Condition, Place
from hl7.dialect import CodeTable
from hl7.message import NULL, Repetition, Segment
from hl7.undone import Undone
from hl7.values import Doubt

Segments = Mapping[str, Segment]
"""The segments that speak about one thing: name -> segment."""


@dataclass(frozen=True, slots=True)
class Row:
    """One argument: where it comes from, how it is read, and what it becomes when the sender erases it."""

    argument: str
    sources: tuple[str, ...]
    read: Callable[[Segment, str], Any]
    longest: int | None = None
    empty: Any = ""
    name: str = ""
    """What an endpoint calls it that has other sources for it: its table and its argument."""


@dataclass(slots=True)
class Filled:
    """Arguments read from a message, and where each of them stood."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)


def fill(rows: tuple[Row, ...], segments: Segments, zone: ZoneInfo, warnings: list[str]) -> Filled:
    """Read the rows of a table. Times without an offset are the wall clock of `zone`. Raises FieldError.

    Where the endpoint has other sources for an argument, these are read instead, from any segment of the message.
    """
    filled = Filled()
    agreed = next(iter(segments.values())).dialect.sources
    for row in rows:
        for source in agreed.get(row.name, row.sources) if agreed else row.sources:
            name, path = source.split("-", 1)
            segment = segments.get(name)
            if segment is None and agreed:
                segment = _about(segments).following(name)
            if not segment:
                continue
            try:
                value = (_reader(row, path) if agreed else row.read)(segment, path)
            except Doubt as doubt:
                value = doubt.value
                warnings.append(Undone(doubt.condition, f"{source}: {doubt}", values.place(segment, path)))
            if value is None:
                continue
            filled.values[row.argument] = _fitting(row, source, value, zone, warnings)
            filled.places[row.argument] = values.place(segment, path)
            break
    return filled


def _about(segments: Segments) -> Segment:
    """Return the segment that says most exactly what the segments speak about."""
    return next((segments[name] for name in ("OBR", "ORC", "PID") if segments.get(name)), next(iter(segments.values())))


def _reader(row: Row, path: str) -> Callable[[Segment, str], Any]:
    """Return how a source of an endpoint is read: one component of a field is a text."""
    return values.text if "." in path and row.read in WHOLE_TEXTS else row.read


def _fitting(row: Row, source: str, value: Any, zone: ZoneInfo, warnings: list[str]) -> Any:
    if value is NULL:
        return row.empty
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=zone)
    if row.longest is not None and row.read in PROSE:
        return values.cut(value, row.longest, source, warnings)
    if row.longest is not None and len(value) > row.longest:
        warnings.append(f"{source}: longer than {row.longest} characters, the end was cut off")
        return value[: row.longest].rstrip()
    return value


# --- code tables ----------------------------------------------------------------------------------

SEX: dict[str, str] = {"M": "M", "F": "F", "O": "O", "A": "", "N": "", "U": ""}
"""PID-8 (table 0001) -> Patient's Sex (0010,0040); what DICOM has no code for is empty."""

PRIORITIES: dict[str, str] = {
    "S": "STAT",
    "A": "HIGH",
    "P": "HIGH",
    "C": "HIGH",
    "R": "ROUTINE",
    "T": "MEDIUM",
}
"""ORC-7.6, TQ1-9 (table 0485) -> Requested Procedure Priority (0040,1003)."""

MODALITIES: dict[str, str] = {"RAD": "", "RX": "", "NMR": "MR", "NMS": "NM", "RUS": "US", "VUS": "US"}
"""OBR-24 (table 0074) -> Modality (0008,0060), where it is not a modality already; empty: it names none."""

AMBULATORY: dict[str, str] = {
    "A1": "walks with a device",
    "A2": "wheelchair or stretcher",
    "A3": "comatose",
    "A4": "disoriented",
    "A5": "vision impaired",
    "A6": "hearing impaired",
    "A7": "speech impaired",
    "A8": "speaks another language",
    "B1": "oxygen therapy",
    "B2": "tubes or catheters",
    "B3": "amputee",
    "B4": "mastectomy",
    "B5": "paraplegic",
}
"""PV1-15 (table 0009) -> Special Needs (0038,0050). B6 is Pregnancy Status instead; A0 and A9 say nothing."""

PREGNANT = "B6"

TECHNOLOGISTS = frozenset(
    {"T", "TECH", "TECHNOLOGIST", "TECHNICIAN", "RADIOGRAPHER", "RT", "MTR", "MTRA", "CNMT", "RDMS"}
)
"""Degrees (OBR-34) and roles (AIP-4, a table of the site's own) of people who work at the scanner."""

PATIENT_ID_TYPES = ("MR", "PI", "PT")
"""CX-5 (table 0203) of numbers that name a patient, the surest first. Others are kept but never find anybody."""

LOCAL_SCHEMES = re.compile(r"|L|I|LOCAL|99.*", re.IGNORECASE)
"""CE-3 of codes that only a hospital itself knows: equal to the catalogue's local scheme."""

_DURATION = re.compile(r"([MH])(\d{1,4})")
_DURATION_MINUTES = {"M": 1, "H": 60}


# --- readers that need a code table ---------------------------------------------------------------


def _sex(segment: Segment, path: str) -> str | None:
    value = values.text(segment, path)
    if value is None or value is NULL:
        return value
    agreed = segment.dialect.code(CodeTable.SEX, value)
    if agreed is not None:
        return agreed
    if value.upper() not in SEX:
        raise Doubt("the code is not in table 0001 and was taken as unknown", "", Condition.TABLE_VALUE_NOT_FOUND)
    return SEX[value.upper()]


def _priority(segment: Segment, path: str) -> str | None:
    value = values.text(segment, path)
    if value is None or value is NULL:
        return None
    agreed = segment.dialect.code(CodeTable.PRIORITY, value)
    if agreed:
        return agreed
    if value[:1].upper() not in PRIORITIES:
        raise Doubt("the priority is not known and was left as it is", condition=Condition.TABLE_VALUE_NOT_FOUND)
    return PRIORITIES[value[:1].upper()]


def _modality(segment: Segment, path: str) -> str | None:
    value = values.text(segment, path)
    if value is None or value is NULL:
        return None
    value = value.upper()
    agreed = segment.dialect.code(CodeTable.MODALITY, value)
    if agreed:
        return agreed
    if not re.fullmatch(r"[A-Z0-9_ ]{1,16}", value):
        raise Doubt("this is not a modality", condition=Condition.TABLE_VALUE_NOT_FOUND)
    return MODALITIES.get(value, value) or None


def _patient_class(segment: Segment, path: str) -> str | None:
    value = values.text(segment, path)
    if value is None or value is NULL:
        return value
    return segment.dialect.code(CodeTable.PATIENT_CLASS, value) or value


def modality(segment: Segment, path: str, warnings: list[str]) -> str | None:
    """Read one modality outside a table; what is none is a warning."""
    try:
        return _modality(segment, path)
    except Doubt as doubt:
        place = values.place(segment, path)
        warnings.append(Undone(doubt.condition, f"{place}: {doubt}", place))
        return None


def _pregnancy(segment: Segment, path: str) -> int | str | None:
    codes = _ambulatory_codes(segment, path)
    if codes is NULL:
        return NULL
    return 3 if codes and PREGNANT in codes else None


def _special_needs(segment: Segment, path: str) -> str | None:
    codes = _ambulatory_codes(segment, path)
    if codes is None or codes is NULL:
        return NULL if codes is NULL else None
    return ", ".join(AMBULATORY[code] for code in codes if code in AMBULATORY) or None


def _ambulatory_codes(segment: Segment, path: str) -> list[str] | str | None:
    found = segment.repetitions(int(path))
    if found and found[0].raw == NULL:
        return NULL
    return [(repetition.get() or "").upper() for repetition in found] or None


def _duration(segment: Segment, path: str) -> int | None:
    """ORC-7.3 as in "M30" or "H1"; what counts days or is open-ended says nothing about an exam."""
    match = _DURATION.fullmatch((segment.get(path) or "").upper())
    minutes = int(match[2]) * _DURATION_MINUTES[match[1]] if match else 0
    return minutes or None


def _physicians(segment: Segment, path: str) -> str | None:
    names = (values.physician_of(repetition) for repetition in segment.repetitions(int(path)))
    return "; ".join(name for name in names if name and name is not NULL) or None


_TECHNOLOGIST, _PERFORMER = "procedure.technologist", "procedure.performing_physician"


def _performer(segment: Segment, path: str) -> str | None:
    """OBR-34 as IHE RAD-4 has it: the performing physician, unless a degree or the endpoint says that it is another."""
    if _is_agreed(segment, path, _TECHNOLOGIST) and not _is_agreed(segment, path, _PERFORMER):
        return None
    names = (values.performer_of(one) for one in segment.repetitions(int(path)) if not _is_technologist(one))
    return next((name for name in names if name), None)


def _technologist(segment: Segment, path: str) -> str | None:
    """OBR-34 as HL7 has it: the technician, where a degree or the endpoint says so."""
    agreed = _is_agreed(segment, path, _TECHNOLOGIST)
    found = segment.repetitions(int(path))
    names = (values.performer_of(one) for one in found if agreed or one.raw == NULL or _is_technologist(one))
    return next((name for name in names if name), None)


def _is_technologist(repetition: Repetition) -> bool:
    return values.degree_of(repetition) in TECHNOLOGISTS


def _is_agreed(segment: Segment, path: str, argument: str) -> bool:
    return f"{segment.name}-{path}" in segment.dialect.sources.get(argument, ())


# --- the tables -----------------------------------------------------------------------------------


def _table(name: str, *rows: Row) -> tuple[Row, ...]:
    return tuple(replace(row, name=f"{name}.{row.argument}") for row in rows)


PATIENT = _table(
    "patient",
    Row("patient_name", ("PID-5",), values.name_group("alphabetic"), 64),
    Row("patient_name_ideographic", ("PID-5",), values.name_group("ideographic"), 64),
    Row("patient_name_phonetic", ("PID-5",), values.name_group("phonetic"), 64),
    Row("birth_date", ("PID-7",), values.birth_date, empty=None),
    Row("sex", ("PID-8",), _sex),
    Row("address", ("PID-11",), values.words, 250),
    Row("phone", ("PID-13", "PID-14"), values.phone, 80),
    Row("primary_language", ("PID-15",), values.text, 16),
)
"""ris.actions.patients.register and update."""

CLINICAL = _table(
    "patient",
    Row("pregnancy_status", ("PV1-15",), _pregnancy, empty=None),
    Row("special_needs", ("PV1-15",), _special_needs, 64),
    Row("confidentiality", ("ORC-28", "PV1-16"), values.coded_text, 64),
    Row("patient_state", ("OBR-12",), values.coded_text, 64),
    Row("medical_alerts", ("OBR-13",), values.words, 250),
)
"""ris.actions.patients.update: what a scanner should know before it starts. Beside these AL1-3 (all) fills
allergies, OBX-5 with OBX-3 and OBX-6 fills weight and size, and NTE-3 below PID fills comments."""

VISIT = _table(
    "visit",
    Row("patient_class", ("PV1-2",), _patient_class, 8),
    Row("location", ("PV1-3",), values.location, 64),
    Row("referring_physician", ("PV1-8",), values.physician, 64),
    Row("ambulatory_status", ("PV1-15",), values.text, 16),
    Row("admitted_at", ("PV1-44",), values.moment, empty=None),
    Row("discharged_at", ("PV1-45",), values.moment, empty=None),
)
"""ris.actions.visits.keep; the visit number is PV1-19, else PID-18."""

DISCHARGE: tuple[Row, ...] = (
    *VISIT[:-1],
    Row("discharged_at", ("PV1-45", "EVN-6", "EVN-2"), values.moment, empty=None, name="visit.discharged_at"),
)
"""The same of an ADT^A03: a discharge without its time happened when the event did."""

PLANNED: tuple[Row, ...] = VISIT[:-1]
"""The same of ADT^A16 and A25, whose PV1-45 is a plan."""

ORDER = _table(
    "order",
    Row("requesting_physician", ("ORC-12", "OBR-16"), values.physician, 64),
    Row("referring_physician", ("PV1-8",), values.physician, 64),
    Row("requesting_service", ("ORC-17",), values.coded_text, 64),
    Row("callback_phone", ("ORC-14", "OBR-17"), values.phone, 80),
    Row("ordered_at", ("ORC-9",), values.moment, empty=None),
)
"""ris.actions.orders.place and change, one order for each ORC."""

PROCEDURE = _table(
    "procedure",
    Row("requested_procedure_id", ("IPC-2", "OBR-19"), values.text),
    Row("study_instance_uid", ("IPC-3", "ZDS-1"), values.text),
    Row("priority", ("TQ1-9", "ORC-7.6", "OBR-27.6", "OBR-5"), _priority),
    Row("reason", ("OBR-31",), values.coded_text, 250),
    Row("transport_arrangements", ("OBR-30",), values.text, 64),
    Row("intended_recipients", ("OBR-28",), _physicians, 250),
    Row("modality", ("IPC-5", "OBR-24"), _modality),
    Row("start", ("TQ1-7", "ORC-7.4", "OBR-27.4", "OBR-36"), values.start),
    Row("duration", ("ORC-7.3", "OBR-27.3"), _duration),
    Row("station", ("IPC-9", "ORC-18"), values.text),
    Row("sps_id", ("IPC-4", "OBR-20"), values.text),
    Row("performing_physician", ("OBR-34",), _performer, 64),
    Row("technologist", ("OBR-34",), _technologist, 64),
)
"""ris.actions.requests.ProcedureRequest, one for each OBR; NTE-3 below it fills comments."""

WHOLE_TEXTS = (
    *(values.words, values.coded_text, values.location, values.phone, values.physician),
    *(_physicians, _performer, _technologist),
)
"""Readers of a whole field, whose components are texts as well."""

WHOLE_ONLY = (_pregnancy, _special_needs, *(row.read for row in PATIENT if row.sources == ("PID-5",)))
"""Readers of a whole field, whose components mean nothing alone."""

PROSE = frozenset({values.words, values.coded_text, _special_needs})
"""Readers of what people read: where its end is missing, it says so."""

ARGUMENTS: dict[str, Row] = {row.name: row for row in (*PATIENT, *CLINICAL, *VISIT, *ORDER, *PROCEDURE)}
"""What an endpoint may have other sources for."""

APPOINTMENT: tuple[Row, ...] = (
    # Where it is that of the whole appointment (TQ1, SCH), AIS-5 says how much later the service begins.
    Row("start", ("AIS-4", "AIG-8", "AIL-6", "AIP-6", "TQ1-7", "SCH-11.4"), values.start),
    Row("duration", ("AIS-7", "AIG-11", "AIL-9", "AIP-9", "SCH-9"), values.minutes),
    Row("end", ("TQ1-8", "SCH-11.5"), values.moment),
    Row("reason", ("SCH-6", "SCH-7"), values.coded_text, 100),
)
"""SIU: one appointment. Minutes unless the field after the duration says otherwise; the end counts where a time is
closed or opened without a duration."""
