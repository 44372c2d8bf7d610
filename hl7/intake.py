"""The road of a message: bytes in, answer out. No sockets here; the listener calls `receive` from its threads.

1. The raw bytes are stored in a commit of their own (storing.py).
2. A repeat of an applied message gets the answer that the first one got.
3. One transaction applies the message, and stores its answer with it.
4. AA leaves only after that commit, and so does CA: whoever has it never sends the message again.

What the department refuses is rolled back and answered AE with the place of the fault. What we cannot take (type not
supported, header unusable, database away) is answered AR. Nothing that was answered AA is ever lost or done twice.
"""

import logging
import time
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from hl7 import ack, handlers, ordering, replies, settling
from hl7.ack import Answer, Body, Condition, Header, Place, Problem, Reply
from hl7.endpoints import read_from
from hl7.message import Message, NotHL7
from hl7.models import InboundMessage, MessageState
from hl7.storing import APPLIED, OPEN, Twin, content_hash, store, twins_of
from hl7.undone import told
from hl7.values import FieldError
from ris.actions import catalogue
from ris.actor import Actor, ActorKind
from ris.models import Order, Patient, PatientIdentifier, RequestedProcedure, ScheduledProcedureStep, Visit
from ris.models.event import events_together
from ris.models.statements import update
from ris.models.waiting import Group, Keys, writes_together

log = logging.getLogger(__name__)

