"""`./test`: run the suite once on each database and print the figures. Arguments go on to both runs of pytest."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.services import Postgres, Redis


@dataclass
class Result:
    """What one run of pytest came to. `fine` is pytest's own opinion, by its exit code."""

    database: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    fine: bool

    def __str__(self) -> str:
        line = f"{self.database}: {self.passed} passed, {self.failed} failed"
        return line + (f", {self.skipped} skipped" if self.skipped else "") + f" in {self.seconds:.0f} s"


def run_suite(database: str, environment: Mapping[str, str], words: Sequence[str]) -> Result:
    """Run pytest with these variables set; its output goes to the terminal as it comes."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bucky-figures-") as directory:
        report = Path(directory) / "report.xml"
        # Many tests wait for processes to start or stop: three workers keep two cores busy.
        own = ["-n", "3", "--dist", "loadgroup", f"--junitxml={report}"]
        code = subprocess.call(
            [sys.executable, "-m", "pytest", *own, *words],
            # Importing Bucky named its settings; pytest-django would read them before conftest.py has prepared them.
            env={**os.environ, **environment, "DJANGO_SETTINGS_MODULE": ""},
            stdin=subprocess.DEVNULL,
        )
        passed, failed, skipped = read_report(report)
    return Result(database, passed, failed, skipped, time.monotonic() - started, fine=code == 0)


def read_report(report: Path) -> tuple[int, int, int]:
    """Read pytest's JUnit report: how many passed, failed (errors too), were skipped. No report: nothing ran."""
    if not report.exists():
        return 0, 0, 0
    total = failed = skipped = 0
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return total - failed - skipped, failed, skipped


def coverage_is_kept() -> bool:
    """Print the share of the code that the tests have reached, and hold it against the floor."""
    report = [sys.executable, "-m", "coverage", "report", "--skip-covered", "--skip-empty"]
    return subprocess.call(report, stdin=subprocess.DEVNULL) == 0


def main(words: Sequence[str]) -> int:
    """Run both suites on private servers; 0 when nothing failed and nothing was skipped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop the servers on this one too
    with ExitStack() as servers:
        postgres, redis = servers.enter_context(Postgres()), servers.enter_context(Redis())
        real = {"DATABASE_URL": postgres.url("postgres"), "REDIS_URL": redis.url}
        results = [
            # Measuring takes time in every process of every department: once is enough.
            run_suite(
                "SQLite",
                {"DATABASE_URL": "", "REDIS_URL": ""},
                ["--cov", "--cov-report=", "--cov-fail-under=0", *words],
            ),
            run_suite("PostgreSQL + Redis", real, words),
        ]
    covered = bool(words) or coverage_is_kept()  # a part of the tests reaches a part of the code
    print("\n".join(str(result) for result in results))  # noqa: T201
    print(f"{sum(r.passed for r in results)} passed, {sum(r.failed for r in results)} failed")  # noqa: T201
    return 0 if covered and all(r.fine and not r.skipped for r in results) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
