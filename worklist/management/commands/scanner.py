"""`manage.py scanner STATION`: a simulated scanner that asks for its worklist and tells what it performs."""

import sys
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from pydicom.uid import generate_uid

from ris.models import Station
from worklist import scanner
from worklist.scanner import Entry
from worklist.scu import Called, CallFailed


class Command(BaseCommand):
    """Play one exam from the worklist to its end."""

    help = (
        "Plays a scanner: asks for its worklist and, for the entries that are picked, begins a performed step (MPPS)"
        " and ends it. Without --pick it shows the list and asks, or only shows it where nobody can answer."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Say who plays, what is picked and how it ends."""
        parser.add_argument("station", help="AE title of the scanner that is played")
        parser.add_argument("--host", help="default: where BUCKY_DICOM listens")
        parser.add_argument("--port", type=int)
        parser.add_argument("--called", help="AE title to call; default: BUCKY_AE_TITLE")
        parser.add_argument("--day", help="YYYY-MM-DD; default: today")
        parser.add_argument(
            "--pick", action="append", default=[], help="step ID, accession number or patient ID; twice for a group"
        )
        parser.add_argument("--unscheduled", action="store_true", help="perform something that is on no worklist")
        parser.add_argument("--modality", default="CT", help="modality of an unscheduled exam")
        parser.add_argument("--end", choices=("complete", "discontinue", "never"), default="complete")
        parser.add_argument(
            "--reason",
            default="110513",
            help=f"why it is discontinued: {', '.join(scanner.REASONS)}; 110514 puts it back",
        )
        parser.add_argument("--images", type=int, default=3, help="images that the step is said to have made")
        parser.add_argument("--seconds", type=float, default=0, help="how long the exam takes")

    def handle(self, *args: Any, **options: Any) -> None:
        """Play; every failure is one clear line and exit code 1."""
        at = settings.BUCKY_DICOM
        host = options["host"] or ("127.0.0.1" if at.host in ("0.0.0.0", "::") else at.host)  # noqa: S104
        title = options["called"] or settings.BUCKY_AE_TITLE
        called = Called(host, options["port"] or at.port, title, options["station"])
        try:
            entries = [] if options["unscheduled"] else self._picked(called, options)
            if entries or options["unscheduled"]:
                self._perform(called, entries, options)
        except CallFailed as failure:
            raise CommandError(str(failure)) from None

    def _picked(self, called: Called, options: dict[str, Any]) -> list[Entry]:
        """Show the worklist and return the entries that were named or chosen."""
        station = Station.objects.filter(ae_title=called.calling).select_related("site").first()
        today = timezone.localdate(timezone=station.site.zone if station else None)
        day = options["day"] or today.isoformat()
        entries = scanner.worklist(called, day.replace("-", ""))
        if not entries:
            raise CallFailed(f"The worklist of {called.calling} is empty on {day}")
        if options["pick"]:
            return [_named(entries, name) for name in options["pick"]]
        for number, entry in enumerate(entries, start=1):
            self.stdout.write(f"{number:3}  {entry}")
        if not self._can_ask():
            return []
        answer = input("Number to perform, nothing to stop: ").strip()
        if not answer:
            return []
        if not answer.isdigit() or not 1 <= int(answer) <= len(entries):
            raise CallFailed(f"There is no entry {answer}")
        return [entries[int(answer) - 1]]

    def _can_ask(self) -> bool:
        """Tell whether somebody sits in front of it."""
        return sys.stdin is not None and sys.stdin.isatty()

    def _perform(self, called: Called, entries: list[Entry], options: dict[str, Any]) -> None:
        uid = generate_uid(prefix=None)
        told = scanner.beginning(called.calling, options["modality"], entries, timezone.localtime())
        scanner.begin(called, uid, told)
        self.stdout.write(f"in progress   {uid}")
        if options["end"] == "never":
            return
        time.sleep(options["seconds"])
        reason = options["reason"] if options["end"] == "discontinue" else ""
        scanner.update(called, uid, scanner.ending(timezone.localtime(), images=options["images"], reason=reason))
        self.stdout.write(f"discontinued  {reason}" if reason else "completed")


def _named(entries: list[Entry], name: str) -> Entry:
    """Return the one entry that has this number."""
    found = [entry for entry in entries if name in entry.names]
    if len(found) != 1:
        raise CallFailed(f"{name} is the number of {len(found)} entries of the worklist")
    return found[0]
