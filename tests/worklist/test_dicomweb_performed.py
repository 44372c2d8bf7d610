"""Performed steps over HTTP (PS3.18 chapter 15): the rules of MPPS, in JSON and XML."""

import json
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from ris.models import Event, EventKind, PerformedProcedureStep, ScheduledProcedureStep
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk
from tests.worklist import performing
from tests.worklist.performing import WRONG_ENTRY, code, creation, ending, item_of
from tests.worklist.web import Device, parts_of, problem
from worklist import mpps
from worklist.dicomweb import payload
from worklist.dicomweb.native_xml import write_model
from worklist.encoding import decode, syntax_of
from worklist.models import MppsRequest

pytestmark = pytest.mark.django_db

JSON, XML = "application/dicom+json", "application/dicom+xml"


def address(uid: str) -> str:
    return f"/dicomweb/modality-performed-procedure-steps/{uid}"


def body_of(data_set: Dataset, media_type: str) -> tuple[bytes, str]:
    """Return a data set as a body and the media type to send it under."""
    model = data_set.to_json_dict()
    if media_type == JSON:
        return json.dumps([model]).encode(), media_type
    if media_type == XML:
        return write_model(model), media_type
    part = JSON if "json" in media_type else XML
    content, _ = body_of(data_set, part)
    body = f"--b\r\nContent-Type: {part}\r\n\r\n".encode() + content + b"\r\n--b--\r\n"
    return body, f'multipart/related; type="{part}"; boundary=b'


def post(device: Device, uid: str, data_set: Dataset, query: str = "", media_type: str = JSON) -> Any:
    body, said = body_of(data_set, media_type)
    return device.client.post(address(uid) + query, body, content_type=said)


@pytest.fixture
def ct1() -> Device:
    factories.station("CT1")
    return Device("CT1")


def state_of(step: ScheduledProcedureStep) -> str:
    step.refresh_from_db()
    return step.state


# --- the usual day -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("media_type", [JSON, XML, "multipart json", "multipart xml"])
def test_a_device_begins_updates_ends_and_reads_a_step(ct1: Device, media_type: str) -> None:
    step = factories.step("ARRIVED", patient=factories.patient("Yamada^Tarou=山田^太郎=やまだ^たろう", "4711"))
    jane = step.requested_procedure.order.patient
    uid = generate_uid()
    begun = post(ct1, uid, creation(item_of(step), patient=jane), media_type=media_type)
    assert (begun.status_code, begun.content) == (201, b"")
    assert begun["Location"] == f"http://testserver{address(uid)}"
    assert state_of(step) == "STARTED"
    dose = performing.data_set({"ImageAndFluoroscopyAreaDoseProduct": "12.5", "TotalNumberOfExposures": 3})
    assert post(ct1, uid, dose, "?update", media_type).status_code == 200
    ended = post(ct1, uid, ending(), "?update", media_type)
    assert (ended.status_code, ended.content) == (200, b"")
    assert state_of(step) == "COMPLETED"
    performed = PerformedProcedureStep.objects.get()
    assert (performed.dose_area_product, performed.exposures, performed.images) == (12.5, 3, 2)
    assert performed.doubts == []
    (found,) = ct1.get(address(uid)).json()
    told = Dataset.from_json(found)
    assert (told.PerformedProcedureStepStatus, told.PatientID) == ("COMPLETED", "4711")
    assert len(told.PerformedSeriesSequence[0].ReferencedImageSequence) == 2


def test_over_http_is_kept_and_told_like_over_dimse(ct1: Device) -> None:
    step = factories.step("ARRIVED")
    uid = generate_uid()
    sent = creation(item_of(step), patient=step.requested_procedure.order.patient)
    assert post(ct1, uid, sent).status_code == 201
    request = MppsRequest.objects.get()
    assert (request.operation, request.calling_ae_title, request.called_ae_title) == ("N-CREATE", "CT1", "DICOMweb")
    assert (request.status, request.sop_instance_uid) == ("0000", uid)
    kept = decode(bytes(request.data), syntax_of(request.transfer_syntax))
    assert kept.SpecificCharacterSet == "ISO_IR 192"
    assert {one.tag: one.value for one in sent}.items() <= {one.tag: one.value for one in kept}.items()
    event = Event.objects.get(kind=EventKind.STEP_STARTED)
    assert (event.actor_kind, event.actor_name, event.cause) == ("DICOM", "CT1", request.cause)


