"""The MPPS service, request by request: what is refused with which status, and what the department sees of the rest."""

from datetime import date
from typing import Any

import pytest
from django.db import OperationalError
from pydicom import config
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

from ris.actions import patients, unmerging
from ris.actions import performed as verbs
from ris.errors import SlotTaken
from ris.models import Attention, Event, EventKind, PerformedLink, PerformedProcedureStep, ScheduledProcedureStep
from tests import factories
from tests.factories import BY
from tests.worklist.asking import answers
from tests.worklist.performing import (
    WRONG_ENTRY,
    ask,
    code,
    create,
    creation,
    data_set,
    ending,
    get,
    item_of,
    scheduled,
    series,
    update,
)
from worklist import mpps
from worklist.dimse import Command
from worklist.models import MppsRequest
from worklist.mpps_rules import ESSENTIAL, RULES, SCHEDULED
from worklist.negotiation import MODALITY_WORKLIST_FIND, PERFORMED_STEP, PERFORMED_STEP_RETRIEVE

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _as_in_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read what scanners send as the door does, without pydicom's warnings (worklist.silence)."""
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)


def state_of(step: ScheduledProcedureStep) -> tuple[str, str]:
    """Return the state of a step and of its order."""
    step = ScheduledProcedureStep.objects.select_related("requested_procedure__order").get(pk=step.pk)
    return step.state, step.requested_procedure.order.state


def marks_of(step: ScheduledProcedureStep) -> list[str]:
    found: ScheduledProcedureStep = ScheduledProcedureStep.objects.get(pk=step.pk)
    return list(found.requested_procedure.order.attentions)


def linked(performed: PerformedProcedureStep) -> list[ScheduledProcedureStep]:
    return [link.step for link in PerformedLink.objects.active().filter(performed=performed).order_by("pk")]


# --- the usual day -----------------------------------------------------------------------------------------


def test_a_scanner_begins_and_completes_a_step() -> None:
    step = factories.step("ARRIVED")
    jane = step.requested_procedure.order.patient
    performed = create(item_of(step), patient=jane)
    assert state_of(step) == ("STARTED", "IN_PROGRESS")
    assert (performed.station, performed.patient_name) == (step.station, "Doe, Jane")
    update(performed, ending())
    assert state_of(step) == ("COMPLETED", "COMPLETED")
    assert performed.state == "COMPLETED"
    assert performed.images == 2
    assert marks_of(step) == []
    told = Event.objects.filter(order=step.requested_procedure.order, actor_kind="DICOM").order_by("pk")
    assert list(told.values_list("kind", flat=True)) == [
        EventKind.PERFORMED_LINKED,
        EventKind.STEP_STARTED,
        EventKind.PERFORMED_COMPLETED,
        EventKind.STEP_COMPLETED,
    ]
    requests = MppsRequest.objects.order_by("pk")
    assert {event.cause for event in told} == {request.cause for request in requests}
    assert [(one.operation, one.performed, one.status) for one in requests] == [
        ("N-CREATE", performed, "0000"),
        ("N-SET", performed, "0000"),
    ]


