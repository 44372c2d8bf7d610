"""Procedures: their steps from the catalogue, an exam for an unknown code, and which request is about which."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ris.actions import exams, orders, procedures
from ris.actions.requests import CodedEntry, ProcedureRequest, plan_steps
from ris.errors import OrderClosed, OrderStarted
from ris.models import Attention, Event, EventKind, Order, RequestedProcedure, ScheduledProcedureStep
from tests import factories
from tests.refusals import refused

pytestmark = pytest.mark.django_db

BY = factories.BY
TWO_STEPS = (("Injection", "NM", 15), ("Pictures", "", 45))


def steps(order: Order) -> list[ScheduledProcedureStep]:
    """All steps of an order, oldest first."""
    found = ScheduledProcedureStep.objects.filter(requested_procedure__order=order)
    return list(found.select_related("station").order_by("pk"))


# --- steps from the catalogue -----------------------------------------------------------------------


def test_an_exam_of_two_steps_gives_two_steps_one_after_the_other() -> None:
    factories.station("NM1")
    bone = factories.exam("NMBONE", steps=TWO_STEPS)
    factories.protocol_code(bone, "NM-INJ", step_number=1)
    factories.protocol_code(bone, "NM-LATE", step_number=2)
    first, second = steps(factories.order(exam=bone))
    assert (first.description, first.modality, first.duration) == ("Injection", "NM", 15)
    assert (second.description, second.modality, second.duration) == ("Pictures", "NM", 45)
    assert second.start == first.end
    assert [step.protocol_codes[0]["code"] for step in (first, second)] == ["NM-INJ", "NM-LATE"]
    assert first.sps_id != second.sps_id


def test_the_steps_of_an_exam_may_need_different_stations() -> None:
    factories.station("MG1")
    factories.station("US1")
    both = factories.exam("MGASSESS", steps=(("Mammography", "MG", 15), ("Ultrasound", "US", 20)))
    stations = [step.station.ae_title for step in steps(factories.order(exam=both)) if step.station]
    assert stations == ["MG1", "US1"]


def test_the_catalogues_modality_wins_over_the_senders() -> None:
    """OBR-24 often holds a section such as RAD, not a modality."""
    (plan,) = plan_steps(ProcedureRequest(exam=factories.exam("CTABD"), modality="RAD"))
    assert plan.modality == "CT"


def test_an_unknown_exam_is_one_step_as_the_sender_describes_it() -> None:
    said = ProcedureRequest(code="X1", meaning="Wrist", modality="DX", protocol_codes=(CodedEntry("P1", "L", "Pr"),))
    (plan,) = plan_steps(said)
    assert (plan.description, plan.modality, plan.duration) == ("Wrist", "DX", 15)
    assert plan.protocol_codes == [{"code": "P1", "coding_scheme": "L", "meaning": "Pr"}]


def test_a_new_time_moves_both_steps_of_an_exam() -> None:
    factories.station("NM1")
    bone = factories.exam("NMBONE", steps=TWO_STEPS)
    order = factories.order(exam=bone)
    orders.change(by=BY, order=order, requests=[factories.request(exam=bone, start=factories.today_at(13))])
    assert [step.start for step in steps(order)] == [factories.today_at(13), factories.today_at(13, 15)]


def test_the_second_step_stays_when_the_first_has_started() -> None:
    factories.station("NM1")
    bone = factories.exam("NMBONE", steps=TWO_STEPS)
    order = factories.order(exam=bone)
    first, second = steps(order)
    exams.go("start", by=BY, step=first)
    orders.change(by=BY, order=order, requests=[factories.request(exam=bone, reason="again")])
    assert steps(order)[1].start == second.start
    with refused(OrderStarted):
        orders.change(by=BY, order=order, requests=[factories.request(exam=bone, start=factories.today_at(15))])


def test_a_double_booking_of_the_first_step_stays_marked_when_the_second_is_free() -> None:
    factories.station("MG1")
    factories.station("US1")
    both = factories.exam("MGASSESS", steps=(("Mammography", "MG", 15), ("Ultrasound", "US", 20)))
    factories.order(exam=factories.exam("MGSCREEN", duration=10), start=factories.today_at(13))
    order = factories.order(exam=both)
    orders.change(by=BY, order=order, requests=[factories.request(exam=both, start=factories.today_at(13))])
    order.refresh_from_db()
    assert order.attentions == [Attention.DOUBLE_BOOKED]


# --- an exam for an unknown code --------------------------------------------------------------------


def test_an_unknown_code_gets_its_exam_and_keeps_its_time_place_and_numbers() -> None:
    factories.station("CT1")
    order = factories.order(code="X1", meaning="Belly", modality="CT")
    procedure = order.procedures.get()
    uid = procedure.study_instance_uid
    procedures.assign_exam(by=factories.CLERK, procedure=procedure, exam=factories.exam(), reason="asked the ward")
    order.refresh_from_db()
    old, new = steps(order)
    assert (order.attention, order.state) == ("", "SCHEDULED")
    assert (old.state, new.state, new.start, new.duration) == ("CANCELED", "SCHEDULED", factories.today_at(10), 20)
    assert (procedure.code, procedure.meaning, procedure.study_instance_uid) == ("X1", "Belly", uid)
    assert Event.objects.filter(order=order, kind=EventKind.ORDER_CHANGED, reason="asked the ward").exists()


def test_an_unknown_code_without_modality_gets_its_station_with_the_exam() -> None:
    factories.station("MR1")
    order = factories.order(code="X1")
    assert order.state == "REQUESTED"
    procedures.assign_exam(by=BY, procedure=order.procedures.get(), exam=factories.exam("MRHEAD"))
    order.refresh_from_db()
    assert (order.state, order.attention) == ("SCHEDULED", "")


@pytest.mark.parametrize(("state", "error"), [("STARTED", OrderStarted), ("COMPLETED", OrderClosed)])
def test_an_exam_that_has_begun_keeps_its_kind(state: str, error: type[Exception]) -> None:
    procedure = factories.step(state).requested_procedure
    with refused(error):
        procedures.assign_exam(by=BY, procedure=procedure, exam=factories.exam("CTHEAD"))
    procedure.refresh_from_db()
    assert procedure.exam == factories.exam("CTABD")


def test_who_assigns_an_exam_from_an_old_page_changes_the_order_as_it_is() -> None:
    factories.station("CT1")
    order = factories.order(code="X1", modality="CT")
    on_an_old_page = order.procedures.get()
    procedures.assign_exam(by=BY, procedure=order.procedures.get(), exam=factories.exam("CTHEAD"))
    procedures.assign_exam(by=BY, procedure=on_an_old_page, exam=factories.exam("CTABD"))
    told = Event.objects.filter(order=order, kind=EventKind.ORDER_CHANGED).first()
    assert told
    assert told.data["changes"]["exam"] == [factories.exam("CTHEAD").pk, factories.exam("CTABD").pk]


def test_the_other_procedure_of_the_order_stays_marked() -> None:
    factories.station("CT1")
    order = factories.order(requests=[ProcedureRequest(code="X1"), ProcedureRequest(code="X2")])
    first, second = order.procedures.all()
    procedures.assign_exam(by=BY, procedure=first, exam=factories.exam())
    order.refresh_from_db()
    assert order.attentions == [Attention.UNKNOWN_EXAM]
    procedures.assign_exam(by=BY, procedure=second, exam=factories.exam())
    order.refresh_from_db()
    assert order.attentions == []


# --- which request is about which procedure ---------------------------------------------------------


def order_of(codes: Sequence[str]) -> Order:
    """An order of procedures with these codes; the procedure IDs are "ID-0", "ID-1"."""
    wishes = [ProcedureRequest(code=code, requested_procedure_id=f"ID-{number}") for number, code in enumerate(codes)]
    return factories.order(requests=wishes)


def paired(order: Order, requests: Sequence[ProcedureRequest]) -> list[str | None]:
    """The procedure IDs that the requests are paired with."""
    return [row.requested_procedure_id if row else None for row, _ in procedures.pair(order, requests)]


@pytest.mark.parametrize(
    ("requests", "found"),
    [
        ([ProcedureRequest()], ["ID-0"]),
        ([ProcedureRequest(code="B")], ["ID-1"]),
        ([ProcedureRequest(code="B"), ProcedureRequest(code="A")], ["ID-1", "ID-0"]),
        ([ProcedureRequest(requested_procedure_id="ID-1", code="A")], ["ID-1"]),
        ([ProcedureRequest(code="A"), ProcedureRequest(requested_procedure_id="ID-0")], ["ID-1", "ID-0"]),
        ([ProcedureRequest(code="C")], ["ID-0"]),
        ([ProcedureRequest(), ProcedureRequest(code="A")], ["ID-1", "ID-0"]),
        ([ProcedureRequest(), ProcedureRequest(), ProcedureRequest()], ["ID-0", "ID-1", None]),
        ([], []),
    ],
)
def test_requests_find_their_procedures(requests: list[ProcedureRequest], found: list[str | None]) -> None:
    assert paired(order_of(["A", "B"]), requests) == found


def test_two_procedures_of_one_code_are_told_apart_by_their_ids() -> None:
    order = order_of(["A", "A"])
    wishes = [ProcedureRequest(code="A", requested_procedure_id=name) for name in ("ID-1", "ID-0")]
    assert paired(order, wishes) == ["ID-1", "ID-0"]


wishes = st.builds(
    ProcedureRequest,
    code=st.sampled_from([None, "", "A", "B", "C"]),
    requested_procedure_id=st.sampled_from([None, "ID-0", "ID-1", "ID-7"]),
)


@given(st.lists(wishes, max_size=5))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_every_request_gets_an_answer_and_no_procedure_two(db: None, requests: list[ProcedureRequest]) -> None:
    order = Order.objects.first() or order_of(["A", "B", "A"])
    pairs = list(procedures.pair(order, requests))
    assert [request for _, request in pairs] == requests
    found = [row.pk for row, _ in pairs if row]
    assert len(found) == len(set(found)) == min(len(requests), RequestedProcedure.objects.filter(order=order).count())
