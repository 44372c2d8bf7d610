"""The query part of an address as an identifier, so that one engine answers it (PS3.18 section 8.3.4)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from django.http import QueryDict
from pydicom import config
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from worklist.attributes import ATTRIBUTES, BY_TAG, ITEMS_BY_TAG, NOT_KEYS, STEP_SEQUENCE, Attribute
from worklist.dicomweb.problems import bad_request
from worklist.matching import Kind
from worklist.ways import LITERAL, WHOLE, Page, Ways

DEEPEST = 4
"""Levels of one attribute's path; the worklist's information model has three."""
LARGEST_NUMBER = 1_000_000_000
REQUEST_PARAMETERS = frozenset({"accept", "charset"})
"""Stand for header fields (PS3.18 section 8.3.3); see worklist.dicomweb.media."""
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_NUMBER = re.compile(r"[0-9]{1,9}")

Path = tuple[BaseTag, ...]
Table = Mapping[BaseTag, Attribute]


@dataclass
class Search:
    """A search as it was asked. ignored: attributes that had a value and cannot be matched."""

    identifier: Dataset
    page: Page = WHOLE
    ways: Ways = LITERAL
    ignored: list[str] = field(default_factory=list)


def read_search(query: QueryDict) -> Search:
    """Read the parameters of a search. Raises Problem (400) where one cannot be understood."""
    everything, included = _included(query)
    search = Search(_identifier(everything=everything))
    for name in included:
        _put(search, name, None)
    asked: set[Path] = set()
    for name, values in query.lists():
        if name in REQUEST_PARAMETERS or name == "includefield":
            continue
        if any("\ufffd" in value for value in values):
            raise bad_request(f"The value of {shown(name)} is not in UTF-8", parameter=shown(name))
        if len(values) > 1:
            raise bad_request(f"The parameter {shown(name)} is given more than once", parameter=shown(name))
        if name in _OPTIONS:
            _OPTIONS[name](search, name, values[0])
            continue
        path = _put(search, name, values[0])
        if path in asked:
            raise bad_request(f"The attribute {_name_of(path)} is given more than once", parameter=_name_of(path))
        asked.add(path)
    return search


def parameter_of(query: QueryDict, tag: BaseTag) -> str:
    """Return the parameter of a search that was read which asks for an attribute, as its sender wrote it.

    Empty when none does, or several do: an attribute may be in several sequences.
    """
    attributes = [name for name in query if name not in PARAMETERS]
    found = [name for name in attributes if _path(name)[-1] == tag]
    return found[0] if len(found) == 1 else ""


def read_included(query: QueryDict) -> tuple[int, ...]:
    """Read which attributes of one record are asked for; none are all of them. Raises Problem (400)."""
    unknown = sorted(set(query) - REQUEST_PARAMETERS - {"includefield"})
    if unknown:
        raise bad_request(f"There is no parameter {shown(unknown[0])} here", parameter=shown(unknown[0]))
    everything, included = _included(query)
    return () if everything else tuple(_path(name)[0] for name in included)


def _included(query: QueryDict) -> tuple[bool, list[str]]:
    """Return whether all attributes are asked for, and which ones by name (PS3.18 section 8.3.4.3)."""
    names = [name.strip() for value in query.getlist("includefield") for name in value.split(",")]
    if "all" not in names:
        return False, names
    if len(names) > 1:
        raise bad_request("includefield=all allows no other includefield", parameter="includefield")
    return True, []


def _identifier(*, everything: bool) -> Dataset:
    """Return an identifier that asks for what every answer holds, or for all that there is."""
    identifier = Dataset()
    for attribute in _returned(ATTRIBUTES, everything=everything):
        identifier.add(_empty(attribute))
    identifier[STEP_SEQUENCE.tag].value = [_item(STEP_SEQUENCE, everything=everything)]
    return identifier


def _returned(attributes: tuple[Attribute, ...], *, everything: bool) -> Iterator[Attribute]:
    """Return the attributes that are sent without being asked for by name: those of types 1 and 2."""
    for attribute in attributes:
        if attribute.return_type != "3" or (everything and attribute.known):
            yield attribute


def _item(attribute: Attribute, *, everything: bool) -> Dataset:
    item = Dataset()
    for one in _returned(attribute.items, everything=everything):
        item.add(_empty(one))
    return item


def _empty(attribute: Attribute) -> DataElement:
    return DataElement(attribute.tag, attribute.vr, [] if attribute.vr == "SQ" else None)


def _put(search: Search, name: str, text: str | None) -> Path:
    """Put one attribute into the identifier; None asks for it without a condition."""
    path = _path(name)
    data_set, table = search.identifier, BY_TAG
    for depth, tag in enumerate(path):
        _check_place(path, depth, table)
        attribute = table.get(tag)
        vr = attribute.vr if attribute else _vr_of(tag)
        if depth == len(path) - 1:
            _put_value(search, data_set, path, attribute, vr, text)
        else:
            data_set, table = _entered(data_set, path, depth, attribute, vr)
    return path


def _entered(
    data_set: Dataset, path: Path, depth: int, attribute: Attribute | None, vr: str
) -> tuple[Dataset, dict[BaseTag, Attribute]]:
    """Return the item of a sequence and what may be in it; made where there is none yet."""
    tag = path[depth]
    if vr != "SQ":
        name = _name_of(path[: depth + 1])
        raise bad_request(f"{name} is not a sequence", parameter=_name_of(path))
    if tag not in data_set or not data_set[tag].value:
        item = _item(attribute, everything=True) if attribute else Dataset()
        data_set.add(DataElement(tag, "SQ", [item]))
    inner: Dataset = data_set[tag].value[0]
    return inner, ITEMS_BY_TAG.get(tag, {}) if attribute else {}


def _put_value(
    search: Search, data_set: Dataset, path: Path, attribute: Attribute | None, vr: str, text: str | None
) -> None:
    tag = path[-1]
    if tag in NOT_KEYS:
        if text and vr != "CS":  # times are those of the clock at the site, whatever zone a device names
            search.ignored.append(_name_of(path))
        return
    if vr == "SQ":
        if text:
            raise bad_request(f"{_name_of(path)} is a sequence: name an attribute in it", parameter=_name_of(path))
        if tag not in data_set:
            data_set.add(DataElement(tag, vr, []))
        return
    if text is None and tag in data_set:
        return
    if text and (attribute is None or attribute.kind is Kind.NONE):
        search.ignored.append(_name_of(path))
        text = None  # never matched, so never read
    data_set.add(DataElement(tag, vr, _values(path, vr, text), validation_mode=config.IGNORE))


def _values(path: Path, vr: str, text: str | None) -> str | list[str] | None:
    """Return the values of a key; UIDs are a list with commas or backslashes (PS3.18 section 8.3.4.1).

    A list has a UID in each place. Read as an empty key, `,` would ask for everybody's steps.
    """
    if vr != "UI" or not text:
        return text or None
    uids = [uid.strip() for uid in re.split(r"[,\\]", text)]
    if not all(uids):
        raise bad_request(f"A UID is missing in the list of {_name_of(path)}", parameter=_name_of(path))
    return uids


def _path(name: str) -> Path:
    """Read an attribute's path: keywords or tags with dots between them. Raises Problem where it is none."""
    parts = name.split(".")
    tags = [_tag(part) for part in parts[:DEEPEST]]
    if len(parts) > DEEPEST or None in tags:
        raise bad_request(f"{shown(name)} is neither a parameter nor an attribute", parameter=shown(name))
    return tuple(tag for tag in tags if tag is not None)


