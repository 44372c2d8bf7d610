"""The acceptor's side of DICOM's upper layer (PS3.8 section 9) without sockets: bytes in, events and bytes out.

    association = Acceptor(limits)
    for event in association.receive(data): ...      # what the peer did
    association.accept(...)                          # or reject, send, release, abort
    transport.write(association.to_send())
    if association.closing: transport.close()

States are those of PS3.8 table 9-10 that an acceptor can be in. A peer that breaks the protocol is answered with
A-ABORT, whose reason says what it did wrong, and never raises here. Lengths are checked before anything is kept.
"""

import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

from worklist.dimse import COMMAND_DATA_SET_TYPE, NO_DATA_SET, decode_command
from worklist.pdu import (
    APPLICATION_CONTEXT,
    LONGEST,
    PROTOCOL_VERSION,
    AbortReason,
    ContextResult,
    Limits,
    Pdu,
    ProtocolError,
    Request,
    decode_request,
    item,
    title,
)

PDU_HEAD = struct.Struct(">BxI")
"""Type and length (PS3.8 section 9.3.1)."""
VALUE_HEAD = struct.Struct(">IBB")
"""Length, context ID and message control header of a presentation data value (PS3.8 section 9.3.5, annex E)."""
P_DATA_VALUE = struct.Struct(">BxIIBB")
"""Both, of a P-DATA-TF with one presentation data value."""
NO_DATA = struct.pack("<H", NO_DATA_SET)


class State(IntEnum):
    """States of PS3.8 table 9-10, by their numbers."""

    AWAIT_REQUEST = 2
    AWAIT_DECISION = 3
    ESTABLISHED = 6
    AWAIT_RELEASE_RESPONSE = 8
    AWAIT_CLOSE = 13


class Message(NamedTuple):
    """One whole DIMSE message: its command set and data set as they came, data None where there is none."""

    context_id: int
    command: Mapping[int, bytes]
    data: bytes | None

    def number(self, element: int) -> int | None:
        """Return a US element of the command set by its number in group 0000; None where it is not there."""
        value = self.command.get(element)
        return value[0] | value[1] << 8 if value is not None and len(value) == 2 else None

    def text(self, element: int) -> str:
        """Return a UI or AE element of the command set without its padding."""
        return self.command.get(element, b"").rstrip(b"\0 ").decode("ascii", "replace")


@dataclass(frozen=True)
class ReleaseRequested:
    """The peer wants to end; answer with `release` when what is under way has been sent."""


@dataclass(frozen=True)
class Ended:
    """The association is over. by_peer: the peer aborted; else it broke the protocol and `why` tells how.

    began: the first bytes of a peer that did not even ask for an association.
    """

    by_peer: bool
    why: str
    began: bytes = b""


Event = Request | Message | ReleaseRequested | Ended


class DataSets(list[bytes]):
    """Data sets that are sent together, and perhaps again to others: their heads are made once."""

    def __init__(self, data_sets: Iterable[bytes] = ()) -> None:
        """Take them; they are not to be changed any more."""
        super().__init__(data_sets)
        self._pieces: dict[int, list[bytes]] = {}

    @cached_property
    def longest(self) -> int:
        """Bytes of the longest."""
        return max(map(len, self), default=0)

    def after(self, command: bytes, context_id: int) -> bytes:
        """Return all of them, each in one fragment and after the same command set in its fragment."""
        pieces = self._pieces.get(context_id)
        if pieces is None:
            pieces = self._pieces[context_id] = []
            for data in self:
                size = len(data)
                pieces += (b"", P_DATA_VALUE.pack(Pdu.P_DATA_TF, size + 6, size + 2, context_id, 2), data)
        whole = pieces.copy()
        whole[::3] = [command] * len(self)
        return b"".join(whole)


