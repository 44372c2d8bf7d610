"""`manage.py dicom_serve`: the DICOM door in the foreground."""

import logging
import os
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from worklist.server import Door

log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Serve until SIGTERM or Ctrl-C."""

    help = "Answers scanners: C-ECHO and Modality Worklist C-FIND at BUCKY_DICOM."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Listen, wait for a signal, close. The signals are set up first: one may come at any time."""
        asked_to_stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: asked_to_stop.set())
        door = Door(
            settings.BUCKY_DICOM,
            settings.BUCKY_AE_TITLE,
            refuse_unknown=settings.BUCKY_UNKNOWN_CALLERS == "refuse",
            most=settings.BUCKY_DICOM_MAX_ASSOCIATIONS,
        )
        try:
            door.start()
        except OSError as reason:
            raise CommandError(
                f"BUCKY_DICOM: {settings.BUCKY_DICOM} cannot be used ({os.strerror(reason.errno or 0)})", returncode=2
            ) from None
        asked_to_stop.wait()
        door.stop()
        if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
            log.warning("worklist: a peer did not let go and was cut off")
            logging.shutdown()
            os._exit(0)  # pynetdicom's threads would keep the process alive for as long as their peers like
