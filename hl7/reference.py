"""docs/reference/hl7.md, printed from the tables of this door."""

from collections.abc import Iterable, Mapping

from hl7 import ack, charsets, composed, listener, mapping, observations, replies, undone
from hl7.controls import DEFAULTS, Action
from hl7.handlers import ANSWERS, KINDS
from hl7.handlers.dispatch import Handler
from hl7.handlers.refusals import CONDITIONS
from hl7.handlers.stays import STAYS
from hl7.mapping import Row
from hl7.models import MessageState
from ris import tls
from ris.reference import markdown_table, page

_EFFECTS = {
    "keep": "the patient is registered or brought up to date, and the visit that PV1-19 (else PID-18) names",
    "A10": "as A09; at an endpoint whose arrivals check in, the exams of today are checked in",
    "A32": "as A09; at an endpoint whose arrivals check in, check-ins of today that came by a message are taken back",
    "keep_without_alternate_number": "as A08; alternate visit numbers are not kept here, which a warning says",
    "keep_reactions": "as A08; each IAM-3 is added to the allergies, or taken away where IAM-6 is D",
    "swap": "the two patients and their visits are brought up to date, each with the place that its PV1-3 names",
    "pass_by": "none: beds are not kept here; answered AA",
    "A23": "the visit that PV1-19 (else PID-18) names, else the patient's record, is marked as deleted; nothing is "
    "erased or cancelled, but open orders are marked for attention",
    "A29": "the patient's record is marked as deleted; nothing is erased or cancelled, but open orders are marked for "
    "attention",
    "merge": "the patient of each MRG is merged into the patient of the PID before it",
    "A35": "the account of MRG-3 is merged into the account of PID-18; its orders go along",
    "A41": "the account of MRG-3 is merged into the account of PID-18; its orders go along",
    "A42": "the visit of MRG-5 is merged into the visit of PV1-19; its orders go along",
    "move_numbers": "the numbers of MRG-1 go to the patient whom PID names by another number; an only one merges",
    "move_visits": "the account (A44: MRG-3) or visit (A45: MRG-5) goes with its orders to the patient of PID",
    "change_numbers": "the patient has the number of PID instead of the one of MRG, which still finds them",
    "change_visit_numbers": "the account (A49: MRG-3 to PID-18) or visit (A50: MRG-5 to PV1-19) has another number",
    "link": "the patients of the PIDs are linked; nothing of theirs moves",
    "part": "the merge of the two patients is undone, else their link is taken away",
    "S14": "as S13, and what else is new: another exam (AIS-3) where the catalogue knows it, one more (AIS-2 `A`) or "
    "one less (`D`), duration, station, who performs it, reason and notes",
    "S18": "as S13; an exam that the order does not have (AIS-2 `A`) is added to it where the catalogue knows it",
    "S19": "as S14, but no exam is added",
    "book": "the steps of the appointment get its time and place; one that names no order (S12) is ordered with it; a "
    "time that is taken or closed is refused (206)",
    "cancel": "the steps of the appointment wait for another time; an order that came with it is cancelled (S16 stops "
    "an exam that has begun)",
    "drop": "the steps of the services or stations that are named wait for another time (S21 stops an exam that has "
    "begun)",
    "miss": "the patient did not come",
    "block": "the time of the resources that are named is closed; refused (206) while exams are booked in it",
    "unblock": "the time of the resources that are named is open again",
    "take_numbers": "an answer to an order of ours: where it assigns the placer's number (ORC-1 `NA`, MSA-1 AA or CA), "
    "the order of ORC-3 takes the number of ORC-2; any other is only kept; never answered",
    "apply": "each ORC with its OBRs is one order; ORC-1 and ORC-5 say what to do with it",
}
_ACTION_EFFECTS = {
    Action.PLACE: "a new order is placed; one whose placer number is known is changed instead, with a warning",
    Action.CHANGE: "a known order is brought up to date",
    Action.CANCEL: "a known order is cancelled, as long as nothing of it has started",
    Action.DISCONTINUE: "a known order is ended, also when something of it has started",
    Action.HOLD: "a known order is hidden from every worklist",
    Action.RELEASE: "a known order is shown again",
    Action.REPLACED: "a known order is cancelled and leads to the one that comes in its place, the next RO of the "
    "message; without one the message is refused (100)",
    Action.REPLACEMENT: "a new order is placed in the place of those named before it; without a time of its own it "
    "takes theirs, and their station where it needs the same modality",
    Action.SEND_NUMBER: "the answer carries our order number; an order that nobody knows is placed",
    Action.TAKE_NUMBER: "the order of ORC-3 (filler or accession number) takes the number of ORC-2",
    Action.START: "the first step of a known order is in progress",
    Action.COMPLETE: "the steps of a known order are completed",
    Action.STATUS: "nothing changes; the answer carries the status of the order",
    Action.PARENT: "the order is the parent of the parts that follow in the message; one that nobody knows is placed",
    Action.CHILD: "the order is placed or changed as a part of the order that ORC-8 (else OBR-29) names, else of the "
    "parent before it",
    Action.NOTHING: "nothing; the message is accepted",
    Action.KEEP: "nothing; the message is answered AA with a warning (103) and kept for a person",
}
_WANTED = {
    ack.Wanted.ALWAYS: "always; any other code counts as this one",
    ack.Wanted.NEVER: "never",
    ack.Wanted.ON_ERROR: "what is refused",
    ack.Wanted.ON_SUCCESS: "what is taken",
}
_STATES = {
    MessageState.RECEIVED: "stored, not answered yet",
    MessageState.APPLIED: "had its effect, answered AA",
    MessageState.APPLIED_WITH_WARNINGS: "had its effect, answered AA; something in it was not as it should be",
    MessageState.FAILED: "had no effect, answered AE or AR; the reason and its place are in the log",
    MessageState.KEPT: "kept for a person: of a kind that is not taken here (answered AR), or with an order control "
    "that has no row (answered AA); answers to us that need nothing are kept too",
    MessageState.WAITING: "had no effect yet: an earlier message of the same patient waits for a person",
    MessageState.REPEATED: "was applied before: answered as it was then, no second effect",
    MessageState.INTERRUPTED: "stored and never answered, because something stopped in between; the sender sends again",
    MessageState.MENDED: "had no effect, and was sent again with success, by its sender or from the inbox",
    MessageState.DISMISSED: "had no effect, and a person said why it is not needed",
}


