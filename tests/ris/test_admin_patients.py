"""The front desk and its patients: find, register, change, merge."""

import pytest

from ris.actions import patients
from ris.models import Event, EventKind, Patient
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of, token_in

pytestmark = pytest.mark.django_db

PERSON = {"family": "Müller", "given": "Łukasz", "birth_date": "17.4.1962", "sex": "M"}


@pytest.fixture
def clerk() -> Desk:
    return Desk(Role.FRONT_DESK)


@pytest.mark.parametrize(
    "typed",
    ["mull", "ŁUKASZ", "lukasz müller", "uller", "4711", "1962-04-17", "17.4.1962", "17.04.1962", "müller 17.4.1962"],
)
def test_a_patient_is_found_by_any_part_of_the_name_any_number_or_the_birth_date(clerk: Desk, typed: str) -> None:
    factories.patient("Müller^Łukasz", "4711")
    factories.patient("Doe^Jane", "9999", birth_date=None)
    page = text_of(clerk.client.get("/ris/patient/", {"q": typed}).content.decode())
    assert "Müller, Łukasz" in page
    assert "Doe, Jane" not in page


def test_a_patient_is_found_by_a_name_in_their_own_script(clerk: Desk) -> None:
    factories.patient("Yamada^Tarou", patient_name_ideographic="山田^太郎", patient_name_phonetic="やまだ^たろう")
    assert "Yamada, Tarou" in text_of(clerk.get("/ris/patient/?q=山田"))
    assert "Yamada, Tarou" in text_of(clerk.get("/ris/patient/?q=たろう"))


def test_merged_patients_are_shown_only_on_demand(clerk: Desk) -> None:
    survivor, loser = factories.patient("Doe^Jane", "1"), factories.patient("Dough^Jane", "2")
    patients.merge(by=factories.BY, survivor=survivor, loser=loser)
    assert "Dough, Jane" not in text_of(clerk.get("/ris/patient/?q=jane"))
    assert "Dough, Jane" in text_of(clerk.get("/ris/patient/?q=jane&merged=all"))
    assert "merged into Doe, Jane" in text_of(clerk.get(f"/ris/patient/{loser.pk}/change/"))


@pytest.mark.parametrize("page", ["ris/patient", "ris/order", "ris/scheduledprocedurestep"])
def test_a_number_that_was_merged_away_finds_the_survivor(clerk: Desk, page: str) -> None:
    jane, double, triple = (factories.patient(f"Doe^Jane{n}", n) for n in ("5001", "4711", "4999"))
    factories.order(patient=jane)
    patients.merge(by=factories.BY, survivor=double, loser=triple)
    patients.merge(by=factories.BY, survivor=jane, loser=double)
    for number in ("4711", "4999"):
        assert "Doe, Jane5001" in text_of(clerk.get(f"/{page}/?q={number}"))
    assert "Doe, Jane5001" not in text_of(clerk.get(f"/{page}/?q=4712"))


def test_a_record_that_was_merged_away_is_there_to_read_only() -> None:
    expert = Desk(Role.INFORMATICS)
    survivor, loser = factories.patient("Doe^Jane", "1"), factories.patient("Dough^Jane", "2")
    address = f"/ris/patient/{loser.pk}/change/"
    before = expert.get(address)
    assert f"/ris/patient/{loser.pk}/edit/" in before
    assert "sent to scanners" in before
    patients.merge(by=factories.BY, survivor=survivor, loser=loser)
    after = expert.get(address)
    for gone in ("/edit/", "/identify/", "sent to scanners"):
        assert gone not in after


def test_registering_without_a_number_mints_one(clerk: Desk) -> None:
    form = clerk.get("/ris/patient/add/")
    page = clerk.post("/ris/patient/add/", token=token_in(form), **PERSON)
    patient = Patient.objects.get()
    assert (patient.patient_name, str(patient.birth_date), patient.sex) == ("Müller^Łukasz", "1962-04-17", "M")
    assert f"registered under number {patient.patient_id}" in text_of(page)
    event = Event.objects.get(kind=EventKind.PATIENT_REGISTERED)
    assert (event.actor_name, event.user, event.address) == (clerk.user.username, clerk.user, "10.1.2.3")


def test_a_double_click_registers_once(clerk: Desk) -> None:
    token = token_in(clerk.get("/ris/patient/add/"))
    for _click in range(2):
        page = clerk.post("/ris/patient/add/", token=token, anyway="on", **PERSON)
    assert Patient.objects.count() == 1
    assert "registered under number" in text_of(page)


def test_a_number_that_is_taken_is_told_beside_the_field(clerk: Desk) -> None:
    factories.patient("Doe^Jane", "4711")
    page = clerk.post("/ris/patient/add/", token="t1", number="4711", issuer=factories.ISSUER, **PERSON)
    assert "Another patient already has this identifier." in text_of(page)
    assert 'value="Müller"' in page  # what was typed is still there
    assert Patient.objects.count() == 1


def test_somebody_alike_is_asked_about_once(clerk: Desk) -> None:
    factories.patient("Muller^Lucas", "4711")
    page = clerk.post("/ris/patient/add/", token="t1", **PERSON)
    assert "Is it one of these?" in text_of(page)
    assert Patient.objects.count() == 1
    clerk.post("/ris/patient/add/", token="t1", anyway="on", **PERSON)
    assert Patient.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("family", "", "This field is required."),
        ("birth_date", "30.2.1990", "Enter a valid date."),
        ("birth_date", "2999-01-01", "The birth date is in the future."),
        ("birth_date", "0001-01-01", "Enter a year after 1849."),
        ("family", "M\x00", "Null characters are not allowed."),
        ("sex", "X", "Select a valid choice."),
        ("family", "M" * 61, "at most 60 characters"),
    ],
)
def test_what_cannot_be_is_told(clerk: Desk, field: str, typed: str, told: str) -> None:
    page = clerk.post("/ris/patient/add/", token="t1", **(PERSON | {field: typed}))
    assert told in text_of(page)
    assert not Patient.objects.exists()


