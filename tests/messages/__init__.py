"""HL7 messages as a hospital sends them, segment by segment.

    adt("A04")                                   # registers Jane Doe, 4711
    adt("A08", pid(name="Roe^Jane"))
    orm("NW", placer="P1", code="CTABD^CT abdomen^L", start="20260105101500")
    send(msh("ORM^O01"), pid(), orc("CA", "P1"))

What is not said has a believable default; control ids count on by themselves.
"""

import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta

_control_ids = itertools.count(1)

Fields = Mapping[int, str]
"""Field number -> its text, for what a builder has no argument for."""


def segment(name: str, fields: Fields) -> str:
    """Write one segment; fields by number."""
    last = max(fields, default=0)
    return "|".join([name, *(fields.get(number, "") for number in range(1, last + 1))])


def msh(
    kind: str = "ADT^A04",
    *,
    control_id: str = "",
    version: str = "2.5.1",
    charset: str = "UNICODE UTF-8",
    application: str = "HIS",
    facility: str = "HOSPITAL",
    time: str = "20260105080000",
    processing_id: str = "P",
) -> str:
    """Write MSH."""
    fields = (application, facility, "BUCKY", "RADIOLOGY", time, "", kind, control_id or f"MSG{next(_control_ids):05d}")
    rest = (processing_id, version, *[""] * 5, charset) if charset else (processing_id, version)
    return "|".join(("MSH", r"^~\&", *fields, *rest))


def pid(
    number: str = "4711",
    name: str = "Doe^Jane",
    birth_date: str = "19620417",
    sex: str = "F",
    *,
    authority: str = "HIS",
    fields: Fields | None = None,
) -> str:
    """Write PID; `number` alone becomes a medical record number of `authority`, with a caret it is taken as it is."""
    known_as = number if "^" in number or not number else f"{number}^^^{authority}^MR"
    return segment("PID", {1: "1", 3: known_as, 5: name, 7: birth_date, 8: sex} | dict(fields or {}))


def pv1(visit: str = "V100", location: str = "WARD3^12^B", fields: Fields | None = None) -> str:
    """Write PV1 of an outpatient sent by Dr Curie."""
    return segment(
        "PV1", {1: "1", 2: "O", 3: location, 8: "77^Curie^Marie^^^Dr", 19: f"{visit}^^^HIS"} | dict(fields or {})
    )


def mrg(number: str, authority: str = "HIS", fields: Fields | None = None) -> str:
    """Write MRG: the number that goes away."""
    return segment("MRG", {1: f"{number}^^^{authority}^MR"} | dict(fields or {}))


def orc(
    control: str = "NW", placer: str = "P1", *, start: str = "", priority: str = "", fields: Fields | None = None
) -> str:
    """Write ORC."""
    timing = f"1^once^^{start}^^{priority}" if start or priority else ""
    return segment("ORC", {1: control, 2: placer, 7: timing, 12: "77^Curie^Marie^^^Dr"} | dict(fields or {}))


def obr(
    code: str = "CTABD^CT abdomen^L",
    placer: str = "P1",
    *,
    modality: str = "",
    number: int = 1,
    fields: Fields | None = None,
) -> str:
    """Write OBR."""
    return segment("OBR", {1: str(number), 2: placer, 4: code, 24: modality} | dict(fields or {}))


def send(*segments: str, end: str = "\r", encoding: str = "utf-8") -> bytes:
    """Put segments together as they go over the wire."""
    return "".join(text + end for text in segments).encode(encoding)


def adt(event: str = "A04", *segments: str, control_id: str = "", version: str = "2.5.1") -> bytes:
    """Write an ADT message; the patient is Jane Doe and the visit V100 unless segments say otherwise."""
    return send(
        msh(f"ADT^{event}", control_id=control_id, version=version),
        f"EVN|{event}|20260105080000",
        *(segments or (pid(), pv1())),
    )


def orm(
    control: str = "NW",
    *more: str,
    placer: str = "P1",
    code: str = "CTABD^CT abdomen^L",
    start: str = "",
    modality: str = "",
    priority: str = "",
    patient: str = "",
    control_id: str = "",
    version: str = "2.5.1",
) -> bytes:
    """Write an ORM^O01 with one order of one procedure; `more` follows the OBR."""
    return send(
        msh("ORM^O01", control_id=control_id, version=version),
        patient or pid(),
        pv1(),
        orc(control, placer, start=start, priority=priority),
        obr(code, placer, modality=modality),
        *more,
    )


def hl7_time(moment: datetime) -> str:
    """Write a point in time with its offset."""
    return moment.strftime("%Y%m%d%H%M%S%z")


def minutes_later(moment: datetime, minutes: int) -> str:
    """Write a point in time some minutes later."""
    return hl7_time(moment + timedelta(minutes=minutes))