_STAY_RULES = (
    "A discharge, a cancel or a delete never cancels an exam: the open orders of the visit are marked for attention. "
    "A cancelled discharge or a new admission takes the mark off.",
    "Where neither PV1-19 nor PID-18 names a visit, the only one that the patient has under way is meant (A13: the "
    "only one that was discharged); else no visit is changed, with a warning.",
    "A visit that nobody knows is opened in the state that the event leads to.",
    "A03 without PV1-45 takes the time of EVN-6, else EVN-2.",
    "A12 without PV1-3 brings the patient back to where they were before the last A02.",
    "A06 without PV1-2 makes the class `I`, A07 makes it `O`.",
    "A06 and A07 with another number in MRG-5, else MRG-3: the visit of that number is merged into the new one.",
    "The old number of A46 to A50 still finds the patient or the visit, for messages that come late.",
    "A09, A10, A21, A22 and their cancels (A32, A33, A52, A53) are told in the story of the patient. Only A10 checks "
    "in, and only at an endpoint that says so: the scheduled exams of today, of the visit and of orders without one.",
    "A plan changes no place and ends nothing (A15, A16, A25, A26): PV1-45 of A16 and A25 is not read.",
    "A record that was deleted is in use again as soon as a message about the person comes.",
)


@page("docs/reference/hl7.md")
def hl7() -> str:
    """Print what the HL7 door takes, what it does with it, and what it answers."""
    parts = [
        _INTRODUCTION,
        _connection(),
        _messages(),
        _fields(),
        _code_tables(),
        _character_sets(),
        _answers(),
        "This page is printed from the tables in `hl7/` by `manage.py print_reference`.\n",
    ]
    return "\n".join(parts)


_INTRODUCTION = """# HL7 interface

Bucky takes HL7 version 2 messages over MLLP. The raw bytes of every message are stored before anything else is done,
and AA is sent only after what the message asks for is committed to the database.
"""


