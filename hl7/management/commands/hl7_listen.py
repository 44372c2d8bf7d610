"""Run the MLLP listener."""

import asyncio
import logging
import resource
import signal
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from hl7 import intake
from hl7.listener import Handlers, Limits, Listener

log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Listen on BUCKY_MLLP until told to stop (SIGTERM, SIGINT)."""

    help = "Listen for HL7 messages over MLLP."

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve; leaves with 0 after a stop, raises CommandError when the address cannot be had."""
        _allow_many_connections()
        asyncio.run(_serve())


async def _serve() -> None:
    host, port = settings.BUCKY_MLLP
    limits = Limits(
        # SQLite has one writer; more threads would only wait for each other, by sleeping.
        workers=1 if connection.vendor == "sqlite" else Limits().workers,
        max_bytes=settings.BUCKY_MLLP_MAX_BYTES,
        idle=settings.BUCKY_MLLP_IDLE_SECONDS,
        frame=settings.BUCKY_MLLP_FRAME_SECONDS,
    )
    listener = Listener(Handlers(intake.receive, intake.refuse_oversized), limits)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await listener.start(host, port)
    except OSError as error:
        raise CommandError(f"BUCKY_MLLP: cannot listen on {settings.BUCKY_MLLP} ({error.strerror})") from None
    log.info("listening for HL7 on %s", settings.BUCKY_MLLP)
    await listener.serve_until(stop)


def _allow_many_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
