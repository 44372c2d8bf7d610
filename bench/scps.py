"""The servers that bench.worklist compares, each on a free port with the items that bench.items describes."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.harness import manage, processor_seconds, resident, running
from bench.items import FILL, write_files
from tests.ports import free_port
from tests.services import Postgres, new_database, program

MOST = 2000
"""Associations that Bucky may have open."""


@dataclass(frozen=True)
class Scp:
    """A running server. pids: its processes, with those of its database."""

    name: str
    port: int
    pids: tuple[int, ...]

    def processor_seconds(self, *, own: bool = False) -> float:
        """Return the processor time that it has taken so far, with its database's unless it is its own only."""
        return sum(map(processor_seconds, self.pids[:1] if own else self.pids))

    def resident(self) -> float:
        """Return its memory in MiB, without that of its database."""
        return resident(self.pids[0])


def migrated(directory: Path, postgres: Postgres) -> str:
    """Make a database with Bucky's tables and return its name, to be copied from."""
    url = postgres.new_database()
    manage({"BUCKY_DATA": str(directory / "data"), "DATABASE_URL": url}, "migrate")
    return url.rpartition("/")[2]


@contextmanager
def bucky(directory: Path, items: int, postgres: Postgres, template: str) -> Iterator[Scp]:
    """Serve the items from a fresh database."""
    port = free_port()
    settings = {
        "BUCKY_DATA": str(directory / "data"),
        "BUCKY_DICOM": f"127.0.0.1:{port}",
        "BUCKY_DICOM_MAX_ASSOCIATIONS": str(MOST),
        "BUCKY_DICOM_MAX_PER_ADDRESS": str(MOST),
        "BUCKY_TIME_ZONE": "UTC",
        "DATABASE_URL": new_database(postgres.url("postgres"), template),
    }
    manage(settings, "shell", "-v0", "-c", FILL.replace("{items}", str(items)))
    with running([sys.executable, "manage.py", "dicom_serve"], port, settings) as pid:
        yield Scp("Bucky", port, (pid, postgres.pid))


@contextmanager
def wlmscpfs(directory: Path) -> Iterator[Scp]:
    """Serve the files with DCMTK."""
    port = free_port()
    command = [program("wlmscpfs", package="dcmtk"), "-csk", "-dhl", "-dfp", str(directory), str(port)]
    with running(command, port, {"TCP_NODELAY": "1"}) as pid:
        yield Scp("wlmscpfs", port, (pid,))


@contextmanager
def orthanc(directory: Path) -> Iterator[Scp]:
    """Serve the files with Orthanc's worklists plugin."""
    port = free_port()
    plugins = [str(path) for path in Path("/usr/share/orthanc/plugins").glob("*ModalityWorklists*")]
    settings = {
        "DicomAet": "BUCKY",
        "DicomPort": port,
        "DicomServerEnabled": True,
        "DicomThreadsCount": 40,
        "HttpServerEnabled": False,
        "DicomAlwaysAllowFindWorklist": True,
        "StorageDirectory": str(directory / "orthanc"),
        "IndexDirectory": str(directory / "orthanc"),
        "Plugins": plugins,
        "Worklists": {"Enable": True, "Database": str(directory / "BUCKY")},
    }
    (directory / "orthanc.json").write_text(json.dumps(settings))
    command = [program("Orthanc", package="orthanc"), str(directory / "orthanc.json")]
    with running(command, port, {"TCP_NODELAY": "1"}) as pid:
        yield Scp("Orthanc", port, (pid,))


@contextmanager
def pynetdicom(items: int) -> Iterator[Scp]:
    """Serve the items with pynetdicom's AE, from memory."""
    port = free_port()
    with running([sys.executable, "-m", "bench.pynetdicom_scp", str(port), str(items)], port) as pid:
        yield Scp("pynetdicom", port, (pid,))


@contextmanager
def all_of_them(directory: Path, items: int, postgres: Postgres, template: str) -> Iterator[list[Scp]]:
    """Serve the same items with each of the servers; Bucky is the first."""
    write_files(directory / "BUCKY", items)
    with (
        bucky(directory, items, postgres, template) as ours,
        wlmscpfs(directory) as dcmtk,
        orthanc(directory) as other,
        pynetdicom(items) as reference,
    ):
        yield [ours, dcmtk, other, reference]
