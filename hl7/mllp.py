"""MLLP framing without sockets: bytes in, frames out (HL7 v2 Transport, MLLP release 1, section 2).

A frame is VT (0x0B), the message, FS (0x1C), CR (0x0D). Real senders split and join frames anyhow, forget the CR,
write a line feed instead of it, and paste text from word processors that itself holds VT as a soft line break.
These rules read them all, and none depends on how TCP cut the bytes:

* Bytes between frames are ignored.
* FS followed by CR or LF ends the frame. FS followed by VT ends it too (the CR was forgotten).
* FS followed by anything else is part of the text. A cut there would apply half a message and call it whole.
* FS as the last byte so far waits. The listener calls `finish()` when nothing followed within a short grace,
  because a sender without CR now waits for its answer.
* VT inside a frame is part of the text, except before ``MSH``, ``FHS`` or ``BHS``: there a new frame begins, and the
  one before it, which never ended, is dropped. It gets no answer (its sender gave it up; an answer to it would be
  taken for the answer to the next). `FrameReader.dropped` counts these.
* A frame over the bound is reported at once with its first bytes, which carry MSH-10 for the answer. The reader then
  takes nothing more: the listener answers AR and closes, because the rest of a frame that is not kept cannot be
  told from the next one.
"""

import re
from dataclasses import dataclass

VT = b"\x0b"
FS = b"\x1c"
CR = b"\x0d"

BETWEEN = FS + CR + VT
"""What stands between two messages that leave in one piece: the end of one frame and the start of the next."""

HEAD_BYTES = 4096
_MARK = re.compile(rb"\x1c[\r\n\x0b]|\x0b(?=MSH|FHS|BHS)")
_LONGEST_MARK = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """What stood between VT and FS. Of an oversized frame only the first bytes are kept."""

    content: bytes
    oversized: bool = False


def frame(content: bytes) -> bytes:
    """Wrap one message for the wire."""
    return VT + content + FS + CR


class FrameReader:
    """Cut a stream of bytes into frames; holds at most `max_bytes` and one chunk of an unfinished frame."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._scanned = 0  # bytes of the buffer that cannot hold an end any more
        self._inside = False
        self._refusing = False
        self.dropped = 0

    @property
    def inside(self) -> bool:
        """True while a frame has begun and not ended: its deadline runs."""
        return self._inside

    @property
    def awaits_cr(self) -> bool:
        """True when the last byte was an FS: the frame is whole but for its CR."""
        return self._inside and self._buffer.endswith(FS)

    @property
    def refusing(self) -> bool:
        """True after an oversized frame: nothing more is read from this connection."""
        return self._refusing

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes of the stream and return the frames that they completed, in order."""
        if self._refusing:
            return []
        self._buffer += data
        frames: list[Frame] = []
        while True:
            if not self._inside and not self._find_start():
                return frames
            found = self._find_end()
            if found is None:
                if len(self._buffer) > self._max_bytes + _LONGEST_MARK - 1:  # no mark can still begin within the bound
                    frames.append(self._refuse())
                return frames
            frames.append(found)
            if found.oversized:
                return frames

    def finish(self) -> list[Frame]:
        """End a frame whose FS came and whose CR did not (see `awaits_cr`)."""
        if not self.awaits_cr:
            return []
        return [self._take(len(self._buffer) - 1, len(self._buffer))]

    def _find_start(self) -> bool:
        start = self._buffer.find(VT)
        if start < 0:
            self._buffer.clear()
            return False
        del self._buffer[: start + 1]
        self._inside = True
        self._scanned = 0
        return True

    def _find_end(self) -> Frame | None:
        """Return the frame that ends in the buffer, after dropping what a new start makes void."""
        while mark := _MARK.search(self._buffer, self._scanned):
            if mark.start() > self._max_bytes:
                return self._refuse()
            if mark[0] != VT:
                return self._take(mark.start(), mark.end() - 1 if mark[0].endswith(VT) else mark.end())
            del self._buffer[: mark.end()]
            self._scanned = 0
            self.dropped += 1
        self._scanned = max(0, len(self._buffer) - _LONGEST_MARK + 1)
        return None

    def _take(self, end: int, resume: int) -> Frame:
        content = bytes(self._buffer[:end])
        del self._buffer[:resume]
        self._scanned = 0
        self._inside = False
        return Frame(content)

    def _refuse(self) -> Frame:
        head = bytes(self._buffer[: min(HEAD_BYTES, self._max_bytes)])
        self._buffer.clear()
        self._refusing = True
        self._inside = False
        return Frame(head, oversized=True)
