"""On a Friday: a message did nothing. It is found, tried, mended and sent again, alone or with its like."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone, translation

from hl7 import intake, replaying, tasks
from hl7.models import InboundMessage, MessageState, Replay
from ris.actor import Actor, ActorKind
from ris.errors import ForbiddenMove
from ris.models import Event, EventKind, Order, Patient
from ris.roles import Role
from tests import factories
from tests.hl7.conftest import PEER
from tests.hl7.stories import Send
from tests.messages import adt, orm, pid
from tests.refusals import refused
from tests.ris.desk import Desk, text_of

WRONG_DATE = adt("A04", pid("4713", birth_date="20260230"), control_id="BAD1")


@pytest.fixture
def expert(hospital: None) -> Desk:
    return Desk(Role.INFORMATICS)


def row(control_id: str) -> InboundMessage:
    return InboundMessage.objects.filter(control_id=control_id).order_by("pk")[0]


def at(message: InboundMessage, what: str = "change") -> str:
    return f"/hl7/inboundmessage/{message.pk}/{what}/"


def form_in(page: str) -> dict[str, str]:
    """Return what the form of the page for editing holds."""
    area = re.search(r"<textarea[^>]*>\s*(.*?)</textarea>", page, re.DOTALL)
    tried = re.search(r'name="tried"[^>]*?value="(\w+)"', page)
    assert area
    text = area[1].replace("&amp;", "&").replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">")
    return {"text": text, "tried": tried[1] if tried else ""}


def later(count: int) -> list[bytes]:
    """Write cancels of orders that nobody knows yet."""
    return [orm("CA", placer=f"P{number}", control_id=f"CA{number}") for number in range(count)]


def test_a_message_is_edited_tried_and_sent_and_the_old_one_stays(expert: Desk, send: Send) -> None:
    send(WRONG_DATE)
    bad = row("BAD1")
    form = form_in(expert.get(at(bad, "edit")))
    assert "20260230" in form["text"]
    page = expert.post(at(bad, "edit"), text=form["text"], **{"try": ""})
    assert "PID-7 is a date that does not exist" in text_of(page)
    mended = form["text"].replace("20260230", "20000229")
    page = expert.post(at(bad, "edit"), text=mended, tried=form_in(page)["tried"], send="")
    assert "PID-7 20260230 20000229" in text_of(page), "a text that was not tried is tried and not sent"
    assert "Patient registered" in text_of(page)
    assert not Patient.objects.exists()
    page = expert.post(at(bad, "edit"), send="", **form_in(page))
    assert "The message was sent again and applied." in page
    new = InboundMessage.objects.latest("pk")
    assert (new.replay_of, new.entered_by, new.state, new.peer) == (bad, expert.user, MessageState.APPLIED, PEER)
    assert "with these changes: PID-7 20260230 20000229" in text_of(page)
    bad.refresh_from_db()
    assert (bytes(bad.raw), bad.state, bad.settled_by) == (WRONG_DATE, MessageState.MENDED, expert.user)
    registered = Event.objects.get(kind=EventKind.PATIENT_REGISTERED)
    assert (registered.actor_kind, registered.user, registered.cause) == (ActorKind.HL7, expert.user, new.cause)
    assert Event.objects.get(kind=EventKind.MESSAGE_REPLAYED).data["new"] == new.pk
    assert f"/hl7/inboundmessage/{new.pk}/change/" in expert.get(at(bad))


def test_a_text_that_cannot_be_sent_is_not_sent(expert: Desk, send: Send) -> None:
    send(WRONG_DATE)
    page = expert.post(at(row("BAD1"), "edit"), text="PID|1", send="")
    assert "does not begin with an MSH segment" in page
    page = expert.post(at(row("BAD1"), "edit"), text="MSH|^~\\&|A\nPID|\x07", **{"try": ""})
    assert "holds a control character" in page
    assert InboundMessage.objects.count() == 1


def test_a_message_is_sent_again_as_it_is_when_what_was_wrong_is_mended(expert: Desk, send: Send) -> None:
    send(orm("CA", placer="P1", control_id="CA1"))
    assert "Nothing." in text_of(expert.get(at(row("CA1"))))
    assert "No order has this number" in text_of(expert.get(at(row("CA1"), "try")))
    send(orm("NW", placer="P1"))
    words = text_of(expert.get(at(row("CA1"), "try")))
    assert "Order cancelled" in words
    assert Order.objects.get().state != "CANCELED"
    page = expert.post(at(row("CA1"), "again"))
    assert "The message was sent again and applied." in page
    assert "as it was." in text_of(page)
    assert Order.objects.get().state == "CANCELED"
    page = expert.post(at(row("CA1"), "again"))
    assert "somebody has changed it meanwhile" in page
    assert InboundMessage.objects.filter(control_id="CA1").count() == 2


def test_the_sender_gets_the_answer_of_the_mended_message_when_it_sends_again(expert: Desk, send: Send) -> None:
    raw = orm("CA", placer="P1", control_id="CA1")
    send(raw)
    send(orm("NW", placer="P1"))
    expert.post(at(row("CA1"), "again"))
    assert send(raw)["MSA"].get("1") == "AA"
    assert InboundMessage.objects.latest("pk").state == MessageState.REPEATED


def test_a_message_is_dismissed_with_a_reason(expert: Desk, send: Send) -> None:
    send(b"MSH|^~\\&|HIS|GH|||||MFN^M02|K1|P|2.5.1\r")
    kept = row("K1")
    assert "Say why" in expert.post(at(kept, "dismiss"), reason=" ")
    words = text_of(expert.post(at(kept, "dismiss"), reason="Master files are not for us"))
    assert "The message is dismissed." in words
    assert "Master files are not for us" in words
    kept.refresh_from_db()
    assert (kept.state, kept.settled_by) == (MessageState.DISMISSED, expert.user)
    event = Event.objects.get(kind=EventKind.MESSAGE_DISMISSED)
    assert (event.user, event.reason, event.subject) == (
        expert.user,
        "Master files are not for us",
        f"hl7.inboundmessage:{kept.pk}",
    )
    assert "somebody has changed it meanwhile" in expert.post(at(kept, "dismiss"), reason="again")
    assert "K1" not in text_of(expert.get("/hl7/inboundmessage/?trouble=yes"))
    assert "K1" in text_of(expert.get("/hl7/inboundmessage/?state__exact=dismissed"))


def test_only_who_may_tries_edits_and_sends_again(expert: Desk, send: Send) -> None:
    send(WRONG_DATE)
    bad = row("BAD1")
    admin = Desk(Role.ADMINISTRATOR)
    assert "/try/" not in admin.get(at(bad))
    for what in ("try", "edit"):
        admin.get(at(bad, what), status=403)
    for what in ("again", "dismiss"):
        admin.post_in_vain(403, at(bad, what), reason="x")
    admin.post_in_vain(403, "/hl7/inboundmessage/replay/")
    Desk(Role.FRONT_DESK).get(at(bad), status=403)
    expert.get(at(bad, "again"), status=405)


def test_trying_a_message_is_told(expert: Desk, send: Send) -> None:
    send(adt("A04", control_id="M1"))
    expert.get(at(row("M1"), "try"))
    event = Event.objects.latest("pk")
    assert (event.kind, event.patient, event.data["path"]) == (
        EventKind.PATIENT_VIEWED,
        Patient.objects.get(),
        at(row("M1"), "try"),
    )


@pytest.fixture
def nudged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note what the clock is woken for, and do nothing: the test is the clock."""
    found: list[int] = []
    monkeypatch.setattr(tasks.replay, "delay_on_commit", found.append)
    return found


