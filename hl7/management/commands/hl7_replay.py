"""Send messages of the inbox again, for people at a shell."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_date

from hl7 import replaying
from hl7.ack import Answer
from hl7.models import OPEN_STATES, InboundMessage
from hl7.progress import Bar
from hl7.readable import reason_of
from hl7.rehearsal import rehearse
from ris.actor import system
from ris.admin.filters import bounds


class Command(BaseCommand):
    """Send messages that failed or were kept again, in the order in which they came, or say what they would do."""

    help = "Send HL7 messages of the inbox again, as they are."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take row numbers, or what to look for."""
        parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER", help="row numbers, as in hl7:12")
        parser.add_argument("--state", choices=[state.value for state in OPEN_STATES], help="only those in this state")
        parser.add_argument("--type", default="", metavar="TYPE[^EVENT]", help="such as ADT^A08 or ORM")
        parser.add_argument("--sender", default="", help="sending application or facility")
        parser.add_argument(
            "--since", default="", metavar="YYYY-MM-DD", help="only those that came on this day or later"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Send or try; raises CommandError when not every message was, or would be, applied."""
        rows = _chosen(options)
        keys = list(replaying.once(rows).order_by("pk").values_list("pk", flat=True)[: replaying.MOST])
        left_out = [_why_not(number) for number in sorted({*options["numbers"]} - {*keys})]
        if not keys:
            raise CommandError("\n".join(left_out) or "No message that failed, was kept or was interrupted fits.")
        for line in left_out:
            self.stderr.write(line)
        applied = self._try(keys) if options["dry_run"] else self._send(keys)
        if applied < len(keys):
            verb = "would not be" if options["dry_run"] else "were not"
            raise CommandError(f"{len(keys) - applied} of {len(keys)} message(s) {verb} applied.")

    def _try(self, keys: list[int]) -> int:
        applied = 0
        for number, key in enumerate(keys, start=1):
            message = InboundMessage.objects.get(pk=key)
            rehearsal = rehearse(bytes(message.raw), message.peer)
            answer = reason_of(rehearsal.answer)
            applied += rehearsal.code == Answer.ACCEPT and not rehearsal.kept
            code = rehearsal.code if rehearsal.answer else "with nothing"
            said = f"{code}: {answer}" if answer else code
            self.stdout.write(f"{number}/{len(keys)} hl7:{key} would be answered {said}")
        return applied

    def _send(self, keys: list[int]) -> int:
        by = system("hl7_replay")
        replay = replaying.start(by=by, messages=keys, about="hl7_replay")
        bar = Bar(self.stderr, len(keys))
        replaying.work_off(replay.pk, by, bar.show)
        items = replay.items.select_related("result").order_by("message_id")
        applied = 0
        for number, item in enumerate(items, start=1):
            done = item.result is not None and item.result.state in replaying.DONE
            applied += done
            said = str(item.result.get_state_display()) if item.result else "left out"
            why = f": {item.result.error_text}" if item.result and not done else ""
            self.stdout.write(f"{number}/{len(keys)} hl7:{item.message_id} {said}{why}")
        replaying.advance()
        return applied


def _why_not(number: int) -> str:
    """Say why a message that was named is not sent again."""
    row = InboundMessage.objects.filter(pk=number).defer("raw", "answer").first()
    if row is None:
        return f"hl7:{number}: there is no such message."
    if row.state not in OPEN_STATES:
        reason = f" ({row.settled_reason})" if row.settled_reason else ""
        return f"hl7:{number} is {row.get_state_display()}{reason}: there is nothing to send again."
    if row.purged_at is not None:
        return f"hl7:{number}: its text was deleted, because it was kept long enough."
    return f"hl7:{number} is left out: it does not fit what else was asked for, or is an attempt of one that is sent."


def _chosen(options: dict[str, Any]) -> "QuerySet[InboundMessage]":
    wanted = ("numbers", "state", "type", "sender", "since")
    if not any(options[name] for name in wanted):
        raise CommandError("Say which messages: row numbers, --state, --type, --sender or --since.")
    rows = InboundMessage.objects.filter(state__in=[options["state"]] if options["state"] else OPEN_STATES)
    if options["numbers"]:
        rows = rows.filter(pk__in=options["numbers"])
    kind, _caret, event = options["type"].upper().partition("^")
    if kind:
        rows = rows.filter(message_type=kind, **({"event": event} if event else {}))
    if options["sender"]:
        rows = rows.filter(Q(sending_application=options["sender"]) | Q(sending_facility=options["sender"]))
    if options["since"]:
        try:
            day = parse_date(options["since"])
        except ValueError:
            day = None
        if day is None:
            raise CommandError(f"--since: {options['since']!r} is not a day such as 2026-01-31")
        rows = rows.filter(received_at__gte=bounds(day, day)[0])
    return rows
