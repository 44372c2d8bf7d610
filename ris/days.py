"""Days that people name in an address or a form."""

from datetime import date, datetime

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

YEARS = range(1900, 2200)
"""Far from both ends of what a clock can show, so that a day before and after always exists."""


def day_named(text: str) -> date | None:
    """Return the day that an ISO date names; None when it is none, or out of YEARS."""
    try:
        day = parse_date(text)
    except ValueError:
        return None
    return day if day and day.year in YEARS else None


def check_start(start: datetime) -> None:
    """Raise ValidationError for a start that can only be a slip of the keyboard."""
    if start.year not in YEARS:
        raise ValidationError(_("Enter a year between 1900 and 2199."))


def check_birth_date(day: date) -> None:
    """Raise ValidationError for a birth date in the future or before anybody's memory."""
    if day > timezone.localdate():
        raise ValidationError(_("The birth date is in the future."))
    if day.year not in range(1850, 2200):
        raise ValidationError(_("Enter a year after 1849."))
