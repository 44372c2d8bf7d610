"""A sender that keeps what it sends until it is answered, as senders in hospitals do."""

import time

from hl7.sender import Sender
from ris.config import Address


def send_until_accepted(door: Address, message: bytes, *, seconds: float = 60) -> None:
    """Send one message as often as it takes until it is answered AA, with new connections where one breaks."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with Sender(door) as sender:
                if sender.send(message)["MSA"].get("1") == "AA":
                    return
        except OSError:
            time.sleep(0.05)  # the door is closed: knock again
    raise AssertionError(f"not accepted within {seconds} s")
