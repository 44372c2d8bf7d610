"""How a device is written to: values as its profile wants them, in letters that it can read.

What is stored stays as it is. A name that the character set of a device lacks is sent in the representation that it has
(alphabetic, ideographic, phonetic), else in Latin letters, never with question marks. Identifiers are never rewritten.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from anyascii import anyascii
from pydicom.datadict import dictionary_VR, tag_for_keyword

from ris.person_name import GROUP_LENGTH
from worklist.attributes import ATTRIBUTES, STEP_ATTRIBUTES, Attribute, Fault, Level
from worklist.charsets import UTF_8, is_writable
from worklist.matching import Kind
from worklist.profiles import PLAIN, Profile, Setting, ValueRule
from worklist.values import CHARACTER_SET_VRS, RULES, in_values, shortened, valid

Value = str | int | list[str] | None
"""A value to send; None for zero length."""
_IDEOGRAPHS = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


class What(StrEnum):
    """What became of a value on its way to a device."""

    LATIN = "LATIN"
    GROUP = "GROUP"
    OTHER = "OTHER"
    CUT = "CUT"
    MENDED = "MENDED"
    EMPTY = "EMPTY"
    CAPITALS = "CAPITALS"
    DEFAULT = "DEFAULT"
    FORCED = "FORCED"


AGREED = frozenset({What.CAPITALS, What.DEFAULT, What.FORCED})
"""What a profile says in so many words. It is told, but not counted: nothing is lost by it."""


@dataclass(frozen=True)
class Change:
    """A value that is not sent as it is stored."""

    keyword: str
    what: What


@dataclass
class Notes:
    """What is gathered while a data set is made: the texts that it holds, and what was changed."""

    texts: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    @property
    def rewritten(self) -> int:
        """How many values count as rewritten in log and query log."""
        return sum(change.what not in AGREED for change in self.changes)


class Style:
    """How one device is written to."""

    def __init__(self, profile: Profile = PLAIN, *, character_set: str = "") -> None:
        """Make ready. character_set: another one than the profile's."""
        self.character_set = character_set or profile.character_set
        self.rewrites = profile.transliterate and self.character_set != UTF_8
        self.time_zone = profile.time_zone
        self.leaves_out_empty_sequences = profile.leave_out_empty_sequences
        self._upper_case = profile.upper_case_names
        self._rules: dict[str, list[ValueRule]] = {}
        for rule in profile.rules:
            self._rules.setdefault(rule.keyword, []).append(rule)

    def value(self, attribute: Attribute, value: Value, notes: Notes) -> Value:
        """Return what to send for a stored value. Notes what was changed, and the text that is sent."""
        rules = {rule.setting: rule.value for rule in self._rules.get(attribute.keyword, ())}
        if Setting.FORCED in rules:
            forced = _typed(attribute.vr, rules[Setting.FORCED])
            if forced != value:
                notes.changes.append(Change(attribute.keyword, What.FORCED))
            value = forced
        elif value is None and Setting.DEFAULT in rules:
            notes.changes.append(Change(attribute.keyword, What.DEFAULT))
            value = _typed(attribute.vr, rules[Setting.DEFAULT])
        if value is None or isinstance(value, int):
            return value
        if isinstance(value, list):
            value = [part for one in value for part in self._parts(attribute, one, notes)] or None
        else:
            written = self._text(attribute, value, notes)
            value = shortened(attribute.vr, written) or None
            if len(written) > RULES[attribute.vr].length:
                notes.changes.append(Change(attribute.keyword, What.CUT))
        if value and Setting.LONGEST in rules:
            value = _cut(attribute, value, int(rules[Setting.LONGEST]), notes) or None
        if attribute.vr in CHARACTER_SET_VRS and value:
            notes.texts.extend(value if isinstance(value, list) else [value])
        return value

    def unknown(self, keyword: str, notes: Notes) -> Value:
        """Return what to send for a key of which nothing is stored."""
        if keyword not in self._rules:
            return None
        return self.value(Attribute(keyword, Level.STEP, Kind.NONE, "3"), None, notes)

    def _parts(self, attribute: Attribute, text: str, notes: Notes) -> list[str]:
        """Return one of several values, as several where it has become too long for one."""
        written = self._text(attribute, text, notes)
        return in_values(attribute.vr, written) if attribute.fault is Fault.CUT else [written] if written else []

    def _text(self, attribute: Attribute, text: str, notes: Notes) -> str:
        if attribute.vr == "PN" and self._upper_case:
            cased = self._cased(text)
            if cased != text:
                notes.changes.append(Change(attribute.keyword, What.CAPITALS))
            text = "=".join(group[:GROUP_LENGTH] for group in cased.split("="))  # ß makes two letters
            if text != cased:
                notes.changes.append(Change(attribute.keyword, What.CUT))
        if not self.rewrites or attribute.vr not in CHARACTER_SET_VRS or is_writable(text, self.character_set):
            return text
        if attribute.vr == "PN":
            return self._name(attribute, text, notes)
        if attribute.fault is not Fault.CUT:
            # A number or a code in other letters would be another one.
            notes.changes.append(Change(attribute.keyword, What.EMPTY))
            return ""
        notes.changes.append(Change(attribute.keyword, What.LATIN))
        return self._latin(text)

    def _name(self, attribute: Attribute, text: str, notes: Notes) -> str:
        """Return a name of up to three component groups (PS3.5 6.2.1.1) in what can be written."""
        alphabetic, ideographic, phonetic = [*text.split("="), "", ""][:3]
        changes = []
        if not is_writable(alphabetic, self.character_set) or not alphabetic:
            # Kanji romanized sign by sign would be Chinese; how the name is spoken is kept beside it.
            spoken = phonetic if phonetic and (not alphabetic or _IDEOGRAPHS.search(alphabetic)) else ""
            source = spoken or alphabetic or ideographic
            changes.append(What.OTHER if source != alphabetic else What.LATIN)
            latin = self._latin_name(source)
            alphabetic = latin[:GROUP_LENGTH].rstrip("^ ")
            if len(latin) > GROUP_LENGTH:
                changes.append(What.CUT)
        kept = [group if is_writable(group, self.character_set) else "" for group in (ideographic, phonetic)]
        if kept != [ideographic, phonetic]:
            changes.append(What.GROUP)
        notes.changes.extend(Change(attribute.keyword, what) for what in changes)
        return "=".join([alphabetic, *kept]).rstrip("=")

    def _latin_name(self, group: str) -> str:
        parts = [self._latin(part) for part in group.split("^")]
        plain = [" ".join(re.sub(r"[\\^=]", " ", part).split()) for part in parts]
        if group.upper() == group.lower():  # a script without capitals
            plain = [part[:1].upper() + part[1:] for part in plain]
        return self._cased("^".join(plain)).rstrip("^ ")

    def _cased(self, name: str) -> str:
        return name.upper() if self._upper_case else name

    def _latin(self, text: str) -> str:
        """Write the letters that the character set lacks in Latin ones; the others stay."""
        return "".join(
            char if is_writable(char, self.character_set) else anyascii(char).replace("\\", "/") for char in text
        )


