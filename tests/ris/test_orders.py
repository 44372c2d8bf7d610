"""Orders: placed, changed, held, cancelled, and marked when a person has to look."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from ris.actions import catalogue, exams, orders, patients, performed, visits
from ris.actions.requests import ProcedureRequest, StepWish
from ris.errors import ForbiddenMove, InvalidValue, OrderClosed, OrderStarted, UnknownStation
from ris.models import (
    Attention,
    Event,
    EventKind,
    Exam,
    Order,
    Patient,
    PerformedProcedureStep,
    RequestedProcedure,
    ScheduledProcedureStep,
    Site,
    VisitState,
)
from ris.states import OrderState, StepState
from tests import factories
from tests.refusals import refused

pytestmark = pytest.mark.django_db

BY = factories.BY


def kinds(order: Order) -> list[str]:
    """What happened to an order, oldest first."""
    return list(Event.objects.filter(order=order).order_by("pk").values_list("kind", flat=True))


def steps(order: Order) -> list[ScheduledProcedureStep]:
    """All steps of an order, oldest first."""
    return list(ScheduledProcedureStep.objects.filter(requested_procedure__order=order).order_by("pk"))


# --- placing ----------------------------------------------------------------------------------------


def test_an_order_with_a_time_is_on_the_worklist_with_all_its_numbers() -> None:
    order = factories.order()
    step = ScheduledProcedureStep.objects.on_worklist().get()
    procedure = step.requested_procedure
    assert (order.state, order.attention, step.state) == (OrderState.SCHEDULED, "", StepState.SCHEDULED)
    assert order.accession_number.startswith("H")
    assert procedure.study_instance_uid.startswith("2.25.")
    assert (procedure.code, procedure.coding_scheme, procedure.meaning) == ("CTABD", "L", "CT abdomen with contrast")
    assert (step.duration, step.contrast_agent) == (20, "Iodine 350")
    assert kinds(order) == [EventKind.ORDER_PLACED, EventKind.STEP_BOOKED]


def test_an_order_without_a_time_waits() -> None:
    order = factories.order(start=None)
    assert order.state == OrderState.REQUESTED
    assert not ScheduledProcedureStep.objects.on_worklist().exists()
    assert kinds(order) == [EventKind.ORDER_PLACED]


def test_the_order_is_the_default_sites_unless_it_names_another() -> None:
    clinic = factories.site("CLINIC", accession_prefix="C", is_default=False)
    hospital = factories.site("HOSPITAL", is_default=True)
    factories.station("CT1", site=hospital)
    assert factories.order().site == hospital
    assert factories.order(site=clinic).accession_number.startswith("C")


def test_an_order_needs_a_procedure_and_a_site() -> None:
    jane = factories.patient()
    with refused(InvalidValue):
        orders.place(by=BY, patient=jane, requests=[])
    exam = factories.exam()
    with refused(ForbiddenMove, "No site"):
        orders.place(by=BY, patient=jane, requests=[factories.request(exam=exam)])
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("sent", "kept"), [("PL-2026-1", True), ("", False), ("X" * 17, False), ("A\\B", False), ("H269999999", False)]
)
def test_a_senders_accession_number_is_kept_if_it_can_be_used(sent: str, kept: bool) -> None:
    order = factories.order(accession_number=sent)
    assert (order.accession_number == sent) is kept
    assert (Attention.ACCESSION_TAKEN in order.attentions) is bool(sent and not kept)


def test_numbers_of_the_sender_are_kept_for_the_scanner() -> None:
    factories.order(requested_procedure_id="RPX1", sps_id="SX1", study_instance_uid="1.2.3")
    step = ScheduledProcedureStep.objects.select_related("requested_procedure").get()
    procedure = step.requested_procedure
    assert (procedure.requested_procedure_id, step.sps_id, procedure.study_instance_uid) == ("RPX1", "SX1", "1.2.3")


def test_two_procedures_of_one_order_may_share_a_study() -> None:
    order = factories.order(requests=[factories.request(study_instance_uid="1.2.3") for _ in range(2)])
    assert order.procedures.filter(study_instance_uid="1.2.3").count() == 2
    assert Attention.STUDY_UID_TAKEN not in order.attentions


def _unknown_exam() -> Order:
    return factories.order(code="X1", meaning="Something", modality="CT")


def _no_modality() -> Order:
    return factories.order(code="X1", meaning="Something")


def _no_station() -> Order:
    return factories.order(exam=factories.exam("PTWB", modality="PT"))


def _double_booked() -> Order:
    factories.order()
    return factories.order()


def _accession_taken() -> Order:
    factories.order(accession_number="PL-1", start=None)
    return factories.order(accession_number="PL-1", start=None)


def _procedure_id_taken() -> Order:
    factories.order(requested_procedure_id="RPX", start=None)
    return factories.order(requested_procedure_id="RPX", start=None)


def _step_id_of_our_form() -> Order:
    return factories.order(sps_id="SPS00000001")


def _study_uid_taken() -> Order:
    factories.order(study_instance_uid="1.2.3", start=None)
    return factories.order(study_instance_uid="1.2.3", start=None)


def _study_uid_invalid() -> Order:
    return factories.order(study_instance_uid="1.02.x")


def _during_a_visit_that_became(state: VisitState) -> Order:
    order = factories.order(order_fields={"visit": (visit := factories.visit())})
    visits.keep(by=BY, patient=visit.patient, visit_number=visit.visit_number, issuer=visit.issuer, state=state)
    order.refresh_from_db()
    return order


def _of_a_deleted_patient() -> Order:
    patients.delete(by=BY, patient=(jane := factories.patient()))
    return factories.order(patient=jane)


def _performed(state: str = "SCHEDULED", *, patient_id: str = "", study: str = "", reason: str = "") -> Order:
    """A scanner takes the step; another patient, another study or a wrong entry as said."""
    step = factories.step(state)
    procedure = step.requested_procedure
    uid = study or procedure.study_instance_uid
    item = {"sps_id": step.sps_id, "study_instance_uid": uid, "accession_number": "", "requested_procedure_id": ""}
    done = performed.begin(
        by=BY,
        sop_instance_uid="1.9",
        station_ae_title="CT1",
        items=[item],
        said={"id": patient_id},
        pps_id="P1",
        modality="CT",
        start=factories.today_at(10),
    )
    if reason:
        done = performed.lock(done.sop_instance_uid)
        performed.update(by=BY, performed=done, state="DISCONTINUED", discontinuation_code=reason)
    return Order.objects.get(pk=procedure.order_id)


def _report_taken_off() -> Order:
    order = _performed()
    done = PerformedProcedureStep.objects.get()
    (step,) = steps(order)
    exams.go("complete", by=BY, step=step)
    performed.unlink(by=BY, performed=done, step=step)
    return Order.objects.get(pk=order.pk)


def _patient_busy() -> Order:
    factories.station("CT1")
    factories.station("MR1")
    jane = factories.order().patient
    return factories.order(patient=jane, exam=factories.exam("MRHEAD"))


def _begun_and_unwanted() -> Order:
    order = factories.order(steps=(StepWish(sps_id="A", modality="CT"), StepWish(sps_id="B", modality="CT")))
    exams.go("start", by=BY, step=steps(order)[1])
    return orders.change(by=BY, order=order, requests=[ProcedureRequest(steps=(StepWish(sps_id="A"),))])


MARKED: list[tuple[Callable[[], Order], set[Attention], str]] = [
    (_unknown_exam, {Attention.UNKNOWN_EXAM}, "SCHEDULED"),
    (_no_modality, {Attention.UNKNOWN_EXAM, Attention.NO_MODALITY}, "REQUESTED"),
    (_no_station, {Attention.NO_STATION}, "REQUESTED"),
    (_double_booked, {Attention.DOUBLE_BOOKED}, "SCHEDULED"),
    (lambda: factories.order(exam=factories.exam(min_age=99)), {Attention.AGAINST_RULES}, "SCHEDULED"),
    (_patient_busy, {Attention.PATIENT_BUSY}, "SCHEDULED"),
    (_accession_taken, {Attention.ACCESSION_TAKEN}, "REQUESTED"),
    (_procedure_id_taken, {Attention.NUMBER_TAKEN}, "REQUESTED"),
    (_step_id_of_our_form, {Attention.NUMBER_TAKEN}, "SCHEDULED"),
    (_study_uid_taken, {Attention.STUDY_UID_TAKEN}, "REQUESTED"),
    (_study_uid_invalid, {Attention.STUDY_UID_TAKEN}, "SCHEDULED"),
    (lambda: _during_a_visit_that_became(VisitState.DISCHARGED), {Attention.VISIT_DISCHARGED}, "SCHEDULED"),
    (lambda: _during_a_visit_that_became(VisitState.CANCELED), {Attention.VISIT_CANCELED}, "SCHEDULED"),
    (_of_a_deleted_patient, {Attention.PATIENT_DELETED}, "SCHEDULED"),
    (lambda: factories.order(patient=factories.patient(name="")), {Attention.NO_NAME}, "SCHEDULED"),
    (lambda: factories.order(patient=factories.patient(name="Back\\slash")), {Attention.BAD_NAME}, "SCHEDULED"),
    (lambda: _performed(patient_id="NOBODY"), {Attention.OTHER_PATIENT}, "IN_PROGRESS"),
    (lambda: _performed(study="1.2.3"), {Attention.OTHER_STUDY}, "IN_PROGRESS"),
    (lambda: _performed("CANCELED"), {Attention.DONE_ANYWAY}, "CANCELED"),
    (_begun_and_unwanted, {Attention.STEP_UNWANTED}, "IN_PROGRESS"),
    (_report_taken_off, {Attention.REPORT_TAKEN_OFF}, "COMPLETED"),
    (lambda: _performed(reason="110514"), {Attention.WRONG_ENTRY}, "SCHEDULED"),
]


@pytest.mark.parametrize(("story", "marks", "state"), MARKED)
def test_an_order_is_kept_and_marked(story: Callable[[], Order], marks: set[Attention], state: str) -> None:
    order = story()
    assert (set(order.attentions), order.state) == (marks, state)
    assert list(Order.objects.in_need_of_attention()) == [order]


def test_every_mark_has_its_story() -> None:
    assert {mark for _, marks, _ in MARKED for mark in marks} == set(Attention)


def test_all_marks_at_once_fit_the_column() -> None:
    assert len("\n".join(Attention.values)) <= (Order._meta.get_field("attention").max_length or 0)


def test_somebody_looked_at_it() -> None:
    order = _unknown_exam()
    assert orders.settle(by=factories.CLERK, order=order, reason="called the ward").attention == ""
    orders.settle(by=factories.CLERK, order=order)
    assert kinds(order)[-1] == EventKind.ORDER_SETTLED
    assert kinds(order).count(EventKind.ORDER_SETTLED) == 1


# --- changing ---------------------------------------------------------------------------------------


def test_a_new_time_moves_the_step() -> None:
    order = factories.order()
    orders.change(by=BY, order=order, requests=[factories.request(start=factories.today_at(14))])
    assert factories.step_of(order).start == factories.today_at(14)
    assert kinds(order)[-1] == EventKind.STEP_MOVED


def test_the_same_again_leaves_no_trace() -> None:
    order = factories.order(reason="cough")
    before = kinds(order)
    orders.change(by=BY, order=order, requests=[factories.request(reason="cough")], requesting_physician="Curie^Marie")
    assert kinds(order) == before


def test_columns_and_descriptions_change_without_moving_the_step() -> None:
    order = factories.order()
    orders.change(
        by=BY,
        order=order,
        requests=[factories.request(start=None, priority="STAT", performing_physician="Roentgen^W")],
        callback_phone="4711",
    )
    step = factories.step_of(order)
    assert (step.requested_procedure.priority, step.performing_physician) == ("STAT", "Roentgen^W")
    assert step.start == factories.today_at(10)
    assert kinds(order)[2:] == [EventKind.ORDER_CHANGED, EventKind.ORDER_CHANGED, EventKind.STEP_CHANGED]


def test_another_exam_replaces_the_step_at_its_time() -> None:
    factories.station("CT1")
    factories.station("MR1")
    order = factories.order()
    uid = order.procedures.get().study_instance_uid
    orders.change(by=BY, order=order, requests=[factories.request(exam=factories.exam("MRHEAD"), start=None)])
    old, new = steps(order)
    assert (old.state, new.state, new.modality) == ("CANCELED", "SCHEDULED", "MR")
    assert new.start == factories.today_at(10)
    assert order.procedures.get().study_instance_uid == uid
    assert order.procedures.get().code == "MRHEAD"


def test_a_procedure_that_was_not_there_is_added() -> None:
    factories.station("CT1")
    factories.station("MR1")
    order = factories.order()
    orders.change(
        by=BY,
        order=order,
        requests=[factories.request(), factories.request(exam=factories.exam("MRHEAD"), start=factories.today_at(12))],
    )
    assert [procedure.code for procedure in order.procedures.all()] == ["CTABD", "MRHEAD"]
    assert len(steps(order)) == 2


def test_an_order_whose_exam_runs_keeps_its_exam() -> None:
    order = factories.order()
    exams.go("start", by=BY, step=factories.step_of(order))
    with refused(OrderStarted):
        orders.change(by=BY, order=order, requests=[factories.request(exam=factories.exam("CTHEAD"))])


@pytest.mark.parametrize("state", ["ARRIVED", "READY", "STARTED", "DEPARTED"])
def test_a_new_time_comes_too_late_once_the_patient_is_there(state: str) -> None:
    order = factories.step(state).requested_procedure.order
    with refused(OrderStarted):
        orders.change(by=BY, order=order, requests=[factories.request(start=factories.today_at(15))])


@pytest.mark.parametrize("state", ["ARRIVED", "READY", "STARTED", "DEPARTED", "NO_SHOW"])
def test_a_sender_that_repeats_the_time_may_change_the_rest(state: str) -> None:
    step = factories.step(state)
    orders.change(by=BY, order=step.requested_procedure.order, requests=[factories.request(reason="new reason")])
    step.refresh_from_db()
    assert (step.state, step.requested_procedure.reason) == (state, "new reason")


def test_who_did_not_come_can_be_cancelled() -> None:
    order = factories.step("NO_SHOW").requested_procedure.order
    assert orders.cancel(by=BY, order=order).state == "CANCELED"
    before = Event.objects.count()
    assert orders.cancel(by=BY, order=order).state == "CANCELED"
    assert Event.objects.count() == before


def test_an_unknown_code_without_a_name_does_not_keep_the_name_of_the_exam_before() -> None:
    order = factories.step().requested_procedure.order
    orders.change(by=BY, order=order, requests=[ProcedureRequest(code="NEW", modality="CT")])
    procedure = order.procedures.get()
    assert (procedure.code, procedure.meaning) == ("NEW", "")


def test_who_did_not_come_gets_another_time() -> None:
    order = factories.step("NO_SHOW").requested_procedure.order
    orders.change(by=BY, order=order, requests=[factories.request(start=factories.today_at(15, days=1))])
    step = factories.step_of(order)
    assert (step.state, step.start) == ("SCHEDULED", factories.today_at(15, days=1))


@pytest.mark.parametrize("state", ["COMPLETED", "CANCELED", "DISCONTINUED"])
@pytest.mark.parametrize("act", [orders.change, orders.hold, orders.release])
def test_a_closed_order_is_not_touched(act: Callable[..., Any], state: str) -> None:
    order = factories.step(state).requested_procedure.order
    with refused(OrderClosed):
        act(by=BY, order=order)


# --- hold, cancel, discontinue ----------------------------------------------------------------------


def test_an_order_is_not_held_during_its_exam() -> None:
    step = factories.step()
    exams.go("arrive", by=BY, step=step)
    exams.go("start", by=BY, step=step)
    with pytest.raises(OrderStarted, match="not held"):
        orders.hold(by=BY, order=step.requested_procedure.order)


def test_an_order_on_hold_is_hidden_until_it_is_released() -> None:
    order = factories.order()
    orders.hold(by=BY, order=order, reason="kidney values")
    orders.hold(by=BY, order=order)
    assert not ScheduledProcedureStep.objects.on_worklist().exists()
    orders.release(by=BY, order=order)
    orders.release(by=BY, order=order)
    assert ScheduledProcedureStep.objects.on_worklist().exists()
    assert kinds(order)[-2:] == [EventKind.ORDER_HELD, EventKind.ORDER_RELEASED]


@pytest.mark.parametrize(
    ("state", "cancelled", "discontinued"),
    [
        ("REQUESTED", "CANCELED", "CANCELED"),
        ("SCHEDULED", "CANCELED", "CANCELED"),
        ("ARRIVED", "CANCELED", "CANCELED"),
        ("READY", "CANCELED", "CANCELED"),
        ("STARTED", OrderStarted, "DISCONTINUED"),
        ("DEPARTED", OrderStarted, "DISCONTINUED"),
        ("COMPLETED", OrderClosed, OrderClosed),
        ("CANCELED", "CANCELED", "CANCELED"),
        ("DISCONTINUED", OrderClosed, "DISCONTINUED"),
    ],
)
def test_an_order_ends_as_far_as_its_step_allows(
    state: str, cancelled: str | type[Exception], discontinued: str | type[Exception]
) -> None:
    for act, outcome in ((orders.cancel, cancelled), (orders.discontinue, discontinued)):
        order = factories.step(state).requested_procedure.order
        if isinstance(outcome, str):
            act(by=BY, order=order, reason="withdrawn")
            order.refresh_from_db()
            assert order.state == outcome
        else:
            with refused(outcome):
                act(by=BY, order=order)


def test_an_order_half_done_is_not_cancelled_but_discontinued() -> None:
    factories.station("CT1")
    order = factories.order(requests=[factories.request(), factories.request(start=factories.today_at(12))])
    first, second = steps(order)
    exams.go("start", by=BY, step=first)
    exams.go("complete", by=BY, step=first)
    with refused(OrderStarted):
        orders.cancel(by=BY, order=order)
    orders.discontinue(by=BY, order=order)
    second.refresh_from_db()
    assert second.state == "CANCELED"


def test_an_order_cancelled_twice_is_cancelled_once() -> None:
    order = factories.order()
    for _ in range(2):
        orders.cancel(by=BY, order=order, reason="withdrawn")
    assert kinds(order)[2:] == [EventKind.ORDER_CANCELED, EventKind.STEP_CANCELED]


# --- what went wrong leaves nothing -----------------------------------------------------------------


def test_a_refused_order_leaves_nothing_behind() -> None:
    station = factories.station("MR1")
    inactive = factories.station("CT9", active=False)
    jane = factories.patient()
    counts = [model.objects.count() for model in (Order, RequestedProcedure, Event, Patient)]
    for wrong, error in (
        ({"station": inactive}, UnknownStation),
        ({"priority": "NOW"}, InvalidValue),
        ({"reason": "X" * 251}, InvalidValue),
        ({"station": station, "exam": None, "code": "X", "modality": "MR", "duration": -5}, InvalidValue),
    ):
        with refused(error):
            factories.order(patient=jane, **wrong)
    assert [model.objects.count() for model in (Order, RequestedProcedure, Event, Patient)] == counts


# --- cost -------------------------------------------------------------------------------------------


def test_a_usual_order_costs_few_statements(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    factories.station("CT1")
    factories.exam()
    jane = factories.patient()
    exam = Exam.objects.prefetch_related("steps", "protocol_codes").get()
    site = Site.objects.get()
    catalogue.gaps()  # kept for a second
    with django_assert_max_num_queries(15 if connection.vendor == "sqlite" else 16):
        factories.order(patient=jane, exam=exam, site=site)


def test_changing_one_order_costs_the_same_among_many(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    """Tomorrow: the time that is given up today may be over, and is then offered to nobody."""
    order = factories.order(start=factories.today_at(10, days=1))
    with CaptureQueriesContext(connection) as alone:
        orders.change(by=BY, order=order, requests=[factories.request(start=factories.today_at(11, days=1))])
    for hour in range(12, 18):
        factories.order(start=factories.today_at(hour, days=1) + timedelta(minutes=30))
    with django_assert_max_num_queries(len(alone)):
        orders.change(by=BY, order=order, requests=[factories.request(start=factories.today_at(9, days=1))])
