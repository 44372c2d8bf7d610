"""Answers: what was asked for, valid, and readable for the caller."""

from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pynetdicom.dsutils import decode, encode

from ris.models import Order, Patient, PatientIdentifier, RequestedProcedure, ScheduledProcedureStep, Site, Visit
from tests import factories
from tests.worklist.asking import answers, ask, keys, step
from worklist.answer import BadRowError, answer
from worklist.attributes import ATTRIBUTES, BY_TAG, PROCEDURE, SITE_ZONE, STEP_ATTRIBUTES, Attribute, Fault
from worklist.identifier import read
from worklist.profiles import Profile
from worklist.query import Caller, find
from worklist.spelling import Style
from worklist.values import RULES, mended, valid

EVERY = [*ATTRIBUTES, *STEP_ATTRIBUTES]
PLAIN = [row for row in EVERY if row.vr != "SQ"]
SEQUENCES = [row for row in ATTRIBUTES if row.vr == "SQ"]


def ask_for(attribute: Attribute, *, items: list[Dataset] | None = None) -> Dataset:
    """Return an identifier with one empty key."""
    element = DataElement(attribute.tag, attribute.vr, items if attribute.vr == "SQ" else None)
    inner, outer = Dataset(), Dataset()
    (inner if attribute in STEP_ATTRIBUTES else outer).add(element)
    if attribute in STEP_ATTRIBUTES:
        outer.ScheduledProcedureStepSequence = [inner]
    return outer


def told(data_set: Dataset, attribute: Attribute) -> DataElement:
    return (step(data_set) if attribute in STEP_ATTRIBUTES else data_set)[attribute.tag]


@pytest.fixture
def a_full_day(db: None) -> ScheduledProcedureStep:
    """One step of which everything is known."""
    jane = factories.patient("Doe^Jane", "4711")
    Patient.objects.filter(pk=jane.pk).update(
        patient_name_ideographic="", weight=Decimal("70.50"), size=Decimal("1.68"), medical_alerts="Pacemaker",
        allergies="Iodine", special_needs="Wheelchair", patient_state="Sedated", confidentiality="VIP",
        pregnancy_status=1, primary_language="de", comments="Speaks softly",
    )  # fmt: skip
    PatientIdentifier.objects.create(patient=jane, value="99", issuer="INSURER", type="NI")
    PatientIdentifier.objects.filter(value="4711").update(issuer_universal_id="1.2.3", issuer_universal_id_type="ISO")
    visit = Visit.objects.create(patient=jane, visit_number="V1", issuer="ADT", patient_class="O", location="WARD^2")
    made = factories.step(patient=jane, comments="Call ward", transport_arrangements="Bed")
    Order.objects.filter(procedures=made.requested_procedure).update(
        visit=visit, accession_issuer="RIS", filler_order_number="F1", filler_issuer="RIS", requesting_service="ICU"
    )
    RequestedProcedure.objects.filter(pk=made.requested_procedure_id).update(
        reason="Pain",
        reason_codes=[{"code": "R10", "coding_scheme": "I10", "meaning": "Pain"}],
        diagnosis="Appendicitis",
        intended_recipients="Curie^Marie",
        study_start=made.start,
    )
    ScheduledProcedureStep.objects.filter(pk=made.pk).update(
        performing_physician="Röntgen^W", comments="Look twice", pre_medication="None", contrast_agent="Iodine",
        protocol_codes=[
            {"code": "P1", "coding_scheme": "L", "meaning": "Abdomen"},
            {"code": "P2", "coding_scheme": "L", "meaning": "Late"},
        ],
    )  # fmt: skip
    return made


@pytest.mark.parametrize("attribute", EVERY, ids=lambda row: row.keyword)
@pytest.mark.usefixtures("a_full_day")
def test_a_key_that_is_asked_is_in_the_answer(attribute: Attribute) -> None:
    (found,) = find(ask_for(attribute), Caller("CT1"))
    element = told(found.data_set, attribute)
    assert attribute.vr == element.VR
    assert element.is_empty is not attribute.known