def test_many_are_sent_again_in_order_and_everybody_sees_how_far_it_is(
    expert: Desk, send: Send, nudged: list[int]
) -> None:
    for raw in (*later(3), orm("CA", placer="NOPE", control_id="NOPE")):
        send(raw)
    send(orm("NW", placer="P0"))
    send(orm("NW", placer="P1"))
    send(orm("NW", placer="P2"))
    words = text_of(expert.get("/hl7/inboundmessage/replay/?trouble=yes"))
    assert "4 messages failed or were kept." in words
    page = expert.post("/hl7/inboundmessage/replay/?trouble=yes")
    assert "0 of 4" in text_of(page)
    replay = Replay.objects.get()
    assert nudged == [replay.pk]
    watcher = Desk(Role.ADMINISTRATOR)
    response = watcher.client.get(f"/hl7/inboundmessage/replay/{replay.pk}/")
    assert (response.headers["Refresh"], "Stop</button>" in response.content.decode()) == ("2; url=?watching", False)
    replaying.dismiss(by=factories.CLERK, message=row("CA1"), reason="somebody was quicker")
    assert tasks.replay(replay.pk) == 3
    response = watcher.client.get(f"/hl7/inboundmessage/replay/{replay.pk}/")
    words = text_of(response.content.decode())
    assert "Refresh" not in response.headers
    for said in ("4 of 4", "Finished.", "Applied: 2", "Not applied: 1", "settled meanwhile: 1", "NOPE ORM^O01 failed"):
        assert said in words
    sent = InboundMessage.objects.filter(replay_of__isnull=False).order_by("pk")
    assert [one.control_id for one in sent] == ["CA0", "CA2", "NOPE"]
    assert {one.entered_by for one in sent} == {expert.user}


