"""A device over HTTP asks the running department, with data sets by dcmjs, beside one over DIMSE."""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from ris.config import PROJECT
from tests.department import Department

TODAY = f"{datetime.now(ZoneInfo('Europe/Berlin')):%Y%m%d}"
CAST = f"""
from datetime import datetime
from ris.actions import orders, patients
from ris.actions.requests import ProcedureRequest
from ris.actor import system
from ris.models import Site, Station
by = system("journey")
site = Site.new(code="H", name="Hospital", time_zone="Europe/Berlin", is_default=True)
ct = Station.new(ae_title="CT1", name="CT1", site=site, modality="CT")
day = datetime.strptime({TODAY!r}, "%Y%m%d").replace(tzinfo=site.zone)
for hour, name in enumerate(("Wałęsa^Łucja", "Müller^Jürgen", "Иванов^Пётр"), start=8):
    known = [patients.Identifier(f"40{{hour:02}}", "HIS")]
    patient = patients.register(by=by, identifiers=known, patient_name=name)
    wish = ProcedureRequest(code="X", meaning="Exam", modality="CT", station=ct, start=day.replace(hour=hour))
    orders.place(by=by, patient=patient, requests=[wish], site=site)
"""
UID = "2.25.4711"
SAME = ("PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID", "RequestedProcedureID")


def node(program: str, keys: dict[str, str], *words: str) -> Any:
    """Run one of the peers' programs; what it printed."""
    done = subprocess.run(
        ["node", f"tests/peers/{program}", *words],
        input=json.dumps(keys),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_device_over_http_gets_what_a_scanner_gets_and_performs_it(department: Department) -> None:
    department.private("Wałęsa", "Łucja", "Müller", "Иванов", "4008", "4009", "4010")
    assert department.manage("shell", "-v0", "-c", CAST).returncode == 0
    made = department.manage("api_token", "Gateway", "CT1", "--report")
    assert made.returncode == 0, made.stderr
    token, base = made.stdout.strip(), f"{department.url}dicomweb/"
    department.private(token)

    keys = {"ScheduledStationAETitle": "CT1", "ScheduledProcedureStepStartDate": TODAY}
    scanner = node("find_worklist.js", keys, *_dicom(department))
    device = node("dicomweb.mjs", keys, base, token, UID)
    assert len(scanner) == len(device["found"]) == 3
    for theirs, ours in zip(scanner, device["found"], strict=True):
        (their_step,) = theirs.pop("ScheduledProcedureStepSequence")
        (our_step,) = ours["ScheduledProcedureStepSequence"]
        assert their_step.items() <= our_step.items()
        assert [_plain(theirs, name) for name in SAME] == [_plain(ours, name) for name in SAME]

    assert device["statuses"] == [201, 200, 409]
    assert device["performed"]["PerformedProcedureStepStatus"] == "COMPLETED"
    assert department.rows("SELECT state, pps_id FROM ris_performedprocedurestep") == [("COMPLETED", "WEB1")]
    states = department.rows("SELECT state FROM ris_scheduledprocedurestep ORDER BY start")
    assert states == [("COMPLETED",), ("SCHEDULED",), ("SCHEDULED",)]
    asked = department.rows("SELECT called_ae_title, matches, status FROM worklist_querylog ORDER BY id")
    assert ("DICOMweb", 3, "0000") in asked

    # What is refused is refused in words, and no name reaches the output: `department` looks for them at its end.
    for query in ("PatientName=Müller&limit=Müller", "PatientName=%FFMüller", "Müller=Müller"):
        address = f"{base}modality-scheduled-procedure-steps?{urllib.parse.quote(query, safe='=&%')}"
        assert _status(address, token) == 400
    assert _status(f"{base}modality-performed-procedure-steps/Müller", token) == 400
    assert _status(f"{base}modality-scheduled-procedure-steps?PatientName=Müller", f"{token}x") == 401


def _dicom(department: Department) -> tuple[str, ...]:
    return department.dicom.host, str(department.dicom.port), "CT1", department.ae_title


def _plain(data_set: dict[str, Any], name: str) -> str:
    """Return a value that both programs know: a name is a text over DIMSE and component groups over HTTP."""
    value = data_set[name]
    if isinstance(value, list):
        value = value[0]
    return str(value["Alphabetic"] if isinstance(value, dict) else value)


def _status(address: str, token: str) -> int:
    opener = urllib.request.build_opener()
    opener.addheaders = [("Authorization", f"Bearer {token}")]
    try:
        with opener.open(urllib.parse.quote(address, safe=":/?=&%"), timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code
