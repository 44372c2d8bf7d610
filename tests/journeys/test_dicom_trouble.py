"""The DICOM door when things break around it."""

import socket
import subprocess
from datetime import UTC, datetime

from pydicom.uid import generate_uid

from tests.conftest import MakeDepartment
from tests.department import Department
from tests.journeys.test_dicom_peers import CAST, NAMES, call, findscu, values
from tests.services import Postgres
from tests.waiting import wait_until
from worklist.negotiation import PERFORMED_STEP
from worklist.scanner import beginning
from worklist.scu import Called, calling


def test_a_database_that_is_away_is_never_an_empty_list(
    own_postgres: Postgres, make_department: MakeDepartment
) -> None:
    department = make_department(DATABASE_URL=own_postgres.new_database())
    assert department.manage("shell", "-v0", "-c", CAST).returncode == 0
    department.private("Müller", "Иванов")
    before = values(findscu(department, "-k", "PatientID"), "0010,0020")
    assert before == [*NAMES, "4010"]

    uid, told = generate_uid(prefix=None), beginning("CT1", "CT", [], datetime.now(UTC))

    def report() -> int:
        called = Called(department.dicom.host, department.dicom.port, department.ae_title, "CT1")
        with calling(called, PERFORMED_STEP) as assoc:
            return int(assoc.send_n_create(told, PERFORMED_STEP, uid)[0].Status)

    own_postgres.stop()
    assert report() == 0x0213
    printed = findscu(department, "-k", "PatientID")
    assert "OutOfResources" in printed, printed
    assert "Success" not in printed
    subprocess.run(["echoscu", *call(department, "CT1")], check=True, timeout=120)

    own_postgres.start()
    assert values(findscu(department, "-k", "PatientID"), "0010,0020") == before
    assert [report(), report()] == [0, 0x0111], "nothing of it was kept, so the scanner may send it again"
    logged = "SELECT count(*) FROM worklist_querylog WHERE status = 'A700'"
    wait_until(lambda: department.rows(logged) == [(1,)], what="the failed query in the log")


def garbage(department: Department, data: bytes) -> socket.socket:
    peer = socket.create_connection(department.dicom, timeout=60)
    peer.sendall(data)
    return peer


def test_hostile_peers_and_strangers_beside_a_scanner_and_a_quick_stop(make_department: MakeDepartment) -> None:
    department = make_department(BUCKY_UNKNOWN_CALLERS="refuse")
    assert department.manage("shell", "-v0", "-c", CAST).returncode == 0
    peers = [
        garbage(department, data) for data in (b"", b"\x01\x00\x00", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 500) * 10
    ]
    assert values(findscu(department, "-k", "PatientID"), "0010,0020") == [*NAMES, "4010"]
    refused = subprocess.run(
        ["echoscu", *call(department, "STRANGER")], capture_output=True, text=True, timeout=120, check=False
    )
    assert "Calling AE Title Not Recognized" in refused.stdout + refused.stderr
    department.stop()
    assert "dicom stopped (exit code 0)" in department.output, "it was not killed: nobody kept it waiting"
    for peer in peers:
        peer.close()
