"""The requests of one association, answered one at a time: C-ECHO, C-FIND and MPPS, with C-CANCEL in between."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from worklist.describe import keys_of
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
from worklist.host import BATCH, Answers, Host, Opened
from worklist.journal import QueryEntry
from worklist.mpps import OPERATIONS, Operation, Outcome
from worklist.negotiation import MODALITY_WORKLIST_FIND, VERIFICATION
from worklist.query import Caller
from worklist.upperlayer import Acceptor, DataSets, Message
from worklist.ways import kept

log = logging.getLogger(__name__)

SUCCESS = 0x0000
CANCELED = 0xFE00
SOP_CLASS_NOT_SUPPORTED = 0x0122
UNRECOGNIZED_OPERATION = 0x0211
PART = 32
"""Answers that are sent at a time; a cancel is heard between two parts."""
MOST_WAITING = 16
"""Requests that a peer may send ahead of their answers, though it was told that one at a time is done."""


class Line(Protocol):
    """What answers need of the connection; see worklist.peer.Peer."""

    upper: Acceptor
    caller: Caller
    address: str

    def flush(self) -> None:
        """Send what the upper layer has for the peer."""

    async def drained(self) -> None:
        """Wait until the peer reads again."""


class Find:
    """One C-FIND that is being answered."""

    __slots__ = ("asked_at", "entry", "message", "message_id", "sent", "transfer_syntax")

    def __init__(self, message: Message, transfer_syntax: str, entry: QueryEntry) -> None:
        """Note what was asked; the clock runs from now on."""
        self.message = message
        self.message_id = message.number(MESSAGE_ID) or 0
        self.transfer_syntax = transfer_syntax
        self.entry = entry
        """For the query log."""
        self.asked_at = time.perf_counter()
        self.sent = 0
        """Answers that have been sent, where they are sent in parts."""


class Answering:
    """What is to be answered on one line, and what is under way."""

    def __init__(self, line: Line, door: Host) -> None:
        """Begin with nothing to answer."""
        self._line = line
        self._door = door
        self._waiting: deque[Message] = deque()
        self._under_way: asyncio.Future[Any] | None = None
        """What requests have to wait for: a task, or what a query has found."""
        self._answered: int | None = None
        """Message ID of the request that is being answered."""
        self._canceled: set[int | None] = set()
        self._releasing = False

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self._under_way is not None

    def take(self, message: Message) -> None:
        """Answer a request at once, or when those before it are answered."""
        command = message.number(COMMAND_FIELD)
        if command == Command.C_CANCEL:
            self._cancel(message.number(MESSAGE_ID_BEING_RESPONDED_TO))
        elif command == Command.C_ECHO:
            self._respond(message, SUCCESS)
        elif len(self._waiting) >= MOST_WAITING:
            self._line.upper.abort()
        else:
            self._waiting.append(message)
            self._next()

    def _cancel(self, message_id: int | None) -> None:
        """Heed a cancel of what is not answered yet; one that comes later must not meet the next query of its ID."""
        if message_id in (self._answered, *(one.number(MESSAGE_ID) for one in self._waiting)):
            self._canceled.add(message_id)

    def release(self) -> None:
        """Agree to the release when everything is answered."""
        self._releasing = True
        self._release_when_done()

    def forget(self) -> None:
        """Leave unanswered what waits: the association is over."""
        self._waiting.clear()

    def stop(self) -> None:
        """End the answer under way at its next batch: the connection is gone."""
        self.forget()
        if self._under_way is not None:
            self._under_way.cancel()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that requests have to wait for."""
        self._under_way = self._door.begin(work)
        self._under_way.add_done_callback(self._done)

    def _done(self, work: "asyncio.Future[None]") -> None:
        if not work.cancelled() and (fault := work.exception()) is not None:
            log.error("worklist: an answer to %a failed (%s)", self._line.caller.ae_title, type(fault).__name__)
            self._line.upper.abort()
        self._go_on()

    def _go_on(self) -> None:
        """Turn to what waits: the answer under way was given."""
        self._under_way = None
        self._was_answered()
        self._next()
        self._release_when_done()
        self._line.flush()

    def _next(self) -> None:
        """Start on the next request that waits, one at a time."""
        while not self.busy and self._waiting and not self._line.upper.closing:
            message = self._waiting.popleft()
            self._answered = message.number(MESSAGE_ID)
            command = message.number(COMMAND_FIELD)
            if command == Command.C_FIND:
                self._find(message)
            elif command in OPERATIONS:
                self.start(self._perform(message))
            else:
                self._respond(message, UNRECOGNIZED_OPERATION)
            if not self.busy:
                self._was_answered()

    def _was_answered(self) -> None:
        """Forget a cancel of what is answered: the next request may have the same ID."""
        self._canceled.discard(self._answered)
        self._answered = None

    def _release_when_done(self) -> None:
        if self._releasing and not self.busy and not self._waiting:
            self._line.upper.release()

    # --- MPPS -------------------------------------------------------------------------------------

    async def _perform(self, message: Message) -> None:
        """Answer an N-CREATE, N-SET or N-GET once it is carried out."""
        abstract_syntax, transfer_syntax = self._line.upper.contexts[message.context_id]
        created = message.number(COMMAND_FIELD) == Command.N_CREATE
        operation = Operation(
            message.number(COMMAND_FIELD) or 0,
            abstract_syntax,
            message.text(AFFECTED_SOP_CLASS_UID if created else REQUESTED_SOP_CLASS_UID),
            message.text(AFFECTED_SOP_INSTANCE_UID if created else REQUESTED_SOP_INSTANCE_UID),
            transfer_syntax,
            self._line.caller,
            message.data or b"",
            tuple(tags_in(message.command.get(ATTRIBUTE_IDENTIFIER_LIST, b""))),
        )
        outcome = await self._door.perform(operation)
        answer = respond(
            operation.command,
            message.number(MESSAGE_ID) or 0,
            operation.sop_class,
            outcome.status,
            with_data=outcome.data is not None,
            comment=outcome.comment,
            more=_told(operation, outcome),
        )
        self._line.upper.send(message.context_id, answer, outcome.data)

    # --- C-FIND -----------------------------------------------------------------------------------

    def _find(self, message: Message) -> None:
        """Ask for what matches. Thousands of queries may come in a second: a task for each would cost a tenth of it."""
        abstract_syntax, transfer_syntax = self._line.upper.contexts[message.context_id]
        if abstract_syntax != MODALITY_WORKLIST_FIND or message.text(AFFECTED_SOP_CLASS_UID) != abstract_syntax:
            self._respond(message, SOP_CLASS_NOT_SUPPORTED)
            return
        caller = self._line.caller
        entry = QueryEntry(datetime.now(UTC), caller.ae_title, caller.called_ae_title, self._line.address)
        entry.ways = kept(caller.ways)
        entry.comment = "The association ended before the answer did"
        find = Find(message, transfer_syntax, entry)
        if message.data is None:
            self._refuse(find, QueryError(IDENTIFIER_DOES_NOT_FIT, "The request has no identifier"))
            self._write_down(find)
        else:
            self._under_way = self._door.find(message.data, transfer_syntax, caller)
            self._under_way.add_done_callback(partial(self._found, find))

    def _found(self, find: Find, found: "asyncio.Future[Opened]") -> None:
        """Send what was found: a short list at once, a long one in parts."""
        if not found.cancelled():
            try:
                opened = found.result()
                if len(opened[2]) > PART:
                    self.start(self._send_in_parts(find, opened))
                    return
                self._send(find, opened)
            except Exception as fault:
                self._refuse(find, fault)
        self._write_down(find)
        self._go_on()

    def _send(self, find: Find, opened: Opened) -> None:
        """Send all answers, and that they are all."""
        reply, _, answers = opened
        self._note(find, reply)
        canceled = find.message_id in self._canceled
        if canceled:
            find.entry.step_ids = []
        else:
            self._line.upper.send_each(find.message.context_id, _pending(find, reply), answers)
        self._all_sent(find, reply, canceled=canceled)

    async def _send_in_parts(self, find: Find, opened: Opened) -> None:
        """Send the answers as fast as the peer reads."""
        reply, answers, batch = opened
        try:
            self._note(find, reply)
            canceled = await self._send_batches(find, _pending(find, reply), answers, batch)
            self._all_sent(find, reply, canceled=canceled)
        except Exception as fault:
            self._refuse(find, fault)
        finally:
            find.entry.step_ids = reply.shown[: find.sent]
            self._write_down(find)

    async def _send_batches(self, find: Find, pending: bytes, answers: Iterator[bytes], batch: DataSets) -> bool:
        """Send the answers until they end or the peer cancels; tell whether it has."""
        while True:
            for at in range(0, len(batch), PART):
                if find.message_id in self._canceled:
                    return True
                part = DataSets(batch[at : at + PART])
                self._line.upper.send_each(find.message.context_id, pending, part)
                find.sent += len(part)
                self._line.flush()
                await self._line.drained()
                await asyncio.sleep(0)  # lets the loop hear a cancel, and other peers
            if len(batch) < BATCH:
                return find.message_id in self._canceled
            batch = await self._door.take(answers)

    def _note(self, find: Find, reply: Answers) -> None:
        """Note what is sent, for an association that ends in the middle of it, too."""
        entry = find.entry
        entry.keys, entry.matches, entry.step_ids, entry.skipped = reply.keys, reply.matches, reply.shown, reply.skipped

    def _all_sent(self, find: Find, reply: Answers, *, canceled: bool) -> None:
        """Say how the query ended."""
        find.entry.changed = reply.changed
        self._finish(find, CANCELED if canceled else SUCCESS)
        if reply.cut and not canceled:
            find.entry.comment = f"Only the newest {len(reply.shown)} were sent"

    def _refuse(self, find: Find, fault: Exception) -> None:
        """Say why a query is not answered."""
        if not isinstance(fault, QueryError):
            log.error(
                "worklist: a query of %a failed (%s)", self._line.caller.ae_title, type(fault).__name__, exc_info=fault
            )
            fault = QueryError(UNABLE_TO_PROCESS, "Bucky cannot answer this query")
        find.entry.keys = find.entry.keys or fault.keys
        self._finish(find, fault.status, fault)

    def _finish(self, find: Find, status: int, reason: QueryError | None = None) -> None:
        find.entry.status, find.entry.comment = f"{status:04X}", reason.comment if reason else ""
        offending = int(reason.tag) if reason and reason.tag is not None else None
        self._respond(find.message, status, comment=find.entry.comment, offending=offending)

    def _write_down(self, find: Find) -> None:
        """Put the query into the log."""
        entry = find.entry
        entry.milliseconds = round((time.perf_counter() - find.asked_at) * 1000, 2)
        entry.keys = entry.keys or keys_of(find.message.data or b"", find.transfer_syntax)
        self._door.write_down(entry)

    def _respond(self, message: Message, status: int, *, comment: str = "", offending: int | None = None) -> None:
        """Send the last response to a request."""
        command = message.number(COMMAND_FIELD) or 0
        sop_class = message.text(AFFECTED_SOP_CLASS_UID) or VERIFICATION
        number = message.number(MESSAGE_ID) or 0
        answer = respond(command, number, sop_class, status, comment=comment, offending=offending)
        self._line.upper.send(message.context_id, answer)


def _pending(find: Find, reply: Answers) -> bytes:
    """Return the command set of each answer."""
    return respond(Command.C_FIND, find.message_id, MODALITY_WORKLIST_FIND, reply.pending, with_data=True)


def _told(operation: Operation, outcome: Outcome) -> dict[int, bytes | int | str]:
    """Return what a response to MPPS says beside its status."""
    more: dict[int, bytes | int | str] = {AFFECTED_SOP_CLASS_UID: operation.sop_class}
    if outcome.sop_instance_uid:
        more[AFFECTED_SOP_INSTANCE_UID] = outcome.sop_instance_uid
    if outcome.error_id is not None:
        more[ERROR_ID] = outcome.error_id
    if outcome.tags:
        more[ATTRIBUTE_IDENTIFIER_LIST] = tag_list(outcome.tags)
    return more
