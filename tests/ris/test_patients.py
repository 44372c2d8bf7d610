"""People: registered once, found by anything, renamed, and merged when they turn out to be one."""

from datetime import date
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from ris.actions import orders, patients, unmerging, visits
from ris.actions.patients import Identifier
from ris.errors import DuplicateIdentifier, InvalidValue, MergedAway, MergeRefused
from ris.models import Attention, Event, EventKind, Order, Patient, PatientMerge, ScheduledProcedureStep, Visit
from tests import factories
from tests.refusals import refused

pytestmark = pytest.mark.django_db

BY = factories.BY


def kinds() -> list[str]:
    """What happened, oldest first."""
    return list(Event.objects.order_by("pk").values_list("kind", flat=True))


# --- registering ------------------------------------------------------------------------------------


def test_a_patient_is_known_by_all_their_numbers_and_the_first_goes_to_the_scanners() -> None:
    jane = patients.register(
        by=BY, identifiers=[Identifier("4711", "HIS"), Identifier("C-9", "CLINIC")], patient_name="Doe^Jane"
    )
    assert jane.patient_id == "4711"
    assert patients.find(Identifier("C-9", "CLINIC")) == jane
    assert kinds() == [EventKind.PATIENT_REGISTERED]


@pytest.mark.parametrize(
    "identifier", [Identifier("4711", "CLINIC"), Identifier("4711", "HIS", "SS"), Identifier("4712", "HIS")]
)
def test_a_number_is_one_only_together_with_its_issuer_and_type(identifier: Identifier) -> None:
    factories.patient(number="4711")
    other = patients.register(by=BY, identifiers=[identifier], patient_name="Roe^Richard")
    assert patients.find(identifier) == other


def test_nobody_is_registered_without_a_number_or_with_a_number_of_somebody_else() -> None:
    factories.patient(number="4711")
    for numbers, error in (([], InvalidValue), ([Identifier("4711", "HIS")], DuplicateIdentifier)):
        with refused(error):
            patients.register(by=BY, identifiers=numbers, patient_name="Roe^Richard")
    assert Patient.objects.count() == 1
    assert kinds() == [EventKind.PATIENT_REGISTERED]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("patient_name_phonetic", "X" * 65),
        ("address", "Bridge\x00Street"),
        ("address", "Bridge\ud800Street"),
        ("sex", "Z"),
        ("birth_date", "not a day"),
        ("birth_date", date.max.isoformat() + "0"),
        ("weight", -1),
        ("weight", "heavy"),
        ("size", 30),
        ("pregnancy_status", 9),
    ],
)
def test_a_value_that_does_not_fit_is_refused_without_being_repeated(column: str, value: Any) -> None:
    with refused(InvalidValue) as refusal:
        factories.patient(number="4711", **{column: value})
    assert isinstance(refusal.value, InvalidValue)
    assert refusal.value.field == column
    assert str(value) not in refusal.value.message or len(str(value)) < 3
    assert not Patient.objects.exists()


def test_one_more_number_is_added_once() -> None:
    jane = factories.patient(number="4711")
    for _ in range(2):
        patients.identify(by=BY, patient=jane, identifier=Identifier("C-9", "CLINIC"))
    assert kinds() == [EventKind.PATIENT_REGISTERED, EventKind.PATIENT_IDENTIFIED]
    assert Patient.objects.get().patient_id == "4711"
    other = factories.patient("Roe^Richard")
    with refused(DuplicateIdentifier):
        patients.identify(by=BY, patient=other, identifier=Identifier("C-9", "CLINIC"))


# --- changing ---------------------------------------------------------------------------------------


def test_a_new_name_is_told_once_and_searched_by_at_once() -> None:
    jane = factories.patient("Doe^Jane")
    assert patients.update(by=factories.HIS, patient=jane, patient_name="Müller^Jane")
    assert not patients.update(by=factories.HIS, patient=jane, patient_name="Müller^Jane")
    event = Event.objects.filter(kind=EventKind.PATIENT_UPDATED).get()
    assert event.data == {"changes": {"patient_name": ["Doe^Jane", "Müller^Jane"]}}
    assert (event.actor_name, event.address, event.cause) == ("HIS|HOSPITAL", "10.0.0.1", "hl7:1")
    assert list(Patient.objects.search("muller")) == [jane]
    assert not Patient.objects.search("doe").exists()


