"""The worklist over HTTP (PS3.18 chapter 14): found by the same engine, told in JSON and XML."""

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from django.db import OperationalError
from django.test import Client
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from ris.logs import PrivateFormatter
from ris.models import ScheduledProcedureStep
from tests import factories
from tests.worklist.asking import STEP_KEYS, answers, step
from tests.worklist.web import SEARCH, Device, parts_of, problem
from worklist import query
from worklist.attributes import ATTRIBUTES, STEP_ATTRIBUTES
from worklist.models import QueryLog, StationProfile
from worklist.profiles import Scope, WhenMore

pytestmark = pytest.mark.django_db

STEP = "ScheduledProcedureStepSequence"
NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


@pytest.fixture
def ct1() -> Device:
    return Device("CT1")


def today(days: int = 0) -> str:
    return f"{factories.today_at(12, days=days):%Y%m%d}"


# --- what is found ---------------------------------------------------------------------------------


def a_day() -> list[ScheduledProcedureStep]:
    """Two stations, two days, names beyond ASCII."""
    factories.station("CT1"), factories.station("MR1")
    people = [
        factories.patient("Müller^Łukasz", "4711"),
        factories.patient("Yamada^Tarou=山田^太郎=やまだ^たろう", "4712"),
        factories.patient("Doe^Jane", "4713"),
    ]
    mr = factories.exam("MRHEAD", modality="MR")
    return [
        factories.step(patient=people[0], start=factories.today_at(10), station=factories.station("CT1")),
        factories.step(patient=people[1], start=factories.today_at(9, 30), exam=mr, station=factories.station("MR1")),
        factories.step(patient=people[2], start=factories.today_at(8, days=1), station=factories.station("CT1")),
        factories.step(patient=people[0], start=factories.today_at(15), exam=mr, station=factories.station("MR1")),
    ]


SAME: list[dict[str, str]] = [
    {},
    {"PatientID": "4711"},
    {"PatientID": "no such"},
    {"PatientName": "mull*"},
    {"PatientName": "=山田*"},
    {"PatientName": "DOE^JANE"},
    {"PatientBirthDate": "19000101-"},
    {"AccessionNumber": "*"},
    {"IssuerOfPatientID": "HIS", "PatientName": "*a*"},
    {"ScheduledStationAETitle": "CT1"},
    {"ScheduledStationAETitle": "CT*"},
    {"Modality": "MR"},
    {"ScheduledStationAETitle": "CT1", "ScheduledProcedureStepStartDate": "TODAY"},
    {"ScheduledProcedureStepStartDate": "TODAY-", "ScheduledProcedureStepStartTime": "090000-110000"},
    {"ScheduledProcedureStepStartTime": "-0930"},
    {"ScheduledProcedureStepStatus": "SCHEDULED", "ScheduledProcedureStepDescription": "*"},
    {"RequestedProcedureDescription": "MR*", "RequestedProcedurePriority": "ROUTINE"},
    {"PatientWeight": "70"},
]
"""Keys that are asked of both doors."""


@pytest.mark.parametrize("asked", SAME, ids=str)
def test_both_doors_give_the_same_answer_to_the_same_keys(ct1: Device, asked: dict[str, str]) -> None:
    a_day()
    asked = {name: value.replace("TODAY", today()) for name, value in asked.items()}
    by_path = {f"{STEP}__{name}" if name in STEP_KEYS else name: value for name, value in asked.items()}
    over_http = ct1.search(**by_path)
    over_dimse = answers(
        **asked,
        **({} if "PatientID" in asked else {"PatientID": None}),
        StudyInstanceUID=None,
        SpecificCharacterSet="ISO_IR 192",
    )
    assert len(over_http) == len(over_dimse)
    for ours, theirs in zip(over_http, over_dimse, strict=True):
        for element in theirs:
            if element.keyword == STEP:
                assert {one.tag: one.value for one in step(theirs)}.items() <= {
                    one.tag: one.value for one in step(ours)
                }.items()
            elif element.keyword != "SpecificCharacterSet":
                assert ours[element.tag].value == element.value, element.keyword


