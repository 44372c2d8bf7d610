"""The DICOM door: sockets, threads for the database, limits. What a peer says is in worklist.peer.

One asyncio loop serves every association, so that an idle one costs nothing; a few threads do the database's work.
"""

import asyncio
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

from django.db import Error as DatabaseError
from django.utils import timezone

from ris import tls
from ris.config import Address
from ris.models import Station
from worklist.callers import profile_for
from worklist.errors import OUT_OF_RESOURCES, QueryError
from worklist.host import BATCH, Opened
from worklist.journal import Journal, QueryEntry, Recorder, RefusedCallEntry, UnknownCallerEntry
from worklist.mpps import Operation, Outcome, handle
from worklist.mpps_rules import RESOURCE_LIMITATION
from worklist.negotiation import PERFORMED_STEP
from worklist.pdu import Limits
from worklist.peer import ARTIM_SECONDS, Peer
from worklist.prepared import LIVE
from worklist.query import Caller, note_changes
from worklist.rounds import Query, Rounds, Source
from worklist.silence import keep_silent
from worklist.strangers import code_of
from worklist.upperlayer import DataSets
from worklist.workers import Workers

R = TypeVar("R")
log = logging.getLogger(__name__)

BACKLOG = 1024
LOOK_UP_SECONDS = 5.0
QUERY_SECONDS = 20.0
"""How long the database may take; scanners give up after 30 s or so."""
STOP_SECONDS = 4.0
"""How long running answers may take to finish when the door closes."""
SWEEP_SECONDS = 0.5
"""How often deadlines are looked at; one look for all peers costs less than a timer for each."""
READ_BYTES = 64 * 1024
"""What is read at a time, into one place for all peers: to make a place for each read costs more than to read."""
LARGEST_MPPS = 8 * 1024 * 1024
"""Bytes of one MPPS request: it names every image of a step."""
KNOWN_SECONDS = 2.0
"""How long an AE title that was looked up is believed."""


def is_active_station(ae_title: str) -> bool:
    """Tell whether an AE title is that of a station in use, or of the device of one."""
    return Station.objects.active().filter(ae_title=profile_for(ae_title).own(ae_title)).exists()


class CannotListen(Exception):
    """An address is taken or is not ours."""

    def __init__(self, address: Address, error: OSError) -> None:
        """Say which address, and why."""
        super().__init__(f"{address} cannot be used ({os.strerror(error.errno or 0)})")
        self.address = address


def _listen(at: Address, kind: type[socket.socket] = socket.socket) -> socket.socket:
    family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
    try:
        taken = socket.create_server((at.host, at.port), family=family, backlog=BACKLOG, reuse_port=False)
        return kind(fileno=taken.detach())
    except OSError as error:
        raise CannotListen(at, error) from None


@dataclass(frozen=True)
class Secure:
    """A second address, where DICOM is spoken over TLS (PS3.15 annex B.9, BCP 195)."""

    address: Address
    files: tls.Files


