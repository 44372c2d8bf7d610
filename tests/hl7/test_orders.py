"""Orders as a placer sends them."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from django.utils import timezone

from hl7.models import InboundMessage, MessageState
from ris.actions import exams
from ris.models import Attention, Event, EventKind, Order, Patient, RequestedProcedure, ScheduledProcedureStep, Visit
from ris.states import OrderState, StepState
from tests import factories
from tests.hl7.stories import Accepted, Refused, Send
from tests.messages import adt, msh, obr, orc, orm, pid, pv1
from tests.messages import send as written

BERLIN = ZoneInfo("Europe/Berlin")
TOMORROW: date = timezone.localdate(timezone=BERLIN) + timedelta(days=1)


def at(hour: int, minute: int = 0) -> str:
    return f"{TOMORROW:%Y%m%d}{hour:02d}{minute:02d}"


def moment(hour: int, minute: int = 0) -> datetime:
    return datetime(TOMORROW.year, TOMORROW.month, TOMORROW.day, hour, minute, tzinfo=BERLIN)


def the_order(placer: str = "P1") -> Order:
    return Order.objects.get(placer_order_number=placer)


def the_step(placer: str = "P1") -> ScheduledProcedureStep:
    return ScheduledProcedureStep.objects.exclude(state=StepState.CANCELED).get(
        requested_procedure__order__placer_order_number=placer
    )


class TestANewOrder:
    def test_with_a_time_is_placed_on_a_station_of_its_modality(self, accepted: Accepted) -> None:
        accepted(orm("NW", start=at(10, 15)))
        order, step = the_order(), the_step()
        assert (order.state, step.state, step.start) == (OrderState.SCHEDULED, StepState.SCHEDULED, moment(10, 15))
        assert step.station is not None
        assert step.station.ae_title == "CT1"
        assert order.accession_number
        assert (order.placer_order_number, order.placer_issuer) == ("P1", "HIS")
        assert order.requesting_physician == "Curie^Marie^^Dr"
        assert (order.visit, order.referring_physician) == (Visit.objects.get(), "Curie^Marie^^Dr")

    def test_without_a_time_waits_to_be_scheduled(self, accepted: Accepted) -> None:
        row = accepted(orm("NW"))
        assert (the_order().state, the_step().state, the_step().station) == ("REQUESTED", "REQUESTED", None)
        assert row.state == MessageState.APPLIED

    def test_with_a_start_of_years_ago_waits_and_says_so(self, accepted: Accepted) -> None:
        row = accepted(orm("NW", start="20050101101500"))
        assert (the_step().state, the_step().start) == ("REQUESTED", None)
        assert row.warnings == ["ORC-7.4: the start is more than five years ago, so the order waits to be scheduled"]

    def test_with_a_day_and_no_hour_waits_and_says_so(self, accepted: Accepted) -> None:
        row = accepted(orm("NW", start=f"{TOMORROW:%Y%m%d}"))
        assert the_step().state == StepState.REQUESTED
        assert "no time" in row.warnings[0]

    @pytest.mark.parametrize(
        ("where", "segments"),
        [
            ("ORC-7.4", [orc("NW", start=at(9)), obr()]),
            ("OBR-27.4", [orc("NW"), obr(fields={27: f"1^once^^{at(9)}^^R"})]),
            ("OBR-36", [orc("NW"), obr(fields={36: at(9)})]),
            ("TQ1-7 below ORC", [orc("NW"), f"TQ1|1||||||{at(9)}||R", obr()]),
            ("TQ1-7 below OBR", [orc("NW"), obr(), f"TQ1|1||||||{at(9)}||R"]),
            ("with an offset", [orc("NW", start=f"{at(8)}+0000"), obr()]),
        ],
    )
    def test_takes_its_time_from_where_it_stands(self, accepted: Accepted, where: str, segments: list[str]) -> None:
        accepted(written(msh("ORM^O01"), pid(), *segments))
        expected = moment(8).replace(tzinfo=ZoneInfo("UTC")) if where == "with an offset" else moment(9)
        assert the_step().start == expected

    def test_without_an_offset_its_time_is_the_clock_of_the_site(self, accepted: Accepted) -> None:
        factories.site("TOKYO", time_zone="Asia/Tokyo")
        accepted(written(msh("ORM^O01"), pid(), pv1(location="W^^^TOKYO"), orc("NW", start=at(9)), obr()))
        assert the_order().site.code == "TOKYO"
        assert the_step().start == moment(9).replace(tzinfo=ZoneInfo("Asia/Tokyo"))

    @pytest.mark.parametrize(
        ("sent", "priority"),
        [
            ("S", "STAT"),
            ("A", "HIGH"),
            ("P", "HIGH"),
            ("C", "HIGH"),
            ("R", "ROUTINE"),
            ("T", "MEDIUM"),
            ("", "ROUTINE"),
        ],
    )
    def test_has_the_priority_that_was_sent(self, accepted: Accepted, sent: str, priority: str) -> None:
        accepted(orm("NW", priority=sent))
        assert RequestedProcedure.objects.get().priority == priority

    def test_with_an_unknown_priority_is_routine_with_a_warning(self, accepted: Accepted) -> None:
        row = accepted(orm("NW", priority="Q"))
        assert RequestedProcedure.objects.get().priority == "ROUTINE"
        assert "priority" in row.warnings[0]

    def test_goes_to_the_station_that_the_message_names(self, accepted: Accepted) -> None:
        accepted(written(msh("ORM^O01"), pid(), orc("NW", start=at(9), fields={18: "CT2"}), obr()))
        assert the_step().station == factories.station("CT2")

    @pytest.mark.parametrize("name", ["CT99", "MR1"])
    def test_goes_elsewhere_with_a_warning_when_that_station_cannot_do_it(self, accepted: Accepted, name: str) -> None:
        row = accepted(written(msh("ORM^O01"), pid(), orc("NW", start=at(9), fields={18: name}), obr()))
        assert the_step().station == factories.station("CT1")
        assert "ORC-18" in row.warnings[0]

    def test_keeps_the_numbers_that_came_along(self, accepted: Accepted) -> None:
        accepted(
            orm("NW", "ZDS|1.2.3.4^^Application^DICOM", start=at(9)).replace(
                b"OBR|1|P1||CTABD^CT abdomen^L", b"OBR|1|P1||CTABD^CT abdomen^L||||||||||||||ACC-7|RP-7|SPS-7"
            )
        )
        procedure = RequestedProcedure.objects.get()
        assert (the_order().accession_number, procedure.requested_procedure_id) == ("ACC-7", "RP-7")
        assert (the_step().sps_id, procedure.study_instance_uid) == ("SPS-7", "1.2.3.4")

    def test_gets_new_numbers_where_those_sent_are_taken_or_invalid(self, accepted: Accepted) -> None:
        numbers = {18: "ACC-7", 19: "RP-7", 20: "SPS-7"}
        for placer, uid in (("P1", "1.2.3.4"), ("P2", "1.2.3.4"), ("P3", "not a uid")):
            accepted(
                written(
                    msh("ORM^O01"),
                    pid(),
                    orc("NW", placer),
                    obr(placer=placer, fields=numbers),
                    f"ZDS|{uid}^^Application",
                )
            )
        assert len(set(Order.objects.values_list("accession_number", flat=True))) == 3
        assert len(set(RequestedProcedure.objects.values_list("study_instance_uid", flat=True))) == 3
        assert Attention.STUDY_UID_TAKEN in the_order("P3").attentions
        assert InboundMessage.objects.latest("pk").state == MessageState.APPLIED_WITH_WARNINGS

    def test_goes_without_the_filler_number_of_another_order(self, accepted: Accepted) -> None:
        accepted(written(msh("ORM^O01"), pid(), orc("NW", "P1", fields={3: "F1"}), obr()))
        row = accepted(written(msh("ORM^O01"), pid(), orc("NW", "P2", fields={3: "F1"}), obr()))
        assert (the_order("P1").filler_order_number, the_order("P2").filler_order_number) == ("F1", "")
        assert "ORC-3" in row.warnings[0]

    def test_tells_what_is_to_be_done_and_why(self, accepted: Accepted) -> None:
        accepted(
            written(
                msh("ORM^O01"),
                pid(),
                pv1(),
                orc("NW", start=at(9), fields={9: at(7), 14: "555-1234", 17: "SURG^Surgery"}),
                "NTE|1||Call before",
                obr(
                    fields={
                        12: "I^Isolation",
                        13: "Pacemaker",
                        28: "8^Bohr^Niels~9^Noether^Emmy",
                        30: "CART",
                        31: "R10^Abdominal pain~^Fever",
                        34: "5&Roe&Rita",
                    }
                ),
                "NTE|1||Right side",
                "NTE|2||Two views",
                "OBX|1|NM|WEIGHT||70|kg",
                "NTE|1||weighed today",
            )
        )
        order, procedure, patient = the_order(), RequestedProcedure.objects.get(), Patient.objects.get()
        assert (order.callback_phone, order.requesting_service, order.ordered_at) == ("555-1234", "Surgery", moment(7))
        assert procedure.comments == "Call before\nRight side\nTwo views"
        assert (procedure.reason, procedure.transport_arrangements) == ("Abdominal pain, Fever", "CART")
        assert procedure.intended_recipients == "Bohr^Niels; Noether^Emmy"
        assert the_step().performing_physician == "Roe^Rita"
        assert (patient.patient_state, patient.medical_alerts, patient.weight) == (
            "Isolation",
            "Pacemaker",
            Decimal(70),
        )

    def test_registers_a_patient_that_nobody_knows(self, accepted: Accepted) -> None:
        accepted(orm("NW"))
        assert the_order().patient.patient_name == "Doe^Jane"

    def test_does_not_rename_a_known_patient_but_says_that_the_name_differs(self, accepted: Accepted) -> None:
        accepted(adt())
        row = accepted(orm("NW", patient=pid(name="Poe^Jim", birth_date="", fields={13: "555"})))
        assert (Patient.objects.get().patient_name, Patient.objects.get().phone) == ("Doe^Jane", "555")
        assert "patient name differs" in row.warnings[0]

    @override_settings(BUCKY_PATIENT_ID_ISSUER="HIS")
    def test_finds_the_patient_by_a_bare_number(self, accepted: Accepted) -> None:
        accepted(adt())
        accepted(orm("NW", patient="PID|1||4711||Doe^Jane"))
        assert Patient.objects.count() == 1

    @pytest.mark.parametrize(
        ("segments", "answer"),
        [
            ([pid(), orc("NW", ""), obr(placer="")], ("AE", "101", "ORC^1^2^1")),
            ([pid(), orc("NW")], ("AE", "100", "ORC^1")),
            ([pid(), orc("NW"), obr("")], ("AE", "101", "OBR^1^4^1")),
            ([pid(), obr()], ("AE", "100", "ORC^1")),
            ([orc("NW"), obr()], ("AE", "101", "PID^1^3^1")),
            ([pid(), orc("NW", start="20261301"), obr()], ("AE", "102", "ORC^1^7^1^4")),
            ([pid(), orc("NW", start="202601012500"), obr()], ("AE", "102", "ORC^1^7^1^4")),
            ([pid(), orc("NW", start="20260101100000+9900"), obr()], ("AE", "102", "ORC^1^7^1^4")),
            ([pid(), orc("NW", "P" * 80), obr()], ("AE", "102", "ORC^1^2^1")),
        ],
    )
    def test_that_cannot_be_placed_is_refused_with_the_place(
        self, refused: Refused, segments: list[str], answer: tuple[str, str, str]
    ) -> None:
        assert refused(written(msh("ORM^O01"), *segments)) == answer
        assert not Order.objects.exists()


class TestAnExamThatTheCatalogueDoesNotKnow:
    def test_is_accepted_marked_and_scheduled_when_modality_and_time_are_known(self, accepted: Accepted) -> None:
        row = accepted(orm("NW", code="XYZ^Something new^L", modality="CT", start=at(9)))
        assert row.state == MessageState.APPLIED_WITH_WARNINGS
        assert the_order().attentions == [Attention.UNKNOWN_EXAM]
        step = the_step()
        assert (step.state, step.description, step.station) == ("SCHEDULED", "Something new", factories.station("CT1"))
        assert step.protocol_codes == [{"code": "XYZ", "coding_scheme": "L", "meaning": "Something new"}]

    @pytest.mark.parametrize("section", ["", "RAD"])
    def test_waits_for_a_person_when_the_modality_is_not_known(self, accepted: Accepted, section: str) -> None:
        accepted(orm("NW", code="XYZ^Something new^L", modality=section, start=at(9)))
        assert the_step().state == StepState.REQUESTED
        assert Attention.NO_MODALITY in the_order().attentions

    def test_is_told_to_the_sender_beside_aa_where_it_stands(self, send: Send) -> None:
        unknown = obr(number=2, code="XYZ^Something new^L", modality="")
        answer = send(written(msh("ORM^O01"), pid(), pv1(), orc("NW", "P1", start=at(9)), obr(), unknown))
        assert answer["MSA"].get("1") == "AA"
        told = [(one.field(2), one.get("3.1"), one.get("4")) for one in answer.all("ERR")]
        assert told == [("OBR^2^4^1", "103", "W"), ("OBR^2^4^1", "101", "W")]

    def test_finds_its_modality_by_the_codes_of_old(self, accepted: Accepted) -> None:
        accepted(orm("NW", code="XYZ^Something new^L", modality="NMR", start=at(9)))
        assert the_step().station == factories.station("MR1")

    @pytest.mark.parametrize("code", ["CTABD^CT^99HIS", "CTABD", "1234^CT^LN^CTABD^CT^L", "^^^CTABD^CT^L"])
    def test_is_none_when_the_catalogue_knows_its_code_or_its_alternate_code(
        self, accepted: Accepted, code: str
    ) -> None:
        accepted(orm("NW", code=code, start=at(9)))
        assert RequestedProcedure.objects.get().exam == factories.exam("CTABD")
        assert the_order().attentions == []

    def test_is_not_mistaken_for_one_with_the_same_code_in_another_scheme(self, accepted: Accepted) -> None:
        accepted(orm("NW", code="CTABD^Other^LN"))
        assert RequestedProcedure.objects.get().exam is None

    def test_the_catalogue_s_modality_wins_over_the_message_s(self, accepted: Accepted) -> None:
        row = accepted(orm("NW", modality="MR", start=at(9)))
        assert the_step().modality == "CT"
        assert "OBR-24" in row.warnings[0]


class TestSeveralOrdersInOneMessage:
    def test_all_are_placed(self, accepted: Accepted) -> None:
        accepted(written(msh("ORM^O01"), pid(), orc("NW", "P1"), obr(), orc("NW", "P2"), obr("MRHEAD", "P2")))
        assert {order.placer_order_number for order in Order.objects.all()} == {"P1", "P2"}

    def test_several_procedures_below_one_orc_are_one_order(self, accepted: Accepted) -> None:
        accepted(
            written(
                msh("ORM^O01"), pid(), orc("NW", start=at(9)), obr(), obr("MRHEAD", number=2), "ZDS|1.2.3^^Application"
            )
        )
        procedures = the_order().procedures.all()
        assert [procedure.code for procedure in procedures] == ["CTABD", "MRHEAD"]
        assert {procedure.study_instance_uid for procedure in procedures} == {"1.2.3"}

    def test_groups_with_the_same_placer_number_are_one_order(self, accepted: Accepted) -> None:
        accepted(written(msh("ORM^O01"), pid(), orc("NW"), obr(), orc("NW"), obr("MRHEAD")))
        assert the_order().procedures.count() == 2

    def test_one_that_is_refused_keeps_all_out(self, refused: Refused) -> None:
        raw = written(msh("ORM^O01"), pid(), orc("NW", "P1"), obr(), orc("CA", "P2"), obr(placer="P2"))
        assert refused(raw) == ("AE", "204", "ORC^2^2^1")
        assert not Order.objects.exists()
        assert not Patient.objects.exists()

    def test_each_may_ask_for_something_else(self, accepted: Accepted) -> None:
        accepted(orm("NW", placer="P1", start=at(9)))
        accepted(orm("NW", placer="P2", start=at(10)))
        accepted(
            written(
                msh("ORM^O01"),
                pid(),
                orc("CA", "P1"),
                obr(),
                orc("XO", "P2", start=at(11)),
                obr(placer="P2"),
                orc("NW", "P3"),
                obr(placer="P3"),
            )
        )
        assert (the_order("P1").state, the_step("P2").start, the_order("P3").state) == (
            OrderState.CANCELED,
            moment(11),
            OrderState.REQUESTED,
        )


class TestAKnownOrder:
    def test_moves_to_another_time(self, accepted: Accepted) -> None:
        accepted(orm("NW", start=at(9)))
        before = the_step()
        accepted(orm("XO", start=at(11)))
        assert the_step().start == moment(11)
        assert (the_step().sps_id, the_step().pk) == (before.sps_id, before.pk)

    def test_keeps_its_place_when_a_change_is_about_something_else(self, accepted: Accepted) -> None:
        accepted(orm("NW", start=at(9)))
        accepted(written(msh("ORM^O01"), pid(), orc("XO", priority="S"), obr(fields={31: "^Worse"})))
        procedure = RequestedProcedure.objects.get()
        assert (procedure.priority, procedure.reason, the_step().start) == ("STAT", "Worse", moment(9))

    def test_becomes_another_exam(self, accepted: Accepted) -> None:
        accepted(orm("NW", start=at(9)))
        accepted(orm("XO", code="MRHEAD^MR head^L"))
        assert (the_step().modality, the_step().station) == ("MR", factories.station("MR1"))

    def test_that_is_placed_again_is_changed_with_a_warning(self, accepted: Accepted) -> None:
        accepted(orm("NW", start=at(9)))
        row = accepted(orm("NW", start=at(11)))
        assert (Order.objects.count(), the_step().start) == (1, moment(11))
        assert "known already" in row.warnings[0]

    @pytest.mark.parametrize("control", ["NW", "XO", "CA", "DC"])
    def test_never_moves_to_another_patient(self, accepted: Accepted, refused: Refused, control: str) -> None:
        accepted(orm("NW"))
        answer = refused(written(msh("ORM^O01"), pid("4712", "Poe^Jim"), orc(control), obr()))
        assert answer == ("AE", "205", "ORC^1^2^1")
        assert the_order().patient.patient_name == "Doe^Jane"
        assert the_order().state == OrderState.REQUESTED
        assert Patient.objects.count() == 1

    def test_is_cancelled_with_the_reason(self, accepted: Accepted) -> None:
        accepted(orm("NW", start=at(9)))
        accepted(written(msh("ORM^O01"), pid(), orc("CA", fields={16: "^Patient declined"}), obr()))
        assert the_order().state == OrderState.CANCELED
        assert Event.objects.get(kind=EventKind.ORDER_CANCELED).reason == "Patient declined"

    def test_may_be_cancelled_twice(self, accepted: Accepted) -> None:
        for control in ("NW", "CA", "CA"):
            accepted(orm(control, start=at(9)))
        assert the_order().state == OrderState.CANCELED

    def test_may_be_cancelled_without_its_patient_and_without_obr(self, accepted: Accepted) -> None:
        accepted(orm("NW"))
        accepted(written(msh("ORM^O01"), orc("CA")))
        assert the_order().state == OrderState.CANCELED

    def test_that_has_started_is_discontinued_and_not_cancelled(self, accepted: Accepted, refused: Refused) -> None:
        accepted(orm("NW", start=at(9)))
        exams.go("start", by=factories.BY, step=the_step())
        assert refused(orm("CA")) == ("AE", "206", "ORC^1^2^1")
        accepted(orm("DC"))
        assert the_order().state == OrderState.DISCONTINUED

    def test_that_is_closed_is_not_changed(self, accepted: Accepted, refused: Refused) -> None:
        accepted(orm("NW"))
        accepted(orm("CA"))
        assert refused(orm("XO", start=at(9)))[:2] == ("AE", "206")

    def test_is_held_and_released(self, accepted: Accepted) -> None:
        accepted(orm("NW", start=at(9)))
        accepted(orm("HD"))
        assert the_order().on_hold
        accepted(orm("RL"))
        assert not the_order().on_hold

    @pytest.mark.parametrize("number", ["filler", "accession"])
    def test_is_found_by_its_other_numbers(self, accepted: Accepted, number: str) -> None:
        accepted(written(msh("ORM^O01"), pid(), orc("NW", fields={3: "F1^RIS"}), obr(fields={18: "ACC-7"})))
        names = {
            "filler": [orc("CA", "", fields={3: "F1^RIS"})],
            "accession": [orc("CA", ""), obr(placer="", fields={18: "ACC-7"})],
        }
        accepted(written(msh("ORM^O01"), pid(), *names[number]))
        assert the_order().state == OrderState.CANCELED

    def test_is_known_by_issuer_and_number_together(self, accepted: Accepted, refused: Refused) -> None:
        accepted(written(msh("ORM^O01"), pid(), orc("NW", "P1^WARD"), obr()))
        assert the_order().placer_issuer == "WARD"
        assert refused(written(msh("ORM^O01"), pid(), orc("CA", "P1^CLINIC")))[1] == "204"
        accepted(written(msh("ORM^O01"), pid(), orc("CA", "P1^WARD")))


@pytest.mark.parametrize("control", ["XO", "CA", "DC", "HD", "RL"])
def test_an_order_that_nobody_knows_is_refused_with_its_place(refused: Refused, control: str) -> None:
    assert refused(orm(control)) == ("AE", "204", "ORC^1^2^1")


def test_a_message_of_version_2_1_without_an_event_is_an_order(accepted: Accepted) -> None:
    accepted(written(msh("ORM", version="2.1", charset=""), pid(), orc("NW"), obr()))
    assert Order.objects.count() == 1


def test_an_order_of_a_patient_without_a_name_is_marked_until_the_name_comes(accepted: Accepted) -> None:
    row = accepted(orm("NW", start=at(10), patient=pid(name="")))
    assert row.warnings == ["The patient has no name, so scanners are not shown the exam."]
    assert the_order().attentions == [Attention.NO_NAME]
    assert accepted(adt("A31", pid(name="Doe^Jane"))).warnings == []
    assert the_order().attentions == []


def test_a_name_that_no_scanner_can_be_sent_is_told_beside_aa_until_it_is_mended(send: Send) -> None:
    answer = send(orm("NW", start=at(10), patient=pid(name=r"Back\E\slash^X")))
    assert answer["MSA"].get("1") == "AA"
    assert [(one.field(2), one.get("3.1"), one.get("4")) for one in answer.all("ERR")] == [("ORC^1^2^1", "102", "W")]
    assert the_order().attentions == [Attention.BAD_NAME]
    send(adt("A31", pid(name="Backslash^X")))
    assert the_order().attentions == []
