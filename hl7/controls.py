"""What an order control means (HL7 v2.5.1 section 4.5.1, tables 0119 and 0038): data only.

`DEFAULTS` is what a new installation begins with; the rows of OrderControl, which a site may change, are what counts.
"""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Action(TextChoices):
    """What is done with an order."""

    PLACE = "place", _("place a new order")
    CHANGE = "change", _("change a known order")
    CANCEL = "cancel", _("cancel")
    DISCONTINUE = "discontinue", _("discontinue")
    HOLD = "hold", _("hold")
    RELEASE = "release", _("release")
    REPLACED = "replaced", _("replace by the orders that follow in the message")
    REPLACEMENT = "replacement", _("place in the place of the orders named before")
    SEND_NUMBER = "send-number", _("answer with our number, placing the order where nobody knows it")
    TAKE_NUMBER = "take-number", _("take the placer's number")
    START = "start", _("start")
    COMPLETE = "complete", _("complete")
    STATUS = "status", _("answer with the status")
    PARENT = "parent", _("take as the parent of the orders that follow in the message")
    CHILD = "child", _("place or change as a part of its parent")
    NOTHING = "nothing", _("accept without any effect")
    KEEP = "keep", _("keep for a person")


ANY_STATUS = ""
"""ORC-5 of a row that speaks for every status that has no row of its own."""

DEFAULTS: dict[tuple[str, str], Action] = {
    ("NW", ANY_STATUS): Action.PLACE,
    ("XO", ANY_STATUS): Action.CHANGE,
    ("XO", "CM"): Action.COMPLETE,
    ("CA", ANY_STATUS): Action.CANCEL,
    ("DC", ANY_STATUS): Action.DISCONTINUE,
    ("HD", ANY_STATUS): Action.HOLD,
    ("RL", ANY_STATUS): Action.RELEASE,
    ("RP", ANY_STATUS): Action.REPLACED,
    ("RU", ANY_STATUS): Action.REPLACED,
    ("RO", ANY_STATUS): Action.REPLACEMENT,
    ("SN", ANY_STATUS): Action.SEND_NUMBER,
    ("NA", ANY_STATUS): Action.TAKE_NUMBER,
    ("SS", ANY_STATUS): Action.STATUS,
    ("PA", ANY_STATUS): Action.PARENT,
    ("CH", ANY_STATUS): Action.CHILD,
    **{
        (control, status): action
        for control in ("SC", "SR")
        for status, action in {
            "SC": Action.NOTHING,
            "IP": Action.START,
            "A": Action.COMPLETE,
            "CM": Action.COMPLETE,
            "CA": Action.CANCEL,
            "DC": Action.DISCONTINUE,
            "HD": Action.HOLD,
        }.items()
    },
}
"""(ORC-1, ORC-5) -> what is done. A pair without a row, and without one for any status, is kept for a person."""
