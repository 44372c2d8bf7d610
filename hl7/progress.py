"""How far a command is, in one line of the terminal that is written over and over."""

from django.core.management.base import OutputWrapper

WIDTH = 30
MANY = 20
"""Messages from which on a bar says more than a line for each."""


class Bar:
    """A bar for people who watch; nothing where nobody does, or where there is little to wait for."""

    def __init__(self, stream: OutputWrapper, total: int) -> None:
        """Take the stream of a command, which is a terminal where somebody watches, and how many steps there are."""
        self._stream = stream
        self._total = total
        self.shown = total >= MANY and stream.isatty()

    def show(self, done: int) -> None:
        """Say how many steps are done; after the last one the line is finished."""
        if self.shown:
            full = WIDTH * done // self._total
            end = "\n" if done >= self._total else ""
            self._write(f"\r[{'#' * full}{' ' * (WIDTH - full)}] {done}/{self._total}{end}")

    def clear(self) -> None:
        """Make room for a line that stays."""
        if self.shown:
            self._write("\r" + " " * (WIDTH + 2 * len(str(self._total)) + 4) + "\r")

    def _write(self, text: str) -> None:
        self._stream.write(text, lambda said: said, ending="")
        self._stream.flush()
