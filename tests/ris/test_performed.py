"""Link, unlink and set aside what scanners did; the screen that suggests the order."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pydicom.uid import generate_uid

from ris.actions import exams, patients
from ris.actions import performed as verbs
from ris.actor import Actor, ActorKind
from ris.errors import ForbiddenMove
from ris.models import (
    Attention,
    Event,
    EventKind,
    Order,
    PerformedLink,
    PerformedProcedureStep,
    ScheduledProcedureStep,
)
from ris.roles import Role
from ris.views.suggesting import likely
from tests import factories
from tests.factories import BY
from tests.refusals import refused
from tests.ris.desk import Desk, text_of, token_in

pytestmark = pytest.mark.django_db

SCANNER = Actor(ActorKind.DICOM, "CT1", address="10.0.0.7")


def begun(*, said: dict[str, Any] | None = None, **values: Any) -> PerformedProcedureStep:
    """A step that a scanner began without the worklist."""
    usual: dict[str, Any] = {
        "sop_instance_uid": generate_uid(),
        "station_ae_title": "CT1",
        "pps_id": "PPS1",
        "modality": "CT",
        "study_instance_uid": generate_uid(),
        "start": factories.today_at(10, 5),
        "items": [],
        "said": {"name": "Doe^Jane", "id": "4711", "birth_date": "1962-04-17", "sex": "F"} if said is None else said,
    }
    return verbs.begin(by=SCANNER, **(usual | values))


def ended(performed: PerformedProcedureStep, state: str = "COMPLETED") -> PerformedProcedureStep:
    return verbs.update(by=SCANNER, performed=verbs.lock(performed.sop_instance_uid), state=state)


@pytest.fixture
def technologist() -> Desk:
    return Desk(Role.TECHNOLOGIST)


@pytest.fixture
def step() -> ScheduledProcedureStep:
    return factories.step(patient=factories.patient("Doe^Jane", "4711"))


def order_of(step: ScheduledProcedureStep) -> Order:
    return Order.objects.get(procedures__steps=step)


def uid_of(step: ScheduledProcedureStep) -> str:
    return (
        ScheduledProcedureStep.objects.select_related("requested_procedure")
        .get(pk=step.pk)
        .requested_procedure.study_instance_uid
    )


def test_a_link_gives_the_order_the_study_of_the_images_and_unlinking_takes_it_back(
    step: ScheduledProcedureStep,
) -> None:
    before, performed = uid_of(step), ended(begun())
    verbs.link(by=BY, performed=performed, step=step)
    verbs.link(by=BY, performed=performed, step=step)
    step.refresh_from_db()
    assert step.state == "COMPLETED"
    assert uid_of(step) == performed.study_instance_uid
    assert PerformedLink.objects.count() == 1
    late = begun(
        items=[{"study_instance_uid": before, "accession_number": "", "requested_procedure_id": "", "sps_id": ""}]
    )
    assert late.links.get().step == step, "the UID that the scanner was shown is still known"
    verbs.unlink(by=BY, performed=late, step=step, reason="no")
    verbs.unlink(by=BY, performed=performed, step=step, reason="another patient")
    verbs.unlink(by=BY, performed=performed, step=step, reason="again")
    step.refresh_from_db()
    assert step.state == "SCHEDULED"
    assert uid_of(step) == before
    told = Event.objects.filter(kind=EventKind.ORDER_CHANGED, subject__startswith="ris.requestedprocedure")
    assert told.count() == 2


def test_a_procedure_keeps_its_study_where_images_lie_in_it_or_the_other_is_taken(step: ScheduledProcedureStep) -> None:
    before = uid_of(step)
    own = begun(study_instance_uid=before)
    verbs.link(by=BY, performed=own, step=step)
    verbs.link(by=BY, performed=begun(), step=step)
    assert uid_of(step) == before
    assert Order.objects.get(procedures__steps=step).attentions == [Attention.OTHER_STUDY]
    other = factories.step()
    verbs.link(by=BY, performed=begun(study_instance_uid=before, said={}), step=other)
    assert uid_of(other) != before


@pytest.mark.parametrize(
    "before", ["REQUESTED", "SCHEDULED", "ARRIVED", "READY", "STARTED", "DEPARTED", "DISCONTINUED", "NO_SHOW"]
)
def test_a_link_that_was_wrong_leaves_no_trace_in_the_state_and_can_be_made_again(before: str) -> None:
    jane = factories.patient("Doe^Jane", "4711")
    step = factories.step(before, patient=jane)
    place = (step.station, step.start)
    performed = ended(begun())
    for _again in range(2):
        assert step in [one.step for one in likely(performed)]
        verbs.link(by=BY, performed=performed, step=step)
        step.refresh_from_db()
        assert step.state == "COMPLETED"
        verbs.unlink(by=BY, performed=performed, step=step, reason="wrong")
        step.refresh_from_db()
        assert step.state == before
        if before != "REQUESTED":
            assert (step.station, step.start) == place
        assert order_of(step).attentions == []
    if before == "REQUESTED":
        assert step.station is None


def test_a_state_that_somebody_has_changed_since_stays_and_is_marked(step: ScheduledProcedureStep) -> None:
    performed = begun()
    verbs.link(by=BY, performed=performed, step=step)
    exams.go("complete", by=BY, step=step)
    verbs.unlink(by=BY, performed=performed, step=step, reason="wrong")
    step.refresh_from_db()
    assert (step.state, order_of(step).attentions) == ("COMPLETED", [Attention.REPORT_TAKEN_OFF])


def test_of_two_reports_each_can_be_taken_off(step: ScheduledProcedureStep) -> None:
    wrong, right = ended(begun()), begun()
    for performed in (wrong, right):
        verbs.link(by=BY, performed=performed, step=step)
    verbs.unlink(by=BY, performed=wrong, step=step, reason="wrong")
    step.refresh_from_db()
    assert step.state == "COMPLETED"
    assert Attention.REPORT_TAKEN_OFF in order_of(step).attentions, "the one that is left says that it is in progress"
    ended(right)
    verbs.unlink(by=BY, performed=right, step=step, reason="wrong too")
    step.refresh_from_db()
    assert step.state == "SCHEDULED", "as it was before the first"


def test_unlinking_leaves_what_a_person_has_done(step: ScheduledProcedureStep) -> None:
    done = factories.step("COMPLETED")
    performed = begun(said={})
    verbs.link(by=BY, performed=performed, step=done)
    verbs.unlink(by=BY, performed=performed, step=done, reason="wrong")
    done.refresh_from_db()
    assert done.state == "COMPLETED"


def test_a_cancelled_step_is_not_linked_by_hand_and_a_linked_one_not_set_aside(step: ScheduledProcedureStep) -> None:
    performed = begun()
    with refused(ForbiddenMove):
        verbs.link(by=BY, performed=performed, step=factories.step("CANCELED"))
    verbs.link(by=BY, performed=performed, step=step)
    with refused(ForbiddenMove):
        verbs.set_aside(by=BY, performed=performed, reason="phantom")
    with refused(ForbiddenMove):
        verbs.order_afterwards(
            by=BY, performed=performed, patient=step.requested_procedure.order.patient, request=factories.request()
        )


# --- looked up ---------------------------------------------------------------------------------------------


def test_an_exam_that_nobody_would_guess_is_linked_by_its_number(
    technologist: Desk, step: ScheduledProcedureStep
) -> None:
    performed = begun(said={"name": "Nobody^New", "id": "99999", "birth_date": "1990-01-01"}, modality="MR")
    order = step.requested_procedure.order

    def look_up(number: str, desk: Desk = technologist) -> str:
        return text_of(desk.get(f"{page_of(performed)}?number={number}"))

    page = text_of(technologist.get(page_of(performed)))
    assert "No order looks like it." in page
    assert "somebody who may place orders has to" in page
    assert "Register a patient" not in page
    assert "No exam has this accession number or step ID." in look_up("doe")
    assert "The exam was cancelled" in look_up(factories.step("CANCELED").sps_id)
    for number in (order.accession_number, step.sps_id.lower()):
        page = look_up(number)
        assert "The modality is another" in page or "the modality is another" in page
        assert "the birth date is another" in page
        assert "This one" in page
    told = Event.objects.filter(user=technologist.user, kind=EventKind.PATIENTS_LISTED).latest("pk")
    assert (told.data["patients"], told.data["search"]) == ([order.patient_id], step.sps_id.lower())
    assert "It belongs to this order now." in press(technologist, performed, act="link", step=step.pk)
    clerk = Desk(Role.FRONT_DESK)
    assert "Look it up" not in look_up(step.sps_id, clerk)
    verbs.unlink(by=BY, performed=performed, step=step, reason="no")
    assert "Register a patient" in look_up(step.sps_id, clerk)
    page = look_up("doe", Desk(Role.INFORMATICS))
    assert f"Place the order for {order.patient}" in page
    assert "No exam has" not in page


# --- groups ------------------------------------------------------------------------------------------------


def item(sps_id: str = "", accession: str = "", study: str = "1.2.3.4") -> dict[str, str]:
    return {
        "sps_id": sps_id,
        "accession_number": accession,
        "requested_procedure_id": "",
        "study_instance_uid": study,
    }


def test_what_is_not_known_of_a_group_waits_while_the_rest_is_linked(
    technologist: Desk, step: ScheduledProcedureStep
) -> None:
    performed = begun(items=[item(step.sps_id), item("NOPE", "NOPE"), item("NOPE", "NOPE")])
    assert performed.doubts == ["unmatched:NOPE"]
    assert list(PerformedProcedureStep.objects.waiting()) == [performed]
    assert "waits" in text_of(technologist.get("/ris/performedprocedurestep/?order=waiting"))
    page = text_of(technologist.get(page_of(performed)))
    assert "The scanner names 2 exams, of which 1 is linked." in page
    assert "“NOPE” belongs to no exam" in page
    second = factories.step(patient=step.requested_procedure.order.patient, start=factories.today_at(11))
    assert [one.step for one in likely(performed)] == [second], "not the one that is linked already"
    assert "It is set aside" in press(technologist, performed, act="set aside", reason="typed by mistake")
    assert not PerformedProcedureStep.objects.waiting().exists()
    press(technologist, performed, act="take back")
    press(technologist, performed, act="link", step=second.pk)
    assert not PerformedProcedureStep.objects.waiting().exists()
    assert "Which order was this?" not in text_of(technologist.get(page_of(performed)))
    assert set(performed.links.values_list("step", flat=True)) == {step.pk, second.pk}
    press(technologist, performed, act="unlink", step=second.pk, reason="no")
    assert list(PerformedProcedureStep.objects.waiting()) == [performed]


def test_page_and_list_say_that_an_order_is_of_another_patient(
    technologist: Desk, step: ScheduledProcedureStep
) -> None:
    other = factories.step(patient=factories.patient("Roe^Ann", "5"), start=factories.today_at(11))
    performed = begun(items=[item(step.sps_id), item(other.sps_id)])
    page = text_of(technologist.get(page_of(performed)))
    number, others = (one.requested_procedure.order.accession_number for one in (step, other))
    assert f"The scanner names another patient than order {others}." in page
    assert f"{others} another patient" in page
    assert f"than order {number}" not in page
    assert "another patient" in text_of(technologist.get("/ris/performedprocedurestep/"))
    verbs.unlink(by=BY, performed=performed, step=other, reason="wrong")
    assert "another patient" not in text_of(technologist.get(page_of(performed)))
    assert "another patient" not in text_of(technologist.get("/ris/performedprocedurestep/"))


@pytest.mark.parametrize(
    ("items", "meant", "doubts"),
    [
        ([], 1, []),
        ([item()], 1, []),
        ([item("NOPE")], 1, []),
        ([item(), item()], 1, []),
        ([item("ONE"), item("TWO")], 2, ["unmatched:ONE", "unmatched:TWO"]),
        ([item("ONE"), item(study="1.2.3.5")], 2, ["unmatched:ONE", "unmatched:1.2.3.5"]),
    ],
)
def test_only_of_several_one_can_be_overlooked(items: list[dict[str, str]], meant: int, doubts: list[str]) -> None:
    performed = begun(items=items)
    assert (performed.steps_meant, performed.doubts) == (meant, doubts)


# --- suggestions -------------------------------------------------------------------------------------------


def words(performed: PerformedProcedureStep) -> list[tuple[ScheduledProcedureStep, list[str], list[str]]]:
    return [(one.step, [str(w) for w in one.reasons], [str(w) for w in one.doubts]) for one in likely(performed)]


def test_the_likely_order_comes_first_with_its_reasons(step: ScheduledProcedureStep) -> None:
    factories.step(patient=factories.patient("Roe^Ann", "5", birth_date=None), start=factories.today_at(10))
    later = factories.step(patient=step.requested_procedure.order.patient, start=factories.today_at(9, days=3))
    first, second = words(begun())
    assert first == (
        step,
        [
            "the patient's number is the same",
            "the patient's name is the same",
            "the birth date is the same",
            "it was planned for this station",
            "it was planned for about this time",
            "the modality is the same",
        ],
        [],
    )
    assert second[0] == later


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"id": "9999", "name": "Roe^Ann", "birth_date": "1990-01-01"}, False),
        ({"id": "", "name": "", "birth_date": ""}, False),
        ({"id": "", "name": "DOE^JANE", "birth_date": "1962-04-17"}, True),
        ({"id": "9999", "name": "Doe^Jane", "birth_date": "1962-04-17"}, True),
    ],
)
def test_station_and_time_alone_suggest_nobody(step: ScheduledProcedureStep, said: dict[str, str], found: bool) -> None:
    assert bool(likely(begun(said=said))) is found


def test_a_number_that_was_merged_away_suggests_the_survivor(step: ScheduledProcedureStep) -> None:
    survivor = factories.patient("Doe^Jane", "1")
    patients.merge(by=BY, survivor=survivor, loser=step.requested_procedure.order.patient)
    ((found, reasons, doubts), *_) = words(begun())
    assert (found, doubts) == (step, [])
    assert "the patient's number is the same" in reasons


# --- the desk ----------------------------------------------------------------------------------------------


def page_of(performed: PerformedProcedureStep) -> str:
    return f"/ris/performedprocedurestep/{performed.pk}/change/"


def press(desk: Desk, performed: PerformedProcedureStep, **values: Any) -> str:
    return text_of(desk.post(f"/ris/performedprocedurestep/{performed.pk}/act/", **values))


def test_an_unscheduled_exam_is_linked_with_one_click_and_taken_off_again(
    technologist: Desk, step: ScheduledProcedureStep
) -> None:
    performed = begun(
        series=[{"uid": "1.2", "protocol": "ABD", "description": "Thin", "images": 7, "operators": "T^T"}]
    )
    assert "Done without an order Doe, Jane" in text_of(technologist.get("/"))
    waiting = text_of(technologist.get("/ris/performedprocedurestep/?order=waiting"))
    assert "Doe, Jane" in waiting
    page = text_of(technologist.get(page_of(performed)))
    assert "The patient's number is the same" in page
    page = press(technologist, performed, act="link", step=step.pk)
    assert "It belongs to this order now." in page
    order = text_of(technologist.get(f"/ris/order/{step.requested_procedure.order_id}/change/"))
    assert "What was performed" in order
    assert "Thin ABD 7" in order
    assert "It does not belong to that order any more." in press(
        technologist, performed, act="unlink", step=step.pk, reason="no"
    )
    assert "Please say why." in press(technologist, performed, act="set aside")
    assert "It is set aside" in press(technologist, performed, act="set aside", reason="phantom")
    assert "Done without an order Every report" in text_of(technologist.get("/"))
    assert "It waits for an order again." in press(technologist, performed, act="take back")
    seen = Event.objects.filter(user=technologist.user, subject=f"ris.performedprocedurestep:{performed.pk}")
    assert EventKind.PATIENTS_LISTED in set(seen.values_list("kind", flat=True))


def test_the_order_of_an_exam_that_is_done_gets_its_study(step: ScheduledProcedureStep) -> None:
    informatics = Desk(Role.INFORMATICS)
    performed = ended(begun())
    jane = step.requested_procedure.order.patient
    assert "Place the order for Doe, Jane" in text_of(informatics.get(page_of(performed)))
    address = f"/ris/patient/{jane.pk}/order/?performed={performed.pk}"
    form = informatics.get(address)
    page = text_of(informatics.post(address, token=token_in(form), exam=factories.exam().pk, priority="ROUTINE"))
    order = Order.objects.latest("pk")
    assert f"Order {order.accession_number} is placed." in page
    assert order.state == "COMPLETED"
    assert order.procedures.get().study_instance_uid == performed.study_instance_uid
    done = ScheduledProcedureStep.objects.get(requested_procedure__order=order)
    assert (done.station, done.start) == (performed.station, performed.start)
    assert order.attentions == []


@pytest.mark.parametrize("role", [Role.FRONT_DESK, Role.RADIOLOGIST, Role.SCHEDULER])
def test_who_may_not_link_sees_and_cannot_press(role: Role, step: ScheduledProcedureStep) -> None:
    performed, desk = begun(), Desk(role)
    page = desk.get(page_of(performed))
    assert "This one" not in page
    desk.post_in_vain(403, f"/ris/performedprocedurestep/{performed.pk}/act/", act="link", step=step.pk)
    assert not PerformedLink.objects.exists()


def test_the_list_finds_by_order_patient_and_scanner(technologist: Desk, step: ScheduledProcedureStep) -> None:
    performed = begun()
    verbs.link(by=BY, performed=performed, step=step)
    begun(said={"name": "Roe^Ann", "id": "5"}, station_ae_title="CT9", start=timezone.now() - timedelta(days=1))
    accession = step.requested_procedure.order.accession_number
    for typed in (accession, "doe", "CT1", performed.study_instance_uid):
        page = text_of(technologist.get(f"/ris/performedprocedurestep/?q={typed}"))
        assert "Doe, Jane" in page, typed
        assert "Roe, Ann" not in page, typed
    assert "Roe, Ann" in text_of(technologist.get("/ris/performedprocedurestep/?q=5"))


def test_odd_presses_are_no_errors(technologist: Desk, step: ScheduledProcedureStep) -> None:
    performed = begun(doubts=["missing:StudyID", "ignored:Modality", "unreadable:(0040,0251)", "contradiction"])
    assert "StudyID is missing." in text_of(technologist.get(page_of(performed)))
    address = f"/ris/performedprocedurestep/{performed.pk}/act/"
    technologist.post_in_vain(404, address, act="explode")
    technologist.post_in_vain(404, address, act="link", step="x")
    technologist.post_in_vain(404, address, act="link", step="99999999")
    technologist.get("/ris/performedprocedurestep/999999/change/", status=404)
