"""Values as DICOM writes them (PS3.5 table 6.2-1): whether a text fits its VR, and how it can be mended.

pydicom writes what it is given: names it cannot encode become `Wa??sa`, a backslash makes two values of one.
So every value is checked here first.
"""

import re
from dataclasses import dataclass
from textwrap import wrap

from ris import person_name, shortening


@dataclass(frozen=True)
class Rule:
    """What a VR allows. length: most characters. pattern: what the whole text must look like."""

    length: int
    pattern: re.Pattern[str]


_LINE = r"[^\x00-\x1f\x7f-\x9f\\\ud800-\udfff]*"
_TEXT = r"(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]|[\t\n\f\r])*"
RULES: dict[str, Rule] = {
    "AE": Rule(16, re.compile(r"[\x20-\x5b\x5d-\x7e]*")),
    "CS": Rule(16, re.compile(r"[A-Z0-9_ ]*")),
    "DA": Rule(8, re.compile(r"[0-9]{8}", re.ASCII)),
    "DS": Rule(16, re.compile(r"[+-]?[0-9]*\.?[0-9]+(E[+-]?[0-9]+)?", re.ASCII)),
    "LO": Rule(64, re.compile(_LINE)),
    "LT": Rule(10240, re.compile(_TEXT)),
    "PN": Rule(3 * 64 + 2, re.compile(_LINE)),
    "SH": Rule(16, re.compile(_LINE)),
    "ST": Rule(1024, re.compile(_TEXT)),
    "TM": Rule(13, re.compile(r"[0-9]{6}", re.ASCII)),
    "UI": Rule(64, re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*", re.ASCII)),
    "US": Rule(5, re.compile(r"[0-9]+", re.ASCII)),
    "UT": Rule(65536, re.compile(_TEXT)),
}
CHARACTER_SET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UT"})
"""VRs that Specific Character Set rules (PS3.5 6.1.2.2); the others are ASCII."""
_PROSE = frozenset({"LO", "LT", "ST", "UT"})


def valid(vr: str, text: str) -> bool:
    """Tell whether a value that is not empty can be sent as it is."""
    rule = RULES[vr]
    if vr == "PN" and not _valid_name(text):
        return False
    return len(text) <= rule.length and rule.pattern.fullmatch(text) is not None


def _valid_name(text: str) -> bool:
    groups = text.split("=")
    return len(groups) <= 3 and all(person_name.is_writable(group) for group in groups)


def mended(vr: str, text: str) -> str:
    """Return a text that says the same and fits its VR as far as blanks, slashes and cutting can do it."""
    return shortened(vr, _clean(vr, text))


def shortened(vr: str, text: str) -> str:
    """Return a text that is no longer than its VR allows; one that is read by people says that it was cut."""
    longest = RULES[vr].length
    return shortening.shortened(text.rstrip(), longest) if vr in _PROSE else text[:longest].rstrip()


def is_too_long(vr: str, text: str) -> bool:
    """Tell whether a text has to be cut."""
    return len(_clean(vr, text)) > RULES[vr].length


def is_reworded(vr: str, text: str) -> bool:
    """Tell whether a text holds more than blanks that its VR does not take."""
    return _clean(vr, text).split() != text.split()


def in_values(vr: str, text: str) -> list[str]:
    """Return a text that says the same in as many values as it takes: broken at commas, or else at blanks."""
    longest = RULES[vr].length
    values = [""]
    for part in _clean(vr, text).split(", "):
        joined = f"{values[-1]}, {part}" if values[-1] else part
        if len(joined) <= longest:
            values[-1] = joined
        else:
            values += wrap(part, longest)
    return [value for value in values if value]


def _clean(vr: str, text: str) -> str:
    """Return a text without the characters that its VR does not take."""
    if vr in ("LT", "ST", "UT"):
        return re.sub(r"[^\t\n\f\r\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]", " ", text)
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", " ", text.replace("\\", "/")).split())
