"""The safety questions of the catalogue. A change is looked at for every exam that has not begun."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ris.actions import gate
from ris.admin.audited import AuditedAdmin
from ris.audit import actor_of
from ris.models import ScreeningRule


@admin.register(ScreeningRule)
class ScreeningRuleAdmin(AuditedAdmin):
    """What is asked before an exam, and what follows from the answers."""

    list_display = ("question", "topic", "exam", "modality", "when_open", "when_positive", "span_text", "active")
    list_filter = ("topic", "modality", "active")
    list_select_related = ("exam",)
    search_fields = ("question", "exam__code", "modality")
    autocomplete_fields = ("exam",)
    fieldsets = (
        (None, {"fields": ("question", "topic", ("exam", "modality"), "only_with_contrast", ("rank", "active"))}),
        (_("For whom"), {"fields": ("sex", ("min_age", "max_age"))}),
        (_("Answers"), {"fields": ("limit", ("valid_for", "unit"))}),
        (_("What follows"), {"fields": (("when_open", "when_positive"), ("tells", "alert"))}),
    )

    def save_model(self, request: HttpRequest, obj: ScreeningRule, form: Any, change: bool) -> None:
        """Save, and look at every step that has not begun."""
        super().save_model(request, obj, form, change)
        gate.rules_changed(by=actor_of(request))

    def delete_model(self, request: HttpRequest, obj: ScreeningRule) -> None:
        """Delete, and look at every step that has not begun."""
        super().delete_model(request, obj)
        gate.rules_changed(by=actor_of(request))
