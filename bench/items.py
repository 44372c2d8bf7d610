"""The same worklist for each of the servers that bench.worklist compares, and the questions that it asks.

A day has 714 items: 51 scanners with 14 each. A list of n items begins today and goes on in the days after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from pynetdicom.dsutils import encode

TODAY = datetime.now(UTC).date()
PER_STATION = 14
STATIONS = 51
A_DAY = PER_STATION * STATIONS

FILL = """
from datetime import date
from ris.models import *
from bench.items import STATIONS, starts
site = Site.new(code="B", name="Bench", time_zone="UTC", is_default=True)
stations = [Station.new(ae_title=f"CT{n + 1}", name=f"CT{n + 1}", site=site, modality="CT") for n in range(STATIONS)]
exam = Exam.new(code="CTX", meaning="CT test", modality="CT", duration=10)
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
ScheduledProcedureStep.objects.bulk_create(
    ScheduledProcedureStep(requested_procedure=r, sps_id=f"S{n}", state="SCHEDULED", modality="CT",
                           description="CT test", station=stations[place], start=at, end=end)
    for (n, place, at, end), r in zip(starts({items}), procedures))
from django.db import connection
connection.cursor().execute("ANALYZE")
"""
"""What the shell of manage.py runs, `{items}` replaced."""


@dataclass(frozen=True)
class Question:
    """What is asked, by each connection in turn, and how many items of a list of `items` it finds."""

    name: str
    identifiers: tuple[Dataset, ...]
    most: int

    def encoded(self) -> list[bytes]:
        """Return the identifiers in Implicit VR Little Endian."""
        return [encode(one, is_implicit_vr=True, is_little_endian=True) or b"" for one in self.identifiers]


def questions() -> list[Question]:
    """Return the questions: of a scanner for its day, for the whole day, for one order."""
    return [
        Question("station and day", (_of_station(1),), PER_STATION),
        Question("whole day", (_identifier(day=f"{TODAY:%Y%m%d}"),), A_DAY),
        Question("one accession", (_identifier(accession="B7"),), 1),
    ]


def of_each_station() -> Question:
    """Return the question of scanners of which each asks for its own day; for a list that has all of today."""
    return Question("own station and day", tuple(map(_of_station, range(1, STATIONS + 1))), PER_STATION)


def _of_station(number: int) -> Dataset:
    return _identifier(ScheduledStationAETitle=f"CT{number}", Modality="CT", day=f"{TODAY:%Y%m%d}")


def _identifier(day: str = "", accession: str = "", **of_step: str) -> Dataset:
    """Return an identifier with the return keys that scanners in the field ask for."""
    step = Dataset()
    for keyword in (
        "ScheduledStationAETitle",
        "ScheduledProcedureStepStartDate",
        "Modality",
        "ScheduledProcedureStepStartTime",
        "ScheduledPerformingPhysicianName",
        "ScheduledProcedureStepDescription",
        "ScheduledStationName",
        "ScheduledProcedureStepLocation",
        "ScheduledProcedureStepID",
    ):
        setattr(step, keyword, of_step.get(keyword, ""))
    step.ScheduledProcedureStepStartDate = day
    step.ScheduledProtocolCodeSequence = []
    identifier = Dataset()
    identifier.ScheduledProcedureStepSequence = [step]
    for keyword in (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "RequestedProcedureID",
        "RequestedProcedureDescription",
        "StudyInstanceUID",
        "ReferringPhysicianName",
        "RequestingPhysician",
        "AdmissionID",
    ):
        setattr(identifier, keyword, "")
    identifier.AccessionNumber = accession
    return identifier


def starts(items: int) -> Iterator[tuple[int, int, datetime, datetime]]:
    """Give for each item its number, its scanner's, start and end."""
    morning = datetime.combine(TODAY, datetime.min.time(), UTC).replace(hour=8)
    for number in range(items):
        day, in_day = divmod(number, A_DAY)
        station, place = divmod(in_day, PER_STATION)
        start = morning + timedelta(days=day, minutes=20 * place)
        yield number, station, start, start + timedelta(minutes=10)


def data_sets(items: int) -> Iterator[Dataset]:
    """Give the items as the data sets of worklist files."""
    for number, station, start, _end in starts(items):
        step = Dataset()
        step.ScheduledStationAETitle = step.ScheduledStationName = f"CT{station + 1}"
        step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = (
            f"{start:%Y%m%d}",
            f"{start:%H%M%S}",
        )
        step.Modality, step.ScheduledProcedureStepDescription = "CT", "CT test"
        step.ScheduledProcedureStepID, step.ScheduledPerformingPhysicianName = f"S{number}", ""
        step.ScheduledProcedureStepLocation = ""
        item = Dataset()
        item.PatientName, item.PatientID = f"Bench^Person{number}", f"B{number}"
        item.PatientBirthDate, item.PatientSex = "19700101", "F"
        item.AccessionNumber, item.RequestedProcedureID = f"B{number}", f"R{number}"
        item.RequestedProcedureDescription, item.StudyInstanceUID = "CT test", f"1.2.{number}"
        item.ReferringPhysicianName = item.RequestingPhysician = item.AdmissionID = ""
        item.ScheduledProcedureStepSequence = [step]
        yield item


def write_files(folder: Path, items: int) -> None:
    """Write the items as files, as wlmscpfs and Orthanc want them."""
    folder.mkdir(parents=True)
    (folder / "lockfile").touch()
    for number, item in enumerate(data_sets(items)):
        item.file_meta = FileMetaDataset()
        item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        item.file_meta.MediaStorageSOPClassUID = UID("1.2.276.0.7230010.3.1.0.1")
        item.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        item.save_as(folder / f"{number}.wl", enforce_file_format=True)
