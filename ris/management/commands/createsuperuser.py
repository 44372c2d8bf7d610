"""`manage.py createsuperuser`: Django's own command, of which the trail is told."""

from typing import Any

from django.contrib.auth.management.commands import createsuperuser

from ris.management.accounts import told


class Command(createsuperuser.Command):
    """Make an account that may do everything."""

    def handle(self, *args: Any, **options: Any) -> str | None:
        """Do it; the event stands or falls with the account."""
        with told("createsuperuser"):
            return super().handle(*args, **options)
