"""Numbers that change, and numbers and visits that belong to somebody else after all."""

import pytest

from ris.models import Event, EventKind, Order, Patient, PatientIdentifier, PatientMerge, Visit
from tests.hl7.stories import Accepted, Refused
from tests.messages import adt, mrg, orm, pid, pv1

ACCOUNT_EVENTS = ("A44", "A45")


def holder(number: str) -> Patient:
    return PatientIdentifier.objects.get(value=number).patient.survivor()


def an_order_in(accepted: Accepted, visit: str, patient: str = "4711") -> Order:
    accepted(adt("A01", pid(patient), pv1(visit)))
    accepted(orm("NW", patient=pid(patient)).replace(b"V100", visit.encode()))
    return Order.objects.get()


class TestChangedNumbers:
    @pytest.mark.parametrize(
        ("event", "segments"),
        [
            ("A46", (pid("", fields={2: "900"}), "MRG||||4711^^^HIS")),
            ("A47", (pid("900"), mrg("4711"))),
            ("A48", (pid("", fields={4: "900"}), "MRG||4711^^^HIS")),
        ],
    )
    def test_the_patient_has_the_new_number_and_the_old_one_still_finds_them(
        self, accepted: Accepted, event: str, segments: tuple[str, ...]
    ) -> None:
        order = an_order_in(accepted, "V1")
        for _ in range(2):
            accepted(adt(event, *segments))
        assert order.patient.patient_id == "900"
        assert Event.objects.filter(kind=EventKind.PATIENT_RENUMBERED).count() == 1
        accepted(adt("A08", pid("4711", "Roe^Jane")))
        assert holder("900").patient_name == "Roe^Jane"
        assert Patient.objects.count() == 1

    def test_of_several_numbers_each_is_changed_for_its_own(self, accepted: Accepted) -> None:
        accepted(adt("A28", pid("1^^^A^MR~2^^^B^MR~3^^^C^MR")))
        accepted(adt("A47", pid("2x^^^B^MR~1x^^^A^MR~3^^^C^MR"), "MRG|1^^^A^MR~2^^^B^MR~3^^^C^MR"))
        assert Patient.objects.get().patient_id == "1x"

    def test_several_pairs_and_an_unknown_patient(self, accepted: Accepted) -> None:
        accepted(adt("A47", pid("1"), mrg("2"), pid("3"), mrg("4")))
        assert [holder(number).patient_id for number in "1234"] == ["1", "1", "3", "3"]

    @pytest.mark.parametrize(
        ("event", "segments"),
        [
            ("A46", (pid("1", fields={2: "E2^^^X"}), "MRG|1^^^HIS^MR|||E1^^^X")),
            ("A48", (pid("1", fields={4: "E2^^^X"}), "MRG|1^^^HIS^MR|E1^^^X")),
        ],
    )
    def test_a_number_that_nobody_knew_is_of_the_patient_of_the_others(
        self, accepted: Accepted, event: str, segments: tuple[str, ...]
    ) -> None:
        accepted(adt("A28", pid("1")))
        accepted(adt(event, *segments))
        assert Patient.objects.get() == holder("E1") == holder("E2") == holder("1")

    def test_a_number_of_somebody_else_is_refused(self, accepted: Accepted, refused: Refused) -> None:
        for number in ("1", "2"):
            accepted(adt("A28", pid(number)))
        assert refused(adt("A47", pid("1"), mrg("2"))) == ("AE", "205", "PID^1^3^1")
        assert holder("2").patient_id == "2"

    @pytest.mark.parametrize("event", ["A46", "A47", "A48"])
    def test_both_numbers_are_needed(self, refused: Refused, event: str) -> None:
        assert refused(adt(event, pid("1"), "MRG|"))[:2] == ("AE", "101")
        assert refused(adt(event, pid(""), mrg("2")))[:2] == ("AE", "101")

    @pytest.mark.parametrize(("event", "field"), [("A49", 3), ("A50", 5)])
    def test_an_account_has_another_number_and_the_old_one_leads_to_it(
        self, accepted: Accepted, refused: Refused, event: str, field: int
    ) -> None:
        order = an_order_in(accepted, "V1")
        changed = (pid(fields={18: "V2^^^HIS"}), mrg("4711", fields={field: "V1^^^HIS"}), pv1("V2"))
        for _ in range(2):
            accepted(adt(event, *changed))
        order.refresh_from_db()
        assert order.visit
        assert order.visit.visit_number == "V2"
        accepted(adt("A02", pid(), pv1("V1", "ICU")))
        order.visit.refresh_from_db()
        assert order.visit.location == "ICU"
        accepted(adt("A01", pid(), pv1("V3")))
        taken = (pid(fields={18: "V3^^^HIS"}), mrg("4711", fields={field: "V1^^^HIS"}), pv1("V3"))
        assert refused(adt(event, *taken))[:2] == ("AE", "205")
        other = (pid("4712", fields={18: "V4^^^HIS"}), mrg("4712", fields={field: "V1^^^HIS"}), pv1("V4"))
        assert refused(adt(event, *other))[:2] == ("AE", "205")
        assert refused(adt(event, pid(fields={18: "V5"}), mrg("4711"), pv1("V5")))[:2] == ("AE", "101")
        accepted(adt(event, pid(fields={18: "N2^^^HIS"}), mrg("4711", fields={field: "N1^^^HIS"}), pv1("N2")))
        assert Visit.objects.get(visit_number="N1").merged_into == Visit.objects.get(visit_number="N2")