def test_tags_and_keywords_mean_the_same(ct1: Device) -> None:
    made = a_day()[0]
    by_keyword = ct1.steps(**{f"{STEP}__ScheduledStationAETitle": "CT1", "PatientID": "4711"})
    by_tag = ct1.steps(**{"00400100__00400001": "CT1", "00100020": "4711"})
    assert by_keyword == by_tag == [made.sps_id]
    assert ct1.steps(**{f"{STEP}__00400001": "MR1", "0020000d": "1.2,3.4"}) == []


def test_a_list_of_uids_is_written_with_commas_or_backslashes(ct1: Device) -> None:
    one, two, *_ = a_day()
    uids = [made.requested_procedure.study_instance_uid for made in (one, two)]
    for separator in (",", "\\"):
        assert sorted(ct1.steps(StudyInstanceUID=separator.join(uids))) == sorted([one.sps_id, two.sps_id])


def test_a_key_in_a_code_sequence_is_matched(ct1: Device) -> None:
    a_day()
    (first, second) = ct1.search(RequestedProcedureCodeSequence__CodeValue="MRHEAD")
    assert first.RequestedProcedureCodeSequence[0].CodeValue == "MRHEAD"
    assert first.RequestedProcedureCodeSequence[0].CodingSchemeDesignator
    assert second.RequestedProcedureCodeSequence[0].CodeValue == "MRHEAD"


def test_fuzzymatching_finds_names_by_ear(ct1: Device) -> None:
    made = factories.step(patient=factories.patient("Mayr^Anna", "4711"))
    factories.step(patient=factories.patient("Doe^Jane", "4712"))
    assert ct1.steps(PatientName="Meier*") == ct1.steps(PatientName="Meier*", fuzzymatching="false") == []
    assert ct1.steps(PatientName="Meier*", fuzzymatching="true", limit="5") == [made.sps_id]
    assert QueryLog.objects.order_by("-pk")[0].ways == {"by_ear": True, "limit": 5}


def test_emptyvaluematching_finds_what_has_no_value(ct1: Device) -> None:
    known = factories.step(patient=factories.patient("Doe^Jane", "4711"))
    factories.step(patient=factories.patient("Roe^Jim", "4712", birth_date=None), start=factories.today_at(11))
    assert ct1.steps(PatientID='""') == []
    found = ct1.search(PatientBirthDate='""', emptyvaluematching="true")
    assert [str(one.PatientID) for one in found] == ["4712"]
    problem(ct1.client.get(SEARCH, {"PatientBirthDate": '""'}), 400)
    assert ct1.steps(PatientID="4711", emptyvaluematching="true") == [known.sps_id]


def test_multiplevaluematching_asks_for_all_values_and_not_for_any(ct1: Device) -> None:
    one, *_ = a_day()
    station = f"{STEP}__ScheduledStationAETitle"
    assert one.sps_id in ct1.steps(**{station: "CT1\\MR1"})
    assert ct1.steps(**{station: "CT1\\MR1", "multiplevaluematching": "true"}) == []
    assert one.sps_id in ct1.steps(**{station: "CT1\\CT1", "multiplevaluematching": "true"})
    assert one.sps_id in ct1.steps(**{f"{STEP}__Modality": "CT\\MR", "multiplevaluematching": "true"})


# --- what an answer holds ------------------------------------------------------------------------------


def tags(attributes: Any, *types: str) -> set[int]:
    return {int(row.tag) for row in attributes if row.return_type in types}


def test_without_wishes_an_answer_has_every_attribute_of_types_1_and_2(ct1: Device) -> None:
    factories.step()
    (found,) = ct1.search()
    required = ("1", "1C", "2", "2C")
    assert tags(ATTRIBUTES, *required) == {int(one.tag) for one in found}
    assert tags(STEP_ATTRIBUTES, *required) == {int(one.tag) for one in step(found)}


def test_includefield_asks_for_more(ct1: Device) -> None:
    factories.step()
    query = f"includefield=RequestingService,00401400&includefield={STEP}.ScheduledProcedureStepStatus"
    (found,) = ct1.get(query=query).json()
    assert {"00321033", "00401400"} <= found.keys()
    assert found["00400100"]["Value"][0]["00400020"] == {"vr": "CS", "Value": ["SCHEDULED"]}
    assert "00380014" not in found


