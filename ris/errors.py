"""What the domain refuses. The docstring of each class is its message unless a more exact one is given."""

from typing import ClassVar


class DomainError(Exception):
    """The department's rules do not allow this."""

    kind: ClassVar[str] = "refused"
    """Coarse class for the doors: refused, invalid, unknown, duplicate. Each door maps it to its own code."""

    def __init__(self, message: str = "", *, field: str = "") -> None:
        """Take a message that names no patient, and the name of the argument that is at fault, if one is."""
        self.message = message or (self.__doc__ or "").strip()
        self.field = field
        super().__init__(self.message)


class InvalidValue(DomainError):
    """A value is not valid."""

    kind = "invalid"


class ForbiddenMove(DomainError):
    """The step cannot go from its state to that one."""


class UnknownPatient(DomainError):
    """No patient has this identifier."""

    kind = "unknown"


class UnknownOrder(DomainError):
    """No order has this number."""

    kind = "unknown"


class UnknownStation(DomainError):
    """No active station has this AE title or name."""

    kind = "unknown"


class DuplicateIdentifier(DomainError):
    """Another patient already has this identifier."""

    kind = "duplicate"


class DuplicateOrder(DomainError):
    """The order number already belongs to an order of another patient."""

    kind = "duplicate"


class DuplicateVisit(DomainError):
    """The visit number already belongs to a visit of another patient."""

    kind = "duplicate"


class MergedAway(DomainError):
    """The record was merged into another one; change that one instead."""

    # To a door it is as a number that two have: another connection may have merged them a moment ago, and a second
    # attempt finds the survivor.
    kind = "duplicate"


class MergeRefused(DomainError):
    """These two patients cannot be merged."""


class OrderClosed(DomainError):
    """The order is closed: nothing of it can be changed any more."""


class OrderStarted(DomainError):
    """The exam has already started; it can be discontinued but not cancelled."""


class UnknownPerformedStep(DomainError):
    """No performed procedure step has this SOP Instance UID."""

    kind = "unknown"


class DuplicatePerformedStep(DomainError):
    """A performed procedure step with this SOP Instance UID is there already."""

    kind = "duplicate"


class PerformedStepEnded(DomainError):
    """The performed procedure step has ended; nothing of it can be changed any more."""


class SlotTaken(DomainError):
    """The time is taken; somebody was quicker. Choose another one."""


class NotOpen(DomainError):
    """The place is closed at this time, or the time is reserved. Choose another one."""
