"""Days of the week as boxes to tick, kept as a rule of RFC 5545; who needs more writes the rule."""

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PLAIN = re.compile(rf"FREQ=WEEKLY(?:;INTERVAL=1)?;BYDAY=((?:{'|'.join(DAYS)})(?:,(?:{'|'.join(DAYS)}))*)")


def days_of(rule: str) -> list[str]:
    """Return the days of the week that a rule names, from Monday on; none where it says more than that."""
    found = _PLAIN.fullmatch(rule.strip().upper())
    named = found[1].split(",") if found else []
    return [day for day in DAYS if day in named]


def rule_of(days: Sequence[str]) -> str:
    """Return the rule of every week on these days."""
    return f"FREQ=WEEKLY;BYDAY={','.join(day for day in DAYS if day in days)}"


def in_words(rule: str) -> str:
    """Return the days of a rule as people call them; the rule itself where it says more than days of the week."""
    return ", ".join(str(WEEKDAYS_ABBR[DAYS.index(day)]) for day in days_of(rule)) or rule


class DaysWidget(forms.MultiWidget):
    """Seven boxes, and a line for a rule."""

    def __init__(self) -> None:
        """Name the boxes and the line for those who do not see them."""
        boxes = forms.CheckboxSelectMultiple(choices=[(day, WEEKDAYS[number]) for number, day in enumerate(DAYS)])
        line = forms.TextInput(
            attrs={"aria-label": gettext_lazy("Rule of RFC 5545"), "placeholder": "FREQ=MONTHLY;BYDAY=1SA", "size": 40}
        )
        super().__init__((boxes, line))

    def decompress(self, value: Any) -> list[Any]:
        """Show a rule of weekdays as ticks, any other as it is."""
        days = days_of(value or "")
        return [days, "" if days else value or ""]


class DaysField(forms.MultiValueField):
    """A rule of days; its value is the text of the rule."""

    def __init__(self, **kwargs: Any) -> None:
        """Take what any field takes."""
        choices = [(day, WEEKDAYS[number]) for number, day in enumerate(DAYS)]
        fields = (forms.MultipleChoiceField(choices=choices, required=False), forms.CharField(required=False))
        super().__init__(fields, widget=DaysWidget(), require_all_fields=False, **kwargs)

    def compress(self, data_list: Sequence[Any]) -> str:
        """Return the rule of what was ticked or written. Raises ValidationError for both at once."""
        days, text = (data_list or ([], ""))[:2]
        if days and text:
            raise ValidationError(_("Tick days or write a rule, not both."))
        return rule_of(days) if days else str(text or "")
