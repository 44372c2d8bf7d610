"""How devices are written to: names in the letters that they have, and what their profiles force."""

from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.dsutils import encode

from ris.models import Event, EventKind, ScheduledProcedureStep
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of
from tests.worklist.asking import door_sends, keys, step
from tests.worklist.test_profiles import agreed
from worklist import query
from worklist.answer import answer
from worklist.models import ProfileValue, StationProfile
from worklist.prepared import reply_to
from worklist.preview import sent
from worklist.query import Caller, find
from worklist.spelling import Notes, What

pytestmark = pytest.mark.django_db


def rule(profile: StationProfile, keyword: str, setting: str, value: str) -> None:
    """Add a rule as the desk would: checked."""
    row = ProfileValue(station_profile=profile, keyword=keyword, setting=setting, value=value)
    row.full_clean()
    row.save()


def answered(**values: Any) -> tuple[Dataset, list[What]]:
    """Return the only answer that CT1 gets, after a look whether the door sends the same, and what was changed."""
    result = find(keys(**values), Caller("CT1"))
    (found,) = result
    door_sends(keys(**values), [found.data_set], Caller("CT1"))
    notes = Notes()
    answer(result.request, result.rows[0], result.style, notes)
    return found.data_set, [change.what for change in notes.changes]


LATIN, OTHER, GROUP, CUT, EMPTY, MENDED = What.LATIN, What.OTHER, What.GROUP, What.CUT, What.EMPTY, What.MENDED


@pytest.mark.parametrize(
    ("names", "character_set", "name", "changes"),
    [
        (("Müller^Łukasz",), "ISO_IR 192", "Müller^Łukasz", []),
        (("Müller^Łukasz",), "ISO_IR 100", "Müller^Lukasz", [LATIN]),
        (("Müller^Łukasz",), "ISO_IR 6", "Muller^Lukasz", [LATIN]),
        (("Müller^Łukasz",), "ISO_IR 144", "Muller^Lukasz", [LATIN]),
        (("Иванов^Пётр",), "ISO_IR 144", "Иванов^Пётр", []),
        (("Иванов^Иван",), "ISO_IR 100", "Ivanov^Ivan", [LATIN]),
        (
            ("Yamada^Tarou", "山田^太郎", "やまだ^たろう"),
            "\\ISO 2022 IR 87",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
            [],
        ),
        (("Yamada^Tarou", "山田^太郎", "やまだ^たろう"), "ISO_IR 100", "Yamada^Tarou", [GROUP]),
        (("Yamada^Tarou", "山田^太郎"), "GB18030", "Yamada^Tarou=山田^太郎", []),
        (("", "山田^太郎", "やまだ^たろう"), "\\ISO 2022 IR 87", "=山田^太郎=やまだ^たろう", []),
        (("", "山田^太郎", "やまだ^たろう"), "ISO_IR 100", "Yamada^Tarou", [OTHER, GROUP]),
        (("山田^太郎", "", "やまだ^たろう"), "ISO_IR 100", "Yamada^Tarou", [OTHER, GROUP]),
        (("", "王^小东"), "ISO_IR 100", "Wang^XiaoDong", [OTHER, GROUP]),
        (("Hong^Gildong", "洪^吉洞", "홍^길동"), "\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동", []),
        (("Hong^Gildong", "洪^吉洞", "홍^길동"), "\\ISO 2022 IR 87", "Hong^Gildong=洪^吉洞", [GROUP]),
        (("ภาษา^ไทย",), "ISO_IR 166", "ภาษา^ไทย", []),
        (("ภาษา^ไทย",), "ISO_IR 100", "Phasa^Aithy", [LATIN]),
    ],
)
def test_a_name_in_the_letters_that_a_device_has(
    names: tuple[str, ...], character_set: str, name: str, changes: list[What]
) -> None:
    alphabetic, ideographic, phonetic = (*names, "", "")[:3]
    factories.step(
        patient=factories.patient(alphabetic, patient_name_ideographic=ideographic, patient_name_phonetic=phonetic)
    )
    agreed(character_set=character_set)
    data_set, changed = answered(PatientName=None)
    assert str(data_set.PatientName) == name
    assert changed == changes
    assert "?" not in str(data_set.PatientName)
    told = data_set.get("SpecificCharacterSet", "")
    assert (told if isinstance(told, str) else "\\".join(told)) == ("" if name.isascii() else character_set)