def _connection() -> str:
    limits = listener.Limits()
    rules = [
        f"Several messages on one connection; one answer for each, in order. {limits.connections} connections.",
        "A frame is VT, message, FS, CR. Bytes between frames are ignored. A missing CR is forgiven.",
        "VT and FS inside a text are text, except VT before MSH, FHS or BHS: there a new frame begins, and the one "
        "before it, which never ended, is dropped without an answer.",
        "A message over `BUCKY_MLLP_MAX_BYTES` is answered AR with code 104 (102 before version 2.7, which did not "
        "know it) and the connection is closed.",
        "A frame that begins with FHS or BHS is a batch: each message inside is stored and answered by itself; "
        "the answer is a batch of these answers.",
        "A frame that is not whole `BUCKY_MLLP_FRAME_SECONDS` after its first byte, and a connection that is quiet for "
        "`BUCKY_MLLP_IDLE_SECONDS`, is closed.",
        f"A sender that does not read its answers for {limits.write:g} s is cut off.",
        "`BUCKY_MLLP_TLS` is a second address with the same rules over TLS 1.2 or 1.3 (BCP 195). A handshake has "
        f"{limits.handshake:g} s. With `BUCKY_TLS_CLIENT_CA` a sender must show a certificate. Certificates "
        f"are read anew within {tls.LOOK_EVERY:g} s of a change; open connections stay. TLS on the plain "
        "address is closed at once.",
        "Segments end with CR, LF or CRLF. Delimiters are taken from MSH-1 and MSH-2. Escapes are undone.",
        "The endpoint says which processing IDs (MSH-11; unless it is changed: P, or none) and which versions (MSH-12; "
        "unless it is changed: any) are taken. Others are answered AR 202 or 203 and kept in the inbox.",
        "An answer (a message with MSA) is never answered.",
    ]
    return "## Connection\n\n" + _items(rules)


def _effect(event: str, handler: Handler) -> str:
    """Return what a message does: as its event has it, else as all of its handler have it."""
    return _EFFECTS.get(event) or _EFFECTS[handler.__name__]


def _messages() -> str:
    kinds = [
        (f"{name}^{event}", _effect(event, handler)) for (name, event), handler in sorted((KINDS | ANSWERS).items())
    ]
    controls = [
        (f"`{control}`", f"`{status}`" if status else "(any other)", str(action.label))
        for (control, status), action in DEFAULTS.items()
    ]
    effects = [(str(action.label), _ACTION_EFFECTS[action]) for action in Action]
    stays = [
        (f"ADT^{event}", str(stay.state.label) if stay.state else "", str(stay.happened.label))
        for event, stay in STAYS.items()
    ]
    return (
        "## Messages\n\n"
        + markdown_table(("Message", "Effect"), kinds)
        + "\nADT^A28 and A31 speak of the person alone and leave visits as they are. "
        "All orders of one message apply together or not at all.\n\n"
        + markdown_table(("ORC-1", "ORC-5", "What is done"), controls)
        + "\nThese rows are the beginning: a site changes them in the admin (*Order controls*), and a change is in "
        "force within a second. A pair without a row, and without one for any status, is kept for a person like the "
        "action of that name; nothing of its message is applied.\n\n"
        + markdown_table(("What is done", "Effect"), effects)
        + "\n"
        + markdown_table(("Event", "State of the visit", "Told as"), stays)
        + "\n"
        + _items(_STAY_RULES)
        + "\nAny other message is answered AR (200 or 201) and kept in the inbox.\n"
    )


def _fields() -> str:
    tables: tuple[tuple[str, tuple[Row, ...]], ...] = (
        ("Patient", mapping.PATIENT),
        ("What a scanner should know about the patient", mapping.CLINICAL),
        ("Visit", mapping.VISIT),
        ("Order", mapping.ORDER),
        ("Procedure", mapping.PROCEDURE),
        ("Appointment", mapping.APPOINTMENT),
    )
    text = (
        "## Fields\n\n"
        'The first source that says anything wins. An empty field changes nothing; `""` erases. '
        "Times without an offset are the clock of the site. What is too long is cut, with a warning; free text then "
        "ends with dots, a name, phone, place or code does not. "
        "An endpoint may have other sources for whatever is named with a dot here.\n"
    )
    for title, rows in tables:
        lines = [(f"`{row.name or row.argument}`", ", ".join(row.sources), str(row.longest or "")) for row in rows]
        text += f"\n### {title}\n\n" + markdown_table(("Fills", "From", "Longest"), lines)
    text += "\n### What else an appointment says\n\n" + markdown_table(("Fills", "From"), _coded(composed.APPOINTED))
    text += "\n### What is ordered\n\n" + markdown_table(("Fills", "From"), _coded(composed.EXAM))
    text += "\n### How an order is named\n\n" + markdown_table(("Fills", "From"), _coded(composed.NUMBERS))
    return (
        text
        + "\n"
        + _items(
            [
                "The patient is found by PID-3 (else PID-2, PID-4): number, authority and type together. "
                f"Types that find a patient, the surest first: {', '.join(mapping.PATIENT_ID_TYPES)}. "
                "Without a type it is MR; without an authority it is the one of the endpoint, else "
                "`BUCKY_PATIENT_ID_ISSUER`.",
                "OBR-34 names the performing physician (IHE RAD-4). Whoever has a technologist's degree there (the "
                f"seventh part of the name: {', '.join(sorted(mapping.TECHNOLOGISTS))}) is the technologist instead.",
                "OMG^O19: earlier results (behind a further PID, or below ORC-1 PR) are not taken for orders.",
                "AL1-3 of all AL1 fills `allergies`; OBX-5 adds to it, or fills what else OBX-3 names (below); "
                "NTE-3 below PID fills `comments` of the patient.",
                "IN1, IN2, IN3, GT1 and Z-segments of ADT are kept with the patient, for people to read; those that "
                "come take the place of those that were there, all together. Without any the ones before stay.",
                "An order message registers a patient that nobody knows. It does not overwrite name, birth date, sex "
                "or address of a known one; where the first three differ, a warning says so.",
                "A number of a record that was merged away finds the record that stays. A message with that number "
                "only does not overwrite who the patient is, whatever its type: it fills what is empty, and a warning "
                "says that something was not taken over. Visits and orders go to the record that stays.",
                "An order of a patient without a name, or with one that DICOM cannot write (a backslash), is marked "
                "for attention, and is on no worklist until a name comes that it can.",
                "A start that names a day and no time makes no booking: the order waits to be scheduled. So does "
                "one whose start is more than five years ago, with a warning.",
                "A birth date in the future is not taken, with a warning.",
            ]
        )
    )


