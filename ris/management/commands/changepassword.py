"""`manage.py changepassword`: Django's own command, of which the trail is told."""

from typing import Any

from django.contrib.auth.management.commands import changepassword

from ris.management.accounts import told


class Command(changepassword.Command):
    """Ask for a new password and set it."""

    def handle(self, *args: Any, **options: Any) -> str | None:
        """Do it; the event stands or falls with the change."""
        with told("changepassword"):
            return super().handle(*args, **options)
