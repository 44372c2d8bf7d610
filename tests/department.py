"""The whole of Bucky, running as `./run` would run it, for tests that come in through the doors.

    def test_something(department):                 # started once for a module, without demo patients
        send(department.mllp, ORDER)                # Address(host, port)
        find(department.dicom, department.ae_title)
        browser.goto(department.url)                # http://127.0.0.1:.../ ; sign in as admin
        department.admin_password
        department.private("Müller", "4711")        # must never appear in the output: checked at its end
        department.manage("hl7_replay", "7")        # one manage.py command in the same environment
        department.rows("SELECT count(*) FROM ris_order")

    def test_a_kill(make_department):               # a fresh one for tests that break things
        department = make_department(demo=True, BUCKY_AE_TITLE="RIS", DATABASE_URL=postgres.new_database())
        department.kill("hl7")                      # kill -9 by name: web hl7 dicom worker clock
        department.wait() == 137                    # all stop with its exit code
        department.start()                          # again, on the same data and ports
        department.stop()                           # like Ctrl-C; gives the exit code
        department.output                           # all that was printed, of every start

The database follows the run: SQLite, or with DATABASE_URL set a fresh PostgreSQL database of its own.
"""

import functools
import hashlib
import os
import re
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import psycopg2

from ris.config import PROJECT, Address
from ris.supervisor import follow
from tests.ports import free_port
from tests.services import REDIS_KEY_SPACES, drop_database, new_database
from tests.waiting import PATIENCE, wait_until

PROCESSES = ("web", "hl7", "dicom", "worker", "clock")
NOT_PASSED_ON = ("BUCKY_", "DJANGO_", "PYTEST_", "DATABASE_URL", "REDIS_URL")


def _key_space(redis: str) -> str:
    """Give another key space of the same Redis, so that two departments do not take each other's work."""
    return f"{redis.rpartition('/')[0]}/{secrets.randbelow(REDIS_KEY_SPACES)}" if redis else ""


def _migrate(**settings: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)}
    words = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(words, cwd=PROJECT, env=environment | settings, stdin=subprocess.DEVNULL, check=True, timeout=300)


READY_FILE, READY_DATABASE = "READY_FILE", "READY_DATABASE"
"""Variables by which `./test` names databases that it has made ready for all its workers."""


def make_ready_file(directory: str) -> Path:
    """Make an SQLite database with all tables in this directory."""
    _migrate(BUCKY_DATA=directory, DATABASE_URL="")
    return Path(directory) / "bucky.sqlite3"


@functools.cache
def ready_file() -> Path:
    """Give an SQLite database with all tables, to be copied.

    `./test` has made one. A run of pytest on its own keeps one from run to run until Bucky's code changes: it takes ten
    seconds of a processor.
    """
    if READY_FILE in os.environ:
        return Path(os.environ[READY_FILE])
    kept = PROJECT / ".test" / f"ready-{_digest_of_the_code()}.sqlite3"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        for old in kept.parent.glob("ready-*.sqlite3"):
            if old.stat().st_mtime < time.time() - 24 * 3600:  # a younger one may be in use
                old.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix="making-", dir=kept.parent) as directory:
            make_ready_file(directory).rename(kept)
    return kept


def _digest_of_the_code() -> str:
    files = [PROJECT / "requirements.txt"]
    files += [path for room in ("ris", "hl7", "worklist") for path in sorted((PROJECT / room).rglob("*.py"))]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]


@functools.cache
def ready_database(server: str) -> str:
    """Make the same on PostgreSQL; its name. It goes away with the server."""
    if READY_DATABASE in os.environ:
        return os.environ[READY_DATABASE]
    url = new_database(server)
    with tempfile.TemporaryDirectory(prefix="bucky-ready-") as directory:
        _migrate(BUCKY_DATA=directory, DATABASE_URL=url)
    return url.rpartition("/")[2]


_BY_CHANCE = re.compile(r"pid[=: ]+\d+|\[\d+\]|:\d+|(?<=\" )\d{3} \d+ \d+ms")
"""Processes, ports, and sizes of pages in what is printed: any may be the number of a patient."""


