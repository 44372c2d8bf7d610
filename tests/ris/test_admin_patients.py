"""The front desk and its patients: find, register, change, merge."""

from datetime import date
from typing import Any

import pytest
from django.contrib.sessions.models import Session

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


def test_what_was_said_about_a_patient_is_in_no_cookie_and_not_for_who_comes_next(clerk: Desk) -> None:
    browser = clerk.client
    browser.post("/ris/patient/add/", {"token": token_in(clerk.get("/ris/patient/add/")), **PERSON})
    assert set(browser.cookies) == {"csrftoken", "sessionid"}
    Session.objects.all().delete()  # fifteen minutes later
    browser.force_login(factories.user(Role.FRONT_DESK))
    assert "registered under number" not in clerk.get("/")


def test_a_double_click_registers_once(clerk: Desk) -> None:
    token = token_in(clerk.get("/ris/patient/add/"))
    for _click in range(2):
        page = clerk.post("/ris/patient/add/", token=token, anyway="on", **PERSON)
    assert Patient.objects.count() == 1
    assert "registered under number" in text_of(page)


def test_a_number_that_is_taken_is_told_beside_the_field(clerk: Desk) -> None:
    factories.patient("Doe^Jane", "4711", birth_date=None)
    said = PERSON | {"number": "4711", "issuer": factories.ISSUER}
    assert "has this number" in text_of(clerk.post("/ris/patient/add/", token="t1", **said))
    page = clerk.post("/ris/patient/add/", token="t1", anyway="on", **said)
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
    assert "name: Doe, Jane (Dr) → Roe, Jane (Dr)" in text_of(page)


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
    assert 'value="1990-02-01"' in form
    form = clerk.get("/ris/patient/add/?q=Quitter+Ada+4711")
    assert 'value="Quitter"' in form
    assert 'value="Ada"' in form
    assert "4711" not in form


def test_the_page_of_a_survivor_tells_what_happened_to_those_merged_into_them(clerk: Desk) -> None:
    jane, double, triple = (factories.patient(f"Doe^Jane{n}", n) for n in "123")
    patients.update(by=factories.BY, patient=triple, phone="123")
    patients.merge(by=factories.BY, survivor=double, loser=triple)
    patients.merge(by=factories.BY, survivor=jane, loser=double)
    page = text_of(clerk.get(f"/ris/patient/{jane.pk}/change/"))
    assert "on the record of Doe, Jane3" in page
    assert "phone: 123" in page
    assert page.count("Patients merged") == 2


def found_while_typing(clerk: Desk, typed: str) -> str:
    return text_of(clerk.client.get("/ris/patient/live/", {"q": typed}).content.decode())


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("mull", "name"),
        ("lukas mueller", "“Müller” sounds like “mueller”"),
        ("Miller", "“Müller” sounds like “Miller”"),
        ("4711", "number 4711 (HIS)"),
        ("499", "number 4999 of Muller, L, who was merged into this patient"),
        ("17.4.1962", "birth date"),
        ("19620417", "birth date"),
        ("0171 / 234 5678", "phone +49 171 2345678"),
        ("5678 müller", "name"),
        ("米勒", "name in another script"),
        ("勒", "name in another script"),
        ("ミラ", "name in another script"),
    ],
)
def test_somebody_is_found_while_typing_and_it_is_said_why(clerk: Desk, typed: str, why: str) -> None:
    names = {"patient_name_ideographic": "米勒^卢", "patient_name_phonetic": "みらー^るかす"}
    lukas = factories.patient("Müller^Łukasz", "4711", phone="+49 171 2345678", **names)
    patients.identify(by=factories.BY, patient=lukas, identifier=patients.Identifier("5678", "CLINIC"))
    patients.merge(by=factories.BY, survivor=lukas, loser=factories.patient("Muller^L", "4999"))
    factories.patient("Doe^Jane", "8888", birth_date=None)
    shown = found_while_typing(clerk, typed)
    assert "Müller, Łukasz" in shown
    assert why in shown
    assert "Doe" not in shown
    assert why in text_of(clerk.client.get("/ris/patient/", {"q": typed}).content.decode())


def test_who_is_called_so_comes_before_who_sounds_so_the_closest_first(clerk: Desk) -> None:
    for name in ("Mayr^Anna", "Maier^Anna", "Meyer^Anna", "Meier^Anna", "Mahler^Anna"):
        factories.patient(name)
    for shown in (found_while_typing(clerk, "meier"), text_of(clerk.get("/ris/patient/?q=meier"))):
        places = [shown.index(name) for name in ("Meier, Anna", "Meyer, Anna", "Maier, Anna", "Mayr, Anna")]
        assert places[0] == min(places)
        assert "Mahler" not in shown


def test_a_name_is_found_by_ear_across_alphabets(clerk: Desk) -> None:
    factories.patient("Воронцов^Пётр")
    assert "Воронцов, Пётр" in found_while_typing(clerk, "Voronzow")


def test_nobody_found_while_typing_leads_on_to_the_register(clerk: Desk) -> None:
    assert "Register “Quitter, Ada”" in found_while_typing(clerk, "Quitter, Ada")
    assert found_while_typing(clerk, " ") == ""