def _code_tables() -> str:
    observed = [(code, f"`{observations.COLUMNS[what]}`", what) for code, what in observations.OBSERVATIONS.items()]
    answers = [(", ".join(_keys_of(observations.PREGNANCY, status)), str(status)) for status in range(1, 5)]
    units = [(column, ", ".join(factors)) for column, factors in observations.UNITS.items()]
    return (
        "## Code tables\n\n"
        + _table("PID-8", "Patient's Sex (0010,0040)", mapping.SEX)
        + _table("ORC-7.6, TQ1-9", "Requested Procedure Priority (0040,1003)", mapping.PRIORITIES)
        + _table("OBR-24", "Modality (0008,0060); any other value is taken as it is", mapping.MODALITIES)
        + _table("PV1-15", "Special Needs (0038,0050)", mapping.AMBULATORY)
        + f"PV1-15 `{mapping.PREGNANT}` becomes Pregnancy Status (0010,21C0) 3.\n\n"
        + "What OBX observes of the patient, unless the endpoint has the code among its own (table *observation*; it "
        "may also be `alert` for `medical_alerts` or `special needs` for `special_needs`). OBX-11 D, W or X: nothing "
        "is taken.\n\n"
        + markdown_table(("OBX-3", "Fills", "Observation"), observed)
        + "\n"
        + markdown_table(("OBX-5 of a pregnancy", "Pregnancy Status (0010,21C0)"), answers)
        + "\n"
        + markdown_table(("Fills", "Units known in OBX-6"), units)
    )


def _keys_of(table: Mapping[str, int], wanted: int) -> list[str]:
    return [key for key, value in table.items() if value == wanted]


def _character_sets() -> str:
    rows = [(charsets.NAMES[key], charset.codec, charset.windows) for key, charset in charsets.CHARSETS.items()]
    return (
        "## Character sets\n\n"
        "Bytes are decoded by MSH-18 before they are split; where it is empty, by the endpoint's character set. Where "
        "there is neither or the bytes do not fit, UTF-8, the endpoint's set, the code page of Windows that goes for "
        "the set of MSH-18 and then Windows-1252 are tried, with a warning. Valid UTF-8 that is called 8859/1, /9 or "
        "/15 is read as UTF-8, with a warning, unless the endpoint says otherwise. Bytes from 0x80 to 0x9F fit no set "
        "of 8859, nor TIS-620, which have no letters there; nor does № or § between two letters fit 8859/5.\n\n"
        "Where MSH-18 repeats, the first set counts at the beginning of every line, and escape sequences lead to the "
        "others: ESC itself, or written as `\\Cxxyy\\` and `\\Mxxyyzz\\`. A name comes in up to three representations, "
        "with `=` between them or as repetitions with XPN-8 A, I, P. CNS 11643 cannot be read: a text in it "
        "is answered AR 103 at MSH-18 and kept, unless it is ASCII or UTF-8; such senders should send UTF-8.\n\n"
        + markdown_table(("MSH-18", "Read as", "Else, where the bytes do not fit"), rows)
    )


