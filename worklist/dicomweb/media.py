"""Which representation an answer takes, and its bytes (PS3.18 sections 8.3.3, 8.6, 8.7.3.2 and annex F)."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.request import MediaType
from django.urls import reverse
from pydicom.dataset import Dataset

from worklist.charsets import UTF_8
from worklist.dicomweb.native_xml import write_model
from worklist.dicomweb.problems import Problem, bad_request

JSON = "application/dicom+json"
XML = "application/dicom+xml"
Model = dict[str, Any]
"""A data set as the DICOM JSON Model (PS3.18 annex F) has it."""


class Shape(Enum):
    """How representations are put into a body."""

    ARRAY = "one JSON array"
    ARRAY_PART = "one part with a JSON array"
    PARTS = "a part for each XML document"
    DOCUMENT = "one XML document"


@dataclass(frozen=True)
class Offer:
    """A media type that can be answered. part: of a multipart body, the type of its parts."""

    media_type: str
    shape: Shape
    part: str = ""

    @property
    def described(self) -> str:
        """Return the media type as a header field has it."""
        return f'{self.media_type}; type="{self.part}"' if self.media_type.startswith("multipart") else self.media_type

    def fits(self, accepted: MediaType) -> bool:
        """Tell whether this is within a media range. Parameters other than `type` say nothing about it."""
        main, _, sub = self.media_type.partition("/")
        if accepted.main_type.lower() not in ("*", main) or accepted.sub_type.lower() not in ("*", sub):
            return False
        wanted = str(accepted.params.get("type", "")).lower()
        return not wanted or wanted == self.part


SEARCH_OFFERS = (
    Offer(JSON, Shape.ARRAY),
    Offer("multipart/related", Shape.PARTS, XML),
    Offer("multipart/related", Shape.ARRAY_PART, JSON),
    Offer(XML, Shape.PARTS, XML),
    Offer("application/json", Shape.ARRAY),
)
"""In the order of our preference. Several data sets do not fit into one XML document, so they become parts."""
RETRIEVE_OFFERS = (
    Offer(JSON, Shape.ARRAY),
    Offer(XML, Shape.DOCUMENT),
    Offer("multipart/related", Shape.PARTS, XML),
    Offer("multipart/related", Shape.ARRAY_PART, JSON),
    Offer("application/json", Shape.ARRAY),
)


def choose(request: HttpRequest, offers: Sequence[Offer]) -> Offer:
    """Return what to answer with (PS3.18 section 8.7.8.1): by the parameter `accept`, else by the header field.

    `charset` is not looked at: answers are in UTF-8, and what is not supported is ignored (section 8.3.3.2). Raises
    Problem: 406 where nothing fits, 400 where a parameter is given twice.
    """
    _parameter(request, "charset")
    for accepted in (_ranges(_parameter(request, "accept")), request.accepted_types):
        ranked = [(*_rank(offer, accepted), -place, offer) for place, offer in enumerate(offers)]
        quality, _specificity, _place, best = max(ranked, key=lambda one: one[:3])
        if quality > 0:
            return best
    types = list(dict.fromkeys(offer.described for offer in offers))
    raise Problem(HTTPStatus.NOT_ACCEPTABLE, "None of the accepted media types can be answered", offered=types)


def _parameter(request: HttpRequest, name: str) -> str:
    """Return a query parameter that stands for a header field, and is heeded before it (PS3.18 section 8.3.3)."""
    values = request.GET.getlist(name)
    if len(values) > 1:
        raise bad_request(f"The parameter {name} is given more than once", parameter=name)
    return values[0] if values else ""


def _ranges(said: str) -> list[MediaType]:
    return [MediaType(one) for one in said.split(",") if one.strip()]


def _rank(offer: Offer, accepted: Sequence[MediaType]) -> tuple[float, int]:
    """Return how much an offer is wanted: as the most specific range that it is in says (RFC 9110 section 12.5.1)."""
    fitting = [one for one in accepted if offer.fits(one)]
    best = max(fitting, key=lambda one: one.specificity, default=None)
    return (best.quality, best.specificity) if best else (0.0, 0)


def model_of(data_set: Dataset) -> Model:
    """Return a data set as the DICOM JSON Model, which is in UTF-8 whatever a scanner reads (PS3.18 F.2)."""
    if "SpecificCharacterSet" in data_set:
        data_set.SpecificCharacterSet = UTF_8
    model: Model = data_set.to_json_dict()
    return model


def body_of(offer: Offer, models: Sequence[Model]) -> tuple[bytes, str]:
    """Return a body and its media type."""
    match offer.shape:
        case Shape.ARRAY:
            return _json(models), offer.media_type
        case Shape.ARRAY_PART:
            return _multipart(JSON, [_json(models)])
        case Shape.PARTS:
            return _multipart(XML, [write_model(model) for model in models])
        case Shape.DOCUMENT:
            (model,) = models
            return write_model(model), XML


def _json(models: Sequence[Model]) -> bytes:
    return json.dumps([_ordered(model) for model in models], ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )


def _ordered(model: Model) -> Model:
    """Return a data set with its attributes in ascending order (PS3.18 section F.2.2), in items too."""
    return {
        tag: {**element, "Value": [_ordered(item) for item in element["Value"]]}
        if element["vr"] == "SQ" and "Value" in element
        else element
        for tag, element in sorted(model.items())
    }


def _multipart(part: str, documents: Sequence[bytes]) -> tuple[bytes, str]:
    """Return a multipart/related body (RFC 2387); the parts never hold the boundary, which nobody can guess."""
    boundary = secrets.token_hex(16)
    lines = []
    for document in documents:
        lines += [f"--{boundary}\r\nContent-Type: {part}\r\n\r\n".encode(), document, b"\r\n"]
    lines.append(f"--{boundary}--\r\n".encode())
    return b"".join(lines), f'multipart/related; type="{part}"; boundary={boundary}'


def warn(request: HttpRequest, response: HttpResponse, texts: list[str]) -> None:
    """Add warnings as PS3.18 section 8.3.4 words them."""
    if texts:
        service = request.build_absolute_uri(reverse("dicomweb")).rstrip("/")
        response["Warning"] = ", ".join(f'299 {service}: "{text}"' for text in texts)
