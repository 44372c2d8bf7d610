"""Forms of the safety questions: one for each question, and why somebody lets an exam through."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ris.actions.safety import Finding
from ris.forms import DeskForm
from ris.models import PregnancyStatus, ScreeningRule, Topic
from ris.models.screening import NUMBERS

NOT_NOW = ("", _("not answered now"))


class AnswerForm(DeskForm):
    """The answer to one question; left empty, nothing is answered."""

    measured_on = forms.DateField(
        label=_("Day of the value"), required=False, widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    note = forms.CharField(label=_("Note"), required=False, max_length=250)

    field_order = ("value",)

    def __init__(self, *args: Any, finding: Finding, **kwargs: Any) -> None:
        """Take the kind of answer that the question has."""
        self.finding = finding
        super().__init__(*args, prefix=str(finding.rule.pk), **kwargs)
        self.fields["value"] = _value_field(finding.rule)
        if finding.rule.topic not in NUMBERS:
            del self.fields["measured_on"]
        self.order_fields(self.field_order)

    def said(self) -> dict[str, Any] | None:
        """Return what was answered, as arguments of ris.actions.gate.answer; None where nothing was."""
        said = self.cleaned_data
        if said["value"] in ("", None):
            return None
        return {"value": str(said["value"]), "note": said["note"], "measured_on": said.get("measured_on")}


def _value_field(rule: ScreeningRule) -> forms.Field:
    """Return the field for the answer; its label is the question."""
    if rule.topic in NUMBERS:
        return forms.DecimalField(label=rule.question, required=False, max_digits=7, decimal_places=2, min_value=0)
    choices: list[tuple[Any, Any]] = [NOT_NOW, ("no", _("no")), ("yes", _("yes"))]
    if rule.topic == Topic.PREGNANCY:
        choices = [NOT_NOW, *((str(value), label) for value, label in PregnancyStatus.choices)]
    return forms.ChoiceField(label=rule.question, required=False, choices=choices)