def test_several_updates_keep_dose_series_and_consumables() -> None:
    performed = create(item_of(factories.step()))
    update(performed, data_set({"PerformedProcedureStepDescription": "Abdomen", "TotalNumberOfExposures": 3}))
    needle = data_set({"BillingItemSequence": [code("C1", "Needle", "99X")]})
    amount = data_set({"Quantity": "2", "MeasuringUnitsSequence": [code("{1}", "piece", "UCUM")]})
    needle.QuantitySequence = [amount]
    update(
        performed,
        data_set(
            {
                "PerformedSeriesSequence": [series(3), series(0)],
                "ImageAndFluoroscopyAreaDoseProduct": "12.5",
                "TotalTimeOfFluoroscopy": 31,
                "EntranceDoseInmGy": "0.7",
                "BillingSuppliesAndDevicesSequence": [needle],
                "BillingProcedureStepSequence": [code("CTABD", "CT abdomen", "L")],
                "FilmConsumptionSequence": [data_set({"NumberOfFilms": "1", "FilmSizeID": "14INX17IN"})],
            }
        ),
    )
    update(performed, ending(PerformedSeriesSequence=[series(4)]))
    assert [one["images"] for one in performed.series] == [4]
    assert performed.series[0]["protocol"] == "ABDOMEN"
    assert (performed.description, performed.exposures, performed.dose_area_product) == ("Abdomen", 3, 12.5)
    assert (performed.fluoroscopy_time, performed.entrance_dose) == (31, 0.7)
    told = [(one["kind"], one["meaning"], one["quantity"], one["unit"]) for one in performed.supplies]
    assert told == [
        ("procedure", "CT abdomen", None, ""),
        ("supply", "Needle", 2, "piece"),
        ("film", "14INX17IN", 1, ""),
    ]
    assert MppsRequest.objects.filter(performed=performed).count() == 4


def test_a_group_of_steps_is_done_in_one() -> None:
    steps = [factories.step(), factories.step(exam=factories.exam("CTHEAD"))]
    performed = create(*map(item_of, steps))
    assert linked(performed) == steps
    assert [state_of(step)[0] for step in steps] == ["STARTED", "STARTED"]
    update(performed, ending())
    assert [state_of(step) for step in steps] == [("COMPLETED", "COMPLETED")] * 2


def test_more_images_are_appended_to_a_completed_step() -> None:
    step = factories.step()
    update(create(item_of(step)), ending())
    second = create(item_of(step))
    assert state_of(step)[0] == "COMPLETED", "what is done stays done while more is added"
    update(second, ending())
    assert state_of(step) == ("COMPLETED", "COMPLETED")
    assert PerformedLink.objects.filter(step=step).count() == 2


def study_told(step: ScheduledProcedureStep) -> tuple[str, str]:
    """Return the Study Date and Study Time with which the step is on the worklist."""
    [one] = answers(ScheduledProcedureStepID=step.sps_id, StudyDate=None, StudyTime=None)
    return one.StudyDate or "", one.StudyTime or ""


def test_who_adds_to_a_study_is_told_when_it_began() -> None:
    """The images of a later step are of the same study, and must not have another date than the first ones."""
    exam = factories.exam("NMBONE", modality="NM", steps=[("Injection", "NM", 20), ("Images", "NM", 40)])
    factories.station("NM1")
    order = factories.order(exam=exam, start=factories.today_at(8))
    injection, images = ScheduledProcedureStep.objects.filter(requested_procedure__order=order).order_by("pk")
    assert study_told(images) == ("", "")
    day = f"{factories.today_at(8):%Y%m%d}"
    begun = {"PerformedProcedureStepStartDate": day, "PerformedProcedureStepStartTime": "081500"}
    wrong = create(item_of(injection), **begun | {"PerformedProcedureStepStartTime": "080500"})
    assert study_told(images) == (day, "080500")
    update(wrong, ending("DISCONTINUED", reason=code(*WRONG_ENTRY)))
    assert study_told(images) == ("", ""), "nothing was begun"
    first = update(create(item_of(injection), **begun), ending())
    create(item_of(images), **begun | {"PerformedProcedureStepStartTime": "113000"})
    assert study_told(images) == (day, "081500")
    verbs.unlink(by=BY, performed=first, step=injection)
    assert study_told(images) == (day, "113000")


def test_images_that_lie_in_another_study_did_not_begin_this_one() -> None:
    step = factories.step()
    performed = create(item_of(step, study=generate_uid()))
    assert linked(performed) == [step]
    assert study_told(step) == ("", "")


