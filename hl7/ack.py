"""Acknowledgements: what is answered, with MSA and ERR, in the version, delimiters and character set of the sender.

HL7 v2.5.1 sections 2.9.2 (original mode), 2.9.3 (enhanced mode), 2.15.8 (MSA), 2.15.5 (ERR); tables 0008, 0155, 0357,
0516. Written from the small tables below because an answer is on the road that every message takes; the tests check
each form with hl7apy (docs/decisions/acknowledgements.md).

The answer uses the sender's own delimiters: whoever writes others than the standard ones is sure to read them. Its
last segment ends with CR, as the standard has it (2.5.4), unless the sender leaves its own last one open: such senders
take what stands after the last CR for one more segment, and fail on an empty one.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from functools import lru_cache

from hl7 import mllp
from hl7.escapes import escape
from hl7.message import Delimiters, Message, NotHL7, read


class Answer(StrEnum):
    """Acknowledgment code (table 0008): of the application, and (enhanced mode only) of the safe storage before it."""

    ACCEPT = "AA"
    ERROR = "AE"
    REJECT = "AR"
    COMMIT_ACCEPT = "CA"
    COMMIT_ERROR = "CE"
    COMMIT_REJECT = "CR"


class Wanted(StrEnum):
    """When a sender wants an acknowledgment (table 0155; MSH-15 and MSH-16)."""

    ALWAYS = "AL"
    NEVER = "NE"
    ON_ERROR = "ER"
    ON_SUCCESS = "SU"


def _is_wanted(said: str, *, success: bool) -> bool:
    """Tell whether an acknowledgment is to be sent. A code that is not in the table counts as AL."""
    if said in ("", Wanted.NEVER):
        return False
    return said != (Wanted.ON_ERROR if success else Wanted.ON_SUCCESS)


class Condition(IntEnum):
    """Message error condition code (table 0357)."""

    SEGMENT_SEQUENCE = 100
    REQUIRED_FIELD_MISSING = 101
    DATA_TYPE = 102
    TABLE_VALUE_NOT_FOUND = 103
    VALUE_TOO_LONG = 104
    UNSUPPORTED_MESSAGE_TYPE = 200
    UNSUPPORTED_EVENT = 201
    UNSUPPORTED_PROCESSING_ID = 202
    UNSUPPORTED_VERSION = 203
    UNKNOWN_KEY = 204
    DUPLICATE_KEY = 205
    RECORD_LOCKED = 206
    INTERNAL_ERROR = 207


CONDITION_TEXT: dict[Condition, str] = {
    Condition.SEGMENT_SEQUENCE: "Segment sequence error",
    Condition.REQUIRED_FIELD_MISSING: "Required field missing",
    Condition.DATA_TYPE: "Data type error",
    Condition.TABLE_VALUE_NOT_FOUND: "Table value not found",
    Condition.VALUE_TOO_LONG: "Value too long",
    Condition.UNSUPPORTED_MESSAGE_TYPE: "Unsupported message type",
    Condition.UNSUPPORTED_EVENT: "Unsupported event code",
    Condition.UNSUPPORTED_PROCESSING_ID: "Unsupported processing id",
    Condition.UNSUPPORTED_VERSION: "Unsupported version id",
    Condition.UNKNOWN_KEY: "Unknown key identifier",
    Condition.DUPLICATE_KEY: "Duplicate key identifier",
    Condition.RECORD_LOCKED: "Application record locked",
    Condition.INTERNAL_ERROR: "Application internal error",
}

_KNOWN_FROM: dict[Condition, tuple[tuple[int, ...], Condition]] = {
    Condition.VALUE_TOO_LONG: ((2, 7), Condition.DATA_TYPE),
}
"""Conditions that table 0357 did not have from the start: since which version, and what is said before it."""

VERSIONS = ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9")
_DEFAULT_VERSION = "2.3.1"
_EVENT_FROM = (2, 2)
_STRUCTURE_FROM = (2, 3, 1)
_ERR_2_FROM = (2, 5)
_MSA_3_LENGTH = 80
_ECHOED = 180
"""Characters of a field of MSH that are sent back at most, as many as the inbox keeps."""
_CONTROL_ID_ECHOED = 255
"""The same for MSH-10, which has up to 199 in later versions, and by which the sender knows its message again."""
_NOT_THE_HEADER = (Condition.INTERNAL_ERROR, Condition.SEGMENT_SEQUENCE, Condition.VALUE_TOO_LONG)
_OF_THE_APPLICATION = (Answer.ACCEPT, Answer.ERROR, Answer.REJECT)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a message something is wrong (ERL): segment, which one of that name, field, component; from 1."""

    segment: str
    number: int = 1
    field: int = 0
    component: int = 0
    repetition: int = 1

    def __str__(self) -> str:
        text = self.segment if self.number == 1 else f"{self.segment}[{self.number}]"
        if self.field:
            text += f"-{self.field}"
        return f"{text}.{self.component}" if self.component else text


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a message: its code, words for a person (naming no patient), and the place if it has one."""

    condition: Condition
    text: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """What an answer needs to know of the message. The defaults are for bytes that have no readable MSH."""

    delimiters: Delimiters = field(default_factory=Delimiters)
    codec: str = "utf-8"
    sending_application: str = ""
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    event: str = ""
    control_id: str = ""
    processing_id: str = ""
    version: str = ""
    charset: str = ""
    terminated: bool = True
    accept: str = ""
    application: str = ""

    @property
    def enhanced(self) -> bool:
        """Whether the sender asks for enhanced mode: MSH-15 or MSH-16 says something."""
        return bool(self.accept or self.application)


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to the sender, in one piece: nothing, one message, or two with `mllp.BETWEEN` between them.

    code: of the last message; empty where there is none.
    """

    content: bytes = b""
    code: Answer | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """What an application's answer holds beside MSH, MSA and ERR: MSH-9, and the segments after these."""

    kind: tuple[str, str, str]
    lines: tuple[str, ...]


