"""Data sets for people: as JSON for the query log, as lines for screens."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

LONGEST = 1024
DEEPEST = 8
MOST = 500
"""Bounds of what is kept of one query: characters of a value, levels, keys of one level."""


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


def as_lines(data_set: Dataset, depth: int = 0) -> Iterator[Line]:
    """Return a data set line by line, as a dump shows it."""
    for element in data_set:
        value = "" if element.VR == "SQ" else _text(element)
        yield Line(depth, str(element.tag), element.keyword, element.VR, value)
        if element.VR == "SQ":
            for item in element.value:
                yield from as_lines(item, depth + 1)


def _text(element: DataElement) -> str:
    value = element.value
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    text = "\\".join(str(one) for one in value) if isinstance(value, MultiValue | list) else str(value)
    # Neither a NUL nor half a surrogate pair can be stored in PostgreSQL.
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