def test_a_step_done_in_two_parts_ends_with_the_last() -> None:
    step = factories.step()
    first, second = create(item_of(step)), create(item_of(step))
    update(first, ending())
    assert state_of(step)[0] == "STARTED"
    update(second, ending("DISCONTINUED", reason=code("110513", "Discontinued for unspecified reason")))
    assert state_of(step)[0] == "COMPLETED"


@pytest.mark.parametrize(
    ("reason", "state"),
    [(code(*WRONG_ENTRY), "SCHEDULED"), (code("110501", "Equipment failure"), "DISCONTINUED"), (None, "DISCONTINUED")],
)
def test_an_abandoned_step_waits_again_only_where_the_entry_was_wrong(reason: Any, state: str) -> None:
    step = factories.step("ARRIVED")
    performed = update(create(item_of(step)), ending("DISCONTINUED", reason=reason))
    assert performed.discontinuation_code == (reason.CodeValue if reason else "")
    assert state_of(step)[0] == state
    assert marks_of(step) == ([Attention.WRONG_ENTRY] if state == "SCHEDULED" else [])
    again = create(item_of(step))
    assert state_of(step)[0] == "STARTED", "the patient may be done after all"
    update(again, ending())
    assert state_of(step)[0] == "COMPLETED"


def test_an_unscheduled_step_waits_for_a_person() -> None:
    step = factories.step()
    jane = step.requested_procedure.order.patient
    performed = create(scheduled(study=generate_uid()), patient=jane)
    assert list(PerformedProcedureStep.objects.waiting()) == [performed]
    assert state_of(step)[0] == "SCHEDULED", "the same patient at the same station is not enough"
    assert Event.objects.get(kind=EventKind.PERFORMED_BEGUN).patient is None


# --- which step is meant -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("only", "by"),
    [
        (("sps_id",), "SPS_ID"),
        (("accession", "procedure"), "ACCESSION"),
        (("accession",), "ACCESSION"),
        (("study",), "STUDY_UID"),
    ],
)
def test_a_step_is_found_by_any_of_its_identifiers(only: tuple[str, ...], by: str) -> None:
    step = factories.step()
    other = {} if "study" in only else {"study": generate_uid()}
    performed = create(item_of(step, *only, **other))
    (link,) = performed.links.all()
    assert (link.step, link.linked_by) == (step, by)
    assert (Attention.OTHER_STUDY in marks_of(step)) == ("study" not in only)


def test_identifiers_that_contradict_each_other_decide_nothing() -> None:
    one, other = factories.step(), factories.step()
    accession = other.requested_procedure.order.accession_number
    performed = create(item_of(one, accession=accession))
    assert linked(performed) == []
    assert performed.doubts == ["contradiction"]


def test_an_accession_number_of_two_steps_is_narrowed_by_modality_and_station() -> None:
    twofold = factories.exam("PETCT", modality="CT", steps=[("PET", "PT", 30), ("CT", "CT", 10)])
    factories.station("PT1")
    factories.station("CT1")
    order = factories.order(exam=twofold)
    ct = ScheduledProcedureStep.objects.get(requested_procedure__order=order, modality="CT")
    assert linked(create(item_of(ct, "accession"))) == [ct]
    assert linked(create(item_of(ct, "accession"), Modality="MR", PerformedStationAETitle="MR9")) == []


@pytest.mark.parametrize(
    ("values", "other"),
    [
        ({"PatientID": "4711"}, False),
        ({"PatientID": "4712"}, True),
        ({"PatientID": ""}, False),
        ({"PatientID": "4711", "PatientName": "Miller^Jane"}, False),
        ({"PatientID": "", "PatientName": "Miller^Jane", "PatientBirthDate": ""}, True),
        ({"PatientID": "", "PatientName": "Miller^Jane"}, False),
        ({"PatientBirthDate": "19800101"}, True),
        ({"PatientName": "DOE^JANE^", "PatientID": "", "PatientBirthDate": ""}, False),
    ],
)
def test_another_patient_than_the_orders_is_marked_for_a_person(values: dict[str, str], other: bool) -> None:
    jane = factories.patient("Doe^Jane", "4711", birth_date=date(1962, 4, 17))
    step = factories.step(patient=jane)
    performed = create(item_of(step), patient=jane, **values)
    assert linked(performed) == [step]
    assert (Attention.OTHER_PATIENT in marks_of(step)) is other