def _answers() -> str:
    conditions = [(str(int(code)), text) for code, text in ack.CONDITION_TEXT.items()]
    wanted = [(f"`{code}`", _WANTED[code]) for code in ack.Wanted]
    wanted.append(("(empty, the other is not)", "as `NE`"))
    refusals = [(kind, str(int(code))) for kind, code in CONDITIONS.items()]
    states = [(str(state.label), _STATES[state]) for state in MessageState]
    return (
        "## Answers\n\n"
        + _items(
            [
                "`AA`: done, and committed. What of it was not done is told in ERR with severity `W`, one for each "
                f"thing (at most {undone.MOST}); before version 2.5 the first one in MSA-3.",
                "`AE`: the content cannot be applied; sending it again does not help. Nothing of it was done. "
                "With code 207 the fault is Bucky's: the message is kept, and a person has to look at the log.",
                "`AR`: not taken: the type or the header is not supported, the message is too large (code 104, "
                "before 2.7 102), or the "
                "database is away or takes longer than `BUCKY_STATEMENT_SECONDS` for one statement (code 207). Only in "
                "the last case send it again later.",
                "A sender that fills MSH-15 or MSH-16 (enhanced mode) gets what it asks for there: first the accept "
                "acknowledgment, `CA`, `CE` (not stored now, too large, or not one whole message) or `CR` (type or "
                "header not taken); then the application's, `AA`, `AE` or `AR`, as a message of its own on the same "
                "connection. What was not accepted gets no second one. `CA` too is sent only after the outcome is "
                "committed.",
                "MSA-2 is the sender's MSH-10. The answer has the sender's version (the nearest known one below), "
                "delimiters, character set and processing ID.",
                "Before version 2.5 the error stands in ERR-1 and its words in MSA-3; from 2.5 on in ERR-2, ERR-3, "
                "ERR-4 and ERR-8.",
                "A message with the same sender, control ID and content as one that was applied gets the same answer. "
                "Line ends and MSH-7 do not count as content. The same control ID with other content is applied, "
                "with a warning.",
                "The last segment of an answer ends with CR, unless the last segment of the message did not.",
            ]
        )
        + "\n"
        + markdown_table(("MSH-15, MSH-16 (table 0155)", "Acknowledged"), wanted)
        + "\n"
        + markdown_table(("Code (table 0357)", "Meaning"), conditions)
        + "\n"
        + markdown_table(("Refused by the department as", "Code"), refusals)
        + "\n"
        + markdown_table(("State in the inbox", "Meaning"), states)
        + _order_replies()
    )


def _order_replies() -> str:
    kinds = [(f"{kind}^{event}", f"{asked}") for asked, (kind, event, _) in replies.KINDS.items()]
    codes = [(f"`{control}`", f"`{code.done}`", f"`{code.refused}`") for control, code in replies.CODES.items()]
    states = [(str(state.label), f"`{code}`" if code else "(empty)") for state, code in replies.STATUSES.items()]  # type: ignore[attr-defined]
    states += [("on hold", f"`{replies.ON_HOLD}`"), ("replaced by another order", f"`{replies.REPLACED}`")]
    return (
        "\n### Answers to orders\n\n"
        "Where MSH-16 asks for the application's answer, or the sender's endpoint says so, an order is answered not "
        "with ACK but with the answer of its own kind. SN and SS are always answered so, because they ask for what "
        "ACK cannot tell.\n\n"
        + markdown_table(("Answer", "To"), kinds)
        + "\nEach ORC of the order has one, once for each procedure: ORC-2 and OBR-2 as sent, ORC-3 and OBR-3 the "
        "filler number (the accession number where none came along), ORC-5 the state, the start in ORC-7.4 (ORG and "
        "ORI from 2.5 on: TQ1-7), OBR-4 the exam, OBR-18 the accession number, OBR-19 the procedure ID, OBR-20 the "
        "step ID, OBR-24 the modality; ORI has an IPC for each step.\n\n"
        + markdown_table(("ORC-1 of the order", "ORC-1 when it is done", "when it is refused"), codes)
        + "\nAny other is answered `OK` or `UA`.\n\n"
        + markdown_table(("The order is", "ORC-5 (table 0038)"), states)
    )


def _table(source: str, target: str, codes: dict[str, str]) -> str:
    return markdown_table((source, target), [(code, meaning or "(empty)") for code, meaning in codes.items()]) + "\n"


def _coded(rows: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(f"`{argument}`", source) for argument, source in rows]


def _items(rules: Iterable[str]) -> str:
    return "".join(f"- {rule}\n" for rule in rules)
