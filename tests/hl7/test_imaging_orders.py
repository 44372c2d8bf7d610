"""OMG^O19 and OMI^O23: orders of version 2.5.1, with TQ1 for the time and IPC for what DICOM needs."""

from datetime import timedelta

import pytest
from django.utils import timezone

from hl7.models import MessageState
from ris.actions import exams
from ris.models import Attention, Booking, Event, EventKind, Order, RequestedProcedure, ScheduledProcedureStep
from tests import factories
from tests.hl7.stories import Accepted
from tests.messages import msh, obr, orc, pid, pv1, segment
from tests.messages import send as written

TOMORROW = (timezone.now() + timedelta(days=1)).strftime("%Y%m%d")
UID = "1.2.840.99999.7.1"
TQ1 = segment("TQ1", {1: "1", 7: f"{TOMORROW}100000", 9: "S"})
CHEST = "CTCHEST^CT chest^L"


def ipc(number: int = 1, **more: str) -> str:
    """Write IPC: accession ACC7, procedure PROC7, study UID, step STEP7, CT, one protocol, station CT2."""
    fields = {1: "ACC7", 2: "PROC7", 3: UID, 4: f"STEP{number}", 5: "CT", 6: "P1^Routine^L~P2^Late^L", 9: "CT2"}
    return segment("IPC", fields | {int(name[1:]): text for name, text in more.items()})


def omi(control: str = "NW", *ipcs: str, code: str = CHEST) -> bytes:
    return written(msh("OMI^O23"), pid(), pv1(), orc(control), TQ1, obr(code), *ipcs)


def step() -> ScheduledProcedureStep:
    return ScheduledProcedureStep.objects.select_related("station", "requested_procedure").get()


@pytest.mark.parametrize("kind", ["OMG^O19", "OMG^O19^OMG_O19", "OMI^O23"])
def test_an_order_is_placed_at_the_time_of_tq1(accepted: Accepted, kind: str) -> None:
    accepted(written(msh(kind), pid(), pv1(), orc("NW"), TQ1, obr()))
    assert step().start is not None
    assert (step().state, step().requested_procedure.priority) == ("SCHEDULED", "STAT")


def test_ipc_names_study_procedure_step_and_station(accepted: Accepted) -> None:
    row = accepted(omi("NW", ipc()))
    found, procedure = step(), step().requested_procedure
    assert found.station is not None
    assert (found.sps_id, found.modality, found.station.ae_title) == ("STEP1", "CT", "CT2")
    assert (procedure.requested_procedure_id, procedure.study_instance_uid) == ("PROC7", UID)
    assert Order.objects.get().accession_number == "ACC7"
    assert [code["code"] for code in found.protocol_codes] == ["P1", "P2"]
    assert row.state == MessageState.APPLIED_WITH_WARNINGS, "the catalogue does not know the exam"


def test_an_order_is_changed_and_cancelled_as_with_orm(accepted: Accepted) -> None:
    accepted(omi("NW", ipc()))
    accepted(omi("XO", ipc(_9="CT1")))
    station = step().station
    assert station is not None
    assert station.ae_title == "CT1"
    accepted(omi("CA", ipc()))
    assert Order.objects.get().state == "CANCELED"


def test_an_order_without_a_placer_number_is_found_by_the_accession_of_ipc(accepted: Accepted) -> None:
    accepted(omi("NW", ipc()))
    accepted(written(msh("OMI^O23"), pid(), orc("DC", placer=""), obr(placer=""), ipc()))
    assert Order.objects.get().state in ("CANCELED", "DISCONTINUED")


