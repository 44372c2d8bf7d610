"""hl7_replay: messages are sent again from a shell."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.utils import timezone

from hl7 import intake
from hl7.models import InboundMessage, MessageState
from hl7.progress import MANY, WIDTH, Bar
from ris.models import Order
from tests.hl7.conftest import PEER
from tests.hl7.stories import Send
from tests.messages import orm


def replay(*words: str) -> str:
    out = StringIO()
    call_command("hl7_replay", *words, stdout=out)
    return out.getvalue()


def test_messages_are_tried_and_sent_again_from_a_shell(send: Send) -> None:
    send(orm("CA", placer="P1", control_id="CA1"))
    send(orm("CA", placer="P2", control_id="CA2"))
    first, second = InboundMessage.objects.order_by("pk")
    send(orm("NW", placer="P1"))
    out = StringIO()
    with pytest.raises(CommandError, match=r"1 of 2 message\(s\) would not be applied"):
        call_command("hl7_replay", "--type", "ORM^O01", "--dry-run", stdout=out)
    assert f"2/2 hl7:{second.pk} would be answered AE: ORC-2: No order has this number.\n" in out.getvalue()
    assert Order.objects.get().state != "CANCELED"
    assert replay(str(first.pk), "--dry-run") == f"1/1 hl7:{first.pk} would be answered AA\n"
    out = StringIO()
    with pytest.raises(CommandError, match=r"1 of 2 message\(s\) were not applied"):
        call_command("hl7_replay", "--sender", "HIS", "--since", "2020-01-01", stdout=out)
    assert f"2/2 hl7:{second.pk} failed: ORC-2: No order has this number." in out.getvalue()
    assert Order.objects.get().state == "CANCELED"
    first.refresh_from_db()
    assert (first.state, first.settled_by) == (MessageState.MENDED, None)
    with pytest.raises(CommandError, match=f"hl7:{first.pk} is mended by a later one: there is nothing to send again"):
        replay(str(first.pk))
    err = StringIO()
    with pytest.raises(CommandError, match="1 of 1"):
        call_command("hl7_replay", str(first.pk), str(second.pk), stdout=StringIO(), stderr=err)
    assert f"hl7:{first.pk} is mended by a later one" in err.getvalue()


def test_what_fails_again_is_sent_once_the_next_time(send: Send) -> None:
    send(orm("CA", placer="P1"))
    send(orm("CA", placer="P2"))
    for rows in (4, 6, 8):
        with pytest.raises(CommandError, match="2 of 2"):
            replay("--state", "failed")
        assert InboundMessage.objects.count() == rows
    with pytest.raises(CommandError, match="1 of 1"):
        replay(str(InboundMessage.objects.latest("pk").pk))
    InboundMessage.objects.update(purged_at=timezone.now())
    with pytest.raises(CommandError, match="No message"):
        replay("--state", "failed")


class Terminal(StringIO):
    """A screen that somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_many_are_sent_again_with_a_bar(send: Send) -> None:
    for number in range(MANY):
        send(orm("CA", placer=f"P{number}"))
    screen = Terminal()
    with pytest.raises(CommandError, match=f"{MANY} of {MANY}"):
        call_command("hl7_replay", "--state", "failed", stdout=StringIO(), stderr=screen)
    lines = screen.getvalue().split("\r")
    assert lines[MANY // 2] == f"[{'#' * (WIDTH // 2)}{' ' * (WIDTH // 2)}] {MANY // 2}/{MANY}"
    assert lines[-1] == f"[{'#' * WIDTH}] {MANY}/{MANY}\n"
    Bar(OutputWrapper(screen), MANY).clear()
    assert screen.getvalue().endswith("\r" + " " * (WIDTH + 8) + "\r")
    assert not Bar(OutputWrapper(screen), MANY - 1).shown, "a few lines say more"
    assert not Bar(OutputWrapper(StringIO()), MANY).shown, "nobody looks"


@pytest.mark.parametrize("asked", [b"AL|NE", b"NE|NE", b"AL|AL"])
def test_what_would_be_applied_does_not_depend_on_what_is_answered(send: Send, asked: bytes) -> None:
    intake.receive(orm("CA", placer="P1").replace(b"|P|2.5.1||||", b"|P|2.5.1|||" + asked), PEER)
    send(orm("NW", placer="P1"))
    said = replay("--state", "failed", "--dry-run")
    assert said.startswith("1/1 hl7:")
    assert ("with nothing" in said) == (asked == b"NE|NE")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Say which messages"),
        (("999",), "hl7:999: there is no such message"),
        (("--since", "yesterday"), "is not a day such as"),
        (("--since", "2026-02-30"), "is not a day such as"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(db: None, words: tuple[str, ...], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        replay(*words)