def test_a_merge_of_patients_moves_what_was_performed_and_its_undoing_moves_it_back() -> None:
    doe, jane = factories.patient("Doe^Unknown", "1"), factories.patient("Doe^Jane", "2")
    step = factories.step(patient=doe)
    performed = create(item_of(step), patient=doe)

    def whose() -> set[int]:
        orders = PerformedLink.objects.filter(performed=performed).values_list(
            "step__requested_procedure__order", flat=True
        )
        return set(type(doe).objects.filter(orders__in=orders).values_list("pk", flat=True))

    patients.merge(by=BY, survivor=jane, loser=doe)
    assert whose() == {jane.pk}
    later = create(item_of(step), patient=doe, uid=generate_uid())
    assert linked(later) == [step]
    assert marks_of(step) == [], "the number that was merged away is hers"
    unmerging.unmerge(by=BY, loser=doe)
    assert whose() == {doe.pk}


@pytest.mark.parametrize(
    ("state", "after"),
    [("REQUESTED", "STARTED"), ("NO_SHOW", "STARTED"), ("COMPLETED", "COMPLETED"), ("CANCELED", "CANCELED")],
)
def test_a_scanner_may_take_whom_nobody_expected(state: str, after: str) -> None:
    step = factories.step(state)
    performed = create(item_of(step))
    assert linked(performed) == [step]
    assert state_of(step)[0] == after
    assert marks_of(step) == ([Attention.DONE_ANYWAY] if state == "CANCELED" else [])
    update(performed, ending())
    assert state_of(step)[0] == ("CANCELED" if state == "CANCELED" else "COMPLETED")


def test_a_step_without_a_place_stays_where_the_scanner_is_no_station() -> None:
    step = factories.step("REQUESTED")
    update(create(item_of(step), PerformedStationAETitle="NOBODY"), ending())
    assert state_of(step)[0] == "REQUESTED"
    assert marks_of(step) == [Attention.NO_STATION]


# --- what is refused ---------------------------------------------------------------------------------------


def test_a_uid_is_created_once_and_known_ones_are_updated_until_they_end() -> None:
    performed = create(item_of(factories.step()))
    uid = performed.sop_instance_uid
    assert ask(Command.N_CREATE, uid, creation()).status == 0x0111
    assert ask(Command.N_SET, generate_uid(), ending()).status == 0x0112
    assert ask(Command.N_GET, generate_uid()).status == 0x0112
    update(performed, ending())
    before = PerformedProcedureStep.objects.values().get()
    for late in (ending(), ending("DISCONTINUED"), data_set({"StudyID": "9"})):
        outcome = ask(Command.N_SET, uid, late)
        assert (outcome.status, outcome.error_id) == (0x0110, 0xA710)
        assert outcome.comment == "Performed Procedure Step Object may no longer be updated"  # table F.7.2-2
    assert PerformedProcedureStep.objects.values().get() == before
    refused = MppsRequest.objects.exclude(status="0000").order_by("pk").values_list("status", flat=True)
    assert list(refused) == ["0111", "0112", "0110", "0110", "0110"]


@pytest.mark.parametrize("rule", ESSENTIAL, ids=lambda rule: rule.keyword)
def test_what_is_essential_must_be_there_and_be_right(rule: Any) -> None:
    def send(change: Any) -> Any:
        told = creation(scheduled(study=generate_uid()))
        change(told if not rule.within else told.ScheduledStepAttributesSequence[0])
        return ask(Command.N_CREATE, generate_uid(), told)

    def remove(part: Any) -> None:
        del part[rule.tag]

    missing = send(remove)
    empty = send(lambda part: setattr(part, rule.keyword, None))
    assert (missing.status, empty.status) == (0x0120, 0x0121)
    assert missing.tags == empty.tags == (rule.tag,)
    if rule.keyword != SCHEDULED:
        no_such = "1.2.x" if rule.keyword == "StudyInstanceUID" else "no\\such"
        wrong = send(lambda part: part.update(data_set({rule.keyword: no_such})))
        assert (wrong.status, wrong.tags) == (0x0106, (rule.tag,))
    assert not PerformedProcedureStep.objects.exists()