def test_a_wrong_change_changes_nothing() -> None:
    jane = factories.patient("Doe^Jane")
    with refused(InvalidValue):
        patients.update(by=BY, patient=jane, patient_name="Roe^Jane", sex="Z")
    jane.refresh_from_db()
    assert jane.patient_name == "Doe^Jane"


# --- searching --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["mull", "MÜLLER", "lukasz", "łuk mül", "Müller^Łukasz", "Müller, Łukasz", "471", "4711", "1962-04-17", "mul 4711"],
)
def test_a_patient_is_found_by_any_part(text: str) -> None:
    factories.patient("Doe^Jane", "9999", birth_date=date(1980, 1, 1))
    lukas = factories.patient("Müller^Łukasz", "4711")
    assert list(Patient.objects.search(text)) == [lukas]


@pytest.mark.parametrize("text", ["山田", "たろう", "yamada"])
def test_a_patient_is_found_in_each_script(text: str) -> None:
    factories.patient("Doe^Jane")
    taro = factories.patient(
        "Yamada^Tarou", patient_name_ideographic="山田^太郎", patient_name_phonetic="やまだ^たろう"
    )
    assert list(Patient.objects.search(text)) == [taro]


@pytest.mark.parametrize("text", ["jane mull", "4711 doe", "%", "_", "1962-13-41", "' OR 1=1 --", "\\"])
def test_what_fits_nobody_finds_nobody(text: str) -> None:
    factories.patient("Müller^Łukasz", "4711")
    assert not Patient.objects.search(text).exists()


def test_a_patient_found_by_two_numbers_is_listed_once() -> None:
    patients.register(by=BY, identifiers=[Identifier("47", "HIS"), Identifier("471", "CLINIC")], patient_name="Doe")
    assert Patient.objects.search("47").count() == 1


# --- merging ----------------------------------------------------------------------------------------


def test_after_a_merge_orders_visits_and_late_messages_find_the_survivor() -> None:
    jane, twin = factories.patient("Doe^Jane", "1"), factories.patient("Doe^J", "2")
    order = factories.order(patient=twin)
    visits.keep(by=BY, patient=twin, visit_number="V1", issuer="HIS")
    journal = patients.merge(by=BY, survivor=jane, loser=twin, reason="same person")
    assert journal
    assert (journal.moved_orders, journal.moved_visits) == ([order.pk], [Visit.objects.get().pk])
    assert Order.objects.get().patient == Visit.objects.get().patient == jane
    assert patients.find(Identifier("2", "HIS")) == jane
    assert list(Patient.objects.current()) == [jane]
    told = Event.objects.filter(kind=EventKind.PATIENT_MERGED, reason="same person")
    assert {event.patient for event in told} == {jane, twin}


def test_the_scanner_sees_the_survivor_at_once() -> None:
    jane, twin = factories.patient("Doe^Jane", "1"), factories.patient("Doe^J", "2")
    factories.order(patient=twin)
    patients.merge(by=BY, survivor=jane, loser=twin)
    step = ScheduledProcedureStep.objects.on_worklist().get()
    assert step.requested_procedure.order.patient.patient_id == "1"


def test_an_order_for_a_patient_who_was_merged_meanwhile_goes_to_the_survivor() -> None:
    jane, twin = factories.patient("Doe^Jane", "1"), factories.patient("Doe^J", "2")
    patients.merge(by=BY, survivor=jane, loser=twin)
    assert factories.order(patient=twin).patient == jane


def test_a_repeated_merge_changes_nothing() -> None:
    jane, twin = factories.patient(), factories.patient()
    patients.merge(by=BY, survivor=jane, loser=twin)
    before = kinds()
    assert patients.merge(by=BY, survivor=jane, loser=twin) is None
    assert (kinds(), PatientMerge.objects.count()) == (before, 1)


def test_a_merge_into_somebody_who_was_merged_goes_to_the_last_survivor() -> None:
    anna, berta, clara = (factories.patient(name) for name in ("A", "B", "C"))
    patients.merge(by=BY, survivor=anna, loser=berta)
    patients.merge(by=BY, survivor=berta, loser=clara)
    clara.refresh_from_db()
    assert clara.merged_into == anna
    assert patients.merge(by=BY, survivor=berta, loser=clara) is None


