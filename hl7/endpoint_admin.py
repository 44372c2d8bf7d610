"""Endpoints on the desk: who sends, and what is agreed with each sender. Every change is told in the history."""

from typing import TYPE_CHECKING, Any, TypeAlias

from django.contrib import admin
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from hl7.code_pages import import_codes
from hl7.models import CodeTranslation, Endpoint, FieldSource
from ris.admin.audited import AuditedAdmin
from ris.desk import INTERFACES, Page, register_page

if TYPE_CHECKING:
    Rows: TypeAlias = admin.TabularInline[Any, Any]
else:
    Rows = admin.TabularInline


class FieldSourceRows(Rows):
    """Fields that fill something else than usual."""

    model = FieldSource
    extra = 0


class CodeRows(Rows):
    """Codes of the sender."""

    model = CodeTranslation
    extra = 0


@admin.register(Endpoint)
class EndpointAdmin(AuditedAdmin):
    """The senders of messages."""

    list_display = ("name", "sending_application", "sending_facility", "address", "master_authority", "active")
    list_filter = ("active",)
    search_fields = ("name", "sending_application", "sending_facility", "address")
    inlines = (FieldSourceRows, CodeRows)
    change_form_template = "hl7/endpoint.html"
    fieldsets = (
        (None, {"fields": ("name", "active")}),
        (_("Who it is"), {"fields": ("sending_application", "sending_facility", "address")}),
        (_("Where a message says nothing"), {"fields": ("site", "issuer", "charset")}),
        (_("Patients"), {"fields": ("master_authority", "master_missing", "arrival_checks_in")}),
        (_("What is taken"), {"fields": ("processing_ids", "versions", "charset_policy")}),
        (_("Answers"), {"fields": ("application_replies",)}),
        (_("How long messages are kept"), {"fields": ("keep_applied_days", "keep_failed_days")}),
    )

    def get_urls(self) -> list[URLPattern]:
        """Add the page on which codes are pasted."""
        view = self.admin_site.admin_view(import_codes)
        return [path("<object_id>/codes/", view, name="hl7_endpoint_codes"), *super().get_urls()]


register_page(Page(_("Endpoints"), "hl7_endpoint_changelist", "hl7.change_endpoint", 63, group=INTERFACES))