def test_includefield_all_asks_for_all_that_is_known(ct1: Device) -> None:
    factories.step()
    (found,) = ct1.search(includefield="all")
    assert {int(row.tag) for row in ATTRIBUTES if row.known or row.return_type != "3"} == {
        int(one.tag) for one in found
    }


def test_an_attribute_without_a_value_has_none_and_utf_8_is_named(ct1: Device) -> None:
    factories.order(patient=factories.patient("Yamada^Tarou=山田^太郎=やまだ^たろう", "4711"))
    (found,) = ct1.get().json()
    assert found["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
    name = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    assert found["00100010"] == {"vr": "PN", "Value": [name]}
    assert found["00081120"] == {"vr": "SQ"} or found["00081120"] == {"vr": "SQ", "Value": []}
    assert found["00400012" if "00400012" in found else "00380050"].keys() == {"vr"}


# --- pages -----------------------------------------------------------------------------------------------


def test_pages_make_up_the_whole_list_without_a_gap(ct1: Device) -> None:
    made = [factories.step(start=factories.today_at(8 + number)) for number in range(5)]
    pages = [ct1.steps(limit="2", offset=str(offset)) for offset in (0, 2, 4, 6)]
    assert pages == [[one.sps_id for one in made[:2]], [one.sps_id for one in made[2:4]], [made[4].sps_id], []]
    assert ct1.steps(limit="0") == []
    assert len(ct1.steps(offset="1")) == 4


def test_more_than_fits_is_refused_and_not_cut(ct1: Device, settings: Any) -> None:
    settings.BUCKY_WORKLIST_MAX_ANSWERS = 1
    factories.step(), factories.step(start=factories.today_at(11))
    for asked in ("", "offset=1"):
        detail = problem(ct1.get(query=asked), 413)["detail"]
        assert detail == "More than 1 steps match, ask for fewer, or for pages with limit and offset"


@pytest.mark.parametrize("narrowed", [{}, {f"{STEP}__ScheduledProcedureStepStartDate": "20200101-"}])
@pytest.mark.parametrize("when_more", WhenMore)
def test_any_number_of_steps_is_read_in_pages(
    ct1: Device, settings: Any, narrowed: dict[str, str], when_more: WhenMore
) -> None:
    """Whether SQL decides alone or Python looks at each row; and with more asked for than a page may hold."""
    settings.BUCKY_WORKLIST_MAX_ANSWERS = 2
    if when_more is WhenMore.NEWEST:
        StationProfile.objects.create(name="CT", callers="CT1", when_more=when_more)
    made = [factories.step(start=factories.today_at(8 + number)).sps_id for number in range(5)]
    factories.step("COMPLETED")
    keys = {name.replace("__", "."): value for name, value in narrowed.items()}
    found, remaining = [], []
    for offset in (0, 2, 4, 6):
        answer = ct1.client.get(SEARCH, keys | {"limit": "100", "offset": str(offset)})
        steps = answer.json() if answer.status_code == 200 else []
        found += [one["00400100"]["Value"][0]["00400009"]["Value"][0] for one in steps]
        remaining.append(answer.get("Warning", ""))
    assert found == (made[::-1] if when_more is WhenMore.NEWEST else made)
    service = "299 http://testserver/dicomweb"
    more = [f'{service}: "There are {left} additional results that can be requested"' for left in (3, 1)]
    assert remaining == [*more, "", ""]


def test_how_many_match_can_be_asked_alone(ct1: Device) -> None:
    factories.step(), factories.step(start=factories.today_at(11))
    answer = ct1.get(query="limit=0")
    assert answer.status_code == 204
    assert "Content-Type" not in answer
    assert "There are 2 additional results" in answer["Warning"]
    factories.step(start=factories.today_at(12))
    ct1.get(query="limit=0")
    assert [one.total for one in QueryLog.objects.order_by("pk")] == [2, 3]


def test_the_profile_of_the_device_holds_and_a_cut_is_told(ct1: Device) -> None:
    made = [factories.step(start=factories.today_at(8 + number)) for number in range(3)]
    factories.step(start=factories.today_at(8), station=factories.station("CT2"))
    StationProfile.objects.create(name="CT", callers="CT1", scope=Scope.OWN, most=2, when_more=WhenMore.NEWEST)
    answer = ct1.get()
    assert [one["00400100"]["Value"][0]["00400009"]["Value"][0] for one in answer.json()] == [
        made[2].sps_id,
        made[1].sps_id,
    ]
    assert "these are among the newest 2" in answer["Warning"]
    assert len(Device("CT2").steps()) == 4


# --- representations -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("", "application/dicom+json"),
        ("*/*", "application/dicom+json"),
        ("application/*", "application/dicom+json"),
        ("application/dicom+json", "application/dicom+json"),
        ("application/json", "application/json"),
        ("multipart/related", "application/dicom+xml"),
        ('multipart/related; type="application/dicom+xml"', "application/dicom+xml"),
        ("multipart/related; type=application/dicom+json; transfer-syntax=*", "multipart json"),
        ("application/dicom+xml", "application/dicom+xml"),
        ("text/html, application/dicom+json;q=0.5", "application/dicom+json"),
        ("*/*, application/dicom+json;q=0.1, application/json;q=0.2", "application/dicom+xml"),
        ("application/dicom+xml, */*", "application/dicom+xml"),
        (
            'application/dicom+json;q=0.1, multipart/related; type="application/dicom+xml";q=0.9',
            "application/dicom+xml",
        ),
    ],
)
def test_the_answer_is_what_the_device_accepts(ct1: Device, accept: str, answered: str) -> None:
    made = factories.step(patient=factories.patient("Müller^Łukasz", "4711"))
    answer = ct1.get(**({"accept": accept} if accept else {}))
    assert answer.status_code == 200
    again = ct1.get(query=f"accept={accept.replace('+', '%2B').replace(';', '%3B')}", accept="text/html")
    assert again.status_code == (200 if accept else 406)
    assert ct1.get(query="accept=image/png", **({"accept": accept} if accept else {})).status_code == 200
    if answered in ("application/dicom+json", "application/json"):
        assert answer["Content-Type"] == answered
        (model,) = answer.json()
    else:
        ((media_type, content),) = parts_of(answer)
        if answered == "multipart json":
            assert media_type == "application/dicom+json"
            (model,) = json.loads(content)
        else:
            assert media_type == "application/dicom+xml"
            root = ElementTree.fromstring(content)
            assert root.tag == f"{NATIVE}NativeDicomModel"
            name = root.find(f"{NATIVE}DicomAttribute[@keyword='PatientName']/{NATIVE}PersonName/{NATIVE}Alphabetic")
            assert name is not None
            assert [one.text for one in name] == ["Müller", "Łukasz"]
            item = root.find(f"{NATIVE}DicomAttribute[@tag='00400100']/{NATIVE}Item")
            assert item is not None
            step_id = item.find(f"{NATIVE}DicomAttribute[@tag='00400009']/{NATIVE}Value[@number='1']")
            assert step_id is not None
            assert step_id.text == made.sps_id
            return
    assert Dataset.from_json(model).ScheduledProcedureStepSequence[0].ScheduledProcedureStepID == made.sps_id


