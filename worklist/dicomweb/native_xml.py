"""The Native DICOM Model in XML (PS3.19 annex A.1), from and to the DICOM JSON Model (PS3.18 annex F)."""

import re
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from pydicom.datadict import keyword_for_tag

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
"""Of a name, in the order of PS3.5 section 6.2.1.1."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold."""


def write_model(model: dict[str, Any]) -> bytes:
    """Return one data set as an XML document."""
    root = Element("NativeDicomModel", {"xmlns": NAMESPACE, "xml:space": "preserve"})
    _write_data_set(root, model)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _write_data_set(parent: Element, model: dict[str, Any]) -> None:
    for tag, element in sorted(model.items()):
        written = SubElement(parent, "DicomAttribute", {"tag": tag, "vr": element["vr"]})
        keyword = keyword_for_tag(int(tag, 16))
        if keyword:
            written.set("keyword", keyword)
        if "InlineBinary" in element:
            SubElement(written, "InlineBinary").text = element["InlineBinary"]
        for number, value in enumerate(element.get("Value", ()), start=1):
            _write_value(written, element["vr"], str(number), value)


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
