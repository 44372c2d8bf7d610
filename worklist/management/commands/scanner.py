"""`manage.py scanner STATION`: a simulated scanner that asks for its worklist and tells what it performs."""

import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from pydicom.uid import generate_uid

from ris.models import Station
from worklist import scanner, scu
from worklist.mpps_rules import text
from worklist.scanner import Entry
from worklist.scu import Called, CallFailed
from worklist.values import valid

MOST_IMAGES = 10_000
MOST_SECONDS = 24 * 60 * 60


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no day: write it as 2026-11-23") from None


def _of(vr: str, what: str) -> Callable[[str], str]:
    """Return what reads an argument that goes into a value of this VR."""

    def read(text: str) -> str:
        if not text.strip() or not valid(vr, text):
            raise ArgumentTypeError(f"{text} is no {what}")
        return text

    return read


def _number(least: int, most: int, kind: type[int] | type[float] = int) -> Callable[[str], float]:
    """Return what reads a number within bounds."""

    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = -1
        if not least <= number <= most:
            raise ArgumentTypeError(f"{text} is no number from {least} to {most}")
        return number

    return read


class Command(BaseCommand):
    """Play one exam from the worklist to its end."""

    help = (
        "Plays a scanner: asks for its worklist and, for the entries that are picked, begins a performed step (MPPS)"
        " and ends it. Without --pick it shows the list and asks, or only shows it where nobody can answer."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Say who plays, what is picked and how it ends."""
        title = _of("AE", "AE title")
        parser.add_argument("station", type=title, help="AE title of the scanner that is played")
        parser.add_argument("--host", help="default: where BUCKY_DICOM listens")
        parser.add_argument("--port", type=_number(1, 65535))
        parser.add_argument("--called", type=title, help="AE title to call; default: BUCKY_AE_TITLE")
        parser.add_argument("--day", type=_day, help="YYYY-MM-DD; default: today")
        parser.add_argument(
            "--pick", action="append", default=[], help="step ID, accession number or patient ID; twice for a group"
        )
        parser.add_argument("--unscheduled", action="store_true", help="perform something that is on no worklist")
        parser.add_argument("--modality", type=_of("CS", "modality"), default="CT", help="of an unscheduled exam")
        parser.add_argument("--end", choices=("complete", "discontinue", "never"), default="complete")
        parser.add_argument(
            "--reason",
            type=_of("SH", "code"),
            default="110513",
            help=f"why it is discontinued: {', '.join(scanner.REASONS)}; 110514 puts it back",
        )
        images, seconds = _number(0, MOST_IMAGES), _number(0, MOST_SECONDS, float)
        parser.add_argument("--images", type=images, default=3, help="images that the step is said to have made")
        parser.add_argument("--seconds", type=seconds, default=0, help="how long the exam takes")

    def handle(self, *args: Any, **options: Any) -> None:
        """Play; every failure is one clear line and exit code 1 (2 where an argument is wrong and nothing was sent)."""
        if options["unscheduled"] and options["pick"]:
            raise CommandError("--pick names what is on the worklist, --unscheduled performs what is not", returncode=2)
        at = settings.BUCKY_DICOM
        host = options["host"] or ("127.0.0.1" if at.host in ("0.0.0.0", "::") else at.host)  # noqa: S104
        title = options["called"] or settings.BUCKY_AE_TITLE
        called = Called(host, options["port"] or at.port, title, options["station"])
        if self.stderr.isatty():
            words = f"Calling {called} as {called.calling}; it has {scu.CONNECT_SECONDS} seconds to answer"
            self.stderr.write(words, lambda said: said)
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
        day = options["day"] or today
        entries = scanner.worklist(called, f"{day:%Y%m%d}")
        if not entries:
            raise CallFailed(f"The worklist of {called.calling} is empty on {day}")
        if options["pick"]:
            return _named(entries, options["pick"])
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
        if len({text(entry.answer, "PatientID") for entry in entries}) > 1:
            self.stderr.write("Warning: these are entries of several patients, told as one group", lambda said: said)
        told = scanner.beginning(called.calling, options["modality"], entries, timezone.localtime())
        scanner.begin(called, uid, told)
        self.stdout.write(f"in progress   {uid}")
        if options["end"] == "never":
            return
        time.sleep(options["seconds"])
        reason = options["reason"] if options["end"] == "discontinue" else ""
        scanner.update(called, uid, scanner.ending(timezone.localtime(), images=options["images"], reason=reason))
        self.stdout.write(f"discontinued  {reason}" if reason else "completed")


def _named(entries: list[Entry], names: list[str]) -> list[Entry]:
    """Return the entries that have these numbers; each number has to mean one, and each another one."""
    picked: list[Entry] = []
    for name in names:
        found = [entry for entry in entries if name in entry.names]
        if not found:
            raise CallFailed(f"No entry of this list has the number {name}. Without --pick the list is shown")
        if len(found) > 1:
            step_ids = ", ".join(entry.names[0] for entry in found)
            raise CallFailed(f"{len(found)} entries have the number {name}. Pick by step ID: {step_ids}")
        if found[0] in picked:
            raise CallFailed(f"{name} is the number of an entry that is picked already")
        picked += found
    return picked
