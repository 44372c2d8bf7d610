"""An order in, the worklist out: the whole house through its three doors, with clients that we did not write."""

import json
import re
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ris.config import PROJECT
from tests.department import Department
from tests.services import Orthanc

HERE = ZoneInfo("Europe/Berlin")
TODAY = datetime.now(HERE).date()
CATALOGUE = """
from ris.models import Exam, Site, Station
site = Site.new(code="GH", name="General Hospital", time_zone="Europe/Berlin", is_default=True)
for title, modality in (("CT1", "CT"), ("CT2", "CT"), ("MR1", "MR")):
    Station.new(ae_title=title, name=title, site=site, modality=modality, location="Ground floor")
Exam.new(code="CTHEAD", meaning="CT head", modality="CT", duration=20)
"""
HEAD = r"MSH|^~\&|HIS|GH|BUCKY|RAD|{now}||{kind}|{control_id}|P|2.3.1"
MOLNAR = "PID|||4711^^^GH^MR||Molnár^Zsófia||19710203|F"
SURVIVOR = "PID|||4712^^^GH^MR||Molnár^Zsófia Anna||19710203|F"

WANTED = {
    "0008,0050": "accession number",
    "0010,0010": "name",
    "0010,0020": "patient ID",
    "0020,000d": "study UID",
    "0032,1060": "procedure",
    "0040,0001": "station",
    "0040,0002": "date",
    "0040,0003": "time",
    "0040,0009": "step ID",
}


