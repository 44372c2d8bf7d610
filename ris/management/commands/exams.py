"""`manage.py exams`: the exam catalogue out to a file, or in from one."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ris import spreadsheets
from ris.actions import exam_import, exam_table
from ris.actions.exam_import import Outcome, Plan
from ris.actor import system
from ris.errors import DomainError


class Command(BaseCommand):
    """Export, or say what an import would change and, with --apply, change it."""

    help = "Exports the exam catalogue as CSV or XLSX, or imports it. Without --apply an import changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do and the file."""
        parser.add_argument("what", choices=("export", "import"))
        parser.add_argument("file", type=Path, help="its name ends in .csv or .xlsx")
        parser.add_argument("--apply", action="store_true", help="change the catalogue")

    def handle(self, *args: Any, what: str, file: Path, apply: bool, **options: Any) -> None:
        """Do it; what is refused ends with a line that says why."""
        try:
            if what == "export":
                self._export(file)
            else:
                self._import(file, apply=apply)
        except (DomainError, OSError) as refusal:
            raise CommandError(str(refusal)) from None

    def _export(self, file: Path) -> None:
        rows = exam_table.whole()
        is_xlsx = file.suffix.lower() == ".xlsx"
        file.write_bytes(spreadsheets.to_xlsx(rows, "Exams") if is_xlsx else spreadsheets.to_csv(rows))
        self.stdout.write(f"{len(rows) - 1} exams in {file}.")

    def _import(self, file: Path, *, apply: bool) -> None:
        by = system("exams")
        if not apply:
            self._tell(exam_import.plan(spreadsheets.read(file.name, file.read_bytes())))
            return
        upload = exam_import.keep(by=by, name=file.name, content=file.read_bytes())
        plan = exam_import.plan_of(upload)
        self._tell(plan)
        exam_import.apply(by=by, upload=upload, digest=plan.digest)
        self.stdout.write("The catalogue is changed.")

    def _tell(self, plan: Plan) -> None:
        for row in plan.rows:
            if row.outcome != Outcome.UNCHANGED:
                told = row.error or ", ".join(row.changes)
                self.stdout.write(f"line {row.line}: {row.code} {row.outcome}: {told}")
        self.stdout.write(", ".join(f"{plan.count(outcome)} {outcome}" for outcome in Outcome))
