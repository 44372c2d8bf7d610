"""What each order control does (ORC-1 with ORC-5), and the table in which a site says so."""

from datetime import timedelta

import pytest
from django.utils import timezone

from hl7 import controls
from hl7.controls import Action
from hl7.handlers.orders import ACTIONS
from hl7.models import InboundMessage, MessageState, OrderControl
from ris.actions import exams
from ris.models import Event, EventKind, Order, ScheduledProcedureStep
from ris.roles import Role
from tests import factories
from tests.hl7.stories import Accepted, Refused, Send
from tests.messages import msh, obr, orc, orm, pid
from tests.messages import send as written
from tests.ris.desk import Desk, text_of

TOMORROW = (timezone.localdate() + timedelta(days=1)).strftime("%Y%m%d")
NINE, TEN = f"{TOMORROW}0900", f"{TOMORROW}1000"


def the_order(placer: str = "P1") -> Order:
    return Order.objects.get(placer_order_number=placer)


def step_of(placer: str = "P1") -> ScheduledProcedureStep:
    return ScheduledProcedureStep.objects.select_related("station").get(
        requested_procedure__order__placer_order_number=placer
    )


def said(control: str, status: str = "", placer: str = "P1", filler: str = "", patient: str = "") -> bytes:
    """Write an ORM with one ORC and no OBR."""
    return written(msh("ORM^O01"), patient or pid(), orc(control, placer, fields={3: filler, 5: status}))


def test_every_action_but_keeping_is_carried_out() -> None:
    assert set(ACTIONS) == set(Action) - {Action.KEEP}


@pytest.mark.django_db
def test_a_new_installation_has_the_rows_to_begin_with() -> None:
    rows = {(row.control, row.status): row.action for row in OrderControl.objects.all()}
    assert rows == controls.DEFAULTS


OUTCOMES = {
    "XO": "SCHEDULED",
    "XO_CM": "COMPLETED",
    "CA": "CANCELED",
    "CA_CA": "CANCELED",
    "DC": "CANCELED",
    "DC_CA": "CANCELED",
    "SC_SC": "SCHEDULED",
    "SC_IP": "IN_PROGRESS",
    "SC_CM": "COMPLETED",
    "SC_A": "COMPLETED",
    "SC_CA": "CANCELED",
    "SC_DC": "CANCELED",
    "SR_CM": "COMPLETED",
    "SS": "SCHEDULED",
    "SN": "SCHEDULED",
    "PA": "SCHEDULED",
}


@pytest.mark.parametrize("pair", OUTCOMES)
def test_a_pair_leads_an_order_to_its_state(accepted: Accepted, pair: str) -> None:
    accepted(orm("NW", start=NINE))
    control, _, status = pair.partition("_")
    row = accepted(said(control, status))
    assert (the_order().state, row.state) == (OUTCOMES[pair], MessageState.APPLIED)


@pytest.mark.parametrize(("pair", "held"), [("HD", True), ("SC_HD", True), ("RL", False)])
def test_an_order_is_held_and_released(accepted: Accepted, pair: str, held: bool) -> None:
    accepted(orm("NW", start=NINE))
    accepted(said(*pair.split("_")))
    assert the_order().on_hold is held


@pytest.mark.parametrize(("control", "status"), [("ZZ", ""), ("", ""), ("SC", ""), ("SC", "ER"), ("OC", "CA")])
def test_a_pair_without_a_row_is_kept_for_a_person_and_accepted(send: Send, control: str, status: str) -> None:
    send(orm("NW", start=NINE))
    answer = send(written(msh("ORM^O01"), pid(), orc("CA"), orc(control, "P2", fields={5: status}), obr(placer="P2")))
    assert answer["MSA"].get("1") == "AA"
    assert (answer["ERR"].field(2), answer["ERR"].get("3"), answer["ERR"].get("4")) == ("ORC^2^1^1", "103", "W")
    assert InboundMessage.objects.latest("pk").state == MessageState.KEPT
    assert the_order().state == "SCHEDULED", "all orders of a message, or none"


