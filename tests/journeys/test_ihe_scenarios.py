"""The department's half of IHE's Order Filler scenarios that comes in by HL7, told on one running department.

The HIS sends over MLLP, scanners ask and report with pynetdicom and DCMTK. The numbers are those of IHE's public test
scenarios for Scheduled Workflow.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import generate_uid

from hl7.sender import Sender
from tests.department import Department
from tests.messages import mrg, msh, obr, orc, pid, pv1, segment
from tests.messages import send as written
from worklist import scanner
from worklist.negotiation import MODALITY_WORKLIST_FIND, PERFORMED_STEP
from worklist.scanner import Entry
from worklist.scu import Called, calling

HERE = ZoneInfo("Europe/Berlin")
NOW = datetime.now(HERE)
TODAY = f"{NOW:%Y%m%d}"
CATALOGUE = """
from ris.models import Exam, ExamStep, ProtocolCode, Site, Station
site = Site.new(code="GH", name="General Hospital", time_zone="Europe/Berlin", is_default=True)
for title in ("CT1", "CT2"):
    Station.new(ae_title=title, name=title, site=site, modality="CT")
Exam.new(code="P1", meaning="CT head", modality="CT", duration=20)
two = Exam.new(code="P3", meaning="CT trunk", modality="CT", duration=40)
for number, codes in ((1, ("X3A",)), (2, ("X3B", "X3C"))):
    ExamStep.new(exam=two, number=number, description=f"Part {number}", modality="CT", duration=20)
    for code in codes:
        ProtocolCode.new(exam=two, step_number=number, code=code, meaning=f"Protocol {code}")
