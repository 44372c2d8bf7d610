"""Data sets for people: as JSON for the query log, as lines for screens."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from worklist.encoding import decode, syntax_of
from worklist.errors import QueryError

LONGEST = 1024
DEEPEST = 8
MOST = 500
"""Bounds of what is kept of one query: characters of a value, levels, keys of one level."""

READ_IN_PASSING = 16 * 1024
"""Bytes of an identifier that are read beside the answers of others."""

SINGLE_TEXT = frozenset({"LT", "ST", "UT", "UR"})
"""VRs in which a backslash is a character like others (PS3.5 6.2)."""


@dataclass(frozen=True)
class Line:
    """One data element as people read it. depth: 0 at the top, one more in each sequence."""

    depth: int
    tag: str
    keyword: str
    vr: str
    value: str


def as_json(data_set: Dataset, depth: int = 0) -> dict[str, Any]:
    """Return keyword (or tag) -> value as text, for sequences a list of such dicts. Bounded; never fails."""
    found: dict[str, Any] = {}
    for place, tag in enumerate(data_set.keys()):
        if place >= MOST or depth >= DEEPEST:
            found["..."] = "cut"
            break
        try:
            element = data_set[tag]
            name = element.keyword or str(element.tag)
            found[name] = (
                [as_json(item, depth + 1) for item in list(element.value or ())[:MOST]]
                if element.VR == "SQ"
                else _text(element)[:LONGEST]
            )
        except Exception:  # what a peer sent may fail anywhere in pydicom
            found[str(tag)] = "cannot be read"
    return found


def keys_of(encoded: bytes, transfer_syntax: str) -> dict[str, Any]:
    """Return as_json of an encoded identifier; of one that is none, or too long to be read in passing, nothing."""
    try:
        return as_json(decode(encoded, syntax_of(transfer_syntax))) if len(encoded) <= READ_IN_PASSING else {}
    except QueryError:
        return {}


def from_json(kept: dict[str, Any]) -> Dataset:
    """Return the identifier that as_json kept; attributes that no dictionary names are left out."""
    data_set = Dataset()
    for keyword, value in kept.items():
        tag = tag_for_keyword(keyword)
        if tag is None:
            continue
        vr = dictionary_VR(tag).split(" or ")[0]
        if vr == "SQ" and not isinstance(value, list):
            vr = "LO"  # as it was sent
        content = [from_json(item) for item in value] if vr == "SQ" else _values(str(value), vr)
        with suppress(Exception):  # what cannot be read again was not read the first time either
            data_set.add(DataElement(Tag(tag), vr, content, validation_mode=config.IGNORE))
    return data_set


def as_parameters(asked: Iterable[tuple[str, list[str]]]) -> dict[str, list[str]]:
    """Return the parameters of a request, name -> values, as they are kept where they cannot be read. Bounded."""
    return {
        _storable(name)[:LONGEST]: [_storable(value)[:LONGEST] for value in values[:MOST]]
        for name, values in list(asked)[:MOST]
    }


def said(kept: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Return the keys that have a value, those inside sequences as well."""
    for name, value in kept.items():
        if isinstance(value, list):
            for item in value:
                yield from said(item) if isinstance(item, dict) else ()
        elif value:
            yield name, value


def is_whole(kept: dict[str, Any]) -> bool:
    """Tell whether as_json kept all of an identifier."""
    return "..." not in kept and all(
        all(is_whole(item) for item in value) if isinstance(value, list) else len(str(value)) < LONGEST
        for value in kept.values()
    )


def as_lines(data_set: Dataset, depth: int = 0) -> Iterator[Line]:
    """Return a data set line by line, as a dump shows it."""
    for element in data_set:
        value = "" if element.VR == "SQ" else _text(element)
        yield Line(depth, str(element.tag), element.keyword, element.VR, value)
        if element.VR == "SQ":
            for item in element.value:
                yield from as_lines(item, depth + 1)


def _values(text: str, vr: str) -> str | list[str] | None:
    values = text.split("\\")
    return values if len(values) > 1 and vr not in SINGLE_TEXT else text or None


def _text(element: DataElement) -> str:
    value = element.value
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    text = "\\".join(str(one) for one in value) if isinstance(value, MultiValue | list) else str(value)
    return _storable(text)


def _storable(text: str) -> str:
    """Leave out what PostgreSQL cannot store: a NUL, half a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