def test_a_wrong_entry_puts_the_step_back(ct1: Device) -> None:
    step = factories.step("ARRIVED")
    uid = generate_uid()
    assert post(ct1, uid, creation(item_of(step))).status_code == 201
    assert post(ct1, uid, ending("DISCONTINUED", reason=code(*WRONG_ENTRY)), "?update").status_code == 200
    assert state_of(step) in ("SCHEDULED", "ARRIVED")


def test_what_is_asked_for_is_read_and_the_reading_is_told(ct1: Device) -> None:
    performed = performing.create(item_of(factories.step("ARRIVED")))
    uid = performed.sop_instance_uid
    answer = ct1.get(address(uid), "includefield=PerformedStationAETitle,00400252&includefield=FilmConsumptionSequence")
    (found,) = answer.json()
    assert found.keys() == {"00080005", "00400241", "00400252", "00400321"}
    event = Event.objects.get(kind=EventKind.RECORD_VIEWED)
    assert (event.actor_name, event.subject) == ("CT1", f"ris.performedprocedurestep:{performed.pk}")
    unknown = ct1.get(address(uid), "includefield=PixelData,Modality")
    assert unknown.json()[0].keys() == {"00080005", "00080060"}
    assert "not attributes of a performed step" in unknown["Warning"]
    assert ct1.get(address(uid), "includefield=all").json() == ct1.get(address(uid)).json()


def test_a_step_is_read_as_xml(ct1: Device) -> None:
    uid = performing.create(item_of(factories.step("ARRIVED"))).sop_instance_uid
    document = ct1.get(address(uid), accept=XML)
    assert document["Content-Type"] == XML
    parts = parts_of(ct1.get(address(uid), accept='multipart/related; type="application/dicom+xml"'))
    assert parts == [(XML, document.content)]
    ((media_type, content),) = parts_of(
        ct1.get(address(uid), accept='multipart/related; type="application/dicom+json"')
    )
    assert (media_type, json.loads(content)) == (JSON, ct1.get(address(uid)).json())
    problem(ct1.get(address(uid), accept="text/html"), 406)


# --- what the service refuses --------------------------------------------------------------------------------


def test_a_uid_that_is_there_already_is_409(ct1: Device) -> None:
    performed = performing.create()
    report = problem(post(ct1, performed.sop_instance_uid, creation()), 409)
    assert report["dicom_status"] == "0111"
    assert MppsRequest.objects.filter(status="0111").count() == 1


def test_a_step_that_is_not_there_is_404(ct1: Device) -> None:
    assert problem(post(ct1, generate_uid(), ending(), "?update"), 404)["dicom_status"] == "0112"
    assert problem(ct1.get(address(generate_uid())), 404)["dicom_status"] == "0112"


@pytest.mark.parametrize("uid", ["x", "1..2", "1.2." + "3" * 64, "1.02", "%20", "1.2%00"])
def test_an_address_that_is_no_uid_is_400(ct1: Device, uid: str) -> None:
    answers = [post(ct1, uid, creation()), post(ct1, uid, ending(), "?update"), ct1.get(address(uid))]
    assert [answer.status_code for answer in answers] == [400] * 3
    assert not PerformedProcedureStep.objects.exists()


def test_what_has_ended_cannot_be_changed(ct1: Device) -> None:
    performed = performing.update(performing.create(), ending())
    report = problem(post(ct1, performed.sop_instance_uid, ending(), "?update"), 409)
    assert report["detail"] == "Performed Procedure Step Object may no longer be updated"


