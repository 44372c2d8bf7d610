"""hl7_replay: messages are sent again from a shell."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from hl7.models import InboundMessage, MessageState
from ris.models import Order
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
    with pytest.raises(CommandError, match=r"1 of 2 message\(s\) would not be applied"):
        replay("--type", "ORM^O01", "--dry-run")
    assert Order.objects.get().state != "CANCELED"
    assert replay(str(first.pk), "--dry-run") == f"1/1 hl7:{first.pk} would be answered AA\n"
    out = StringIO()
    with pytest.raises(CommandError, match=r"1 of 2 message\(s\) were not applied"):
        call_command("hl7_replay", "--sender", "HIS", "--since", "2020-01-01", stdout=out)
    assert f"2/2 hl7:{second.pk} failed: ORC-2: No order has this number." in out.getvalue()
    assert Order.objects.get().state == "CANCELED"
    first.refresh_from_db()
    assert (first.state, first.settled_by) == (MessageState.MENDED, None)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Say which messages"),
        (("999",), "No message that failed"),
        (("--since", "yesterday"), "is not a day such as"),
        (("--since", "2026-02-30"), "is not a day such as"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(db: None, words: tuple[str, ...], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        replay(*words)
