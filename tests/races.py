"""Several processes that do the same thing at the same moment, on a database of their own.

    with Track(tmp_path) as track:
        track.run("factories.order().pk")
        results = track.race("exams.go('start', by=BY, step=step(1)).state", processes=6)

Each result is "ok" and what the code gave, or the name of the error that it raised. The code is one expression.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from ris.config import PROJECT
from tests.department import ready_database, ready_file
from tests.services import drop_database, new_database

RUNNER = """
import itertools, sys, time
import django
django.setup()
from django.db import transaction
from django.utils import timezone
from ris import identifiers
from ris.actions import exams, freed, gate, orders, patients, procedures, renumbering, rollup, schedule, together
from ris.actions import unmerging, visits, waiting_list
from ris.actions.patients import Identifier
from ris.errors import DomainError
from ris.models import *
from tests import factories
factories._numbers = itertools.count(1 + int(sys.argv[1]) * 1_000_000)
BY = factories.BY
def step(number): return ScheduledProcedureStep.objects.get(pk=number)
def order(number): return Order.objects.get(pk=number)
def patient(number): return Patient.objects.get(pk=number)
def tried(verb, **values):
    try:
        return f"ok {verb(by=BY, **values)}"
    except DomainError as error:
        return f"{type(error).__name__}: {error}"
def slowly(verb, **values):
    with transaction.atomic():
        verb(by=BY, **values)
        time.sleep(2)
def in_a_moment(work):
    time.sleep(0.5)
    return work()
def slowly_offering(work):
    make = freed._make
    def make_and_rest(*args, **values):
        made = make(*args, **values)
        time.sleep(0.5)
        return made
    freed._make = make_and_rest
    return work()
for line in sys.stdin:
    code = compile(line.strip(), "race", "eval")
    Site.objects.exists()  # connected before the start
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        print("ok", eval(code), flush=True)
    except Exception as error:
        print(type(error).__name__, flush=True)
"""


class Track:
    """A database with all tables, and processes that work on it."""

    def __init__(self, directory: Path, *, runners: int = 6) -> None:
        """Make the database: an SQLite file, or with DATABASE_URL set a PostgreSQL database."""
        server = os.environ.get("DATABASE_URL", "")
        self.database = new_database(server, ready_database(server)) if server else ""
        self._data = directory / "data"
        self._number = runners
        self.environment = {
            **os.environ,
            "BUCKY_DATA": str(self._data),
            "DATABASE_URL": self.database,
            "DJANGO_SETTINGS_MODULE": "ris.settings",
            "PYTHONPATH": str(PROJECT),
        }
        self.runners: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        """Put the tables there and start the runners."""
        self._data.mkdir(mode=0o700)
        if not self.database:
            shutil.copy(ready_file(), self._data / "bucky.sqlite3")
        self.runners = [
            subprocess.Popen(
                [sys.executable, "-c", RUNNER, str(number)],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(self._number)
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the runners and remove a PostgreSQL database; a file goes with its directory."""
        for runner in self.runners:
            runner.communicate(timeout=120)
        if self.database:
            drop_database(self.database)

    def race(self, *codes: str, processes: int = 1) -> list[str]:
        """Let each code run in so many processes, all let go together; gives their results, sorted."""
        starters = [code for code in codes for _ in range(processes)]
        runners = self.runners[: len(starters)]
        for runner, code in zip(runners, starters, strict=True):
            _tell(runner, code)
        for runner in runners:
            assert _hear(runner) == "ready"
        for runner in runners:
            _tell(runner, "go")
        return sorted(_hear(runner) for runner in runners)

    def run(self, code: str) -> str:
        """Let one process do something; gives what it gave, as text."""
        (result,) = self.race(code)
        assert result.startswith("ok"), result
        return result.removeprefix("ok").strip()


def _tell(runner: "subprocess.Popen[str]", line: str) -> None:
    assert runner.stdin
    runner.stdin.write(line + "\n")
    runner.stdin.flush()


def _hear(runner: "subprocess.Popen[str]") -> str:
    assert runner.stdout
    return runner.stdout.readline().strip()