class TestSeveralIPCs:
    """Each is a step of the procedure."""

    MAMMO = (
        ipc(1, _5="CT", _6="P1^Native^L", _9="CT2"),
        "NTE|1||Breath hold",
        ipc(2, _5="MR", _6="P2^With contrast^L~P3^Late^L", _9="MR1"),
    )

    def steps(self) -> list[ScheduledProcedureStep]:
        return list(ScheduledProcedureStep.objects.select_related("station").order_by("pk"))

    def test_make_a_step_each_with_its_station_modality_and_protocols(self, accepted: Accepted) -> None:
        accepted(omi("NW", *self.MAMMO))
        first, second = self.steps()
        assert [(step.sps_id, step.modality, step.description) for step in (first, second)] == [
            ("STEP1", "CT", "Native"),
            ("STEP2", "MR", "With contrast"),
        ]
        assert [str(step.station) for step in (first, second)] == ["CT2", "MR1"]
        assert [code["code"] for code in second.protocol_codes] == ["P2", "P3"]
        assert (first.comments, second.comments) == ("Breath hold", "")
        assert second.start == first.end, "one after the other"
        assert {step.requested_procedure.study_instance_uid for step in self.steps()} == {UID}

    def test_take_minutes_and_protocols_from_the_catalogue_where_it_knows_the_steps(self, accepted: Accepted) -> None:
        exam = factories.exam("CTCHEST", steps=[("Plain", "CT", 10), ("Enhanced", "MR", 25)])
        factories.protocol_code(exam, "OURS", step_number=2)
        accepted(omi("NW", *self.MAMMO))
        first, second = self.steps()
        assert [(step.duration, step.description) for step in (first, second)] == [
            (10, "Native"),
            (25, "With contrast"),
        ]
        assert [[code["code"] for code in step.protocol_codes] for step in (first, second)] == [["P1"], ["OURS"]]

    def test_share_the_minutes_of_an_exam_that_is_one_step_in_the_catalogue(self, accepted: Accepted) -> None:
        factories.exam("CTCHEST", duration=30)
        accepted(omi("NW", ipc(1), ipc(2)))
        assert [step.duration for step in self.steps()] == [15, 15]

    def test_change_the_step_that_they_name(self, accepted: Accepted) -> None:
        accepted(omi("NW", ipc(1), ipc(2)))
        accepted(omi("XO", ipc(2, _9="CT1"), "NTE|1||Now first", ipc(1, _9="CT2")))
        first, second = self.steps()
        assert (str(first.station), str(second.station), second.comments) == ("CT2", "CT1", "Now first")

    def states(self) -> dict[str, str]:
        return {step.sps_id: step.state for step in self.steps()}

    def test_add_a_step_after_the_last_one(self, accepted: Accepted) -> None:
        accepted(omi("NW", ipc(1), ipc(2)))
        accepted(omi("XO", ipc(1), ipc(2), ipc(3)))
        assert list(self.states()) == ["STEP1", "STEP2", "STEP3"]
        assert self.steps()[2].start == self.steps()[1].end

    def test_take_away_the_steps_that_they_do_not_name_any_more(self, accepted: Accepted) -> None:
        accepted(omi("NW", ipc(1), ipc(2), ipc(3)))
        accepted(omi("XO", ipc(1), ipc(3)))
        assert self.states() == {"STEP1": "SCHEDULED", "STEP2": "CANCELED", "STEP3": "SCHEDULED"}
        accepted(omi("XO"))
        assert list(self.states().values()).count("CANCELED") == 1, "without IPC nothing is said about steps"
        row = accepted(omi("XO", ipc(3)))
        assert self.states() == {"STEP1": "CANCELED", "STEP2": "CANCELED", "STEP3": "SCHEDULED"}
        gone = Event.objects.get(cause=row.cause, kind=EventKind.STEP_CANCELED)
        assert (gone.step, gone.reason) == (self.steps()[0], "the sender no longer asks for this step")
        assert not Booking.objects.active().filter(step=self.steps()[0]).exists()

    def test_leave_a_step_that_has_begun_to_a_person(self, accepted: Accepted) -> None:
        accepted(omi("NW", ipc(1), ipc(2), ipc(3)))
        exams.go("start", by=factories.BY, step=self.steps()[1])
        row = accepted(omi("XO", ipc(1)))
        assert self.states() == {"STEP1": "SCHEDULED", "STEP2": "STARTED", "STEP3": "CANCELED"}
        assert Order.objects.get().attentions == [Attention.UNKNOWN_EXAM, Attention.STEP_UNWANTED]
        assert str(Attention.STEP_UNWANTED.label) in row.warnings

    def test_may_be_fewer_than_the_steps_of_the_catalogue_where_it_is_one(self, accepted: Accepted) -> None:
        factories.exam("CTCHEST", steps=[("Plain", "CT", 10), ("Enhanced", "CT", 25)])
        accepted(omi("NW", ipc(1)))
        accepted(omi("XO", ipc(1)))
        assert list(self.states().values()) == ["SCHEDULED", "SCHEDULED"]
        accepted(omi("XO", ipc(1), ipc(2), ipc(3)))
        accepted(omi("XO", ipc(1)))
        assert list(self.states().values()) == ["SCHEDULED", "SCHEDULED", "CANCELED"]

    def test_belong_to_one_study_whatever_they_say(self, accepted: Accepted) -> None:
        row = accepted(omi("NW", ipc(1), ipc(2, _3="1.2.3"), ipc(3, _3="")))
        assert [one.partition(":")[0] for one in row.warnings if "first IPC" in one] == ["IPC[2]-3.1"]
        assert {step.requested_procedure.study_instance_uid for step in self.steps()} == {UID}

    def test_may_name_a_modality_that_is_none(self, accepted: Accepted) -> None:
        row = accepted(omi("NW", ipc(1), ipc(2, _5="a/b", _9="")))
        assert [step.modality for step in self.steps()] == ["CT", "CT"], "as the first one"
        assert "IPC[2]-5: this is not a modality" in row.warnings


@pytest.mark.parametrize(
    "prior",
    [
        [pid(), "ORC", obr(placer="OLD")],
        [pid(), pv1(), "AL1|1", obr(placer="OLD"), "OBX|1|TX|X||normal"],
        ["ORC|PR|OLD", obr(placer="OLD"), "NTE|1||normal"],
    ],
)
def test_earlier_results_beside_an_order_are_not_ordered_again(accepted: Accepted, prior: list[str]) -> None:
    row = accepted(written(msh("OMG^O19"), pid(), orc(), obr(), *prior, orc(placer="P2"), obr("MRHEAD", "P2")))
    assert sorted(Order.objects.values_list("placer_order_number", flat=True)) == ["P1", "P2"]
    assert [(one.code, one.comments) for one in RequestedProcedure.objects.order_by("pk")] == [
        ("CTABD", ""),
        ("MRHEAD", ""),
    ]
    assert row.warnings[-1] == "1 OBR of earlier results, or before any ORC, were not read as orders"


def test_a_station_that_nobody_knows_is_told_with_its_place(accepted: Accepted) -> None:
    row = accepted(omi("NW", ipc(_9="NOWHERE"), code="CTABD^CT abdomen^L"))
    assert step().station is not None
    assert "IPC-9: no station in use has this name, so it does not count" in row.warnings
