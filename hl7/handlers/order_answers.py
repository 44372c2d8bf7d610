"""ORR^O02, ORG^O20, ORI^O24: what the placer of an order answers to ours (HL7 v2.5.1 section 4.4).

Such an answer is never answered, and mostly needs nothing. Where the placer assigns its number to an order that was
made here (ORC-1 NA), the order takes it, as from an order message with NA.
"""

from hl7.controls import Action
from hl7.handlers import orders
from hl7.handlers.order_case import Done
from hl7.handlers.order_controls import action_of
from hl7.handlers.order_groups import Group, order_groups
from hl7.message import Message
from ris.actor import Actor

_ACCEPTED = ("AA", "CA")


def _numbered(message: Message) -> list[Group]:
    """Return the orders that the answer has a number for; none where it refuses."""
    if message["MSA"].get("1") not in _ACCEPTED:
        return []
    groups = order_groups(message)
    for group in groups:
        group.action = action_of(group.control, group.status) or Action.KEEP
    return [group for group in groups if group.action == Action.TAKE_NUMBER]


def has_effect(message: Message) -> bool:
    """Tell whether an answer says something that is done here; any other one is only kept."""
    return bool(_numbered(message))


def take_numbers(message: Message, event: str, *, by: Actor, warnings: list[str]) -> list[Done]:
    """Note the numbers that the placer gives to orders of ours."""
    return orders.apply_groups(message, _numbered(message), by=by, warnings=warnings)