@pytest.mark.parametrize(
    ("query", "accept"),
    [
        ("", "text/html"),
        ("", "application/dicom+json;q=0"),
        ("", "rubbish"),
        ("", 'multipart/related; type="application/dicom"'),
        ("accept=image/png", "image/png"),
        ("accept=application/dicom%2Bjson;q=0", "text/html"),
    ],
)
def test_what_cannot_be_answered_is_406(ct1: Device, query: str, accept: str) -> None:
    assert problem(ct1.get(query=query, accept=accept), 406)["offered"]


def test_a_character_set_that_is_not_there_is_ignored(ct1: Device) -> None:
    factories.step(patient=factories.patient("Łukasz^Müller"))
    answer = ct1.get(query="charset=iso-8859-1")
    assert (answer.status_code, "Łukasz" in answer.content.decode("utf-8")) == (200, True)


def test_attributes_are_in_ascending_order_in_items_too(ct1: Device) -> None:
    factories.step(patient=factories.patient("Müller^Łukasz"))
    ((model),) = ct1.get(query="includefield=all").json()
    assert next(iter(model)) == "00080005"

    def check(data_set: dict[str, Any]) -> None:
        assert list(data_set) == sorted(data_set)
        for element in data_set.values():
            for item in element.get("Value", ()) if element["vr"] == "SQ" else ():
                check(item)

    check(model)


