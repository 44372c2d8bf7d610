"""SIU: another system schedules on our schedule, by our rules."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from hl7.models import InboundMessage, MessageState
from ris.actions import exams
from ris.models import Attention, Closure, Event, EventKind, Order, Patient, ScheduledProcedureStep, Station
from tests import factories
from tests.hl7.stories import Accepted, Refused, Send
from tests.messages import msh, obr, orc, orm, pid, pv1, segment
from tests.messages import send as written

BERLIN = ZoneInfo("Europe/Berlin")
TOMORROW: date = timezone.localdate(timezone=BERLIN) + timedelta(days=1)


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(TOMORROW.year, TOMORROW.month, TOMORROW.day, hour, minute, tzinfo=BERLIN)


def text(hour: int, minute: int = 0) -> str:
    return f"{TOMORROW:%Y%m%d}{hour:02d}{minute:02d}"


def sch(appointment: str = "A1", order: str = "", accession: str = "", **more: str) -> str:
    """Write SCH; further fields as _6="Reason"."""
    fields = {1: appointment, 26: order, 27: accession} | {int(name[1:]): value for name, value in more.items()}
    return segment("SCH", fields)


def ais(
    start: str = "", code: str = "CTABD^CT abdomen^L", minutes: str = "", number: int = 1, action: str = "A"
) -> str:
    return segment("AIS", {1: str(number), 2: action, 3: code, 4: start, 7: minutes})


def siu(event: str, *segments: str, patient: str = "") -> bytes:
    return written(msh(f"SIU^{event}"), segments[0], patient or pid(), pv1(), "RGS|1", *segments[1:])


def closing(event: str, name: str, start: str, minutes: str = "60", kind: str = "AIG") -> bytes:
    """Write S23 or S24: no patient, a resource and a time."""
    fields = {"AIG": {1: "1", 3: name, 8: start, 11: minutes}, "AIL": {1: "1", 3: name, 6: start, 9: minutes}}
    fields["AIP"] = {1: "1", 3: name, 6: start, 9: minutes}
    return written(msh(f"SIU^{event}"), sch("B1", _6="^Service"), "RGS|1", segment(kind, fields[kind]))


def step() -> ScheduledProcedureStep:
    return ScheduledProcedureStep.objects.select_related("station").get()


class TestAnOrderThatWaits:
    """The HIS has ordered, the scheduling system books."""

    @pytest.fixture(autouse=True)
    def ordered(self, accepted: Accepted) -> None:
        accepted(orm("NW"))

    @pytest.mark.parametrize("event", ["S12", "S13", "S14", "S18", "S19"])
    @pytest.mark.parametrize("number", ["placer", "accession"])
    def test_gets_its_time(self, accepted: Accepted, event: str, number: str) -> None:
        named = sch(order="P1") if number == "placer" else sch(accession=Order.objects.get().accession_number)
        row = accepted(siu(event, named, ais(text(9), minutes="40")))
        assert (step().state, step().start, step().duration, row.state) == ("SCHEDULED", at(9), 40, "applied")
        assert (step().appointment_number, step().appointment_issuer) == ("A1", "HIS")

    @pytest.mark.parametrize(
        "where",
        [
            segment("AIG", {1: "1", 3: "CT2"}),
            segment("AIG", {1: "1", 3: "7^CT2"}),
            segment("AIL", {1: "1", 3: "CT2"}),
            segment("AIL", {1: "1", 3: "RAD^CT2"}),
        ],
    )
    def test_goes_where_the_appointment_is(self, accepted: Accepted, where: str) -> None:
        accepted(siu("S12", sch(order="P1"), ais(text(9)), where))
        assert step().station == factories.station("CT2")

    def test_goes_where_it_can_when_nobody_knows_the_place(self, accepted: Accepted) -> None:
        row = accepted(siu("S12", sch(order="P1"), ais(text(9)), "AIG|1||Moon"))
        assert step().station == factories.station("CT1")
        assert row.warnings == ["AIG-3, AIL-3: no station in use has this name, so it does not count"]

    @pytest.mark.parametrize(
        ("name", "segments"),
        [
            ("AIS-4", [sch(order="P1"), ais(text(9))]),
            ("AIL-6", [sch(order="P1"), ais(), segment("AIL", {1: "1", 3: "CT1", 6: text(9)})]),
            ("SCH-11", [sch(order="P1", _11=f"^^30^{text(9)}"), ais()]),
            ("SCH-11 without RGS", [sch(order="P1", _11=f"^^30^{text(9)}")]),
        ],
    )
    def test_takes_its_time_from_where_it_stands(self, accepted: Accepted, name: str, segments: list[str]) -> None:
        accepted(siu("S12", *segments))
        assert step().start == at(9)

    def test_of_several_steps_is_booked_one_after_the_other(self, accepted: Accepted) -> None:
        factories.exam("CTTWO", steps=[("Native", "CT", 10), ("Contrast", "CT", 20)])
        accepted(orm("NW", placer="P2", code="CTTWO^Two^L"))
        accepted(siu("S12", sch(order="P2"), ais(text(9), "CTTWO^Two^L")))
        steps = ScheduledProcedureStep.objects.exclude(start=None).order_by("start")
        assert [one.start for one in steps] == [at(9), at(9, 10)]

    def test_of_several_exams_gets_the_time_of_each_service(self, accepted: Accepted) -> None:
        accepted(written(msh("ORM^O01"), pid(), orc("NW", "P2"), obr(placer="P2"), obr("MRHEAD", "P2", number=2)))
        services = [ais(text(11), "MRHEAD^MR^L"), ais(text(9), number=2)]
        accepted(siu("S12", sch(order="P2"), *services))
        steps = ScheduledProcedureStep.objects.exclude(start=None).order_by("modality")
        assert [(one.modality, one.start) for one in steps] == [("CT", at(9)), ("MR", at(11))]

    def test_is_refused_by_a_number_that_nobody_knows(self, refused: Refused) -> None:
        assert refused(siu("S12", sch(order="P9"), ais(text(9)))) == ("AE", "204", "SCH^1^26^1")

    def test_is_refused_for_another_patient(self, refused: Refused) -> None:
        answer = refused(siu("S12", sch(order="P1"), ais(text(9)), patient=pid("4712", "Poe^Jim")))
        assert answer == ("AE", "205", "SCH^1^26^1")
        assert step().state == "REQUESTED"


class TestABookedAppointment:
    @pytest.fixture(autouse=True)
    def booked(self, accepted: Accepted) -> None:
        accepted(orm("NW"))
        accepted(siu("S12", sch(order="P1"), ais(text(9))))

    OUTCOMES = {
        "S13": "SCHEDULED",
        "S14": "SCHEDULED",
        "S15": "REQUESTED",
        "S16": "REQUESTED",
        "S17": "REQUESTED",
        "S18": "SCHEDULED",
        "S19": "SCHEDULED",
        "S20": "REQUESTED",
        "S21": "REQUESTED",
        "S22": "REQUESTED",
        "S26": "NO_SHOW",
    }

    @pytest.mark.parametrize("event", OUTCOMES)
    def test_is_found_by_its_own_number_and_follows_the_event(self, accepted: Accepted, event: str) -> None:
        row = accepted(siu(event, sch(_6="^Patient called"), ais(text(10))))
        found = step()
        assert (found.state, row.warnings) == (self.OUTCOMES[event], [])
        assert found.start == {"SCHEDULED": at(10), "NO_SHOW": at(9), "REQUESTED": None}[found.state]
        assert Order.objects.get().state != "CANCELED", "the order stays"
        assert Event.objects.filter(step=found).latest("pk").reason in ("", "Patient called")

    def test_is_booked_again_after_a_cancel_and_after_a_no_show(self, accepted: Accepted) -> None:
        for event in ("S15", "S13", "S26", "S13"):
            accepted(siu(event, sch(), ais(text(10))))
        assert (step().state, step().start) == ("SCHEDULED", at(10))

    @pytest.mark.parametrize("event", ["S15", "S17", "S20", "S26"])
    def test_stays_as_it_is_once_the_exam_has_begun(self, refused: Refused, event: str) -> None:
        exams.go("start", by=factories.BY, step=step())
        assert refused(siu(event, sch(), ais()))[:2] == ("AE", "206")
        assert step().state == "STARTED"

    def test_that_lost_an_exam_is_missed_for_the_others(self, accepted: Accepted) -> None:
        accepted(siu("S18", sch(), ais(text(11), "MRHEAD^MR head^L", number=2)))
        accepted(siu("S20", sch(), ais(code="MRHEAD^MR head^L", action="D")))
        accepted(siu("S26", sch()))
        assert [one.state for one in ScheduledProcedureStep.objects.order_by("modality")] == ["NO_SHOW", "REQUESTED"]

    @pytest.mark.parametrize("event", ["S16", "S21"])
    def test_is_stopped_when_it_is_discontinued_during_the_exam(self, accepted: Accepted, event: str) -> None:
        exams.go("start", by=factories.BY, step=step())
        accepted(siu(event, sch(), ais()))
        assert step().state == "DISCONTINUED"

    @pytest.mark.parametrize("end", [siu("S15", sch(), ais()), orm("CA"), orm("DC"), orm("XO", start=text(12))])
    def test_leaves_no_mark_behind_on_what_was_booked_on_top_of_it(self, accepted: Accepted, end: bytes) -> None:
        Station.objects.filter(ae_title="CT2").update(active=False)
        on_top = factories.order(start=at(9))
        assert on_top.attentions == [Attention.DOUBLE_BOOKED]
        accepted(end)
        assert not Order.objects.in_need_of_attention().exists()

    def test_loses_a_station_that_is_taken_out_by_its_name(self, accepted: Accepted, refused: Refused) -> None:
        assert refused(siu("S20", sch(), "AIG|1||CT2"))[:2] == ("AE", "204")
        accepted(siu("S20", sch(), "AIG|1||CT1"))
        assert step().state == "REQUESTED"

    def test_of_an_unknown_number_is_refused(self, refused: Refused) -> None:
        assert refused(siu("S15", sch("A9"), ais())) == ("AE", "204", "SCH^1^1^1")


class TestAnAppointmentThatChanges:
    """S14 and S19 say anything new about it, S18 adds to it."""

    @pytest.fixture(autouse=True)
    def booked(self, accepted: Accepted) -> None:
        accepted(orm("NW"))
        accepted(siu("S12", sch(order="P1"), ais(text(9), minutes="30"), "AIG|1||CT2"))

    def test_has_another_duration_and_nothing_else(self, accepted: Accepted) -> None:
        accepted(siu("S14", sch(), ais(minutes="45")))
        assert (step().start, step().duration, str(step().station)) == (at(9), 45, "CT2")

    def test_is_done_by_somebody_with_notes_for_a_reason(self, accepted: Accepted) -> None:
        people = "AIP|1||8^Roe^Tess|T^Technician", "AIP|2|D|9^Gone^Dr|D", "AIP|3||77^Curie^Marie|D^Doctor"
        noted = sch(_6="^Called", _7="^Pain in the back"), "NTE|1||Comes with her son"
        row = accepted(
            written(msh("SIU^S14"), *noted, pid(), pv1(), "RGS|1", ais(text(9)), "NTE|1||Sober", *people),
        )
        assert row.warnings == []
        assert (step().performing_physician, step().comments) == ("Curie^Marie", "Comes with her son\nSober")
        assert step().technologist == "Roe^Tess"
        change = Event.objects.filter(kind=EventKind.STEP_CHANGED, step=step()).latest("pk").data["changes"]
        assert change["technologist"] == ["", "Roe^Tess"]
        assert step().requested_procedure.reason == "Pain in the back"

    def test_leaves_the_reason_of_whoever_ordered(self, accepted: Accepted) -> None:
        accepted(
            orm("NW", placer="P2").replace(b"|CTABD^CT abdomen^L|", b"|CTABD^CT abdomen^L|" + b"|" * 26 + b"^Cough")
        )
        assert Order.objects.get(placer_order_number="P2").procedures.get().reason == "Cough"
        accepted(siu("S14", sch("A2", order="P2", _7="^Follow-up"), ais(text(11))))
        assert Order.objects.get(placer_order_number="P2").procedures.get().reason == "Cough"

    def test_goes_from_one_room_to_another(self, accepted: Accepted) -> None:
        accepted(siu("S14", sch(), ais(text(9)), "AIL|1|D|CT2", "AIL|2|A|CT1"))
        assert (str(step().station), step().start) == ("CT1", at(9))

    def test_is_for_another_exam_at_its_time(self, accepted: Accepted) -> None:
        accepted(siu("S14", sch(), ais(text(10), "MRHEAD^MR head^L", action="U")))
        old, new = ScheduledProcedureStep.objects.order_by("pk")
        assert (old.state, new.state, new.modality, new.start) == ("CANCELED", "SCHEDULED", "MR", at(10))
        assert (new.appointment_number, new.requested_procedure.code) == ("A1", "MRHEAD")
        accepted(siu("S15", sch(), ais()))
        new.refresh_from_db()
        assert new.state == "REQUESTED"

    def test_keeps_its_exam_where_nobody_knows_the_other_one(self, accepted: Accepted) -> None:
        row = accepted(siu("S14", sch(), ais(text(10), "SLOT7^Slot^L", action="U")))
        assert row.warnings == ["AIS-3: it is not known which exam takes the place of which, so the exams stay"]
        assert (step().modality, step().start) == ("CT", at(10))

    @pytest.mark.parametrize("event", ["S14", "S18"])
    def test_gets_one_more_exam_and_loses_it_again(self, accepted: Accepted, event: str) -> None:
        row = accepted(siu(event, sch(), ais(text(9), number=1), ais(text(11), "MRHEAD^MR head^L", number=2)))
        ct, mr = ScheduledProcedureStep.objects.order_by("modality")
        assert ([ct.start, mr.start], {ct.appointment_number, mr.appointment_number}) == ([at(9), at(11)], {"A1"})
        assert (ct.state, row.warnings) == ("SCHEDULED", [])
        accepted(siu("S14", sch(), ais(code="MRHEAD^MR head^L", action="D")))
        assert [one.state for one in ScheduledProcedureStep.objects.order_by("modality")] == ["SCHEDULED", "REQUESTED"]

    @pytest.mark.parametrize("event", ["S20", "S21", "S22"])
    def test_of_several_exams_loses_none_that_is_not_named(
        self, accepted: Accepted, refused: Refused, event: str
    ) -> None:
        accepted(siu("S14", sch(), ais(text(9)), ais(text(11), "MRHEAD^MR head^L", number=2)))
        assert refused(siu(event, sch(), ais(code="SLOT7^Slot^L", action="D")))[:2] == ("AE", "204")
        assert {one.state for one in ScheduledProcedureStep.objects.all()} == {"SCHEDULED"}
        accepted(siu(event, sch(), ais(code="MRHEAD^MR head^L", action="D")))
        assert [one.state for one in ScheduledProcedureStep.objects.order_by("modality")] == ["SCHEDULED", "REQUESTED"]

    @pytest.mark.parametrize("event", ["S12", "S13", "S14"])
    def test_of_more_services_than_exams_is_said_to_be_short(self, accepted: Accepted, event: str) -> None:
        row = accepted(siu(event, sch(), ais(text(10)), ais(text(11), "SLOT7^Slot^L", number=2, action="U")))
        assert row.warnings == ["AIS[2]-3: the order has no exam for this service, so it was not booked"]
        assert step().start == at(10)

    def test_keeps_its_exams_where_it_loses_one_that_it_does_not_have(self, accepted: Accepted) -> None:
        absent = ais(code="MRHEAD^MR head^L", number=2, action="D")
        for services in ([absent], [ais(text(10), action="U"), absent], [absent, ais(text(11), action="U")]):
            row = accepted(siu("S14", sch(), *services))
            assert [text.partition(": ")[2] for text in row.warnings] == [
                "the appointment has no such exam, so none was taken away"
            ]
            assert step().state == "SCHEDULED"
        assert step().start == at(11)

    def test_loses_the_exam_that_is_named_wherever_it_stands(self, accepted: Accepted) -> None:
        accepted(siu("S14", sch(), ais(text(9)), ais(text(11), "MRHEAD^MR head^L", number=2)))
        other = ais(text(13), "SLOT7^Slot^L", action="U")
        accepted(siu("S14", sch(), other, ais(number=2, action="D")))
        ct, mr = ScheduledProcedureStep.objects.order_by("modality")
        assert ((ct.state, mr.state), mr.start) == (("REQUESTED", "SCHEDULED"), at(13))

    def test_gets_no_exam_that_nobody_knows(self, accepted: Accepted) -> None:
        row = accepted(siu("S18", sch(), ais(text(11), "SLOT7^Slot^L")))
        assert row.warnings == ["AIS-3: this exam is not in the catalogue, so it was not added"]
        assert step().start == at(9)

    def test_is_refused_where_the_time_of_the_other_exam_is_taken(self, accepted: Accepted, refused: Refused) -> None:
        jim = pid("4712", "Poe^Jim")
        accepted(written(msh("ORM^O01"), jim, orc("NW", "P5", start=text(10)), obr("MRHEAD^MR^L", "P5")))
        assert refused(siu("S14", sch(), ais(text(10), "MRHEAD^MR head^L", action="U"))) == ("AE", "206", "AIS^1^4^1")
        assert ScheduledProcedureStep.objects.get(requested_procedure__order__placer_order_number="P1").start == at(9)

    def test_that_came_without_an_order_has_its_own_notes_and_reason(self, accepted: Accepted) -> None:
        accepted(siu("S12", sch("A7", _7="^Fall"), ais(text(12)), "NTE|1||Fasting", "AIP|1||77^Curie^Marie"))
        made = ScheduledProcedureStep.objects.get(appointment_number="A7")
        procedure = made.requested_procedure
        assert (procedure.reason, procedure.comments, made.performing_physician) == ("Fall", "Fasting", "Curie^Marie")
        accepted(siu("S14", sch("A7", _7="^Stroke"), ais(), "NTE|1||Not fasting"))
        procedure.refresh_from_db()
        assert (procedure.reason, procedure.comments) == ("Stroke", "Not fasting")


NOWHERE = segment("AIG", {1: "1", 3: "CT9"})


class TestWhatIsNotBooked:
    """Whoever connects a scheduling system sees in the answer that nothing came of it, without a look at the inbox."""

    def test_is_told_beside_aa_and_the_order_waits(self, send: Send) -> None:
        answer = send(siu("S12", sch(), ais(text(9), code="XYZ^Whatever^L"), NOWHERE))
        assert answer["MSA"].get("1") == "AA"
        assert [(one.field(2), one.get("3.1"), one.get("4")) for one in answer.all("ERR")] == [
            ("SCH^1^1^1", "204", "W"),
            ("AIG^1^3^1", "204", "W"),
            ("AIS^1^3^1", "103", "W"),
            ("AIS^1^3^1", "101", "W"),
        ]
        assert answer["ERR"].get("8") == "SCH-1: nothing is booked: the order waits for a time and a station"
        row = InboundMessage.objects.get()
        assert (row.state, Order.objects.get().state) == (MessageState.APPLIED_WITH_WARNINGS, "REQUESTED")
        assert row.warnings[0] == answer["ERR"].get("8")

    def test_is_told_in_words_before_version_2_5(self, send: Send) -> None:
        raw = siu("S12", sch(), ais(text(9), code="XYZ^Whatever^L")).replace(b"|2.5.1|", b"|2.3.1|")
        answer = send(raw)
        assert (answer["MSA"].get("1"), answer["ERR"].field(1)) == ("AA", "")
        assert (answer["MSA"].get("3") or "").startswith("SCH-1: nothing is booked")

    def test_is_no_matter_where_the_appointment_is_booked(self, send: Send) -> None:
        assert not send(siu("S12", sch(), ais(text(9))))["ERR"]

    def test_is_no_matter_where_nothing_is_to_be_booked(self, send: Send) -> None:
        send(siu("S12", sch(), ais(text(9))))
        for _again in range(2):
            assert not send(siu("S14", sch(), ais(action="D")))["ERR"]
        assert step().state == "REQUESTED"

    def test_is_a_time_that_has_passed(self, accepted: Accepted, send: Send) -> None:
        yesterday = f"{TOMORROW - timedelta(days=2):%Y%m%d}0900"
        row = accepted(siu("S12", sch(), ais(yesterday)))
        assert row.warnings == ["SCH-1: the time of the appointment has passed"]
        assert step().state == "SCHEDULED"
        assert not send(siu("S13", sch(), ais(text(9))))["ERR"]
        assert InboundMessage.objects.latest("pk").warnings == []


class TestAConflict:
    """Whoever schedules can choose another time, so nothing is booked on top."""

    @pytest.fixture(autouse=True)
    def one_scanner(self, accepted: Accepted) -> None:
        factories.station("CT2").change(active=False)
        jim = pid("4712", "Poe^Jim")
        accepted(written(msh("ORM^O01"), jim, orc("NW", "P0", start=text(9)), obr(placer="P0")))
        accepted(orm("NW"))

    def test_with_another_patient_is_refused_in_words_and_kept(self, refused: Refused) -> None:
        assert refused(siu("S12", sch(order="P1"), ais(text(9)))) == ("AE", "206", "AIS^1^4^1")
        row = InboundMessage.objects.latest("pk")
        assert (row.state, row.error_place) == (MessageState.FAILED, "AIS-4")
        assert "CT1" in row.error_text
        assert Order.objects.get(placer_order_number="P1").state == "REQUESTED"

    def test_of_a_moved_appointment_leaves_it_where_it_was(self, accepted: Accepted, refused: Refused) -> None:
        accepted(siu("S12", sch(order="P1"), ais(text(11))))
        assert refused(siu("S13", sch(), ais(text(9))))[:2] == ("AE", "206")
        moved = ScheduledProcedureStep.objects.get(requested_procedure__order__placer_order_number="P1")
        assert moved.start == at(11)

    def test_with_a_closed_time_is_refused(self, accepted: Accepted, refused: Refused) -> None:
        accepted(closing("S23", "CT1", text(12)))
        assert refused(siu("S12", sch(order="P1"), ais(text(12, 30)))) == ("AE", "206", "AIS^1^4^1")
        accepted(siu("S12", sch(order="P1"), ais(text(13))))

    def test_of_an_appointment_without_an_order_orders_nothing(self, refused: Refused) -> None:
        raw = siu("S12", sch("A7"), ais(text(9)), patient=pid("4713", "New^Nora")).replace(b"V100", b"V300")
        assert refused(raw)[:2] == ("AE", "206")
        assert (Order.objects.count(), Patient.objects.count()) == (2, 2)


class TestAnAppointmentWithoutAnOrder:
    def test_is_ordered_with_it(self, accepted: Accepted) -> None:
        accepted(siu("S12", sch(_16="77^Curie^Marie"), ais(text(9)), "NTE|1||Fasting"))
        order = Order.objects.get()
        assert (order.placer_order_number, order.requesting_physician) == ("A1", "Curie^Marie")
        assert (step().state, step().start) == ("SCHEDULED", at(9))
        assert (order.patient.patient_name, order.procedures.get().comments) == ("Doe^Jane", "Fasting")

    def test_has_a_number_of_its_own_after_a_cancel(self, accepted: Accepted, refused: Refused) -> None:
        accepted(siu("S12", sch(), ais(text(9))))
        accepted(siu("S15", sch(), ais()))
        assert refused(siu("S12", sch(), ais(text(10)))) == ("AE", "206", "SCH^1^1^1")
        assert refused(siu("S12", sch(), ais(text(10)), patient=pid("4712"))) == ("AE", "205", "SCH^1^1^1")
        accepted(siu("S12", sch("A2"), ais(text(10))))
        assert Order.objects.count() == 2

    def test_begins_each_service_as_long_after_it_as_ais_5_says(self, accepted: Accepted) -> None:
        second = segment("AIS", {1: "2", 3: "MRHEAD^MR head^L", 5: "1", 6: "H"})
        accepted(siu("S12", sch(_9="20", _11=f"^^20^{text(9)}"), ais(), second))
        steps = ScheduledProcedureStep.objects.order_by("modality")
        assert [(one.modality, one.start) for one in steps] == [("CT", at(9)), ("MR", at(10))]

    def test_goes_with_it(self, accepted: Accepted) -> None:
        accepted(siu("S12", sch(), ais(text(9))))
        accepted(siu("S13", sch(), ais(text(10))))
        assert step().start == at(10)
        accepted(siu("S15", sch(), ais()))
        assert Order.objects.get().state == "CANCELED"

    @pytest.mark.parametrize(
        ("segments", "answer"),
        [
            ([sch(""), ais(text(9))], ("AE", "101", "SCH^1^1^1")),
            ([sch(), ais(text(9), code="")], ("AE", "101", "AIS^1^3^1")),
            ([sch(), ais("20260230")], ("AE", "102", "AIS^1^4^1")),
        ],
    )
    def test_needs_a_number_and_an_exam(
        self, refused: Refused, segments: list[str], answer: tuple[str, str, str]
    ) -> None:
        assert refused(siu("S12", *segments)) == answer
        assert not Order.objects.exists()


class TestTimesThatAreClosed:
    @pytest.mark.parametrize(("kind", "name"), [("AIG", "CT1"), ("AIL", "RAD^CT1"), ("AIP", "77^Roe")])
    def test_are_closed_and_opened_again(self, accepted: Accepted, kind: str, name: str) -> None:
        factories.resource("Roe", kind="STAFF") if kind == "AIP" else None
        accepted(closing("S23", name, text(12), kind=kind))
        found = Closure.objects.get()
        assert (found.start, found.end, found.reason) == (at(12), at(13), "Service")
        accepted(closing("S23", name, text(12), kind=kind))
        assert Closure.objects.count() == 1, "a repeat changes nothing"
        accepted(closing("S24", name, text(12), kind=kind))
        assert not Closure.objects.exists()
        assert Event.objects.filter(kind=EventKind.CATALOG_CHANGED, cause__startswith="hl7:").count() == 2

    def test_are_opened_in_part(self, accepted: Accepted) -> None:
        periods = Closure.objects.order_by("start").values_list("start", "end")
        accepted(closing("S23", "CT1", text(12), "180"))
        accepted(closing("S24", "CT1", text(13)))
        assert list(periods.all()) == [(at(12), at(13)), (at(14), at(15))]
        accepted(closing("S24", "CT1", text(12, 30)))
        accepted(closing("S24", "CT1", text(14), "30"))
        assert list(periods.all()) == [(at(12), at(12, 30)), (at(14, 30), at(15))]

    def test_are_not_closed_over_a_booked_exam(self, accepted: Accepted, refused: Refused) -> None:
        accepted(orm("NW", start=text(12)))
        assert refused(closing("S23", "CT1", text(12))) == ("AE", "206", "AIG^1^8^1")

    def test_that_were_open_are_told(self, accepted: Accepted) -> None:
        assert accepted(closing("S24", "CT1", text(12))).warnings == ["AIG-8: the time was not closed"]

    @pytest.mark.parametrize(
        ("raw", "answer"),
        [
            (closing("S23", "Moon", text(12)), ("AE", "204", "AIG^1^3^1")),
            (closing("S23", "CT1", ""), ("AE", "101", "SCH^1^11^1")),
            (closing("S23", "CT1", text(12), ""), ("AE", "101", "SCH^1^9^1")),
            (written(msh("SIU^S23"), sch()), ("AE", "100", "RGS^1")),
            (written(msh("SIU^S12"), pid()), ("AE", "100", "SCH^1")),
            (written(msh("SIU^S25"), sch()), ("AR", "201", "MSH^1^9^1^2")),
        ],
    )
    def test_that_are_not_named_are_refused(self, refused: Refused, raw: bytes, answer: tuple[str, str, str]) -> None:
        assert refused(raw)[:2] == answer[:2]