"""
CANCEL = """
from ris.actions import orders
from ris.models import Order
orders.cancel(by=by, order=Order.objects.get(placer_order_number={placer!r}), reason="scanner down")
"""
PLACE = """
from datetime import datetime
from ris.actions import orders
from ris.actions.requests import ProcedureRequest
from ris.models import Exam, Patient, Station, Visit
patient = Patient.objects.get(identifiers__value={patient!r}).survivor()
start = datetime.now(patient_zone).replace(hour={hour}, minute=0, second=0, microsecond=0)
wish = ProcedureRequest(exam=Exam.objects.get(code="P1"), start=start, station=Station.objects.get(ae_title="CT1"))
order = orders.place(by=by, patient=patient, requests=[wish], visit=Visit.objects.filter(patient=patient).last())
"""
LINK = """
from ris.actions import performed
from ris.models import PerformedProcedureStep, ScheduledProcedureStep
done = PerformedProcedureStep.objects.waiting().get()
performed.link(by=by, performed=done, step=ScheduledProcedureStep.objects.get(requested_procedure__order=order))
"""
DESK = """
from zoneinfo import ZoneInfo
from ris.actor import system
by, patient_zone = system("desk"), ZoneInfo("Europe/Berlin")
"""
ORDERS = """
SELECT o.placer_order_number, o.accession_number, o.state, o.attention, p.study_instance_uid, i.value, q.patient_name
FROM ris_order o JOIN ris_requestedprocedure p ON p.order_id = o.id JOIN ris_patient q ON o.patient_id = q.id
JOIN ris_patientidentifier i ON i.patient_id = q.id ORDER BY o.id
"""
WRONG_ENTRY = "110514"
ASKED = (
    *("PatientName", "PatientID", "AccessionNumber", "RequestedProcedureID", "StudyInstanceUID"),
    *("RequestedProcedureDescription", "AdmissionID", "ReferencedStudySequence"),
)
ASKED_OF_STEP = (
    "ScheduledProcedureStepStartTime",
    "ScheduledProcedureStepID",
    "ScheduledProtocolCodeSequence",
    "Modality",
)
JAPANESE = "ISO IR6~ISO IR87"


class Row(NamedTuple):
    """An order in the database, with its patient."""

    placer: str
    accession: str
    state: str
    attention: str
    study: str
    number: str
    name: str


class Hospital:
    """HIS, front desk and scanner CT1 of the stories."""

    def __init__(self, department: Department) -> None:
        self.department = department
        self.called = Called(department.dicom.host, department.dicom.port, department.ae_title, "CT1")
        self._sender = Sender(department.mllp)

    def close(self) -> None:
        self._sender.close()

    def send(self, kind: str, *segments: str, charset: str = "UNICODE UTF-8") -> None:
        """Send a message that must be accepted."""
        codec = "iso2022_jp" if charset == JAPANESE else "utf-8"
        head = msh(kind, version="2.3.1", charset=charset)
        answer = self._sender.send(written(head, *segments, encoding=codec))
        assert answer["MSA"].get("1") == "AA", [one.raw for one in answer]

    def order(self, person: str, placer: str, hour: int, *, code: str = "P1", charset: str = "UNICODE UTF-8") -> None:
        """Send a new order for CT1, today at a full hour."""
        start = orc("NW", placer, start=f"{TODAY}{hour:02d}00", fields={18: "CT1"})
        self.send("ORM^O01", person, start, obr(f"{code}^Exam^L", placer), charset=charset)

    def desk(self, *scripts: str) -> None:
        """Do something at the desk."""
        done = self.department.manage("shell", "-v0", "-c", DESK + "".join(scripts))
        assert done.returncode == 0, done.stderr

    def worklist(self, number: str) -> list[Entry]:
        """Ask as CT1 for today's steps of a patient."""
        identifier, step = Dataset(), Dataset()
        for keyword in ASKED:
            setattr(identifier, keyword, None)
        for keyword in ASKED_OF_STEP:
            setattr(step, keyword, None)
        step.ScheduledStationAETitle, step.ScheduledProcedureStepStartDate = "CT1", TODAY
        identifier.PatientID = number
        identifier.ScheduledProcedureStepSequence = Items([step])
        with calling(self.called, MODALITY_WORKLIST_FIND) as assoc:
            answers = [answer for _, answer in assoc.send_c_find(identifier, MODALITY_WORKLIST_FIND) if answer]
        return sorted(map(Entry, answers), key=lambda entry: str(entry.step.ScheduledProcedureStepStartTime))

    def names(self, number: str) -> list[str]:
        """Ask for the patient names of today's steps of a patient."""
        return [str(entry.answer.PatientName) for entry in self.worklist(number)]

    def perform(self, *entries: Entry, end: str = "COMPLETED", number: str = "") -> str:
        """Report by MPPS what CT1 does for these entries, or without any; returns the study UID."""
        told = scanner.beginning("CT1", "CT", entries, NOW)
        if number:
            told.PatientID = number
        uid = generate_uid(prefix=None)
        with calling(self.called, PERFORMED_STEP) as assoc:
            assert assoc.send_n_create(told, PERFORMED_STEP, uid)[0].Status == 0
            ending = scanner.ending(NOW, images=2, reason=end if end.isdigit() else "")
            assert assoc.send_n_set(ending, PERFORMED_STEP, uid)[0].Status == 0
        return str(told.ScheduledStepAttributesSequence[0].StudyInstanceUID)

    def orders(self, number: str) -> list[Row]:
        """Return the orders of a patient, the oldest first."""
        rows = (Row(*row) for row in self.department.rows(ORDERS))
        return [row for row in rows if row.number == number]


@pytest.fixture(scope="module")
def hospital(department: Department) -> Iterator[Hospital]:
    """One running department and all who deal with it."""
    department.private("Rosenbaum", "Whitfield", "山田")
    done = department.manage("shell", "-v0", "-c", CATALOGUE)
    assert done.returncode == 0, done.stderr
    running = Hospital(department)
    yield running
    running.close()


LATIN = ("Rosenbaum^Clara", "UNICODE UTF-8")
KANJI = ("YAMADA^TAROU=山田^太郎=やまだ^たろう", JAPANESE)


