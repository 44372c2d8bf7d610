"""Send HL7 messages from files, for people at a shell."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hl7.message import Message, NotHL7
from hl7.sender import NoAnswer, Sender
from ris.config import address

_WORDS = {"AA": "accepted", "AE": "refused", "AR": "not taken"}
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
        accepted = 0
        try:
            with Sender(receiver) as sender:
                for number, raw in enumerate(messages, start=1):
                    answer = sender.send(raw)
                    accepted += answer["MSA"].get("1") == "AA"
                    self.stdout.write(f"{number}/{len(messages)} {_in_words(answer)}")
        except NoAnswer:
            raise CommandError(f"{options['to']} closed the connection without an answer.") from None
        except NotHL7:
            raise CommandError(f"{options['to']} answered with something that is not HL7.") from None
        except OSError as error:
            raise CommandError(f"{options['to']}: {error.strerror or error}") from None
        if accepted < len(messages):
            raise CommandError(f"{len(messages) - accepted} of {len(messages)} message(s) were not accepted.")


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


def _in_words(answer: Message) -> str:
    """Say an answer as people read it: control ID, what happened, why and where. Names no patient."""
    msa, error = answer["MSA"], answer["ERR"]
    code = msa.get("1") or "?"
    text = f"{msa.get('2') or '(no control ID)'}: {_WORDS.get(code, 'answered')} ({code})"
    reason = error.get("8") or msa.get("3") or error.get("3.2") or error.get("1.4.2")
    return f"{text}: {reason}" if reason else text