@pytest.mark.parametrize(
    ("changes", "status", "at_fault"),
    [
        ({"PerformedStationAETitle": None}, "0120", "00400241"),
        ({"Modality": ""}, "0121", "00080060"),
        ({"ScheduledStepAttributesSequence": []}, "0121", "00400270"),
        ({"PerformedProcedureStepStatus": "COMPLETED"}, "0106", "00400252"),
        ({"PerformedProcedureStepStartDate": "20260231"}, "0106", "00400244"),
    ],
)
def test_an_essential_attribute_that_is_wrong_is_400_and_named(
    ct1: Device, changes: dict[str, Any], status: str, at_fault: str
) -> None:
    sent = creation()
    for keyword, value in changes.items():
        if value is None:
            delattr(sent, keyword)
        else:
            sent[keyword].value = value
    report = problem(post(ct1, generate_uid(), sent), 400)
    assert (report["dicom_status"], report["attributes"]) == (status, [at_fault])
    assert not PerformedProcedureStep.objects.exists()


def test_a_step_without_a_series_does_not_complete_409(ct1: Device) -> None:
    performed = performing.create()
    report = problem(post(ct1, performed.sop_instance_uid, ending(PerformedSeriesSequence=[]), "?update"), 409)
    assert (report["dicom_status"], report["attributes"]) == ("0121", ["00400340"])
    nonsense = performing.data_set({"PerformedProcedureStepStatus": "DONE"})
    assert problem(post(ct1, performed.sop_instance_uid, nonsense, "?update"), 400)["dicom_status"] == "0106"


def test_a_database_that_is_away_is_503(ct1: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: Any) -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr(mpps, "_do", away)
    answer = post(ct1, generate_uid(), creation())
    assert (problem(answer, 503)["dicom_status"], answer["Retry-After"]) == ("0213", "10")


# --- bodies that are none --------------------------------------------------------------------------------------


def element(tag: str, **said: Any) -> bytes:
    return json.dumps({tag: said}).encode()