def test_a_kept_message_is_applied_when_it_is_sent_again_after_the_table_has_a_row(accepted: Accepted) -> None:
    accepted(orm("NW"))
    raw = said("ZZ")
    assert accepted(raw).state == MessageState.KEPT
    OrderControl.objects.create(control="ZZ", action=Action.CANCEL)
    assert accepted(raw).state == MessageState.APPLIED
    assert the_order().state == "CANCELED"


def test_a_site_may_have_a_pair_kept_or_ignored(accepted: Accepted) -> None:
    accepted(orm("NW"))
    OrderControl.objects.create(control="CA", status="ER", action=Action.KEEP)
    OrderControl.objects.create(control="CA", status="HD", action=Action.NOTHING)
    assert accepted(said("CA", "ER")).state == MessageState.KEPT
    assert accepted(said("CA", "HD")).state == MessageState.APPLIED
    assert the_order().state == "REQUESTED"


class TestAReplacement:
    """RP (or RU) names the old orders, RO the new one."""

    def replace(self, *new: str, old: str = "P1") -> bytes:
        return written(msh("ORM^O01"), pid(), orc("RP", old), *(new or (orc("RO", "P2"), obr(placer="P2"))))

    @pytest.mark.parametrize("control", ["RP", "RU"])
    def test_takes_the_place_of_the_old_order(self, accepted: Accepted, control: str) -> None:
        accepted(orm("NW", start=NINE))
        station = step_of().station
        accepted(self.replace().replace(b"ORC|RP", f"ORC|{control}".encode()))
        old, new = the_order("P1"), the_order("P2")
        assert (old.state, old.replaced_by, new.state) == ("CANCELED", new, "SCHEDULED")
        assert (step_of("P2").start, step_of("P2").station) == (step_of("P1").start, station)
        assert Event.objects.filter(kind=EventKind.ORDER_REPLACED, order=old).exists()

    def test_has_its_own_time_where_it_names_one(self, accepted: Accepted) -> None:
        accepted(orm("NW", start=NINE))
        accepted(self.replace(orc("RO", "P2", start=TEN), obr(placer="P2")))
        assert step_of("P2").start == step_of("P1").start + timedelta(hours=1)  # type: ignore[operator]

    def test_of_another_modality_takes_the_time_and_a_station_of_its_own(self, accepted: Accepted) -> None:
        accepted(orm("NW", start=NINE))
        accepted(self.replace(orc("RO", "P2"), obr("MRHEAD", "P2")))
        assert (step_of("P2").start, step_of("P2").station) == (step_of("P1").start, factories.station("MR1"))

    def test_may_stand_for_several_orders_and_be_several(self, accepted: Accepted) -> None:
        for placer in ("P1", "P2"):
            accepted(orm("NW", placer=placer))
        news = [text for placer in ("P3", "P4") for text in (orc("RO", placer), obr(placer=placer))]
        accepted(self.replace(orc("RP", "P2"), *news))
        assert {the_order("P1").replaced_by, the_order("P2").replaced_by} == {the_order("P3")}
        assert the_order("P4").state == "REQUESTED"

    def test_sent_again_with_another_content_changes_the_new_order(self, accepted: Accepted) -> None:
        accepted(orm("NW"))
        accepted(self.replace())
        row = accepted(self.replace(orc("RO", "P2", start=TEN), obr(placer="P2")))
        assert (Order.objects.count(), the_order("P2").state) == (2, "SCHEDULED")
        assert "known already" in row.warnings[0]

    def test_is_refused_once_the_exam_has_started(self, accepted: Accepted, refused: Refused) -> None:
        accepted(orm("NW", start=NINE))
        exams.go("start", by=factories.BY, step=step_of())
        assert refused(self.replace())[:2] == ("AE", "206")
        assert Order.objects.count() == 1

    @pytest.mark.parametrize(
        ("segments", "answer"),
        [
            ([orc("RP", "P1")], ("AE", "100", "ORC^1")),
            ([orc("RO", "P2"), obr(placer="P2")], ("AE", "100", "ORC^1")),
            ([orc("RP", "P9"), orc("RO", "P2"), obr(placer="P2")], ("AE", "204", "ORC^1^2^1")),
            ([orc("RP", "P1"), orc("RO", "P2")], ("AE", "100", "ORC^2")),
        ],
    )
    def test_that_lacks_one_half_is_refused(
        self, accepted: Accepted, refused: Refused, segments: list[str], answer: tuple[str, str, str]
    ) -> None:
        accepted(orm("NW"))
        assert refused(written(msh("ORM^O01"), pid(), *segments)) == answer
        assert the_order("P1").state == "REQUESTED"

    def test_is_seen_on_the_pages_of_both(self, accepted: Accepted) -> None:
        accepted(orm("NW"))
        accepted(self.replace())
        old, new = the_order("P1"), the_order("P2")
        desk = Desk(Role.FRONT_DESK)
        page = text_of(desk.get(f"/ris/order/{old.pk}/change/"))
        assert f"Replaced by {new}" in page
        assert f"replaced by: {new}" in page, "in the story too"
        assert f"In the place of {old}" in text_of(desk.get(f"/ris/order/{new.pk}/change/"))


