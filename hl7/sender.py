"""An MLLP client: sends a message and waits for its answer."""

import socket
from types import TracebackType
from typing import Self

from hl7.message import Message, read
from hl7.mllp import FrameReader, frame

_CHUNK = 65536
_LARGEST_ANSWER = 1 << 20


class NoAnswer(ConnectionError):
    """The receiver closed the connection, or sent something that is no answer."""


class Sender:
    """One connection to a receiver. Use it as a context manager; times are in seconds."""

    def __init__(self, address: tuple[str, int], *, timeout: float = 30) -> None:
        """Connect. Raises OSError when nobody answers there."""
        self._socket = socket.create_connection(address, timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._frames = FrameReader(_LARGEST_ANSWER)
        self._answers: list[Message] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def write(self, *messages: bytes) -> None:
        """Send messages without waiting for their answers."""
        self._socket.sendall(b"".join(map(frame, messages)))

    def answer(self) -> Message:
        """Return the next answer. Raises NoAnswer when there is none to come, TimeoutError when it takes too long."""
        while not self._answers:
            data = self._socket.recv(_CHUNK)
            if not data:
                raise NoAnswer
            for found in self._frames.feed(data):
                if found.oversized:
                    raise NoAnswer
                self._answers.append(read(found.content))
        return self._answers.pop(0)

    def send(self, message: bytes) -> Message:
        """Send one message and return its answer; raises as `write` and `answer` do."""
        self.write(message)
        return self.answer()
