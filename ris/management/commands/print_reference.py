"""`manage.py print_reference`: write the pages that are printed from the tables of the code."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from ris.reference import all_pages


class Command(BaseCommand):
    """Write every page; name those that have changed."""

    help = "Writes docs/reference/ and .env.example from the tables in the code."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the pages of all apps."""
        for path, text in all_pages().items():
            file, new = settings.BASE_DIR / path, text()
            if not file.exists() or file.read_text() != new:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(new)
                self.stdout.write(f"{path} written")
