"""Two records that are one person, two accounts that are one, as the hospital tells of it."""

import pytest

from ris.models import Attention, Event, EventKind, Order, Patient, PatientMerge, Visit
from tests.hl7.stories import Accepted, Refused
from tests.messages import adt, mrg, orm, pid, pv1

PATIENTS = ("A18", "A30", "A34", "A36", "A39", "A40")
ACCOUNTS = ("A35", "A41")


def account(number: str) -> dict[int, str]:
    """PID-18."""
    return {18: f"{number}^^^HIS"}


def visit(number: str) -> Visit:
    return Visit.objects.get(visit_number=number)


def an_order_on(accepted: Accepted, number: str) -> Order:
    """An order of Jane's, placed in the visit of this number."""
    accepted(adt("A01", pid(), pv1(number)))
    accepted(orm("NW").replace(b"V100", number.encode()))
    return Order.objects.get()


class TestPatients:
    @pytest.mark.parametrize("event", PATIENTS)
    def test_each_event_merges_and_a_repeat_changes_nothing(self, accepted: Accepted, event: str) -> None:
        for number in ("4711", "4712"):
            accepted(adt("A28", pid(number)))
        for _ in range(2):
            accepted(adt(event, pid("4711"), mrg("4712")))
        assert Patient.objects.current().get().patient_id == "4711"
        assert PatientMerge.objects.count() == 1

    @pytest.mark.parametrize("event", PATIENTS)
    def test_a_survivor_who_was_deleted_is_in_use_again(self, accepted: Accepted, event: str) -> None:
        for raw in (adt("A28", pid("1")), adt("A29", pid("1")), adt(event, pid("1"), mrg("2"))):
            accepted(raw)
        assert [patient.deleted_at for patient in Patient.objects.all()] == [None, None]

    @pytest.mark.parametrize("event", PATIENTS)
    def test_several_pairs_and_an_unknown_loser(self, accepted: Accepted, event: str) -> None:
        accepted(adt(event, pid("1"), mrg("2"), pv1(), pid("3"), mrg("4")))
        assert set(Patient.objects.current().values_list("identifiers__value", flat=True)) == {"1", "3"}
        accepted(orm("NW", patient=pid("4", "")))
        assert Order.objects.get().patient.patient_id == "3"

    @pytest.mark.parametrize("event", PATIENTS)
    def test_what_makes_no_sense_is_refused(self, accepted: Accepted, refused: Refused, event: str) -> None:
        accepted(adt(event, pid("4711"), mrg("4712")))
        assert refused(adt(event, pid("4711"), mrg("4711"))) == ("AE", "206", "MRG^1^1^1")
        assert refused(adt(event, pid("4712"), mrg("4711")))[:2] == ("AE", "206")
        assert refused(adt(event, pid("4711"))) == ("AE", "101", "MRG^1^1^1")
        assert PatientMerge.objects.count() == 1

    @pytest.mark.parametrize("event", ["A18", "A34", "A39"])
    def test_the_fields_of_old_do_as_well(self, accepted: Accepted, event: str) -> None:
        accepted(adt(event, pid("", fields={2: "4711"}), "MRG||||4712"))
        assert Patient.objects.current().get().patient_id == "4711"

    def test_an_a36_merges_the_accounts_too(self, accepted: Accepted) -> None:
        accepted(adt("A04", pid("4712", fields=account("ACC2")), "PV1|1|O"))
        accepted(adt("A36", pid("4711", fields=account("ACC1")), mrg("4712", fields={3: "ACC2^^^HIS"})))
        assert visit("ACC2").merged_into == visit("ACC1")
        assert visit("ACC2").patient.patient_id == "4711"


def accounts_merge(event: str, survivor: str = "V1", loser: str = "V2") -> bytes:
    """Write the merge of two accounts of Jane's, or of two visits (A42)."""
    if event == "A42":
        return adt(event, pid(), mrg("4711", fields={5: f"{loser}^^^HIS"}), pv1(survivor))
    return adt(event, pid(fields=account(survivor)), mrg("4711", fields={3: f"{loser}^^^HIS"}))