# --- what cannot be asked --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("Rubbish=1", "Rubbish is neither a parameter nor an attribute"),
        ("=1", "is neither a parameter nor an attribute"),
        ("Patient'Name=1", "that is written so is neither"),
        ("0010001=1", "0010001 is neither"),
        ("00020010=1", "00020010 is neither"),
        ("00080000=1", "00080000 is neither"),
        ("FFFEE000=1", "FFFEE000 is neither"),
        ("includefield=Rubbish", "Rubbish is neither"),
        ("includefield=", "is neither"),
        ("includefield=all,PatientID", "includefield=all allows no other includefield"),
        ("includefield=all&includefield=all", "includefield=all allows no other includefield"),
        (f"{STEP}.{STEP}.{STEP}.{STEP}.Modality=CT", "is neither"),
        (f"{STEP}..Modality=CT", "is neither"),
        ("PatientID.Modality=CT", "PatientID is not a sequence"),
        (f"{STEP}=CT", f"{STEP} is a sequence: name an attribute in it"),
        ("Modality=CT", f"Modality is not in its place: ask for {STEP}.Modality"),
        (f"{STEP}.PatientID=1", f"{STEP}.PatientID is not in its place: ask for PatientID"),
        ("PatientID=1&PatientID=1", "The parameter PatientID is given more than once"),
        ("PatientID=1&00100020=1", "The attribute PatientID is given more than once"),
        ("limit=1&limit=2", "The parameter limit is given more than once"),
        ("limit=-1", "limit is a whole number"),
        ("limit=", "limit is a whole number"),
        ("limit=1e3", "limit is a whole number"),
        ("limit=99999999999999999999", "limit is a whole number"),
        ("offset=one", "offset is a whole number"),
        ("offset=%D9%A1", "offset is a whole number"),
        ("fuzzymatching=maybe", "fuzzymatching is true or false"),
        ("accept=*/*&accept=*/*", "The parameter accept is given more than once"),
        ("PatientName=%FF%FE", "The value of PatientName is not in UTF-8"),
        (f"{STEP}.ScheduledProcedureStepStartDate=20260231", "is a date that no calendar has"),
        (f"{STEP}.ScheduledProcedureStepStartTime=noon", "is not a time"),
        (f"{STEP}.ScheduledProcedureStepStartDate=-", "is a range without ends"),
        ("PatientID=" + "9" * 2000, "is too long"),
        ("StudyInstanceUID=,", "A UID is missing in the list of StudyInstanceUID"),
        ("StudyInstanceUID=1.2,", "A UID is missing in the list of StudyInstanceUID"),
        ("StudyInstanceUID=1.2,,1.3", "A UID is missing in the list of StudyInstanceUID"),
        ("StudyInstanceUID=%5C1.2", "A UID is missing in the list of StudyInstanceUID"),
        ("StudyInstanceUID=%20", "A UID is missing in the list of StudyInstanceUID"),
        ("emptyvaluematching=yes", "emptyvaluematching is true or false"),
        (f"{STEP}.ScheduledStationAETitle=CT*%5CMR1&multiplevaluematching=true", "has a wildcard among several values"),
    ],
)
def test_what_cannot_be_understood_is_400_and_says_why(ct1: Device, query: str, says: str) -> None:
    factories.step()
    assert says in problem(ct1.get(query=query), 400)["detail"]


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        (f"{STEP}.ScheduledProcedureStepStartDate", "20260231", "is a date that no calendar has"),
        ("00400100.00400002", "20260231", "is a date that no calendar has"),
        ("PatientID", "9" * 2000, "is too long"),
    ],
)
def test_a_value_that_cannot_be_understood_is_named_as_it_was_written(
    ct1: Device, name: str, value: str, fault: str
) -> None:
    told = problem(ct1.get(query=f"limit=3&includefield=PatientWeight&{name}={value}"), 400)
    assert (told["parameter"], told["detail"]) == (name, f"{name} {fault}")


