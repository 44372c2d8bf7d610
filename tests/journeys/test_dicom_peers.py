"""Scanners that we did not write ask the running department: DCMTK, Orthanc, dcmjs-dimse, odil, PixelMed."""

import html
import json
import re
import subprocess
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from hl7.sender import Sender
from ris.config import PROJECT
from tests.department import Department
from tests.journeys import public_queries
from tests.journeys.web import Browser
from tests.messages import msh, obr, orc, pid
from tests.messages import send as written
from tests.services import Orthanc
from tests.waiting import wait_until
from worklist.negotiation import MODALITY_WORKLIST_FIND
from worklist.scu import Called, calling

TODAY = f"{datetime.now(ZoneInfo('Europe/Berlin')):%Y%m%d}"
NAMES = {
    "4001": "Müller^Jürgen",
    "4002": "Wałęsa^Łucja",
    "4003": "Иванов^Пётр",
    "4004": "Παπαδόπουλος^Νίκος",
    "4005": "محمد^أحمد",
    "4006": "O'Hara-Smith^Ann^^Dr",
}
YAMADA = "Yamada^Tarou=山田^太郎=やまだ^たろう"
TWO_HUNDRED = 200
CAST = f"""
from ris.actions import orders, patients
from ris.actions.requests import ProcedureRequest
from ris.actor import system
from ris.models import Site, Station
from datetime import datetime
by = system("journey")
site = Site.new(code="H", name="Hospital", time_zone="Europe/Berlin", is_default=True)
ct = Station.new(ae_title="CT1", name="CT1", site=site, modality="CT", location="Ground floor")
mr = Station.new(ae_title="MR1", name="MR1", site=site, modality="MR")
Station.new(ae_title="DX1", name="DX1", site=site, modality="DX")
day = datetime.strptime({TODAY!r}, "%Y%m%d").replace(tzinfo=site.zone)
def place(number, station, hour, minute=0, **name):
    known = [patients.Identifier(number, "HIS")]
    patient = patients.register(by=by, identifiers=known, **name)
    start = day.replace(hour=hour, minute=minute)
    wish = ProcedureRequest(code="X", meaning="Exam", modality=station.modality, station=station, start=start)
    orders.place(by=by, patient=patient, requests=[wish], site=site)
for hour, (number, name) in enumerate({NAMES!r}.items(), start=8):
    place(number, ct, hour, patient_name=name)
alphabetic, ideographic, phonetic = {YAMADA!r}.split("=")
place("4010", ct, 15, patient_name=alphabetic, patient_name_ideographic=ideographic, patient_name_phonetic=phonetic)
for number in range({TWO_HUNDRED}):
    place(f"9{{number:03}}", mr, 8 + number // 60, number % 60, patient_name=f"Nobody^{{number}}")
{public_queries.CAST}
"""


@pytest.fixture(scope="module")
def radiology(department: Department) -> Department:
    """A running department with patients from many countries on CT1 and a long day on MR1."""
    department.private(
        *(part for name in NAMES.values() for part in name.split("^") if len(part) > 2), "山田", "Yamada"
    )
    done = department.manage("shell", "-v0", "-c", CAST)
    assert done.returncode == 0, done.stderr
    return department


def call(department: Department, calling: str, called: str = "") -> list[str]:
    return ["-aet", calling, "-aec", called or department.ae_title, department.dicom.host, str(department.dicom.port)]


def findscu(department: Department, *options: str, station: str = "CT1", day: str = TODAY) -> str:
    """Ask with DCMTK's findscu; return all that it prints."""
    step = "ScheduledProcedureStepSequence[0]"
    keys = [f"{step}.ScheduledStationAETitle={station}", f"{step}.ScheduledProcedureStepStartDate={day}"]
    words = [word for key in keys for word in ("-k", key)]
    done = subprocess.run(
        ["findscu", "-v", "-W", *words, *options, *call(department, station)],
        capture_output=True,
        timeout=120,
        check=False,
    )
    return (done.stdout + done.stderr).decode()


def values(printed: str, tag: str) -> list[str]:
    """Return the values of one tag in findscu's answers."""
    answers = printed.split("Find Response", 1)[-1]
    return [value.strip() for value in re.findall(rf"\({tag}\) \w\w \[(.*?)\]", answers)]


def test_echoscu_is_answered(radiology: Department) -> None:
    subprocess.run(["echoscu", *call(radiology, "CT1")], check=True, timeout=120)


def test_a_scanner_that_calls_another_is_rejected(radiology: Department) -> None:
    done = subprocess.run(
        ["echoscu", *call(radiology, "CT1", "OTHER")], capture_output=True, timeout=120, check=False, text=True
    )
    assert done.returncode != 0
    assert "Called AE Title Not Recognized" in done.stderr + done.stdout


