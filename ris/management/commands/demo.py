"""`manage.py demo`: fill an empty database with an invented department."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ris.demo.load import NotEmpty, load
from ris.models import Order, Patient, ScheduledProcedureStep, Station


class Command(BaseCommand):
    """Load the demo department, or refuse in words."""

    help = "Fills an empty database with an invented hospital and clinic: exams, patients, three weeks of orders."

    def add_arguments(self, parser: CommandParser) -> None:
        """Say how much, and which of the many possible departments."""
        parser.add_argument("--seed", type=int, default=1, help="same number, same day: same department (1)")
        parser.add_argument("--patients", type=_count, default=300, help="how many people (300)")
        parser.add_argument("--orders", type=_count, default=600, help="orders, about, beside 40 emergencies (600)")

    def handle(self, *args: Any, seed: int, patients: int, orders: int, **options: Any) -> None:
        """Load and say what is there now."""
        try:
            load(seed=seed, patients=patients, orders=orders)
        except NotEmpty as refusal:
            raise CommandError(refusal.message) from None
        counts = [
            f"{model.objects.count()} {model._meta.verbose_name_plural}"
            for model in (Station, Patient, Order, ScheduledProcedureStep)
        ]
        self.stdout.write(f"Demo department: {', '.join(counts)}.")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