class TestMovedNumbers:
    def test_one_of_several_numbers_moves_and_the_orders_stay(self, accepted: Accepted) -> None:
        accepted(adt("A28", pid("1^^^HIS^MR~2^^^HIS^MR")))
        accepted(adt("A28", pid("3")))
        order = an_order_in(accepted, "V1", "1")
        row = accepted(adt("A43", pid("3^^^HIS^MR~1^^^HIS^MR"), mrg("1")))
        assert "orders stay" in row.warnings[0]
        assert [holder(number).patient_id for number in "123"] == ["3", "2", "3"]
        order.refresh_from_db()
        assert order.patient.patient_id == "2"
        assert accepted(adt("A43", pid("3^^^HIS^MR~1^^^HIS^MR"), mrg("1"))).warnings == []
        assert Event.objects.filter(kind=EventKind.PATIENT_NUMBER_MOVED).count() == 2

    def test_an_only_number_takes_everything_along(self, accepted: Accepted) -> None:
        order = an_order_in(accepted, "V1", "1")
        for _ in range(2):
            accepted(adt("A43", pid("3^^^HIS^MR~1^^^HIS^MR"), mrg("1")))
        order.refresh_from_db()
        assert order.patient.patient_id == "3"
        assert PatientMerge.objects.count() == 1

    def test_the_old_fields_name_the_patient_and_an_unknown_number_is_theirs(self, accepted: Accepted) -> None:
        accepted(adt("A43", pid("1", fields={2: "3"}), mrg("1")))
        assert holder("1").patient_id == "3"

    def test_who_gets_it_has_to_be_named(self, refused: Refused) -> None:
        assert refused(adt("A43", pid("1"), mrg("1"))) == ("AE", "101", "PID^1^3^1")
        assert refused(adt("A43", pid("1"), "MRG|")) == ("AE", "101", "MRG^1^1^1")


@pytest.mark.parametrize("event", ACCOUNT_EVENTS)
class TestMovedVisits:
    def moved(self, event: str, to: str = "2", source: str = "1", visit: str = "V1") -> bytes:
        field = 5 if event == "A45" else 3
        target = pid(to, fields={18: f"{visit}^^^HIS"})
        return adt(event, target, mrg(source, fields={field: f"{visit}^^^HIS"}), pv1(visit))

    def test_its_orders_go_along(self, accepted: Accepted, event: str) -> None:
        order = an_order_in(accepted, "V1", "1")
        for _ in range(2):
            accepted(self.moved(event))
        order.refresh_from_db()
        assert order.visit
        assert (order.patient, order.visit.patient) == (holder("2"), holder("2"))
        assert Event.objects.filter(kind=EventKind.VISIT_MOVED).count() == 2
        assert Patient.objects.current().count() == 2

    def test_what_was_merged_into_it_goes_along(self, accepted: Accepted, event: str) -> None:
        for survivor, loser in (("V2", "V3"), ("V1", "V2")):
            accepted(adt("A42", pid("1"), mrg("1", fields={5: f"{loser}^^^HIS"}), pv1(survivor)))
        accepted(self.moved(event, visit="V3"))
        assert {visit.patient for visit in Visit.objects.all()} == {holder("2")}
        accepted(adt("A02", pid("2"), pv1("V3", "ICU")))
        assert Visit.objects.get(visit_number="V1").location == "ICU"

    def test_a_visit_that_nobody_knows_is_opened_there(self, accepted: Accepted, event: str) -> None:
        row = accepted(self.moved(event))
        assert "nobody knew this number" in row.warnings[0]
        assert Visit.objects.get().patient == holder("2")

    def test_a_visit_of_a_third_patient_stays(self, accepted: Accepted, refused: Refused, event: str) -> None:
        accepted(adt("A01", pid("3"), pv1("V1")))
        accepted(adt("A28", pid("1")))
        for source in ("1", "9"):
            assert refused(self.moved(event, source=source))[:2] == ("AE", "205")
        assert Visit.objects.get().patient == holder("3")

    def test_its_number_is_needed(self, refused: Refused, event: str) -> None:
        assert refused(adt(event, pid("2"), mrg("1"), pv1()))[:2] == ("AE", "101")
        assert refused(adt(event, pid("2"), "MRG|||V1||V1", pv1("V1")))[:2] == ("AE", "101")