@pytest.mark.parametrize("attribute", EVERY, ids=lambda row: row.keyword)
@pytest.mark.django_db
def test_a_key_of_which_nothing_is_known_is_there_without_value(attribute: Attribute) -> None:
    bare = factories.step(patient=factories.patient(birth_date=None, sex=""))
    ScheduledProcedureStep.objects.filter(pk=bare.pk).update(description="", comments="", protocol_codes=[])
    (found,) = find(ask_for(attribute), Caller("CT1"))
    if attribute.return_type != "1" and not _always_known(attribute):
        assert told(found.data_set, attribute).is_empty


def _always_known(attribute: Attribute) -> bool:
    """Whether the department has a value for every order: these do not come from outside."""
    return attribute.keyword in {
        "AccessionNumber", "BarcodeValue", "ReferencedStudySequence", "RequestedProcedureDescription",
        "RequestedProcedureCodeSequence", "RequestedProcedurePriority", "RequestingPhysician",
        "ReferringPhysicianName",
        "ScheduledStationName", "ScheduledProcedureStepLocation", "ScheduledProcedureStepStatus", "IssuerOfPatientID",
        "PlacerOrderNumberImagingServiceRequest", "OrderPlacerIdentifierSequence",
        "FillerOrderNumberImagingServiceRequest",
        "OrderFillerIdentifierSequence", "IssuerOfAccessionNumberSequence", "RequestedContrastAgent",
        "IssuerOfPatientIDQualifiersSequence",
    }  # fmt: skip


@pytest.mark.parametrize("attribute", EVERY, ids=lambda row: row.keyword)
def test_every_row_of_the_table_is_in_the_data_dictionary(attribute: Attribute) -> None:
    assert attribute.vr in {*RULES, "SQ"}
    assert attribute.name
    assert attribute.return_type in {"1", "1C", "2", "2C", "3"}
    assert attribute.origin or not attribute.known or attribute.items or attribute.constant


def test_no_attribute_is_in_the_table_twice() -> None:
    assert len(BY_TAG) == len(ATTRIBUTES)
    assert not {row.tag for row in STEP_ATTRIBUTES} & set(BY_TAG)


def test_only_what_is_asked_is_sent(a_full_day: ScheduledProcedureStep) -> None:
    (found,) = answers(PatientName=None, Modality=None)
    assert {element.keyword for element in found} == {"PatientName", "ScheduledProcedureStepSequence"}
    assert {element.keyword for element in step(found)} == {"Modality", "ScheduledProcedureStepID"}


def test_without_the_step_sequence_there_is_none_in_the_answer(a_full_day: ScheduledProcedureStep) -> None:
    identifier = Dataset()
    identifier.PatientID = "4711"
    (found,) = find(identifier, Caller("CT1"))
    assert [element.keyword for element in found.data_set] == ["PatientID"]


@pytest.mark.parametrize("items", [[], [Dataset()]], ids=["no item", "an empty item"])
@pytest.mark.parametrize("attribute", SEQUENCES, ids=lambda row: row.keyword)
def test_a_sequence_without_keys_comes_whole(
    attribute: Attribute, items: list[Dataset], a_full_day: ScheduledProcedureStep
) -> None:
    (found,) = find(ask_for(attribute, items=items), Caller("CT1"))
    wanted = {item.tag for item in attribute.items if item.known}
    assert all(wanted <= set(item.keys()) for item in told(found.data_set, attribute).value)
    assert bool(told(found.data_set, attribute).value) is attribute.known


def test_a_sequence_comes_with_the_items_that_were_asked(a_full_day: ScheduledProcedureStep) -> None:
    code = Dataset()
    code.CodeMeaning = None
    (found,) = answers(ScheduledProtocolCodeSequence=[code], RequestedProcedureCodeSequence=[code])
    assert [[element.value for element in item] for item in step(found).ScheduledProtocolCodeSequence] == [
        ["Abdomen"],
        ["Late"],
    ]
    assert [len(item) for item in found.RequestedProcedureCodeSequence] == [1]


def test_values_as_dicom_writes_them(a_full_day: ScheduledProcedureStep) -> None:
    (found,) = answers(
        PatientBirthDate=None, PatientWeight=None, PatientSize=None, PregnancyStatus=None, PatientSex=None
    )
    assert found.PatientBirthDate == "19620417"
    assert (found.PatientWeight, found.PatientSize) == (70.5, 1.68)
    assert found.PregnancyStatus == 1
    assert found.PatientSex == "F"


