"""A message for people: each field with its name from hl7apy's tables, the raw text with its control characters."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import hl7apy
from django.utils.translation import gettext_lazy as _

from hl7 import mllp
from hl7.endpoints import read_from
from hl7.message import NULL, Message, NotHL7, Repetition, Segment, read

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

FALLBACK_VERSION = "2.5.1"
SEGMENTS_SHOWN = 500
CHARACTERS_SHOWN = 200_000
"""Bounds of one page: a message may be 10 MiB."""

CODES: dict[str, "_StrPromise"] = {
    "AA": _("accepted and applied, or kept with the reason why not"),
    "AE": _("refused: something in the message is wrong"),
    "AR": _("rejected: it could not be taken now, or is not supported"),
    "CA": _("accepted and applied, or kept with the reason why not"),
    "CE": _("not accepted: it could not be stored now, or is not one whole message"),
    "CR": _("not accepted: its type or its header is not supported"),
}


@dataclass(frozen=True)
class Part:
    """One component: its name, its text, and whether the sender asks for it to be erased."""

    name: str
    text: str
    erased: bool = False


@dataclass(frozen=True)
class ReadableField:
    """One field: its place ("PID-5"), its name, and for each repetition its components that hold anything."""

    place: str
    name: str
    repetitions: list[list[Part]]


@dataclass(frozen=True)
class ReadableSegment:
    """One segment with the fields that hold anything."""

    name: str
    title: str
    fields: list[ReadableField]


def readable(raw: bytes, peer: str | None = None) -> list[ReadableSegment]:
    """Return the segments of a message of a sender as people read them; empty when it is no HL7 message at all."""
    try:
        message = read_from(raw, peer)
    except NotHL7:
        return []
    version = _library_version(message)
    return [
        ReadableSegment(segment.name, _title(segment.name), list(_fields(segment, message, version)))
        for segment in message.segments[:SEGMENTS_SHOWN]
    ]


def _library_version(message: Message) -> str:
    version = message["MSH"].get("12")
    return version if version is not None and version in hl7apy.SUPPORTED_LIBRARIES else FALLBACK_VERSION


def _fields(segment: Segment, message: Message, version: str) -> Iterator[ReadableField]:
    delimiter = message.delimiters.field
    count = segment.raw.count(delimiter) + (2 if segment.name == "MSH" else 1)
    for number in range(1, count):
        raw = segment.field(number)
        if not raw:
            continue
        name, components = _names(version, segment.name, number)
        place = f"{segment.name}-{number}"
        if segment.name == "MSH" and number <= 2:
            yield ReadableField(place, name, [[Part("", raw)]])
            continue
        repetitions = [list(_parts(one, components)) for one in segment.repetitions(number)]
        yield ReadableField(place, name, repetitions)


def _parts(repetition: Repetition, names: tuple[str, ...]) -> Iterator[Part]:
    if repetition.raw == NULL:
        yield Part("", "", erased=True)
        return
    for number, text in enumerate(repetition.texts(), start=1):
        if text:
            yield Part(names[number - 1] if number <= len(names) else "", text)


@lru_cache(maxsize=4096)
def _names(version: str, segment: str, number: int) -> tuple[str, tuple[str, ...]]:
    """Return the name of a field and of its components in this version, else in the fallback; empty where unknown."""
    for library in (version, FALLBACK_VERSION):
        entry: Any = hl7apy.load_library(library).FIELDS.get(f"{segment}_{number}")
        if entry:
            children = entry[1] if entry[0] == "sequence" else ()
            return _words(entry[3]), tuple(_words(child[1][3]) for child in children)
    return "", ()


def _words(name: str | None) -> str:
    """Return "PATIENT_IDENTIFIER_LIST" as "Patient identifier list"."""
    return (name or "").replace("_", " ").capitalize()


def visible(raw: bytes) -> str:
    """Return bytes as text: one line a segment, every other control character as its Unicode picture (␀ to ␡)."""
    text = raw[:CHARACTERS_SHOWN].replace(b"\r\n", b"\r").decode("utf-8", "surrogateescape")
    shown = "".join(_picture(char) for char in text)
    return shown + (" …" if len(raw) > CHARACTERS_SHOWN else "")


def _picture(char: str) -> str:
    code = ord(char)
    if char in "\r\n":
        return ("␍" if char == "\r" else "␊") + "\n"
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8
        return f"⟨{code - 0xDC00:02X}⟩"
    return char


@dataclass(frozen=True)
class ReadableAnswer:
    """An acknowledgement in words; `lines` are those of MSA-3 and of each ERR, as code and text."""

    code: str
    meaning: str
    lines: list[tuple[str, str]]

    def beside(self, told: Iterable[str]) -> list[tuple[str, str]]:
        """Return the lines that say more than what is told already; MSA-3 may hold the beginning of it only."""
        return [(code, text) for code, text in self.lines if not any(one.startswith(text) for one in told)]


def readable_answer(raw: bytes) -> ReadableAnswer | None:
    """Return what an answer says, the application's where there are two; None where there was none."""
    raw = raw.split(mllp.BETWEEN)[-1]
    try:
        message = read(raw)
    except NotHL7:
        return None
    code = message["MSA"].get("1") or ""
    lines = [("", message["MSA"].get("3") or "")]
    for error in message.all("ERR"):
        condition, words = (
            (error.get("3.1"), error.get("3.2")) if error.get("3") else (error.get("1.4.1"), error.get("1.4.2"))
        )
        lines.append((condition or "", error.get("8") or words or ""))
    return ReadableAnswer(code, str(CODES.get(code, "")), [line for line in lines if line[1]])


def reason_of(answer: bytes | Message) -> str:
    """Return why a message was not taken, in the words of ERR, else of MSA; empty where an answer says nothing."""
    if isinstance(answer, bytes):
        try:
            answer = read(answer.split(mllp.BETWEEN)[-1])
        except NotHL7:
            return ""
    msa, error = answer["MSA"], answer["ERR"]
    return error.get("8") or msa.get("3") or error.get("3.2") or error.get("1.4.2") or ""


def _title(name: str) -> str:
    return str(SEGMENT_TITLES.get(name, ""))


SEGMENT_TITLES: dict[str, "_StrPromise"] = {
    "MSH": _("Message header"),
    "EVN": _("Event"),
    "PID": _("Patient"),
    "PD1": _("Patient, additional"),
    "NK1": _("Next of kin"),
    "PV1": _("Visit"),
    "PV2": _("Visit, additional"),
    "MRG": _("Merge"),
    "ORC": _("Order"),
    "OBR": _("Observation request"),
    "OBX": _("Observation"),
    "NTE": _("Note"),
    "AL1": _("Allergy"),
    "DG1": _("Diagnosis"),
    "IN1": _("Insurance"),
    "GT1": _("Guarantor"),
    "TQ1": _("Timing"),
    "IPC": _("Imaging procedure control"),
    "SCH": _("Schedule"),
    "AIS": _("Appointment, service"),
    "AIG": _("Appointment, resource"),
    "AIL": _("Appointment, location"),
    "AIP": _("Appointment, person"),
    "RGS": _("Resource group"),
    "MSA": _("Acknowledgement"),
    "ERR": _("Error"),
    "ZDS": _("Study UID"),
}
