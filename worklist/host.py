"""What an association asks of its door, as protocols: so worklist.peer need not know worklist.server."""

import asyncio
from collections.abc import Coroutine, Iterator
from itertools import islice
from typing import Any, Protocol

from worklist.journal import QueryEntry
from worklist.mpps import Operation, Outcome
from worklist.pdu import Limits
from worklist.query import Caller
from worklist.upperlayer import DataSets


class Answers(Protocol):
    """What became of a query; iterating gives the encoded answers, each built when its turn comes.

    pending: status of each. matches: how many steps match. keys: the identifier, for the query log. cut: more steps
    match, these are the newest. shown, skipped: rows that were encoded and left out so far. changed: values so far that
    are not sent as they are stored.
    """

    pending: int
    keys: dict[str, Any]
    cut: bool
    changed: int
    shown: list[int]
    skipped: list[int]

    @property
    def matches(self) -> int:
        """How many steps match."""

    def __iter__(self) -> Iterator[bytes]: ...


BATCH = 256
"""Answers that are encoded at a time."""

Opened = tuple[Answers, Iterator[bytes], DataSets]
"""Answers, what gives them, and the first BATCH of them."""


def opened(answers: Answers) -> Opened:
    """Encode the first BATCH of some answers."""
    pieces = iter(answers)
    return answers, pieces, DataSets(islice(pieces, BATCH))


class Host(Protocol):
    """What a peer asks of the door; see worklist.server.Door."""

    ae_title: str
    refuse_unknown: bool
    limits: Limits
    buffer: memoryview
    """Where the loop puts what it reads: each peer takes its own out at once."""

    def is_full_for(self, address: str) -> bool:
        """Tell whether as many associations are open as may be, in all or from this address."""

    def joined(self, peer: Any) -> bool:
        """Take a connection in; tells whether there is room for it."""

    def left(self, peer: Any) -> None:
        """Forget a connection."""

    async def is_station(self, caller: Caller) -> bool | None:
        """Tell whether a caller is an active station; None when that cannot be looked up."""

    def note_caller(self, caller: Caller) -> None:
        """Note a caller that is no station, beside its association."""

    def note_refusal(self, caller: Caller, code: str) -> None:
        """Note a call that was refused, beside its association; see worklist.negotiation, worklist.strangers."""

    def begin(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Do something beside everything else."""

    def find(self, identifier: bytes, transfer_syntax: str, caller: Caller) -> "asyncio.Future[Opened]":
        """Find the rows that match. The future raises QueryError."""

    async def take(self, answers: Iterator[bytes]) -> DataSets:
        """Encode the next BATCH answers in a thread."""

    async def perform(self, operation: Operation) -> Outcome:
        """Carry out what a scanner tells of a performed step."""

    def write_down(self, entry: QueryEntry) -> None:
        """Put a query into the journal."""
