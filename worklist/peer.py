"""One association on asyncio: what the upper layer tells is done, database work in the door's threads."""

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import Coroutine, Iterator
from typing import Any

from django.utils import timezone

from worklist.dimse import (
    AFFECTED_SOP_CLASS_UID,
    AFFECTED_SOP_INSTANCE_UID,
    ATTRIBUTE_IDENTIFIER_LIST,
    COMMAND_FIELD,
    ERROR_ID,
    MESSAGE_ID,
    MESSAGE_ID_BEING_RESPONDED_TO,
    REQUESTED_SOP_CLASS_UID,
    REQUESTED_SOP_INSTANCE_UID,
    Command,
    respond,
    tag_list,
    tags_in,
)
from worklist.errors import IDENTIFIER_DOES_NOT_FIT, UNABLE_TO_PROCESS, QueryError
from worklist.host import Host
from worklist.journal import QueryEntry
from worklist.mpps import OPERATIONS, Operation
from worklist.negotiation import (
    CANNOT_LOOK_UP,
    MODALITY_WORKLIST_FIND,
    UNKNOWN_CALLING,
    VERIFICATION,
    Rejection,
    choose,
    extended,
    judge,
)
from worklist.pdu import Request
from worklist.query import Caller, caller_of
from worklist.upperlayer import Acceptor, Ended, Event, Message, ReleaseRequested, State
from worklist.ways import kept

log = logging.getLogger(__name__)

IMPLEMENTATION_CLASS_UID = "2.25.284710246213462316917143296361826012971"
IMPLEMENTATION_VERSION = "BUCKY"
SUCCESS = 0x0000
CANCELED = 0xFE00
SOP_CLASS_NOT_SUPPORTED = 0x0122
UNRECOGNIZED_OPERATION = 0x0211

ARTIM_SECONDS = 10.0
"""From the connection to the association request, and from our last word to the peer's closing (PS3.8 9.1.5)."""
PDU_SECONDS = 10.0
"""From the first byte of a PDU to its last."""
IDLE_SECONDS = 900.0
"""How long an association may stay open without a word. Scanners that hold theirs open poll more often."""
SEND_SECONDS = 20.0
"""How long a peer may leave an answer unread."""
QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only
BATCH = 256
"""Answers that are encoded at a time."""
PART = 32
"""Answers that are sent at a time; a cancel is heard between two parts."""
MOST_WAITING = 16
"""Requests that a peer may send ahead of their answers, though it was told that one at a time is done."""


class Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, door: Host) -> None:
        """Wait for the connection; see connection_made."""
        self.door = door
        self.upper = Acceptor(door.limits)
        self.caller = Caller("")
        self.address = ""
        self.deadline = 0.0
        """When the connection is ended if nothing happens until then; time.monotonic()."""
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._waiting: deque[Message] = deque()
        self._task: asyncio.Task[None] | None = None
        self._canceled: set[int] = set()
        self._releasing = self._said_goodbye = self._in_pdu = False
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self._task is not None

    @property
    def makes_room(self) -> bool:
        """Whether nothing is lost with it: it has not asked for an association yet, or was told its last word."""
        return self.upper.state == State.AWAIT_REQUEST or self._said_goodbye

    @property
    def established(self) -> bool:
        """Whether the association was accepted and is not over."""
        return self.upper.state in (State.ESTABLISHED, State.AWAIT_RELEASE_RESPONSE)

    # --- what the transport tells -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or close it at once when there are too many."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._socket = transport.get_extra_info("socket")
        if self._socket is not None:
            # asyncio leaves this out where a listening socket was made without naming the protocol.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = (transport.get_extra_info("peername") or ("",))[0]
        self._wait(ARTIM_SECONDS)
        if not self.door.joined(self):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the peer; an answer under way stops at its next batch."""
        self.door.left(self)
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """Stop sending: the peer does not read."""
        self._writable.clear()
        self._wait(SEND_SECONDS)

    def resume_writing(self) -> None:
        """Send again."""
        self._writable.set()
        self._wait(IDLE_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        self._acknowledge_quickly()
        for event in self.upper.receive(data):
            self._happened(event)
        self._flush()
        if not self.upper.closing and self._writable.is_set():
            self._wait_for_more()

    def _acknowledge_quickly(self) -> None:
        """Acknowledge after each read: Linux waits 40 ms otherwise, and with it a peer that has Nagle's algorithm."""
        if QUICK_ACK is not None and self._socket is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)

    def eof_received(self) -> bool:
        """Close: a peer that has closed its side reads no answers."""
        return False

    def expire(self) -> None:
        """End what took too long: with A-ABORT an association that can still be told, at once all others (AA-2)."""
        if not self.established or not self._writable.is_set():
            self.cut()
        else:
            log.info("worklist: %a at %s was silent for too long", self.caller.ae_title, self.address)
            self.abort()

    def abort(self) -> None:
        """Send A-ABORT and close."""
        self.upper.abort()
        self._flush()

    # --- what the peer does -----------------------------------------------------------------------

    def _happened(self, event: Event) -> None:
        match event:
            case Request():
                self._requested(event)
            case Message():
                self._asked(event)
            case ReleaseRequested():
                self._releasing = True
                self._release_when_done()
            case Ended(by_peer=by_peer, why=why):
                self._waiting.clear()
                if by_peer:
                    self.cut()
                else:
                    log.warning("worklist: %a at %s was cut off: %s", self.caller.ae_title, self.address, why)

    def _requested(self, request: Request) -> None:
        self.caller = caller_of(request, self.address)
        rejection = judge(request, self.door.ae_title, is_full=self.door.is_full_for(self.address))
        if rejection is not None:
            self._reject(rejection)
        elif self.door.refuse_unknown:
            self._start(self._look_up(request))
        else:
            self._accept(request)
            self.door.note_caller(self.caller)

    async def _look_up(self, request: Request) -> None:
        """Accept the caller if it is a station."""
        known = await self.door.is_station(self.caller)
        if self.upper.state == State.AWAIT_DECISION:
            if known:
                self._accept(request)
            else:
                self._reject(CANNOT_LOOK_UP if known is None else UNKNOWN_CALLING)

    def _accept(self, request: Request) -> None:
        self.upper.accept(
            choose(request.proposals),
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version=IMPLEMENTATION_VERSION,
            extended=extended(request),
        )
        self._wait(IDLE_SECONDS)

    def _reject(self, rejection: Rejection) -> None:
        log.warning("worklist: %a at %s refused: %s", self.caller.ae_title, self.address, rejection.words)
        self.upper.reject(rejection.result, rejection.source, rejection.reason)
        if rejection is not UNKNOWN_CALLING:  # which its look-up has noted
            self.door.note_refusal(self.caller, rejection.code)

    def _asked(self, message: Message) -> None:
        command = message.number(COMMAND_FIELD)
        if command == Command.C_CANCEL:
            self._canceled.add(message.number(MESSAGE_ID_BEING_RESPONDED_TO) or 0)
        elif command == Command.C_ECHO:
            self._respond(message, SUCCESS)
        elif len(self._waiting) >= MOST_WAITING:
            self.upper.abort()
        else:
            self._waiting.append(message)
            self._next()

    def _next(self) -> None:
        """Start on the next request that waits, one at a time."""
        if self._task is None and self._waiting and not self.upper.closing:
            self._start(self._answer(self._waiting.popleft()))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("worklist: an answer to %a failed (%s)", self.caller.ae_title, type(fault).__name__)
            self.upper.abort()
        self._next()
        self._release_when_done()
        self._flush()

    def _release_when_done(self) -> None:
        if self._releasing and self._task is None and not self._waiting:
            self.upper.release()

    # --- answers ----------------------------------------------------------------------------------

    async def _answer(self, message: Message) -> None:
        """Answer one C-FIND or MPPS request, or say that we do not do what was asked."""
        if message.number(COMMAND_FIELD) in OPERATIONS:
            await self._perform(message)
            return
        if message.number(COMMAND_FIELD) != Command.C_FIND:
            self._respond(message, UNRECOGNIZED_OPERATION)
            return
        abstract_syntax, transfer_syntax = self.upper.contexts[message.context_id]
        if abstract_syntax != MODALITY_WORKLIST_FIND or message.text(AFFECTED_SOP_CLASS_UID) != abstract_syntax:
            self._respond(message, SOP_CLASS_NOT_SUPPORTED)
            return
        entry = QueryEntry(timezone.now(), self.caller.ae_title, self.caller.called_ae_title, self.address)
        entry.ways = kept(self.caller.ways)
        clock = time.perf_counter()
        entry.comment = "The association ended before the answer did"
        try:
            await self._find(message, transfer_syntax, entry)
        finally:
            self._canceled.clear()
            entry.milliseconds = round((time.perf_counter() - clock) * 1000, 2)
            self.door.write_down(entry)

    async def _perform(self, message: Message) -> None:
        """Answer an N-CREATE, N-SET or N-GET once it is carried out."""
        abstract_syntax, transfer_syntax = self.upper.contexts[message.context_id]
        created = message.number(COMMAND_FIELD) == Command.N_CREATE
        sop_class = message.text(AFFECTED_SOP_CLASS_UID if created else REQUESTED_SOP_CLASS_UID)
        operation = Operation(
            message.number(COMMAND_FIELD) or 0,
            abstract_syntax,
            sop_class,
            message.text(AFFECTED_SOP_INSTANCE_UID if created else REQUESTED_SOP_INSTANCE_UID),
            transfer_syntax,
            self.caller,
            message.data or b"",
            tuple(tags_in(message.command.get(ATTRIBUTE_IDENTIFIER_LIST, b""))),
        )
        outcome = await self.door.perform(operation)
        more: dict[int, bytes | int | str] = {AFFECTED_SOP_CLASS_UID: sop_class}
        if outcome.sop_instance_uid:
            more[AFFECTED_SOP_INSTANCE_UID] = outcome.sop_instance_uid
        if outcome.error_id is not None:
            more[ERROR_ID] = outcome.error_id
        if outcome.tags:
            more[ATTRIBUTE_IDENTIFIER_LIST] = tag_list(outcome.tags)
        number = message.number(MESSAGE_ID) or 0
        has_data = outcome.data is not None
        answer = respond(
            operation.command,
            number,
            sop_class,
            outcome.status,
            with_data=has_data,
            comment=outcome.comment,
            more=more,
        )
        self.upper.send(message.context_id, answer, outcome.data)

    async def _find(self, message: Message, transfer_syntax: str, entry: QueryEntry) -> None:
        """Send the answers to one query, then how it ended."""
        try:
            if message.data is None:
                raise QueryError(IDENTIFIER_DOES_NOT_FIT, "The request has no identifier")
            reply, answers, first = await self.door.find(message.data, transfer_syntax, self.caller, BATCH)
            entry.keys, entry.matches = reply.keys, reply.matches
            entry.step_ids, entry.skipped = reply.shown, reply.skipped
            canceled = await self._send_all(message, reply.pending, answers, first)
            entry.changed = reply.changed
            self._finish(message, CANCELED if canceled else SUCCESS, entry)
            entry.comment = f"Only the newest {reply.matches} were sent" if reply.cut else entry.comment
        except QueryError as reason:
            entry.keys = entry.keys or reason.keys
            self._finish(message, reason.status, entry, reason)
        except Exception as fault:
            log.exception("worklist: a query of %a failed (%s)", self.caller.ae_title, type(fault).__name__)
            excuse = QueryError(UNABLE_TO_PROCESS, "Bucky cannot answer this query")
            self._finish(message, excuse.status, entry, excuse)

    async def _send_all(self, message: Message, status: int, answers: Iterator[bytes], batch: list[bytes]) -> bool:
        """Send the answers in parts, as fast as the peer reads; tell whether it canceled."""
        message_id = message.number(MESSAGE_ID) or 0
        pending = respond(Command.C_FIND, message_id, MODALITY_WORKLIST_FIND, status, with_data=True)
        while True:
            for at in range(0, len(batch), PART):
                if message_id in self._canceled:
                    return True
                self.upper.send_each(message.context_id, pending, batch[at : at + PART])
                if len(batch) > PART:
                    self._flush()
                    await self._writable.wait()
                    await asyncio.sleep(0)  # lets the loop hear a cancel, and other peers
            if len(batch) < BATCH:
                return message_id in self._canceled
            batch = await self.door.take(answers, BATCH)

    def _finish(self, message: Message, status: int, entry: QueryEntry, reason: QueryError | None = None) -> None:
        entry.status, entry.comment = f"{status:04X}", reason.comment if reason else ""
        offending = int(reason.tag) if reason and reason.tag is not None else None
        self._respond(message, status, comment=entry.comment, offending=offending)

    def _respond(self, message: Message, status: int, *, comment: str = "", offending: int | None = None) -> None:
        """Send the last response to a request."""
        command = message.number(COMMAND_FIELD) or 0
        sop_class = message.text(AFFECTED_SOP_CLASS_UID) or VERIFICATION
        number = message.number(MESSAGE_ID) or 0
        answer = respond(command, number, sop_class, status, comment=comment, offending=offending)
        self.upper.send(message.context_id, answer)

    # --- sending and waiting ----------------------------------------------------------------------

    def _flush(self) -> None:
        """Send what the upper layer has for the peer; close after its last word."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        waiting = self.upper.to_send()
        if waiting:
            transport.write(waiting)
        if self.upper.closing and not self._said_goodbye:
            # The peer closes after it has read our last word (PS3.8 Sta13); ARTIM ends those that do not.
            self._said_goodbye = True
            self._wait(ARTIM_SECONDS)

    def _wait_for_more(self) -> None:
        """Have new patience after each whole PDU of an association, and none after each byte of one."""
        if not self.upper.has_partial_pdu:
            self._in_pdu = False
            if self.established:
                self._wait(IDLE_SECONDS)
        elif not self._in_pdu:
            self._in_pdu = True
            self._wait(PDU_SECONDS)

    def _wait(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    def cut(self) -> None:
        """Close the connection at once, whatever was not sent yet."""
        if self._transport is not None:
            self._transport.abort()
