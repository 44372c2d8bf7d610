"""Run the MLLP listener."""

import asyncio
import logging
import resource
import signal
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from hl7 import door, intake
from hl7.listener import Handlers, Limits, Listener
from ris import collector, tls
from ris.config import Address
from ris.statement_limit import limit_statements

log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Listen on BUCKY_MLLP, and BUCKY_MLLP_TLS where it is set, until told to stop (SIGTERM, SIGINT)."""

    help = "Listen for HL7 messages over MLLP."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve; leaves with 0 after a stop, raises CommandError when the address cannot be had."""
        _allow_many_connections()
        collector.spare_the_old()
        limit_statements()
        asyncio.run(_serve())


async def _serve() -> None:
    limits = Limits(
        # SQLite has one writer; more threads would only wait for each other, by sleeping.
        workers=1 if connection.vendor == "sqlite" else Limits().workers,
        max_bytes=settings.BUCKY_MLLP_MAX_BYTES,
        idle=settings.BUCKY_MLLP_IDLE_SECONDS,
        frame=settings.BUCKY_MLLP_FRAME_SECONDS,
    )
    listener = Listener(Handlers(door.receive, intake.refuse_oversized), limits)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await _open(listener, "BUCKY_MLLP", settings.BUCKY_MLLP)
    following = None
    if settings.BUCKY_MLLP_TLS and settings.BUCKY_TLS_CERT:
        following = await _open_tls(listener, settings.BUCKY_MLLP_TLS, settings.BUCKY_TLS_CERT)
    await listener.serve_until(stop)
    if following is not None:
        following.cancel()


async def _open_tls(listener: Listener, address: Address, certificate: Path) -> "asyncio.Task[NoReturn]":
    """Open the door for TLS; returns the task that looks after its certificate."""
    files = tls.Files(certificate, settings.BUCKY_TLS_KEY, settings.BUCKY_TLS_CLIENT_CA)
    try:
        context = files.context()
    except OSError as error:
        raise CommandError(f"BUCKY_TLS_CERT: the certificate cannot be used ({error.strerror or error})") from None
    await _open(listener, "BUCKY_MLLP_TLS", address, context)
    return asyncio.create_task(tls.follow(files, listener.renew))


async def _open(listener: Listener, name: str, address: Address, context: ssl.SSLContext | None = None) -> None:
    try:
        await listener.start(*address, context, shared=settings.BUCKY_MLLP_PROCESSES > 1)
    except OSError as error:
        raise CommandError(f"{name}: cannot listen on {address} ({error.strerror})") from None
    log.info("listening for HL7 on %s%s", address, " over TLS" if context else "")


def _allow_many_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
