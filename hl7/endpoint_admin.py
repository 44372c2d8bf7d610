"""Endpoints on the desk: who sends, and what is agreed with each sender. Every change is told in the history."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from hl7.models import Endpoint
from ris.admin.audited import AuditedAdmin
from ris.desk import Page, register_page


@admin.register(Endpoint)
class EndpointAdmin(AuditedAdmin):
    """The senders of messages."""

    list_display = ("name", "sending_application", "sending_facility", "address", "master_authority", "active")
    list_filter = ("active",)
    search_fields = ("name", "sending_application", "sending_facility", "address")
    fieldsets = (
        (None, {"fields": ("name", "active")}),
        (_("Who it is"), {"fields": ("sending_application", "sending_facility", "address")}),
        (_("Where a message says nothing"), {"fields": ("site", "issuer", "charset")}),
        (_("Patients"), {"fields": ("master_authority", "master_missing", "arrival_checks_in")}),
        (_("What is taken"), {"fields": ("processing_ids", "versions", "charset_policy")}),
        (_("How long messages are kept"), {"fields": ("keep_applied_days", "keep_failed_days")}),
    )


register_page(Page(_("Endpoints"), "hl7_endpoint_changelist", "hl7.change_endpoint", 63))
