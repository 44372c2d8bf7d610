"""Steps as DICOM data sets in bytes, without building objects for each element (PS3.5 sections 7.1, 7.5, A.1, A.2).

A scanner asks the same question every few seconds, so what it asks for is worked out once into a `Plan`: one writer for
each element. A writer remembers the bytes of values that it has written before. What a value looks like is decided in
worklist.answer, which stays the reference: both give the same data sets.
"""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom.dsutils import decode as decode_data_set

from worklist.answer import Row, value_of
from worklist.attributes import SITE_ZONE, Attribute
from worklist.charsets import ASCII_ONLY, UTF_8, is_writable, write
from worklist.errors import IDENTIFIER_DOES_NOT_FIT, QueryError
from worklist.identifier import Key, Request
from worklist.spelling import PLAIN_STYLE, Notes, Style, Value

LARGEST_IDENTIFIER = 1024 * 1024
"""Bytes of an identifier once it is inflated."""
REMEMBERED = 10_000
"""Values whose bytes one writer keeps."""
LONG_LENGTH = frozenset({"SQ", "UT", "UC", "UR", "UN", "OB", "OW", "OD", "OF", "OL", "OV", "SV", "UV"})
"""VRs whose length takes four bytes in Explicit VR (PS3.5 table 7.1-1)."""
_CHARACTER_SET_TAG = 0x00080005

Columns = Mapping[str, int]
"""Lookup of a column -> its place in a row."""
Values = Sequence[Any]
Written = tuple[bytes, str, int]
"""An element, its text where that is beyond ASCII, and how many values in it are not as they are stored."""
Writer = Callable[[Values], Written]


@dataclass(frozen=True)
class Syntax:
    """A transfer syntax."""

    implicit: bool
    little: bool = True
    deflated: bool = False

    def element(self, tag: int, vr: str, value: bytes) -> bytes:
        """Return an element of a value of even length."""
        order = "<" if self.little else ">"
        head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
        if self.implicit:
            return head + struct.pack("<I", len(value)) + value
        if vr in LONG_LENGTH:
            return head + vr.encode() + b"\0\0" + struct.pack(order + "I", len(value)) + value
        return head + vr.encode() + struct.pack(order + "H", len(value)) + value

    def item(self, value: bytes) -> bytes:
        """Return a sequence item of defined length."""
        return struct.pack("<HHI" if self.little else ">HHI", 0xFFFE, 0xE000, len(value)) + value

    def number(self, value: int) -> bytes:
        """Return an unsigned short."""
        return value.to_bytes(2, "little" if self.little else "big")


def syntax_of(uid: str) -> Syntax:
    """Return what a transfer syntax UID means."""
    if uid == ImplicitVRLittleEndian:
        return Syntax(implicit=True)
    return Syntax(False, little=uid != ExplicitVRBigEndian, deflated=uid == DeflatedExplicitVRLittleEndian)


def decode(encoded: bytes, syntax: Syntax) -> Dataset:
    """Decode an identifier. Raises QueryError where it is none."""
    try:
        if syntax.deflated:
            inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            encoded = inflate.decompress(encoded, LARGEST_IDENTIFIER)
            if inflate.unconsumed_tail:
                raise ValueError("too long")
        return decode_data_set(BytesIO(encoded), syntax.implicit, syntax.little)
    except Exception:  # whatever zlib, pydicom or recursion makes of what a peer sent
        raise QueryError(IDENTIFIER_DOES_NOT_FIT, "The identifier cannot be decoded") from None