BAD_JSON: list[tuple[bytes, str]] = [
    (b"", "has no body"),
    (b"  ", "has no body"),
    (b"{", "is not JSON"),
    (b"\xff\xfe{}", "is not in UTF-8"),
    (b"[]", "exactly one data set"),
    (b"[{},{}]", "exactly one data set"),
    (b"1", "A data set is an object"),
    (b"[[]]", "A data set is an object"),
    (b"[" * 100_000, "is not JSON"),
    (b'{"00100020":{"vr":"LO"},"00100020":{"vr":"LO"}}', "names something twice"),
    (b'{"00181030":{"vr":"LO","Value":[NaN]}}', "is not JSON"),
    (b'{"00101030":{"vr":"DS","Value":[1e999]}}', "none of VR DS"),
    (b'{"00101030":{"vr":"DS","Value":[' + b"9" * 5000 + b"]}}", "is not JSON"),
    (element("PatientID", vr="LO"), "eight hexadecimal digits"),
    (element("00020010", vr="UI"), "is not an element of a data set"),
    (element("00100000", vr="UL", Value=[4]), "is not an element of a data set"),
    (element("FFFEE000", vr="SQ"), "is not an element of a data set"),
    (b'{"00100020":"4711"}', "PatientID (00100020) is not an object"),
    (element("00100020"), "has no VR that exists"),
    (element("00100020", vr="XX"), "has no VR that exists"),
    (element("00100020", vr=["LO"]), "has no VR that exists"),
    (element("00100020", vr="SQ", Value=[]), "PatientID (00100020) has VR SQ, not LO"),
    (element("00400340", vr="LO", Value=["x"]), "has VR LO, not SQ"),
    (element("00100020", vr="LO", Value="4711"), "has a Value that is no array"),
    (element("00100020", vr="LO", Value=[4711]), "none of VR LO"),
    (element("00100020", vr="LO", Value=[{}]), "none of VR LO"),
    (element("00100020", vr="LO", Value=["\ud800"]), "none of VR LO"),
    (element("00100020", vr="LO", Value=["1"], BulkDataURI="http://x"), "more than one kind of value"),
    (element("00100020", vr="LO", BulkDataURI="http://localhost/x"), "nothing is fetched"),
    (element("00100020", vr="LO", InlineBinary="QQ=="), "not written like one of VR LO"),
    (element("00091001", vr="OB", InlineBinary="Q"), "not in base 64"),
    (element("00091001", vr="OB", InlineBinary=1), "not in base 64"),
    (element("00091001", vr="OB", Value=["QQ=="]), "not written like one of VR OB"),
    (element("00100010", vr="PN", Value=["Doe^Jane"]), "none of VR PN"),
    (element("00100010", vr="PN", Value=[{"Alphabetic": 1}]), "none of VR PN"),
    (element("00400303", vr="US", Value=["x"]), "none of VR US"),
    (element("00400303", vr="US", Value=[1.5]), "none of VR US"),
    (element("00400303", vr="US", Value=[True]), "none of VR US"),
    (element("00400303", vr="US", Value=[70000]), "that its VR cannot hold"),
    (element("00101030", vr="DS", Value=["heavy"]), "none of VR DS"),
    (element("00280009", vr="AT", Value=["x"]), "none of VR AT"),
    (element("00400340", vr="SQ", Value=["x"]), "A data set is an object"),
]
DOCTYPE = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><NativeDicomModel>&b;</NativeDicomModel>'
FILE = b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><NativeDicomModel/>'
BAD_XML: list[tuple[bytes, str]] = [
    (b"<", "is not XML"),
    (b"{}", "is not XML"),
    (b"<NativeDicomModel>\xff</NativeDicomModel>", "is not XML"),
    (b'<?xml version="1.0" encoding="rubbish"?><NativeDicomModel/>', "is not XML"),
    (DOCTYPE, "A document type is not read"),
    (FILE, "A document type is not read"),
    (b"<Other/>", "no NativeDicomModel"),
    (b"<a>" * 100 + b"</a>" * 100, "too deep"),
    (b"<NativeDicomModel><Value/></NativeDicomModel>", "DicomAttributes and nothing else"),
    (b'<NativeDicomModel><DicomAttribute vr="LO"/></NativeDicomModel>', "eight hexadecimal digits"),
    (b'<NativeDicomModel><DicomAttribute tag="00100020"/></NativeDicomModel>', "no VR that exists"),
]


def xml(inside: bytes, vr: bytes = b"LO", tag: bytes = b"00100020") -> bytes:
    attribute = b'<DicomAttribute tag="' + tag + b'" vr="' + vr + b'">' + inside + b"</DicomAttribute>"
    return b"<NativeDicomModel>" + attribute + b"</NativeDicomModel>"


BAD_XML += [
    (xml(b"<Value>1</Value>"), "numbered from 1 upwards"),
    (xml(b'<Value number="0">1</Value>'), "numbered from 1 upwards"),
    (xml(b'<Value number="2">1</Value><Value number="2">1</Value>'), "numbered from 1 upwards"),
    (xml(b'<Value number="99999">1</Value>'), "Too many values are left out"),
    (xml(b"<Other/>"), "something that is no value"),
    (xml(b'<BulkData uri="file:///etc/passwd"/>'), "nothing is fetched"),
    (xml(b'<PersonName number="1"><SingleByte/></PersonName>', b"PN", b"00100010"), "component groups"),
    (xml(b"").replace(b"</Nat", b'<DicomAttribute tag="00100020" vr="LO"/></Nat'), "names an attribute twice"),
]


_CREATORS = (f'<DicomAttribute tag="00090001" privateCreator="{number}" vr="LO"/>' for number in range(241))
_SPARSE = (f'<DicomAttribute tag="0010{n:04X}" vr="LO"><Value number="9000"/></DicomAttribute>' for n in (16, 32))
BAD_XML.append((f"<NativeDicomModel>{''.join(_SPARSE)}</NativeDicomModel>".encode(), "Too many values are left out"))
BAD_XML.append((f"<NativeDicomModel>{''.join(_CREATORS)}</NativeDicomModel>".encode(), "too many private creators"))


