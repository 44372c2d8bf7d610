"""Patients and visits as registration tells of them."""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings

from hl7.models import InboundMessage, MessageState
from ris.models import Order, Patient, PatientIdentifier, PatientMerge, Visit, VisitState
from tests import factories
from tests.hl7.stories import Accepted, Refused
from tests.messages import adt, mrg, msh, orm, pid, pv1
from tests.messages import send as written

BERLIN = ZoneInfo("Europe/Berlin")


def jane() -> Patient:
    return PatientIdentifier.objects.get(value="4711", type="MR").patient.survivor()


@pytest.mark.parametrize("event", ["A01", "A04", "A05", "A08", "A28", "A31"])
def test_every_event_about_a_person_registers_an_unknown_one(accepted: Accepted, event: str) -> None:
    accepted(adt(event))
    assert (jane().patient_name, jane().birth_date, jane().sex) == ("Doe^Jane", date(1962, 4, 17), "F")
    assert jane().patient_id == "4711"


@pytest.mark.parametrize("event", ["A01", "A04", "A05", "A08", "A28", "A31"])
def test_every_event_about_a_person_brings_a_known_one_up_to_date(accepted: Accepted, event: str) -> None:
    accepted(adt())
    accepted(adt(event, pid(name="Roe^Jane^Ann^Jr^Dr", birth_date="19630418", sex="O")))
    assert (jane().patient_name, jane().birth_date, jane().sex) == ("Roe^Jane^Ann^Dr^Jr", date(1963, 4, 18), "O")
    assert Patient.objects.count() == 1


def test_an_empty_field_leaves_what_is_known_and_two_quotes_erase_it(accepted: Accepted) -> None:
    accepted(adt("A04", pid(fields={11: "1 Main St^^Town", 13: "0123"})))
    accepted(adt("A08", pid(birth_date="", sex='""', fields={13: '""'})))
    found = jane()
    assert (found.birth_date, found.address) == (date(1962, 4, 17), "1 Main St Town")
    assert (found.sex, found.phone) == ("", "")


def test_all_numbers_of_a_patient_are_kept_and_the_record_number_is_the_primary_one(accepted: Accepted) -> None:
    accepted(adt("A04", pid("99^^^STATE^SS~77^^^HIS&1.2.3&ISO^PI~4711^^^HIS^MR")))
    assert jane().patient_id == "4711"
    assert set(PatientIdentifier.objects.values_list("value", "issuer", "type", "issuer_universal_id")) == {
        ("99", "STATE", "SS", ""),
        ("77", "HIS", "PI", "1.2.3"),
        ("4711", "HIS", "MR", ""),
    }


@override_settings(BUCKY_PATIENT_ID_ISSUER="CLINIC")
def test_a_number_without_authority_and_type_is_a_record_number_of_this_house(accepted: Accepted) -> None:
    accepted(adt("A04", pid("4711^")))
    assert PatientIdentifier.objects.filter(value="4711", issuer="CLINIC", type="MR").exists()


@pytest.mark.parametrize("number", [2, 4])
def test_the_old_fields_of_the_number_do_as_well(accepted: Accepted, number: int) -> None:
    accepted(adt("A04", pid("", fields={number: "4711"})))
    assert jane().patient_name == "Doe^Jane"


def test_the_same_number_of_another_authority_is_another_patient(accepted: Accepted) -> None:
    accepted(adt("A04", pid("4711", authority="HIS")))
    accepted(adt("A04", pid("4711", "Poe^Jim", authority="CLINIC")))
    assert Patient.objects.count() == 2


def test_a_social_security_number_alone_finds_nobody_else_s_record(accepted: Accepted) -> None:
    accepted(adt("A04", pid("4711^^^HIS^MR~99^^^STATE^SS")))
    row = accepted(adt("A04", pid("4712^^^HIS^MR~99^^^STATE^SS", "Poe^Jim")))
    assert Patient.objects.count() == 2
    assert row.state == MessageState.APPLIED_WITH_WARNINGS


def test_a_patient_is_known_by_a_second_record_number(accepted: Accepted) -> None:
    accepted(adt("A04", pid("4711^^^HIS^MR~5^^^HIS^PI")))
    accepted(adt("A08", pid("900^^^NEW^MR~5^^^HIS^PI", "Roe^Jane")))
    assert Patient.objects.count() == 1
    assert jane().patient_name == "Roe^Jane"


@pytest.mark.parametrize(
    "written_name",
    ["Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou^^^^^L^A~山田^太郎^^^^^L^I~やまだ^たろう^^^^^L^P"],
)
def test_a_name_comes_in_three_representations_in_both_ways_of_writing_them(
    accepted: Accepted, written_name: str
) -> None:
    accepted(adt("A04", pid(name=written_name)))
    found = jane()
    assert (found.patient_name, found.patient_name_ideographic, found.patient_name_phonetic) == (
        "Yamada^Tarou",
        "山田^太郎",
        "やまだ^たろう",
    )


