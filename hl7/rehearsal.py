"""What a message would do if it came now: the real handlers, in a transaction that is always undone.

Nothing stays: no row, no number of a series, no task for the clock (those are asked for after a commit, and there is
none). PostgreSQL counts primary keys on, which leaves gaps that nobody sees.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from hl7 import ack, handlers, intake, replies, settling, storing
from hl7.ack import Answer, Body, Condition, Header, Problem
from hl7.effects import Effect, Touched, effect_of
from hl7.endpoints import read_from
from hl7.message import Message, NotHL7
from hl7.models import InboundMessage
from hl7.undone import told
from hl7.values import FieldError
from ris import identifiers
from ris.models import Order, Patient
from ris.models.event import events_together
from ris.views.story import Change

log = logging.getLogger(__name__)

_BUSY = Problem(Condition.RECORD_LOCKED, "Somebody is changing the same patient or order at this moment. Try it again.")
_NO_EFFECT = Effect([], [], [])


@dataclass(frozen=True)
class Rehearsal:
    """What would happen.

    answer: as it would be sent, empty for a message that is an answer itself. code: of the application's answer,
    whether or not it would be sent. kept: it would be accepted and kept for a person, with the reason in the answer.
    done_by: the message with the same content that was applied before, if one was: whoever sends it again gets its
    answer, and nothing happens.
    """

    answer: bytes = b""
    code: Answer | None = None
    warnings: list[str] = field(default_factory=list)
    effect: Effect = _NO_EFFECT
    kept: bool = False
    done_by: InboundMessage | None = None


class _Undo(Exception):
    """Ends the transaction of a rehearsal."""


def rehearse(raw: bytes, peer: str) -> Rehearsal:
    """Return what the message would do if `peer` sent it now; changes nothing and never raises on what it holds."""
    try:
        message = read_from(raw, peer)
    except NotHL7:
        return _answered(Header(), Answer.REJECT, intake.NOT_HL7)
    header = replies.header_of(message)
    if message["MSA"] and not handlers.is_answer_with_effect(message):
        return Rehearsal()
    problem = intake.unusable(message)
    if problem is not None:
        return _answered(header, Answer.REJECT, problem)
    warnings = list(message.warnings)
    code, problem, effect, body = _tried(message, header, peer, warnings)
    kept = code == Answer.ACCEPT and problem is not None
    if not message["MSA"]:
        answered = _answered(header, code, problem, body, told(warnings))
    else:
        answered = Rehearsal(code=code)
        warnings += [problem.text] if problem else []
    return replace(answered, warnings=warnings, effect=effect, kept=kept, done_by=_done_by(raw, header))


def _answered(
    header: Header, code: Answer, problem: Problem | None, body: Body | None = None, undone: Sequence[Problem] = ()
) -> Rehearsal:
    return Rehearsal(ack.reply(header, code, timezone.localtime(), problem, body, undone).content, code)


def _tried(
    message: Message, header: Header, peer: str, warnings: list[str]
) -> tuple[Answer, Problem | None, Effect, Body | None]:
    """Apply the message and take it back; returns the answer with its problem, the effect, and the answer's body."""
    cause = f"rehearsal:{uuid4().hex}"
    by = intake.sender_of(header.sending_application, header.sending_facility, peer, cause)
    effect, body = _NO_EFFECT, None
    try:
        with identifiers.rehearsal() as numbers, transaction.atomic():
            _be_quick()
            with events_together():
                done = handlers.apply(message, by=by, warnings=warnings)
            body = replies.of_done(message, done)
            _check_at_once()
            effect = _as_it_would_be(effect_of(cause), numbers)
            raise _Undo
    except _Undo:
        return Answer.ACCEPT, None, _without_lost_pages(effect), body
    except handlers.Unsupported as unsupported:
        code, problem = Answer.REJECT, unsupported.problem
    except handlers.Undecided as undecided:
        code, problem = Answer.ACCEPT, undecided.problem
    except FieldError as error:
        code, problem, body = Answer.ERROR, error.problem, replies.of_refused(message)
    except (IntegrityError, OperationalError):
        code, problem = Answer.ERROR, _BUSY
    except Exception as error:
        log.error("a rehearsal failed", exc_info=error)
        code, problem = Answer.ERROR, intake.BUG
    return code, problem, _NO_EFFECT, body


def _be_quick() -> None:
    """Wait for nobody for long: a person looks at a page, and others wait for the locks that this one takes."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '5s'")


def _check_at_once() -> None:
    """Have the database check now what it checks at a commit, since there will be none."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def _as_it_would_be(effect: Effect, numbers: set[int]) -> Effect:
    """Say "new" where Bucky would make a number: which one is only known when it is made."""
    if not numbers:
        return effect
    made = re.compile(r"\b[A-Z]{1,4}\d*?(?:" + "|".join(f"{number:08d}|{number:07d}" for number in numbers) + r")\b")
    new = str(_("(new number)"))

    def said(text: str) -> str:
        return made.sub(new, text)

    rows = [
        Touched(
            row.kind,
            said(row.name),
            row.page,
            [said(what) for what in row.what],
            [Change(change.label, said(change.before), said(change.after)) for change in row.changes],
        )
        for row in effect.rows
    ]
    return replace(effect, rows=rows)


def _without_lost_pages(effect: Effect) -> Effect:
    """Leave out the pages of rows that were only there for the rehearsal."""
    patients = Patient.objects.in_bulk([patient.pk for patient in effect.patients])
    orders = Order.objects.in_bulk([order.pk for order in effect.orders])
    kept: set[object] = {*patients.values(), *orders.values()}
    rows = [row if row.page in kept else replace(row, page=None) for row in effect.rows]
    return Effect(rows, list(patients.values()), list(orders.values()))


def _done_by(raw: bytes, header: Header) -> InboundMessage | None:
    row = InboundMessage(
        sending_application=header.sending_application,
        sending_facility=header.sending_facility,
        control_id=header.control_id,
        content_hash=storing.content_hash(raw),
    )
    return settling.applied_for(row)
