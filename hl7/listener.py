"""The MLLP server: sockets only. Frames in, answers out; what a message means is `intake`'s business.

One asyncio loop holds the connections, so thousands of idle ones cost a few kilobytes each. Messages are worked on in
a small pool of threads, because the database is called synchronously. Each connection has at most one message at work,
so a sender's order is kept, and reads nothing further meanwhile, so a fast sender is slowed by TCP, not by our memory.

Every wait has an end: a quiet connection closes after the idle time, a frame must be whole within its deadline from
its first byte on (a drip of bytes does not extend it), and a peer that does not read its answers is cut off.
"""

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from hl7 import mllp
from ris import tls
from ris.seldom import Seldom

log = logging.getLogger(__name__)

_CHUNK = 65536
_STRANGERS = {b"\x16\x03": "TLS on the plain port", b"\x01\x00": "DICOM"}
"""How others begin, who would wait for our side: a TLS handshake, an A-ASSOCIATE-RQ (PS3.8 table 9-11)."""
_CR_GRACE = 0.2  # seconds to wait for the CR after an FS, before the frame counts as whole without it


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the door; times in seconds."""

    max_bytes: int = 10 * 1024 * 1024
    idle: float = 3600
    frame: float = 60
    write: float = 15
    linger: float = 5
    handshake: float = 10
    connections: int = 5000
    workers: int = 4
    stop: float = 7


@dataclass(frozen=True, slots=True)
class Handlers:
    """What the listener calls for each frame, in a worker thread.

    Both return the answer without its frame; empty when there is nothing to answer.
    """

    receive: Callable[[bytes, str], bytes]
    refuse: Callable[[bytes, str], bytes]


class _Gone(Exception):
    """The connection is over: closed by the peer, idle too long, or too slow."""


class Listener:
    """One or more listening addresses, plain or TLS. `start` each, then `serve_until` a stop event is set."""

    def __init__(self, handlers: Handlers, limits: Limits) -> None:
        self._handlers = handlers
        self._limits = limits
        self._pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="hl7")
        self._at_work: dict[asyncio.Task[None], bool] = {}  # open connections; True while a message is in hand
        self._servers: list[asyncio.Server] = []
        self._secure: list[asyncio.Server] = []
        self._stopping = False
        self._strangers = Seldom()

    async def start(self, host: str, port: int, context: ssl.SSLContext | None = None, *, shared: bool = False) -> int:
        """Open a door, over TLS where a context is given; returns its port. Raises OSError when it cannot be had.

        shared: other processes listen there too, and the kernel deals the connections out (SO_REUSEPORT). One
        connection stays with one process, so a sender's order is kept.
        """
        serves = context is None
        server = await self._serve(context, host=host, port=port, reuse_port=shared or None, start_serving=serves)
        taken = int(server.sockets[0].getsockname()[1])
        (self._secure if context else self._servers).append(server)
        if context is not None:
            await self.renew(context)
        return taken

    async def renew(self, context: ssl.SSLContext) -> None:
        """Use another context for TLS from now on; connections that are open stay, and nobody is turned away."""
        old = self._secure
        sockets = [tls.Listening(fileno=os.dup(known.fileno())) for server in old for known in server.sockets]
        self._secure = [await self._serve(context, sock=known) for known in sockets]
        for server in old:
            server.close()

    async def _serve(self, context: ssl.SSLContext | None, **where: Any) -> asyncio.Server:
        # Each handshake is a task of its own with its own deadline: a silent client keeps nobody waiting.
        return await asyncio.start_server(
            self._accepted,
            **where,
            backlog=1024,
            limit=_CHUNK,
            ssl=context,
            ssl_handshake_timeout=self._limits.handshake if context else None,
            ssl_shutdown_timeout=self._limits.write if context else None,
        )

    async def serve_until(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; then let messages in hand be answered, close everything and return."""
        await stop.wait()
        await self.close()

    async def close(self) -> None:
        """Take no more connections, let each message in hand be answered, close."""
        for server in self._servers + self._secure:
            server.close()
        self._stopping = True
        tasks = set(self._at_work)
        for task in tasks:
            if not self._at_work[task]:
                task.cancel()  # it only waits for bytes
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._limits.stop)
            for task in late:
                task.cancel()
            if late:
                log.warning("%d connection(s) were cut off at the stop", len(late))
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._stopping or len(self._at_work) >= self._limits.connections:
            log.warning("connection refused: %d are open", len(self._at_work))
            writer.transport.abort()
            return
        self._at_work[task] = False
        try:
            with contextlib.suppress(_Gone, asyncio.CancelledError):
                await self._converse(task, reader, writer)
            writer.close()  # sends what is still to be sent
            async with asyncio.timeout(self._limits.write):
                await writer.wait_closed()
        except (OSError, TimeoutError):
            pass  # the peer left, or it does not read: what it sent whole is stored and will be asked for again
        finally:
            del self._at_work[task]
            with contextlib.suppress(AttributeError):  # Python 3.11.2 fails on TLS that the peer has ended
                writer.transport.abort()

    async def _converse(
        self, task: "asyncio.Task[None]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Read frames and answer each, until the peer leaves, is too slow, or we stop."""
        peer = _prepare(writer.get_extra_info("socket"))
        frames = mllp.FrameReader(self._limits.max_bytes)
        deadline: float | None = None
        first = True
        while not self._stopping:
            data = await self._next_bytes(reader, frames, deadline)
            stranger = _STRANGERS.get(data[:2]) if first and data else None
            if stranger:
                self._tell_of(stranger, peer)
                return
            first = False
            dropped = frames.dropped
            whole = frames.finish() if data is None else frames.feed(data)
            if frames.dropped > dropped:
                log.warning("a frame without an end was dropped: its sender began the next one")
            self._at_work[task] = True
            for frame in whole:
                await self._answer(frame, peer, writer)
                if self._stopping:
                    return
            self._at_work[task] = False
            if frames.refusing:
                await self._linger(reader, writer)
                return
            deadline = self._deadline(frames, None if whole else deadline)

    def _tell_of(self, stranger: str, peer: str) -> None:
        """Log who calls at the wrong door: a scanner that polls there does so every few seconds."""
        address = self._strangers.due(stranger, peer)
        if address is not None:
            log.warning("a connection%s was closed: it began %s", f" from {address}" if address else "", stranger)

    def _deadline(self, frames: mllp.FrameReader, current: float | None) -> float | None:
        """Return when the frame that has begun must be whole, counted from its first byte."""
        if not frames.inside:
            return None
        return current or asyncio.get_running_loop().time() + self._limits.frame

    async def _next_bytes(
        self, reader: asyncio.StreamReader, frames: mllp.FrameReader, deadline: float | None
    ) -> bytes | None:
        """Return what came next; None when a frame waits for a CR that does not come. Raises _Gone at the end."""
        wait = self._limits.idle
        if deadline is not None:
            wait = deadline - asyncio.get_running_loop().time()
        patient = not frames.awaits_cr
        try:
            async with asyncio.timeout(wait if patient else _CR_GRACE):
                data = await reader.read(_CHUNK)
        except TimeoutError:
            if patient:
                log.info("a connection was closed: %s", "idle" if deadline is None else "its frame did not end in time")
                raise _Gone from None
            return None
        if data:
            return data
        if patient:
            raise _Gone
        return None

    async def _answer(self, frame: mllp.Frame, peer: str, writer: asyncio.StreamWriter) -> None:
        """Have one frame worked on in the pool and send its answer in one piece."""
        work = self._handlers.refuse if frame.oversized else self._handlers.receive
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._pool, work, frame.content, peer)
        except Exception as error:
            # Never an answer that nobody decided on: the sender keeps the message and sends it again.
            log.error("a message could not be answered: %s", type(error).__name__)
            raise _Gone from None
        if not answer:
            return
        writer.write(mllp.frame(answer))
        async with asyncio.timeout(self._limits.write):
            await writer.drain()

    async def _linger(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Throw away the rest of a refused frame for a while: closing at once would reset our answer away."""
        if writer.can_write_eof():
            writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.linger):
                while await reader.read(_CHUNK):
                    pass


def _prepare(connection: socket.socket) -> str:
    """Send answers at once (Nagle's algorithm costs 40 ms each), notice dead peers; return the peer's address."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    try:
        return str(connection.getpeername()[0])
    except OSError:
        raise _Gone from None
