"""A step as a DICOM data set: the keys that were asked for, in a character set that the caller can read."""

from datetime import date, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from pydicom import config
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from worklist.attributes import SITE_ZONE, Attribute, Fault
from worklist.charsets import ASCII_ONLY, UTF_8, is_writable
from worklist.identifier import Key, Request
from worklist.spelling import PLAIN_STYLE, Change, Notes, Style, Value, What
from worklist.values import in_values, is_reworded, is_too_long, mended, valid

Row = dict[str, Any]
"""The columns of one step by their lookups; see worklist.attributes."""


class BadRowError(Exception):
    """A step holds a value that DICOM cannot write and that must not be missing. Says its keyword."""

    def __init__(self, keyword: str) -> None:
        self.keyword = keyword
        super().__init__(keyword)


def answer(request: Request, row: Row, style: Style = PLAIN_STYLE, notes: Notes | None = None) -> Dataset:
    """Return the data set of one step: every requested key and nothing else (PS3.4 K.4.1.1.3.2).

    row: the step's columns. style: how the caller is written to. notes: gathers what was changed for it. Where a name
    does not fit into its character set and is not to be rewritten, the answer is in UTF-8 rather than with question
    marks; where all is ASCII, no character set is named. Raises BadRowError.
    """
    notes = notes or Notes()
    data_set = _data_set(request.keys, row, row, notes, style)
    beyond_ascii = [text for text in notes.texts if not text.isascii()]
    if beyond_ascii:
        character_set = style.character_set
        fits = character_set != ASCII_ONLY and all(is_writable(text, character_set) for text in beyond_ascii)
        data_set.add(_element("SpecificCharacterSet", "CS", (character_set if fits else UTF_8).split("\\")))
    return data_set


def _data_set(keys: tuple[Key, ...], source: Row, row: Row, notes: Notes, style: Style) -> Dataset:
    """Return a data set of `keys`. source: an entry of a list, or the row."""
    data_set = Dataset()
    for key in keys:
        value: Any
        if key.vr == "SQ":
            value = _items(key, key.attribute, row, notes, style) if key.attribute else []
            if not value and style.leaves_out_empty_sequences:
                continue
        elif key.attribute is None:
            value = style.unknown(keyword_for_tag(key.tag), notes)
        else:
            value = value_of(key.attribute, source, row, notes, style)
        data_set.add(_element(key.tag, key.vr, value))
    return data_set


def _items(key: Key, attribute: Attribute, row: Row, notes: Notes, style: Style) -> list[Dataset]:
    """Return the items of a sequence; one whose first attribute has no value is not sent."""
    sources = (row[attribute.path] or []) if attribute.path else [row]
    sources = [source for source in sources if isinstance(source, dict)] if attribute.known else []
    leading = attribute.leading
    return [
        _data_set(key.items, source, row, notes, style)
        for source in sources
        if leading is None or value_of(leading, source, row, Notes(), style) is not None
    ]


def value_of(attribute: Attribute, source: Row, row: Row, notes: Notes, style: Style = PLAIN_STYLE) -> Value:
    """Return the value to send, None for zero length. Raises BadRowError."""
    value = style.value(attribute, _stored(attribute, source, row, notes), notes)
    if value is None and attribute.return_type == "1" and attribute.fault is Fault.SKIP:
        raise BadRowError(attribute.keyword)
    return value


def _stored(attribute: Attribute, source: Row, row: Row, notes: Notes) -> Value:
    """Return the stored value as DICOM can write it; notes what had to be changed for that. Raises BadRowError."""
    text = attribute.constant or _text(attribute, source, row)
    if attribute.many:
        return _several(attribute, text, notes) or None
    if text and not valid(attribute.vr, text):
        if attribute.fault is Fault.SKIP:
            raise BadRowError(attribute.keyword)
        better = mended(attribute.vr, text) if attribute.fault is Fault.CUT else ""
        better = better if better and valid(attribute.vr, better) else ""
        _note(attribute, text, notes, lost=not better, cut=is_too_long(attribute.vr, text))
        text = better
    if not text:
        return None
    return int(text) if attribute.vr == "US" else text


def _several(attribute: Attribute, text: str, notes: Notes) -> list[str]:
    """Return the values of a column that holds several."""
    whole = attribute.fault is not Fault.CUT
    parts = [part for one in text.split("; ") for part in ([one] if whole else in_values(attribute.vr, one)) if part]
    fit = [one for one in parts if valid(attribute.vr, one)]
    _note(attribute, text, notes, lost=len(fit) < len(parts), cut=False)
    return fit


def _note(attribute: Attribute, text: str, notes: Notes, *, lost: bool, cut: bool) -> None:
    """Note what became of a text that DICOM cannot write as it is; other blanks are no change."""
    if lost or cut or is_reworded(attribute.vr, text):
        what = What.EMPTY if lost else What.CUT if cut else What.MENDED
        notes.changes.append(Change(attribute.keyword, what))


def _text(attribute: Attribute, source: Row, row: Row) -> str:
    """Return the stored value as text, empty where there is none."""
    if attribute.groups:
        groups = (source.get(path) or "" for path in (attribute.path, *attribute.groups))
        return "=".join(groups).rstrip("=")
    value = source.get(attribute.path) if attribute.path else None
    more = source.get(attribute.also) if attribute.also else None
    if more not in (None, ""):
        value = more if isinstance(more, int) or not value else f"{more}; {value}"
    match value:
        case None:
            return ""
        case datetime():
            return value.astimezone(site_zone(row)).strftime("%Y%m%d" if attribute.vr == "DA" else "%H%M%S")
        case date():
            return value.strftime("%Y%m%d")
        case Decimal():
            return f"{value.normalize():f}"
        case _:
            return str(value).strip()


def _element(tag: Any, vr: str, value: Any) -> DataElement:
    """Return a data element. Its value was checked already; pydicom's own check would warn with the value."""
    return DataElement(Tag(tag), vr, value, validation_mode=config.IGNORE)


def site_zone(row: Row) -> tzinfo:
    """Return the time zone of the step's site; the department's own where the site's is not known."""
    return _zone(row[SITE_ZONE])


@lru_cache(maxsize=64)
def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name or settings.TIME_ZONE)  # without a station there is no site
    except (LookupError, OSError, ValueError):
        return ZoneInfo(settings.TIME_ZONE)
