"""`./test`: run the suite once on each database and print the figures. Arguments go on to both runs of pytest.

docs/decisions/tests.md tells why a journey that failed is tried once more, alone.
"""

import json
import os
import shutil
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

import pytest

from tests.department import READY_DATABASE, READY_FILE, make_ready_file, ready_database
from tests.services import Postgres, Redis

ALONE = ("tests/journeys/", "tests/browser/")
"""What may be tried once more, alone: whole departments of processes, which suffer from their neighbours."""

MODULES_AT_MOST = 3
"""Failures in more modules than this are no bad luck. (A department that did not start fails its whole module.)"""

MEMORY = Path("/dev/shm")
"""Where Linux keeps files in memory: no test waits for a disk that others keep busy."""
MEMORY_BYTES = 6 << 30


@dataclass
class Result:
    """What one run of pytest came to. `fine` is pytest's own opinion, by its exit code."""

    database: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    fine: bool
    again: list[str]
    """Tests that passed only alone."""

    def __str__(self) -> str:
        line = f"{self.database}: {self.passed} passed, {self.failed} failed"
        line += (f", {self.skipped} skipped" if self.skipped else "") + f" in {self.seconds:.0f} s"
        return line + "".join(f"\n  passed only when run once more, alone: {name}" for name in self.again)


def run_suite(database: str, environment: Mapping[str, str], words: Sequence[str]) -> Result:
    """Run pytest with these variables set; its output goes to the terminal as it comes."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bucky-figures-") as directory:
        report = Path(directory) / "report.xml"
        # Many tests wait for processes to start or stop: three workers keep two cores busy.
        own = ["-n", "3", "--dist", "loadgroup", f"--junitxml={report}", "-o", f"cache_dir={directory}/cache"]
        code = _pytest([*own, *words], environment)
        passed, failed, skipped = read_report(report)
        again = worth_another_try(Path(directory) / "cache")
        if code == pytest.ExitCode.TESTS_FAILED and again:
            print(f"== once more, alone: {' '.join(again)}", flush=True)  # noqa: T201
            code = _pytest(again, environment)
            if code == pytest.ExitCode.OK:
                passed, failed = passed + len(again), 0
            else:
                again = []
    seconds = time.monotonic() - started
    return Result(database, passed, failed, skipped, seconds, fine=code == 0 and not failed, again=again)


def _pytest(words: Sequence[str], environment: Mapping[str, str]) -> int:
    return subprocess.call(
        [sys.executable, "-m", "pytest", *words],
        # Importing Bucky named its settings; pytest-django would read them before conftest.py has prepared them.
        env={**os.environ, **environment, "DJANGO_SETTINGS_MODULE": ""},
        stdin=subprocess.DEVNULL,
    )


def worth_another_try(cache: Path) -> list[str]:
    """Name what failed, when it is a few tests with departments of their own; else nothing. In: pytest's cache."""
    file = cache / "v" / "cache" / "lastfailed"
    failed = sorted(json.loads(file.read_text())) if file.exists() else []
    few = len({name.partition("::")[0] for name in failed}) <= MODULES_AT_MOST
    return failed if few and all(name.startswith(ALONE) and "::" in name for name in failed) else []


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
        if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
            directory = servers.enter_context(tempfile.TemporaryDirectory(prefix="bucky-tests-", dir=MEMORY))
            Path(directory).chmod(0o755)  # PostgreSQL and Redis run under other accounts
            os.environ["TMPDIR"] = tempfile.tempdir = directory
        file = make_ready_file(servers.enter_context(tempfile.TemporaryDirectory(prefix="bucky-ready-")))
        postgres, redis = servers.enter_context(Postgres()), servers.enter_context(Redis())
        server = postgres.url("postgres")
        real = {"DATABASE_URL": server, "REDIS_URL": redis.url, READY_DATABASE: ready_database(server)}
        # What brings its own PostgreSQL does the same in both runs: the whole suite runs it in the second only.
        once = [] if words else ["-m", "not own_postgres"]
        results = [
            # Measuring takes time: once is enough, and not in the processes of the departments.
            run_suite(
                "SQLite",
                {"DATABASE_URL": "", "REDIS_URL": "", READY_FILE: str(file)},
                ["--cov", "--cov-report=", "--cov-fail-under=0", *once, *words],
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