def test_the_chosen_ones_are_sent_again(expert: Desk, send: Send, nudged: list[int]) -> None:
    for raw in later(3):
        send(raw)
    send(adt("A04", control_id="DONE"))
    chosen = [row(name).pk for name in ("CA0", "CA2", "DONE")]
    page = expert.post("/hl7/inboundmessage/", action="send_again", _selected_action=chosen)
    assert "0 of 2" in text_of(page)
    assert "CA0" not in text_of(page)
    with translation.override("de"):
        assert (Replay.objects.get().about, Replay.objects.get().which) == ("chosen", "In der Liste gewählt")
    page = expert.post("/hl7/inboundmessage/", action="send_again", _selected_action=[row("DONE").pk])
    assert "None of these messages waits to be mended." in page
    assert 'name="action"' not in Desk(Role.ADMINISTRATOR).get("/hl7/inboundmessage/")


def test_a_replay_is_stopped_and_one_that_was_left_is_resumed(expert: Desk, send: Send, nudged: list[int]) -> None:
    for raw in later(2):
        send(raw)
    by = Actor(ActorKind.USER, "x", user_id=expert.user.pk)
    left = replaying.start(by=by, messages=[row("CA0").pk, row("CA1").pk], about="")
    Replay.objects.update(held_until=timezone.now() + timedelta(seconds=30))
    assert tasks.resume_replays() == 0, "somebody has it"
    Replay.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    assert tasks.resume_replays() == 2, "its process died"
    left.refresh_from_db()
    assert left.finished_at
    stopped = replaying.start(by=by, messages=[row("CA0").pk], about="")
    assert "The replay is being stopped." in expert.post(f"/hl7/inboundmessage/replay/{stopped.pk}/stop/")
    assert tasks.replay(stopped.pk) == 0
    assert f"Stopped by {expert.user}" in text_of(expert.get(f"/hl7/inboundmessage/replay/{stopped.pk}/"))


def test_a_message_that_was_applied_is_not_sent_again_as_it_is(send: Send) -> None:
    send(adt("A04", control_id="M1"))
    with refused(ForbiddenMove):
        replaying.send_again(by=factories.CLERK, message=row("M1"))
    with refused(ForbiddenMove):
        replaying.dismiss(by=factories.CLERK, message=row("M1"), reason="x")


