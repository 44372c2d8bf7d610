"""One association on asyncio: its bytes, its deadlines and its end. What it asks for is in worklist.answering."""

import asyncio
import logging
import socket
import time

from ris.seldom import Seldom
from worklist.answering import Answering
from worklist.host import Host
from worklist.negotiation import (
    CANNOT_LOOK_UP,
    UNKNOWN_CALLING,
    Rejection,
    choose,
    extended,
    judge,
)
from worklist.pdu import Request
from worklist.query import Caller, caller_of
from worklist.strangers import stranger
from worklist.upperlayer import Acceptor, Ended, Event, Message, ReleaseRequested, State

log = logging.getLogger(__name__)

IMPLEMENTATION_CLASS_UID = "2.25.284710246213462316917143296361826012971"
IMPLEMENTATION_VERSION = "BUCKY"
ARTIM_SECONDS = 10.0
"""From the connection to the association request, and from our last word to the peer's closing (PS3.8 9.1.5)."""
PDU_SECONDS = 10.0
"""From the first byte of a PDU to its last."""
IDLE_SECONDS = 900.0
"""How long an association may stay open without a word. Scanners that hold theirs open poll more often."""
SEND_SECONDS = 20.0
"""How long a peer may leave an answer unread."""
QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only


_strangers = Seldom()
"""Which of those who do not speak DICOM were told lately."""


class Peer(asyncio.BufferedProtocol):
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
        self._answering = Answering(self, door)
        self._said_goodbye = self._in_pdu = False
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self._answering.busy

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
        self._answering.stop()

    def pause_writing(self) -> None:
        """Stop sending: the peer does not read."""
        self._writable.clear()
        self._wait(SEND_SECONDS)

    def resume_writing(self) -> None:
        """Send again."""
        self._writable.set()
        self._wait(ARTIM_SECONDS if self.upper.closing else IDLE_SECONDS)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where the bytes that came are to be put."""
        return self.door.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take the bytes that came."""
        for event in self.upper.receive(self.door.buffer[:nbytes]):
            self._happened(event)
        if self.upper.expects_more or not (self.busy or self.upper.has_to_send):
            self._acknowledge_quickly()
        self.flush()
        if not self.upper.closing and self._writable.is_set():
            self._wait_for_more()

    def _acknowledge_quickly(self) -> None:
        """Acknowledge a part of a message, and what is not answered, as a cancel that comes too late.

        Linux waits 40 ms otherwise, and with it a peer with Nagle's algorithm. Else the answer carries it.
        """
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
        self.flush()

    # --- what the peer does -----------------------------------------------------------------------

    def _happened(self, event: Event) -> None:
        match event:
            case Request():
                self._requested(event)
            case Message():
                self._answering.take(event)
            case ReleaseRequested():
                self._answering.release()
            case Ended():
                self._answering.forget()
                if event.by_peer:
                    self.cut()
                else:
                    self._tell_of(event)

    def _tell_of(self, end: Ended) -> None:
        """Say how the peer broke the protocol; of one that is known by how it began, once a minute."""
        other = stranger(end.began)
        if other is None:
            log.warning("worklist: %a at %s was cut off: %s", self.caller.ae_title, self.address, end.why)
            return
        address = _strangers.due(other.code, self.address)
        if address is not None:
            log.warning(
                "worklist: closed the connection%s: it began %s", f" of {address}" if address else "", other.words
            )
        self.door.note_refusal(Caller("", "", self.address), other.code)

    def _requested(self, request: Request) -> None:
        self.caller = caller_of(request, self.address)
        rejection = judge(request, self.door.ae_title, is_full=self.door.is_full_for(self.address))
        if rejection is not None:
            self._reject(rejection)
        elif self.door.refuse_unknown:
            self._answering.start(self._look_up(request))
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

    # --- sending and waiting ----------------------------------------------------------------------

    def flush(self) -> None:
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

    async def drained(self) -> None:
        """Wait until the peer reads again."""
        await self._writable.wait()

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