def test_a_device_that_reads_unicode_in_need_gets_it() -> None:
    factories.step(patient=factories.patient("Wałęsa^Lech"))
    agreed(character_set="ISO_IR 100", transliterate=False)
    data_set, changes = answered(PatientName=None)
    assert (str(data_set.PatientName), data_set.SpecificCharacterSet, changes) == ("Wałęsa^Lech", "ISO_IR 192", [])


def test_a_description_is_rewritten_and_a_number_is_not() -> None:
    exam = factories.exam("CTELBOW", meaning="Łokieć")
    made = factories.step(patient=factories.patient("Doe^Jane", "Ж-4711"), exam=exam)
    agreed(character_set="ISO_IR 100")
    result = find(keys(PatientID=None), Caller("CT1"))
    assert list(result) == []
    assert result.faults == {made.pk: "PatientID"}
    data_set, changes = answered(ScheduledProcedureStepDescription=None)
    assert step(data_set).ScheduledProcedureStepDescription == "Lokiec"
    assert changes == [LATIN]


def test_allergies_in_other_letters_are_not_cut_off() -> None:
    """In Latin letters a text may be several times as long; what does not fit into one value is in the next."""
    agreed("CT1", character_set="ISO_IR 100")
    told = "青霉素, 碘造影剂, 乳胶, 花生, 阿司匹林, 磺胺类药物, 头孢菌素, 万古霉素"
    factories.step(patient=factories.patient("Wang^Bing", "1", allergies=told))
    data_set, changes = answered(Allergies=None)
    values = list(data_set.Allergies)
    assert all(value.isascii() and len(value) <= 64 for value in values)
    assert ", ".join(values).count(",") == told.count(",")
    assert set(changes) == {LATIN}


NEEDS = "Wheelchair, oxygen 2 l/min, isolation because of MRSA, interpreter"


@pytest.mark.parametrize(
    ("keyword", "record", "sent", "what"),
    [
        ("SpecialNeeds", {}, "Patient lift; Wheelchair, oxygen 2 l/min, isolation because ...", [CUT]),
        ("PatientState", {"patient_state": "on\\off"}, "on/off", [MENDED]),
        ("PatientState", {"patient_state": "two\nlines"}, "two lines", []),
        ("MedicalAlerts", {"medical_alerts": "MRSA\\VRE; Latex"}, ["MRSA/VRE", "Latex"], [MENDED]),
        ("PatientBirthDate", {"birth_date": date(15, 1, 1)}, None, [EMPTY]),
    ],
)
def test_what_does_not_fit_is_never_changed_in_silence(
    keyword: str, record: dict[str, Any], sent: Any, what: list[What]
) -> None:
    made = factories.step(patient=factories.patient("Doe^Jane", "1", special_needs=NEEDS[:64], **record))
    ScheduledProcedureStep.objects.update(gate_needs="Patient lift")
    data_set, changes = answered(**{keyword: None})
    value = data_set[keyword].value
    assert (list(value) if isinstance(sent, list) else value or None) == sent
    assert changes == what
    page = text_of(Desk(Role.INFORMATICS).get(f"/worklist/stationprofile/preview/?step={made.sps_id}"))
    assert ("shortened" in page, "signs that DICOM does not take are replaced" in page) == (True, what == [MENDED])


def test_a_long_diagnosis_is_several_values_and_a_long_reason_ends_with_dots() -> None:
    told = "Chronic obstructive pulmonary disease; Suspected embolism, left lower lobe, second time since spring 2019"
    factories.step(diagnosis=told, reason="Dyspnoea " * 12)
    data_set, changes = answered(AdmittingDiagnosesDescription=None, ReasonForTheRequestedProcedure=None)
    assert "; ".join(data_set.AdmittingDiagnosesDescription).replace(",;", ",").count("; ") == 2
    assert (
        " ".join(data_set.AdmittingDiagnosesDescription).replace(",", "").split()
        == told.replace(",", "").replace(";", "").split()
    )
    assert data_set.ReasonForTheRequestedProcedure == ("Dyspnoea " * 12)[:60].rstrip() + " ..."
    assert changes == [CUT]