@pytest.mark.parametrize("keyword", [rule.keyword for rule in RULES if rule.create == "2" and not rule.within])
def test_what_is_not_essential_may_be_missing_and_is_noted(keyword: str) -> None:
    told = creation(scheduled(study=generate_uid()))
    del told[Tag(keyword)]
    uid = generate_uid()
    assert ask(Command.N_CREATE, uid, told).status == 0
    assert PerformedProcedureStep.objects.get(sop_instance_uid=uid).doubts == [f"missing:{keyword}"]


@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED", "SCHEDULED", ""])
def test_a_step_begins_in_progress_and_nothing_else(status: str) -> None:
    outcome = ask(Command.N_CREATE, generate_uid(), creation(PerformedProcedureStepStatus=status))
    assert outcome.status == (0x0106 if status else 0x0121)


def test_an_end_without_series_is_refused_where_something_was_completed() -> None:
    step = factories.step()
    performed = create(item_of(step))
    outcome = ask(Command.N_SET, performed.sop_instance_uid, ending(PerformedSeriesSequence=[]))
    assert (outcome.status, outcome.tags) == (0x0121, (Tag("PerformedSeriesSequence"),))
    assert state_of(step)[0] == "STARTED"
    assert (
        ask(Command.N_SET, performed.sop_instance_uid, data_set({"PerformedProcedureStepStatus": "DONE"})).status
        == 0x0106
    )
    update(performed, ending("DISCONTINUED"))
    assert performed.doubts == ["missing:PerformedSeriesSequence"]


def test_what_an_update_may_not_say_is_read_over() -> None:
    performed = create(item_of(factories.step()), PatientName="Doe^Jane")
    update(performed, data_set({"PatientName": "Roe^Richard", "Modality": "MR", "StudyID": "7"}))
    assert (performed.patient_name, performed.modality) == ("Doe, Jane", "CT")
    assert performed.doubts == ["ignored:PatientName", "ignored:Modality", "ignored:StudyID"]
    assert get(performed).PatientName == "Doe^Jane"


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"command": 0x0130}, 0x0211),
        ({"abstract_syntax": PERFORMED_STEP_RETRIEVE}, 0x0211),
        ({"abstract_syntax": MODALITY_WORKLIST_FIND}, 0x0211),
        ({"sop_class": MODALITY_WORKLIST_FIND}, 0x0122),
        ({"sop_class": PERFORMED_STEP_RETRIEVE}, 0x0119),
        ({"uid": "1.2.x"}, 0x0117),
        ({"uid": "1.2\x00.3"}, 0x0117),
        ({"uid": "1." + "2" * 70}, 0x0117),
        ({"data": b"garbage that is no data set"}, 0x0110),
        ({"data": b"\x40\x00\x70\x02SQ\x00\x00\xff\xff\xff\xff" * 3000}, 0x0110),
    ],
)
def test_what_is_no_request_of_this_service_is_refused(values: dict[str, Any], status: int) -> None:
    said: dict[str, Any] = {"command": Command.N_CREATE, "uid": generate_uid(), "data": creation()} | values
    outcome = ask(said.pop("command"), said.pop("uid"), said.pop("data"), **said)
    assert outcome.status in (status, 0x0120 if status == 0x0110 else status)
    assert not PerformedProcedureStep.objects.exists()


