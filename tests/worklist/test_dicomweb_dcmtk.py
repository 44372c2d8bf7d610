"""Bodies that DCMTK writes, and answers that DCMTK reads: the same data sets in JSON and XML."""

import subprocess
from pathlib import Path
from xml.etree.ElementTree import canonicalize

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode

from tests import factories
from tests.worklist.performing import creation, data_set, item_of, series
from tests.worklist.test_dicomweb_performed import address
from tests.worklist.web import Device, parts_of
from worklist.encoding import decode, syntax_of
from worklist.models import MppsRequest

pytestmark = pytest.mark.django_db

TARO = "Yamada^Tarou=山田^太郎=やまだ^たろう"


def run(*words: str) -> bytes:
    """Run one of DCMTK's tools; what it printed."""
    done = subprocess.run(words, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("tool", "media_type"),
    [
        (("dcm2json", "-f"), "application/dicom+json"),
        (("dcm2xml", "-f", "-nat", "+Xn", "+Eb"), "application/dicom+xml"),
        (("dcm2xml", "-f", "-nat", "+Eb"), "application/dicom+xml"),
    ],
)
def test_a_body_that_dcmtk_wrote_means_what_it_was_made_of(
    tmp_path: Path, tool: tuple[str, ...], media_type: str
) -> None:
    device = Device("CT1")
    step = factories.step("ARRIVED", patient=factories.patient(TARO, "4711"))
    extra = {
        "SpecificCharacterSet": "ISO_IR 192",
        "PerformedSeriesSequence": [series(SeriesDescription="Müller & <Söhne>")],
        "ImageAndFluoroscopyAreaDoseProduct": "12.5",
        "TotalNumberOfExposures": 3,
        "PerformedProcedureStepDescription": "",
        "OtherPatientIDs": ["1", "2"],
    }
    sent = creation(item_of(step), patient=step.requested_procedure.order.patient, **extra)
    sent.add_new(0x00090010, "LO", "ACME 1")
    sent.add_new(0x00090011, "LO", "ACME 2")
    sent.add_new(0x00091101, "OB", b"\x00\x01\xfe\xff")
    sent.update(data_set({"PatientName": TARO}))
    file = tmp_path / "set"
    file.write_bytes(encode(sent, False, True) or b"")
    answer = device.client.post(address(generate_uid()), run(*tool, str(file)), content_type=media_type)
    assert answer.status_code == 201, answer.content
    kept = decode(bytes(MppsRequest.objects.get().data), syntax_of("1.2.840.10008.1.2.1"))
    assert kept == sent


def test_an_answer_in_xml_is_what_dcmtk_would_write(tmp_path: Path) -> None:
    factories.step(patient=factories.patient(TARO, "4711"))
    device = Device("CT1")
    ((_, ours),) = parts_of(device.get(accept='multipart/related; type="application/dicom+xml"'))
    (said,) = device.get().json()
    file = tmp_path / "set"
    file.write_bytes(encode(Dataset.from_json(said), False, True) or b"")
    theirs = run("dcm2xml", "-f", "-nat", "+Xn", str(file))
    # It breaks the line after each element.
    assert canonicalize(ours.decode()) == canonicalize(theirs.decode().replace(">\n", ">"))
