"""What a person has to settle about an order, as warnings about the message that brought it."""

from hl7.ack import Condition, Place
from hl7.undone import Undone
from ris.models import Attention, Order

TOLD: dict[str, Condition] = {
    Attention.UNKNOWN_EXAM: Condition.TABLE_VALUE_NOT_FOUND,
    Attention.NO_MODALITY: Condition.REQUIRED_FIELD_MISSING,
    Attention.NO_STATION: Condition.UNKNOWN_KEY,
    Attention.NO_NAME: Condition.REQUIRED_FIELD_MISSING,
    Attention.ACCESSION_TAKEN: Condition.DUPLICATE_KEY,
    Attention.NUMBER_TAKEN: Condition.DUPLICATE_KEY,
    Attention.STUDY_UID_TAKEN: Condition.DUPLICATE_KEY,
}
"""Marks that the sender is told of, and as what: it asked for something that it did not get."""


def marks_of(order: Order, place: Place) -> list[str]:
    """Return the warnings; place: where the message names the order."""
    marks = [(mark, str(mark.label)) for mark in order.attentions]
    return [Undone(TOLD[mark], text, place) if mark in TOLD else text for mark, text in marks]
