"""Which function takes which message."""

from collections.abc import Callable

from django.utils import translation

from hl7.ack import Condition, Place, Problem
from hl7.handlers import adt, appointments, links, merges, moves, order_answers, orders, people, policies
from hl7.handlers.order_case import Done
from hl7.handlers.unsupported import Undecided, Unsupported
from hl7.message import NULL, Message
from ris.actor import Actor

__all__ = ["ANSWERS", "KINDS", "Undecided", "Unsupported", "apply", "is_answer_with_effect", "kind"]

Handler = Callable[..., list[Done] | None]
"""(message, event, *, by, warnings): does all of it, or raises FieldError, Unsupported or Undecided.

May say what became of each order."""

_ADT: dict[Handler, tuple[str, ...]] = {
    adt.keep: (
        *("A01", "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A09", "A10", "A11", "A12", "A13", "A14", "A15"),
        *("A16", "A21", "A22", "A25", "A26", "A27", "A28", "A31", "A32", "A33", "A38", "A52", "A53", "A54", "A55"),
        *("A61", "A62"),
    ),
    adt.keep_without_alternate_number: ("A51",),
    adt.keep_reactions: ("A60",),
    adt.swap: ("A17",),
    adt.pass_by: ("A20",),
    adt.delete: ("A23", "A29"),
    links.link: ("A24",),
    links.part: ("A37",),
    merges.merge: ("A18", "A30", "A34", "A36", "A39", "A40"),
    merges.merge_visits: ("A35", "A41", "A42"),
    moves.move_numbers: ("A43",),
    moves.move_visits: ("A44", "A45"),
    moves.change_numbers: ("A46", "A47", "A48"),
    moves.change_visit_numbers: ("A49", "A50"),
}

_OF_SEVERAL: frozenset[Handler] = frozenset(
    {
        *(adt.swap, links.link, links.part, merges.merge, merges.merge_visits),
        *(moves.move_numbers, moves.move_visits, moves.change_numbers, moves.change_visit_numbers),
    }
)
"""Handlers of messages that are about several patients, each with a PID; all others are about one."""

KINDS: dict[tuple[str, str], Handler] = {
    **{("ADT", event): handler for handler, events in _ADT.items() for event in events},
    **{("SIU", event): handler for handler, events in appointments.HANDLERS.items() for event in events},
    ("ORM", "O01"): orders.apply,
    ("OMG", "O19"): orders.apply,
    ("OMI", "O23"): orders.apply,
}
"""Message type and trigger event (MSH-9) -> what it does."""

ANSWERS: dict[tuple[str, str], Handler] = {
    ("ORR", "O02"): order_answers.take_numbers,
    ("ORG", "O20"): order_answers.take_numbers,
    ("ORI", "O24"): order_answers.take_numbers,
}
"""The same for messages that are answers (with MSA). None of them is answered."""

_EVENTS_OF_OLD = {"ORM": "O01", "ORR": "O02"}
"""Events of messages whose MSH-9 names none (version 2.1)."""


def kind(message: Message) -> tuple[str, str]:
    """Return message type and event; the event from EVN-1 or by the type alone where MSH-9 names none."""
    msh = message["MSH"]
    name = _plain(msh.get("9.1")).upper()
    event = _plain(msh.get("9.2")) or _plain(message["EVN"].get("1")) or _EVENTS_OF_OLD.get(name, "")
    return name, event.upper()


def is_answer_with_effect(message: Message) -> bool:
    """Tell whether a message with MSA says something that is done here."""
    return kind(message) in ANSWERS and order_answers.has_effect(message)


def apply(message: Message, *, by: Actor, warnings: list[str]) -> list[Done]:
    """Do what the message says, in the caller's transaction; adds to `warnings` what a person may want to know.

    Returns what became of each order that the message names.

    Raises FieldError for what cannot be applied, Unsupported for what this system does not take,
    Undecided for what a person has to decide. All words are English, also where a person has it applied at the desk.
    """
    with translation.override("en"):
        return _apply(message, by=by, warnings=warnings)


def _apply(message: Message, *, by: Actor, warnings: list[str]) -> list[Done]:
    policies.check_header(message)
    name, event = kind(message)
    handler = (ANSWERS if message["MSA"] else KINDS).get((name, event))
    if handler is None:
        if any(name == known for known, _ in KINDS):
            place = Place("MSH", field=9, component=2)
            raise Unsupported(Problem(Condition.UNSUPPORTED_EVENT, "MSH-9.2: this event is not taken here.", place))
        place = Place("MSH", field=9, component=1)
        text = "MSH-9.1: this message type is not taken here."
        raise Unsupported(Problem(Condition.UNSUPPORTED_MESSAGE_TYPE, text, place))
    if handler not in _OF_SEVERAL:
        people.check_one(message, warnings)
    return handler(message, event, by=by, warnings=warnings) or []


def _plain(value: str | None) -> str:
    return value if value and value is not NULL else ""
