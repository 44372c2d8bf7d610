"""DIMSE messages of our services (PS3.7 sections 9.3 and 10.3) as command sets in bytes."""

import struct
from collections.abc import Iterable, Mapping
from enum import IntEnum
from functools import lru_cache

from worklist.pdu import AbortReason, ProtocolError

# Elements of group 0000 (PS3.7 section E.1).
AFFECTED_SOP_CLASS_UID = 0x0002
REQUESTED_SOP_CLASS_UID = 0x0003
COMMAND_FIELD = 0x0100
MESSAGE_ID = 0x0110
MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
COMMAND_DATA_SET_TYPE = 0x0800
STATUS = 0x0900
NO_DATA_SET = 0x0101
OFFENDING_ELEMENT = 0x0901
ERROR_COMMENT = 0x0902
ERROR_ID = 0x0903
AFFECTED_SOP_INSTANCE_UID = 0x1000
REQUESTED_SOP_INSTANCE_UID = 0x1001
ATTRIBUTE_IDENTIFIER_LIST = 0x1005
HAS_DATA_SET = 0x0001
RESPONSE = 0x8000
"""Bit that a response's command field has beside its request's."""

LONGEST_UID = 64
"""Characters (PS3.5 section 9.1). A longer text is none, and is not kept."""

_NUMBER = struct.Struct("<H")
_ELEMENT = struct.Struct("<HHI")
"""Head of an element: group, number, length."""


class Command(IntEnum):
    """Command fields of requests (PS3.7 table E.1-1)."""

    C_FIND = 0x0020
    C_ECHO = 0x0030
    N_GET = 0x0110
    N_SET = 0x0120
    N_CREATE = 0x0140
    C_CANCEL = 0x0FFF


def respond(
    command: int,
    message_id: int,
    sop_class: str,
    status: int,
    *,
    with_data: bool = False,
    comment: str = "",
    offending: int | None = None,
    more: Mapping[int, bytes | int | str] | None = None,
) -> bytes:
    """Return the command set of a response.

    comment: Error Comment, cut at 64 ASCII characters. offending: a tag. more: further elements by number.
    """
    if not comment and offending is None and not more and len(sop_class) <= LONGEST_UID:
        before, after = _usual(command, sop_class, status, with_data)
        return before + _NUMBER.pack(message_id) + after
    elements = {**_elements(command, message_id, sop_class, status, with_data), **(more or {})}
    if offending is not None:
        elements[OFFENDING_ELEMENT] = tag_list([offending])
    if comment:
        text = comment.encode("ascii", "replace")[:64]
        elements[ERROR_COMMENT] = text + b" " * (len(text) % 2)
    return encode_command(elements)


def _elements(
    command: int, message_id: int, sop_class: str, status: int, with_data: bool
) -> dict[int, bytes | int | str]:
    return {
        AFFECTED_SOP_CLASS_UID: sop_class,
        COMMAND_FIELD: command | RESPONSE,
        MESSAGE_ID_BEING_RESPONDED_TO: message_id,
        COMMAND_DATA_SET_TYPE: HAS_DATA_SET if with_data else NO_DATA_SET,
        STATUS: status,
    }


@lru_cache(maxsize=256)
def _usual(command: int, sop_class: str, status: int, with_data: bool) -> tuple[bytes, bytes]:
    """Return what stands before and after the message ID: all responses of a kind differ in that only."""
    encoded = encode_command(_elements(command, 0, sop_class, status, with_data))
    # The last of them: a SOP class is what the peer has sent, and may hold the same bytes.
    at = encoded.rindex(_element(MESSAGE_ID_BEING_RESPONDED_TO, 0)) + 8
    return encoded[:at], encoded[at + _NUMBER.size :]


def tag_list(tags: Iterable[int]) -> bytes:
    """Return tags as a value of VR AT."""
    return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)


def tags_in(value: bytes) -> list[int]:
    """Return the tags of a value of VR AT."""
    return [group << 16 | element for group, element in struct.iter_unpack("<HH", value[: len(value) // 4 * 4])]


def decode_command(encoded: bytes) -> dict[int, bytes]:
    """Decode a command set (PS3.7 section 6.3.1): Implicit VR Little Endian, group 0000 only; number -> value."""
    elements, at, size = {}, 0, len(encoded)
    while at < size:
        if at + 8 > size:
            raise ProtocolError(AbortReason.INVALID_PARAMETER, "a command set that is cut off")
        group, number, length = _ELEMENT.unpack_from(encoded, at)
        value, at = at + 8, at + 8 + length
        if group != 0 or at > size:
            raise ProtocolError(AbortReason.INVALID_PARAMETER, "a command set that is not one")
        elements[number] = encoded[value:at]
    if COMMAND_FIELD not in elements:
        raise ProtocolError(AbortReason.INVALID_PARAMETER, "a command set without a command")
    return elements


def encode_command(elements: Mapping[int, bytes | int | str]) -> bytes:
    """Encode a command set, its group length first. Values: bytes as they are, int as US, str as UI."""
    body = b"".join(_element(number, value) for number, value in sorted(elements.items()))
    return _ELEMENT.pack(0, 0, 4) + struct.pack("<I", len(body)) + body


def _element(number: int, value: bytes | int | str) -> bytes:
    if isinstance(value, int):
        value = struct.pack("<H", value)
    elif isinstance(value, str):
        value = value.encode("ascii", "replace")
        value += b"\0" * (len(value) % 2)
    return _ELEMENT.pack(0, number, len(value)) + value
