"""`manage.py dicom_serve`: the DICOM door in the foreground."""

import logging
import os
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ris import collector, tls
from ris.statement_limit import limit_statements
from worklist.server import CannotListen, Door, Secure

log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Serve until SIGTERM or Ctrl-C."""

    help = "Answers scanners: C-ECHO and Modality Worklist C-FIND at BUCKY_DICOM."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Listen, wait for a signal, close. The signals are set up first: one may come at any time."""
        collector.spare_the_old()
        limit_statements()
        asked_to_stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: asked_to_stop.set())
        door = Door(
            settings.BUCKY_DICOM,
            settings.BUCKY_AE_TITLE,
            refuse_unknown=settings.BUCKY_UNKNOWN_CALLERS == "refuse",
            most=settings.BUCKY_DICOM_MAX_ASSOCIATIONS,
            most_per_address=settings.BUCKY_DICOM_MAX_PER_ADDRESS,
            secure=_secure(),
        )
        try:
            door.start()
        except CannotListen as reason:
            name = "BUCKY_DICOM" if reason.address == settings.BUCKY_DICOM else "BUCKY_DICOM_TLS"
            raise CommandError(f"{name}: {reason}", returncode=2) from None
        except OSError as reason:
            raise CommandError(
                f"BUCKY_TLS_CERT: the certificate cannot be used ({reason.strerror or reason})", returncode=2
            ) from None
        asked_to_stop.wait()
        door.stop()
        if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
            log.warning("worklist: work that did not end was cut off")
            logging.shutdown()
            os._exit(0)  # a thread that waits for the database would keep the process alive


def _secure() -> Secure | None:
    if settings.BUCKY_DICOM_TLS is None or settings.BUCKY_TLS_CERT is None:
        return None
    files = tls.Files(settings.BUCKY_TLS_CERT, settings.BUCKY_TLS_KEY, settings.BUCKY_TLS_CLIENT_CA)
    return Secure(settings.BUCKY_DICOM_TLS, files)