def test_of_several_names_the_legal_one_counts(accepted: Accepted) -> None:
    accepted(adt("A04", pid(name="Poe^Jane^^^^^M~Doe^Jane^^^^^L~Roe^J^^^^^A")))
    assert jane().patient_name == "Doe^Jane"


def test_japanese_comes_in_its_own_character_set(accepted: Accepted) -> None:
    name = "UTSUNOMIYA^TAROU=宇都宮^太郎=うつのみや^たろう"
    accepted(written(msh("ADT^A04", charset="ISO IR6~ISO IR87"), pid(name=name), encoding="iso2022_jp"))
    found = jane()
    assert f"{found.patient_name}={found.patient_name_ideographic}={found.patient_name_phonetic}" == name


def test_a_new_name_takes_the_old_representations_away(accepted: Accepted) -> None:
    accepted(adt("A04", pid(name="Yamada^Tarou=山田^太郎")))
    accepted(adt("A08", pid(name="Suzuki^Tarou")))
    assert (jane().patient_name, jane().patient_name_ideographic) == ("Suzuki^Tarou", "")


def test_a_name_too_long_for_a_scanner_is_cut_with_a_warning(accepted: Accepted) -> None:
    row = accepted(adt("A04", pid(name="Doe^" + "Jane " * 30)))
    assert len(jane().patient_name) <= 64
    assert "PID-5" in row.warnings[0]


@pytest.mark.parametrize(
    ("sent", "stored"), [("M", "M"), ("f", "F"), ("O", "O"), ("U", ""), ("A", ""), ("N", ""), ("X", "")]
)
def test_sex_is_one_of_dicom_s_or_empty(accepted: Accepted, sent: str, stored: str) -> None:
    row = accepted(adt("A04", pid(sex=sent)))
    assert jane().sex == stored
    assert bool(row.warnings) == (sent == "X")


@pytest.mark.parametrize(
    "sent", ["19620417", "196204171530", "19620417153059.1234", "19620417153000+0100", "19620417+0000"]
)
def test_a_birth_date_is_the_first_eight_digits(accepted: Accepted, sent: str) -> None:
    accepted(adt("A04", pid(birth_date=sent)))
    assert jane().birth_date == date(1962, 4, 17)


@pytest.mark.parametrize("sent", ["1962", "196204"])
def test_an_inexact_birth_date_is_told_and_not_invented(accepted: Accepted, sent: str) -> None:
    row = accepted(adt("A04", pid(birth_date=sent)))
    assert jane().birth_date is None
    assert "not exact" in row.warnings[0]


@pytest.mark.parametrize("sent", ["20260230", "19621317", "17.04.1962", "yesterday", "1962041799x"])
def test_a_birth_date_that_does_not_exist_is_refused_with_its_place(refused: Refused, sent: str) -> None:
    assert refused(adt("A04", pid(birth_date=sent))) == ("AE", "102", "PID^1^7^1")


def test_a_birth_date_in_the_future_is_told_and_not_taken(accepted: Accepted) -> None:
    accepted(adt())
    row = accepted(adt("A08", pid(birth_date="20990101")))
    assert row.warnings == ["PID-7: the birth date is in the future and was not taken"]
    assert jane().birth_date == date(1962, 4, 17)


def test_a_visit_is_opened_expected_and_kept_up_to_date(accepted: Accepted) -> None:
    accepted(adt("A05", pid(), pv1("V1")))
    assert Visit.objects.get().state == VisitState.EXPECTED
    accepted(adt("A01", pid(), pv1("V1", "WARD4^1^A", fields={2: "I", 44: "202601050915"})))
    visit = Visit.objects.get()
    assert (visit.state, visit.patient_class, visit.location) == (VisitState.ACTIVE, "I", "WARD4^1^A")
    assert (visit.referring_physician, visit.issuer) == ("Curie^Marie^^Dr", "HIS")
    assert visit.admitted_at == datetime(2026, 1, 5, 9, 15, tzinfo=BERLIN)


def test_an_update_leaves_the_state_of_the_visit(accepted: Accepted) -> None:
    accepted(adt("A05", pid(), pv1("V1")))
    accepted(adt("A08", pid(), pv1("V1", "WARD9")))
    assert (Visit.objects.get().state, Visit.objects.get().location) == (VisitState.EXPECTED, "WARD9")


def test_the_account_number_names_the_visit_when_there_is_no_visit_number(accepted: Accepted) -> None:
    accepted(adt("A04", pid(fields={18: "ACC1^^^HIS"}), "PV1|1|O|WARD3"))
    assert Visit.objects.get().visit_number == "ACC1"


