"""TLS for the doors: versions and ciphers of BCP 195 (RFC 8996, RFC 9325), certificates that may change any time."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ris.seldom import Seldom

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # seconds
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2, with forward secrecy; those of TLS 1.3 are all good


def _no_pass_phrase() -> str:
    """OpenSSL would ask for it at the terminal, where nobody sits."""
    return ""


_handshakes = Seldom()
"""Which failures were told lately."""
_caller: ContextVar[str] = ContextVar("_caller", default="")
"""Network address of the connection that is being taken."""


class Listening(socket.socket):
    """A listening socket that remembers who calls.

    asyncio hands a connection's address to nobody until the handshake is done. But what it does for a connection runs
    in a copy of the context in which that was taken from the socket.
    """

    def accept(self) -> tuple[socket.socket, Any]:
        """Take a connection."""
        connection, address = super().accept()
        _caller.set(str(address[0]) if isinstance(address, tuple) else "")
        return connection, address


Failed = Callable[[str, str], None]
"""Is told of each handshake that fails: the address that called, and OpenSSL's name for the reason."""


class _Context(ssl.SSLContext):
    """What a door agrees to, and who is told when nobody can come in."""

    failed: Failed | None = None


class _Talkative(ssl.SSLObject):
    """A side of TLS that says why nobody came in: asyncio drops a connection without a word."""

    def do_handshake(self) -> None:
        """Shake hands."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as trouble:
            reason = trouble.reason or type(trouble).__name__
            address = _handshakes.due(reason, _caller.get())
            if address is not None:
                log.warning("a device%s could not come in over TLS (%s)", f" at {address}" if address else "", reason)
            if isinstance(self.context, _Context) and self.context.failed:
                self.context.failed(_caller.get(), reason)
            raise


@dataclass(frozen=True, slots=True)
class Files:
    """PEM files: our certificate with its chain, its key (None: in the same file), and whom to believe about peers.

    client_ca: certificates of the authorities whose peers may come in; None: no peer has to show a certificate.
    failed: see Failed.
    """

    certificate: Path
    key: Path | None = None
    client_ca: Path | None = None
    failed: Failed | None = None

    def context(self) -> ssl.SSLContext:
        """Read the files. Raises OSError (ssl.SSLError is one) when one is missing, damaged or does not fit."""
        context = _Context(ssl.PROTOCOL_TLS_SERVER)
        context.failed = self.failed
        context.sslobject_class = _Talkative
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.load_cert_chain(self.certificate, self.key, _no_pass_phrase)
        if self.client_ca is not None:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def stamp(self) -> tuple[tuple[int, int, int], ...]:
        """Return what changes when a file is written or replaced; raises OSError when one is missing."""
        found = (path.stat() for path in (self.certificate, self.key, self.client_ca) if path is not None)
        return tuple((status.st_ino, status.st_size, status.st_mtime_ns) for status in found)


async def follow(
    files: Files, renew: Callable[[ssl.SSLContext], Awaitable[None]], every: float = LOOK_EVERY
) -> NoReturn:
    """Look at the files from time to time and hand a new context to `renew` when they have changed.

    Files that do not fit together (one is written before the other) leave everything as it is until they do.
    """
    used = files.stamp()
    while True:
        await asyncio.sleep(every)
        try:
            now = files.stamp()
            if now == used:
                continue
            await renew(files.context())
        except OSError as error:
            log.warning("the TLS certificate cannot be read (%s); the one from before stays", type(error).__name__)
            continue
        used = now
        log.info("the TLS certificate was read anew")