def _typed(vr: str, text: str) -> Value:
    return int(text) if vr == "US" else text


def _cut(attribute: Attribute, value: str | list[str], longest: int, notes: Notes) -> str | list[str]:
    """Shorten each value; of a name, each component group."""

    def short(text: str) -> str:
        if attribute.vr == "PN":
            return "=".join(group[:longest].rstrip("^ ") for group in text.split("="))
        return text[:longest].rstrip()

    cut = [text for text in map(short, value) if text] if isinstance(value, list) else short(value)
    if cut != value:
        notes.changes.append(Change(attribute.keyword, What.CUT))
    return cut


def vr_of(keyword: str) -> str:
    """Return the value representation of a keyword of the data dictionary; empty where there is none."""
    tag = tag_for_keyword(keyword)
    return dictionary_VR(tag).split(" or ")[0] if tag is not None else ""


IDENTIFYING = frozenset(
    {row.keyword for row in (*ATTRIBUTES, *STEP_ATTRIBUTES) if row.fault is Fault.SKIP} - {"Modality"}
    | {"ReferencedSOPInstanceUID", "BarcodeValue", "SpecificCharacterSet", "TimezoneOffsetFromUTC"}
) - {"ScheduledStationAETitle"}
"""What a profile never invents: what tells patients, exams and appointments apart."""
_PATIENT_GROUP = 0x0010
"""Group of the data dictionary (PS3.6) that tells of the patient: it has more than is kept here."""
_OF_THE_PATIENT = frozenset(
    {row.keyword for row in ATTRIBUTES if row.level is Level.PATIENT and row.known}
    | {item.keyword for row in ATTRIBUTES if row.level is Level.PATIENT for item in row.items if item.path}
    | {"AdmittingDiagnosesDescription"}
)
SAYS_UNKNOWN = {"PregnancyStatus": "4", "PatientSex": "O", "SmokingStatus": "UNKNOWN"}
"""Of the patient, what may be sent instead of nothing: that it is not known, of the sex that it is neither M nor F
(PS3.3 C.2.3, C.2.4)."""


def is_of_patient(keyword: str) -> bool:
    """Tell whether an attribute says something of the patient: no profile may say that of all who come."""
    return keyword in _OF_THE_PATIENT or (tag_for_keyword(keyword) or 0) >> 16 == _PATIENT_GROUP


def may_be_set(keyword: str, setting: Setting) -> bool:
    """Tell whether a profile may do this with an attribute. Not every value is right; see is_allowed."""
    vr = vr_of(keyword)
    if setting is Setting.LONGEST:
        return vr in CHARACTER_SET_VRS and (keyword not in IDENTIFYING or vr == "PN")
    if vr not in RULES or keyword in IDENTIFYING:
        return False
    return not is_of_patient(keyword) or (setting is Setting.DEFAULT and keyword in SAYS_UNKNOWN)


def is_allowed(rule: ValueRule) -> bool:
    """Tell whether a rule may be carried out: of a patient it says nothing but that something is unknown."""
    if not may_be_set(rule.keyword, rule.setting):
        return False
    says_a_value = rule.setting is not Setting.LONGEST and rule.keyword in SAYS_UNKNOWN
    return not says_a_value or rule.value == SAYS_UNKNOWN[rule.keyword]


def is_valid(keyword: str, text: str) -> bool:
    """Tell whether a value can be sent for a keyword."""
    return vr_of(keyword) in RULES and bool(text) and valid(vr_of(keyword), text)


PLAIN_STYLE = Style()