@pytest.mark.parametrize("event", [*ACCOUNTS, "A42"])
class TestVisits:
    def test_orders_and_late_messages_go_to_the_survivor(self, accepted: Accepted, event: str) -> None:
        order = an_order_on(accepted, "V2")
        accepted(accounts_merge(event))
        order.refresh_from_db()
        assert order.visit == visit("V1")
        accepted(adt("A02", pid(), pv1("V2", "ICU")))
        assert (visit("V1").location, visit("V2").location) == ("ICU", "WARD3^12^B")
        assert Patient.objects.count() == 1

    def test_a_repeat_changes_nothing(self, accepted: Accepted, event: str) -> None:
        for _ in range(2):
            accepted(accounts_merge(event))
        assert Event.objects.filter(kind=EventKind.VISIT_MERGED).count() == 2  # one for each of the two
        assert visit("V2").merged_into == visit("V1")

    def test_itself_and_a_circle_are_refused(self, accepted: Accepted, refused: Refused, event: str) -> None:
        place = "MRG^1^5^1" if event == "A42" else "MRG^1^3^1"
        assert refused(accounts_merge(event, "V1", "V1")) == ("AE", "206", place)
        accepted(accounts_merge(event))
        assert refused(accounts_merge(event, "V2", "V1")) == ("AE", "206", place)
        assert refused(accounts_merge(event, "V3", "V2")) == ("AE", "206", place)
        assert not Visit.objects.filter(visit_number="V3").exists()

    def test_visits_of_two_patients_are_not_merged(self, accepted: Accepted, refused: Refused, event: str) -> None:
        accepted(adt("A01", pid("4712"), pv1("V2")))
        assert refused(accounts_merge(event))[:2] == ("AE", "206")

    def test_a_number_that_is_missing_is_told(self, refused: Refused, event: str) -> None:
        place = "MRG^1^5^1" if event == "A42" else "MRG^1^3^1"
        assert refused(accounts_merge(event, loser='""')) == ("AE", "101", place)
        stays = "PV1^1^19^1" if event == "A42" else "PID^1^18^1"
        assert refused(accounts_merge(event, survivor='""')) == ("AE", "101", stays)

    def test_an_order_of_a_discharged_visit_is_marked(self, accepted: Accepted, event: str) -> None:
        order = an_order_on(accepted, "V2")
        accepted(adt("A03", pid(), pv1("V1")))
        accepted(accounts_merge(event))
        order.refresh_from_db()
        assert order.attentions == [Attention.VISIT_DISCHARGED]


def test_an_account_whose_visits_have_numbers_of_their_own_is_told(accepted: Accepted) -> None:
    accepted(adt("A01", pid(fields={18: "AC1"}), pv1("V1")))
    row = accepted(adt("A41", pid(fields={18: "AC2"}), "MRG|4711^^^HIS^MR||AC1"))
    assert row.warnings == [
        "MRG-3: nobody knew this number (a visit has that of PV1-19, else of PID-18), so no order moved"
    ]


def test_an_a42_without_its_visit_is_refused(refused: Refused) -> None:
    assert refused(adt("A42", pid(), mrg("4711", fields={5: "V2^^^HIS"}))) == ("AE", "101", "MRG^1^5^1")


@pytest.mark.parametrize(("event", "field"), [("A06", 5), ("A07", 3)])
def test_a_class_change_with_a_new_account_takes_the_orders_along(accepted: Accepted, event: str, field: int) -> None:
    order = an_order_on(accepted, "V1")
    prior = mrg("4711", fields={field: "V1^^^HIS"})
    for _ in range(2):
        accepted(adt(event, pid(), prior, pv1("V2")))
    order.refresh_from_db()
    assert (order.visit, visit("V1").merged_into) == (visit("V2"), visit("V2"))
    accepted(adt(event, pid(), mrg("4711", fields={field: "V2^^^HIS"}), pv1("V2")))


class TestParting:
    """A24 and A37."""

    def test_an_a37_undoes_the_merge_of_the_two(self, accepted: Accepted) -> None:
        accepted(adt("A01", pid("4712"), pv1("V2")))
        accepted(orm("NW", patient=pid("4712")).replace(b"V100", b"V2"))
        accepted(adt("A40", pid("4711"), mrg("4712")))
        row = accepted(adt("A37", pid("4711"), pid("4712")))
        assert (row.warnings, Patient.objects.current().count()) == ([], 2)
        assert Order.objects.get().patient.patient_id == visit("V2").patient.patient_id == "4712"

    @pytest.mark.parametrize("numbers", [("4711", "4712"), ("4712", "4711")])
    def test_in_either_order_and_what_came_later_stays(self, accepted: Accepted, numbers: tuple[str, str]) -> None:
        accepted(adt("A40", pid("4711"), mrg("4712")))
        accepted(orm("NW", patient=pid("4712", "")))
        row = accepted(adt("A37", *map(pid, numbers)))
        assert "stay with the patient who survived" in row.warnings[0]
        assert Order.objects.get().patient.patient_id == "4711"

    def test_a_link_joins_and_parts_without_moving_anything(self, accepted: Accepted) -> None:
        accepted(adt("A24", pid("4711"), pid("4712")))
        jane = Patient.objects.get(identifiers__value="4711")
        assert Patient.objects.linked_with(jane).get().patient_id == "4712"
        accepted(adt("A24", pid("4712"), pid("4711")))
        assert accepted(adt("A37", pid("4712"), pid("4711"))).warnings == []
        assert not Patient.objects.linked_with(jane).exists()
        assert Patient.objects.current().count() == 2

    def test_who_is_neither_merged_nor_linked_is_told(self, accepted: Accepted) -> None:
        for number in ("4711", "4712"):
            accepted(adt("A28", pid(number)))
        assert "neither merged nor linked" in accepted(adt("A37", pid("4711"), pid("4712"))).warnings[0]
        assert "nobody is known" in accepted(adt("A37", pid("4711"), pid("4713"))).warnings[0]

    @pytest.mark.parametrize("event", ["A24", "A37"])
    def test_two_patients_are_needed(self, accepted: Accepted, refused: Refused, event: str) -> None:
        accepted(adt("A28"))
        assert refused(adt(event, pid())) == ("AE", "101", "PID^1^3^1")
        assert refused(adt(event, pid(), pid(""))) == ("AE", "101", "PID^2^3^1")
        if event == "A24":
            assert refused(adt(event, pid(), pid())) == ("AE", "206", "PID^2^3^1")
