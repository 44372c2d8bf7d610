"""Worklist queries beside DCMTK's wlmscpfs and Orthanc's worklists plugin, on the same items, in one run.

    python -m bench.worklist [--items 100 1000 10000] [--connections 1 8 32] [--queries 300]

The question is the typical one of a scanner: my station, today. A list of n items has 14 of them for it. Bucky reads
live rows of PostgreSQL; the peers read files. TCP_NODELAY is on everywhere. The ratio is the other's p50 to Bucky's.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from pynetdicom.dsutils import encode

from bench.harness import Figures, build, load, manage, running, table
from tests.ports import free_port
from tests.services import Postgres, program

TODAY = datetime.now(UTC).date()
PER_STATION = 14
"""Items that the question finds; the others are on other days."""

FILL = """
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo
from ris.models import *
site = Site.new(code="B", name="Bench", time_zone="UTC", is_default=True)
station = Station.new(ae_title="CT1", name="CT1", site=site, modality="CT")
exam = Exam.new(code="CTX", meaning="CT test", modality="CT", duration=10)
start = datetime.fromisoformat("{day}T08:00:00+00:00")
many = range({items})
patients = Patient.objects.bulk_create(
    Patient(patient_name=f"Bench^Person{n}", patient_name_folded=f"bench^person{n}", sex="F", birth_date="1970-01-01")
    for n in many)
PatientIdentifier.objects.bulk_create(
    PatientIdentifier(patient=p, value=f"B{n}", issuer="B", primary=True) for n, p in enumerate(patients))
orders = Order.objects.bulk_create(
    Order(patient=p, site=site, accession_number=f"B{n}", state="SCHEDULED") for n, p in enumerate(patients))
procedures = RequestedProcedure.objects.bulk_create(
    RequestedProcedure(order=o, requested_procedure_id=f"R{n}", study_instance_uid=f"1.2.{n}", exam=exam, code="CTX",
                       coding_scheme="L", meaning="CT test") for n, o in enumerate(orders))