def test_a_database_that_is_away_leaves_the_rest_for_later(
    send: Send, monkeypatch: pytest.MonkeyPatch, nudged: list[int]
) -> None:
    send(later(1)[0])
    replay = replaying.start(by=factories.CLERK, messages=[row("CA0").pk], about="")

    def away(*_: Any) -> bytes:
        return b""

    with monkeypatch.context() as broken:
        broken.setattr(intake, "receive", away)
        assert tasks.replay(replay.pk) == 0
    assert tasks.resume_replays() == 1


def test_what_came_is_received_only_once_per_sending(expert: Desk) -> None:
    intake.receive(WRONG_DATE, PEER)
    expert.post(at(row("BAD1"), "again"))
    assert [one.state for one in InboundMessage.objects.order_by("pk")] == [MessageState.FAILED] * 2


def test_an_earlier_attempt_is_not_taken_for_one_that_the_database_did_not_get(
    hospital: None, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(later(1)[0])
    assert replaying.send_again(by=factories.CLERK, message=row("CA0"))
    monkeypatch.setattr(intake, "receive", lambda *_: b"")
    assert replaying.send_again(by=factories.CLERK, message=row("CA0")) is None


def test_all_attempts_are_mended_however_many_there_were(hospital: None, send: Send) -> None:
    send(WRONG_DATE)
    message: InboundMessage | None = row("BAD1")
    for day in (b"20260231", b"20260431", b"20260631", b"20000229"):
        assert message
        message = replaying.send_again(by=factories.CLERK, message=message, raw=WRONG_DATE.replace(b"20260230", day))
    assert not InboundMessage.objects.filter(state=MessageState.FAILED).exists()


@pytest.fixture
def three_copies(hospital: None, send: Send) -> list[InboundMessage]:
    """A cancel that came three times, each time too early."""
    for _again in range(3):
        send(later(1)[0])
    copies = list(InboundMessage.objects.filter(control_id="CA0").order_by("pk"))
    send(orm("NW", placer="P0", control_id="NW0"))
    return copies


def settled(copies: list[InboundMessage]) -> set[tuple[str, str]]:
    for copy in copies:
        copy.refresh_from_db()
    return {(copy.state, copy.settled_reason) for copy in copies}


def test_copies_are_mended_when_the_sender_s_next_one_is_applied(
    three_copies: list[InboundMessage], send: Send
) -> None:
    assert send(later(1)[0])["MSA"].get("1") == "AA"
    last = InboundMessage.objects.latest("pk")
    assert settled(three_copies) == {(MessageState.MENDED, f"applied by message {last.pk}")}
    told = Event.objects.filter(kind=EventKind.MESSAGE_REPLAYED, cause=last.cause)
    assert {event.subject for event in told} == {f"hl7.inboundmessage:{copy.pk}" for copy in three_copies}
    assert {event.data["new"] for event in told} == {last.pk}
    page = text_of(Desk(Role.INFORMATICS).get(at(three_copies[0])))
    assert f"Applied by message {last.pk}" in page


def test_copies_are_mended_with_the_one_that_is_sent_again(three_copies: list[InboundMessage]) -> None:
    made = replaying.send_again(by=factories.CLERK, message=three_copies[1])
    assert made is not None
    by_copy = f"applied by message {made.pk}"
    assert settled(three_copies) == {(MessageState.MENDED, ""), (MessageState.MENDED, by_copy)}
    assert [event.data["new"] for event in Event.objects.filter(kind=EventKind.MESSAGE_REPLAYED)] == [made.pk] * 3


def test_copies_are_mended_with_the_one_that_is_edited(three_copies: list[InboundMessage]) -> None:
    raw = later(1)[0].replace(b"CA0", b"CA9")
    made = replaying.send_again(by=factories.CLERK, message=three_copies[1], raw=raw)
    assert made is not None
    assert {state for state, _reason in settled(three_copies)} == {MessageState.MENDED}


def test_what_was_mended_by_an_edited_one_is_a_repeat_when_its_sender_tries_again(hospital: None, send: Send) -> None:
    send(WRONG_DATE)
    first = replaying.send_again(
        by=factories.CLERK, message=row("BAD1"), raw=WRONG_DATE.replace(b"20260230", b"20260231")
    )
    assert first is not None
    made = replaying.send_again(by=factories.CLERK, message=first, raw=WRONG_DATE.replace(b"20260230", b"20000229"))
    assert made is not None
    events = Event.objects.count()
    assert send(WRONG_DATE)["MSA"].get("1") == "AA"
    last = InboundMessage.objects.latest("pk")
    assert (last.state, last.repeat_of, Event.objects.count()) == (MessageState.REPEATED, made, events)
    assert send(WRONG_DATE.replace(b"20260230", b"20260229"))["MSA"].get("1") == "AE", "another content is another one"


def test_only_the_same_content_of_the_same_sender_is_a_copy(three_copies: list[InboundMessage], send: Send) -> None:
    send(later(1)[0].replace(b"|HIS|", b"|LAB|", 1))
    send(later(1)[0].replace(b"CA|P0", b"CA|P9"))
    assert settled(three_copies) == {(MessageState.FAILED, "")}


def test_a_copy_that_was_interrupted_is_mended_by_the_one_that_came_after_it(hospital: None, send: Send) -> None:
    raw = adt("A04", control_id="M1")
    send(raw)
    applied = row("M1")
    cut_off = InboundMessage.objects.get(pk=applied.pk)
    cut_off.pk, cut_off.state = None, MessageState.RECEIVED
    cut_off.save(force_insert=True)
    InboundMessage.objects.filter(pk=cut_off.pk).update(received_at=timezone.now() - timedelta(minutes=2))
    assert tasks.flag_interrupted() == 1
    assert settled([cut_off]) == {(MessageState.MENDED, f"applied by message {applied.pk}")}


def test_an_edited_one_that_was_applied_before_stands_for_the_old_text_as_well(hospital: None, send: Send) -> None:
    send(WRONG_DATE)
    send(WRONG_DATE)
    copy = InboundMessage.objects.latest("pk")
    right = WRONG_DATE.replace(b"20260230", b"20000229")
    send(right)  # its sender has mended it, too
    applied = InboundMessage.objects.latest("pk")
    made = replaying.send_again(by=factories.CLERK, message=row("BAD1"), raw=right)
    assert made is not None
    assert (made.state, made.repeat_of) == (MessageState.REPEATED, applied)
    assert settled([copy]) == {(MessageState.MENDED, f"applied by message {applied.pk}")}
    assert send(WRONG_DATE)["MSA"].get("1") == "AA"
    last = InboundMessage.objects.latest("pk")
    assert (last.state, last.repeat_of) == (MessageState.REPEATED, applied)


def test_a_copy_that_was_interrupted_is_mended_by_the_edited_one_that_came_before_it(expert: Desk, send: Send) -> None:
    send(WRONG_DATE)
    cut_off = row("BAD1")
    made = replaying.send_again(
        by=factories.CLERK, message=row("BAD1"), raw=WRONG_DATE.replace(b"20260230", b"20000229")
    )
    assert made is not None
    cut_off.pk, cut_off.state = None, MessageState.RECEIVED
    cut_off.save(force_insert=True)
    InboundMessage.objects.filter(pk=cut_off.pk).update(received_at=timezone.now() - timedelta(minutes=2))
    assert tasks.flag_interrupted() == 1
    assert settled([cut_off]) == {(MessageState.MENDED, f"applied by message {made.pk}")}
    expert.post("/language", language="de")
    page = text_of(expert.get(at(cut_off)))
    assert f"Angewendet mit Nachricht {made.pk}" in page
    assert "applied by" not in page
