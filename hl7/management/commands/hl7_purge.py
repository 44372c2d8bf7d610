"""Forget the bytes of HL7 messages that were kept long enough."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from hl7 import retention
from ris.actor import system


class Command(BaseCommand):
    """Say in words what is over its time; delete it where asked to."""

    help = "Show which HL7 messages are older than their endpoint keeps them; with --delete, forget their bytes."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the word to do it."""
        parser.add_argument("--delete", action="store_true", help="do it; without it nothing is changed")

    def handle(self, *args: Any, **options: Any) -> None:
        """Tell of every share that has any messages."""
        total = 0
        for share in retention.shares():
            if options["delete"]:
                count = max(retention.purge(share, by=system("hl7_purge")), default=0)
            else:
                count = share.messages().count()
            if count:
                self.stdout.write(f"{count:>9}  {share}")
            total += count
        if not total:
            self.stdout.write("There is nothing to delete.")
        elif options["delete"]:
            self.stdout.write(f"The bytes of {total} message(s) are gone. Their lines in the inbox stay.")
        else:
            self.stdout.write(f"The bytes of {total} message(s) would go. Nothing was changed: use --delete to do it.")