@pytest.mark.parametrize(("body", "says"), BAD_JSON)
def test_a_json_body_that_is_no_data_set_is_400(ct1: Device, body: bytes, says: str) -> None:
    answer = ct1.client.post(address("1.2.3"), body, content_type=JSON)
    assert says in problem(answer, 400)["detail"]


@pytest.mark.parametrize(("body", "says"), BAD_XML)
def test_an_xml_body_that_is_no_data_set_is_400(ct1: Device, body: bytes, says: str) -> None:
    answer = ct1.client.post(address("1.2.3"), body, content_type=XML)
    assert says in problem(answer, 400)["detail"]


NESTED = b"".join(b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (n, n + 1) for n in range(2000))
NESTED += b"--b0--"


@pytest.mark.parametrize(
    ("media_type", "body", "status"),
    [
        ("", b"{}", 415),
        ("text/html", b"{}", 415),
        ("application/x-www-form-urlencoded", b"a=b", 415),
        ("application/dicom", b"{}", 415),
        ("multipart/form-data; boundary=b", b"--b--", 415),
        ("multipart/related", b"--b--", 400),
        ("multipart/related; boundary=b", b"--b--", 400),
        ("multipart/related; boundary=b", b"--b\r\nContent-Type: text/html\r\n\r\nx\r\n--b--", 415),
        ("multipart/related; boundary=b", b"--b\r\n\r\n{}\r\n--b\r\n\r\n{}\r\n--b--", 400),
        (
            "multipart/related; boundary=b",
            b'--b\r\nContent-Type: multipart/related; boundary="c"\r\n\r\n--c--\r\n--b--',
            415,
        ),
        ("multipart/related; boundary=b0", NESTED, 415),
        ("multipart/related; boundary=b", b"--b\r\nContent-Type: application/dicom+json\r\n\r\n{}\r\n", 400),
    ],
)
def test_bodies_of_other_kinds(ct1: Device, media_type: str, body: bytes, status: int) -> None:
    problem(ct1.client.generic("POST", address("1.2.3"), body, content_type=media_type), status)


def test_a_body_is_bounded_and_says_how_long_it_is(ct1: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "LARGEST_MPPS", 10)
    problem(ct1.client.post(address("1.2.3"), b"{" * 11, content_type=JSON), 413)
    problem(ct1.client.post(address("1.2.3"), b"{}", content_type=JSON, headers={"content-encoding": "gzip"}), 415)
    without: dict[str, Any] = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    problem(ct1.client.post(address("1.2.3"), b"{}", content_type=JSON, **without), 411)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("?update=no", "update has no value"),
        ("?update&update", "update has no value"),
        ("?limit=1", "no parameter limit"),
    ],
)
def test_other_parameters_are_400(ct1: Device, query: str, says: str) -> None:
    assert says in problem(post(ct1, generate_uid(), creation(), query), 400)["detail"]
    assert "no parameter" in problem(ct1.get(address("1.2.3"), "limit=1"), 400)["detail"]


def test_a_body_for_another_instance_is_400(ct1: Device) -> None:
    sent = creation()
    sent.SOPInstanceUID = generate_uid()
    assert "not that of the address" in problem(post(ct1, generate_uid(), sent), 400)["detail"]


