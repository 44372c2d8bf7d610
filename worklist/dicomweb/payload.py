"""The body of a request as a data set (PS3.18 section 8.6 and annex F). What is not one is refused with the reason."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from email.parser import BytesHeaderParser
from http import HTTPStatus
from itertools import islice
from typing import Any

from django.http import HttpRequest
from django.http.request import MediaType
from pydicom import config
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import format_number_as_ds

from worklist.charsets import UTF_8
from worklist.dicomweb.media import JSON, XML, Model
from worklist.dicomweb.native_xml import GROUPS, NotTheModel, read_model
from worklist.dicomweb.problems import Problem, bad_request
from worklist.server import LARGEST_MPPS

DEEPEST = 16
"""Levels of sequences in one another."""
TEXTS = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UR", "UT"})
WHOLE = frozenset({"US", "SS", "UL", "SL", "UV", "SV"})
REAL = frozenset({"FL", "FD"})
BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
VRS = TEXTS | WHOLE | REAL | BYTES | {"AT", "DS", "IS", "PN", "SQ"}
CONTENT = ("Value", "InlineBinary", "BulkDataURI")
READ = {JSON: "json", "application/json": "json", XML: "xml"}
_TAG = re.compile(r"[0-9A-Fa-f]{8}")


def read_data_set(request: HttpRequest) -> Dataset:
    """Read the one data set of a body, in UTF-8. Raises Problem: 400, 411, 413 or 415."""
    media_type, content = _part(MediaType(request.headers.get("Content-Type", "")), _body(request))
    if media_type not in READ:
        offered = sorted([*READ, "multipart/related"])
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A body of this media type is not read", offered=offered)
    model = _json(content) if READ[media_type] == "json" else _xml(content)
    data_set = _data_set(model, 0)
    data_set.SpecificCharacterSet = UTF_8
    return data_set


def _body(request: HttpRequest) -> bytes:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A body that is compressed is not read")
    length = request.headers.get("Content-Length", "")
    if not length and request.headers.get("Transfer-Encoding"):
        raise Problem(HTTPStatus.LENGTH_REQUIRED, "Say how long the body is")
    if length.isascii() and length.isdigit() and int(length) > LARGEST_MPPS:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has at most {LARGEST_MPPS} bytes")
    body: bytes = request.read(LARGEST_MPPS)
    if not body.strip():
        raise bad_request("The request has no body")
    return body


def _part(said: MediaType, body: bytes) -> tuple[str, bytes]:
    """Return the media type and the content of a body, of a multipart body those of its one part (RFC 2387)."""
    media_type = _plain(said)
    if media_type != "multipart/related":
        return media_type, body
    boundary = str(said.params.get("boundary", ""))
    if not boundary:
        raise bad_request("The media type names no boundary")
    # Not by a parser for mail: it makes an object of each part, and follows parts in parts without end.
    delimiter = re.compile(rb"^--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*\r?$", re.MULTILINE)
    found = list(islice(delimiter.finditer(body), 3))
    if [bool(line[1]) for line in found] != [False, True]:
        raise bad_request("A multipart body has exactly one part here")
    begin, end = found
    part: Any = BytesHeaderParser().parsebytes(body[begin.end() + 1 : end.start()])
    return _plain(MediaType(part.get("Content-Type", ""))), part.get_payload(decode=True)


def _plain(media_type: MediaType) -> str:
    return f"{media_type.main_type}/{media_type.sub_type}".lower()


def _json(content: bytes) -> Any:
    """Read a JSON object, or an array that holds just one."""
    try:
        found = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_no_constant)
    except Problem:
        raise
    except UnicodeDecodeError:
        raise bad_request("The body is not in UTF-8") from None
    except (ValueError, RecursionError):
        raise bad_request("The body is not JSON") from None
    if isinstance(found, list):
        if len(found) != 1:
            raise bad_request("The body holds exactly one data set")
        found = found[0]
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise bad_request("An object names something twice")
    return found


def _no_constant(_name: str) -> None:
    raise ValueError


def _xml(content: bytes) -> Model:
    try:
        return read_model(content)
    except NotTheModel as reason:
        raise bad_request(str(reason)) from None


def _data_set(model: Any, depth: int) -> Dataset:
    if not isinstance(model, dict):
        raise bad_request("A data set is an object")
    if depth > DEEPEST:
        raise bad_request("Sequences are too deep")
    data_set = Dataset()
    for name, element in model.items():
        if not _TAG.fullmatch(name):
            raise bad_request("An attribute is named by eight hexadecimal digits")
        tag = Tag(int(name, 16))
        if not 0x0008 <= tag.group < 0xFFFC or tag.element == 0:
            raise _wrong(tag, "is not an element of a data set")
        if not (depth and tag == Tag("SpecificCharacterSet")):
            data_set.add(_element(tag, element, depth))
    return data_set


def _element(tag: BaseTag, element: Any, depth: int) -> DataElement:
    if not isinstance(element, dict):
        raise _wrong(tag, "is not an object")
    vr = _vr(tag, element.get("vr"))
    given = [name for name in CONTENT if name in element]
    if len(given) > 1:
        raise _wrong(tag, "has more than one kind of value")
    if given == ["BulkDataURI"]:
        raise _wrong(tag, "has its value elsewhere: nothing is fetched")
    if (given == ["InlineBinary"]) != (vr in BYTES) and given:
        raise _wrong(tag, f"has a value that is not written like one of VR {vr}")
    value = _inline(tag, element["InlineBinary"]) if given == ["InlineBinary"] else _values(tag, vr, element, depth)
    try:
        return DataElement(tag, vr, value, validation_mode=config.IGNORE)
    except Exception:  # pydicom makes numbers of texts, and fails in many ways
        raise _wrong(tag, f"has a value that is none of VR {vr}") from None


def _vr(tag: BaseTag, said: Any) -> str:
    """Return the VR; one that does not exist, or that the dictionary does not know for this attribute, is refused."""
    vr = str(said)
    if vr not in VRS:
        raise _wrong(tag, "has no VR that exists")
    try:
        allowed = dictionary_VR(tag).split(" or ")
    except KeyError:
        return vr
    if vr not in allowed:
        raise _wrong(tag, f"has VR {vr}, not {' or '.join(allowed)}")
    return vr


def _inline(tag: BaseTag, text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise _wrong(tag, "has a value that is not in base 64") from None


def _values(tag: BaseTag, vr: str, element: Mapping[str, Any], depth: int) -> Any:
    values = element.get("Value", [])
    if not isinstance(values, list):
        raise _wrong(tag, "has a Value that is no array")
    if vr == "SQ":
        return [_data_set({} if one is None else one, depth + 1) for one in values]
    try:
        found = [_value(vr, one) for one in values]
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise _wrong(tag, f"has a value that is none of VR {vr}") from None
    if not found:
        return None
    return found[0] if len(found) == 1 else found


def _value(vr: str, value: Any) -> Any:
    """Return one value as pydicom has it (PS3.18 table F.2.3-1). Raises ValueError or TypeError where it is none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        raise TypeError
    if vr == "PN":
        groups = [_text(value.get(group, "")) for group in GROUPS]
        return "=".join(groups).rstrip("=")
    if vr == "AT":
        return Tag(int(_text(value), 16))
    if vr in WHOLE:
        return int(value) if isinstance(value, str) or value == int(value) else _never()
    if vr in REAL:
        return float(value)
    if vr in ("DS", "IS"):
        return format_number_as_ds(value) if isinstance(value, float) else _text(str(value))
    return _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # half of a surrogate pair raises UnicodeEncodeError, a ValueError
    return value


def _never() -> int:
    raise ValueError


def _wrong(tag: BaseTag, what: str) -> Problem:
    name = keyword_for_tag(tag)
    return bad_request(f"{name or 'The attribute'} ({tag:08X}) {what}", attributes=[f"{tag:08X}"])