def header_of(message: Message) -> Header:
    """Take what an answer needs from MSH, as it was sent: the answer has the same delimiters."""
    msh = message["MSH"]
    return Header(
        delimiters=message.delimiters,
        codec=message.codec,
        sending_application=msh.field(3),
        sending_facility=msh.field(4),
        receiving_application=msh.field(5),
        receiving_facility=msh.field(6),
        event=msh.get("9.2") or "",
        control_id=msh.field(10),
        processing_id=msh.field(11),
        version=msh.get("12.1") or "",
        charset=msh.field(18),
        terminated=message.terminated,
        accept=(msh.get("15") or "").upper(),
        application=(msh.get("16") or "").upper(),
    )


def header_of_bytes(head: bytes) -> Header:
    """Read what can be read of MSH in the first bytes of a message that was not read whole."""
    try:
        return header_of(read(head.lstrip().split(b"\r", 1)[0].split(b"\n", 1)[0]))
    except NotHL7:
        return Header()


@lru_cache(maxsize=256)
def nearest_version(version: str) -> str:
    """Return the version of the table that is the same or the next one below; 2.3.1 when none is named."""
    sent = version_numbers(version)
    if not sent:
        return _DEFAULT_VERSION
    return max(
        (known for known in VERSIONS if version_numbers(known) <= sent), key=version_numbers, default=VERSIONS[0]
    )


def reply(
    header: Header,
    answer: Answer,
    now: datetime,
    problem: Problem | None = None,
    body: Body | None = None,
    undone: Sequence[Problem] = (),
) -> Reply:
    """Return what a sender is told of `answer` (AA, AE or AR) in the mode that it asks for.

    In enhanced mode the accept acknowledgment comes first, if MSH-15 wants it, then the application's as a message of
    its own, if MSH-16 wants it. A message that was not accepted gets no application acknowledgment, unless nothing
    else would tell of it. body: what the application's answer holds where it is more than ACK. undone: what an
    accepted message asks for and did not get.
    """
    if not header.enhanced:
        return Reply(acknowledge(header, answer, now, problem, body, undone), answer)
    commit = _commit(answer, problem)
    accepted = commit == Answer.COMMIT_ACCEPT
    codes = [commit] if _is_wanted(header.accept, success=accepted) else []
    if (accepted or not codes) and _is_wanted(header.application, success=answer == Answer.ACCEPT):
        codes.append(answer)
    messages = [
        acknowledge(
            header,
            code,
            now,
            None if code == Answer.COMMIT_ACCEPT else problem,
            body if code in _OF_THE_APPLICATION else None,
            undone if code in _OF_THE_APPLICATION else (),
        )
        for code in codes
    ]
    return Reply(mllp.BETWEEN.join(messages), codes[-1] if codes else None)