def test_private_and_unknown_keys_come_back_without_value(a_full_day: ScheduledProcedureStep) -> None:
    identifier = keys(PatientID="4711")
    identifier.add(DataElement(Tag(0x00091001), "LO", "x"))
    identifier.add(DataElement(Tag("ViewCodeSequence"), "SQ", []))
    identifier.add(DataElement(Tag("SmallestImagePixelValue"), "US", None))
    result = find(identifier, Caller("CT1"))
    (found,) = result
    assert result.pending == 0xFF01
    assert found.data_set[0x00091001].is_empty
    assert found.data_set.ViewCodeSequence == []
    assert found.data_set["SmallestImagePixelValue"].is_empty


def test_group_lengths_are_not_keys(a_full_day: ScheduledProcedureStep) -> None:
    identifier = keys(PatientID="4711")
    identifier.add(DataElement(Tag(0x00100000), "UL", 20))
    (found,) = find(identifier, Caller("CT1"))
    assert Tag(0x00100000) not in found.data_set


# --- character sets ------------------------------------------------------------------------------------


def row(name: str = "", **columns: Any) -> dict[str, Any]:
    return {
        "pk": 1,
        "start": datetime(2026, 3, 3, 8, tzinfo=ZoneInfo("UTC")),
        SITE_ZONE: "Europe/Berlin",
        **{path: None for attribute in EVERY for path in (attribute.path, *attribute.groups) if path},
        BY_TAG[Tag("PatientName")].path: name,
        "sps_id": "S1",
        **columns,
    }


def in_utf_8_else(character_set: str) -> Style:
    """The style of a device that reads UTF-8 too."""
    return Style(Profile(character_set=character_set, transliterate=False))


def sent(name: str, character_set: str) -> Dataset:
    """Return the data set as the caller decodes it."""
    data_set = answer(read(keys(PatientName=None)), row(name), in_utf_8_else(character_set))
    bytes_sent = encode(data_set, False, True)
    assert bytes_sent
    return decode(BytesIO(bytes_sent), False, True)


def test_plain_ascii_names_no_character_set() -> None:
    assert "SpecificCharacterSet" not in sent("Doe^Jane", "ISO_IR 192")


@pytest.mark.parametrize(
    ("name", "character_set", "used"),
    [
        ("Müller^Jürgen", "ISO_IR 100", "ISO_IR 100"),
        ("Müller^Jürgen", "ISO_IR 192", "ISO_IR 192"),
        ("Wałęsa^Lech", "ISO_IR 101", "ISO_IR 101"),
        ("Wałęsa^Lech", "ISO_IR 100", "ISO_IR 192"),
        ("Люкceмбypг", "ISO_IR 144", "ISO_IR 144"),
        ("王^小东", "GB18030", "GB18030"),
        ("ภาษา^ไทย", "ISO_IR 166", "ISO_IR 166"),
    ],
)
def test_a_name_arrives_as_it_is(name: str, character_set: str, used: str) -> None:
    found = sent(name, character_set)
    assert found.PatientName == name
    assert found.SpecificCharacterSet == used


def test_japanese_in_its_own_code() -> None:
    found = answer(
        read(keys(PatientName=None)),
        row("Yamada^Tarou", **{BY_TAG[Tag("PatientName")].groups[0]: "山田^太郎"}),
        in_utf_8_else("\\ISO 2022 IR 87"),
    )
    again = decode(BytesIO(encode(found, False, True) or b""), False, True)
    assert str(again.PatientName) == "Yamada^Tarou=山田^太郎"
    assert list(again.SpecificCharacterSet) == ["", "ISO 2022 IR 87"]


# --- what DICOM cannot write ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vr", "good", "bad"),
    [
        ("AE", "CT 1", "CT\\1"),
        ("CS", "CT_1", "ct"),
        ("DA", "20260303", "202603"),
        ("DS", "70.5", "seventy"),
        ("LO", "Räume 1/2", "a\\b"),
        ("LT", "one\r\ntwo\\three", "bell\a"),
        ("PN", "A^B^C^D^E=F=G", "A^B^C^D^E^F"),
        ("SH", "x" * 16, "x" * 17),
        ("ST", "two\nlines", "\x1b$B"),
        ("TM", "103000", "10:30"),
        ("UI", "1.2.840.0.1", "1.02.3"),
        ("US", "3", "-1"),
        ("UT", "x" * 5000, "\ud800"),
    ],
)
def test_what_each_vr_allows(vr: str, good: str, bad: str) -> None:
    assert valid(vr, good)
    assert not valid(vr, bad)