@pytest.mark.parametrize("syntax", ["-x=", "-xe", "-xb", "-xi", "-xd"])
def test_findscu_in_every_transfer_syntax(radiology: Department, syntax: str) -> None:
    printed = findscu(radiology, syntax, "-k", "PatientID", "-k", "PatientName")
    assert values(printed, "0010,0020") == [*NAMES, "4010"]
    assert values(printed, "0010,0010") == [*NAMES.values(), YAMADA]
    assert set(values(printed, "0008,0005")) == {"ISO_IR 192"}


@pytest.mark.parametrize(
    ("key", "number"), [("MULLER*", "4001"), ("wałęsa^*", "4002"), ("иванов^пётр", "4003"), ("*νικοσ", "4004")]
)
def test_findscu_finds_a_name_without_case_and_accents(radiology: Department, key: str, number: str) -> None:
    printed = findscu(radiology, "-k", "0008,0005=ISO_IR 192", "-k", f"PatientName={key}", "-k", "PatientID")
    assert values(printed, "0010,0020") == [number]


def test_findscu_may_ask_in_its_own_character_set(radiology: Department) -> None:
    key = b"PatientName=M\xfcller*"
    words: list[str | bytes] = ["findscu", "-v", "-W", "-k", "0008,0005=ISO_IR 100", "-k", key, "-k", "PatientID"]
    done = subprocess.run([*words, *call(radiology, "CT1")], capture_output=True, timeout=120, check=True)
    assert values((done.stdout + done.stderr).decode("latin-1"), "0010,0020") == ["4001"]


def test_findscu_cancels(radiology: Department) -> None:
    printed = findscu(radiology, "--cancel", "2", "-k", "PatientID", station="MR1")
    assert "Cancel" in printed
    assert len(findscu(radiology, "-k", "PatientID", station="MR1").split("Find Response:")) == TWO_HUNDRED + 1


def test_a_wrong_date_is_told(radiology: Department) -> None:
    printed = findscu(radiology, "-k", "PatientID", day="20260230")
    assert "Failed: UnableToProcess" in printed
    assert "Find Response:" not in printed


# MSH-18, its codec, PID-5 as a HIS writes it; the name as scanners and people read it where that is not the same.
BY_MESSAGE = {
    "Japanese": ("ISO IR6~ISO IR87", "iso2022_jp", "Suzuki^Ichiro=鈴木^一郎=すずき^いちろう"),
    "Japanese in repetitions": (
        *("ISO IR6~ISO IR87", "iso2022_jp", "Sato^Hanako^^^^^L^A~佐藤^花子^^^^^L^I~さとう^はなこ^^^^^L^P"),
        "Sato^Hanako=佐藤^花子=さとう^はなこ",
    ),
    "Japanese with rare signs": ("ISO IR6~ISO IR159", "iso2022_jp_1", "Mori^Ogai=森^鷗外"),
    "Cyrillic": ("8859/5", "iso8859-5", "Достоевский^Фёдор^Михайлович"),
    "Greek": ("8859/7", "iso8859-7", "Καζαντζάκης^Νίκος"),
    "Arabic": ("8859/6", "iso8859-6", "محفوظ^نجيب"),
    "Hebrew": ("8859/8", "iso8859-8", "עגנון^שמואל"),
    "Thai": ("TIS-620", "tis_620", "ภู่^สุนทร"),
    "Chinese": ("GB 18030-2000", "gb18030", "Lu^Xun=鲁^迅"),
    "Korean": ("KS X 1001", "euc_kr", "Kim^Sowol=김^소월"),
    "Turkish": ("8859/9", "iso8859-9", "Pamukoğlu^İpek"),
    "Polish": ("8859/2", "iso8859-2", "Wiśniewska^Żaneta"),
    "Vietnamese": ("UNICODE UTF-8", "utf-8", "Nguyễn^Thị Hương"),
}


@pytest.fixture(scope="module")
def browser(radiology: Department) -> Browser:
    """The administrator at the desk."""
    return Browser(radiology)


@pytest.mark.parametrize("script", BY_MESSAGE)
def test_a_name_that_came_by_message_is_read_by_scanners_and_people(
    radiology: Department, browser: Browser, script: str
) -> None:
    charset, codec, said, *other = BY_MESSAGE[script]
    name, number = other[0] if other else said, f"51{list(BY_MESSAGE).index(script):02}"
    parts = re.split(r"[=^]", name)
    radiology.private(*(part for part in parts if len(part) > 2))
    start = f"{TODAY}{int(number) % 24:02}0000"
    order = (pid(number, said), orc(placer=number, start=start), obr("X^Chest^L", number, modality="DX"))
    with Sender(radiology.mllp) as sender:
        answer = sender.send(written(msh("ORM^O01", charset=charset), *order, encoding=codec))
    assert answer["MSA"].get("1") == "AA"

    printed = findscu(radiology, "-k", f"PatientID={number}", "-k", "PatientName", station="DX1")
    assert values(printed, "0010,0010") == [name]
    patient = dict(radiology.rows("SELECT value, patient_id FROM ris_patientidentifier"))[number]
    page = html.unescape(browser.read(f"ris/patient/{patient}/change/"))
    assert [part for part in parts if part not in page] == []


