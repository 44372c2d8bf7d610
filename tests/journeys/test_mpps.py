"""Scanners tell the running department what they perform, and an archive is told; whatever dies in between.

The scanner is pynetdicom, as in `manage.py scanner`: DCMTK's public tools send no MPPS.
"""

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydicom.uid import generate_uid

from tests.conftest import MakeDepartment
from tests.department import Department
from tests.waiting import wait_until
from tests.worklist.archive import FakeArchive
from worklist import scanner
from worklist.negotiation import PERFORMED_STEP
from worklist.scu import Called, calling

ZONE = ZoneInfo("Europe/Berlin")
CAST = """
from datetime import datetime
from ris.actions import orders, patients
from ris.actions.requests import ProcedureRequest
from ris.actor import system
from ris.models import Site, Station
from worklist.models import Archive
by = system("journey")
site = Site.new(code="H", name="Hospital", time_zone="Europe/Berlin", is_default=True)
ct = Station.new(ae_title="CT1", name="CT1", site=site, modality="CT")
Archive.objects.create(name="PACS", ae_title="PACS", host="127.0.0.1", port={port})
for hour, accession in enumerate(("SIMPLE", "GROUP1", "GROUP2", "APPEND", "ABANDON", "UNSCHED", "KILLED"), start=8):
    known = [patients.Identifier(f"N{{accession}}", "HIS")]
    patient = patients.register(by=by, identifiers=known, patient_name=f"Secretname^{{accession.title()}}")
    start = datetime.now(site.zone).replace(hour=hour, minute=0, second=0, microsecond=0)
    wish = ProcedureRequest(code="X", meaning="Exam", modality="CT", station=ct, start=start)
    orders.place(by=by, patient=patient, requests=[wish], site=site, accession_number=accession)
"""
LINK = """
from ris.actions import performed
from ris.actor import system
from ris.models import PerformedProcedureStep, ScheduledProcedureStep
step = ScheduledProcedureStep.objects.get(requested_procedure__order__accession_number="UNSCHED")
performed.link(by=system("journey"), performed=PerformedProcedureStep.objects.waiting().get(), step=step)
"""

STUDIES = """
SELECT p.study_instance_uid = d.study_instance_uid FROM ris_performedlink l
JOIN ris_performedprocedurestep d ON l.performed_id = d.id JOIN ris_scheduledprocedurestep s ON l.step_id = s.id
JOIN ris_requestedprocedure p ON s.requested_procedure_id = p.id WHERE l.linked_by = 'PERSON'
"""
APPENDED = """
SELECT d.sop_instance_uid, d.state FROM ris_performedlink l
JOIN ris_performedprocedurestep d ON l.performed_id = d.id JOIN ris_scheduledprocedurestep s ON l.step_id = s.id
JOIN ris_requestedprocedure p ON s.requested_procedure_id = p.id JOIN ris_order o ON p.order_id = o.id
WHERE o.accession_number = 'APPEND'
"""
WRONG_ENTRY = "110514"
BAD: list[tuple[str, Any, int]] = [
    ("PerformedProcedureStepStatus", "COMPLETED", 0x0106),
    ("PerformedProcedureStepStatus", None, 0x0120),
    ("PerformedProcedureStepStartDate", "20269999", 0x0106),
    ("PerformedStationAETitle", None, 0x0120),
    ("PerformedStationAETitle", "", 0x0121),
    ("ScheduledStepAttributesSequence", None, 0x0120),
]
"""An attribute of an N-CREATE, a value that it must not have (None: it is missing), and how that is refused."""


def states(department: Department) -> dict[str, str]:
    """Return accession number -> state of its step."""
    rows = department.rows(
        "SELECT o.accession_number, s.state FROM ris_scheduledprocedurestep s"
        " JOIN ris_requestedprocedure p ON s.requested_procedure_id = p.id JOIN ris_order o ON p.order_id = o.id"
    )
    return dict(rows)


def called_by_ct1(department: Department) -> Called:
    return Called(department.dicom.host, department.dicom.port, department.ae_title, "CT1")


def send(department: Department, uid: str, told: Any) -> int:
    """Send an N-CREATE or N-SET by its content; the status."""
    with calling(called_by_ct1(department), PERFORMED_STEP) as assoc:
        ask = assoc.send_n_create if "Modality" in told else assoc.send_n_set
        return int(ask(told, PERFORMED_STEP, uid)[0].Status)


