"""What a query asks for: the identifier of a C-FIND request, read once into keys and conditions.

Knows the attribute table and nothing of the database.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext_noop as _
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag

from worklist.attributes import BY_TAG, ITEMS_BY_TAG, NOT_KEYS, Attribute
from worklist.errors import CANNOT_UNDERSTAND, IDENTIFIER_DOES_NOT_FIT, QueryError
from worklist.matching import ANY_TIME, EMPTY, UNIVERSAL, BadKeyError, Condition, Kind, Window, combined, condition
from worklist.ways import LITERAL, Ways

LONGEST_VALUE = 1024
"""Characters of one value of a key. No attribute of the table holds more that could be matched."""

START_DATE = Tag("ScheduledProcedureStepStartDate")
START_TIME = Tag("ScheduledProcedureStepStartTime")


@dataclass(frozen=True)
class Key:
    """One attribute that the answers must hold.

    attribute: its row of the table, None where Bucky does not know it. items: of a sequence, what its
    items must hold.
    """

    tag: BaseTag
    vr: str
    attribute: Attribute | None = None
    items: tuple["Key", ...] = ()


@dataclass(frozen=True)
class Match:
    """One condition on one column. folded: compare without case and accents."""

    attribute: Attribute
    path: str
    condition: Condition
    folded: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """The columns that hold what is compared, as people know it."""
        attribute = self.attribute
        return (attribute.path, *attribute.groups) if attribute.groups else (self.path,)


@dataclass
class Request:
    """A whole query.

    window: when the step may start. partial: a key that Bucky cannot match had a value, so the answers are
    pending with FF01 instead of FF00 (PS3.4 K.4.1.1.4). ways: what may match beside the usual.
    """

    keys: tuple[Key, ...] = ()
    matches: list[Match] = field(default_factory=list)
    window: Window = ANY_TIME
    partial: bool = False
    ways: Ways = LITERAL

    def leaves(self) -> Iterator[Attribute]:
        """Return every known attribute that is asked for, items of sequences included."""
        pending = list(self.keys)
        while pending:
            key = pending.pop()
            pending.extend(key.items)
            if key.attribute:
                yield key.attribute


def read(identifier: Dataset, ways: Ways = LITERAL) -> Request:
    """Read an identifier. Raises QueryError where it cannot be understood."""
    reader = _Reader(ways)
    try:
        keys = reader.level(identifier, BY_TAG)
    except QueryError:
        raise
    except Exception:  # pydicom reads values when they are looked at, and fails in many ways
        raise QueryError(IDENTIFIER_DOES_NOT_FIT, _("The identifier cannot be decoded")) from None
    if not any(key.attribute for key in keys):
        raise QueryError(IDENTIFIER_DOES_NOT_FIT, _("No key of the worklist is asked for"))
    request = reader.request
    request.keys = keys
    request.window = reader.window()
    return request


def _bad_key(tag: BaseTag, fault: str) -> QueryError:
    return QueryError(CANNOT_UNDERSTAND, f"Key {tag} {fault}", tag, fault)


class _Reader:
    """Walks one identifier."""

    def __init__(self, ways: Ways) -> None:
        self.request = Request(ways=ways)
        self.start: dict[BaseTag, Condition] = {}

    def level(self, data_set: Dataset, table: Mapping[BaseTag, Attribute]) -> tuple[Key, ...]:
        """Read the keys of a data set or of a sequence's item."""
        return tuple(
            self.key(element, table.get(element.tag))
            for element in data_set
            if element.tag not in NOT_KEYS and element.tag.element != 0  # group lengths are not keys
        )

    def key(self, element: DataElement, attribute: Attribute | None) -> Key:
        """Read one key and keep what it asks for."""
        if attribute is None:
            if _asks(element):
                self.request.partial = True
            return Key(element.tag, element.VR.split(" or ")[0])
        if attribute.vr == "SQ":
            return Key(attribute.tag, "SQ", attribute, self.items(element, attribute))
        self.match(element, attribute)
        return Key(attribute.tag, attribute.vr, attribute)

    def items(self, element: DataElement, attribute: Attribute) -> tuple[Key, ...]:
        """Read the item of a sequence key. No item, or one without attributes, asks for everything in it."""
        if element.VR != "SQ":
            raise QueryError(IDENTIFIER_DOES_NOT_FIT, _("Not a sequence"), attribute.tag)
        items: Sequence[Dataset] = element.value or ()
        if len(items) > 1:
            raise QueryError(IDENTIFIER_DOES_NOT_FIT, _("More than one item in a sequence key"), attribute.tag)
        keys = self.level(items[0], ITEMS_BY_TAG[attribute.tag]) if items else ()
        return keys or _everything(attribute)

    def match(self, element: DataElement, attribute: Attribute) -> None:
        """Keep the conditions of one key that is not a sequence."""
        values = _values(element)
        if attribute.kind is Kind.NONE:
            if _asks(element):
                self.request.partial = True
            return
        if any(len(value) > LONGEST_VALUE for value in values):
            raise _bad_key(attribute.tag, _("is too long"))
        try:
            if attribute.vr == "PN":
                self.request.matches.extend(_name_matches(attribute, values, self.request.ways))
                return
            found = condition(attribute.kind, attribute.vr, values, self.request.ways, many=attribute.has_many)
        except BadKeyError as reason:
            raise _bad_key(attribute.tag, str(reason)) from None
        if attribute.tag in (START_DATE, START_TIME) and found is not EMPTY:
            self.start[attribute.tag] = found
        elif found is not UNIVERSAL:
            self.request.matches.append(Match(attribute, attribute.path, found))

    def window(self) -> Window:
        """Join start date and start time."""
        try:
            return combined(self.start.get(START_DATE, UNIVERSAL), self.start.get(START_TIME, UNIVERSAL))
        except BadKeyError as reason:
            tag = START_TIME if START_TIME in self.start else START_DATE
            raise _bad_key(tag, str(reason)) from None


def _everything(attribute: Attribute) -> tuple[Key, ...]:
    """Return all attributes of a sequence that can have a value."""
    return tuple(
        Key(item.tag, item.vr, item, _everything(item))
        for item in attribute.items
        if item.known or item.return_type != "3"
    )


def _name_matches(attribute: Attribute, values: Sequence[str], ways: Ways) -> Iterator[Match]:
    """Match each component group of a name with its own column (PS3.5 6.2.1.1)."""
    if condition(attribute.kind, "PN", values, ways) is EMPTY:  # a name is empty when all its groups are
        yield from (Match(attribute, path, EMPTY) for path in (attribute.path, *attribute.groups))
        return
    split = [value.split("=") for value in values]
    for place, path in enumerate((attribute.folded or attribute.path, *attribute.groups)):
        groups = [groups[place] for groups in split if len(groups) > place]
        found = condition(attribute.kind, "PN", groups)
        if found is not UNIVERSAL:
            yield Match(attribute, path, found, folded=True)


def _values(element: DataElement) -> list[str]:
    """Return the values of a key as text."""
    value = element.value
    if value is None:
        return []
    if isinstance(value, bytes):
        return [value.decode("ascii", "replace")]
    return [str(one) for one in value] if isinstance(value, MultiValue | list) else [str(value)]


def _asks(element: DataElement) -> bool:
    """Tell whether a key has a value that is to be matched."""
    if element.VR == "SQ":
        return any(_asks(inner) for item in element.value or () for inner in item)
    return any(value.strip(" \0*") for value in _values(element))