def test_every_vr_of_the_table_has_a_rule() -> None:
    assert {attribute.vr for attribute in EVERY} <= {*RULES, "SQ"}


@pytest.mark.parametrize(
    ("vr", "text", "better"),
    [
        ("LO", "Thorax\\Abdomen", "Thorax/Abdomen"),
        ("LO", " two\nlines ", "two lines"),
        ("LO", "x" * 70, "x" * 60 + " ..."),
        ("SH", "a very long station name", "a very long stat"),
        ("LT", "bell\a", "bell"),
        ("LT", "word " * 3000, ("word " * 3000)[:10236] + " ..."),
        ("LO", "half a \ud800 pair", "half a pair"),
    ],
)
def test_text_is_mended(vr: str, text: str, better: str) -> None:
    assert mended(vr, text) == better


def test_a_description_is_mended_and_the_step_stays() -> None:
    found = answer(read(keys(ScheduledProcedureStepDescription=None)), row("", description="A\\B" + "x" * 80))
    assert step(found).ScheduledProcedureStepDescription == ("A/B" + "x" * 80)[:60] + " ..."


@pytest.mark.parametrize(
    "attribute", [one for one in PLAIN if one.fault is Fault.SKIP and one.path != "start"], ids=lambda one: one.keyword
)
def test_what_identifies_is_never_changed(attribute: Attribute) -> None:
    with pytest.raises(BadRowError) as refused:
        answer(read(ask_for(attribute)), row("", **{attribute.path: "\\\n" * 50}))
    assert str(refused.value) == attribute.keyword


def test_a_doubtful_birth_date_is_left_out() -> None:
    found = answer(read(keys(PatientBirthDate=None)), row("", **{BY_TAG[Tag("PatientBirthDate")].path: date(15, 1, 1)}))
    assert found["PatientBirthDate"].is_empty


def test_a_code_that_is_too_long_sends_no_code() -> None:
    found = answer(read(keys(RequestedProcedureCodeSequence=[])), row(**{PROCEDURE + "code": "X" * 17}))
    assert found.RequestedProcedureCodeSequence == []


@pytest.mark.django_db
def test_a_site_whose_time_zone_is_unknown_falls_back_to_the_department() -> None:
    made = factories.step(start=factories.today_at(10))
    assert made.station
    Site.objects.filter(stations=made.station).update(time_zone="Mars/Olympus")
    (found,) = ask(ScheduledProcedureStepStartTime=None)
    assert step(found.data_set).ScheduledProcedureStepStartTime == "100000"


@pytest.mark.django_db
def test_several_recipients_are_several_values() -> None:
    factories.step(intended_recipients="Curie^Marie; Röntgen^Wilhelm")
    (found,) = answers(NamesOfIntendedRecipientsOfResults=None)
    assert [str(name) for name in found.NamesOfIntendedRecipientsOfResults] == ["Curie^Marie", "Röntgen^Wilhelm"]


ALLERGIES = (
    "Penicillin", "Iodinated contrast media", "Gadolinium", "Latex", "Adhesive tape", "Peanuts", "Acetylsalicylic acid",
    "Anaphylaxis after the second dose of an unknown antibiotic in another hospital, in the spring of 2019",
)  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("keyword", ["Allergies", "MedicalAlerts"])
def test_no_allergy_is_cut_off(keyword: str) -> None:
    """A value has room for 64 characters, so a long list is several; a scanner must not be shown the first half."""
    column = {"Allergies": "allergies", "MedicalAlerts": "medical_alerts"}[keyword]
    told = ", ".join(ALLERGIES)
    factories.step(patient=factories.patient("Doe^Jane", "4711", **{column: told}))
    (found,) = answers(**{keyword: None})
    values = list(found[keyword].value)
    assert all(len(value) <= 64 for value in values)
    assert " ".join(values).replace(",", "").split() == told.replace(",", "").split()
    assert values[0] == "Penicillin, Iodinated contrast media, Gadolinium, Latex"
