"""What one endpoint writes in its own way: other fields, other codes."""

import re
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hl7 import mapping
from hl7.dialect import CodeTable
from hl7.models.endpoint import Endpoint
from hl7.observations import COLUMNS
from ris.models import Exam, Priority, Sex
from ris.models.catalog import MODALITY

_SOURCE = re.compile(r"[A-Z][A-Z0-9]{2}-[1-9]\d{0,2}(\.[1-9]\d?){0,2}")
_CLASS_LENGTH = 8


def argument_names() -> list[tuple[str, str]]:
    """Return what may have other sources, by table and argument, as choices."""
    return [(name, name) for name in mapping.ARGUMENTS]


def sources_in(text: str) -> tuple[str, ...]:
    """Return the fields that a text names; raises ValidationError for what is none."""
    found = tuple(word for word in re.split(r"[\s,;]+", text.upper()) if word)
    wrong = [word for word in found if not _SOURCE.fullmatch(word)]
    if wrong:
        raise ValidationError(_("This is not a field such as PID-5 or OBR-4.1: %s") % ", ".join(wrong))
    return found


class FieldSource(models.Model):
    """The fields that fill one argument in this endpoint's messages, instead of the usual ones."""

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="field_sources", verbose_name=_("endpoint"))
    argument = models.CharField(_("fills"), max_length=64, choices=argument_names)
    sources = models.CharField(
        _("from"),
        max_length=120,
        blank=True,
        help_text=_("Such as OBR-13 or ZPV-4.2, OBR-31: the first that says anything. Empty: nothing fills it."),
    )

    class Meta:
        verbose_name = _("field")
        verbose_name_plural = _("fields that fill something else")
        ordering = ("argument",)
        constraints = (
            models.UniqueConstraint(
                fields=("endpoint", "argument"),
                name="field_source_once",
                violation_error_message=_("This is filled in another row already."),
            ),
        )

    def __str__(self) -> str:
        return f"{self.argument} = {self.sources}"

    def clean(self) -> None:
        """Check that each source is a field, and that its part makes sense there."""
        row = mapping.ARGUMENTS.get(self.argument)
        for source in sources_in(self.sources):
            if row is not None and "." in source and row.read in mapping.WHOLE_ONLY:
                raise ValidationError({"sources": _("Only a whole field makes sense here: %s") % source})


class CodeTranslation(models.Model):
    """What a code of this endpoint is here."""

    _TABLES = (
        (CodeTable.SEX.value, _("sex")),
        (CodeTable.PRIORITY.value, _("priority")),
        (CodeTable.PATIENT_CLASS.value, _("patient class")),
        (CodeTable.MODALITY.value, _("modality")),
        (CodeTable.EXAM.value, _("exam")),
        (CodeTable.OBSERVATION.value, _("observation")),
    )

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="codes", verbose_name=_("endpoint"))
    table = models.CharField(_("table"), max_length=16, choices=_TABLES)
    code = models.CharField(_("code of the sender"), max_length=64)
    meaning = models.CharField(
        _("here"),
        max_length=64,
        blank=True,
        help_text=_(
            "M, F, O or nothing; STAT, HIGH…; I, O, E…; CT, MR…; the code of an exam in the catalogue; weight, height, "
            "pregnancy, allergy, alert, special needs or nothing"
        ),
    )

    class Meta:
        verbose_name = _("code")
        verbose_name_plural = _("codes of the sender")
        ordering = ("table", "code")
        constraints = (
            models.UniqueConstraint(
                fields=("endpoint", "table", "code"),
                name="code_translation_once",
                violation_error_message=_("This code is in another row already."),
            ),
            models.CheckConstraint(
                condition=Q(table__in=[table.value for table in CodeTable]), name="code_translation_table_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_table_display()} {self.code} = {self.meaning}"

    def clean(self) -> None:
        """Write the code in capitals; check that what it shall be exists."""
        self.code = self.code.strip().upper()
        self.meaning = self.meaning.strip()
        rule = _MEANINGS.get(self.table)
        if rule is not None and not rule[0](self.meaning):
            raise ValidationError({"meaning": rule[1]})


def _is_modality(text: str) -> bool:
    try:
        MODALITY(text)
    except ValidationError:
        return False
    return True


_MEANINGS: dict[str, tuple[Callable[[str], bool], Any]] = {
    CodeTable.SEX: (lambda text: text in ("", *Sex.values), _("Enter M, F, O or nothing.")),
    CodeTable.PRIORITY: (lambda text: text in Priority.values, _("Enter STAT, HIGH, MEDIUM, ROUTINE or LOW.")),
    CodeTable.PATIENT_CLASS: (lambda text: 0 < len(text) <= _CLASS_LENGTH, _("Enter a class such as I, O or E.")),
    CodeTable.MODALITY: (_is_modality, MODALITY.message),
    CodeTable.EXAM: (
        lambda text: Exam.objects.filter(code=text, active=True).exists(),
        _("No exam of the catalogue that is in use has this code."),
    ),
    CodeTable.OBSERVATION: (
        lambda text: text in ("", *COLUMNS),
        _("Enter weight, height, pregnancy, allergy, alert, special needs or nothing."),
    ),
}
"""Table -> what a code of it may be here, and what is told otherwise."""