def at(n):
    return start + timedelta(days=n // {per_station}, minutes=20 * (n % {per_station}))
ScheduledProcedureStep.objects.bulk_create(
    ScheduledProcedureStep(requested_procedure=r, sps_id=f"S{n}", state="SCHEDULED", modality="CT",
                           description="CT test", station=station, start=at(n), end=at(n) + timedelta(minutes=10))
    for n, r in enumerate(procedures))
from django.db import connection
connection.cursor().execute("ANALYZE")
""".replace("{per_station}", str(PER_STATION))


def question() -> Dataset:
    """Return the identifier: what a CT asks for in the morning, with the return keys of the field."""
    step = Dataset()
    step.ScheduledStationAETitle = "CT1"
    step.ScheduledProcedureStepStartDate = f"{TODAY:%Y%m%d}"
    step.Modality = "CT"
    for keyword in (
        "ScheduledProcedureStepStartTime",
        "ScheduledPerformingPhysicianName",
        "ScheduledProcedureStepDescription",
        "ScheduledStationName",
        "ScheduledProcedureStepLocation",
        "ScheduledProcedureStepID",
        "ScheduledProtocolCodeSequence",
    ):
        setattr(step, keyword, [] if keyword.endswith("Sequence") else "")
    identifier = Dataset()
    identifier.ScheduledProcedureStepSequence = [step]
    for keyword in (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "AccessionNumber",
        "RequestedProcedureID",
        "RequestedProcedureDescription",
        "StudyInstanceUID",
        "ReferringPhysicianName",
        "RequestingPhysician",
        "AdmissionID",
    ):
        setattr(identifier, keyword, "")
    return identifier


def write_items(folder: Path, items: int) -> None:
    """Write the same items as worklist files, as wlmscpfs and Orthanc want them."""
    folder.mkdir(parents=True)
    (folder / "lockfile").touch()
    start = datetime.combine(TODAY, datetime.min.time()).replace(hour=8)
    for number in range(items):
        at = start + timedelta(days=number // PER_STATION, minutes=20 * (number % PER_STATION))
        step = Dataset()
        step.ScheduledStationAETitle = step.ScheduledStationName = "CT1"
        step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = f"{at:%Y%m%d}", f"{at:%H%M%S}"
        step.Modality, step.ScheduledProcedureStepDescription = "CT", "CT test"
        step.ScheduledProcedureStepID, step.ScheduledPerformingPhysicianName = f"S{number}", ""
        item = Dataset()
        item.PatientName, item.PatientID = f"Bench^Person{number}", f"B{number}"
        item.PatientBirthDate, item.PatientSex = "19700101", "F"
        item.AccessionNumber, item.RequestedProcedureID = f"B{number}", f"R{number}"
        item.RequestedProcedureDescription, item.StudyInstanceUID = "CT test", f"1.2.{number}"
        item.ReferringPhysicianName = item.RequestingPhysician = item.AdmissionID = ""
        item.ScheduledProcedureStepSequence = [step]
        item.file_meta = FileMetaDataset()
        item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        item.file_meta.MediaStorageSOPClassUID = UID("1.2.276.0.7230010.3.1.0.1")
        item.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        item.save_as(folder / f"{number}.wl", enforce_file_format=True)


@contextmanager
def bucky(directory: Path, postgres: Postgres, items: int) -> Iterator[int]:
    """Serve the items from a fresh database."""
    port = free_port()
    settings = {
        "BUCKY_DATA": str(directory / "data"),
        "BUCKY_DICOM": f"127.0.0.1:{port}",
        "BUCKY_TIME_ZONE": "UTC",
        "DATABASE_URL": postgres.new_database(),
    }
    manage(settings, "migrate")
    manage(settings, "shell", "-v0", "-c", FILL.replace("{items}", str(items)).replace("{day}", str(TODAY)))
    with running([sys.executable, "manage.py", "dicom_serve"], port, settings):
        yield port


@contextmanager
def wlmscpfs(directory: Path, items: int) -> Iterator[int]:
    """Serve the items with DCMTK."""
    port = free_port()
    write_items(directory / "dcmtk" / "BUCKY", items)
    command = [program("wlmscpfs", package="dcmtk"), "-csk", "-dhl", "-dfp", str(directory / "dcmtk"), str(port)]
    with running(command, port, {"TCP_NODELAY": "1"}):
        yield port


@contextmanager
def orthanc(directory: Path, items: int) -> Iterator[int]:
    """Serve the items with Orthanc's worklists plugin."""
    port = free_port()
    write_items(directory / "orthanc" / "items", items)
    plugins = [str(path) for path in Path("/usr/share/orthanc/plugins").glob("*ModalityWorklists*")]
    settings = {
        "DicomAet": "BUCKY",
        "DicomPort": port,
        "DicomServerEnabled": True,
        "HttpServerEnabled": False,
        "DicomAlwaysAllowFindWorklist": True,
        "StorageDirectory": str(directory / "orthanc"),
        "IndexDirectory": str(directory / "orthanc"),
        "Plugins": plugins,
        "Worklists": {"Enable": True, "Database": str(directory / "orthanc" / "items")},
    }
    (directory / "orthanc" / "orthanc.json").write_text(json.dumps(settings))
    command = [program("Orthanc", package="orthanc"), str(directory / "orthanc" / "orthanc.json")]
    with running(command, port, {"TCP_NODELAY": "1"}):
        yield port


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--items", type=int, nargs="+", default=[100, 1000, 10000])
    words.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32])
    words.add_argument("--queries", type=int, default=300)
    asked = words.parse_args()
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory(prefix="bucky-bench-") as name, Postgres(durable=True) as postgres:
        client = build("worklist", Path(name))
        file = Path(name) / "identifier"
        file.write_bytes(encode(question(), is_implicit_vr=True, is_little_endian=True) or b"")
        for items in asked.items:
            directory = Path(name) / str(items)
            directory.mkdir()
            servers = {
                "Bucky": bucky(directory, postgres, items),
                "wlmscpfs": wlmscpfs(directory, items),
                "Orthanc": orthanc(directory, items),
            }
            figures: dict[tuple[str, str, int], Figures] = {}
            for server, serve in servers.items():
                with serve as port:
                    target = ("127.0.0.1", port, "BUCKY", "CT1")
                    load(client, *target, "reconnect", 1, 10, file, PER_STATION)
                    for mode in ("keep", "reconnect"):
                        for connections in asked.connections:
                            figures[server, mode, connections] = load(
                                client, *target, mode, connections, asked.queries, file, PER_STATION
                            )
            for (server, mode, connections), f in figures.items():
                ours = figures["Bucky", mode, connections]["p50"]
                bad = f["errors"] + f["refused"]
                rows.append(
                    (items, mode, connections, server, f["per_second"], f["p50"], f["p95"], bad, f["p50"] / ours)
                )
    heads = (
        "items",
        "association",
        "connections",
        "server",
        "queries/s",
        "p50 ms",
        "p95 ms",
        "bad",
        "times Bucky's p50",
    )
    rows.sort(key=lambda row: [str(cell).zfill(6) for cell in row[:4]])
    print(table(heads, rows))  # noqa: T201


if __name__ == "__main__":
    main()