class Door:
    """The listener and its associations."""

    def __init__(
        self,
        at: Address,
        ae_title: str,
        *,
        refuse_unknown: bool = False,
        most: int = 50,
        most_per_address: int = 50,
        secure: Secure | None = None,
        source: Source = LIVE,
        is_station: Callable[[str], bool] = is_active_station,
        perform: Callable[[Operation], Outcome] = handle,
        journal: Recorder | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Prepare; nothing listens yet.

        ae_title: what callers must call. refuse_unknown: refuse AE titles that are no active station.
        most, most_per_address: associations at the same time. secure: where TLS is spoken, if anywhere.
        source, is_station, perform, journal: what stands behind the door.
        """
        self.address = at
        self.ae_title = ae_title
        self.refuse_unknown = refuse_unknown
        self.limits = limits or Limits(larger={PERFORMED_STEP: LARGEST_MPPS})
        self.buffer = memoryview(bytearray(READ_BYTES))
        self._most = most
        self._most_per_address = most_per_address
        self._secure = secure
        self._is_active_station = is_station
        self._carry_out = perform
        self._journal = journal or Journal()
        self._due: dict[asyncio.Future[Any], float] = {}
        """When the database must have answered; time.monotonic()."""
        self._peers: dict[Peer, None] = {}  # the one that came first is the first
        self._known: dict[str, tuple[float, bool]] = {}
        self._loop = asyncio.new_event_loop()
        self._workers = Workers(self._loop)
        self._rounds = Rounds(self._workers, source)
        self._thread = threading.Thread(target=self._serve, name="worklist-door", daemon=True)
        self._servers: list[asyncio.Server] = []
        self._secure_server: asyncio.Server | None = None

    # --- opening and closing ----------------------------------------------------------------------

    def start(self) -> None:
        """Listen and serve in a thread of its own. Raises CannotListen, or OSError by the certificate."""
        keep_silent()
        try:
            self._loop.run_until_complete(self._listen())
        except BaseException:
            self._loop.close()
            raise
        self._journal.start()
        self._workers.start()
        self._thread.start()

    async def _listen(self) -> None:
        files = replace(self._secure.files, failed=self._note_handshake) if self._secure else None
        context = files.context() if files else None
        with ExitStack() as taken:
            plain = taken.enter_context(_listen(self.address))
            secure = taken.enter_context(_listen(self._secure.address, tls.Listening)) if self._secure else None
            taken.pop_all()
        self._servers = [await self._open(plain)]
        log.info("worklist: %s listens on %s", self.ae_title, self.address)
        if self._secure is not None and files is not None and secure is not None:
            self._secure_server = await self._open(secure, context)
            self._following = self._loop.create_task(tls.follow(files, self.renew, tls.LOOK_EVERY))
            log.info("worklist: %s listens on %s over TLS", self.ae_title, self._secure.address)

    async def _open(self, at: socket.socket, context: ssl.SSLContext | None = None) -> asyncio.Server:
        # Each handshake has a deadline of its own, outside of accepting: a silent client keeps nobody waiting.
        deadline = ARTIM_SECONDS if context else None
        return await self._loop.create_server(
            lambda: Peer(self),
            sock=at,
            backlog=BACKLOG,
            ssl=context,
            ssl_handshake_timeout=deadline,
            ssl_shutdown_timeout=deadline,
        )

    async def renew(self, context: ssl.SSLContext) -> None:
        """Use another context for TLS from now on; associations that are open stay, and nobody is turned away."""
        old = self._secure_server
        assert old is not None
        self._secure_server = await self._open(old.sockets[0].dup(), context)
        old.close()

    def stop(self) -> None:
        """Take no more callers, let running answers finish, end the associations and write down the rest."""
        if not self._servers or self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(STOP_SECONDS + 5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(2)
        self._workers.close()
        self._journal.stop()
        log.info("worklist: closed")

    def _serve(self) -> None:
        self._loop.create_task(self._sweep())
        try:
            self._loop.run_forever()
        finally:
            unfinished = asyncio.all_tasks(self._loop)
            for task in unfinished:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*unfinished, return_exceptions=True))
            self._loop.close()

    async def _close(self) -> None:
        servers = [*self._servers, *([self._secure_server] if self._secure_server else [])]
        for listening in (one for server in servers for one in server.sockets):
            self._loop.remove_reader(listening.fileno())
        # asyncio loses connections that it has accepted but not handed over yet when the server is closed under them.
        await asyncio.sleep(0.05)
        for server in servers:
            server.close()
        until = time.monotonic() + STOP_SECONDS
        while any(peer.busy for peer in self._peers) and time.monotonic() < until:
            await asyncio.sleep(0.02)
        for peer in list(self._peers):
            peer.abort()
        await asyncio.sleep(0.05)  # lets the last bytes leave
        for peer in list(self._peers):
            peer.cut()
        while self._peers:
            await asyncio.sleep(0)

    async def _sweep(self) -> None:
        """End the associations whose time is over, and wait no longer for a round that hangs."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            self._rounds.begin()
            for peer in [peer for peer in self._peers if peer.deadline < now]:
                peer.expire()
            for future in [future for future, due in self._due.items() if due < now and not future.done()]:
                future.set_exception(QueryError(OUT_OF_RESOURCES, "The database is too slow, ask again"))

    # --- what peers ask of the door ---------------------------------------------------------------

    @property
    def connections(self) -> int:
        """How many connections are open, silent ones included."""
        return len(self._peers)

    def joined(self, peer: Peer) -> bool:
        """Take a connection in; tells whether there is room for it.

        Those without an association count against a larger bound; there the one that has been so longest makes room, so
        that no number of them keeps a scanner out.
        """
        self._peers[peer] = None
        if len(self._peers) > self._most * 4 + 100:
            oldest = next((other for other in self._peers if other.makes_room), peer)
            del self._peers[oldest]
            oldest.cut()
        return peer in self._peers

    def left(self, peer: Peer) -> None:
        """Forget a connection."""
        self._peers.pop(peer, None)

    def is_full_for(self, address: str) -> bool:
        """Tell whether as many associations are open as may be, in all or from this address."""
        if len(self._peers) <= min(self._most, self._most_per_address):  # with the one that asks
            return False
        open_from = [peer.address for peer in self._peers if peer.established]
        return len(open_from) >= self._most or open_from.count(address) >= self._most_per_address

    async def is_station(self, caller: Caller) -> bool | None:
        """Tell whether a caller is an active station; None when the database is away. Notes callers that are none."""
        believed = self._believed(caller)
        if believed is not None:
            return believed
        try:
            known = await self._in_thread(LOOK_UP_SECONDS, lambda: self._is_active_station(caller.ae_title))
        except (DatabaseError, QueryError):
            return None
        if known:
            self._known[caller.ae_title] = time.monotonic() + KNOWN_SECONDS, known
        else:
            entry = UnknownCallerEntry(timezone.now(), caller.ae_title, caller.address, self.refuse_unknown)
            self._journal.put(entry)
        return known

    def _believed(self, caller: Caller) -> bool | None:
        """Return what was looked up about a caller a moment ago."""
        until, known = self._known.get(caller.ae_title, (0.0, False))
        return known if until > time.monotonic() else None

    def note_caller(self, caller: Caller) -> None:
        """Note a caller that is no station, beside its association."""
        if self._believed(caller) is None:
            self._loop.create_task(self._note(caller))

    async def _note(self, caller: Caller) -> None:
        await self.is_station(caller)

    def note_refusal(self, caller: Caller, code: str) -> None:
        """Note a call that was refused. code: see worklist.negotiation.Rejection and worklist.strangers."""
        call = caller.ae_title, caller.called_ae_title, caller.address, code
        self._journal.put(RefusedCallEntry(timezone.now(), *call))

    def _note_handshake(self, address: str, reason: str) -> None:
        """Note a device that could not come in over TLS."""
        self.note_refusal(Caller("", "", address), code_of(reason))

    def begin(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Do something beside everything else."""
        return self._loop.create_task(work)

    def find(self, identifier: bytes, transfer_syntax: str, caller: Caller) -> "asyncio.Future[Opened]":
        """Find the rows that match, and encode the first of them. The future raises QueryError."""
        return self._in_time(QUERY_SECONDS, self._rounds.ask(Query(identifier, transfer_syntax, caller)))

    async def take(self, answers: Iterator[bytes]) -> DataSets:
        """Encode the next answers, in a thread: a long list must not hold other peers up."""
        return await self._in_thread(QUERY_SECONDS, lambda: DataSets(islice(answers, BATCH)))

    async def perform(self, operation: Operation) -> Outcome:
        """Carry out what a scanner tells of a performed step."""
        try:
            return await self._in_thread(QUERY_SECONDS, lambda: self._carry_out(operation))
        except QueryError as reason:
            return Outcome(RESOURCE_LIMITATION, operation.sop_instance_uid, reason.comment)

    def write_down(self, entry: QueryEntry) -> None:
        """Put a query into the journal."""
        note_changes(entry.calling_ae_title, entry.changed)
        self._journal.put(entry)

    async def _in_thread(self, seconds: float, work: Callable[[], R]) -> R:
        """Do database work in one of the threads; QueryError A700 when it takes longer than `seconds`."""
        return await self._in_time(seconds, self._workers.submit(work))

    def _in_time(self, seconds: float, future: "asyncio.Future[R]") -> "asyncio.Future[R]":
        """Have what the threads do fail when it takes longer than `seconds`."""
        self._due[future] = time.monotonic() + seconds
        future.add_done_callback(self._due.pop)
        return future
