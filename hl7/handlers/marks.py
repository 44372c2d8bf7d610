"""What a person has to settle about an order, as warnings about the message that brought it."""

from collections.abc import Iterable

from hl7 import values
from hl7.ack import Condition, Place
from hl7.message import Segment
from hl7.undone import Undone
from ris.actions.requests import ProcedureRequest
from ris.models import Attention, Order

TOLD: dict[str, Condition] = {
    Attention.UNKNOWN_EXAM: Condition.TABLE_VALUE_NOT_FOUND,
    Attention.NO_MODALITY: Condition.REQUIRED_FIELD_MISSING,
    Attention.NO_STATION: Condition.UNKNOWN_KEY,
    Attention.NO_NAME: Condition.REQUIRED_FIELD_MISSING,
    Attention.BAD_NAME: Condition.DATA_TYPE,
    Attention.ACCESSION_TAKEN: Condition.DUPLICATE_KEY,
    Attention.NUMBER_TAKEN: Condition.DUPLICATE_KEY,
    Attention.STUDY_UID_TAKEN: Condition.DUPLICATE_KEY,
}
"""Marks that the sender is told of, and as what: it asked for something that it did not get."""


def marks_of(order: Order, place: Place, exam: Place | None = None) -> list[str]:
    """Return the warnings; place: where the message names the order; exam: where it names one that is not known."""
    places = dict.fromkeys((Attention.UNKNOWN_EXAM, Attention.NO_MODALITY), exam or place)
    marks = [(mark, str(mark.label)) for mark in order.attentions]
    return [Undone(TOLD[mark], text, places.get(mark, place)) if mark in TOLD else text for mark, text in marks]


def unknown_exam(asked: Iterable[tuple[Segment, ProcedureRequest]], field: str) -> Place | None:
    """Return where the first exam stands that the catalogue does not know."""
    return next((values.place(segment, field) for segment, request in asked if request.exam is None), None)
