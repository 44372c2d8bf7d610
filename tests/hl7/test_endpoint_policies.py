"""What an endpoint's policies do: master numbers, arrivals that check in, texts that are not what MSH-18 says."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hl7.models import Endpoint, InboundMessage, MessageState
from ris.actions import exams
from ris.models import Order, Patient, PatientIdentifier, ScheduledProcedureStep
from ris.states import StepState
from tests import factories
from tests.hl7.stories import Accepted, Refused, Send
from tests.messages import adt, hl7_time, msh, orm, pid, pv1
from tests.messages import send as written

pytestmark = pytest.mark.django_db

TODAY = datetime.now(ZoneInfo("Europe/Berlin")).replace(hour=10, minute=0, second=0)


def his(**agreed: Any) -> Endpoint:
    return Endpoint.objects.create(name="the HIS", sending_application="HIS", **agreed)


def numbers() -> set[tuple[int, str]]:
    """Patient and number of all identifiers."""
    return set(PatientIdentifier.objects.values_list("patient", "value"))


class TestMasterNumber:
    LAB_FIRST = pid("7^^^LAB^PI~4711^^^HIS^MR")

    def test_the_number_of_the_master_authority_is_the_patient_id(self, accepted: Accepted) -> None:
        his(master_authority="MPI")
        accepted(adt("A04", pid("4711^^^HIS^MR~900^^^MPI^PI")))
        assert Patient.objects.get().patient_id == "900"

    def test_it_may_be_named_by_its_universal_id(self, accepted: Accepted) -> None:
        his(master_authority="1.2.3")
        accepted(adt("A04", pid("4711^^^HIS^MR~900^^^MPI&1.2.3&ISO^PI")))
        assert Patient.objects.get().patient_id == "900"

    def test_who_has_another_master_number_is_somebody_else(self, accepted: Accepted) -> None:
        his(master_authority="MPI")
        accepted(adt("A04", pid("900^^^MPI^MR~4711^^^HIS^MR")))
        message = accepted(adt("A04", pid("901^^^MPI^MR~4711^^^HIS^MR", "Roe^Mary")))
        assert Patient.objects.count() == 2
        assert "belongs to another patient" in message.warnings[0]
        assert Patient.objects.get(identifiers__value="901").patient_name == "Roe^Mary"

    def test_who_has_none_yet_gets_it(self, accepted: Accepted) -> None:
        accepted(adt("A04", pid("4711^^^HIS^MR")))
        his(master_authority="MPI")
        accepted(adt("A04", pid("900^^^MPI^MR~4711^^^HIS^MR")))
        accepted(adt("A08", pid("900^^^MPI^MR")))
        assert Patient.objects.count() == 1

    def test_of_two_known_patients_the_master_number_says_which(self, accepted: Accepted) -> None:
        accepted(adt("A04", pid("4711^^^HIS^MR")))
        accepted(adt("A04", pid("900^^^MPI^PI", "Roe^Mary")))
        his(master_authority="MPI")
        accepted(adt("A08", pid("4711^^^HIS^MR~900^^^MPI^PI", "Roe^Maria")))
        assert Patient.objects.get(identifiers__value="900").patient_name == "Roe^Maria"

    @pytest.mark.parametrize(
        ("policy", "answer", "state", "patients"),
        [
            ("accept", "AA", MessageState.APPLIED, 1),
            ("keep", "AA", MessageState.KEPT, 0),
            ("refuse", "AE", MessageState.FAILED, 0),
        ],
    )
    def test_a_message_without_it(
        self, send: Send, policy: str, answer: str, state: MessageState, patients: int
    ) -> None:
        his(master_authority="MPI", master_missing=policy)
        assert send(adt("A04"))["MSA"].get("1") == answer
        message = InboundMessage.objects.get()
        assert (message.state, Patient.objects.count()) == (state, patients)
        assert message.error_place == ("" if policy == "accept" else "PID-3")

    def test_what_was_kept_is_applied_when_the_endpoint_allows_it(self, send: Send) -> None:
        endpoint = his(master_authority="MPI", master_missing="keep")
        send(adt("A04", control_id="M1"))
        endpoint.master_missing = "accept"
        endpoint.save()
        assert send(adt("A04", control_id="M1"))["MSA"].get("1") == "AA"
        assert Patient.objects.exists()


@pytest.mark.parametrize("charset", ["CNS 11643-1992", "ASCII~CNS 11643-1992"])
@pytest.mark.parametrize("name", [b"\xa4\xfd^\xa4p\xaaF", b"\x1b$)G\x0eDy\x0f^\x1b$)G\x0eD)\x0f"])
def test_a_text_in_a_set_that_nothing_here_can_read_is_kept_and_not_guessed(
    send: Send, charset: str, name: bytes
) -> None:
    raw = adt("A04", pid(name="NAME")).replace(b"UNICODE UTF-8", charset.encode())
    answer = send(raw.replace(b"NAME", name))
    assert (answer["MSA"].get("1"), answer["ERR"].get("3"), answer["ERR"].field(2)) == ("AR", "103", "MSH^1^18^1")
    kept = InboundMessage.objects.get()
    assert (kept.state, bytes(kept.raw).count(name), Patient.objects.exists()) == (MessageState.KEPT, 1, False)
    assert send(raw.replace(b"NAME", "王^小東".encode()))["MSA"].get("1") == "AA", "it is UTF-8 after all"
    assert Patient.objects.get().patient_name == "王^小東"


def scheduled(accepted: Accepted) -> ScheduledProcedureStep:
    accepted(adt("A01"))
    accepted(orm(start=hl7_time(TODAY)))
    return ScheduledProcedureStep.objects.get()


def state() -> str:
    return ScheduledProcedureStep.objects.latest("pk").state


class TestArrival:
    def test_it_checks_in_where_the_endpoint_says_so(self, accepted: Accepted) -> None:
        his(arrival_checks_in=True)
        scheduled(accepted)
        assert accepted(adt("A10")).warnings == []
        assert state() == StepState.ARRIVED
        accepted(adt("A32"))
        assert state() == StepState.SCHEDULED

    def test_elsewhere_it_checks_nobody_in(self, accepted: Accepted) -> None:
        scheduled(accepted)
        accepted(adt("A10"))
        assert state() == StepState.SCHEDULED

    def test_it_is_for_the_exams_of_the_visit(self, accepted: Accepted) -> None:
        his(arrival_checks_in=True)
        scheduled(accepted)
        message = accepted(adt("A10", pid(), pv1("V200")))
        assert state() == StepState.SCHEDULED
        assert "nobody was checked in" in message.warnings[0]

    def test_an_order_on_hold_stays_where_it_is(self, accepted: Accepted) -> None:
        his(arrival_checks_in=True)
        scheduled(accepted)
        Order.objects.update(on_hold=True)
        accepted(adt("A10"))
        assert state() == StepState.SCHEDULED

    def test_an_exam_of_another_day_is_not_checked_in(self, accepted: Accepted) -> None:
        his(arrival_checks_in=True)
        accepted(adt("A01"))
        accepted(orm(start=hl7_time(TODAY.replace(year=TODAY.year + 1, day=1))))
        accepted(adt("A10"))
        assert state() == StepState.SCHEDULED

    def test_a_cancelled_arrival_does_not_send_away_who_stands_at_the_desk(self, accepted: Accepted) -> None:
        his(arrival_checks_in=True)
        exams.go("arrive", by=factories.CLERK, step=scheduled(accepted))
        message = accepted(adt("A32"))
        assert state() == StepState.ARRIVED
        assert "no check-in was taken back" in message.warnings[0]


def test_a_text_that_is_not_what_msh_18_says_is_kept_where_the_endpoint_says_so(send: Send) -> None:
    his(charset_policy="keep")
    answer = send(written(msh("ADT^A04", charset="8859/1"), pid(name="Müller^Zoë")))
    assert answer["MSA"].get("1") == "AA"
    message = InboundMessage.objects.get()
    assert (message.state, message.error_place) == (MessageState.KEPT, "MSH-18")
    assert not Patient.objects.exists()


def test_a_text_that_is_what_msh_18_says_is_applied(accepted: Accepted) -> None:
    his(charset_policy="keep")
    accepted(written(msh("ADT^A04", charset="8859/1"), pid(name="Müller^Zoë"), encoding="iso8859-1"))


def test_a_query_that_is_no_adt_is_answered_honestly(refused: Refused) -> None:
    assert refused(written(msh("QRY^A19"), "QRD|20260105|R|I|1|||1|4711")) == ("AR", "200", "MSH^1^9^1^1")