def test_a_name_longer_than_dicom_allows_is_told(clerk: Desk) -> None:
    page = clerk.post("/ris/patient/add/", token="t1", **(PERSON | {"family": "M" * 40, "given": "L" * 40}))
    assert "at most 64 characters" in text_of(page)


def test_a_name_is_changed_and_the_rest_stays(clerk: Desk) -> None:
    patient = factories.patient("Doe^Jane^^Dr", "4711", phone="123", patient_name_ideographic="山田^花子^^^様")
    form = clerk.get(f"/ris/patient/{patient.pk}/edit/")
    assert 'value="Doe"' in form
    values = {"family": "Roe", "given": "Jane", "name_prefix": "Dr", "birth_date": "1962-04-17", "sex": "F"}
    values |= {"phone": "123", "ideographic_family": "山本", "ideographic_given": "花子"}
    page = clerk.post(f"/ris/patient/{patient.pk}/edit/", **values)
    patient.refresh_from_db()
    assert (patient.patient_name, patient.phone) == ("Roe^Jane^^Dr", "123")
    assert patient.patient_name_ideographic == "山本^花子^^^様"
    assert "name: Doe^Jane^^Dr → Roe^Jane^^Dr" in text_of(page)


def test_a_patient_gets_one_more_number(clerk: Desk) -> None:
    patient = factories.patient("Doe^Jane", "4711")
    factories.patient("Roe^Richard", "4712")
    address = f"/ris/patient/{patient.pk}/identify/"
    taken = clerk.post(address, number="4712", issuer=factories.ISSUER, type="MR")
    assert "Another patient already has this identifier." in text_of(taken)
    assert "INS-1 INSURANCE" in text_of(clerk.post(address, number="INS-1", issuer="INSURANCE", type="NI"))


def test_a_merge_compares_asks_and_moves() -> None:
    expert = Desk(Role.INFORMATICS)
    jane, double = factories.patient("Doe^Jane", "1"), factories.patient("Doe^J", "2")
    order = factories.order(patient=double)
    address = f"/ris/patient/{jane.pk}/merge/"
    assert "Doe, J" in text_of(expert.get(f"{address}?q=doe"))
    page = text_of(expert.get(f"{address}?other={double.pk}"))
    assert "Which one stays?" in page
    assert "Orders: 1, visits: 0" in page
    unsaid = expert.post(address, other=double.pk)
    assert "which of the two stays" in text_of(unsaid)
    expert.post(address, other=double.pk, survivor=jane.pk, reason="same person")
    order.refresh_from_db()
    assert order.patient == jane
    again = expert.post(address, other=double.pk, survivor=double.pk)
    assert "undo that merge first" in text_of(again)


@pytest.mark.parametrize(
    "typed",
    [
        "%",
        "_",
        "'",
        '"',
        "\\",
        "^",
        "=",
        "()",
        "0",
        "99999999999999999999",
        "9999-12-31",
        "31.12.9999",
        "🦴",
        "a " * 200,
    ],
)
def test_nothing_that_is_typed_breaks_a_search(typed: str) -> None:
    factories.order()
    expert = Desk(Role.INFORMATICS)
    for page in ("ris/patient", "ris/order", "ris/scheduledprocedurestep", "ris/event", "hl7/inboundmessage"):
        assert expert.client.get(f"/{page}/", {"q": typed}).status_code == 200


def test_a_zero_byte_in_an_address_is_refused(clerk: Desk) -> None:
    clerk.get("/ris/patient/?q=%00", status=400)
    clerk.get("/ris/order/?modality=%00", status=400)


def test_an_unknown_patient_is_not_found(clerk: Desk) -> None:
    for address in ("/ris/patient/999/change/", "/ris/patient/x'--/change/", "/ris/patient/999/edit/"):
        clerk.get(address, status=404)


def test_names_with_markup_are_shown_as_text(clerk: Desk) -> None:
    patient = factories.patient("<script>alert(1)</script>^X", "4711")
    for address in ("/ris/patient/", f"/ris/patient/{patient.pk}/change/"):
        assert "<script>alert" not in clerk.get(address)


def test_a_search_in_vain_leads_on_to_the_orders_and_to_the_register(clerk: Desk) -> None:
    page = clerk.get("/ris/patient/?q=Quitter,+Ada+1990-02-01")
    assert "Nobody is found." in page
    assert 'href="/ris/order/?q=Quitter%2C%20Ada%201990-02-01"' in page
    form = clerk.get("/ris/patient/add/?name=Quitter%2C%20Ada%201990-02-01")
    assert 'value="Quitter"' in form
    assert 'value="Ada"' in form
    assert "1990" not in form


def test_the_page_of_a_survivor_tells_what_happened_to_those_merged_into_them(clerk: Desk) -> None:
    jane, double, triple = (factories.patient(f"Doe^Jane{n}", n) for n in "123")
    patients.update(by=factories.BY, patient=triple, phone="123")
    patients.merge(by=factories.BY, survivor=double, loser=triple)
    patients.merge(by=factories.BY, survivor=jane, loser=double)
    page = text_of(clerk.get(f"/ris/patient/{jane.pk}/change/"))
    assert "on the record of Doe, Jane3" in page
    assert "phone: 123" in page
    assert page.count("Patients merged") == 2
