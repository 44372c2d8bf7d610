"""The requests of one association, answered one at a time: C-ECHO, C-FIND and MPPS, with C-CANCEL in between."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine, Iterator
from typing import Any, Protocol

from django.utils import timezone

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
from worklist.host import BATCH, Host
from worklist.journal import QueryEntry
from worklist.mpps import OPERATIONS, Operation, Outcome
from worklist.negotiation import MODALITY_WORKLIST_FIND, VERIFICATION
from worklist.query import Caller
from worklist.upperlayer import Acceptor, Message
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


class Answering:
    """What is to be answered on one line, and what is under way."""

    def __init__(self, line: Line, door: Host) -> None:
        """Begin with nothing to answer."""
        self._line = line
        self._door = door
        self._waiting: deque[Message] = deque()
        self._task: asyncio.Task[None] | None = None
        self._under_way: int | None = None
        """Message ID of the request that is being answered."""
        self._canceled: set[int | None] = set()
        self._releasing = False

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self._task is not None

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
        if message_id in (self._under_way, *(one.number(MESSAGE_ID) for one in self._waiting)):
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
        if self._task is not None:
            self._task.cancel()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that requests have to wait for."""
        self._task = self._door.begin(work)
        self._task.add_done_callback(self._done)

    def _next(self) -> None:
        """Start on the next request that waits, one at a time."""
        if self._task is None and self._waiting and not self._line.upper.closing:
            message = self._waiting.popleft()
            self._under_way = message.number(MESSAGE_ID)
            self.start(self._answer(message))

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        self._canceled.discard(self._under_way)
        self._under_way = None
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("worklist: an answer to %a failed (%s)", self._line.caller.ae_title, type(fault).__name__)
            self._line.upper.abort()
        self._next()
        self._release_when_done()
        self._line.flush()

    def _release_when_done(self) -> None:
        if self._releasing and self._task is None and not self._waiting:
            self._line.upper.release()

    async def _answer(self, message: Message) -> None:
        """Answer one C-FIND or MPPS request, or say that we do not do what was asked."""
        if message.number(COMMAND_FIELD) in OPERATIONS:
            await self._perform(message)
            return
        if message.number(COMMAND_FIELD) != Command.C_FIND:
            self._respond(message, UNRECOGNIZED_OPERATION)
            return
        abstract_syntax, transfer_syntax = self._line.upper.contexts[message.context_id]
        if abstract_syntax != MODALITY_WORKLIST_FIND or message.text(AFFECTED_SOP_CLASS_UID) != abstract_syntax:
            self._respond(message, SOP_CLASS_NOT_SUPPORTED)
            return
        caller = self._line.caller
        entry = QueryEntry(timezone.now(), caller.ae_title, caller.called_ae_title, self._line.address)
        entry.ways = kept(caller.ways)
        entry.comment = "The association ended before the answer did"
        clock = time.perf_counter()
        try:
            await self._find(message, transfer_syntax, entry)
        finally:
            entry.milliseconds = round((time.perf_counter() - clock) * 1000, 2)
            entry.keys = entry.keys or keys_of(message.data or b"", transfer_syntax)
            self._door.write_down(entry)

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

    async def _find(self, message: Message, transfer_syntax: str, entry: QueryEntry) -> None:
        """Send the answers to one query, then how it ended."""
        caller = self._line.caller
        try:
            if message.data is None:
                raise QueryError(IDENTIFIER_DOES_NOT_FIT, "The request has no identifier")
            reply, answers, first = await self._door.find(message.data, transfer_syntax, caller)
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
            log.exception("worklist: a query of %a failed (%s)", caller.ae_title, type(fault).__name__)
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
                self._line.upper.send_each(message.context_id, pending, batch[at : at + PART])
                if len(batch) > PART:
                    self._line.flush()
                    await self._line.drained()
                    await asyncio.sleep(0)  # lets the loop hear a cancel, and other peers
            if len(batch) < BATCH:
                return message_id in self._canceled
            batch = await self._door.take(answers)

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
        self._line.upper.send(message.context_id, answer)


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
