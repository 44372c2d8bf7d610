"""The database has the last word: each constraint is broken behind the verbs' back, and each one holds."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction
from django.db.models import F, Model, RestrictedError
from django.db.models.deletion import ProtectedError

from ris.actions import gate, links, patients
from ris.models import (
    Block,
    Booking,
    BulkClosing,
    Closure,
    Exam,
    ExamGap,
    ExamNeed,
    ExamPreparation,
    ExamQuestion,
    ExamStep,
    GateOverride,
    Insurance,
    LinkedBy,
    OpeningHours,
    Order,
    Patient,
    PatientIdentifier,
    PatientLink,
    PatientMerge,
    PerformedLink,
    PerformedProcedureStep,
    ProtocolCode,
    RequestedProcedure,
    Resource,
    ScheduledProcedureStep,
    ScreeningAnswer,
    ScreeningRule,
    Site,
    SlotOffer,
    Station,
    StepClosure,
    Visit,
    WaitingListEntry,
)
from ris.states import NEEDS_PLACE, StepState
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def department() -> None:
    """Two of everything, so that one can be made like the other."""
    for number in ("1", "2"):
        site = factories.site(f"SITE{number}")
        factories.station(f"CT{number}", site=site)
        exam = factories.exam(f"CT{number}", steps=(("First", "CT", 10), ("Second", "CT", 10)))
        factories.protocol_code(exam, "P1")
        factories.protocol_code(exam, "P2")
        rows_below(exam)
        patient = factories.patient(number=number)
        patients.identify(by=factories.BY, patient=patient, identifier=patients.Identifier(f"C{number}", "CLINIC"))
        patients.keep_insurance(by=factories.BY, patient=patient, sent_along=[{"segment": "IN1", "fields": []}])
        Visit.new(patient=patient, visit_number=f"V{number}", issuer="HIS")
        factories.order(
            patient=patient,
            exam=factories.exam(f"XX{number}", modality="CT"),
            order_fields={"filler_order_number": f"F{number}", "filler_issuer": "BUCKY"},
        )
    calendar_rows()
    for name in ("L1", "L2", "L3"):
        factories.patient(name, number=name)
    questions(ScheduledProcedureStep.objects.select_related("requested_procedure__order__patient")[0])
    survivor, *losers = Patient.objects.filter(patient_name__startswith="L").order_by("patient_name")
    for loser in losers:
        patients.merge(by=factories.BY, survivor=survivor, loser=loser)
        links.link(by=factories.BY, one=survivor, other=loser)
    performed_steps()
    waiting_list()


def waiting_list() -> None:
    """Let two steps wait, and offer a time to each."""
    for number, step in enumerate(ScheduledProcedureStep.objects.order_by("pk")[:2]):
        start = factories.today_at(10 + number)
        SlotOffer.new(
            entry=WaitingListEntry.new(step=step),
            station=factories.station("CT1"),
            start=start,
            end=start + timedelta(minutes=20),
            expires_at=start,
            freed_by=step,
        )


def performed_steps() -> None:
    """Let a scanner have done two of the steps."""
    for number, step in enumerate(ScheduledProcedureStep.objects.order_by("pk")[:2], start=1):
        done = PerformedProcedureStep.new(
            sop_instance_uid=f"1.{number}",
            pps_id=f"PPS{number}",
            station_ae_title="CT1",
            modality="CT",
            start=factories.today_at(10),
        )
        PerformedLink.new(performed=done, step=step, linked_by=LinkedBy.PERSON, state_before=step.state)
        StepClosure.new(step=step, evidence="IDLE", words="Silence.", state_before=step.state)
    BulkClosing.new(kind="MISS", reason="Strike.", actor_name="clara", steps=[1])


def calendar_rows() -> None:
    """One row of each kind in the calendar of a room."""
    site = factories.site("SITE1")
    room = factories.resource("Room 1", kind="ROOM")
    ExamNeed.new(exam=factories.exam("CT1"), kind="ROOM")
    factories.hours(site=site)
    factories.block(resource=room)
    factories.closure(factories.today_at(10), factories.today_at(11), resource=room)


def questions(step: ScheduledProcedureStep) -> None:
    """Ask a question about a step, have it answered, and let the step through in spite of it."""
    rule = ScreeningRule.new(question="Why?", topic="other", modality="ZZ", alert="Why")
    gate.answer(by=factories.BY, order=step.requested_procedure.order, rule=rule, value="yes")
    GateOverride.new(step=step, findings=[[rule.pk, "positive"]], reason="So", overridden_by="tests")


def rows_below(exam: Exam) -> None:
    """Give an exam two texts, two gaps of each kind, and two questions."""
    for number, other in enumerate((exam, factories.exam("CTSPARE")), start=1):
        ExamPreparation.new(exam=exam, language=("de", "fr")[number - 1], text="Fast.")
        ExamGap.new(exam=exam, after=other, length=2)
        ExamGap.new(exam=exam, after_contrast=f"Agent {number}", length=2)
        ExamQuestion.new(exam=exam, number=number, text="Why?")


def like_the_first(model: type[Model], *columns: str) -> Callable[[], object]:
    """Give the last row the values of the first one in these columns."""

    def break_it() -> object:
        rows = model._default_manager.order_by("pk")
        first, last = rows[0], rows.reverse()[0]
        return rows.filter(pk=last.pk).update(**{name: getattr(first, name) for name in columns})

    return break_it


def all_to(model: type[Model], **values: object) -> Callable[[], object]:
    """Give every row these values."""
    return lambda: model._default_manager.update(**values)


BREAKS: dict[str, Callable[[], object]] = {
    "site_one_default": all_to(Site, is_default=True),
    "station_ae_title_not_empty": lambda: Station.objects.filter(ae_title="CT1").update(ae_title=""),
    "exam_code_unique": like_the_first(Exam, "code", "coding_scheme"),
    "exam_takes_time": all_to(Exam, duration=0),
    "exam_step_number_unique": all_to(ExamStep, number=1),
    "exam_step_takes_time": all_to(ExamStep, duration=0),
    "exam_takes_time_for_children": all_to(Exam, child_duration=0),
    "exam_laterality_known": all_to(Exam, laterality="X"),
    "exam_age_limits_in_order": all_to(Exam, min_age=2, max_age=1),
    "exam_weight_limits_in_order": all_to(Exam, min_weight=2, max_weight=1),
    "exam_validity_in_order": all_to(Exam, valid_from="2026-02-01", valid_until="2026-01-31"),
    "exam_step_takes_time_for_children": all_to(ExamStep, child_duration=0),
    "station_carries_weight": all_to(Station, max_weight=0),
    "exam_preparation_once_a_language": all_to(ExamPreparation, language="de"),
    "exam_gap_once_an_exam": lambda: ExamGap.objects.filter(after__isnull=False).update(after=Exam.objects.all()[0]),
    "exam_gap_once_a_contrast": lambda: ExamGap.objects.exclude(after_contrast="").update(after_contrast="Agent"),
    "exam_gap_after_one_thing": all_to(ExamGap, after=None, after_contrast=""),
    "exam_gap_has_length": all_to(ExamGap, length=0),
    "exam_gap_unit_known": all_to(ExamGap, unit="y"),
    "exam_question_number_unique": all_to(ExamQuestion, number=1),
    "exam_question_not_empty": all_to(ExamQuestion, text=""),
    "exam_question_kind_known": all_to(ExamQuestion, kind="song"),
    "exam_question_choices_where_needed": all_to(ExamQuestion, kind="choice"),
    "screening_of_exam_or_modality": all_to(ScreeningRule, modality=""),
    "screening_topic_known": all_to(ScreeningRule, topic="song"),
    "screening_sex_known": all_to(ScreeningRule, sex="Z"),
    "screening_unit_known": all_to(ScreeningRule, unit="y"),
    "screening_effect_known": all_to(ScreeningRule, when_open="wait"),
    "screening_tells_known": all_to(ScreeningRule, tells="nobody"),
    "screening_answer_holds": all_to(ScreeningRule, valid_for=0),
    "screening_kidney_has_limit": all_to(ScreeningRule, topic="kidney", limit=None),
    "screening_age_limits_in_order": all_to(ScreeningRule, min_age=2, max_age=1),
    "screening_answer_not_empty": all_to(ScreeningAnswer, value=""),
    "gate_override_has_reason": all_to(GateOverride, reason=""),
    "step_gate_known": all_to(ScheduledProcedureStep, gate="AJAR"),
    "step_gate_shut": all_to(ScheduledProcedureStep, gate="OPEN"),
    "protocol_code_once_a_step": all_to(ProtocolCode, code="P1"),
    "patient_not_merged_into_itself": all_to(Patient, merged_into=F("pk")),
    "patient_sex_known": all_to(Patient, sex="Z"),
    "patient_identifier_unique": like_the_first(PatientIdentifier, "issuer", "type", "value"),
    "patient_one_primary": all_to(PatientIdentifier, primary=True),
    "patient_identifier_not_empty": lambda: PatientIdentifier.objects.filter(value="1").update(value=""),
    "merge_of_two": all_to(PatientMerge, survivor=F("loser")),
    "merge_one_active_for_each_loser": like_the_first(PatientMerge, "loser"),
    "link_in_order": all_to(PatientLink, second=F("first")),
    "link_one_active_for_each_pair": like_the_first(PatientLink, "first", "second"),
    "visit_number_unique": like_the_first(Visit, "issuer", "visit_number"),
    "visit_state_known": all_to(Visit, state="GONE"),
    "visit_number_not_empty": lambda: Visit.objects.filter(visit_number="V1").update(visit_number=""),
    "visit_not_merged_into_itself": all_to(Visit, merged_into=F("pk")),
    "order_not_its_own_successor": all_to(Order, replaced_by=F("pk")),
    "order_not_its_own_parent": all_to(Order, parent=F("pk")),
    "order_placer_number_unique": like_the_first(Order, "placer_issuer", "placer_order_number"),
    "order_filler_number_unique": like_the_first(Order, "filler_issuer", "filler_order_number"),
    "order_accession_not_empty": lambda: Order.objects.filter(patient__identifiers__value="1").update(
        accession_number=""
    ),
    "order_state_known": all_to(Order, state="LOST"),
    "procedure_priority_known": all_to(RequestedProcedure, priority="NOW"),
    "procedure_study_uid_not_empty": all_to(RequestedProcedure, study_instance_uid=""),
    "step_state_known": all_to(ScheduledProcedureStep, state="LOST"),
    "step_has_place_when_scheduled": all_to(ScheduledProcedureStep, station=None),
    "step_has_modality_when_scheduled": all_to(ScheduledProcedureStep, modality=""),
    "step_ends_after_start": all_to(ScheduledProcedureStep, end=F("start")),
    "step_id_not_empty": lambda: ScheduledProcedureStep.objects.filter(station__ae_title="CT1").update(sps_id=""),
    "performed_state_known": all_to(PerformedProcedureStep, state="LOST"),
    "performed_uid_not_empty": lambda: PerformedProcedureStep.objects.filter(pps_id="PPS1").update(sop_instance_uid=""),
    "performed_link_once": like_the_first(PerformedLink, "performed", "step"),
    "performed_link_by_known": all_to(PerformedLink, linked_by="LUCK"),
    "resource_one_scanner_a_station": lambda: Resource.objects.filter(kind="SCANNER").update(
        station=Station.objects.all()[0]
    ),
    "resource_scanner_has_station": lambda: Resource.objects.filter(kind="SCANNER").update(station=None),
    "resource_kind_known": lambda: Resource.objects.filter(kind="ROOM").update(kind="CAR"),
    "resource_name_not_empty": all_to(Resource, name=""),
    "resource_validity_in_order": all_to(Resource, valid_from="2026-01-02", valid_until="2026-01-01"),
    "need_kind_known": all_to(ExamNeed, kind="SCANNER"),
    "hours_one_owner": all_to(OpeningHours, site=None, resource=None),
    "hours_validity_in_order": all_to(OpeningHours, valid_from="2026-01-02", valid_until="2026-01-01"),
    "block_one_owner": all_to(Block, site=None, resource=None),
    "block_validity_in_order": all_to(Block, valid_from="2026-01-02", valid_until="2026-01-01"),
    "block_kind_known": all_to(Block, kind="TEA"),
    "block_referrer_named": all_to(Block, kind="REFERRER", referrer=""),
    "closure_one_owner": all_to(Closure, site=None, resource=None),
    "closure_ends_after_start": all_to(Closure, end=F("start")),
    "closure_kind_known": all_to(Closure, kind="TEA"),
    "booking_of_one": all_to(Booking, resource=None, patient=None),
    "booking_ends_after_start": all_to(Booking, end=F("start")),
    "closure_evidence_known": all_to(StepClosure, evidence="RUMOUR"),
    "closure_one_standing_for_each_step": like_the_first(StepClosure, "step"),
    "bulk_kind_known": all_to(BulkClosing, kind="BURN"),
    "waiting_once_for_each_step": like_the_first(WaitingListEntry, "step"),
    "waiting_state_known": all_to(WaitingListEntry, state="ASLEEP"),
    "waiting_priority_known": all_to(WaitingListEntry, priority="SOON"),
    "waiting_or_ended": all_to(WaitingListEntry, state="SERVED"),
    "waiting_days_in_order": all_to(WaitingListEntry, earliest="2026-01-02", latest="2026-01-01"),
    "offer_one_open_of_each_time": like_the_first(SlotOffer, "station", "start"),
    "offer_state_known": all_to(SlotOffer, state="SOLD", closed_at=F("start")),
    "offer_ends_after_start": all_to(SlotOffer, end=F("start")),
    "offer_open_or_closed": all_to(SlotOffer, state="EXPIRED"),
    # unique columns, which Django does not call constraints
    "site.code": all_to(Site, code="X"),
    "station.ae_title": all_to(Station, ae_title="X"),
    "insurance.patient": like_the_first(Insurance, "patient"),
    "order.accession_number": all_to(Order, accession_number="X"),
    "requestedprocedure.requested_procedure_id": all_to(RequestedProcedure, requested_procedure_id="X"),
    "performedprocedurestep.sop_instance_uid": all_to(PerformedProcedureStep, sop_instance_uid="1.2"),
    "scheduledprocedurestep.sps_id": all_to(ScheduledProcedureStep, sps_id="X"),
}


@pytest.mark.parametrize("constraint", BREAKS)
def test_the_database_refuses(constraint: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        BREAKS[constraint]()


def test_every_constraint_and_every_unique_column_is_tried() -> None:
    nouns = [model for model in apps.get_app_config("ris").get_models() if model.__name__ not in ("User", "Counter")]
    named = {constraint.name for model in nouns for constraint in model._meta.constraints}
    unique = {
        f"{model._meta.model_name}.{field.name}"
        for model in nouns
        for field in model._meta.concrete_fields
        if field.unique and not field.primary_key
    }
    assert named | unique == set(BREAKS)


@pytest.mark.parametrize("state", sorted(NEEDS_PLACE))
@pytest.mark.parametrize("missing", [{"station": None}, {"start": None, "end": None}, {"modality": ""}])
def test_no_step_is_in_a_state_that_needs_a_place_without_one(state: StepState, missing: dict[str, object]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ScheduledProcedureStep.objects.update(state=state, **missing)


def test_an_end_before_its_start_is_refused() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ScheduledProcedureStep.objects.update(end=F("start") - timedelta(minutes=1))


def test_orders_without_a_placer_number_are_many() -> None:
    Order.objects.update(placer_order_number="", filler_order_number="")
    assert Order.objects.filter(placer_order_number="").count() == 2


@pytest.mark.parametrize("model", [Resource, Site, Station, Patient, Order, RequestedProcedure, ScheduledProcedureStep])
def test_what_has_a_history_cannot_be_deleted(model: type[Model]) -> None:
    row = model._default_manager.order_by("pk")[0]
    with pytest.raises((ProtectedError, RestrictedError)), transaction.atomic():
        row.delete()