def test_a_chain_of_merges_leads_to_its_end() -> None:
    anna, berta, clara = (factories.patient(name, number=name) for name in ("A", "B", "C"))
    patients.merge(by=BY, survivor=berta, loser=clara)
    patients.merge(by=BY, survivor=anna, loser=berta)
    assert patients.find(Identifier("C", "HIS")) == anna


def test_merges_that_make_no_sense_are_refused() -> None:
    anna, berta, clara = (factories.patient(name) for name in ("A", "B", "C"))
    patients.merge(by=BY, survivor=anna, loser=berta)
    for survivor, loser, why in (
        (anna, anna, "into themselves"),
        (berta, anna, "undo that merge first"),
        (clara, berta, "merged into another one before"),
    ):
        with refused(MergeRefused, why):
            patients.merge(by=BY, survivor=survivor, loser=loser)
    assert PatientMerge.objects.count() == 1


def test_a_circle_of_three_is_refused() -> None:
    anna, berta, clara = (factories.patient(name) for name in ("A", "B", "C"))
    patients.merge(by=BY, survivor=berta, loser=clara)
    patients.merge(by=BY, survivor=anna, loser=berta)
    with refused(MergeRefused):
        patients.merge(by=BY, survivor=clara, loser=anna)
    assert list(Patient.objects.current()) == [anna]


def test_a_cancelled_order_moves_too() -> None:
    jane, twin = factories.patient(), factories.patient()
    orders.cancel(by=BY, order=factories.order(patient=twin))
    patients.merge(by=BY, survivor=jane, loser=twin)
    assert jane.orders.count() == 1


def test_a_merge_costs_the_same_for_one_order_and_for_many(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    jane, twin = factories.patient(), factories.patient()
    for hour in range(8, 14):
        factories.order(patient=twin, start=factories.today_at(hour))
    with django_assert_max_num_queries(14):
        patients.merge(by=BY, survivor=jane, loser=twin)


def test_registering_costs_few_statements(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_max_num_queries(3):
        factories.patient()


@pytest.mark.parametrize("verb", ["update", "identify"])
def test_a_record_that_was_merged_away_is_history(verb: str) -> None:
    survivor, loser = factories.patient("Doe^Jane"), factories.patient("Doe^Jan")
    patients.merge(by=BY, survivor=survivor, loser=loser)
    news: dict[str, Any] = {"update": {"sex": "F"}, "identify": {"identifier": patients.Identifier("99", "HIS")}}
    with refused(MergedAway):
        getattr(patients, verb)(by=BY, patient=loser, **news[verb])


def test_open_orders_are_marked_while_the_patient_has_no_name_that_scanners_can_be_sent() -> None:
    unknown = factories.patient("")
    order = factories.order(patient=unknown)
    for name, marks in (
        *(("Doe^Jane", []), ("", [Attention.NO_NAME]), ("", [Attention.NO_NAME])),
        *(("Back\\slash^X", [Attention.BAD_NAME]), ("Doe^Jane", []), ("", [Attention.NO_NAME])),
    ):
        patients.update(by=BY, patient=unknown, patient_name=name)
        order.refresh_from_db()
        assert order.attentions == marks
    patients.update(by=BY, patient=unknown, patient_name_ideographic="波")
    order.refresh_from_db()
    assert order.attentions == []


@pytest.mark.parametrize(
    ("survivor", "loser", "marks"),
    [
        *[("Doe^Jane", "", []), ("", "Doe^Jane", [Attention.NO_NAME])],
        *[("Doe^Jane", "D\\e", []), ("D\\e", "", [Attention.BAD_NAME])],
    ],
)
def test_a_merge_gives_the_orders_the_name_of_who_stays(survivor: str, loser: str, marks: list[Attention]) -> None:
    twin = factories.patient(loser)
    order = factories.order(patient=twin)
    before = order.attentions
    patients.merge(by=BY, survivor=factories.patient(survivor), loser=twin)
    order.refresh_from_db()
    assert order.attentions == marks
    unmerging.unmerge(by=BY, loser=Patient.objects.get(pk=twin.pk))
    order.refresh_from_db()
    assert order.attentions == before
