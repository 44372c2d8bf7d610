"""Protocol data units of DICOM's upper layer (PS3.8 section 9.3): their numbers, bounds, and how they read."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""DICOM Application Context Name (PS3.7 A.2.1)."""
PROTOCOL_VERSION = 1


class Pdu(IntEnum):
    """PDU types (PS3.8 section 9.3.1)."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    P_DATA_TF = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


class AbortReason(IntEnum):
    """Reasons of a service provider's A-ABORT (PS3.8 table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER = 6


class ContextResult(IntEnum):
    """What becomes of a proposed presentation context (PS3.8 table 9-18)."""

    ACCEPTED = 0
    USER_REJECTION = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


@dataclass(frozen=True)
class Limits:
    """What a peer may send, in bytes.

    pdu is announced as our maximum length; message bounds one whole message, larger those of some abstract syntaxes.
    """

    pdu: int = 65536
    request: int = 128 * 1024
    message: int = 1024 * 1024
    larger: Mapping[str, int] = field(default_factory=dict)
    contexts: int = 128


@dataclass(frozen=True)
class Proposal:
    """One presentation context of a request."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """An A-ASSOCIATE-RQ. maximum_length: largest PDU that the peer takes, 0 for any."""

    called_ae_title: str
    calling_ae_title: str
    application_context: str
    proposals: tuple[Proposal, ...]
    maximum_length: int = 0
    implementation_class_uid: str = ""
    implementation_version: str = ""
    roles: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    extended: Mapping[str, bytes] = field(default_factory=dict)
    wants_asynchronous: bool = False


class ProtocolError(Exception):
    """The peer broke the protocol; reason goes into our A-ABORT, why into the log."""

    def __init__(self, reason: AbortReason, why: str) -> None:
        super().__init__(why)
        self.reason = reason
        self.why = why


LONGEST: dict[int, Callable[[Limits], int]] = {
    Pdu.ASSOCIATE_RQ: lambda limits: limits.request,
    Pdu.ASSOCIATE_AC: lambda limits: limits.request,
    Pdu.ASSOCIATE_RJ: lambda _: 4,
    Pdu.P_DATA_TF: lambda limits: limits.pdu,
    Pdu.RELEASE_RQ: lambda _: 4,
    Pdu.RELEASE_RP: lambda _: 4,
    Pdu.ABORT: lambda _: 4,
}
"""Longest body of each PDU type."""


def decode_request(body: bytes, limits: Limits) -> Request:
    """Decode the body of an A-ASSOCIATE-RQ (PS3.8 section 9.3.2). Unknown items are passed over (section 9.3.1)."""
    return _decode_request(body, limits.contexts)


@lru_cache(maxsize=64)  # a scanner that associates for each query sends the same request each time
def _decode_request(body: bytes, contexts: int) -> Request:
    proposals: list[Proposal] = []
    application_context, user = "", b""
    for kind, value in _items(body[68:]):
        if kind == 0x10:
            application_context = _uid(value)
        elif kind == 0x20:
            proposals.append(_proposal(value))
        elif kind == 0x50:
            user = value
    if len(proposals) > contexts or len({p.context_id for p in proposals}) < len(proposals):
        raise ProtocolError(AbortReason.INVALID_PARAMETER, "presentation context ids that are not unique")
    numbers, texts, roles, extended, windows = 0, {0x52: "", 0x55: ""}, {}, {}, False
    for kind, value in _items(user):
        if kind == 0x51 and len(value) == 4:
            numbers = int.from_bytes(value, "big")
        elif kind in texts:
            texts[kind] = _uid(value)
        elif kind == 0x53:
            windows = True
        elif kind in (0x54, 0x56):
            size = int.from_bytes(value[:2], "big")
            uid, rest = _uid(value[2 : 2 + size]), value[2 + size :]
            if kind == 0x56:
                extended[uid] = rest
            elif len(rest) == 2:
                roles[uid] = (bool(rest[0]), bool(rest[1]))
    return Request(
        called_ae_title=_ae_title(body[4:20]),
        calling_ae_title=_ae_title(body[20:36]),
        application_context=application_context,
        proposals=tuple(proposals),
        maximum_length=numbers,
        implementation_class_uid=texts[0x52],
        implementation_version=texts[0x55],
        roles=roles,
        extended=extended,
        wants_asynchronous=windows,
    )


def _proposal(value: bytes) -> Proposal:
    if len(value) < 4 or value[0] % 2 == 0:
        raise ProtocolError(AbortReason.INVALID_PARAMETER, "a presentation context without an odd id")
    abstract_syntax, transfer_syntaxes = "", []
    for kind, uid in _items(value[4:]):
        if kind == 0x30:
            abstract_syntax = _uid(uid)
        elif kind == 0x40:
            transfer_syntaxes.append(_uid(uid))
    return Proposal(value[0], abstract_syntax, tuple(transfer_syntaxes))


def _items(body: bytes) -> list[tuple[int, bytes]]:
    """Cut a body into its items: type and value."""
    items, at = [], 0
    while at < len(body):
        end = at + 4 + int.from_bytes(body[at + 2 : at + 4], "big")
        if at + 4 > len(body) or end > len(body):
            raise ProtocolError(AbortReason.INVALID_PARAMETER, "an item of a wrong length")
        items.append((body[at], body[at + 4 : end]))
        at = end
    return items


def item(kind: int, value: bytes) -> bytes:
    """Return one item of an association PDU."""
    return struct.pack(">BxH", kind, len(value)) + value


def title(ae_title: str) -> bytes:
    """Return an AE title as it stands in an association PDU."""
    return ae_title.encode("ascii", "replace")[:16].ljust(16)


def _ae_title(field_value: bytes) -> str:
    """Return an AE title without its padding; bytes that it must not have become question marks, for logs only."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in field_value.rstrip(b"\0")).strip()


def _uid(value: bytes) -> str:
    return value.rstrip(b"\0 ").decode("ascii", "replace")