@pytest.mark.parametrize(
    "values",
    [
        {"PerformedProcedureStepEndDate": "20261399"},
        {"ImageAndFluoroscopyAreaDoseProduct": "1e999"},
        {"PerformedSeriesSequence": [data_set({"SeriesInstanceUID": "x" * 90, "ProtocolName": "\x00"})]},
        {"PerformedProcedureStepDescription": "x" * 500},
        {"CommentsOnThePerformedProcedureStep": "\x00\x01 odd"},
        {"PatientName": "A" * 500},
        {"PatientBirthDate": "00010101"},
    ],
)
def test_values_that_cannot_be_are_left_out_and_the_rest_is_kept(values: dict[str, Any]) -> None:
    step = factories.step()
    performed = create(item_of(step), **values)
    assert state_of(step)[0] == "STARTED"
    assert PerformedProcedureStep.objects.get(pk=performed.pk).station_ae_title == "CT1"


def test_a_scanner_that_gives_no_uid_gets_one() -> None:
    outcome = ask(Command.N_CREATE, "", creation())
    assert outcome.status == 0
    assert PerformedProcedureStep.objects.get().sop_instance_uid == outcome.sop_instance_uid


def test_the_database_away_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(verbs, "begin", away)
    assert ask(Command.N_CREATE, generate_uid(), creation()).status == 0x0213
    assert not MppsRequest.objects.exists(), "nothing of it is kept: the scanner sends it again"


def test_a_slot_that_is_booked_in_the_same_moment_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    begin, calls = verbs.begin, iter([SlotTaken(), None])

    def taken_once(**values: Any) -> Any:
        if (error := next(calls)) is not None:
            raise error
        return begin(**values)

    monkeypatch.setattr(verbs, "begin", taken_once)
    create(item_of(factories.step()))


def test_a_step_comes_back_to_a_slot_that_somebody_else_has_got() -> None:
    step = factories.step(start=factories.today_at(10))
    performed = create(item_of(step))
    update(performed, ending("DISCONTINUED", reason=code("110501", "Equipment failure")))
    factories.step(start=factories.today_at(10))
    create(item_of(step))
    assert state_of(step)[0] == "STARTED"


def test_a_fault_of_ours_is_a_processing_failure_without_names(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("Doe^Jane")

    monkeypatch.setattr(verbs, "begin", broken)
    assert ask(Command.N_CREATE, generate_uid(), creation()).status == 0x0110
    assert "Doe" not in "".join(record.getMessage() for record in caplog.records)
    assert MppsRequest.objects.get().status == "0110"


# --- N-GET -------------------------------------------------------------------------------------------------


def test_what_was_told_can_be_read_again() -> None:
    step = factories.step()
    performed = create(item_of(step), PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 100")
    update(performed, ending())
    known = get(performed)
    assert known.PatientName == "Müller^Jürgen"
    assert known.PerformedProcedureStepStatus == "COMPLETED"
    assert known.ScheduledStepAttributesSequence[0].ScheduledProcedureStepID == step.sps_id
    some = get(performed, Tag("PerformedProcedureStepStatus"), Tag("CommentsOnThePerformedProcedureStep"))
    assert [element.keyword for element in some] == [
        "SpecificCharacterSet",
        "PerformedProcedureStepStatus",
        "CommentsOnThePerformedProcedureStep",
    ]
    outcome = ask(
        Command.N_GET,
        performed.sop_instance_uid,
        tags=(Tag("PixelData"),),
        sop_class=PERFORMED_STEP_RETRIEVE,
        abstract_syntax=PERFORMED_STEP_RETRIEVE,
        transfer_syntax=ImplicitVRLittleEndian,
    )
    assert outcome.status == 0x0001
    assert Event.objects.filter(kind=EventKind.RECORD_VIEWED, actor_kind="DICOM").count() == 3


def test_the_service_has_its_presentation_contexts() -> None:
    assert all(PERFORMED_STEP in contexts for contexts in mpps.OPERATIONS.values())
