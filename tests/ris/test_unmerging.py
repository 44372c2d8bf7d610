"""Two patients were merged and were not one person after all: what went there comes back, what came later stays."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.forms.models import model_to_dict

from ris.actions import links, orders, patients, renumbering, unmerging, visits
from ris.actions.patients import Identifier
from ris.errors import MergeRefused
from ris.models import (
    Attention,
    Event,
    EventKind,
    Order,
    Patient,
    PatientIdentifier,
    RequestedProcedure,
    ScheduledProcedureStep,
    Visit,
)
from ris.roles import Role
from tests import factories
from tests.refusals import refused
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db

BY = factories.BY
ROWS = (Patient, PatientIdentifier, Visit, Order, RequestedProcedure, ScheduledProcedureStep)


def everything() -> dict[str, Any]:
    """Every field of every row of the floor."""
    return {
        f"{model.__name__} {row.pk}": {field.attname: getattr(row, field.attname) for field in model._meta.fields}
        for model in ROWS
        for row in model._default_manager.all()
    }


@pytest.fixture
def jane() -> Patient:
    """The survivor, with a visit and an order of her own."""
    jane = factories.patient("Doe^Jane", "1")
    factories.order(patient=jane, order_fields={"visit": factories.visit("V1", patient=jane)})
    return jane


@pytest.fixture
def twin() -> Patient:
    """The one who is merged away: two numbers, a visit, an open order and a cancelled one."""
    twin = factories.patient("Doe^Joan", "2", weight=70, allergies="Iodine", sex="")
    patients.identify(by=BY, patient=twin, identifier=Identifier("C-2", "CLINIC"))
    visit = factories.visit("V2", patient=twin)
    factories.order(patient=twin, order_fields={"visit": visit}, start=factories.today_at(11))
    orders.cancel(by=BY, order=factories.order(patient=twin))
    return twin


def merged(survivor: Patient, loser: Patient) -> Patient:
    """Merge two; the loser as they are now."""
    patients.merge(by=BY, survivor=survivor, loser=loser)
    return Patient.objects.get(pk=loser.pk)


def test_at_once_everything_is_as_before_field_by_field(jane: Patient, twin: Patient) -> None:
    before = everything()
    loser = merged(jane, twin)
    assert everything() != before
    unmerging.unmerge(by=BY, loser=loser, reason="two people")
    assert everything() == before
    told = Event.objects.filter(kind=EventKind.PATIENT_UNMERGED, reason="two people")
    assert {event.patient for event in told} == {jane, twin}
    assert patients.find(Identifier("C-2", "CLINIC")) == twin


def test_after_work_on_the_survivor_only_what_was_moved_goes_back(jane: Patient, twin: Patient) -> None:
    before = everything()
    loser = merged(jane, twin)
    patients.update(by=BY, patient=jane, patient_name="Roe^Jane")
    patients.identify(by=BY, patient=jane, identifier=Identifier("NEW", "HIS"))
    later = factories.order(patient=loser, start=None)
    visit = factories.visit("V3", patient=jane)
    moved = Order.objects.get(visit__visit_number="V2")
    orders.hold(by=BY, order=moved)
    unmerging.unmerge(by=BY, loser=loser)
    now = everything()
    later.refresh_from_db()
    assert (later.patient, Visit.objects.get(pk=visit.pk).patient) == (jane, jane)
    assert patients.find(Identifier("NEW", "HIS")) == jane
    assert patients.find(Identifier("2", "HIS")) == twin
    changed = {name for name, row in before.items() if now[name] != row}
    assert changed == {f"Patient {jane.pk}", f"Order {moved.pk}"}
    assert now[f"Order {moved.pk}"] == before[f"Order {moved.pk}"] | {"on_hold": True}
    assert now[f"Patient {twin.pk}"] == before[f"Patient {twin.pk}"]


def test_who_would_be_in_two_places_is_marked_until_they_are_two_again() -> None:
    one, other = factories.patient("Doe^Jane", "1"), factories.patient("Doe^Jane", "2")
    stays = factories.order(patient=one, start=factories.today_at(10))
    factories.station("CT2")
    moves = factories.order(patient=other, start=factories.today_at(10))
    loser = merged(one, other)
    moves.refresh_from_db()
    stays.refresh_from_db()
    assert (moves.attentions, stays.attentions) == ([Attention.PATIENT_BUSY], [])
    unmerging.unmerge(by=BY, loser=loser)
    moves.refresh_from_db()
    assert moves.attentions == []


def test_an_order_and_a_visit_that_part_let_each_other_go(jane: Patient, twin: Patient) -> None:
    loser = merged(jane, twin)
    old_visit, own_visit = Visit.objects.get(visit_number="V2"), Visit.objects.get(visit_number="V1")
    later = factories.order(patient=jane, start=None, order_fields={"visit": old_visit})
    moved = Order.objects.get(visit=old_visit, patient=jane, pk__lt=later.pk)
    orders.change(by=BY, order=moved, visit=own_visit)
    unmerging.unmerge(by=BY, loser=loser)
    for order, patient in ((later, jane), (moved, twin)):
        order.refresh_from_db()
        assert (order.patient, order.visit) == (patient, None)


def test_visits_that_were_merged_meanwhile_are_two_again(jane: Patient, twin: Patient) -> None:
    loser = merged(jane, twin)
    one, two = Visit.objects.get(visit_number="V1"), Visit.objects.get(visit_number="V2")
    visits.merge(by=BY, survivor=one, loser=two)
    unmerging.unmerge(by=BY, loser=loser)
    two.refresh_from_db()
    assert (two.patient, two.merged_into) == (twin, None)
    assert visits.find("V2", "HIS") == two


def test_a_chain_comes_apart_from_either_end(jane: Patient, twin: Patient) -> None:
    for order in ("twin first", "jane first"):
        anna = factories.patient("Anna")
        before = everything()
        merged(jane, twin)
        merged(anna, Patient.objects.get(pk=jane.pk))
        for loser in (twin, jane) if order == "twin first" else (jane, twin):
            unmerging.unmerge(by=BY, loser=loser)
        assert everything() == before


def test_merge_and_parting_can_be_repeated_and_turned_round(jane: Patient, twin: Patient) -> None:
    before = everything()
    for survivor, loser in ((jane, twin), (jane, twin), (twin, jane)):
        survivor, loser = Patient.objects.get(pk=survivor.pk), Patient.objects.get(pk=loser.pk)
        unmerging.unmerge(by=BY, loser=merged(survivor, loser))
    assert everything() == before


def test_who_is_not_merged_cannot_be_parted(jane: Patient) -> None:
    with refused(MergeRefused, "not merged"):
        unmerging.unmerge(by=BY, loser=jane)
    assert unmerging.parting(jane) is None


def test_what_was_moved_on_meanwhile_stays_where_it_is(jane: Patient, twin: Patient) -> None:
    loser = merged(jane, twin)
    other = factories.patient("Other")
    moved = Order.objects.get(visit__visit_number="V2")
    Order.objects.filter(pk=moved.pk).update(patient=other, visit=None)
    plan = unmerging.parting(loser)
    assert plan
    assert plan.gone == 1
    unmerging.unmerge(by=BY, loser=loser)
    moved.refresh_from_db()
    assert moved.patient == other


def test_a_link_is_made_and_taken_away_once(jane: Patient, twin: Patient) -> None:
    before = model_to_dict(twin)
    assert [links.link(by=BY, one=twin, other=jane) for _ in range(2)] == [True, False]
    assert list(Patient.objects.linked_with(jane)) == [twin]
    assert [links.unlink(by=BY, one=jane, other=twin) for _ in range(2)] == [True, False]
    assert not Patient.objects.linked_with(twin).exists()
    twin.refresh_from_db()
    assert model_to_dict(twin) == before
    with refused(MergeRefused):
        links.link(by=BY, one=jane, other=jane)


class TestScreen:
    def test_it_tells_what_goes_back_and_what_stays(self, jane: Patient, twin: Patient) -> None:
        merged(jane, twin)
        later = factories.order(patient=jane, start=None)
        moved = Order.objects.get(visit__visit_number="V2")
        expert = Desk(Role.INFORMATICS)
        assert "Undo the merge" in text_of(expert.get(f"/ris/patient/{twin.pk}/change/"))
        page = text_of(expert.get(f"/ris/patient/{twin.pk}/unmerge/"))
        back, stays = page.split("Stays with Doe, Jane")
        assert moved.accession_number in back
        assert "V2" in back
        assert later.accession_number in stays
        assert later.accession_number not in back
        assert Event.objects.filter(kind=EventKind.PATIENTS_LISTED, user=expert.user).exists()

    def test_a_person_undoes_it_with_a_reason(self, jane: Patient, twin: Patient) -> None:
        merged(jane, twin)
        expert = Desk(Role.INFORMATICS)
        page = expert.post(f"/ris/patient/{twin.pk}/unmerge/", reason="two people")
        assert "The merge is undone" in text_of(page)
        event = Event.objects.get(kind=EventKind.PATIENT_UNMERGED, patient=twin)
        assert (event.user, event.reason, event.address) == (expert.user, "two people", "10.1.2.3")
        again = text_of(expert.post(f"/ris/patient/{twin.pk}/unmerge/"))
        assert "not merged into another one" in again
        assert "not merged into another one" in text_of(
            expert.client.get(f"/ris/patient/{twin.pk}/unmerge/", follow=True).content.decode()
        )

    def test_only_who_may_merge_may_undo(self, jane: Patient, twin: Patient) -> None:
        merged(jane, twin)
        for role in set(Role) - {Role.INFORMATICS}:
            desk = Desk(role)
            desk.get(f"/ris/patient/{twin.pk}/unmerge/", status=403)
            desk.post_in_vain(403, f"/ris/patient/{twin.pk}/unmerge/")
        assert Patient.objects.get(pk=twin.pk).merged_into == jane

    def test_linked_patients_see_each_other(self, jane: Patient, twin: Patient) -> None:
        links.link(by=BY, one=jane, other=twin)
        assert "Linked with Doe, Joan" in text_of(Desk(Role.FRONT_DESK).get(f"/ris/patient/{jane.pk}/change/"))


def test_the_journal_says_when_it_was_undone(jane: Patient, twin: Patient) -> None:
    journal = unmerging.unmerge(by=BY, loser=merged(jane, twin))
    assert journal.undone_at
    assert journal.undone_at <= datetime.now(UTC)


def test_a_number_that_changed_after_the_merge_does_not_take_the_loser_s_away(jane: Patient, twin: Patient) -> None:
    before = PatientIdentifier.objects.filter(patient=twin).count()
    loser = merged(jane, twin)
    for old, new in (("2", "20"), ("1", "2")):
        renumbering.change_number(by=BY, patient=jane, old=Identifier(old, "HIS"), new=Identifier(new, "HIS"))
    assert patients.find(Identifier("20", "HIS")) == jane
    unmerging.unmerge(by=BY, loser=loser)
    assert PatientIdentifier.objects.filter(patient=twin).count() == before
    assert (twin.patient_id, jane.patient_id) == ("2", "1")


def test_what_was_booked_after_a_merge_is_not_in_the_way_any_more_either() -> None:
    one, other = factories.patient("Doe^Jane", "1"), factories.patient("Doe^Jane", "2")
    factories.station("CT1")
    factories.station("CT2")
    factories.order(patient=other, start=factories.today_at(10))
    loser = merged(one, other)
    later = factories.order(patient=one, start=factories.today_at(10))
    assert later.attentions == [Attention.PATIENT_BUSY]
    unmerging.unmerge(by=BY, loser=loser)
    later.refresh_from_db()
    assert later.attentions == []