def test_how_many_values_are_not_as_they_are_stored_is_logged_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    factories.step(reason="x" * 65)
    asked = encode(keys(ReasonForTheRequestedProcedure=None), False, True) or b""
    reply = reply_to(asked, ExplicitVRLittleEndian, Caller("CT1"))
    assert len(list(reply)) == 1
    assert reply.changed == 1
    query._rewritten.clear()
    for changed in (reply.changed, 0, reply.changed):  # it asks for other exams in between
        query.note_changes("CT1", changed)
    assert caplog.messages == ["worklist: values not sent to 'CT1' as they are stored: 1"]


def test_a_name_that_becomes_too_long_is_cut_and_told() -> None:
    factories.step(patient=factories.patient("Щ" * 30 + "^Иван"))
    agreed(character_set="ISO_IR 100")
    data_set, changes = answered(PatientName=None)
    assert len(str(data_set.PatientName)) == 64
    assert changes == [LATIN, CUT]


def test_names_in_capitals() -> None:
    factories.step(patient=factories.patient("Groß^Zoë"))
    agreed(character_set="ISO_IR 100", upper_case_names=True)
    assert str(answered(PatientName=None)[0].PatientName) == "GROSS^ZOË"


def test_empty_sequences_are_left_out() -> None:
    factories.step()
    asked: dict[str, Any] = {
        "ReferencedPatientSequence": [],
        "OtherPatientIDsSequence": [],
        "ReferencedStudySequence": [],
    }
    assert len(answered(**asked)[0]) == 4
    agreed(leave_out_empty_sequences=True)
    assert [element.keyword for element in answered(**asked)[0]] == [
        "ReferencedStudySequence",
        "ScheduledProcedureStepSequence",
    ]


def test_the_clock_of_the_device_counts() -> None:
    factories.step(start=factories.today_at(23))
    agreed(time_zone="Asia/Tokyo")
    tomorrow = f"{factories.today_at(12, days=1):%Y%m%d}"
    data_set, _ = answered(ScheduledProcedureStepStartDate=tomorrow, ScheduledProcedureStepStartTime=None)
    assert step(data_set).ScheduledProcedureStepStartDate == tomorrow
    assert step(data_set).ScheduledProcedureStepStartTime in ("060000", "070000")


def test_values_that_are_forced_defaulted_and_shortened() -> None:
    exam = factories.exam("CTBODY", meaning="CT of the whole body")
    factories.step(patient=factories.patient("Featherstonehaugh^Anastasia", sex=""), exam=exam)
    profile = agreed()
    rule(profile, "Modality", "FORCED", "CT")
    rule(profile, "InstitutionName", "FORCED", "Städtisches Klinikum")
    rule(profile, "PatientSex", "DEFAULT", "O")
    rule(profile, "PregnancyStatus", "DEFAULT", "4")
    rule(profile, "RequestedProcedureComments", "DEFAULT", "none")
    rule(profile, "PatientName", "LONGEST", "16")
    rule(profile, "ScheduledProcedureStepDescription", "LONGEST", "6")
    asked = ("InstitutionName", "PatientSex", "PregnancyStatus", "RequestedProcedureComments", "PatientName")
    data_set, changes = answered(**dict.fromkeys(asked), ScheduledProcedureStepDescription=None)
    assert (data_set.PatientSex, data_set.PregnancyStatus) == ("O", 4)
    assert data_set.RequestedProcedureComments == "none"
    # As they stand in the data set: the step comes last.
    assert str(data_set.PatientName) == "Featherstonehaug"
    assert sorted(changes) == sorted([What.FORCED, What.DEFAULT, What.DEFAULT, What.DEFAULT, CUT, CUT])
    query = keys(**dict.fromkeys(asked))
    reply = reply_to(encode(query, False, True) or b"", ExplicitVRLittleEndian, Caller("CT1"))
    assert (len(list(reply)), reply.changed) == (1, 1)  # what is agreed is no loss
    assert data_set.InstitutionName == "Städtisches Klinikum"
    assert step(data_set).ScheduledProcedureStepDescription == "CT of"
    assert "Modality" not in step(answered(PatientID=None)[0])  # what is not asked for is not sent


