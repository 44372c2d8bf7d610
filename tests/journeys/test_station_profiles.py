"""Scanners of different tongues: each gets the same patient in the letters that it can read."""

import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import ModalityWorklistInformationFind  # type: ignore[attr-defined]

from tests.department import Department
from tests.waiting import wait_until
from tests.worklist.asking import keys

CAST = """
from datetime import datetime
from ris.actions import orders, patients
from ris.actions.requests import ProcedureRequest
from ris.actor import system
from ris.models import Site, Station
from worklist.models import StationProfile
by = system("journey")
site = Site.new(code="H", name="Hospital", time_zone="Europe/Berlin", is_default=True)
ct = Station.new(ae_title="CT1", name="CT1", site=site, modality="CT")
def place(number, hour, **name):
    patient = patients.register(by=by, identifiers=[patients.Identifier(number, "HIS")], **name)
    start = datetime.now(site.zone).replace(hour=hour)
    wish = ProcedureRequest(code="X", meaning="Exam", modality="CT", station=ct, start=start)
    orders.place(by=by, patient=patient, requests=[wish], site=site)
place("4711", 8, patient_name="", patient_name_ideographic="山田^太郎", patient_name_phonetic="やまだ^たろう")
place("4712", 9, patient_name="Müller^Łukasz")
StationProfile.objects.create(name="Nihon", callers="NIHON", character_set="\\\\ISO 2022 IR 87")
StationProfile.objects.create(name="Latin", callers="LATIN*", character_set="ISO_IR 100")
"""
YAMADA = "=山田^太郎=やまだ^たろう"


@pytest.fixture
def abroad(department: Department) -> Department:
    """A running department with a Japanese and a German patient, and what was agreed with two scanners."""
    department.private("山田", "太郎", "Yamada", "Müller", "Łukasz", "Lukasz", "Muller")
    done = department.manage("shell", "-v0", "-c", CAST)
    assert done.returncode == 0, done.stderr
    return department


def by_dcmtk(department: Department, calling: str, into: Path) -> list[Dataset]:
    """Ask with findscu for CT1's list, and read the answers that it keeps."""
    into.mkdir()
    step = "ScheduledProcedureStepSequence[0].ScheduledStationAETitle=CT1"
    asked = ["-k", "PatientName", "-k", "PatientID", "-k", step]
    where = ["-aet", calling, "-aec", department.ae_title, department.dicom.host, str(department.dicom.port)]
    subprocess.run(["findscu", "-W", "-X", *asked, *where], cwd=into, capture_output=True, timeout=120, check=True)
    return [dcmread(path, force=True) for path in sorted(into.glob("rsp*.dcm"))]


def by_pynetdicom(department: Department, calling: str, *, fuzzy: bool = False, name: str = "") -> list[Dataset]:
    """Ask with pynetdicom for CT1's list; fuzzy: after extended negotiation."""
    wish = SOPClassExtendedNegotiation()
    wish.sop_class_uid, wish.service_class_application_information = ModalityWorklistInformationFind, b"\1\1\1\1\1\1\1"
    ae = AE(calling)
    ae.add_requested_context(ModalityWorklistInformationFind)
    association = ae.associate(
        department.dicom.host, department.dicom.port, ae_title=department.ae_title, ext_neg=[wish] if fuzzy else []
    )
    if fuzzy:
        assert association.acceptor.sop_class_extended == {ModalityWorklistInformationFind: b"\1\1\1\0\0\1\1"}
    asked = keys(PatientName=name, PatientID=None, ScheduledStationAETitle="CT1")
    try:
        return [found for _, found in association.send_c_find(asked, ModalityWorklistInformationFind) if found]
    finally:
        association.release()


def names(answers: list[Dataset]) -> dict[str, tuple[str, list[str]]]:
    """Return the names as a scanner reads them, and the character sets, by patient ID."""
    found = {}
    for one in answers:
        told = one.get("SpecificCharacterSet") or []
        found[str(one.PatientID)] = (str(one.PatientName), [told] if isinstance(told, str) else list(told))
    return found


JAPANESE = {"4711": (YAMADA, ["", "ISO 2022 IR 87"]), "4712": ("Muller^Lukasz", [])}
WESTERN = {"4711": ("Yamada^Tarou", []), "4712": ("Müller^Lukasz", ["ISO_IR 100"])}


def test_two_scanners_get_the_same_patient_right_each_in_its_letters(abroad: Department, tmp_path: Path) -> None:
    assert names(by_dcmtk(abroad, "NIHON", tmp_path / "nihon")) == JAPANESE
    assert names(by_dcmtk(abroad, "LATIN7", tmp_path / "latin")) == WESTERN
    assert names(by_pynetdicom(abroad, "NIHON")) == JAPANESE
    assert names(by_pynetdicom(abroad, "LATIN8")) == WESTERN
    assert names(by_pynetdicom(abroad, "CT1"))["4711"] == (YAMADA, ["ISO_IR 192"])
    assert names(by_pynetdicom(abroad, "LATIN8", name="Muler")) == {}
    assert list(names(by_pynetdicom(abroad, "LATIN8", name="Muler", fuzzy=True))) == ["4712"]
    # What is changed in another process counts without a restart.
    change = "from worklist.models import StationProfile; StationProfile.objects.filter(callers='NIHON').delete()"
    assert abroad.manage("shell", "-v0", "-c", change).returncode == 0
    wait_until(lambda: names(by_pynetdicom(abroad, "NIHON"))["4711"][1] == ["ISO_IR 192"])
