"""`manage.py api_token NAME AE`: an access token for DICOMweb, made without a browser."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from ris.actor import system
from ris.audit import subject_of
from ris.models import Event, EventKind
from worklist.tokens import ApiToken


class Command(BaseCommand):
    """Make a token and print it, or revoke one."""

    help = "Prints a new access token for DICOMweb. It is not kept: copy it. With --revoke it closes one instead."

    def add_arguments(self, parser: CommandParser) -> None:
        """Say who holds it and what it may do."""
        parser.add_argument("name", help="what holds it")
        parser.add_argument("ae_title", nargs="?", help="AE title of the device")
        parser.add_argument("--no-search", action="store_true", help="it may not read the worklist")
        parser.add_argument("--report", action="store_true", help="it may report what it performs")
        parser.add_argument("--days", type=int, help="it expires after so many days; default: never")
        parser.add_argument("--revoke", action="store_true", help="revoke the token of this name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; every failure is one clear line and exit code 1."""
        with transaction.atomic():
            self._revoke(options["name"]) if options["revoke"] else self._issue(options)

    def _issue(self, options: dict[str, Any]) -> None:
        days = options["days"]
        if not options["ae_title"]:
            raise CommandError("Say the AE title of the device.")
        if days is not None and not 0 < days <= 36_500:
            raise CommandError("--days is a number from 1 to 36500.")
        token = ApiToken(
            name=options["name"],
            ae_title=options["ae_title"],
            may_search=not options["no_search"],
            may_report=options["report"],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        text = token.draw()
        try:
            token.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        token.save(force_insert=True)
        _tell(token, "added")
        self.stdout.write(text)

    def _revoke(self, name: str) -> None:
        token = ApiToken.objects.filter(name=name).first()
        if token is None:
            raise CommandError("There is no token of this name.")
        if token.revoke():
            _tell(token, "changed")
        self.stdout.write("It opens nothing any more.")


def _tell(token: ApiToken, change: str) -> None:
    data = {"change": change, "name": token.name}
    Event.objects.record(EventKind.ACCOUNT_CHANGED, by=system("api_token"), subject=subject_of(token), data=data)