class TestPartsOfAnOrder:
    """PA names the parent, CH its parts."""

    def test_follow_their_parent_in_one_message(self, accepted: Accepted) -> None:
        parts = [text for placer in ("P2", "P3") for text in (orc("CH", placer), obr(placer=placer))]
        accepted(written(msh("ORM^O01"), pid(), orc("PA"), obr(), *parts))
        assert {the_order(placer).parent for placer in ("P2", "P3")} == {the_order("P1")}
        page = text_of(Desk(Role.FRONT_DESK).get(f"/ris/order/{the_order('P1').pk}/change/"))
        assert f"Parts {the_order('P2')} {the_order('P3')}" in page

    @pytest.mark.parametrize("place", ["ORC-8", "ORC-8 filler", "OBR-29"])
    def test_name_their_parent_by_a_number(self, accepted: Accepted, place: str) -> None:
        accepted(orm("NW"))
        filler = f"^{the_order().accession_number}"
        number = filler if place == "ORC-8 filler" else "P1&HIS"
        where = {8: number} if place.startswith("ORC") else {}
        accepted(
            written(
                msh("ORM^O01"),
                pid(),
                orc("CH", "P2", fields=where),
                obr(placer="P2", fields={} if where else {29: number}),
            )
        )
        assert the_order("P2").parent == the_order("P1")

    @pytest.mark.parametrize(
        ("fields", "answer"),
        [({}, ("AE", "101", "ORC^1^8^1")), ({8: "P9"}, ("AE", "204", "ORC^1^8^1")), ({8: "P2"}, ("AE", "206", ""))],
    )
    def test_without_a_parent_are_refused(
        self, accepted: Accepted, refused: Refused, fields: dict[int, str], answer: tuple[str, str, str]
    ) -> None:
        accepted(orm("NW", placer="P2"))
        found = refused(written(msh("ORM^O01"), pid(), orc("CH", "P2", fields=fields), obr(placer="P2")))
        assert found == (answer[0], answer[1], answer[2] or "ORC^1^8^1")