def test_values_keep_their_meaning(ct1: Device) -> None:
    """Empty values among others, numbers as text, binary values, private elements, names in three scripts."""
    uid = generate_uid()
    model = creation().to_json_dict() | {
        "00101030": {"vr": "DS", "Value": [70.5]},
        "00101000": {"vr": "LO", "Value": ["1", None, "3"]},
        "00400303": {"vr": "US", "Value": ["3"]},
        "00091001": {"vr": "OB", "InlineBinary": "QUI="},
        "00091002": {"vr": "FD", "Value": [0.25]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Yamada", "Phonetic": "やまだ"}]},
    }
    assert ct1.client.post(address(uid), json.dumps(model), content_type=JSON).status_code == 201
    kept = decode(bytes(MppsRequest.objects.get().data), syntax_of("1.2.840.10008.1.2.1"))
    assert (kept.PatientWeight, kept.TotalTimeOfFluoroscopy if "TotalTimeOfFluoroscopy" in kept else 3) == (70.5, 3)
    assert list(kept[0x00101000].value) == ["1", "", "3"]
    assert (kept[0x00091001].value, kept[0x00091002].value) == (b"AB", 0.25)
    assert kept.PatientName == "Yamada==やまだ"


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("Alphabetic", "x", "00100020")), inner)
    ),
    max_leaves=6,
)
_elements = st.fixed_dictionaries(
    {"vr": st.sampled_from(sorted(payload.VRS))},
    optional={"Value": _values | st.lists(_values, max_size=2), "InlineBinary": _values},
)
_tags = st.sampled_from(("00091001", "00100010", "00100020", "00400340", "00400270", "00400252", "00101030"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(_tags, _elements | _values, max_size=4))
def test_no_json_is_a_fault_of_ours(ct1: Device, model: dict[str, Any]) -> None:
    answer = ct1.client.post(address(generate_uid()), json.dumps([model]), content_type=JSON)
    assert answer.status_code == 400, answer.content


# --- who may -------------------------------------------------------------------------------------------------------


def test_a_token_that_may_only_search_is_403() -> None:
    device = Device("CT1", may_report=False)
    problem(post(device, generate_uid(), creation()), 403)
    problem(device.get(address(generate_uid())), 403)


def test_a_person_reports_with_a_token_against_forged_requests_and_is_named() -> None:
    factories.station("CT1")
    technologist = Desk(Role.TECHNOLOGIST)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(technologist.user)
    uid = generate_uid()
    step = factories.step("ARRIVED")
    body, _ = body_of(creation(item_of(step)), JSON)
    assert "X-CSRFToken" in problem(strict.post(address(uid), body, content_type=JSON), 403)["detail"]
    assert not PerformedProcedureStep.objects.exists()
    strict.get("/")
    headers = {"x-csrftoken": strict.cookies["csrftoken"].value}
    assert strict.post(address(uid), body, content_type=JSON, headers=headers).status_code == 201
    event = Event.objects.get(kind=EventKind.STEP_STARTED)
    assert (event.actor_kind, event.actor_name) == ("USER", technologist.user.username)
    assert strict.get(address(uid)).status_code == 200
    problem(Desk(Role.RADIOLOGIST).client.post(address(uid), body, content_type=JSON), 403)


def test_a_device_needs_no_such_token(ct1: Device) -> None:
    strict = Client(enforce_csrf_checks=True, headers={"authorization": f"Bearer {ct1.text}"})
    body, _ = body_of(creation(), JSON)
    assert strict.post(address(generate_uid()), body, content_type=JSON).status_code == 201


def test_nobody_is_asked_for_a_token_first() -> None:
    """Only a session can be used by another page, so only a session needs the token against that."""
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post(address("1.2.3"), b"[]", content_type=JSON)
    problem(answer, 401)
    assert answer["WWW-Authenticate"] == 'Bearer realm="Bucky"'
    problem(strict.post("/dicomweb/studies", b"[]", content_type=JSON), 404)


@pytest.mark.parametrize(
    ("asked", "told"),
    [(address("1.2.3"), address("...")), ("/dicomweb/studies/1.2.3/series", "/dicomweb/...")],
)
def test_what_a_device_puts_into_an_address_is_not_logged(ct1: Device, asked: str, told: str) -> None:
    assert ct1.get(asked).wsgi_request.META["PATH_INFO"] == told


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_405(ct1: Device, method: str) -> None:
    answer = ct1.client.generic(method, address("1.2.3"))
    problem(answer, 405)
    assert answer["Allow"] == "GET, HEAD, OPTIONS, POST"