def _tag(part: str) -> BaseTag | None:
    number = int(part, 16) if _TAG.fullmatch(part) else tag_for_keyword(part) if part else None
    if number is None:
        return None
    tag = Tag(number)
    return tag if 0x0008 <= tag.group < 0xFFFC and tag.element != 0 else None


def _check_place(path: Path, depth: int, table: Table) -> None:
    """Refuse a key of the worklist in the wrong place: read over, it would widen the list without a word."""
    tag, steps = path[depth], ITEMS_BY_TAG[STEP_SEQUENCE.tag]
    if tag in table or tag in NOT_KEYS:
        return
    elsewhere = ""
    if depth == 0 and tag in steps:
        elsewhere = f"{STEP_SEQUENCE.keyword}.{keyword_for_tag(tag)}"
    elif depth == 1 and path[0] == STEP_SEQUENCE.tag and tag in BY_TAG:
        elsewhere = keyword_for_tag(tag)
    if elsewhere:
        raise bad_request(f"{_name_of(path)} is not in its place: ask for {elsewhere}", parameter=_name_of(path))


def _vr_of(tag: BaseTag) -> str:
    try:
        return dictionary_VR(tag).split(" or ")[0]
    except KeyError:
        return "UN"


def _name_of(path: Path) -> str:
    return ".".join(keyword_for_tag(tag) or f"{tag:08X}" for tag in path)


def shown(name: str) -> str:
    """Return a parameter's name as it may be shown; what was meant as a value may have slipped into it."""
    return name if re.fullmatch(r"[A-Za-z0-9.]{1,64}", name) else "that is written so"


def _number(name: str, text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise bad_request(f"{name} is a whole number from 0 to {LARGEST_NUMBER - 1}", parameter=name)
    return int(text)


def _limit(search: Search, name: str, text: str) -> None:
    search.page = replace(search.page, limit=_number(name, text))


def _offset(search: Search, name: str, text: str) -> None:
    search.page = replace(search.page, offset=_number(name, text))


def _flag(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise bad_request(f"{name} is true or false", parameter=name)
    return text == "true"


def _fuzzy(search: Search, name: str, text: str) -> None:
    search.ways = replace(search.ways, by_ear=_flag(name, text))


def _empty_values(search: Search, name: str, text: str) -> None:
    search.ways = replace(search.ways, empty=_flag(name, text))


def _multiple_values(search: Search, name: str, text: str) -> None:
    search.ways = replace(search.ways, every=_flag(name, text))


_OPTIONS = {
    "limit": _limit,
    "offset": _offset,
    "fuzzymatching": _fuzzy,
    "emptyvaluematching": _empty_values,
    "multiplevaluematching": _multiple_values,
}
PARAMETERS = ("includefield", *_OPTIONS, *sorted(REQUEST_PARAMETERS))
"""What a search knows beside attributes."""
