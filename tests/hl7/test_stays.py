"""Where the patient is and how long they stay, as registration tells of it."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from hl7.models import InboundMessage, MessageState
from ris.models import Attention, Event, EventKind, Order, Patient, Visit, VisitState
from tests.hl7.stories import Accepted, Refused
from tests.messages import adt, hl7_time, mrg, orm, pid, pv1
from tests.messages import send as written
from tests.worklist.asking import answers

BERLIN = ZoneInfo("Europe/Berlin")


def state() -> str:
    return Visit.objects.get().state


def told() -> list[str]:
    """What happened to visits, oldest first."""
    return list(Event.objects.filter(kind__startswith="visit.").order_by("pk").values_list("kind", flat=True))


def seen_location() -> str:
    """Where a scanner is told that the patient is: Current Patient Location (0038,0300)."""
    (answer,) = answers(CurrentPatientLocation=None)
    return str(answer.CurrentPatientLocation)


def scheduled(accepted: Accepted) -> Order:
    """An inpatient with an order for today."""
    accepted(adt("A01"))
    accepted(orm("NW", start=hl7_time(datetime.now(BERLIN).replace(hour=10))))
    return Order.objects.get()


@pytest.mark.parametrize(
    ("before", "event", "after", "happened"),
    [
        ("A01", "A02", VisitState.ACTIVE, None),
        ("A01", "A03", VisitState.DISCHARGED, EventKind.VISIT_DISCHARGED),
        ("A05", "A01", VisitState.ACTIVE, EventKind.VISIT_UPDATED),
        ("A04", "A06", VisitState.ACTIVE, EventKind.VISIT_CLASS_CHANGED),
        ("A01", "A09", VisitState.ACTIVE, EventKind.VISIT_DEPARTED),
        ("A01", "A10", VisitState.ACTIVE, EventKind.VISIT_ARRIVED),
        ("A01", "A11", VisitState.CANCELED, EventKind.VISIT_CANCELED),
        ("A03", "A13", VisitState.ACTIVE, EventKind.VISIT_DISCHARGE_CANCELED),
        ("A01", "A23", VisitState.DELETED, EventKind.VISIT_DELETED),
        ("A05", "A38", VisitState.CANCELED, EventKind.VISIT_CANCELED),
        ("A14", "A01", VisitState.ACTIVE, EventKind.VISIT_UPDATED),
        ("A01", "A15", VisitState.ACTIVE, None),
        ("A01", "A16", VisitState.ACTIVE, None),
        ("A01", "A21", VisitState.ACTIVE, EventKind.VISIT_DEPARTED),
        ("A01", "A22", VisitState.ACTIVE, EventKind.VISIT_ARRIVED),
        ("A01", "A25", VisitState.ACTIVE, None),
        ("A01", "A26", VisitState.ACTIVE, None),
        ("A14", "A27", VisitState.CANCELED, EventKind.VISIT_CANCELED),
        ("A01", "A32", VisitState.ACTIVE, EventKind.VISIT_ARRIVAL_CANCELED),
        ("A01", "A33", VisitState.ACTIVE, EventKind.VISIT_DEPARTURE_CANCELED),
        ("A01", "A51", VisitState.ACTIVE, None),
        ("A01", "A52", VisitState.ACTIVE, EventKind.VISIT_DEPARTURE_CANCELED),
        ("A01", "A53", VisitState.ACTIVE, EventKind.VISIT_ARRIVAL_CANCELED),
        ("A01", "A54", VisitState.ACTIVE, None),
        ("A01", "A60", VisitState.ACTIVE, None),
        ("A01", "A61", VisitState.ACTIVE, None),
    ],
)
def test_each_event_leads_to_its_state_and_is_told_by_its_name(
    accepted: Accepted, before: str, event: str, after: VisitState, happened: EventKind | None
) -> None:
    for kind in (before, event):
        accepted(adt(kind, pid(), pv1(fields={2: ""})))
    assert state() == after
    assert told()[1:] == ([happened] if happened else [])


@pytest.mark.parametrize("event", ["A02", "A03", "A06", "A07", "A09", "A10", "A11", "A12", "A13", "A38"])
def test_an_event_about_a_visit_that_nobody_knows_opens_it(accepted: Accepted, event: str) -> None:
    accepted(adt(event))
    assert Visit.objects.get().visit_number == "V100"
    assert Patient.objects.get().patient_name == "Doe^Jane"


def test_a_repeated_discharge_is_told_once(accepted: Accepted) -> None:
    for kind in ("A01", "A03", "A03"):
        accepted(adt(kind, pid(), pv1(fields={45: "20260106"})))
    assert told() == [EventKind.VISIT_OPENED, EventKind.VISIT_DISCHARGED]


class TestTransfer:
    def test_the_scanner_is_told_the_new_ward_on_its_next_query(self, accepted: Accepted) -> None:
        scheduled(accepted)
        assert seen_location() == "WARD3^12^B"
        accepted(adt("A02", pid(), pv1(location="ICU^1")))
        assert seen_location() == "ICU^1"

    @pytest.mark.parametrize(("named", "found"), [("", "WARD3^12^B"), ("WARD7", "WARD7")])
    def test_a_cancelled_transfer_brings_the_patient_back(self, accepted: Accepted, named: str, found: str) -> None:
        scheduled(accepted)
        accepted(adt("A02", pid(), pv1(location="ICU^1")))
        accepted(adt("A12", pid(), pv1(location=named)))
        assert seen_location() == found
        assert told()[-2:] == [EventKind.VISIT_TRANSFERRED, EventKind.VISIT_TRANSFER_CANCELED]

    def test_a_transfer_that_is_cancelled_twice_goes_back_once(self, accepted: Accepted) -> None:
        scheduled(accepted)
        accepted(adt("A02", pid(), pv1(location="ICU^1")))
        for _ in range(2):
            accepted(adt("A12", pid(), pv1(location="")))
        assert seen_location() == "WARD3^12^B"


class TestDischarge:
    def test_open_exams_are_marked_and_stay_on_the_worklist(self, accepted: Accepted) -> None:
        order = scheduled(accepted)
        accepted(adt("A03"))
        order.refresh_from_db()
        assert (order.state, order.attentions) == ("SCHEDULED", [Attention.VISIT_DISCHARGED])
        assert len(answers()) == 1
        assert Event.objects.get(kind=EventKind.ORDER_MARKED).order == order

    @pytest.mark.parametrize("event", ["A13", "A01"])
    def test_a_patient_who_is_back_takes_the_mark_off(self, accepted: Accepted, event: str) -> None:
        order = scheduled(accepted)
        accepted(adt("A03", pid(), pv1(fields={45: "20260106"})))
        accepted(adt(event))
        order.refresh_from_db()
        assert (state(), order.attentions) == (VisitState.ACTIVE, [])

    def test_a_closed_exam_needs_nobody_s_attention(self, accepted: Accepted) -> None:
        order = scheduled(accepted)
        accepted(orm("CA"))
        accepted(adt("A03"))
        order.refresh_from_db()
        assert order.attentions == []

    @pytest.mark.parametrize(
        ("evn", "pv1_45", "hour"),
        [("|||||2026010610", "2026010609", 9), ("2026010611||||2026010610", "", 10), ("2026010611", "", 11)],
    )
    def test_its_time_is_the_visit_s_else_the_event_s(
        self, accepted: Accepted, evn: str, pv1_45: str, hour: int
    ) -> None:
        raw = adt("A03", pid(), pv1(fields={45: pv1_45})).replace(b"EVN|A03|20260105080000", f"EVN|A03|{evn}".encode())
        accepted(raw)
        assert Visit.objects.get().discharged_at == datetime(2026, 1, 6, hour, tzinfo=BERLIN)

    def test_a_cancelled_discharge_has_no_time(self, accepted: Accepted) -> None:
        accepted(adt("A03", pid(), pv1(fields={45: "20260106"})))
        accepted(adt("A13", pid(), pv1(fields={45: "20260106"})))
        assert Visit.objects.get().discharged_at is None

    def test_the_only_visit_under_way_is_meant_when_none_is_named(self, accepted: Accepted) -> None:
        accepted(adt("A01"))
        accepted(adt("A03", pid(), "PV1|1|I"))
        assert state() == VisitState.DISCHARGED
        accepted(adt("A13", pid(), "PV1|1|I"))
        assert state() == VisitState.ACTIVE

    def test_of_two_visits_none_is_guessed(self, accepted: Accepted) -> None:
        for number in ("V1", "V2"):
            accepted(adt("A01", pid(), pv1(number)))
        row = accepted(adt("A03", pid(), "PV1|1|I"))
        assert row.state == MessageState.APPLIED_WITH_WARNINGS
        assert set(Visit.objects.values_list("state", flat=True)) == {VisitState.ACTIVE}


@pytest.mark.parametrize(("event", "sent", "found"), [("A06", "", "I"), ("A07", "", "O"), ("A06", "E", "E")])
def test_a_class_change_is_understood_without_its_class(accepted: Accepted, event: str, sent: str, found: str) -> None:
    accepted(adt("A01", pid(), pv1(fields={2: "R"})))
    accepted(adt(event, pid(), pv1(fields={2: sent})))
    assert Visit.objects.get().patient_class == found


def test_coming_and_going_is_told_each_time_and_checks_nobody_in(accepted: Accepted) -> None:
    order = scheduled(accepted)
    for event in ("A09", "A10", "A09", "A10"):
        accepted(adt(event))
    assert told()[1:] == [EventKind.VISIT_DEPARTED, EventKind.VISIT_ARRIVED] * 2
    order.refresh_from_db()
    assert order.procedures.get().steps.get().state == "SCHEDULED"


@pytest.mark.parametrize(("before", "event"), [("A01", "A11"), ("A05", "A38")])
def test_a_cancelled_visit_marks_its_exams(accepted: Accepted, before: str, event: str) -> None:
    accepted(adt(before))
    accepted(orm("NW"))
    accepted(adt(event))
    assert (state(), Order.objects.get().attentions) == (VisitState.CANCELED, [Attention.VISIT_CANCELED])


class TestDeleting:
    def test_a_deleted_visit_is_a_mark(self, accepted: Accepted) -> None:
        order = scheduled(accepted)
        accepted(adt("A23"))
        order.refresh_from_db()
        assert (state(), order.attentions) == (VisitState.DELETED, [Attention.VISIT_CANCELED])
        assert Patient.objects.get().deleted_at is None

    @pytest.mark.parametrize("event", ["A23", "A29"])
    def test_a_deleted_patient_keeps_everything_and_is_marked(self, accepted: Accepted, event: str) -> None:
        order = scheduled(accepted)
        for _ in range(2):
            accepted(adt(event, pid(), "PV1|1|N"))
        order.refresh_from_db()
        assert (order.state, order.attentions) == ("SCHEDULED", [Attention.PATIENT_DELETED])
        assert Patient.objects.get().deleted_at is not None
        assert len(answers()) == 1
        assert Event.objects.filter(kind=EventKind.PATIENT_DELETED).count() == 1

    def test_a_record_that_is_used_again_is_no_longer_deleted(self, accepted: Accepted) -> None:
        order = scheduled(accepted)
        accepted(adt("A29"))
        accepted(adt("A08"))
        order.refresh_from_db()
        assert (Patient.objects.get().deleted_at, order.attentions) == (None, [])

    def test_an_order_for_a_deleted_patient_is_kept_and_marked(self, accepted: Accepted) -> None:
        accepted(adt("A04"))
        accepted(adt("A29"))
        accepted(orm("NW"))
        assert Order.objects.get().attentions == [Attention.PATIENT_DELETED]

    def test_deleting_somebody_unknown_makes_nobody(self, accepted: Accepted) -> None:
        row = accepted(adt("A29"))
        assert "nothing to delete" in row.warnings[0]
        assert not Patient.objects.exists()

    def test_deleting_a_record_that_was_merged_leaves_the_survivor(self, accepted: Accepted) -> None:
        accepted(adt("A40", pid("4711"), mrg("4712")))
        row = accepted(adt("A29", pid("4712")))
        assert "merged" in row.warnings[0]
        assert not Patient.objects.filter(deleted_at__isnull=False).exists()

    def test_a_delete_without_a_patient_is_refused(self, refused: Refused) -> None:
        assert refused(adt("A29", pid(""))) == ("AE", "101", "PID^1^3^1")


def test_a_visit_of_another_patient_is_not_discharged(accepted: Accepted, refused: Refused) -> None:
    accepted(adt("A01"))
    assert refused(adt("A03", pid("4712"), pv1())) == ("AE", "205", "PV1^1^19^1")
    assert state() == VisitState.ACTIVE


def test_nothing_of_a_stay_reaches_the_log(accepted: Accepted, caplog: pytest.LogCaptureFixture) -> None:
    for event in ("A01", "A02", "A03", "A29"):
        accepted(written(*adt(event, pid(name="Geheim^Gerda")).decode().rstrip("\r").split("\r")))
    text = caplog.text + "".join(str(row.warnings) for row in InboundMessage.objects.all())
    assert "Geheim" not in text


def test_the_time_of_a_planned_discharge_is_not_taken(accepted: Accepted) -> None:
    accepted(adt("A01"))
    accepted(adt("A16", pid(), pv1(fields={45: "20260106"})))
    assert Visit.objects.get().discharged_at is None


def test_two_patients_swap_their_beds(accepted: Accepted) -> None:
    accepted(adt("A01", pid(), pv1("V1", "WARD1^1^A")))
    accepted(adt("A01", pid("4712", "Roe^Mary"), pv1("V2", "WARD2^2^B")))
    accepted(adt("A17", pid(), pv1("V1", "WARD2^2^B"), pid("4712", "Roe^Mary"), pv1("V2", "WARD1^1^A")))
    places = Visit.objects.order_by("visit_number").values_list("location", "prior_location")
    assert list(places) == [("WARD2^2^B", "WARD1^1^A"), ("WARD1^1^A", "WARD2^2^B")]


def test_a_swap_needs_two_patients(refused: Refused) -> None:
    assert refused(adt("A17")) == ("AE", "101", "PID^1^3^1")


def test_an_alternate_visit_number_is_told_not_to_be_kept(accepted: Accepted) -> None:
    assert "alternate visit numbers are not kept" in accepted(adt("A51")).warnings[0]


def test_allergies_are_added_and_taken_away_one_by_one(accepted: Accepted) -> None:
    accepted(adt("A01", pid(), pv1(), "AL1|1|DA|PEN^Penicillin"))
    accepted(adt("A60", pid(), pv1(), "IAM|1|DA|IOD^Iodine|||A", "IAM|2|DA|PEN^Penicillin|||U"))
    assert Patient.objects.get().allergies == "Penicillin, Iodine"
    accepted(adt("A60", pid(), pv1(), "IAM|1|DA|PEN^Penicillin|||D", "IAM|2|DA|||A"))
    assert Patient.objects.get().allergies == "Iodine"
