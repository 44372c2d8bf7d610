"""TABLES and readers of OBX: what is observed of a patient that a scanner should know (HL7 v2.5.1 section 7.4.2)."""

from collections.abc import Callable
from decimal import Decimal

from hl7 import values
from hl7.ack import Condition
from hl7.dialect import CodeTable
from hl7.mapping import Filled
from hl7.message import NULL, Message, Segment
from hl7.undone import Undone

COLUMNS: dict[str, str] = {
    "weight": "weight",
    "height": "size",
    "pregnancy": "pregnancy_status",
    "allergy": "allergies",
    "alert": "medical_alerts",
    "special needs": "special_needs",
}
"""What may be observed, as a row of an endpoint's codes says it -> column of the patient."""

OBSERVATIONS: dict[str, str] = {
    **dict.fromkeys(("29463-7", "3141-9", "3142-7", "8335-2", "WEIGHT", "BODY WEIGHT", "WT"), "weight"),
    **dict.fromkeys(("8302-2", "3137-7", "3138-5", "HEIGHT", "BODY HEIGHT", "HT"), "height"),
    **dict.fromkeys(("82810-3", "11449-6", "PREGNANCY", "PREGNANCY STATUS"), "pregnancy"),
    **dict.fromkeys(("48765-2", "10155-0", "ALLERGY", "ALLERGIES"), "allergy"),
}
"""OBX-3 (LOINC, or the words that systems write) -> what is observed, where the endpoint does not say it."""

PREGNANCY: dict[str, int] = {
    **dict.fromkeys(("60001007", "LA26683-5", "N", "NO", "NEGATIVE", "NOT PREGNANT"), 1),
    **dict.fromkeys(("146799005", "POSSIBLE", "POSSIBLY", "POSSIBLY PREGNANT"), 2),
    **dict.fromkeys(("77386006", "LA15173-0", "Y", "YES", "POSITIVE", "PREGNANT"), 3),
    **dict.fromkeys(("261665006", "LA4489-6", "U", "UNKNOWN"), 4),
}
"""OBX-5 (SNOMED CT, LOINC, or words) -> Pregnancy Status (0010,21C0)."""

_UNKNOWN = 4
_POUND, _INCH = Decimal("0.45359237"), Decimal("0.0254")

UNITS: dict[str, dict[str, Decimal]] = {
    "weight": {"KG": Decimal(1), "G": Decimal("0.001"), "LB": _POUND, "LBS": _POUND, "[LB_AV]": _POUND},
    "size": {"M": Decimal(1), "CM": Decimal("0.01"), "MM": Decimal("0.001"), "IN": _INCH, "[IN_I]": _INCH},
}
"""OBX-6 -> factor to kilograms and metres."""

LARGEST = {"weight": 999, "size": 3}
"""Kilograms and metres that a patient can have at most."""

_LONGEST = {"allergies": 250, "medical_alerts": 250, "special_needs": 64}
_WITHDRAWN = frozenset({"D", "W", "X"})
"""OBX-11 (table 0085) of what was not observed: deleted, of another patient, cannot be obtained."""


def observe(message: Message, said: Filled, warnings: list[str]) -> None:
    """Add what OBX say about the patient to what else is said; what cannot be understood is a warning."""
    for segment in message.all("OBX"):
        column = _column(segment)
        if column and (segment.get("11") or "").upper() not in _WITHDRAWN:
            _READERS.get(column, _text)(segment, column, said, warnings)


def _column(segment: Segment) -> str | None:
    """Return the column that an OBX fills: as the endpoint has its code, else by the usual ones."""
    codes = [_said(segment.get(path)) for path in ("3.1", "3.2", "3.4")]
    for code in codes:
        agreed = segment.dialect.code(CodeTable.OBSERVATION, code) if code else None
        if agreed is not None:
            return COLUMNS.get(agreed)
    for code in codes:
        usual = OBSERVATIONS.get(code.upper())
        if usual:
            return COLUMNS[usual]
    return None


def _measure(segment: Segment, column: str, said: Filled, warnings: list[str]) -> None:
    try:
        number = values.decimal(segment, "5")
    except values.Doubt as doubt:
        warnings.append(_undone(segment, "5", f"the {column} {doubt}"))
        return
    factor = UNITS[column].get(_said(segment.get("6")).upper())
    if number is None:
        return
    if factor is None:
        warnings.append(_undone(segment, "6", f"the unit of the {column} is not known, so it was not taken"))
        return
    measured = (number * factor).quantize(Decimal("0.01"))
    if not 0 < measured <= LARGEST[column]:
        warnings.append(_undone(segment, "5", f"the {column} is not possible and was not taken"))
        return
    said.values[column] = measured
    said.places[column] = values.place(segment, "5")


def _pregnancy(segment: Segment, column: str, said: Filled, warnings: list[str]) -> None:
    """Take the status; who does not know it does not contradict what PV1-15 says."""
    answers = [text.upper() for path in ("5.1", "5.2", "5.4") if (text := _said(segment.get(path)))]
    status = next((PREGNANCY[text] for text in answers if text in PREGNANCY), None)
    if status is None:
        if answers:
            warnings.append(_undone(segment, "5", "the pregnancy status is not known here and was not taken"))
    elif status != _UNKNOWN or column not in said.values:
        said.values[column] = status
        said.places[column] = values.place(segment, "5")


def _text(segment: Segment, column: str, said: Filled, warnings: list[str]) -> None:
    """Add a text to those that are said already."""
    for repetition in segment.repetitions(5):
        text = _said(repetition.get(2)) or _said(repetition.get(1))
        known = str(said.values.get(column) or "")
        if text and text not in known.split(", "):
            whole = f"{known}, {text}" if known else text
            said.values[column] = values.cut(whole, _LONGEST[column], "OBX-5", warnings)
            said.places.setdefault(column, values.place(segment, "5"))


def _undone(segment: Segment, path: str, what: str) -> Undone:
    return Undone(Condition.DATA_TYPE, f"OBX-{path}: {what}", values.place(segment, path))


def _said(value: str | None) -> str:
    return " ".join(value.split()) if value and value is not NULL else ""


_READERS: dict[str, Callable[[Segment, str, Filled, list[str]], None]] = {
    "weight": _measure,
    "size": _measure,
    "pregnancy_status": _pregnancy,
}
"""Column -> how OBX-5 fills it; the others take its words."""