@pytest.mark.parametrize("event", ["A28", "A31"])
def test_events_about_the_person_alone_open_no_visit(accepted: Accepted, event: str) -> None:
    accepted(adt(event))
    assert not Visit.objects.exists()


def test_a_visit_of_another_patient_is_refused(accepted: Accepted, refused: Refused) -> None:
    accepted(adt("A04", pid(), pv1("V1")))
    assert refused(adt("A04", pid("4712"), pv1("V1"))) == ("AE", "205", "PV1^1^19^1")


def test_the_times_of_a_visit_carry_their_offset_or_the_site_s_clock(accepted: Accepted) -> None:
    factories.site("TOKYO", time_zone="Asia/Tokyo")
    accepted(adt("A01", pid(), pv1("V1", "W^^^TOKYO", fields={44: "202601050915", 45: "20260106080000+0000"})))
    visit = Visit.objects.get()
    assert visit.admitted_at == datetime(2026, 1, 5, 9, 15, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert visit.discharged_at == datetime(2026, 1, 6, 8, 0, tzinfo=ZoneInfo("UTC"))


def test_what_a_scanner_should_know_is_taken(accepted: Accepted) -> None:
    accepted(
        written(
            msh("ADT^A08"),
            pid(),
            pv1(fields={15: "B6~A2~A6", 16: "VIP^very important"}),
            "AL1|1|DA|^Iodine",
            "AL1|2|DA|LATEX^Latex",
            "OBX|1|NM|29463-7^Body weight^LN||150|[lb_av]",
            "OBX|2|NM|HEIGHT||172|cm",
            "OBX|3|NM|8867-4^Heart rate^LN||70|/min",
        )
    )
    found = jane()
    assert (found.pregnancy_status, found.special_needs) == (3, "wheelchair or stretcher, hearing impaired")
    assert (found.allergies, found.confidentiality) == ("Iodine, Latex", "very important")
    assert (found.weight, found.size) == (Decimal("68.04"), Decimal("1.72"))


def test_a_text_that_is_too_long_says_that_there_is_more(accepted: Accepted) -> None:
    """A scanner would show the first half of the last allergy as if it were one."""
    lines = [f"AL1|{number}|DA|^Penicillin of kind {number}" for number in range(20)]
    row = accepted(written(msh("ADT^A08"), pid(), pv1(fields={16: "V^" + "very important " * 9}), *lines))
    found = jane()
    assert found.allergies.startswith("Penicillin of kind 0, Penicillin of kind 1, ")
    assert (len(found.allergies) <= 250, found.allergies[-4:], found.confidentiality[-4:]) == (True, " ...", " ...")
    assert [warning.partition(":")[2] for warning in row.warnings] == [
        f" longer than {longest} characters, the end was cut off" for longest in (64, 250)
    ]


def test_a_weight_in_an_unknown_unit_is_not_taken(accepted: Accepted) -> None:
    row = accepted(adt("A08", pid(), "OBX|1|NM|WEIGHT||11|stone"))
    assert jane().weight is None
    assert "OBX-6" in row.warnings[0]


@pytest.mark.parametrize("value", ["heavy", "NaN", "1e999", "-70", "7000", "999999999999", "0"])
def test_a_weight_that_cannot_be_is_told_and_not_taken(accepted: Accepted, value: str) -> None:
    row = accepted(adt("A08", pid(), f"OBX|1|NM|WEIGHT||{value}|kg"))
    assert jane().weight is None
    assert "OBX-5" in row.warnings[0]


@pytest.mark.parametrize(
    ("observed", "ambulatory", "status"),
    [
        ("82810-3^Pregnancy status^LN||77386006^Pregnant^SCT", "", 3),
        ("11449-6^^LN||LA26683-5^^LN", "", 1),
        ("PREGNANCY||possibly", "", 2),
        ("82810-3||unknown", "", 4),
        ("82810-3||unknown", "B6", 3),
        ("82810-3||no", "B6", 1),
        ("82810-3||yes||||||W", "", None),
        ("82810-3||", "", None),
        ("82810-3||week 12", "", None),
    ],
)
def test_a_pregnancy_may_be_an_observation(
    accepted: Accepted, observed: str, ambulatory: str, status: int | None
) -> None:
    row = accepted(adt("A08", pid(), pv1(fields={15: ambulatory}), f"OBX|1|CE|{observed}"))
    assert jane().pregnancy_status == status
    told = ["OBX-5: the pregnancy status is not known here and was not taken"] if "week" in observed else []
    assert row.warnings == told


class TestMerging:
    def test_orders_and_later_messages_go_to_the_survivor(self, accepted: Accepted) -> None:
        accepted(adt("A04", pid("4711"), pv1("V1")))
        accepted(adt("A04", pid("4712", "Doe^J"), pv1("V2")))
        accepted(orm("NW", patient=pid("4712", "Doe^J")).replace(b"V100", b"V2"))
        accepted(adt("A40", pid("4711"), mrg("4712")))
        assert Order.objects.get().patient == jane()
        accepted(adt("A08", pid("4712", "Roe^Jane"), pv1("V3")))
        assert Visit.objects.get(visit_number="V3").patient == jane()

    @pytest.mark.parametrize("event", ["A01", "A04", "A08", "A28", "A31", "ORM"])
    def test_a_late_message_with_the_number_that_went_away_renames_nobody(self, accepted: Accepted, event: str) -> None:
        accepted(adt("A04", pid("4711"), pv1("V1")))
        accepted(adt("A40", pid("4711"), mrg("4712")))
        other = pid("4712", "Poe^Jim~波^^^^^^^I", "19810203", "M", fields={11: "1 Main St", 13: "0123"})
        row = accepted(orm("NW", patient=other) if event == "ORM" else adt(event, other, pv1("V2")))
        assert row.warnings[-1].startswith("PID-3: this number was merged into another record")
        assert (jane().patient_name, jane().birth_date, jane().sex) == ("Doe^Jane", date(1962, 4, 17), "F")
        assert jane().patient_name_ideographic == ""
        assert jane().phone == "0123", "what was empty is filled"

    def test_a_late_message_that_says_what_is_known_needs_no_warning(self, accepted: Accepted) -> None:
        accepted(adt("A40", pid("4711"), mrg("4712")))
        assert accepted(adt("A31", pid("4712"))).warnings == []

    def test_a_message_that_also_has_the_number_that_stays_is_about_the_person(self, accepted: Accepted) -> None:
        accepted(adt("A40", pid("4711"), mrg("4712")))
        assert accepted(adt("A31", pid("4712^^^HIS^MR~4711^^^HIS^MR", "Roe^Jane"))).warnings == []
        assert jane().patient_name == "Roe^Jane"

    def test_several_pairs_in_one_message_all_merge(self, accepted: Accepted) -> None:
        for number in ("1", "2", "3", "4"):
            accepted(adt("A28", pid(number)))
        accepted(adt("A40", pid("1"), mrg("2"), pid("3"), mrg("4")))
        assert PatientMerge.objects.count() == 2
        assert Patient.objects.current().count() == 2

    def test_a_repeated_merge_changes_nothing(self, accepted: Accepted) -> None:
        accepted(adt("A40", pid("4711"), mrg("4712")))
        accepted(adt("A40", pid("4711"), mrg("4712")))
        assert PatientMerge.objects.count() == 1

    def test_an_unknown_loser_leaves_a_tombstone_for_late_messages(self, accepted: Accepted) -> None:
        accepted(adt("A40", pid("4711"), mrg("4712", fields={7: "Unknown^Nn"})))
        accepted(orm("NW", patient=pid("4712", "")))
        assert Order.objects.get().patient == jane()

    def test_a_patient_is_not_merged_into_themselves(self, accepted: Accepted, refused: Refused) -> None:
        accepted(adt())
        assert refused(adt("A40", pid("4711"), mrg("4711"))) == ("AE", "206", "MRG^1^1^1")

    def test_merges_never_make_a_circle(self, accepted: Accepted, refused: Refused) -> None:
        accepted(adt("A40", pid("4711"), mrg("4712")))
        assert refused(adt("A40", pid("4712"), mrg("4711")))[:2] == ("AE", "206")

    def test_a_merge_whose_second_pair_is_wrong_merges_nobody(self, accepted: Accepted, refused: Refused) -> None:
        for number in ("1", "2", "3"):
            accepted(adt("A28", pid(number)))
        assert refused(adt("A40", pid("1"), mrg("2"), pid("3"), mrg("3")))[2] == "MRG^2^1^1"
        assert not PatientMerge.objects.exists()

    def test_a_merge_without_its_segments_is_refused(self, refused: Refused) -> None:
        assert refused(adt("A40", pid("4711"))) == ("AE", "101", "MRG^1^1^1")
        assert refused(adt("A40", mrg("4711"), pid("4711"))) == ("AE", "100", "MRG^1")
        assert refused(adt("A40", pid("4711"), "MRG|")) == ("AE", "101", "MRG^1^1^1")


def test_nothing_of_the_patient_reaches_the_log(
    accepted: Accepted, refused: Refused, caplog: pytest.LogCaptureFixture
) -> None:
    accepted(adt("A04", pid(name="Geheim^Gerda", sex="X")))
    refused(adt("A08", pid(name="Geheim^Gerda", birth_date="19629999")))
    text = caplog.text + "".join(str(row.warnings) + row.error_text for row in InboundMessage.objects.all())
    assert not any(secret in text for secret in ("Geheim", "Gerda", "4711", "1962"))