def _commit(answer: Answer, problem: Problem | None) -> Answer:
    """Return the accept acknowledgment: CR for a header not taken here, CE for what else keeps a message out."""
    if answer != Answer.REJECT:
        return Answer.COMMIT_ACCEPT
    kept_out = problem is not None and problem.condition in _NOT_THE_HEADER
    return Answer.COMMIT_ERROR if kept_out else Answer.COMMIT_REJECT


def acknowledge(
    header: Header,
    answer: Answer,
    now: datetime,
    problem: Problem | None = None,
    body: Body | None = None,
    undone: Sequence[Problem] = (),
) -> bytes:
    """Return one acknowledgment of one message, without its frame. `now` is aware and becomes MSH-7.

    Before 2.5 an ERR cannot say that it is a warning only, so what is undone stands in MSA-3, as far as there is room.
    """
    version = nearest_version(header.version)
    numbers = version_numbers(version)
    marks = header.delimiters
    msh = [
        f"MSH{marks.field}{marks.encoding}",
        header.receiving_application[:_ECHOED],
        header.receiving_facility[:_ECHOED],
        header.sending_application[:_ECHOED],
        header.sending_facility[:_ECHOED],
        now.strftime("%Y%m%d%H%M%S%z"),
        "",
        _message_type(header, numbers, body),
        secrets.token_hex(10),
        header.processing_id[:_ECHOED] or "P",
        version,
    ]
    wish = Wanted.NEVER if header.enhanced and answer in _OF_THE_APPLICATION else ""
    if wish or header.charset:
        msh += ["", "", wish, wish, "", header.charset[:_ECHOED]]
    msa = ["MSA", answer, header.control_id[:_CONTROL_ID_ECHOED]]
    errors = [problem] if problem is not None else list(undone)
    if errors and numbers < _ERR_2_FROM:
        msa.append(escape(errors[0].text[:_MSA_3_LENGTH], marks))
        errors = [problem] if problem is not None else []
    lines = [marks.field.join(msh), marks.field.join(msa)]
    severity = "W" if answer == Answer.ACCEPT else "E"
    lines += [marks.field.join(_err(one, marks, numbers, severity)) for one in errors]
    if body is not None:
        lines += body.lines
    if header.terminated:
        lines.append("")
    return "\r".join(lines).encode(header.codec, errors="backslashreplace")


def _message_type(header: Header, version: tuple[int, ...], body: Body | None) -> str:
    kind, event, structure = body.kind if body else ("ACK", escape(header.event[:_ECHOED], header.delimiters), "ACK")
    parts = [kind]
    if version >= _EVENT_FROM and event:
        parts.append(event)
        if version >= _STRUCTURE_FROM:
            parts.append(structure)
    return header.delimiters.component.join(parts)


def _err(problem: Problem, marks: Delimiters, version: tuple[int, ...], severity: str) -> list[str]:
    condition = problem.condition
    since, before = _KNOWN_FROM.get(condition, ((), condition))
    condition = condition if version >= since else before
    code, text = str(int(condition)), CONDITION_TEXT[condition]
    place = problem.place
    if version < _ERR_2_FROM:
        coded = marks.subcomponent.join((code, text, "HL70357"))
        spot = (place.segment, str(place.number), str(place.field or "")) if place else ("", "", "")
        return ["ERR", marks.component.join((*spot, coded))]
    coded = marks.component.join((code, text, "HL70357"))
    return ["ERR", "", _location(place, marks), coded, severity, "", "", "", escape(problem.text, marks)]


def _location(place: Place | None, marks: Delimiters) -> str:
    if place is None:
        return ""
    parts = [place.segment, str(place.number)]
    if place.field:
        parts += [str(place.field), str(place.repetition)]
        if place.component:
            parts.append(str(place.component))
    return marks.component.join(parts)


def version_numbers(version: str) -> tuple[int, ...]:
    """Return "2.3.1" as numbers that can be compared; none where it is no version."""
    try:
        return tuple(int(part) for part in version.strip().split("."))
    except ValueError:
        return ()