def test_orthanc_reads_the_names(radiology: Department) -> None:
    called = (radiology.ae_title, radiology.dicom.host, radiology.dicom.port)
    with Orthanc(ae_title="CT1", called=called) as orthanc:
        orthanc.echo()
        step = {"ScheduledStationAETitle": "CT1", "ScheduledProcedureStepStartDate": TODAY, "Modality": "CT"}
        query = {"PatientName": "", "PatientID": "", "ScheduledProcedureStepSequence": [step]}
        answers = orthanc.find_worklist(query)
    assert [answer["PatientName"] for answer in answers] == [*NAMES.values(), YAMADA]
    assert {answer["ScheduledProcedureStepSequence"][0]["Modality"] for answer in answers} == {"CT"}


def test_dcmjs_reads_the_names(radiology: Department) -> None:
    words = ["node", "find_worklist.js", radiology.dicom.host, str(radiology.dicom.port), "CT1", radiology.ae_title]
    done = subprocess.run(
        words,
        cwd=PROJECT / "tests" / "peers",
        input=json.dumps({"ScheduledStationAETitle": "CT1", "ScheduledProcedureStepStartDate": TODAY}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = [answer["PatientName"][0] for answer in json.loads(done.stdout)]
    assert [name["Alphabetic"] for name in names] == [*NAMES.values(), "Yamada^Tarou"]
    assert names[-1]["Ideographic"] == "山田^太郎"


@pytest.mark.parametrize("which", public_queries.QUERIES)
def test_the_public_queries_find_what_they_ask_for(radiology: Department, which: str) -> None:
    query = public_queries.QUERIES[which]
    called = Called(radiology.dicom.host, radiology.dicom.port, radiology.ae_title, "CT1")
    with calling(called, MODALITY_WORKLIST_FIND) as assoc:
        responses = list(assoc.send_c_find(query.identifier(), MODALITY_WORKLIST_FIND))
    assert int(responses[-1][0].Status) == 0
    found = [str(answer.PatientName) for _, answer in responses if answer is not None]
    if query.finds is None:
        assert [(len(found),)] == radiology.rows(
            "SELECT count(*) FROM ris_scheduledprocedurestep WHERE state = 'SCHEDULED'"
        )
    else:
        assert found == query.finds


JARS = "/usr/share/java/rhino.jar:/usr/share/java/pixelmed.jar"
OTHERS = {
    "odil": ["/usr/bin/python3", "find_worklist_odil.py"],
    "PixelMed": ["java", "-cp", JARS, "org.mozilla.javascript.tools.shell.Main", "find_worklist_pixelmed.js"],
}


@pytest.mark.parametrize("library", OTHERS)
def test_other_libraries_read_the_names(radiology: Department, library: str) -> None:
    keys = ["ScheduledStationAETitle=CT1", f"ScheduledProcedureStepStartDate={TODAY}"]
    called = [radiology.dicom.host, str(radiology.dicom.port), "CT1", radiology.ae_title]
    done = subprocess.run(
        [*OTHERS[library], *called, *keys],
        cwd=PROJECT / "tests" / "peers",
        capture_output=True,
        timeout=120,
        check=False,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["PatientName"] for answer in answers] == [*NAMES.values(), YAMADA], done.stderr
    assert [answer["PatientID"] for answer in answers] == [*NAMES, "4010"]


def test_what_was_asked_is_in_the_query_log(radiology: Department) -> None:
    findscu(radiology, "-k", "PatientID=4003", "-k", "PatientName=*")
    asked = "SELECT matches, status, address, keys FROM worklist_querylog WHERE calling_ae_title = 'CT1' ORDER BY id"

    def found() -> bool:
        return any("4003" in str(keys) and matches == 1 for matches, _status, _address, keys in radiology.rows(asked))

    wait_until(found, what="the query in the log")


def test_a_stranger_is_served_and_noted(radiology: Department) -> None:
    subprocess.run(["echoscu", *call(radiology, "STRANGER")], check=True, timeout=120)
    noted = "SELECT times FROM worklist_unknowncaller WHERE ae_title = 'STRANGER' AND address = '127.0.0.1'"
    wait_until(lambda: radiology.rows(noted) == [(1,)], what="the stranger's row")