@pytest.mark.parametrize(("name", "charset", "case"), [(*LATIN, "131"), (*KANJI, "141")])
def test_131_and_141_an_outpatient_is_ordered_listed_and_done(
    hospital: Hospital, name: str, charset: str, case: str
) -> None:
    person = pid(f"N{case}", name)
    hospital.send("ADT^A04", "EVN|A04", person, pv1(f"V{case}"), charset=charset)
    hospital.order(person, f"P{case}", 9 if case == "131" else 10, charset=charset)
    (entry,) = hospital.worklist(f"N{case}")
    answer = entry.answer
    assert str(answer.PatientName) == name
    assert (answer.RequestedProcedureDescription, entry.step.Modality) == ("Exam", "CT")
    assert answer.ReferencedStudySequence[0].ReferencedSOPInstanceUID == answer.StudyInstanceUID
    assert len(answer.AccessionNumber) <= 16
    hospital.perform(entry)
    assert (hospital.worklist(f"N{case}"), hospital.orders(f"N{case}")[0].state) == ([], "COMPLETED")


def test_132_and_142_the_department_cancels_and_orders_another(hospital: Hospital) -> None:
    cases = {"132": LATIN, "142": KANJI}
    for case, (name, charset) in cases.items():
        person = pid(f"N{case}", name)
        hospital.send("ADT^A01", "EVN|A01", person, pv1(f"V{case}"), charset=charset)
        hospital.order(person, f"P{case}", 11 if case == "132" else 12, charset=charset)
        assert hospital.names(f"N{case}") == [name]
    hours = {"132": 13, "142": 14}
    hospital.desk(
        *(CANCEL.format(placer=f"P{case}") for case in cases),
        *(PLACE.format(patient=f"N{case}", hour=hours[case]) for case in cases),
    )
    for case, (name, charset) in cases.items():
        (entry,) = hospital.worklist(f"N{case}")
        numbered = orc("NA", f"Q{case}", fields={3: str(entry.answer.AccessionNumber)})
        hospital.send("ORM^O01", numbered, charset=charset)
        hospital.send("ADT^A03", "EVN|A03", pid(f"N{case}", name), pv1(f"V{case}"), charset=charset)
        assert hospital.names(f"N{case}") == [name], "a discharge cancels nothing"
        told = [(row.placer, row.state, row.attention) for row in hospital.orders(f"N{case}")]
        assert told == [(f"P{case}", "CANCELED", ""), (f"Q{case}", "SCHEDULED", "discharged")]


def test_133_an_unknown_patient_ordered_here_is_merged_after_the_exam(hospital: Hospital) -> None:
    hospital.send("ADT^A04", "EVN|A04", pid("N133", "Doe^J2"), pv1("V133"))
    hospital.desk(PLACE.format(patient="N133", hour=15))
    (entry,) = hospital.worklist("N133")
    accession = str(entry.answer.AccessionNumber)
    hospital.send("ORM^O01", orc("NA", "P133", fields={3: accession}))
    hospital.perform(entry)
    known = pid("N1330", "Whitfield^Rose")
    hospital.send("ADT^A04", "EVN|A04", known, pv1("V1330"))
    hospital.send("ADT^A40", "EVN|A40", known, mrg("N133"))
    assert [row.accession for row in hospital.orders("N1330")] == [accession]
    hospital.order(pid("N133", "Doe^J2"), "P1331", 16)
    assert hospital.names("N1330") == ["Whitfield^Rose"], "a late order with the old number finds who stayed"


def test_103_an_unknown_patient_is_named_after_the_exam(hospital: Hospital) -> None:
    hospital.send("ADT^A04", "EVN|A04", pid("N103", "Doe^J1", birth_date="", sex=""), pv1("V103"))
    hospital.order(pid("N103", "Doe^J1"), "P103", 17)
    (entry,) = hospital.worklist("N103")
    hospital.perform(entry)
    hospital.order(pid("N103", "Doe^J1"), "P1031", 18)
    hospital.send("ADT^A08", "EVN|A08", pid("N103", "Whitfield^Max", "19700101", "M"), pv1("V103"))
    assert hospital.names("N103") == ["Whitfield^Max"]
    assert [row.state for row in hospital.orders("N103")] == ["COMPLETED", "SCHEDULED"]