_ATTEMPTS = 3
_REGISTERED: Group = (Patient, PatientIdentifier, Visit)
_ORDERED: Group = (Order, RequestedProcedure, ScheduledProcedureStep)
_OFTEN_NEW = dict.fromkeys(("A01", "A04", "A05", "A28"), _REGISTERED) | dict.fromkeys(("O01", "O19", "O23"), _ORDERED)
"""Event -> rows that its messages mostly make."""
_LONGEST = {field.name: field.max_length for field in InboundMessage._meta.concrete_fields}
# Two transactions got in each other's way; the second attempt finds what the other one did.
_CONFLICTS = {"40001", "40P01", "55P03"}
_LIMIT_EXCEEDED = "54"  # class of PostgreSQL's codes
_SQLITE_LIMITS = ("Expression tree is too large", "too many SQL variables", "parser stack overflow")
_AWAY = Problem(Condition.INTERNAL_ERROR, "The message could not be stored now. Send it again later.")
BUG = Problem(Condition.INTERNAL_ERROR, "The message could not be applied. It is kept for a person to look at.")
_EARLIER = Problem(
    Condition.RECORD_LOCKED, "An earlier message about this patient waits for a person. This one is applied after it."
)
_TOO_MUCH = Problem(Condition.DATA_TYPE, "The message holds more than can be applied at once.")
NOT_HL7 = Problem(Condition.SEGMENT_SEQUENCE, "The message does not begin with an MSH segment.", Place("MSH"))
_NO_CONTROL_ID = Problem(
    Condition.REQUIRED_FIELD_MISSING, "MSH-10: a message needs a control ID.", Place("MSH", field=10)
)
_TWO_MESSAGES = Problem(
    Condition.SEGMENT_SEQUENCE, "There is more than one MSH segment in the frame.", Place("MSH", number=2)
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message comes from that no sender sent: the message that it stands for, and who sent it again."""

    replay_of: int
    entered_by: int | None


_FREE_OF_ERROR: dict[str, Any] = {"error_code": None, "error_text": "", "error_place": ""}


@dataclass(slots=True)
class _Case:
    """One message on its way."""

    row: InboundMessage
    header: Header
    started: float
    message: Message | None = None
    warnings: list[str] = field(default_factory=list)
    twins: list[Twin] = field(default_factory=list)
    keys: Keys = field(default_factory=dict)  # for rows that it may make
    resumed: bool = False  # it was answered when it came, and waited

    @property
    def open_copy(self) -> int | None:
        """The first message with the same content that failed, was kept or was interrupted."""
        return next((twin.key for twin in self.twins if twin.same and twin.fate == OPEN), None)

    def answer(self, code: Answer, problem: Problem | None = None, body: Body | None = None) -> Reply:
        """Return what goes back; nothing to an answer, which is never answered."""
        if self.message is not None and self.message["MSA"]:
            return Reply()
        return ack.reply(self.header, code, timezone.localtime(), problem, body, told(self.warnings))

    def settle(self, state: MessageState, answer: Reply, **more: Any) -> bytes:
        """Write what became of the message; returns what goes back to the sender."""
        values = {
            "state": state,
            "answer": answer.content,
            "answer_code": answer.code or "",
            "warnings": self.warnings,
            "milliseconds": round((time.perf_counter() - self.started) * 1000, 3),
        } | more
        if self.resumed:
            values = _FREE_OF_ERROR | values
            for kept in ("answer", "answer_code", "milliseconds"):
                del values[kept]
        for name, value in values.items():
            setattr(self.row, name, value)
        update(self.row, values)
        return answer.content


def receive(raw: bytes, peer: str, origin: Origin | None = None) -> bytes:
    """Take one message and return its answer; empty when it is an answer itself, which is never answered.

    raw: what stood in the frame. peer: network address of the sender. origin: given when a person sends it again.
    Never raises on what a sender can cause.
    """
    started = time.perf_counter()
    header, message = Header(), None
    try:
        message = read_from(raw, peer)
        header = replies.header_of(message)
        row, twins, keys = _store(raw, peer, header, message, origin)
        return _process(_Case(row, header, started, message, list(message.warnings), twins, keys))
    except NotHL7:
        return _refuse(raw, peer, header, NOT_HL7, started, origin)
    except (OperationalError, InterfaceError) as error:
        return _away(header, error)


def refuse_oversized(head: bytes, peer: str) -> bytes:
    """Answer a message of which only the first bytes were read, because it is over the size bound."""
    text = f"The message is larger than {settings.BUCKY_MLLP_MAX_BYTES} bytes. Sending it again does not help."
    problem = Problem(Condition.VALUE_TOO_LONG, text)
    return _refuse(head, peer, ack.header_of_bytes(head), problem, time.perf_counter())


def _refuse(
    raw: bytes, peer: str, header: Header, problem: Problem, started: float, origin: Origin | None = None
) -> bytes:
    try:
        row, *_ = _store(raw, peer, header, None, origin)
        return _reject(_Case(row, header, started), MessageState.FAILED, problem)
    except (OperationalError, InterfaceError) as error:
        return _away(header, error)


def _away(header: Header, error: Exception) -> bytes:
    """Answer while the database cannot be used; the next message tries a new connection."""
    log.error("the database is away (%s): a message was answered AR", type(error).__name__)
    _hang_up()
    return ack.reply(header, Answer.REJECT, timezone.localtime(), _AWAY).content


def _hang_up() -> None:
    if not connection.in_atomic_block:
        connection.close()


def _store(
    raw: bytes, peer: str, header: Header, message: Message | None, origin: Origin | None = None
) -> tuple[InboundMessage, list[Twin], Keys]:
    """Store the bytes as they came; returns the row, the messages that were applied under its control ID, and keys.

    A connection that went stale since the last message is made anew, once.
    """
    values: dict[str, Any] = {
        "raw": raw,
        "peer": peer,
        "sending_application": header.sending_application,
        "sending_facility": header.sending_facility,
        "control_id": header.control_id,
        "event": header.event,
        "version": header.version,
        "charset": header.charset,
        "content_hash": content_hash(raw),
    }
    if message is not None:
        values["message_type"], values["event"] = handlers.kind(message)
        values["endpoint_id"] = message.dialect.endpoint
    if origin is not None:
        values["replay_of_id"], values["entered_by_id"] = origin.replay_of, origin.entered_by
    for name, value in values.items():
        if isinstance(value, str):
            values[name] = value.replace("\x00", "")[: _LONGEST[name]]
    row = InboundMessage(**values)
    to_come = _OFTEN_NEW.get(row.event, ())
    try:
        return row, *store(row, to_come)
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        _hang_up()
        return row, *store(row, to_come)


def _process(case: _Case) -> bytes:
    assert case.message is not None
    if case.message["MSA"] and not handlers.is_answer_with_effect(case.message):
        return case.settle(MessageState.KEPT, Reply())
    problem = unusable(case.message)
    if problem is not None:
        return _reject(case, MessageState.FAILED, problem)
    settled = _repeat(case, case.twins)
    if settled is None:
        settled = _wait(case)
    return _apply(case) if settled is None else settled


def unusable(message: Message) -> Problem | None:
    """Return what keeps a message out before anybody looks at what it says; None when nothing does."""
    if not message["MSH"].field(10):
        return _NO_CONTROL_ID
    return _TWO_MESSAGES if len(message.all("MSH")) > 1 else None


def _repeat(case: _Case, twins: list[Twin]) -> bytes | None:
    """Answer a message that was applied before as it was answered then; None when it is new."""
    earlier = settling.effect_of(case.row, twins)
    if earlier is not None:
        case.warnings = []
        code, content = earlier.answer_code, bytes(earlier.answer)
        answer = Reply(content, Answer(code) if code else None)
        # The answer to an edited one is not to this one; and an old one was perhaps not kept.
        if code and (not content or earlier.content_hash != case.row.content_hash):
            answer = case.answer(Answer.ACCEPT)
        return case.settle(MessageState.REPEATED, answer, repeat_of_id=earlier.pk)
    text = "the control ID was used before by a message with another content"
    if any(twin.fate == APPLIED for twin in twins) and text not in case.warnings:
        case.warnings.append(text)
    return None


def _wait(case: _Case) -> bytes | None:
    """Have a message wait while an earlier one of its patient does; None when it need not.

    It is accepted: it is safe here, and its sender can do nothing about it.
    """
    assert case.message is not None
    if not ordering.waits(case.message) or case.row.replay_of_id is not None:
        return None
    earlier = ordering.holder_of(case.message, before=case.open_copy)  # it takes the place of its copies
    if earlier is None:
        return None
    with transaction.atomic():
        ordering.hold(case.row, case.message)
        answer = case.settle(MessageState.WAITING, case.answer(Answer.ACCEPT, _EARLIER), **_columns(_EARLIER))
    log.info("message %d waits for message %d", case.row.pk, earlier)
    return answer


def resume(key: int) -> bool:
    """Apply a message that waited, if none holds it up any more; tells whether its turn had come.

    What became of it is not sent to anybody: its sender was answered when it came. Raises what Django raises when the
    database goes away; the message waits on.
    """
    started = time.perf_counter()
    with transaction.atomic():
        row = InboundMessage.objects.select_for_update().filter(pk=key, state=MessageState.WAITING).first()
        if row is None:
            return False
        message = read_from(bytes(row.raw), row.peer)
        if ordering.holder_of(message, before=row.pk) is not None:
            return False
        warnings, twins = list(message.warnings), twins_of(row)
        case = _Case(row, replies.header_of(message), started, message, warnings, twins, resumed=True)
        if _repeat(case, twins) is None:
            _apply(case)
        if row.state not in (MessageState.FAILED, MessageState.KEPT):
            ordering.release([row.pk])
    return True


def _apply(case: _Case) -> bytes:
    """Apply the message, in as many attempts as other connections get in its way."""
    assert case.message is not None
    row = case.row
    sender = sender_of(row.sending_application, row.sending_facility, row.peer, row.cause)
    actor = replace(sender, user_id=row.entered_by_id)
    before = list(case.warnings)
    for attempt in range(1, _ATTEMPTS + 1):
        last = attempt == _ATTEMPTS
        if attempt > 1:
            catalogue.forget()  # a row of it may have gone
        case.warnings = list(before)
        try:
            with transaction.atomic(), writes_together(_REGISTERED, _ORDERED, keys=case.keys):
                with events_together():
                    done = handlers.apply(case.message, by=actor, warnings=case.warnings)
                body = replies.of_done(case.message, done)
                state = MessageState.APPLIED_WITH_WARNINGS if case.warnings else MessageState.APPLIED
                answer = case.settle(state, case.answer(Answer.ACCEPT, body=body))
                if case.open_copy:
                    settling.close_copies(row, by=actor, applied=row, without=[row.replay_of_id])
                return answer  # which is after the commit
        except handlers.Unsupported as unsupported:
            if case.resumed:
                ordering.release([case.row.pk])  # its effect would never come
            return _reject(case, MessageState.KEPT, unsupported.problem)
        except handlers.Undecided as undecided:
            return _keep(case, undecided.problem)
        except FieldError as error:
            twin = _repeat(case, twins_of(row))
            if twin is not None:
                return twin
            # A duplicate may be the work of another connection a moment ago: what it made is found the second time.
            if attempt > 1 or error.problem.condition != Condition.DUPLICATE_KEY:
                return _fail(case, error.problem)
        except IntegrityError as error:
            twin = _repeat(case, twins_of(row))
            if twin is not None:
                return twin
            if last:
                return _bug(case, error)
        except (OperationalError, InterfaceError) as error:
            if _is_too_much(error):
                return _fail(case, _TOO_MUCH)
            if last or getattr(error.__cause__, "pgcode", None) not in _CONFLICTS:
                raise
        except Exception as error:
            return _bug(case, error)
    raise AssertionError("every attempt returns or raises")


def _is_too_much(error: Exception) -> bool:
    """Tell whether a database refuses a statement for its size: it is not away, and later will not be better."""
    code = getattr(error.__cause__, "pgcode", None) or ""
    return code.startswith(_LIMIT_EXCEEDED) or str(error).startswith(_SQLITE_LIMITS)


def sender_of(application: str, facility: str, address: str, cause: str) -> Actor:
    """Return who acts when a message is applied: its sender."""
    return Actor(ActorKind.HL7, f"{application}|{facility}"[:150], address=address, cause=cause)


def _fail(case: _Case, problem: Problem) -> bytes:
    body = replies.of_refused(case.message) if case.message is not None else None
    answer = _hold(case, MessageState.FAILED, case.answer(Answer.ERROR, problem, body), problem)
    done = "was answered AE" if answer else "failed with"
    log.warning("message %d %s %d at %s", case.row.pk, done, problem.condition, problem.place or "no place")
    return answer


def _reject(case: _Case, state: MessageState, problem: Problem) -> bytes:
    answer = case.settle(state, case.answer(Answer.REJECT, problem), **_columns(problem))
    log.warning("message %d was answered AR %d", case.row.pk, problem.condition)
    return answer


def _keep(case: _Case, problem: Problem) -> bytes:
    """Accept a message that is safe here and had no effect yet: whoever sent it cannot do anything about it."""
    answer = _hold(case, MessageState.KEPT, case.answer(Answer.ACCEPT, problem), problem)
    log.warning("message %d is kept for a person: %s", case.row.pk, problem.place or "no place")
    return answer


def _hold(case: _Case, state: MessageState, answer: Reply, problem: Problem) -> bytes:
    """Settle a message that waits for a person, and have later ones of its patient wait where the endpoint says so."""
    if case.message is None or case.resumed or case.row.replay_of_id is not None or not ordering.waits(case.message):
        return case.settle(state, answer, **_columns(problem))
    with transaction.atomic():
        ordering.hold(case.row, case.message)
        return case.settle(state, answer, **_columns(problem))


def _bug(case: _Case, error: Exception) -> bytes:
    """A fault of ours: the message is kept, the sender is told not to wait, and the log gets the places in the code."""
    log.error("message %d could not be applied", case.row.pk, exc_info=error)
    return _fail(case, BUG)


def _columns(problem: Problem) -> dict[str, Any]:
    return {
        "error_code": int(problem.condition),
        "error_text": problem.text[:250],
        "error_place": str(problem.place or "")[:32],
    }
