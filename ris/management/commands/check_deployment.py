"""`manage.py check_deployment`: look at a Bucky before real patients come, and say what is not right yet."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from ris.config import Address
from ris.management.commands.serve import password_file

LOOPBACK = ("127.", "::1", "localhost")


class Command(BaseCommand):
    """Print one line for each thing to put right; exit code 1 when there is any."""

    help = "Checks settings, files, database and broker for use with real patients."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask every check of the table."""
        findings = [finding for check in CHECKS for finding in check()]
        for finding in findings:
            self.stdout.write(f"- {finding}")
        if findings:
            raise SystemExit(1)
        self.stdout.write("Nothing to put right.")


def debugging() -> Iterator[str]:
    """Tracebacks in the browser show patients."""
    if settings.DEBUG:
        yield "BUCKY_DEBUG is 1: error pages would show patients' data. Set it to 0."


def encryption() -> Iterator[str]:
    """Passwords and patients must not cross a network in the clear."""
    if not _is_loopback(settings.BUCKY_HTTP) and not settings.BUCKY_HTTPS:
        yield "BUCKY_HTTP is open to the network without TLS: put a proxy before it and set BUCKY_HTTPS=1."


def callers() -> Iterator[str]:
    """A worklist is a list of patients. Over TLS a certificate may be asked for, which says more than an AE title."""
    tls = settings.BUCKY_DICOM_TLS
    is_open = not _is_loopback(settings.BUCKY_DICOM)
    is_open |= tls is not None and not _is_loopback(tls) and settings.BUCKY_TLS_CLIENT_CA is None
    if is_open and settings.BUCKY_UNKNOWN_CALLERS == "accept":
        yield "BUCKY_UNKNOWN_CALLERS is accept: any AE title gets the worklist. Set it to refuse."


def files() -> Iterator[str]:
    """Only the account that runs Bucky may read its data directory and its secrets; a key also a group of its own."""
    own = (settings.BUCKY_DATA, settings.BUCKY_DATA / "secret_key", password_file(), settings.BASE_DIR / ".env")
    for path in own:
        if _opens_to(path, 0o077):
            yield f"{path} can be read by other accounts: chmod go= {path}"
    key = settings.BUCKY_TLS_KEY or settings.BUCKY_TLS_CERT
    if key is not None and _opens_to(key, 0o007) and b"PRIVATE KEY" in key.read_bytes():
        yield f"{key} can be read by every account: chmod o= {key}"
    if password_file().exists() and _first_password_still_works(password_file()):
        yield f"The first password of admin still works: change it, then delete {password_file()}."


def _opens_to(path: Path, others: int) -> bool:
    return path.exists() and bool(stat.S_IMODE(path.stat().st_mode) & others)


def _first_password_still_works(file: Path) -> bool:
    try:
        admin = get_user_model()._default_manager.filter(username="admin").first()
    except DatabaseError:
        return False
    return bool(admin and admin.check_password(file.read_text().strip()))


def database() -> Iterator[str]:
    """A department runs on PostgreSQL, up to date."""
    if connection.vendor != "postgresql":
        yield "DATABASE_URL is not set: SQLite is for one machine and few users. Use PostgreSQL."
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            yield "The database is not up to date: ./run or manage.py migrate brings it there."
    except DatabaseError:
        yield "DATABASE_URL: the database does not answer."


def broker() -> Iterator[str]:
    """Redis wakes the workers; without it they look into a directory."""
    if not settings.CELERY_BROKER_URL.startswith("redis"):
        yield "REDIS_URL is not set: background work waits in files. Use Redis."
        return
    try:
        redis.Redis.from_url(settings.CELERY_BROKER_URL, socket_connect_timeout=2, socket_timeout=2).ping()
    except redis.RedisError:
        yield "REDIS_URL: Redis does not answer."


CHECKS: tuple[Callable[[], Iterator[str]], ...] = (debugging, encryption, callers, files, database, broker)


def _is_loopback(address: Address) -> bool:
    return address.host.startswith(LOOPBACK)