class Plan:
    """How to write the answers to one request.

    columns: where the rows hold what. syntax: the transfer syntax. style: how the caller is written to.
    """

    def __init__(self, request: Request, columns: Columns, syntax: Syntax, style: Style = PLAIN_STYLE) -> None:
        self._request = request
        self._columns = columns
        self._syntax = syntax
        self._style = style
        self._plans: dict[str, tuple[list[Writer], bytes]] = {}
        # Where nothing is rewritten, it is known only by what is written which character set it takes.
        self._first = style.character_set if style.rewrites else UTF_8

    def encode(self, row: Values) -> tuple[bytes, int]:
        """Return the data set of one row, as worklist.answer.answer would make it, and how many values it changes.

        Raises BadRowError.
        """
        writers, named = self._plan(self._first)
        written = [write(row) for write in writers]
        beyond = [text for _, text, _ in written if text]
        if beyond:
            if self._fits_another(beyond):
                writers, named = self._plan(self._style.character_set)
                written = [write(row) for write in writers]
            data = named + b"".join([element for element, _, _ in written])
        else:
            data = b"".join([element for element, _, _ in written])
        changes = sum([changes for _, _, changes in written])
        return _deflated(data) if self._syntax.deflated else data, changes

    def _fits_another(self, texts: list[str]) -> bool:
        """Tell whether the texts that make a first try in UTF-8 can be written in the caller's character set."""
        wanted = self._style.character_set
        return wanted not in (self._first, ASCII_ONLY) and all(is_writable(text, wanted) for text in texts)

    def _plan(self, character_set: str) -> tuple[list[Writer], bytes]:
        """Return the writers in a character set, and the element that names it. No key of ours has a lower tag."""
        plan = self._plans.get(character_set)
        if plan is None:
            maker = _Writers(self._columns, self._syntax, self._style, character_set)
            writers = [maker.of(key) for key in sorted(self._request.keys, key=lambda key: key.tag)]
            named = self._syntax.element(_CHARACTER_SET_TAG, "CS", _padded(character_set.encode(), "CS"))
            plan = self._plans[character_set] = writers, named
        return plan