def test_what_is_not_matched_is_read_over_with_a_warning_and_comes_back(ct1: Device) -> None:
    factories.step()
    answer = ct1.get(query="PatientWeight=70&Manufacturer=ACME&00091001=x&TimezoneOffsetFromUTC=%2B0100")
    assert answer.status_code == 200
    (found,) = answer.json()
    assert found["00080070"] == {"vr": "LO"}
    assert found["00091001"] == {"vr": "UN"}
    assert answer["Warning"] == (
        '299 http://testserver/dicomweb: "These attributes are not matched:'
        ' PatientWeight Manufacturer 00091001 TimezoneOffsetFromUTC"'
    )


def test_a_step_that_cannot_be_written_is_left_out_with_a_warning(ct1: Device) -> None:
    factories.order(patient=factories.patient(""))
    answer = ct1.get()
    assert answer.status_code == 204
    assert answer["Warning"] == ('299 http://testserver/dicomweb: "1 of the matching steps cannot be written"')


def test_a_database_that_is_away_is_503_and_no_empty_list(ct1: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: Any) -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr(query, "_rows", away)
    answer = ct1.get()
    assert problem(answer, 503)["detail"] == "The database cannot be reached, ask again"
    assert answer["Retry-After"] == "10"


def test_a_fault_of_ours_is_500_and_says_nothing_more(
    ct1: Device, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Any) -> Any:
        raise ValueError("Doe^Jane")

    monkeypatch.setattr(query, "_rows", broken)
    assert problem(ct1.get(), 500)["detail"] == "Bucky cannot do this"
    assert "Doe" not in "".join(PrivateFormatter().format(record) for record in caplog.records)


def test_more_parameters_than_anybody_needs_are_400(ct1: Device) -> None:
    problem(ct1.get(query="&".join(f"a{number}=" for number in range(1001))), 400)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_a_list_is_only_read(ct1: Device, method: str) -> None:
    answer = ct1.client.generic(method, SEARCH)
    problem(answer, 405)
    assert answer["Allow"] == "GET, HEAD, OPTIONS"


def test_head_and_options(ct1: Device) -> None:
    factories.step()
    head = ct1.client.head(SEARCH)
    assert (head.status_code, head.content, head["Content-Type"]) == (200, b"", "application/dicom+json")
    options = ct1.client.options(SEARCH)
    assert (options.status_code, options["Allow"]) == (204, "GET, HEAD, OPTIONS")
    assert "Content-Type" not in options


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize(
    "address", ["/dicomweb/studies", f"{SEARCH}/", "/dicomweb/modality-performed-procedure-steps", "/dicomweb/a/b/../c"]
)
def test_what_is_no_resource_is_told_so_instead_of_a_page_to_sign_in(ct1: Device, address: str, method: str) -> None:
    for client in (ct1.client, Client()):
        answer = client.generic(method, address)
        problem(answer, 405 if method == "PROPFIND" else 404)


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        (f"{SEARCH}?PatientID=%00", {}, 400),
        (SEARCH, {"host": "bad host"}, 400),
        ("/dicomweb", {"host": "bad host"}, 400),
        ("/dicomweb/a%0Ab", {}, 404),
    ],
)
def test_what_no_view_gets_to_see_is_told_in_a_report_too(
    ct1: Device, address: str, headers: dict[str, str], status: int
) -> None:
    answer = ct1.client.get(address, headers=headers)
    report = problem(answer, status)
    assert report["detail"]
    assert b"%00" not in answer.content
    assert ct1.client.get("/?x=%00")["Content-Type"].startswith("text/html"), "a person gets a page"


@pytest.mark.parametrize("address", ["/dicomweb/", "/dicomweb"])
def test_the_service_tells_what_it_has(address: str) -> None:
    told = Client().get(address).json()
    performed = "/dicomweb/modality-performed-procedure-steps/{mppsUID}"
    assert [one["resource"] for one in told["resources"]] == [SEARCH, performed]
    assert "application/dicom+json" in told["resources"][0]["answered"]


def test_every_keyword_of_the_table_can_be_asked_for(ct1: Device) -> None:
    factories.step()
    names = [row.keyword for row in ATTRIBUTES] + [f"{STEP}.{row.keyword}" for row in STEP_ATTRIBUTES]
    (found,) = ct1.get(query="includefield=" + ",".join(names)).json()
    assert {f"{tag_for_keyword(row.keyword):08X}" for row in ATTRIBUTES} == found.keys()