def test_what_is_found_while_typing_is_noted(clerk: Desk) -> None:
    jane = factories.patient("Doe^Jane", "4711")
    found_while_typing(clerk, "4711")
    event = Event.objects.get(kind=EventKind.PATIENTS_LISTED)
    assert event.data == {"path": "/ris/patient/live/", "patients": [jane.pk], "search": "4711"}


def test_a_changed_name_or_phone_is_found_and_the_old_one_no_longer(clerk: Desk) -> None:
    jane = factories.patient("Doe^Jane", "4711", phone="030 1112223")
    patients.update(by=factories.BY, patient=jane, patient_name="Roe^Jane", phone="030 4445556")
    for typed, is_found in (("doe", False), ("roe", True), ("0301112223", False), ("0304445556", True)):
        assert ("Roe, Jane" in found_while_typing(clerk, typed)) == is_found


@pytest.mark.parametrize(
    ("there", "typed", "why"),
    [
        ({"name": "Mueller^Lukas"}, {}, "name sounds the same · same birth date"),
        ({"name": "Müller^Łukasz"}, {}, "same name · same birth date"),
        ({"name": "Łukasz^Müller"}, {}, "family and given name changed places · same birth date"),
        ({"name": "Müller^Łukasz", "birth_date": date(1962, 4, 18)}, {}, "same name · birth date differs by one slip"),
        (
            {"name": "Müller^Łukasz", "birth_date": date(1962, 10, 4)},
            {"birth_date": "1962-04-10"},
            "same name · birth date differs by one slip",
        ),
        ({"name": "Huber^Łukasz"}, {}, "family or given name sounds the same · same birth date"),
        ({"name": "Huber^Anna", "number": "77"}, {"number": "77", "issuer": "HIS"}, "has this number"),
        (
            {"name": "Müller^L", "birth_date": None, "phone": "+49 171 2345678"},
            {"phone": "0171/2345678"},
            "family or given name sounds the same · same phone",
        ),
        (
            {"name": "Mi^Lu", "patient_name_ideographic": "米勒^卢"},
            {"ideographic_family": "米勒", "ideographic_given": "卢"},
            "same name in another script · same birth date",
        ),
    ],
)
def test_who_may_be_the_same_person_is_shown_while_typing_and_before_saving_with_why(
    clerk: Desk, there: dict[str, Any], typed: dict[str, str], why: str
) -> None:
    known = factories.patient(**there)
    for address in ("/ris/patient/alike/", "/ris/patient/add/"):
        page = clerk.post(address, token="t1", **(PERSON | typed))
        assert why in text_of(page)
        assert f"/ris/patient/{known.pk}/change/" in page
    assert Patient.objects.count() == 1
    listed = Event.objects.filter(kind=EventKind.PATIENTS_LISTED)
    assert [event.data["patients"] for event in listed] == [[known.pk]] * 2


@pytest.mark.parametrize(
    "there",
    [
        {"name": "Müller^Łukasz", "birth_date": date(1999, 12, 31)},
        {"name": "Huber^Anna"},
        {"name": "Müller^Anna", "birth_date": date(1962, 4, 18)},
        {"name": "Huber^Anna", "birth_date": None, "phone": "0171/2345678"},
    ],
)
def test_who_shares_little_is_not_asked_about(clerk: Desk, there: dict[str, Any]) -> None:
    factories.patient(**there)
    assert clerk.post("/ris/patient/alike/", token="t1", phone="0171/2345678", **PERSON).strip() == ""
    clerk.post("/ris/patient/add/", token="t1", phone="0171/2345678", **PERSON)
    assert Patient.objects.count() == 2


def test_a_form_of_which_little_is_typed_is_answered_with_nothing(clerk: Desk) -> None:
    factories.patient("Doe^Jane", "4711")
    for typed in ({}, {"family": "D"}, {"birth_date": "17.4."}, {"birth_date": "1962-04-17"}):
        assert clerk.post("/ris/patient/alike/", **typed).strip() == ""


def test_the_whole_story_is_told_from_the_beginning_page_by_page(clerk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ris.views.patients.TOLD", 4)
    jane, double = factories.patient("Doe^Jane", "1"), factories.patient("Dough^Jane", "2")
    order = factories.order(patient=double)
    patients.merge(by=factories.BY, survivor=jane, loser=double)
    clerk.post(f"/ris/scheduledprocedurestep/{factories.step_of(order).pk}/go/", move="miss", reason="had a flu")
    address = f"/ris/patient/{jane.pk}/story/"
    first, second = (text_of(clerk.get(f"{address}?page={number}")) for number in (1, 2))
    told = first + second
    places = [told.index(part) for part in ("Patient registered", "Order placed", "Patients merged", "did not come")]
    assert places == sorted(places)
    assert told.count("Patients merged") == 1
    assert "had a flu" in second
    assert "All that happened" in clerk.get(f"/ris/patient/{jane.pk}/change/")


def test_who_stands_at_the_counter_is_checked_in_on_their_own_page(clerk: Desk) -> None:
    step = factories.step()
    factories.order(patient=step.requested_procedure.order.patient, start=factories.today_at(10, days=2))
    address = f"/ris/patient/{step.requested_procedure.order.patient_id}/change/"
    assert clerk.get(address).count("Check in") == 1
    page = clerk.post(f"/ris/scheduledprocedurestep/{step.pk}/go/", move="arrive", next=address)
    assert "The patient is checked in." in text_of(page)
    assert "Ready" in text_of(page), "it leads back to the patient"
