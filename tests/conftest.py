"""What every test may use. The running department is described in tests/department.py."""

import atexit
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

# Before Django reads its settings: the tests keep their data in a directory of their own.
_data = tempfile.mkdtemp(prefix="bucky-test-")
atexit.register(shutil.rmtree, _data, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith("BUCKY_")]:
    del os.environ[_name]
os.environ["BUCKY_DATA"] = _data
os.environ["BUCKY_TIME_ZONE"] = "Europe/Berlin"
os.environ["DJANGO_SETTINGS_MODULE"] = "ris.settings"

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402

settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # slow on purpose otherwise

import hypothesis  # noqa: E402
import pytest  # noqa: E402

from hl7 import endpoints  # noqa: E402
from ris.actions import catalogue  # noqa: E402
from tests.department import READY_DATABASE, Department, ready_file  # noqa: E402
from tests.services import Postgres  # noqa: E402
from worklist import callers  # noqa: E402

if connection.vendor == "postgresql":
    connection.settings_dict["TEST"]["TEMPLATE"] = os.environ.get(READY_DATABASE)

# No deadline: a busy machine is no bug. The same examples each time: a landing is judged by what it changes.
# For a search, HYPOTHESIS_PROFILE=search and --hypothesis-seed.
CALM: dict[str, Any] = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("same", derandomize=True, **CALM)
hypothesis.settings.register_profile("search", **CALM)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


class MakeDepartment(Protocol):
    """Starts a department; see tests/department.py."""

    def __call__(self, *, demo: bool = False, start: bool = True, **settings: str) -> Department: ...


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> Iterator[None]:
    """Give SQLite's database in memory its tables before Django migrates it. PostgreSQL copies a template, above."""
    if connection.vendor != "sqlite":
        yield
        return
    name = connection.creation._get_test_db_name()  # type: ignore[attr-defined]  # its stub leaves this out
    with closing(sqlite3.connect(name, uri=True)) as memory:
        with closing(sqlite3.connect(ready_file())) as ready:
            ready.backup(memory)
        yield


@pytest.fixture(autouse=True)
def fresh_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what a test before read of the catalogue, the endpoints and the profiles.

    What is read then is believed to the end of the test: on a slow machine a statement more would be counted.
    """
    for remembered in (catalogue, endpoints, callers):
        monkeypatch.setattr(remembered, "SECONDS", 3600.0)
        remembered.forget()


@pytest.fixture
def make_department(tmp_path: Path) -> Iterator[MakeDepartment]:
    """Make departments that this test may break; at its end they are stopped and their output searched.

    One that is not started at once is bare: as a new user finds it.
    """
    made: list[Department] = []

    def make(*, demo: bool = False, start: bool = True, **settings: str) -> Department:
        made.append(Department(tmp_path / f"department{len(made)}", demo=demo, bare=not start, **settings))
        return made[-1].start() if start else made[-1]

    yield make
    for department in made:
        department.close()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """Start a PostgreSQL that this test may stop. Both runs of `./test` would do the same: the first leaves it out."""
    with Postgres() as running:
        yield running


@pytest.fixture(scope="module")
def department(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Department]:
    """Share one running department, without demo patients, between the tests of a module."""
    running = Department(tmp_path_factory.mktemp("department"))
    try:
        running.start()
        yield running
    finally:
        running.close()


SHARED = {"department", "track", "made"}
"""What takes seconds to make and is shared by the tests of a module: running processes, a department's weeks."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share something large on one worker, and start with the long ones."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if SHARED & set(fixtures):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
        if "own_postgres" in fixtures:
            item.add_marker(pytest.mark.own_postgres)
    items.sort(key=_starts_late)


def _starts_late(item: pytest.Item) -> bool:
    return item.path.parent.name not in ("journeys", "browser") and not list(item.iter_markers("xdist_group"))
