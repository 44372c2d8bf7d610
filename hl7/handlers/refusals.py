"""What the department refuses, as a problem of the message with its place."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from hl7.ack import Condition, Place, Problem
from hl7.values import FieldError
from ris.errors import DomainError

CONDITIONS: dict[str, Condition] = {
    "invalid": Condition.DATA_TYPE,
    "unknown": Condition.UNKNOWN_KEY,
    "duplicate": Condition.DUPLICATE_KEY,
    "refused": Condition.RECORD_LOCKED,
}
"""DomainError.kind -> code of table 0357."""


@contextmanager
def refusals(places: Mapping[str, Place], otherwise: Place) -> Iterator[None]:
    """Turn a refusal into a FieldError at the place of the argument at fault, or at `otherwise`."""
    try:
        yield
    except DomainError as error:
        place = places.get(error.field, otherwise)
        raise FieldError(Problem(CONDITIONS[error.kind], f"{place}: {error.message}", place)) from error
