"""`manage.py serve`: prepare the data directory and run all of Bucky in the foreground. `./run` ends here."""

import fcntl
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import OperationalError, connection, connections, transaction

from ris import collector, running
from ris.config import ConfigError
from ris.management.accounts import told
from ris.supervisor import Doors, Supervisor, busy

_ONE_WRITER = "BUCKY_MLLP_PROCESSES: SQLite has one writer at a time; more processes need PostgreSQL"
_AS_ROOT = (
    "Bucky runs as root. That is enough to try it; "
    "where patients are, give it an account of its own (docs/howto/install.md)."
)
_SAID_ALREADY = "ignore:You're running the worker with superuser privileges"
"""Celery warns of the same in six lines in the middle of the log."""
ACCESS_LOG = '%(h)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms'  # %(U)s is the path without its query string


class Command(BaseCommand):
    """Start everything; the exit code is that of the process that died first."""

    help = "Runs the web pages, the HL7 listener, the DICOM server and the background work until Ctrl-C."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, prepare, run. What cannot work ends in one line and exit code 2 before anything starts."""
        os.umask(0o077)  # what is written from here on is for this account only
        _check_doors()
        with _only_one():
            try:
                password = prepare()
            except OperationalError as reason:
                raise ConfigError(f"DATABASE_URL: the database does not answer ({_first_line(reason)})") from None
            if password:
                self.stdout.write(f"Sign in as admin with the password {password} (kept in {password_file()})")
                self.stdout.flush()
            for line in _advice():
                self.stdout.write(line)
            self.stdout.flush()
            connections.close_all()  # no child may inherit a connection
            collector.spare_the_old()
            supervisor = Supervisor(_doors())
            for name, command in processes().items():
                supervisor.add(name, command, environment_of(name))
            with running.told(settings.BUCKY_DATA, {name: getattr(settings, name) for name in running.NAMES}):
                sys.exit(supervisor.loop())


def _advice() -> Iterator[str]:
    """Give a line for each thing that works but should be otherwise."""
    if settings.BUCKY_MLLP_PROCESSES > 1 and connection.vendor == "sqlite":
        yield _ONE_WRITER
    if os.geteuid() == 0:
        yield _AS_ROOT


def environment_of(name: str) -> dict[str, str]:
    """Return the environment of a process. What `serve` has said already no worker says again."""
    # Django's checks look at the code, which our tests have done; they would load the desk into Celery.
    known = {**os.environ, "PYTHONUNBUFFERED": "1", "CELERY_SKIP_CHECKS": "1"}
    if name == "worker":
        known["PYTHONWARNINGS"] = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), _SAID_ALREADY)))
    return known


def processes() -> dict[str, list[str]]:
    """Name each process of Bucky and its command line."""
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
    celery = [sys.executable, "-m", "celery", "--app", "ris.celery", "--quiet"]
    return {
        "web": [
            *(sys.executable, "-m", "gunicorn", "ris.wsgi", "--bind", str(settings.BUCKY_HTTP)),
            *("--worker-class", "gthread", "--workers", "2", "--threads", "4", "--preload"),
            *("--graceful-timeout", "3", "--no-control-socket", "--logger-class", "ris.web_log.WebLogger"),
            *("--access-logfile", "-", "--access-logformat", ACCESS_LOG, "--log-level", "warning"),
        ],
        **{name: [*manage, "hl7_listen"] for name in _listeners()},
        "dicom": [*manage, "dicom_serve"],
        "worker": [
            *(*celery, "worker", "--pool", "threads", "--concurrency", "2", "--loglevel", "WARNING"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
        "clock": [
            *(*celery, "beat", "--loglevel", "WARNING", "--pidfile="),
            *("--schedule", str(settings.BUCKY_DATA / "clock")),
        ],
    }


def _listeners() -> list[str]:
    return ["hl7", *(f"hl7-{number}" for number in range(2, settings.BUCKY_MLLP_PROCESSES + 1))]


def prepare() -> str | None:
    """Bring the database up to date; on the first start load the demo and create the administrator.

    Out: the administrator's new password on the first start. First is first for the database: one that
    already has an administrator or a patient gets no demo, whatever the data directory looks like.
    """
    call_command("migrate", verbosity=0, interactive=False)
    users = get_user_model()._default_manager
    if users.filter(is_superuser=True).exists():
        return None
    if settings.BUCKY_DEMO and not apps.get_model("ris", "Patient")._default_manager.exists():
        with transaction.atomic():  # all of it or, when interrupted, nothing
            call_command("demo")
    password = secrets.token_urlsafe(12)
    _keep(password_file(), password + "\n")
    with told("serve"):
        get_user_model()._default_manager.create_superuser(username="admin", password=password)
    return password


def password_file() -> Path:
    """Where the administrator's first password is kept."""
    return Path(settings.BUCKY_DATA) / "admin_password"


def _keep(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _check_doors() -> None:
    wrong = []
    taken: dict[Any, str] = {}
    for name in ("BUCKY_HTTP", "BUCKY_MLLP", "BUCKY_DICOM", "BUCKY_MLLP_TLS", "BUCKY_DICOM_TLS"):
        address = getattr(settings, name)
        if address is None:
            continue
        if address in taken:
            wrong.append(f"{name}: {address} is already {taken[address]}")
        elif reason := busy(address):
            wrong.append(f"{name}: {reason}")
        taken[address] = name
    if wrong:
        raise ConfigError("\n".join(wrong))


def _only_one() -> IO[str]:
    """Hold the data directory: two supervisors over one would run every timed task twice."""
    lock = (Path(settings.BUCKY_DATA) / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise ConfigError(f"BUCKY_DATA: {settings.BUCKY_DATA} is in use by another ./run") from None
    return lock


def _doors() -> Doors:
    line = (
        f"Bucky is ready: web http://{settings.BUCKY_HTTP}/ , HL7 (MLLP) {settings.BUCKY_MLLP} , "
        f"DICOM worklist {settings.BUCKY_AE_TITLE} at {settings.BUCKY_DICOM}"
    )
    return Doors(http_at=settings.BUCKY_HTTP, others=(settings.BUCKY_MLLP, settings.BUCKY_DICOM), line=line)


def _first_line(reason: BaseException) -> str:
    return str(reason).strip().partition("\n")[0]