class Acceptor:
    """One association, from the acceptor's side."""

    def __init__(self, limits: Limits) -> None:
        """Wait for the peer's request."""
        self.state = State.AWAIT_REQUEST
        self.limits = limits
        self.contexts: dict[int, tuple[str, str]] = {}
        """Accepted contexts: id -> (abstract syntax, transfer syntax)."""
        self._in = bytearray()
        self._out: list[bytes] = []
        self._largest = 0
        self._request: Request | None = None
        self._context_id = 0
        self._command = bytearray()
        self._data = bytearray()
        self._complete_command: dict[int, bytes] | None = None

    # --- what the transport does ------------------------------------------------------------------

    @property
    def closing(self) -> bool:
        """Whether the connection is to be closed once `to_send` has been sent."""
        return self.state == State.AWAIT_CLOSE

    @property
    def has_partial_pdu(self) -> bool:
        """Whether the beginning of a PDU has come and its end has not."""
        return bool(self._in)

    @property
    def expects_more(self) -> bool:
        """Whether the peer is in the middle of a PDU or of a message."""
        return bool(self._in or self._command or self._complete_command is not None)

    @property
    def has_to_send(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._out)

    def to_send(self) -> bytes:
        """Return what waits to be sent, and forget it."""
        waiting, self._out = b"".join(self._out), []
        return waiting

    def receive(self, data: bytes | memoryview) -> list[Event]:
        """Take bytes in whatever pieces they come and return what they tell."""
        if self.closing:
            return []  # AA-6 and AA-7: whatever still comes is ignored
        self._in += data
        events: list[Event] = []
        try:
            while (pdu := self._next_pdu()) is not None:
                event = self._take(*pdu)
                if event is not None:
                    events.append(event)
                if self.closing:
                    break
        except ProtocolError as broken:
            began = bytes(self._in[: PDU_HEAD.size]) if self.state == State.AWAIT_REQUEST else b""
            events.append(Ended(by_peer=False, why=broken.why, began=began))
            self._abort(2, broken.reason)
        return events

    # --- what the user does -----------------------------------------------------------------------

    def accept(
        self,
        results: Sequence[tuple[int, ContextResult, str]],
        *,
        implementation_class_uid: str,
        implementation_version: str,
        extended: Mapping[str, bytes] | None = None,
    ) -> None:
        """Send A-ASSOCIATE-AC. results: for each proposed context its id, the result and the transfer syntax chosen.

        extended: answers to SOP class extended negotiation. An asynchronous operations window is answered with 1, 1:
        one operation at a time (PS3.7 D.3.3.3).
        """
        request = self._decide()
        if request is None:
            return
        self.contexts = {
            proposal.context_id: (proposal.abstract_syntax, syntax)
            for proposal, (_, result, syntax) in zip(request.proposals, results, strict=True)
            if result == ContextResult.ACCEPTED
        }
        body = [struct.pack(">HH", PROTOCOL_VERSION, 0), title(request.called_ae_title)]
        body += [title(request.calling_ae_title), bytes(32), item(0x10, APPLICATION_CONTEXT.encode())]
        for context_id, result, syntax in results:
            body.append(item(0x21, bytes((context_id, 0, result, 0)) + item(0x40, syntax.encode())))
        user = [item(0x51, struct.pack(">I", self.limits.pdu)), item(0x52, implementation_class_uid.encode())]
        if request.wants_asynchronous:
            user.append(item(0x53, struct.pack(">HH", 1, 1)))
        for uid, (scu, _) in request.roles.items():
            user.append(item(0x54, struct.pack(">H", len(uid)) + uid.encode() + bytes((scu, 0))))
        user.append(item(0x55, implementation_version.encode()))
        for uid, information in (extended or {}).items():
            user.append(item(0x56, struct.pack(">H", len(uid)) + uid.encode() + information))
        body.append(item(0x50, b"".join(user)))
        self._send(Pdu.ASSOCIATE_AC, b"".join(body))
        self._largest = request.maximum_length
        self.state = State.ESTABLISHED

    def reject(self, result: int, source: int, reason: int) -> None:
        """Send A-ASSOCIATE-RJ with the numbers of PS3.8 table 9-21."""
        if self._decide() is None:
            return
        self._send(Pdu.ASSOCIATE_RJ, bytes((0, result, source, reason)))
        self.state = State.AWAIT_CLOSE

    def send(self, context_id: int, command: bytes, data: bytes | None = None) -> None:
        """Send one message. command: an encoded command set, see `encode_command`. Does nothing once it is over."""
        if self.state not in (State.ESTABLISHED, State.AWAIT_RELEASE_RESPONSE):
            return
        most = self._largest - 6 if self._largest else 0
        if most == 0 or len(command) <= most:
            # The usual case, whole in one fragment, is put together in one go.
            self._fragment(context_id, 3, command)
        else:
            self._fragments(context_id, 1, command, most)
        if data is not None:
            if most == 0 or len(data) <= most:
                self._fragment(context_id, 2, data)
            else:
                self._fragments(context_id, 0, data, most)

    def send_each(self, context_id: int, command: bytes, data_sets: "DataSets") -> None:
        """Send a message for each data set, all with the same command set."""
        most = self._largest - 6 if self._largest else sys.maxsize
        if self.state != State.ESTABLISHED or len(command) > most or data_sets.longest > most:
            for data in data_sets:
                self.send(context_id, command, data)
            return
        # The usual case: each message is whole in two fragments, of which the first is always the same.
        head = P_DATA_VALUE.pack(Pdu.P_DATA_TF, len(command) + 6, len(command) + 2, context_id, 3)
        self._out.append(data_sets.after(head + command, context_id))

    def release(self) -> None:
        """Answer the peer's release request with A-RELEASE-RP."""
        if self.state == State.AWAIT_RELEASE_RESPONSE:
            self._send(Pdu.RELEASE_RP, bytes(4))
            self.state = State.AWAIT_CLOSE

    def abort(self) -> None:
        """End the association from our side, in whatever state it is."""
        if self.state != State.AWAIT_CLOSE:
            self._abort(0, AbortReason.NOT_SPECIFIED)

    # --- PDUs -------------------------------------------------------------------------------------

    def _next_pdu(self) -> tuple[int, bytes] | None:
        """Return type and body of the next whole PDU; refuse one that is too long as soon as its head is there."""
        if len(self._in) < PDU_HEAD.size:
            return None
        kind, length = PDU_HEAD.unpack_from(self._in)
        if kind not in LONGEST:
            raise ProtocolError(AbortReason.UNRECOGNIZED_PDU, "a PDU of unknown type")
        if length > LONGEST[kind](self.limits):
            raise ProtocolError(AbortReason.INVALID_PARAMETER, "a PDU that is too long")
        end = PDU_HEAD.size + length
        if len(self._in) < end:
            return None
        body = bytes(self._in[PDU_HEAD.size : end])
        del self._in[:end]
        return kind, body

    def _take(self, kind: int, body: bytes) -> Event | None:
        """Act on one PDU as PS3.8 table 9-10 says for the state."""
        if kind == Pdu.ABORT:
            self.state = State.AWAIT_CLOSE
            return Ended(by_peer=True, why="the peer aborted")
        if kind == Pdu.ASSOCIATE_RQ and self.state == State.AWAIT_REQUEST:
            return self._requested(body)
        if kind == Pdu.P_DATA_TF and self.state == State.ESTABLISHED:
            return self._data_came(body)
        if kind == Pdu.RELEASE_RQ and self.state == State.ESTABLISHED:
            self.state = State.AWAIT_RELEASE_RESPONSE
            return ReleaseRequested()
        raise ProtocolError(AbortReason.UNEXPECTED_PDU, f"PDU {Pdu(kind).name} in state {self.state.name}")

    def _requested(self, body: bytes) -> Event | None:
        if len(body) < 68:
            raise ProtocolError(AbortReason.INVALID_PARAMETER, "an association request that is too short")
        self._request = decode_request(body, self.limits)
        self.state = State.AWAIT_DECISION
        if not int.from_bytes(body[:2], "big") & PROTOCOL_VERSION:
            self.reject(1, 2, 2)  # AE-6: protocol version not supported
            return Ended(by_peer=False, why="a protocol version that is not supported")
        return self._request

    def _data_came(self, body: bytes) -> Message | None:
        """Take the presentation data values of one P-DATA-TF (PS3.8 section 9.3.5, annex E)."""
        at, size, message = 0, len(body), None
        while at < size:
            if at + VALUE_HEAD.size > size:
                raise ProtocolError(AbortReason.INVALID_PARAMETER, "a presentation data value without a head")
            length, context_id, header = VALUE_HEAD.unpack_from(body, at)
            value, at = at + VALUE_HEAD.size, at + 4 + length
            if length < 2 or at > size:
                raise ProtocolError(AbortReason.INVALID_PARAMETER, "a presentation data value of a wrong length")
            if message is not None:
                raise ProtocolError(AbortReason.UNEXPECTED_PARAMETER, "more than one message in a PDU")
            message = self._value_came(context_id, header, body[value:at])
        return message

    def _value_came(self, context_id: int, header: int, value: bytes) -> Message | None:
        """Take one fragment; return the message when it is whole."""
        if context_id not in self.contexts:
            raise ProtocolError(AbortReason.INVALID_PARAMETER, "a presentation context that was not accepted")
        is_command, is_last = bool(header & 1), bool(header & 2)
        if is_command == (self._complete_command is not None):
            raise ProtocolError(AbortReason.UNEXPECTED_PARAMETER, "command and data set in the wrong order")
        if (self._command or self._complete_command is not None) and context_id != self._context_id:
            raise ProtocolError(AbortReason.UNEXPECTED_PARAMETER, "two messages mixed")
        self._context_id = context_id
        buffer = self._command if is_command else self._data
        most = self.limits.larger.get(self.contexts[context_id][0], self.limits.message)
        if len(self._command) + len(self._data) + len(value) > most:
            raise ProtocolError(AbortReason.INVALID_PARAMETER, "a message that is too long")
        buffer += value
        if not is_last:
            return None
        if is_command:
            self._complete_command = decode_command(bytes(self._command))
            if self._complete_command.get(COMMAND_DATA_SET_TYPE) != NO_DATA:
                return None
        return self._whole_message()

    def _whole_message(self) -> Message:
        command = self._complete_command or {}
        has_data = command.get(COMMAND_DATA_SET_TYPE) != NO_DATA
        message = Message(self._context_id, command, bytes(self._data) if has_data else None)
        self._command, self._data, self._complete_command = bytearray(), bytearray(), None
        return message

    def _decide(self) -> Request | None:
        """Return the request to decide on; None when the peer has broken the protocol in the meantime."""
        if self.closing:
            return None
        if self.state != State.AWAIT_DECISION or self._request is None:
            raise RuntimeError(f"there is no request to decide on in state {self.state.name}")
        return self._request

    def _send(self, kind: Pdu, body: bytes) -> None:
        self._out.append(PDU_HEAD.pack(kind, len(body)) + body)

    def _fragment(self, context_id: int, header: int, value: bytes) -> None:
        size = len(value)
        self._out.append(P_DATA_VALUE.pack(Pdu.P_DATA_TF, size + 6, size + 2, context_id, header))
        self._out.append(value)

    def _fragments(self, context_id: int, kind: int, value: bytes, most: int) -> None:
        most = max(most, 2)
        for at in range(0, len(value), most):
            last = 2 if at + most >= len(value) else 0
            self._fragment(context_id, kind | last, value[at : at + most])

    def _abort(self, source: int, reason: AbortReason) -> None:
        self._send(Pdu.ABORT, bytes((0, 0, source, reason)))
        self._in.clear()
        self.state = State.AWAIT_CLOSE
