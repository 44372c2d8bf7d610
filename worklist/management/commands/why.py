"""manage.py why: why a step is, or is not, on the list of a scanner."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ris.models import ScheduledProcedureStep
from worklist.models import QueryLog
from worklist.why_contact import contact
from worklist.why_pages import explain_to
from worklist.why_words import told, verdict


class Command(BaseCommand):
    """Tells what the page of the step tells: by keys and values of the exam, without the patient's."""

    help = "Tell why a step is, or is not, on the list of a scanner."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take a step and a scanner."""
        parser.add_argument("step", help="the step ID, or the accession number of an order with one step")
        parser.add_argument("station", help="the AE title of the scanner")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it."""
        step, title = _step(options["step"]), options["station"]
        query = QueryLog.objects.filter(calling_ae_title=title).order_by("-last_at", "-pk").first()
        now = explain_to(step, title, query)
        for words in [*contact(title, query, timezone.now()), *verdict(step, query, now)]:
            self.stdout.write(words)
        for line in now.lines:
            one = told(line, step, now.profile, title)
            mark, shown = ("  " if one.holds else "- "), f": {one.asked} / {one.has}"
            # What a query says of a patient is for the page, whose readers are known.
            self.stdout.write(f"{mark}{one.label}{'' if line.names_a_patient else shown}")


def _step(text: str) -> ScheduledProcedureStep:
    steps = ScheduledProcedureStep.objects.select_related("station__site", "requested_procedure__order__patient")
    found = list(steps.filter(sps_id=text)) or list(
        steps.filter(requested_procedure__order__accession_number=text).order_by("pk")[:2]
    )
    if not found:
        raise CommandError(f"There is no step {text}")
    if len(found) > 1:
        raise CommandError(f"The order {text} has several steps: name one by its ID")
    return found[0]
