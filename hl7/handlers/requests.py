"""OBR as a ProcedureRequest: the exam from the catalogue, the station, the identifiers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hl7 import mapping, values
from hl7.ack import Condition, Place
from hl7.dialect import PLAIN, CodeTable, Dialect
from hl7.handlers.order_groups import Detail, Group
from hl7.mapping import Filled
from hl7.message import NULL, Segment
from hl7.undone import Undone
from ris.actions import catalogue, schedule
from ris.actions.requests import CodedEntry, ProcedureRequest, StepWish
from ris.models import Exam, Station

_CODE_LENGTH = 16
_SCHEME_LENGTH = 16
_MEANING_LENGTH = 64
_DIAGNOSIS_LENGTH = 250


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The exams that a message may mean, read in one go."""

    exams: list[Exam]
    dialect: Dialect = PLAIN

    @classmethod
    def of(cls, segments: list[Segment], field: int = 4) -> "Catalogue":
        """Read the exams with any of the codes in this field, and those that the endpoint has for such codes."""
        dialect = segments[0].dialect if segments else PLAIN
        said = {entry.code for segment in segments for entry in ordered_codes(segment, field)}
        agreed = {code for one in said if (code := dialect.code(CodeTable.EXAM, one))}
        return cls(catalogue.exams(frozenset(said | agreed)), dialect)

    def find(self, entry: CodedEntry) -> Exam | None:
        """Return the exam of this code: as the endpoint has it, else in the same coding scheme.

        All local schemes are the same one.
        """
        agreed = self.dialect.code(CodeTable.EXAM, entry.code)
        for exam in self.exams if agreed else ():
            if exam.code == agreed:
                return exam
        for exam in self.exams:
            if exam.code == entry.code and _same_scheme(exam.coding_scheme, entry.coding_scheme):
                return exam
        return None


def _same_scheme(ours: str, theirs: str) -> bool:
    both_local = mapping.LOCAL_SCHEMES.fullmatch(ours) and mapping.LOCAL_SCHEMES.fullmatch(theirs)
    return bool(both_local) or ours.upper() == theirs.upper()


def ordered_codes(segment: Segment, field: int = 4) -> list[CodedEntry]:
    """Return the code and the alternate code of a field (OBR-4), without the empty ones."""
    found = []
    for first in (1, 4):
        code, meaning, scheme = (_said(segment.get(f"{field}.{first + number}")) for number in range(3))
        if code or meaning:
            found.append(CodedEntry(code[:64], scheme[:_SCHEME_LENGTH], meaning[:250]))
    return found


def read_request(known: Catalogue, group: Group, detail: Detail, read: Filled, warnings: list[str]) -> ProcedureRequest:
    """Return what one OBR asks for. `read` holds the arguments of mapping.PROCEDURE."""
    said = dict(read.values)
    codes = ordered_codes(detail.obr)
    exam = next((exam for entry in codes if (exam := known.find(entry))), None)
    if codes:
        ordered = codes[0]
        said |= {"code": ordered.code, "coding_scheme": ordered.coding_scheme, "meaning": ordered.meaning}
    if exam is None:
        entries = coded(detail.ipcs[0], 6) if detail.ipcs else []
        said["protocol_codes"] = _fitting(entries or codes[-1:]) or None
    elif said.pop("modality", exam.modality) != exam.modality:
        warnings.append(
            f"{read.places['modality']}: the modality is not the one of the exam in the catalogue, which was taken"
        )
    place = read.places.get("station", values.place(group.orc, "18"))
    said["station"] = _station(said.get("station"), place, exam, said.get("modality"), warnings)
    if detail.ipcs:
        first = StepWish(sps_id=said.get("sps_id"), station=said["station"], comments=_ipc_comments(detail, 0))
        said["steps"] = _step_wishes(detail, warnings) if len(detail.ipcs) > 1 else (first,)
    said |= _why(detail, warnings)
    comments = [*group.comments, *detail.comments]
    if comments:
        said["comments"] = "\n".join(comments)
    return ProcedureRequest(exam=exam, **said)