def test_a_name_of_which_nothing_is_left_leaves_the_step_out() -> None:
    """One letter of `^Jane` is none: the device must not get an exam without a name."""
    profile = agreed("CT1")
    rule(profile, "PatientName", "LONGEST", "1")
    rule(profile, "ScheduledProcedureStepDescription", "LONGEST", "1")
    nameless = factories.step(patient=factories.patient("^Jane", "1"))
    factories.step(patient=factories.patient("Doe^Jane", "2"), start=factories.today_at(15))
    asked = keys(PatientName=None, ScheduledProcedureStepDescription=None)
    result = find(asked, Caller("CT1"))
    found = [one.data_set for one in result]
    assert [str(one.PatientName) for one in found] == ["D"]
    assert result.faults == {nameless.pk: "PatientName"}
    door_sends(asked, found, Caller("CT1"))


@pytest.mark.parametrize(
    ("keyword", "setting", "value", "field"),
    [
        ("NoSuchThing", "FORCED", "x", "keyword"),
        ("PatientID", "FORCED", "4711", "keyword"),
        ("PatientID", "DEFAULT", "4711", "keyword"),
        ("AccessionNumber", "LONGEST", "8", "keyword"),
        ("StudyInstanceUID", "FORCED", "1.2.3", "keyword"),
        ("PatientSex", "FORCED", "F", "keyword"),
        ("PatientSex", "DEFAULT", "female", "value"),
        ("PatientSex", "DEFAULT", "F", "value"),
        ("PregnancyStatus", "DEFAULT", "1", "value"),
        ("PregnancyStatus", "FORCED", "4", "keyword"),
        ("SmokingStatus", "FORCED", "NO", "keyword"),
        ("Allergies", "DEFAULT", "none", "keyword"),
        ("PatientWeight", "DEFAULT", "70", "keyword"),
        ("PatientBirthDate", "DEFAULT", "19700101", "keyword"),
        ("IssuerOfPatientID", "DEFAULT", "HOSP", "keyword"),
        ("AdmittingDiagnosesDescription", "DEFAULT", "healthy", "keyword"),
        ("CodeMeaning", "DEFAULT", "German", "keyword"),
        ("PatientSex", "LONGEST", "1", "keyword"),
        ("Modality", "FORCED", "ct", "value"),
        ("StudyDate", "DEFAULT", "2026-03-03", "value"),
        ("PregnancyStatus", "DEFAULT", "four", "value"),
        ("ScheduledProcedureStepSequence", "DEFAULT", "x", "keyword"),
        ("PixelData", "FORCED", "x", "keyword"),
        ("ScheduledStationName", "LONGEST", "17", "value"),
        ("PatientName", "LONGEST", "65", "value"),
        ("PatientName", "LONGEST", "0", "value"),
        ("PatientName", "LONGEST", "many", "value"),
        ("SpecificCharacterSet", "FORCED", "ISO_IR 100", "keyword"),
        ("InstitutionName", "FORCED", "a\\b", "value"),
    ],
)
def test_what_a_profile_cannot_say(keyword: str, setting: str, value: str, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        rule(agreed(), keyword, setting, value)
    assert list(refused.value.message_dict) == [field]


def test_what_a_profile_says_of_patients_since_before_it_was_refused_is_not_sent() -> None:
    """Rows of an earlier version: nobody is pregnant, weighs 70 kg or has no allergies because a profile says so."""
    profile = agreed("CT1")
    for keyword, value in [("PregnancyStatus", "1"), ("PatientWeight", "70"), ("Allergies", "none")]:
        ProfileValue.objects.create(station_profile=profile, keyword=keyword, setting="DEFAULT", value=value)
    factories.step(patient=factories.patient("Doe^Jane", "1"))
    data_set, _ = answered(PregnancyStatus=None, PatientWeight=None, Allergies=None)
    assert (data_set.PregnancyStatus, data_set.PatientWeight, data_set.Allergies) == (None, None, None)
    page = text_of(Desk(Role.INFORMATICS).get(f"/worklist/stationprofile/{profile.pk}/change/"))
    assert "No device is sent “PregnancyStatus if empty, is 1”" in page


@pytest.mark.parametrize(
    "wrong", ["UTF-8", "ISO 2022 IR 87", "ISO_IR 192\\ISO 2022 IR 87", "ISO_IR 100\\ISO_IR 101", ""]
)
def test_a_character_set_that_is_none_is_a_form_error(wrong: str) -> None:
    with pytest.raises(ValidationError) as refused:
        agreed(character_set=wrong)
    assert list(refused.value.message_dict) == ["character_set"]


# --- byte for byte --------------------------------------------------------------------------------------


def test_the_preview_shows_the_bytes_that_are_sent() -> None:
    jane = factories.patient("Wałęsa^Zoë", "4711", patient_name_ideographic="山田")
    made = factories.step(patient=jane)
    agreed(character_set="ISO_IR 100")
    shown = sent(made, "CT1")
    assert shown is not None
    lines = {line.keyword: line for line in shown.lines}
    assert lines["SpecificCharacterSet"].sent == b"ISO_IR 100".hex(" ")
    assert lines["PatientName"].sent == b"Walesa^Zo\xeb".hex(" ")
    assert lines["PatientName"].changes == (LATIN, GROUP)
    assert lines["PatientID"].sent == b"4711".hex(" ")
    assert (lines["ScheduledStationAETitle"].depth, lines["ScheduledStationAETitle"].sent) == (1, b"CT1 ".hex(" "))
    assert lines["ScheduledProcedureStepSequence"].sent == ""


def test_the_preview_asks_what_the_profile_sets_and_names_the_rule() -> None:
    made = factories.step(patient=factories.patient("Doe^Jane", "4711", sex=""))
    profile = agreed("CT1", upper_case_names=True)
    rule(profile, "InstitutionName", "FORCED", "Klinikum Nürnberg")
    rule(profile, "Modality", "FORCED", "CT")
    rule(profile, "PatientSex", "DEFAULT", "O")
    shown = sent(made, "CT1")
    assert shown is not None
    lines = {line.keyword: line for line in shown.lines}
    assert lines["InstitutionName"].value == "Klinikum Nürnberg"
    assert {name: line.changes for name, line in lines.items() if line.changes} == {
        "InstitutionName": (What.FORCED,),
        "PatientName": (What.CAPITALS,),
        "PatientSex": (What.DEFAULT,),
        "RequestingPhysician": (What.CAPITALS,),
        "ReferringPhysicianName": (What.CAPITALS,),
    }  # it is a CT anyway
    words = text_of(Desk(Role.INFORMATICS).get(f"/worklist/stationprofile/preview/?step={made.sps_id}"))
    assert "in capitals: “names in capitals” of the station profile" in words
    assert "“is always” of the station profile" in words


def test_the_preview_on_the_desk_is_told_and_tries_any_profile() -> None:
    informatics, clerk = Desk(Role.INFORMATICS), Desk(Role.FRONT_DESK)
    made = factories.step(patient=factories.patient("Wałęsa^Lech"))
    profile = agreed("MR1", character_set="ISO_IR 100")
    address = "/worklist/stationprofile/preview/"
    clerk.get(f"{address}?step={made.sps_id}", status=403)
    assert "Step ID or accession number" in text_of(informatics.get(address))
    assert "There is no such step." in text_of(informatics.get(f"{address}?step=nothing"))
    words = text_of(informatics.get(f"{address}?step={made.sps_id}"))
    assert "Wałęsa^Lech" in words
    words = text_of(informatics.get(f"{address}?step={made.sps_id}&profile={profile.pk}"))
    assert "Walesa^Lech 57 61 6c 65 73 61 5e 4c 65 63 68 20 written in Latin letters" in words
    informatics.post("/language", language="de")
    words = text_of(informatics.get(f"{address}?step={made.sps_id}&profile={profile.pk}"))
    assert "in lateinischen Buchstaben geschrieben" in words
    informatics.post("/language", language="en")
    assert Event.objects.filter(kind=EventKind.PATIENT_VIEWED, step=made).count() == 3
    profile.hidden_states = ["SCHEDULED"]
    profile.save()
    page = informatics.get(f"{address}?step={made.sps_id}&profile={profile.pk}")
    assert "The device is not sent this exam." in text_of(page)
    informatics.get(f"{address}?step={made.sps_id}&profile=x", status=404)
    assert "/worklist/stationprofile/preview/?step=" in informatics.get("/worklist/station/?station=CT1")
    assert "preview/?profile=" in informatics.get(f"/worklist/stationprofile/{profile.pk}/change/")