def test_104_one_procedure_is_two_steps_with_three_protocols(hospital: Hospital) -> None:
    hospital.order(pid("N104", "Rosenbaum^Ida"), "P104", 19, code="P3")
    first, second = hospital.worklist("N104")
    assert first.answer.StudyInstanceUID == second.answer.StudyInstanceUID
    codes = [[item.CodeValue for item in entry.step.ScheduledProtocolCodeSequence] for entry in (first, second)]
    assert codes == [["X3A"], ["X3B", "X3C"]]
    hospital.perform(first)
    assert [entry.names[0] for entry in hospital.worklist("N104")] == [second.names[0]]
    assert hospital.orders("N104")[0].state == "IN_PROGRESS"
    hospital.perform(second)
    assert hospital.orders("N104")[0].state == "COMPLETED"


def test_105_an_exam_comes_before_its_order_and_the_order_has_its_study(hospital: Hospital) -> None:
    hospital.send("ADT^A04", "EVN|A04", pid("N105", "Doe^J3"), pv1("V105"))
    study = hospital.perform(number="N105")
    hospital.desk(PLACE.format(patient="N105", hour=20), LINK)
    (order,) = hospital.orders("N105")
    assert order.study == study
    hospital.send("ADT^A08", "EVN|A08", pid("N105", "Whitfield^Ann"), pv1("V105"))
    assert [row.name for row in hospital.orders("N105")] == ["Whitfield^Ann"]
    assert hospital.worklist("N105") == []


def test_109_an_exam_begun_from_the_wrong_entry_is_on_the_list_again(hospital: Hospital) -> None:
    hospital.order(pid("N109", "Rosenbaum^Karl"), "P109", 21)
    (entry,) = hospital.worklist("N109")
    hospital.perform(entry, end=WRONG_ENTRY)
    (again,) = hospital.worklist("N109")
    assert again.names == entry.names
    hospital.perform(again)
    assert hospital.worklist("N109") == []


def test_151_152_153_an_appointment_is_booked_moved_and_cancelled(hospital: Hospital, tmp_path: Path) -> None:
    department = hospital.department

    def schedule(event: str, hour: int) -> None:
        """Send a SIU with mllp_send of python-hl7."""
        start = f"{TODAY}{hour:02d}30"
        raw = written(
            msh(f"SIU^{event}", version="2.4"),
            segment("SCH", {1: "A151", 26: "P151", 6: "^Patient called"}),
            pid("N151", "Rosenbaum^Lea"),
            "RGS|1",
            segment("AIS", {1: "1", 3: "P1^CT head^L", 4: start}),
            segment("AIG", {1: "1", 3: "CT1"}),
        )
        file = tmp_path / f"{event}.hl7"
        file.write_bytes(raw)
        command = [str(Path(sys.executable).with_name("mllp_send")), "--loose", "-p", str(department.mllp.port)]
        done = subprocess.run(
            [*command, "-f", str(file), department.mllp.host],
            cwd=tmp_path,  # away from the project: python-hl7's package has the same name as one of ours
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert "MSA|AA|" in done.stdout, done.stdout

    def times() -> list[str]:
        """Ask with DCMTK's findscu when the patient is expected at CT1."""
        keys = [
            "PatientID=N151",
            *(
                f"ScheduledProcedureStepSequence[0].{key}"
                for key in (
                    "ScheduledStationAETitle=CT1",
                    f"ScheduledProcedureStepStartDate={TODAY}",
                    "ScheduledProcedureStepStartTime",
                )
            ),
        ]
        call = ["-aet", "CT1", "-aec", department.ae_title, department.dicom.host, str(department.dicom.port)]
        asked = [word for key in keys for word in ("-k", key)]
        done = subprocess.run(["findscu", "-W", *asked, *call], capture_output=True, timeout=120, check=True)
        answers = (done.stdout + done.stderr).decode().split("Find Response")[1:]
        return [text.partition("(0040,0003) TM [")[2].partition("]")[0].strip() for text in answers]

    hospital.send("ORM^O01", pid("N151", "Rosenbaum^Lea"), orc("NW", "P151"), obr("P1^CT head^L", "P151"))
    assert times() == []
    schedule("S12", 6)
    assert times() == ["063000"]
    schedule("S13", 7)
    assert times() == ["073000"]
    schedule("S15", 7)
    assert (times(), hospital.orders("N151")[0].state) == ([], "REQUESTED")