class Department:
    """One running Bucky with its own data directory, ports and database."""

    def __init__(self, directory: Path, *, demo: bool = False, bare: bool = False, **settings: str) -> None:
        """Choose addresses and a database; `settings` are environment variables. Nothing runs yet.

        bare: without the tables, as a new user begins. They take seconds to make, so others get a copy of ready ones.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.data = directory / "data"
        self._bare = bare
        self.http = Address("127.0.0.1", free_port())
        self.mllp = Address("127.0.0.1", free_port())
        self.dicom = Address("127.0.0.1", free_port())
        self._made_database = ""
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)},
            "BUCKY_DATA": str(self.data),
            "BUCKY_HTTP": str(self.http),
            "BUCKY_MLLP": str(self.mllp),
            "BUCKY_DICOM": str(self.dicom),
            "BUCKY_DEMO": "1" if demo else "0",
            "BUCKY_TIME_ZONE": "Europe/Berlin",
            "DATABASE_URL": settings.get("DATABASE_URL", "") or self._own_database(),
            "REDIS_URL": _key_space(os.environ.get("REDIS_URL", "")),
            **settings,
        }
        self.ae_title = self.environment.get("BUCKY_AE_TITLE", "BUCKY")
        self._log = directory / "output"
        self._log.touch()
        self._seen = 0  # bytes of output that belong to earlier starts
        self._private: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def _own_database(self) -> str:
        server = os.environ.get("DATABASE_URL", "")
        if server:
            self._made_database = new_database(server, *([] if self._bare else [ready_database(server)]))
        elif not self._bare:
            self.data.mkdir(mode=0o700)
            shutil.copy(ready_file(), self.data / "bucky.sqlite3")
        return self._made_database

    # --- running ----------------------------------------------------------------------------------

    def launch(self, command: list[str] | None = None) -> None:
        """Start without waiting; `command` is another way to start, such as ["./run"]."""
        self._seen = self._log.stat().st_size
        parent = os.getpid()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command or [sys.executable, "manage.py", "serve"],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: follow(parent, signal.SIGTERM),
            )

    def start(self, command: list[str] | None = None) -> Self:
        """Start and wait for `Bucky is ready`."""
        self.launch(command)
        wait_until(self._ready, seconds=2 * PATIENCE, what="the line `Bucky is ready`")
        return self

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"Bucky ended with {self.process.returncode}:\n{self.output}")
        return "\nBucky is ready" in "\n" + self.latest_output

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The supervisor."""
        assert self._process, "not started"
        return self._process

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait until it has ended by itself; the exit code."""
        return self.process.wait(seconds)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop, as Ctrl-C does, and wait; the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def restart(self) -> Self:
        """Stop and start on the same data."""
        self.stop()
        return self.start()

    def pid(self, name: str) -> int:
        """Find the process id of one of PROCESSES."""
        found = re.findall(rf"\| {name} started \(pid=(\d+)\)", self.latest_output)
        assert found, f"{name} has not started"
        return int(found[-1])

    def kill(self, name: str) -> None:
        """Kill one of PROCESSES with signal 9. All others stop then: see `wait`."""
        os.kill(self.pid(name), signal.SIGKILL)

    def close(self) -> None:
        """Stop if it runs, remove its database, and look for patients' data in all that it has printed."""
        try:
            if self._process and self._process.poll() is None:
                if "| worker started" in self.latest_output:
                    self.kill("worker")  # alone it would take 3 s to stop; nobody looks at the exit code here
                self.stop()
        finally:
            if self._process and self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            if self._made_database:
                drop_database(self._made_database)
        printed = _BY_CHANCE.sub("", self.output)
        leaked = [number for number, text in enumerate(sorted(self._private)) if text in printed]
        assert not leaked, f"the output holds private data: {[sorted(self._private)[n] for n in leaked]}"

    # --- looking ----------------------------------------------------------------------------------

    @property
    def output(self) -> str:
        """All that it has printed since the first start."""
        return self._log.read_text(errors="replace")

    @property
    def latest_output(self) -> str:
        """What it has printed since the latest start."""
        return self._log.read_bytes()[self._seen :].decode(errors="replace")

    def private(self, *texts: str) -> None:
        """Name texts of patients that must not appear in the output; checked by `close`."""
        self._private.update(text for text in texts if text)

    @property
    def url(self) -> str:
        """The front page."""
        return f"http://{self.http}/"

    @property
    def admin_password(self) -> str:
        """The password of `admin`."""
        return (self.data / "admin_password").read_text().strip()

    def manage(self, *words: str, without: Iterable[str] = ()) -> "subprocess.CompletedProcess[str]":
        """Run one manage.py command in the same environment, or in one that lacks some of its variables."""
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=PROJECT,
            env={name: value for name, value in self.environment.items() if name not in set(without)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Read rows straight from its database."""
        url = self.environment["DATABASE_URL"]
        connection: Any = (
            psycopg2.connect(url, connect_timeout=60)
            if url.startswith("postgres")
            else sqlite3.connect(f"file:{self.data / 'bucky.sqlite3'}?mode=ro", uri=True, timeout=60)
        )
        try:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())
        finally:
            connection.close()