def _why(detail: Detail, warnings: list[str]) -> dict[str, Any]:
    """Return the coded reasons of OBR-31, and what all DG1 say; nothing of what is not sent."""
    found: dict[str, Any] = {}
    codes = [_short(entry).as_dict() for entry in coded(detail.obr, 31) if _is_writable(entry)]
    if codes:
        found["reason_codes"] = codes
    texts = (values.coded_text(segment, "3") or values.text(segment, "4") for segment in detail.diagnoses)
    diagnoses = "; ".join(dict.fromkeys(text for text in texts if text and text is not NULL))
    if diagnoses:
        found["diagnosis"] = values.cut(diagnoses, _DIAGNOSIS_LENGTH, "DG1-3", warnings)
    return found


def _is_writable(entry: CodedEntry) -> bool:
    """Tell whether an entry has all that an item of a DICOM code sequence needs."""
    return bool(0 < len(entry.code) <= _CODE_LENGTH and entry.coding_scheme and entry.meaning)


def _step_wishes(detail: Detail, warnings: list[str]) -> tuple[StepWish, ...]:
    """Return what each IPC asks for: its step, station, modality, protocols and the comments below it."""
    wishes = []
    for number, ipc in enumerate(detail.ipcs):
        _warn_of_others(detail.ipcs[0], ipc, warnings)
        modality = mapping.modality(ipc, "5", warnings)
        entries = coded(ipc, 6)
        named = next((entry.meaning for entry in entries if entry.meaning), None)
        place = values.place(ipc, "9")
        wishes.append(
            StepWish(
                sps_id=_said(ipc.get("4")) or None,
                description=named[:_MEANING_LENGTH] if named else None,
                modality=modality,
                station=_station(_said(ipc.get("9")) or None, place, None, modality, warnings),
                protocol_codes=_fitting(entries) or None,
                comments=_ipc_comments(detail, number),
            )
        )
    return tuple(wishes)


def _warn_of_others(first: Segment, ipc: Segment, warnings: list[str]) -> None:
    """Tell of an IPC that names another order, procedure or study than the first one below the same OBR."""
    for path in ("1.1", "2.1", "3.1"):
        said = _said(ipc.get(path))
        if said and said != _said(first.get(path)):
            text = "another number than in the first IPC; the steps below one OBR belong together, so it was not taken"
            place = values.place(ipc, path)
            warnings.append(Undone(Condition.DUPLICATE_KEY, f"{place}: {text}", place))


def _ipc_comments(detail: Detail, number: int) -> str | None:
    return "\n".join(detail.ipc_comments.get(number, ())) or None


def coded(segment: Segment, number: int) -> list[CodedEntry]:
    """Return the coded elements (CE) of all repetitions of a field."""
    found = []
    for repetition in segment.repetitions(number):
        code, meaning, scheme = (_said(repetition.get(number)) for number in (1, 2, 3))
        found.append(CodedEntry(code, scheme[:_SCHEME_LENGTH], meaning))
    return found


def _fitting(entries: Iterable[CodedEntry]) -> tuple[CodedEntry, ...]:
    """Leave out codes that DICOM cannot write, and cut meanings that are too long for it."""
    return tuple(_short(entry) for entry in entries if 0 < len(entry.code) <= _CODE_LENGTH)


def _station(
    name: str | None, place: Place, exam: Exam | None, modality: str | None, warnings: list[str]
) -> Station | None:
    """Return the station that the message names, where it can do the exam."""
    if not name:
        return None
    station = schedule.station_named(name)
    if station is None:
        text = f"{place}: no station in use has this name, so it does not count"
        warnings.append(Undone(Condition.UNKNOWN_KEY, text, place))
        return None
    needed = exam.modality if exam else modality
    if needed and station.modality != needed:
        text = f"{place}: the station does not do this modality, so another one was chosen"
        warnings.append(Undone(Condition.UNKNOWN_KEY, text, place))
        return None
    return station


def _short(entry: CodedEntry) -> CodedEntry:
    return CodedEntry(entry.code, entry.coding_scheme, entry.meaning[:_MEANING_LENGTH])


def _said(value: str | None) -> str:
    return " ".join(value.split()) if value and value is not NULL else ""