class Hospital:
    """The HIS of the story: sends messages with python-hl7's mllp_send."""

    def __init__(self, department: Department, directory: Path) -> None:
        self.department = department
        self.directory = directory
        self.sent = 0

    def send(self, kind: str, *segments: str) -> str:
        """Send one message and return its answer."""
        self.sent += 1
        head = HEAD.format(now=f"{datetime.now(HERE):%Y%m%d%H%M%S}", kind=kind, control_id=f"GH{self.sent}")
        file = self.directory / f"{self.sent}.hl7"
        file.write_text("\r".join((head, *segments)) + "\r", encoding="utf-8", newline="")
        command = [str(Path(sys.executable).with_name("mllp_send")), "--loose", "-p", str(self.department.mllp.port)]
        # Away from the project: python-hl7's package has the same name as one of ours.
        done = subprocess.run(
            [*command, "-f", str(file), self.department.mllp.host],
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout

    def accepted(self, kind: str, *segments: str) -> None:
        """Send one message that must be answered AA for its own control ID."""
        answer = self.send(kind, *segments)
        assert f"MSA|AA|GH{self.sent}" in answer, answer

    def order(self, control: str, *, at: str = "", placer: str = "P100") -> None:
        """Send an ORM^O01 about one CT head."""
        self.accepted(
            "ORM^O01",
            MOLNAR,
            f"ORC|{control}|{placer}^HIS|||||^^^{at}||||||77^Referrer^Rita",
            f"OBR|1|{placer}^HIS||CTHEAD^CT head^L",
        )


@pytest.fixture(scope="module")
def radiology(department: Department) -> Department:
    """A running department with two CTs and one MR."""
    department.private("Molnár", "Zsófia", "4711", "4712")
    department.manage("shell", "-v0", "-c", CATALOGUE)
    return department


@pytest.fixture
def hospital(radiology: Department, tmp_path: Path) -> Hospital:
    """The HIS that sends to it."""
    return Hospital(radiology, tmp_path)


def findscu(department: Department, station: str, day: date = TODAY) -> list[dict[str, str]]:
    """Ask as a scanner does, with DCMTK's findscu, and return the answers by what they mean."""
    keys = [f"-k ({tag})" for tag in ("0008,0050", "0010,0010", "0010,0020", "0020,000d", "0032,1060")]
    step = "ScheduledProcedureStepSequence[0]"
    keys += [f"-k {step}.{name}" for name in ("ScheduledProcedureStepStartTime", "ScheduledProcedureStepID")]
    keys += [f"-k {step}.ScheduledStationAETitle={station}"]
    keys += [f"-k {step}.ScheduledProcedureStepStartDate={day:%Y%m%d}"]
    words = " ".join(keys).split()
    call = ["-aet", station, "-aec", department.ae_title, department.dicom.host, str(department.dicom.port)]
    done = subprocess.run(["findscu", "-W", *words, *call], capture_output=True, timeout=120, check=True)
    answers = (done.stdout + done.stderr).decode().split("Find Response")[1:]
    line = re.compile(r"\(([0-9a-f]{4},[0-9a-f]{4})\) \w\w \[(.*?)\]")
    return [{WANTED[tag]: value.strip(" \0") for tag, value in line.findall(text) if tag in WANTED} for text in answers]


def test_an_order_is_on_the_list_of_three_clients(radiology: Department, hospital: Hospital) -> None:
    hospital.accepted("ADT^A04", MOLNAR, "PV1||O")
    hospital.order("NW", at=f"{TODAY:%Y%m%d}0930")

    [answer] = findscu(radiology, "CT1")

    [(accession, step_id, uid)] = radiology.rows(
        "SELECT o.accession_number, s.sps_id, p.study_instance_uid FROM ris_order o"
        " JOIN ris_requestedprocedure p ON p.order_id = o.id"
        " JOIN ris_scheduledprocedurestep s ON s.requested_procedure_id = p.id"
    )
    assert answer == {
        "accession number": accession,
        "name": "Molnár^Zsófia",
        "patient ID": "4711",
        "study UID": uid,
        "procedure": "CT head",
        "station": "CT1",
        "date": f"{TODAY:%Y%m%d}",
        "time": "093000",
        "step ID": step_id,
    }
    assert findscu(radiology, "CT1") == [answer], "asked again, the same identifiers"
    assert findscu(radiology, "CT2") == [], "nobody else's list"
    assert [a["AccessionNumber"] for a in ask_orthanc(radiology)] == [accession]
    assert [a["AccessionNumber"] for a in ask_dcmjs(radiology)] == [accession]


def ask_orthanc(department: Department) -> list[dict[str, object]]:
    """Ask through Orthanc's find-worklist."""
    called = (department.ae_title, department.dicom.host, department.dicom.port)
    with Orthanc(ae_title="CT1", called=called) as orthanc:
        step = {"ScheduledStationAETitle": "CT1", "ScheduledProcedureStepStartDate": f"{TODAY:%Y%m%d}"}
        return orthanc.find_worklist(
            {"AccessionNumber": "", "PatientName": "", "ScheduledProcedureStepSequence": [step]}
        )


def ask_dcmjs(department: Department) -> list[dict[str, object]]:
    """Ask through dcmjs-dimse."""
    done = subprocess.run(
        ["node", "find_worklist.js", department.dicom.host, str(department.dicom.port), "CT1", department.ae_title],
        cwd=PROJECT / "tests" / "peers",
        input=json.dumps({"ScheduledStationAETitle": "CT1", "ScheduledProcedureStepStartDate": f"{TODAY:%Y%m%d}"}),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answers: list[dict[str, object]] = json.loads(done.stdout)
    return answers


def test_every_change_is_on_the_next_query(radiology: Department, hospital: Hospital) -> None:
    tomorrow = TODAY + timedelta(days=1)
    hospital.accepted("ADT^A04", MOLNAR, "PV1||O")
    hospital.order("NW", placer="P200", at=f"{tomorrow:%Y%m%d}0800")
    [before] = findscu(radiology, "CT1", tomorrow)

    hospital.order("XO", placer="P200", at=f"{tomorrow:%Y%m%d}1045")
    [moved] = findscu(radiology, "CT1", tomorrow)
    assert moved == before | {"time": "104500"}

    hospital.accepted("ADT^A08", MOLNAR.replace("Molnár^Zsófia", "Molnár-Kiss^Zsófia"), "PV1||O")
    [renamed] = findscu(radiology, "CT1", tomorrow)
    assert renamed == moved | {"name": "Molnár-Kiss^Zsófia"}

    hospital.accepted("ADT^A40", SURVIVOR, "MRG|4711^^^GH^MR")
    [merged] = findscu(radiology, "CT1", tomorrow)
    assert merged == moved | {"name": "Molnár^Zsófia Anna", "patient ID": "4712"}

    hospital.order("CA", placer="P200")
    assert findscu(radiology, "CT1", tomorrow) == []