def listed(department: Department, *accessions: str) -> list[scanner.Entry]:
    """Ask for these entries of the worklist; each must be there."""
    day = f"{datetime.now(ZONE):%Y%m%d}"
    found = [entry for entry in scanner.worklist(called_by_ct1(department), day) if set(entry.names) & set(accessions)]
    assert len(found) == len(accessions)
    return found


def perform(
    department: Department, *accessions: str, end: str = "COMPLETED", entries: list[scanner.Entry] | None = None
) -> str:
    """Perform entries of the worklist, those of a list that the scanner has kept, or none; the UID of the step."""
    uid, now = generate_uid(prefix=None), datetime.now(ZONE)
    entries = entries or listed(department, *accessions)
    assert send(department, uid, scanner.beginning("CT1", "CT", entries, now)) == 0
    if end:
        reason = end if end.isdigit() else ""
        assert send(department, uid, scanner.ending(now, images=2, reason=reason)) == 0
    return uid


def bad_reports_are_refused_and_change_nothing(department: Department, entries: list[scanner.Entry]) -> None:
    """Send what must not be taken; the door goes on."""
    before = states(department), department.rows("SELECT count(*) FROM ris_performedprocedurestep")
    for keyword, value, status in BAD:
        told = scanner.beginning("CT1", "CT", entries, datetime.now(ZONE))
        delattr(told, keyword)
        if value is not None:
            setattr(told, keyword, value)
        assert send(department, generate_uid(prefix=None), told) == status, keyword
    assert (states(department), department.rows("SELECT count(*) FROM ris_performedprocedurestep")) == before


def test_the_day_of_a_scanner_and_its_archive_through_a_kill(make_department: MakeDepartment) -> None:
    with FakeArchive() as pacs:
        department = make_department()
        department.private("Secretname", "NSIMPLE", "NUNSCHED")
        done = department.manage("shell", "-v0", "-c", CAST.format(port=pacs.port))
        assert done.returncode == 0, done.stderr

        played = department.manage("scanner", "CT1", "--pick", "SIMPLE")
        assert re.search(r"in progress +2\.25\.[0-9]+\ncompleted", played.stdout), played.stderr
        perform(department, "GROUP1", "GROUP2")
        kept = listed(department, "APPEND")
        first = perform(department, entries=kept)
        more = perform(department, entries=kept, end="")
        assert states(department)["APPEND"] == "COMPLETED", "what is done stays done while more is added"
        assert send(department, more, scanner.ending(datetime.now(ZONE), images=1)) == 0
        assert sorted(department.rows(APPENDED)) == sorted([(first, "COMPLETED"), (more, "COMPLETED")])
        perform(department, "ABANDON", end=WRONG_ENTRY)
        perform(department)
        done_so_far = ("SIMPLE", "GROUP1", "GROUP2", "APPEND")
        waiting = ("ABANDON", "UNSCHED", "KILLED")
        assert states(department) == {**dict.fromkeys(done_so_far, "COMPLETED"), **dict.fromkeys(waiting, "SCHEDULED")}
        bad_reports_are_refused_and_change_nothing(department, kept)
        linked = department.manage("shell", "-v0", "-c", LINK)
        assert linked.returncode == 0, linked.stderr
        assert states(department)["UNSCHED"] == "COMPLETED"
        assert department.rows(STUDIES) == [(True,)] or department.rows(STUDIES) == [(1,)]

        uid = perform(department, "KILLED", end="")
        department.kill("dicom")
        assert department.wait() == 137
        department.start()
        assert states(department)["KILLED"] == "STARTED", "it was acknowledged, so it is there"
        now = datetime.now(ZONE)
        assert send(department, uid, scanner.beginning("CT1", "CT", [], now)) == 0x0111
        assert send(department, uid, scanner.ending(now, images=2)) == 0
        assert send(department, uid, scanner.ending(now, images=2)) == 0x0110
        assert send(department, generate_uid(prefix=None), scanner.ending(now, images=2)) == 0x0112
        assert states(department)["KILLED"] == "COMPLETED"
        left = "SELECT count(*) FROM worklist_forwarding WHERE state <> 'SENT'"
        # A worker that was killed in the middle holds the archive until its claim is over.
        wait_until(lambda: department.rows(left) == [(0,)], seconds=240, what="the archive to have all")
        assert sorted(pacs.uids[-2:]) == [("N-CREATE", uid), ("N-SET", uid)]
        assert len(set(pacs.uids)) == len(pacs.uids) == 2 * 7
        department.stop()
