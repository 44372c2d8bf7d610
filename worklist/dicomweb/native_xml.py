"""The Native DICOM Model in XML (PS3.19 annex A.1), from and to the DICOM JSON Model (PS3.18 annex F)."""

import re
from typing import Any
from xml.etree.ElementTree import Element, SubElement, TreeBuilder, tostring
from xml.parsers import expat

from pydicom.datadict import keyword_for_tag

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
"""Of a name, in the order of PS3.5 section 6.2.1.1."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold."""
DEEPEST = 64
"""Elements in one another; the model needs three for each level of sequences."""
MOST_VALUES = 10_000
"""The highest number of a value, and the most numbers of a document that are left out: each is an empty value."""


class NotTheModel(Exception):
    """A document that is not one data set in the Native DICOM Model. The message never holds a value."""


def read_model(document: bytes) -> dict[str, Any]:
    """Return one data set as the DICOM JSON Model has it; every value but names and items is text.

    Raises NotTheModel, also for a document type: it could name other files, and grow without end.
    """
    root = _parsed(document)
    if _name(root) != "NativeDicomModel":
        raise NotTheModel("The document is no NativeDicomModel")
    if sum(map(_left_out, root.iter())) > MOST_VALUES:
        raise NotTheModel("Too many values are left out")
    return _read_data_set(root)


def _parsed(document: bytes) -> Element:
    builder = TreeBuilder()
    depth = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise NotTheModel("Elements are too deep")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def refuse(*_: object) -> None:
        raise NotTheModel("A document type is not read")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, LookupError, ValueError):
        raise NotTheModel("The body is not XML") from None
    return builder.close()


def _name(element: Element) -> str:
    """Return an element's name without its name space, which some senders leave out."""
    return element.tag.rpartition(" ")[2]


def _read_data_set(parent: Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    # What belongs to a private creator says which one, not which block: that is known after all others were read.
    for element in sorted(parent, key=lambda element: "privateCreator" in element.attrib):
        if _name(element) != "DicomAttribute":
            raise NotTheModel("A data set holds DicomAttributes and nothing else")
        tag = element.get("tag", "").upper()
        if "privateCreator" in element.attrib and re.fullmatch("[0-9A-F]{8}", tag):
            tag = f"{tag[:4]}{_block(found, tag[:4], element.attrib['privateCreator'])}{tag[6:]}"
        if tag in found:
            raise NotTheModel("A data set names an attribute twice")
        found[tag] = _read_attribute(element)
    return found


def _block(data_set: dict[str, Any], group: str, creator: str) -> str:
    """Return the block of a private creator, as two digits; reserved now where it is not yet (PS3.5 section 7.8.1)."""
    for number in range(0x10, 0x100):
        reserved = data_set.setdefault(f"{group}00{number:02X}", {"vr": "LO", "Value": [creator]})
        if reserved.get("Value") == [creator]:
            return f"{number:02X}"
    raise NotTheModel("There are too many private creators")


def _read_attribute(element: Element) -> dict[str, Any]:
    read: dict[str, Any] = {"vr": element.get("vr")}
    values: list[Any] = []
    for one in element:
        kind = _name(one)
        if kind == "InlineBinary":
            read["InlineBinary"] = one.text or ""
        elif kind == "BulkData":
            read["BulkDataURI"] = one.get("uri", "")
        elif kind in _READERS:
            _put(values, one, _READERS[kind](one))
        else:
            raise NotTheModel("A DicomAttribute holds something that is no value")
    return read | ({"Value": values} if values else {})


def _left_out(element: Element) -> int:
    """Return how many numbers the values of an attribute leave out: a few bytes could stand for thousands of them."""
    return max(0, max((_number(one) for one in element), default=0) - len(element))


def _number(element: Element) -> int:
    """Return the number of a value; 0 where it has none that can be."""
    number = element.get("number", "")
    return int(number) if re.fullmatch(r"[0-9]{1,5}", number, re.ASCII) else 0


def _put(values: list[Any], element: Element, value: Any) -> None:
    """Put a value at its number; numbers that are left out are empty values."""
    place = _number(element)
    if not len(values) < place <= MOST_VALUES:
        raise NotTheModel("Values are numbered from 1 upwards")
    values += [None] * (place - len(values) - 1)
    values.append(value)


def _read_name(element: Element) -> dict[str, str]:
    groups: dict[str, str] = {}
    for group in element:
        if _name(group) not in GROUPS:
            raise NotTheModel("A name has component groups and nothing else")
        components = {_name(one): one.text or "" for one in group}
        groups[_name(group)] = "^".join(components.get(name, "") for name in COMPONENTS).rstrip("^")
    return groups


_READERS = {"Value": lambda element: element.text or "", "Item": _read_data_set, "PersonName": _read_name}


def write_model(model: dict[str, Any]) -> bytes:
    """Return one data set as an XML document."""
    root = Element("NativeDicomModel", {"xmlns": NAMESPACE, "xml:space": "preserve"})
    _write_data_set(root, model)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _write_data_set(parent: Element, model: dict[str, Any]) -> None:
    for tag, element in sorted(model.items()):
        creator = _creator_of(tag, model)
        named = {"tag": f"{tag[:4]}00{tag[6:]}", "privateCreator": creator} if creator else {"tag": tag}
        written = SubElement(parent, "DicomAttribute", named | {"vr": element["vr"]})
        keyword = keyword_for_tag(int(tag, 16))
        if keyword:
            written.set("keyword", keyword)
        if "InlineBinary" in element:
            SubElement(written, "InlineBinary").text = element["InlineBinary"]
        for number, value in enumerate(element.get("Value", ()), start=1):
            _write_value(written, element["vr"], str(number), value)


def _creator_of(tag: str, model: dict[str, Any]) -> str:
    """Return who reserved the block of a private attribute (PS3.5 section 7.8.1); empty for all others."""
    reserved: dict[str, Any] = model.get(f"{tag[:4]}00{tag[4:6]}", {}) if int(tag[:4], 16) % 2 else {}
    return next((str(value) for value in reserved.get("Value", ()) if tag[4:6] != "00"), "")


def _write_value(parent: Element, vr: str, number: str, value: Any) -> None:
    if vr == "SQ":
        _write_data_set(SubElement(parent, "Item", {"number": number}), value or {})
    elif value is None:
        return  # an empty value among others; the numbers of the others tell of it
    elif vr == "PN":
        _write_name(SubElement(parent, "PersonName", {"number": number}), value)
    else:
        SubElement(parent, "Value", {"number": number}).text = _text(value)


def _write_name(parent: Element, value: dict[str, str]) -> None:
    for group in GROUPS:
        if value.get(group):
            written = SubElement(parent, group)
            for name, component in zip(COMPONENTS, value[group].split("^"), strict=False):
                if component:
                    SubElement(written, name).text = _text(component)


def _text(value: Any) -> str:
    return _NOT_XML.sub(" ", str(value))
