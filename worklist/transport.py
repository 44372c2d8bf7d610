"""pynetdicom's sockets with bounds: on time, size and number of what a peer may send before anyone knows it.

pynetdicom 3.0.4 by itself waits for ever for the rest of a PDU, takes PDUs and messages of any size, listens with a
backlog of 5, fails on descriptors above 1023, and keeps a thread for 30 s for each connection that said nothing.
"""

import contextlib
import select
import socket
import time
from typing import Any

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

LARGEST_PDU = 128 * 1024
"""Bytes of one PDU. We announce 16 KiB; an A-ASSOCIATE-RQ with 128 contexts of many syntaxes stays below this."""
LARGEST_MESSAGE = 1024 * 1024
"""Bytes between two complete messages, however many fragments they come in. A query takes a few hundred."""
PDU_SECONDS = 10.0
"""From the first byte of a PDU to its last."""
LINGER_MILLISECONDS = 500
QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only
SEND_SECONDS = 20.0
"""How long a peer may leave an answer unread."""


class BoundedSocket(AssociationSocket):
    """The socket of one association."""

    def __init__(self, assoc: Association, client_socket: socket.socket) -> None:
        super().__init__(assoc, client_socket=client_socket)
        self.received = 0

    @property
    def ready(self) -> bool:
        """Tell whether there is something to read; poll() has no limit on descriptors, select() has.

        After a release or an abort it is the peer who closes (PS3.8 9.2, Sta13): it is given a moment for that,
        else its last write would fail.
        """
        if self.socket is None or not self._is_connected:
            return False
        try:
            poller = select.poll()
            poller.register(self.socket, select.POLLIN)
            leaving = self.assoc.dul.state_machine.current_state == "Sta13"
            return bool(poller.poll(LINGER_MILLISECONDS if leaving else 0))
        except (OSError, ValueError):
            self.event_queue.put("Evt17")  # transport connection closed (PS3.8 9.2)
            return False

    def recv(self, nr_bytes: int) -> bytearray:
        """Read `nr_bytes`, fewer when the peer closes. OSError where a bound is passed: pynetdicom then closes."""
        self.received += nr_bytes
        try:
            if nr_bytes > LARGEST_PDU or self.received > LARGEST_MESSAGE:
                raise OSError("the peer sends more than a query can hold")
            data = self._read(nr_bytes)
        except OSError:
            self.drop()
            raise
        if len(data) < nr_bytes:
            self._wake()
        return data

    def _read(self, wanted: int) -> bytearray:
        if self.socket is None:
            raise OSError("closed")
        until, data = time.monotonic() + PDU_SECONDS, bytearray()
        while len(data) < wanted:
            self.socket.settimeout(max(until - time.monotonic(), 0.001))
            piece = self.socket.recv(min(wanted - len(data), 65536))
            if not piece:
                break
            data += piece
        self.socket.settimeout(SEND_SECONDS)
        if QUICK_ACK is not None:
            # A scanner with Nagle's algorithm sends its keys only when its command was acknowledged, and Linux
            # would wait 40 ms with that. It has to be asked for after each read.
            self.socket.setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)
        return data

    def close(self) -> None:
        """Close, as the state machine asks."""
        super().close()
        self._wake()

    def drop(self) -> None:
        """Hang up without a word."""
        self._shutdown_socket()
        self._wake()

    def _shutdown_socket(self) -> None:
        """Close for sure: pynetdicom leaves the descriptor open when the peer was faster."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()

    def _wake(self) -> None:
        """Wake the association if it still waits for its request: nothing more will come."""
        if self.assoc.requestor.primitive is None:
            nothing: Any = None  # pynetdicom reads it as a request that did not come in time
            self.assoc.dul.to_user_queue.put(nothing)


class BoundedHandler(RequestHandler):
    """Makes the association of one connection."""

    def _create_association(self) -> Association:
        assoc = super()._create_association()
        assoc.dul.event_queue.queue.clear()  # the first socket has said that it is open; the second says so again
        assoc.dul.socket = BoundedSocket(assoc, self.request)
        return assoc


class BoundedServer(ThreadedAssociationServer):
    """Accepts connections."""

    request_queue_size = 128
    daemon_threads = True
    most_connections = 1000

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "request_handler": BoundedHandler})

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept one connection, without Nagle's delay on its answers."""
        peer, address = super().get_request()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.settimeout(SEND_SECONDS)
        return peer, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Close at once what is above the number of connections, silent ones included."""
        return len(self.active_associations) < self.most_connections

    def service_actions(self) -> None:
        """Do nothing: pynetdicom collects garbage here, which stops every answer for 30 ms."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: socketserver prints a traceback to stderr."""
