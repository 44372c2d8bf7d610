"""What the domain refuses, and in which words unless more exact ones are given."""

from typing import TYPE_CHECKING, ClassVar

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class DomainError(Exception):
    """The department's rules do not allow this."""

    words: ClassVar["_StrPromise"] = _("The department's rules do not allow this.")
    kind: ClassVar[str] = "refused"
    """Coarse class for the doors: refused, invalid, unknown, duplicate. Each door maps it to its own code."""

    def __init__(self, message: str = "", *, field: str = "") -> None:
        """Take a message that names no patient, and the name of the argument that is at fault, if one is.

        The message is in the language in which the verb was called: English but for a request from a browser.
        """
        self.message = message or str(self.words)
        self.field = field
        super().__init__(self.message)


class InvalidValue(DomainError):
    """A value is not valid."""

    words = _("A value is not valid.")
    kind = "invalid"


class ForbiddenMove(DomainError):
    """The step cannot go from its state to that one."""

    words = _("The step cannot go from its state to that one.")


class UnknownPatient(DomainError):
    """No patient has this identifier."""

    words = _("No patient has this identifier.")
    kind = "unknown"


class UnknownOrder(DomainError):
    """No order has this number."""

    words = _("No order has this number.")
    kind = "unknown"


class UnknownStation(DomainError):
    """No active station has this AE title or name."""

    words = _("No active station has this AE title or name.")
    kind = "unknown"


class DuplicateIdentifier(DomainError):
    """Another patient already has this identifier."""

    words = _("Another patient already has this identifier.")
    kind = "duplicate"


class DuplicateOrder(DomainError):
    """The order number already belongs to an order of another patient."""

    words = _("The order number already belongs to an order of another patient.")
    kind = "duplicate"


class DuplicateVisit(DomainError):
    """The visit number already belongs to a visit of another patient."""

    words = _("The visit number already belongs to a visit of another patient.")
    kind = "duplicate"


class MergedAway(DomainError):
    """The record was merged into another one; change that one instead."""

    words = _("The record was merged into another one; change that one instead.")

    # To a door it is as a number that two have: another connection may have merged them a moment ago, and a second
    # attempt finds the survivor.
    kind = "duplicate"


class MergeRefused(DomainError):
    """These two patients cannot be merged."""

    words = _("These two patients cannot be merged.")


class OrderClosed(DomainError):
    """The order is closed: nothing of it can be changed any more."""

    words = _("The order is closed: nothing of it can be changed any more.")


class OrderStarted(DomainError):
    """The exam has already started; it can be discontinued but not cancelled."""

    words = _("The exam has already started; it can be discontinued but not cancelled.")


class UnknownPerformedStep(DomainError):
    """No performed procedure step has this SOP Instance UID."""

    words = _("No performed procedure step has this SOP Instance UID.")
    kind = "unknown"


class DuplicatePerformedStep(DomainError):
    """A performed procedure step with this SOP Instance UID is there already."""

    words = _("A performed procedure step with this SOP Instance UID is there already.")
    kind = "duplicate"


class PerformedStepEnded(DomainError):
    """The performed procedure step has ended; nothing of it can be changed any more."""

    words = _("The performed procedure step has ended; nothing of it can be changed any more.")


class SlotTaken(DomainError):
    """The time is taken; somebody was quicker. Choose another one."""

    words = _("The time is taken; somebody was quicker. Choose another one.")


class NotOpen(DomainError):
    """The place is closed at this time, or the time is reserved. Choose another one."""

    words = _("The place is closed at this time, or the time is reserved. Choose another one.")


class OfferClosed(DomainError):
    """The offer is not open any more: it was answered, or the time is gone."""

    words = _("The offer is not open any more: it was answered, or the time is gone.")


class AgainstRules(DomainError):
    """The rules of the exam speak against this time. Choose another one."""

    words = _("The rules of the exam speak against this time. Choose another one.")
