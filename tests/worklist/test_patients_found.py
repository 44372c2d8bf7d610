"""Patients found by how a name sounds, and by numbers of other authorities."""

from typing import Any

import pytest
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.dsutils import encode

from ris.models import PatientIdentifier
from tests import factories
from tests.worklist.asking import CT1, door_sends, keys
from tests.worklist.test_profiles import agreed
from worklist.encoding import decode, syntax_of
from worklist.prepared import reply_to
from worklist.query import Caller, find
from worklist.ways import Ways

pytestmark = pytest.mark.django_db


def found(caller: Caller = CT1, **values: Any) -> list[str]:
    """Return the patient IDs of the answers, after a look whether the door sends the same."""
    asked = keys(**({"PatientID": None, "SpecificCharacterSet": "ISO_IR 192"} | values))
    data_sets = [one.data_set for one in find(asked, caller)]
    door_sends(asked, data_sets, caller)
    return [str(one.PatientID) for one in data_sets]


# --- by ear ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "exactly", "by_ear"),
    [
        ("Meier^Stefan", [], ["1"]),
        ("Mayr^Stephan", ["1"], ["1"]),
        ("Maier*", [], ["1"]),
        ("stefan", [], ["1"]),
        ("Schmitt", [], ["2"]),
        ("Schmidt^Anna", ["2"], ["2"]),
        ("山田", [], ["3"]),
        ("yamada", [], ["3"]),
        ("*", ["1", "2", "3"], ["1", "2", "3"]),
        ("Meier\\Schmitt", [], ["1", "2"]),
        ("Meier^Anna", [], []),
    ],
)
def test_a_name_is_found_by_how_it_sounds_where_that_is_agreed(key: str, exactly: list[str], by_ear: list[str]) -> None:
    factories.step(patient=factories.patient("Mayr^Stephan", "1"), start=factories.today_at(8))
    factories.step(patient=factories.patient("Schmidt^Anna", "2"), start=factories.today_at(9))
    yamada = factories.patient("Yamada^Tarou", "3", patient_name_ideographic="山田^太郎")
    factories.step(patient=yamada, start=factories.today_at(10))
    values = key.split("\\") if "\\" in key else key
    assert found(PatientName=values) == exactly
    assert found(Caller("CT1", ways=Ways(by_ear=True)), PatientName=values) == by_ear


# --- in the scanner's own letters ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("character_set", "key", "number"),
    [
        (["", "ISO 2022 IR 87"], "=山本*", "1"),  # 本 is 4B 5C, which ends in a backslash
        (["", "ISO 2022 IR 87"], "Yamamoto^Haru=山本^春子", "1"),  # 春 is 3D 55, which begins with =
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], "=*^春子", "1"),
        (["GB18030"], "=昞^昢", "2"),  # 95 5C and 95 5E, which end in a backslash and in ^
        (["GBK"], "=昞*", "2"),
        (["ISO_IR 192"], "=山本*", "1"),
        (["ISO_IR 100"], "Müll?r*", "3"),
        (["ISO_IR 100"], "müller", "3"),
    ],
)
def test_a_key_is_read_in_its_character_set_before_it_is_taken_apart(
    character_set: list[str], key: str, number: str
) -> None:
    factories.step(patient=factories.patient("Yamamoto^Haru", "1", patient_name_ideographic="山本^春子"))
    wang = factories.patient("Wang^Bing", "2", patient_name_ideographic="昞^昢")
    factories.step(patient=wang, start=factories.today_at(14))
    factories.step(patient=factories.patient("Müller", "3"), start=factories.today_at(15))
    identifier = keys(PatientName=key, PatientID=None, SpecificCharacterSet=character_set)
    asked = encode(identifier, False, True)
    assert asked is not None
    reply = reply_to(asked, ExplicitVRLittleEndian, CT1)
    (sent,) = (decode(data, syntax_of(ExplicitVRLittleEndian)) for data in reply)
    assert sent.PatientID == number
    assert reply.keys["PatientName"] == key


# --- by numbers -----------------------------------------------------------------------------------------


@pytest.fixture
def jane() -> None:
    """Jane has a number of this hospital and one of another, where her number here is John's."""
    jane = factories.patient("Doe^Jane", "4711", issuer="HERE")
    PatientIdentifier.new(patient=jane, value="88", issuer="THERE")
    john = factories.patient("Doe^John", "88", issuer="HERE")
    factories.step(patient=jane, start=factories.today_at(8))
    factories.step(patient=john, start=factories.today_at(9))


@pytest.mark.usefixtures("jane")
@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"PatientID": "88"}, ["88"]),
        ({"PatientID": "88", "IssuerOfPatientID": None}, ["88"]),
        ({"PatientID": "88", "IssuerOfPatientID": "HERE"}, ["88"]),
        ({"PatientID": "88", "IssuerOfPatientID": "THERE"}, ["88"]),
        ({"PatientID": "4711", "IssuerOfPatientID": "THERE"}, []),
        ({"PatientID": "4711", "IssuerOfPatientID": "HERE"}, ["4711"]),
        ({"IssuerOfPatientID": "HERE"}, ["4711", "88"]),
        ({"IssuerOfPatientID": "THERE"}, []),
    ],
)
def test_a_number_is_that_of_its_issuer(asked: dict[str, Any], sent: list[str]) -> None:
    assert found(**asked) == sent


@pytest.mark.usefixtures("jane")
def test_the_answer_holds_the_number_that_was_asked_for_and_the_others_beside_it() -> None:
    asked = keys(PatientName=None, PatientID="88", IssuerOfPatientID="THERE", OtherPatientIDsSequence=[])
    (one,) = find(asked, CT1)
    door_sends(asked, [one.data_set])
    assert (str(one.data_set.PatientName), one.data_set.IssuerOfPatientID) == ("Doe^Jane", "THERE")
    assert [(other.PatientID, other.IssuerOfPatientID) for other in one.data_set.OtherPatientIDsSequence] == [
        ("4711", "HERE")
    ]


@pytest.mark.usefixtures("jane")
def test_a_device_of_the_other_hospital_uses_its_own_numbers() -> None:
    agreed(issuer="THERE")
    assert found() == ["88", "88"]  # Jane's there, and John's here: he has none there
    (jane, john) = find(keys(PatientID=None, IssuerOfPatientID=None, PatientName=None), CT1)
    assert (str(jane.data_set.PatientName), jane.data_set.IssuerOfPatientID) == ("Doe^Jane", "THERE")
    assert (str(john.data_set.PatientName), john.data_set.IssuerOfPatientID) == ("Doe^John", "HERE")
    assert found(PatientID="88") == ["88", "88"]
    assert found(PatientID="4711") == []