class _Writers:
    """Makes the writers of one plan in one character set."""

    def __init__(self, columns: Columns, syntax: Syntax, style: Style, character_set: str) -> None:
        self._columns = columns
        self._syntax = syntax
        self._style = style
        self._character_set = character_set

    def of(self, key: Key) -> Writer:
        """Return the writer of one key of the row."""
        if key.vr == "SQ":
            return self._sequence(key, key.attribute) if key.attribute else _always(self._no_items(key))
        if key.attribute is None:
            return _always(self._unknown(key))
        return self._remembering(key.attribute)

    def _remembering(self, attribute: Attribute) -> Writer:
        """Return a writer that keeps the bytes of each value that it has met."""
        paths = self._paths(attribute)
        if not paths:
            element = self._element(attribute, {}, {})
            return lambda row: element
        places = [self._columns[path] for path in paths]
        known: dict[Any, Written] = {}

        def write_one(row: Values, place: int = places[0]) -> Written:
            value = row[place]
            written = known.get(value)
            if written is None:
                source = {paths[0]: value}
                written = known[value] = self._element(attribute, source, source)
                if len(known) > REMEMBERED:
                    known.clear()
            return written

        def write_many(row: Values) -> Written:
            values = tuple([row[place] for place in places])
            written = known.get(values)
            if written is None:
                source = dict(zip(paths, values, strict=True))
                written = known[values] = self._element(attribute, source, source)
                if len(known) > REMEMBERED:
                    known.clear()
            return written

        return write_one if len(places) == 1 else write_many

    def _paths(self, attribute: Attribute) -> tuple[str, ...]:
        """Return the columns that an attribute's value is made of."""
        if not attribute.path or attribute.path not in self._columns:
            return ()
        zone = (SITE_ZONE,) if attribute.vr in ("DA", "TM") else ()
        also = (attribute.also,) if attribute.also else ()
        return (attribute.path, *also, *attribute.groups, *zone)

    def _element(self, attribute: Attribute, source: Row, row: Row) -> Written:
        """Write one element. Raises BadRowError."""
        notes = Notes()
        element, beyond = self._value(attribute.tag, attribute.vr, value_of(attribute, source, row, notes, self._style))
        return element, beyond, notes.rewritten

    def _value(self, tag: int, vr: str, value: Value) -> tuple[bytes, str]:
        """Return an element, and its text where that is beyond ASCII."""
        if value is None:
            return self._syntax.element(tag, vr, b""), ""
        if isinstance(value, int):
            return self._syntax.element(tag, vr, self._syntax.number(value)), ""
        values = value if isinstance(value, list) else [value]
        encoded = b"\\".join([self._encoded(vr, one) for one in values])
        beyond = "" if all(map(str.isascii, values)) else "".join(values)
        return self._syntax.element(tag, vr, _padded(encoded, vr)), beyond

    def _unknown(self, key: Key) -> Written:
        """Write a key of which nothing is stored."""
        notes = Notes()
        element, beyond = self._value(key.tag, key.vr, self._style.unknown(keyword_for_tag(key.tag), notes))
        return element, beyond, notes.rewritten

    def _no_items(self, key: Key) -> Written:
        """Return a sequence without items, or nothing to callers that stumble over one."""
        return b"" if self._style.leaves_out_empty_sequences else self._syntax.element(key.tag, "SQ", b""), "", 0

    def _encoded(self, vr: str, text: str) -> bytes:
        if text.isascii():
            return text.encode("ascii")
        if self._character_set == UTF_8:
            return text.encode("utf-8", "replace")
        if vr != "PN":
            return write(text, self._character_set)
        groups = text.split("=")
        return b"=".join(b"^".join(write(part, self._character_set) for part in group.split("^")) for group in groups)

    def _sequence(self, key: Key, attribute: Attribute) -> Writer:
        """Return the writer of a sequence; see worklist.answer for which items there are."""
        if not attribute.known:
            return _always(self._no_items(key))
        if attribute.path:
            return self._list(key, attribute)
        keys = sorted(key.items, key=lambda inner: inner.tag)
        writers = [self.of(inner) for inner in keys]
        leading = attribute.leading
        empty = self._no_items(key)
        leads = self._remembering(leading) if leading is not None else None
        nothing = self._syntax.element(leading.tag, leading.vr, b"") if leading is not None else b""

        def write(row: Values) -> Written:
            if leads is not None and leads(row)[0] == nothing:
                return empty
            written = [write(row) for write in writers]
            item = self._syntax.item(b"".join([element for element, _, _ in written]))
            beyond, changes = "".join([text for _, text, _ in written]), sum([changes for _, _, changes in written])
            return self._syntax.element(key.tag, "SQ", item), beyond, changes

        return write

    def _list(self, key: Key, attribute: Attribute) -> Writer:
        """Return the writer of a sequence with one item for each entry of a list that the row holds."""
        place = self._columns[attribute.path]
        keys = sorted(key.items, key=lambda inner: inner.tag)
        leading = attribute.leading

        def write(row: Values) -> Written:
            items, every = [], []
            for entry in row[place] or ():
                if not isinstance(entry, dict):
                    continue
                if leading is not None and value_of(leading, entry, {}, Notes(), self._style) is None:
                    continue
                written = [self._of_entry(inner, entry) for inner in keys]
                items.append(self._syntax.item(b"".join([element for element, _, _ in written])))
                every += written
            if not items:
                return self._no_items(key)
            beyond, changes = "".join([text for _, text, _ in every]), sum([changes for _, _, changes in every])
            return self._syntax.element(key.tag, "SQ", b"".join(items)), beyond, changes

        return write

    def _of_entry(self, key: Key, entry: Row) -> Written:
        if key.vr == "SQ":
            return self._no_items(key)
        if key.attribute is None:
            return self._unknown(key)
        return self._element(key.attribute, entry, {})


def _always(written: Written) -> Writer:
    return lambda row: written


def _padded(value: bytes, vr: str) -> bytes:
    return value + (b"\0" if vr == "UI" else b" ") if len(value) % 2 else value


def _deflated(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = deflate.compress(data) + deflate.flush()
    return data + b"\0" * (len(data) % 2)
