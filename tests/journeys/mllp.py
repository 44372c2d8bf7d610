"""A sender that keeps what it sends until it is answered, as senders in hospitals do."""

import socket
import time
from types import TracebackType
from typing import Self

from hl7.message import Message, read
from hl7.mllp import FrameReader, frame
from ris.config import Address


class Sender:
    """One connection to the HL7 door."""

    def __init__(self, door: Address, *, seconds: float = 30) -> None:
        """Connect."""
        self._socket = socket.create_connection(door, timeout=seconds)
        self._frames = FrameReader(1_000_000)
        self._waiting: list[Message] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def write(self, *messages: bytes) -> None:
        """Send messages without waiting for their answers."""
        self._socket.sendall(b"".join(map(frame, messages)))

    def answer(self) -> Message:
        """Return the next answer; raises ConnectionError when the door has closed."""
        while not self._waiting:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError
            self._waiting += [read(found.content) for found in self._frames.feed(data)]
        return self._waiting.pop(0)

    def ask(self, message: bytes) -> str:
        """Send one message and return MSA-1 of its answer."""
        self.write(message)
        return self.answer()["MSA"].get("1") or ""


def send_until_accepted(door: Address, message: bytes, *, seconds: float = 60) -> None:
    """Send one message as often as it takes until it is answered AA, with new connections where one breaks."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with Sender(door) as sender:
                if sender.ask(message) == "AA":
                    return
        except OSError:
            time.sleep(0.05)  # the door is closed: knock again
    raise AssertionError(f"not accepted within {seconds} s")
