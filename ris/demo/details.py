"""What the demo department's exams have besides their row: minutes, codes, limits, texts, questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ris.demo import exams
from ris.demo.exams import ExamRow

AROUND: dict[str, tuple[int, int]] = {
    "CT": (3, 2),
    "MR": (5, 5),
    "US": (2, 3),
    "NM": (5, 5),
    "PT": (10, 5),
    "RF": (5, 5),
}
"""Minutes of preparation and of clean-up, of the minutes that an exam takes in all; (2, 2) for the rest."""

FIELDS: dict[str, dict[str, Any]] = {
    "CTHEAD": {"loinc_code": "30799-1"},
    "CTCHEST": {"loinc_code": "24627-2"},
    "CTCOLON": {"lead_time": 48},
    "MRHEAD": {"loinc_code": "24590-2", "child_preparation_minutes": 10, "child_duration": 10, "child_below": 8},
    "MRKNEEL": {"laterality": "L"},
    "MRKNEER": {"laterality": "R"},
    "MRMRCP": {"lead_time": 6},
    "XRCHEST": {"loinc_code": "36643-5"},
    "XRHANDL": {"laterality": "L"},
    "XRHANDR": {"laterality": "R"},
    "USABD": {"loinc_code": "24558-9", "lead_time": 6},
    "MGSCREEN": {"loinc_code": "24606-6", "laterality": "B", "min_age": 40},
    "MGASSESS": {"min_age": 18},
    "NMBONE": {"lead_time": 24, "min_age": 16},
    "PTCT": {"lead_time": 48, "max_weight": 200},
}
"""By the exam's code."""

GERMAN: dict[str, str] = {
    exams.FASTING: "Bitte 6 Stunden vor der Untersuchung nichts essen. Klares Wasser ist erlaubt.",
    exams.KIDNEY: "Bitte einen Kreatininwert mitbringen, höchstens 4 Wochen alt. 4 Stunden vorher nichts essen.",
    exams.METAL: "Bitte sagen Sie uns, ob Sie einen Herzschrittmacher, Implantate oder Metall im Körper haben. "
    "Uhr, Schlüssel und Karten bleiben vor dem Raum.",
    exams.BLADDER: "Bitte in der Stunde vor der Untersuchung einen Liter Wasser trinken und die Blase nicht entleeren.",
    exams.NO_PREPARATION: "Es ist keine Vorbereitung nötig.",
}
"""The preparation texts in German."""


@dataclass(frozen=True)
class Gap:
    """An exam that must be kept apart from another one, or from a contrast agent."""

    exam: str
    length: int
    unit: str
    reason: str
    after: str = ""
    after_contrast: str = ""


GAPS: Sequence[Gap] = (
    Gap("NMTHYR", 8, "w", "The iodine is taken up by the thyroid", after_contrast=exams.IODINE),
    Gap("CTABD", 1, "w", "Barium hides the bowel", after="RFSWALL"),
    Gap("CTCOLON", 2, "w", "Barium hides the bowel", after="RFSWALL"),
    Gap("CTANGIO", 2, "d", "Contrast on contrast strains the kidneys", after_contrast=exams.IODINE),
)

QUESTIONS: dict[str, Sequence[tuple[str, str, bool, str]]] = {
    "XRKNEE": (("Which side?", "side", True, ""),),
    "XRANKLE": (("Which side?", "side", True, ""), ("Can the patient stand?", "yesno", False, "")),
    "XRHIP": (("Is there a hip replacement?", "yesno", False, ""),),
    "MGSCREEN": (("Date of the last mammography", "date", False, ""),),
    "CTBIOPSY": (
        ("Does the patient take blood thinners?", "yesno", True, ""),
        ("Quick / INR", "number", False, ""),
        ("How is the patient moved?", "choice", True, "walks; wheelchair; bed"),
    ),
}
"""By the exam's code: text, kind, required, choices."""

TABLE_CARRIES = {"CT": 220, "MR": 160, "RF": 180}
"""Kilograms, by the modality of a station."""


def minutes(modality: str, in_all: int) -> dict[str, int]:
    """Return the three parts of the minutes that an exam or a step takes in all."""
    before, after = AROUND.get(modality, (2, 2))
    return {"preparation_minutes": before, "duration": in_all - before - after, "cleanup_minutes": after}


def fields(row: ExamRow) -> dict[str, Any]:
    """Return further columns of an exam."""
    return minutes(row.modality, row.minutes) | FIELDS.get(row.code, {})
