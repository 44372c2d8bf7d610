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


def _is_over(found: list[Message]) -> bool:
    """Tell whether no further answer comes: the last one is the application's, or the message was not accepted."""
    return bool(found) and found[-1]["MSA"].get("1") != "CA"


class Sender:
    """One connection to a receiver. Use it as a context manager; times are in seconds."""

    def __init__(self, address: tuple[str, int], *, timeout: float = 30) -> None:
        """Connect. Raises OSError when nobody answers there."""
        self._socket = socket.create_connection(address, timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._frames = FrameReader(_LARGEST_ANSWER)
        self._answers: list[Message] = []
        self._earlier: set[str] = set()  # control IDs of messages whose answers are waited for no more

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

    def answers(self, message: bytes, *, patience: float = 2) -> list[Message]:
        """Send one message and return all its answers: in enhanced mode none, one or two (HL7 v2.5.1 section 2.9.3).

        patience: seconds to wait for an answer that may come or not, as with MSH-16 ER. A message that is an answer
        itself gets none. Raises as `write` and `answer` do.
        """
        sent = read(message)
        control_id, asked = sent["MSH"].field(10), [(sent["MSH"].get(field) or "").upper() for field in ("15", "16")]
        self.write(message)
        self._earlier.discard(control_id)
        found: list[Message] = []
        for said in [] if sent["MSA"] else asked if any(asked) else ["AL"]:
            if said not in ("", "NE") and not _is_over(found):
                answer = self._next(None if said == "AL" else patience)
                found += [answer] if answer is not None else []
        self._earlier.add(control_id)
        return found

    def _next(self, patience: float | None) -> Message | None:
        """Return the next answer that is to no earlier message; None where none came while there was patience."""
        usual = self._socket.gettimeout()
        self._socket.settimeout(patience or usual)
        try:
            while (answer := self.answer())["MSA"].field(2) in self._earlier:
                continue  # a late one, which was not waited for
        except TimeoutError:
            if patience is None:
                raise
            return None
        finally:
            self._socket.settimeout(usual)
        return answer

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
