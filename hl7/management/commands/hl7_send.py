"""Send HL7 messages from files, for people at a shell."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hl7.message import Message, NotHL7, read
from hl7.progress import Bar
from hl7.readable import reason_of
from hl7.sender import NoAnswer, Sender
from ris.config import address

_WORDS = {
    "AA": "accepted",
    "AE": "refused",
    "AR": "not taken",
    "CA": "stored",
    "CE": "not stored",
    "CR": "not taken",
}
_GOOD = ("AA", "CA")
_BEGIN = re.compile(rb"(?:^|[\r\n\x0b])(?=MSH)")
_FRAME = bytes.maketrans(b"\x0b\x1c", b"\r\r")


class Command(BaseCommand):
    """Send every message of the files over one connection and say what was answered."""

    help = "Send HL7 messages from files to an MLLP receiver and show the answers."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take files and a receiver."""
        parser.add_argument(
            "files", nargs="+", metavar="FILE", help="one message a file, or many, each beginning with MSH"
        )
        parser.add_argument("--to", default=str(settings.BUCKY_MLLP), metavar="HOST:PORT", help="receiver (this Bucky)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Send; raises CommandError when not every message was accepted."""
        try:
            receiver = address(options["to"])
        except ValueError as reason:
            raise CommandError(f"--to: {options['to']!r} {reason}") from None
        messages = [found for name in options["files"] for found in _messages_in(name)]
        if not messages:
            raise CommandError("The files hold no message: none begins with MSH.")
        try:
            with Sender(receiver) as sender:
                accepted = self._send(sender, messages)
        except NoAnswer:
            raise CommandError(f"{options['to']} closed the connection without an answer.") from None
        except NotHL7:
            raise CommandError(f"{options['to']} answered with something that is not HL7.") from None
        except OSError as error:
            raise CommandError(f"{options['to']}: {error.strerror or error}") from None
        if accepted < len(messages):
            raise CommandError(f"{len(messages) - accepted} of {len(messages)} message(s) were not accepted.")

    def _send(self, sender: Sender, messages: list[bytes]) -> int:
        """Send all; where a bar shows how far it is, only what was not accepted gets a line."""
        accepted = 0
        bar = Bar(self.stderr, len(messages))
        for number, raw in enumerate(messages, start=1):
            answers = sender.answers(raw)
            good = not answers or answers[-1]["MSA"].get("1") in _GOOD
            accepted += good
            if not (good and bar.shown):
                bar.clear()
                said = ", ".join(map(_in_words, answers)) or "no answer, as it asked for none"
                self.stdout.write(f"{number}/{len(messages)} {_name(raw)}: {said}")
            bar.show(number)
        if bar.shown:
            self.stdout.write(f"{accepted} of {len(messages)} message(s) were accepted.")
        return accepted


def _messages_in(name: str) -> Iterator[bytes]:
    """Cut a file into messages; one that was recorded from the wire may still hold its frames."""
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None
    parts = _BEGIN.split(content.translate(_FRAME).removeprefix(b"\xef\xbb\xbf"))
    for part in parts:
        text = part.strip(b"\r\n")
        if text.startswith(b"MSH"):
            yield text + b"\r"


def _name(raw: bytes) -> str:
    return read(raw)["MSH"].get("10") or "(no control ID)"


def _in_words(answer: Message) -> str:
    """Say an answer as people read it: what happened, why and where. Names no patient."""
    code = answer["MSA"].get("1") or "?"
    text = f"{_WORDS.get(code, 'answered')} ({code})"
    reason = reason_of(answer)
    return f"{text}: {reason}" if reason else text