class TestNumbers:
    """SN asks for our number, NA gives us the placer's."""

    def test_an_order_that_nobody_knows_is_placed_when_its_number_is_asked_for(self, accepted: Accepted) -> None:
        accepted(orm("SN", start=NINE))
        assert the_order().state == "SCHEDULED"

    def test_the_placer_gives_its_number_to_an_order_made_here(self, accepted: Accepted) -> None:
        accepted(orm("NW"))
        order = factories.order(patient=the_order().patient, placer_order_number="X")
        Order.objects.filter(pk=order.pk).update(placer_order_number="", placer_issuer="")
        accepted(said("NA", placer="P7^HIS", filler=order.accession_number))
        order.refresh_from_db()
        assert (order.placer_order_number, order.placer_issuer) == ("P7", "HIS")
        accepted(said("CA", placer="P7"))
        assert the_order("P7").state == "CANCELED"

    @pytest.mark.parametrize(
        ("placer", "filler", "answer"),
        [
            ("", "A", ("AE", "101", "ORC^1^2^1")),
            ("P7", "NONE", ("AE", "204", "ORC^1^3^1")),
            ("P7", "A", ("AE", "206", "ORC^1^2^1")),
            ("P2", "A", ("AE", "205", "ORC^1^2^1")),
        ],
    )
    def test_a_number_that_cannot_be_given_is_refused(
        self, accepted: Accepted, refused: Refused, placer: str, filler: str, answer: tuple[str, str, str]
    ) -> None:
        accepted(orm("NW"))
        accepted(orm("NW", placer="P2"))
        ours = the_order().accession_number if filler == "A" else filler
        assert refused(said("NA", placer=placer, filler=ours)) == answer


@pytest.mark.parametrize("pair", ["SC_IP", "SC_CM"])
def test_an_exam_without_a_time_cannot_have_begun(accepted: Accepted, refused: Refused, pair: str) -> None:
    accepted(orm("NW"))
    assert refused(said(*pair.split("_"))) == ("AE", "206", "ORC^1^2^1")


@pytest.mark.parametrize("pair", ["SC_IP", "SC_CM"])
def test_a_cancelled_exam_is_not_revived_by_a_status(accepted: Accepted, refused: Refused, pair: str) -> None:
    accepted(orm("NW", start=NINE))
    accepted(orm("CA"))
    assert refused(said(*pair.split("_")))[:2] == ("AE", "206")


def test_an_order_of_several_steps_begins_with_the_first_and_is_completed_whole(accepted: Accepted) -> None:
    factories.exam("CTTWO", steps=[("Native", "CT", 10), ("Contrast", "CT", 10)])
    accepted(orm("NW", start=NINE, code="CTTWO^Two^L"))
    steps = ScheduledProcedureStep.objects.order_by("start").values_list("state", flat=True)
    accepted(said("SC", "IP"))
    assert list(steps.all()) == ["STARTED", "SCHEDULED"]
    accepted(said("SC", "CM"))
    assert list(steps.all()) == ["COMPLETED", "COMPLETED"]


@pytest.mark.django_db
class TestTheTableOnTheDesk:
    def test_tells_who_changed_a_row(self) -> None:
        desk = Desk(Role.INFORMATICS)
        row = OrderControl.objects.get(control="CA")
        desk.post(f"/hl7/ordercontrol/{row.pk}/change/", control="ca", status=" er ", action="keep")
        row.refresh_from_db()
        assert (row.control, row.status, row.action) == ("CA", "ER", "keep")
        assert "keep" in text_of(desk.get(f"/hl7/ordercontrol/{row.pk}/history/"))

    def test_is_brought_back_to_its_beginning_after_showing_what_differs(self) -> None:
        desk = Desk(Role.ADMINISTRATOR)
        OrderControl.objects.get(control="CA").delete()
        OrderControl.objects.filter(control="DC").update(action=Action.KEEP)
        OrderControl.objects.create(control="ZZ", action=Action.CANCEL)
        page = text_of(desk.get("/hl7/ordercontrol/restore/"))
        assert "CA no row cancel DC keep for a person discontinue ZZ cancel no row" in page
        assert "3 rows were put back" in text_of(desk.post("/hl7/ordercontrol/restore/"))
        assert {(row.control, row.status): row.action for row in OrderControl.objects.all()} == controls.DEFAULTS
        assert Event.objects.filter(kind=EventKind.CATALOG_CHANGED).count() == 3
        assert "Every row is as in the beginning" in text_of(desk.get("/hl7/ordercontrol/restore/"))

    def test_is_not_for_the_front_desk(self) -> None:
        desk = Desk(Role.FRONT_DESK)
        desk.get("/hl7/ordercontrol/", status=403)
        desk.post_in_vain(403, "/hl7/ordercontrol/restore/")
