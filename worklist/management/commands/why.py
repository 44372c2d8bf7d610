"""manage.py why: why a step is, or is not, on the list of a scanner."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ris.models import ScheduledProcedureStep
from worklist.models import QueryLog, Road
from worklist.query_words import answers_in_words, asked_in_words
from worklist.why_contact import contact
from worklist.why_pages import explain_to, recent, steps_named
from worklist.why_words import told, verdict


class Command(BaseCommand):
    """Tells what the page of the step tells: by keys and values of the exam, without the patient's."""

    help = "Tell why a step is, or is not, on the list of a scanner."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take a step, a scanner and one of its queries."""
        parser.add_argument("step", help="the step ID, or the accession number of an order with one step")
        parser.add_argument("station", help="the AE title of the scanner")
        parser.add_argument(
            "--query",
            type=int,
            metavar="NUMBER",
            help="explain this query of the scanner, not its last C-FIND; the numbers are told at the end",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it."""
        step, title = _step(options["step"].strip()), options["station"].strip()
        query = _query(title, options["query"])
        latest = QueryLog.objects.newest(title, Road(query.road)).first() if query else None
        now = explain_to(step, title, query)
        if query is not None:
            self.stdout.write(f"Explained: {_line(query)}")
        for words in [*contact(title, latest, timezone.now()), *verdict(step, query, now)]:
            self.stdout.write(words)
        if now.lines:
            self.stdout.write("Each thing that counts: what is asked / what the exam has; - marks what does not fit")
        for line in now.lines:
            one = told(line, step, now.profile, title)
            mark, shown = ("  " if one.holds else "- "), f": {one.asked} / {one.has}"
            # What a query says of a patient is for the page, whose readers are known.
            self.stdout.write(f"{mark}{one.label}{'' if line.names_a_patient else shown}")
        others = [_line(other) for other in recent(title) if other != query]
        if others:
            self.stdout.write("Other queries, to be explained with --query:")
        for words in others:
            self.stdout.write(f"  {words}")


def _line(query: QueryLog) -> str:
    """Return one query without what it says of patients."""
    when = f"{timezone.localtime(query.last_at):%Y-%m-%d %H:%M:%S}"
    asked = asked_in_words(query, names_people=False)
    answers = f"answers: {answers_in_words(query)}, status {query.status}"
    return f"query {query.pk}, {query.road} of {when} from {query.address}: {asked} ({answers})"


def _query(ae_title: str, number: int | None) -> QueryLog | None:
    """Return the query of this number, else the one that the page explains."""
    if number is None:
        return QueryLog.objects.last_of(ae_title)
    found = QueryLog.objects.filter(calling_ae_title=ae_title, pk=number).first()
    if found is None:
        known = ", ".join(str(one.pk) for one in recent(ae_title)) or "none"
        raise CommandError(f"{ae_title} has no query {number} in the log. Its last ones: {known}")
    return found


def _step(text: str) -> ScheduledProcedureStep:
    found = steps_named(text)
    if not found:
        raise CommandError(
            f"There is neither a step (Scheduled Procedure Step ID) nor an order (accession number) {text}. "
            "Numbers of patients and of the ordering system are not taken."
        )
    if len(found) > 1:
        ids = ", ".join(step.sps_id for step in found)
        raise CommandError(f"The order {text} has several steps: name one by its ID ({ids})")
    return found[0]
