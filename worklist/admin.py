"""The worklist on the desk: what a scanner would get now, what scanners asked, who called without being known."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ris import audit
from ris.admin.lists import ListAdmin, PatientDataAdmin
from ris.desk import Page, Panel, register_page, register_panel
from ris.models import ScheduledProcedureStep
from ris.roles import Role
from ris.views import story
from worklist import archive_admin as archive_admin  # registers itself
from worklist import pages
from worklist.models import QueryLog, UnknownCaller


@admin.register(QueryLog)
class QueryLogAdmin(PatientDataAdmin):
    """What scanners asked; nobody can change it."""

    list_display = ("last_at", "calling_ae_title", "address", "asked_for", "matches", "status", "times", "milliseconds")
    list_filter = ("status",)
    search_fields = ("=calling_ae_title", "=address")
    search_help_text = _("AE title or address of the scanner")
    ordering = ("-last_at", "-pk")
    sortable_by = ()
    fields = (
        *("at", "last_at", "times", "calling_ae_title", "called_ae_title", "address"),
        *("asked", "matches", "shown", "skipped", "status", "comment", "milliseconds"),
    )
    readonly_fields = ("asked", "shown")

    def tell_list(self, request: HttpRequest, rows: Any, search: str) -> None:
        """The keys of a query may name a patient: the view is told with the queries that were on the page."""
        audit.record_viewed(request, self.opts.label_lower, search=search)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Tell whose steps the page of one query names."""
        query = super().get_object(request, object_id, from_field)
        if query is not None and self.has_view_permission(request, query):
            steps = ScheduledProcedureStep.objects.filter(pk__in=query.step_ids[:1000])
            patients = steps.order_by().values_list("requested_procedure__order__patient", flat=True).distinct()
            audit.patients_listed(request, patients, subject=audit.subject_of(query))
        return query

    @admin.display(description=_("keys"))
    def asked_for(self, query: QueryLog) -> str:
        """Show the keys that have a value."""
        return " ".join(f"{name}={value}" for name, value in _said(query.keys))

    @admin.display(description=_("keys"))
    def asked(self, query: QueryLog) -> SafeString:
        """Show the whole identifier."""
        return format_html('<pre class="raw">{}</pre>', story.as_text(query.keys))

    @admin.display(description=_("steps shown"))
    def shown(self, query: QueryLog) -> str:
        """Show the IDs of the steps that were sent."""
        found = ScheduledProcedureStep.objects.filter(pk__in=query.step_ids[:1000]).values_list("sps_id", flat=True)
        return ", ".join(found)


def _said(keys: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the keys with a value, those inside sequences as well."""
    found: list[tuple[str, Any]] = []
    for name, value in keys.items():
        if isinstance(value, list):
            for item in value:
                found += _said(item) if isinstance(item, dict) else []
        elif value:
            found.append((name, value))
    return found


@admin.register(UnknownCaller)
class UnknownCallerAdmin(ListAdmin):
    """Devices that called under a name that no station here has."""

    list_display = ("ae_title", "address", "last_seen", "first_seen", "times", "refused")
    list_filter = ("refused",)
    search_fields = ("=ae_title", "=address")
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: the door writes these."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the door writes these."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the door forgets the oldest by itself."""
        return False


def health(request: HttpRequest) -> dict[str, Any]:
    """Show which scanners asked last, and who called without being known in the last 24 hours."""
    since = timezone.now() - timedelta(hours=24)
    latest: QuerySet[QueryLog] = QueryLog.objects.only("calling_ae_title", "last_at", "matches", "status")
    unknown = UnknownCaller.objects.filter(last_seen__gte=since)
    return {"queries": latest.order_by("-last_at")[:6], "unknown": unknown.order_by("-last_seen")[:6]}


register_page(
    Page(
        _("Worklists"), "worklist_station", "ris.view_worklist", 40, route="worklist/station/", view=pages.station_page
    )
)
register_page(Page(_("Scanner queries"), "worklist_querylog_changelist", "worklist.view_querylog", 51))
register_panel(
    Panel(
        "scanners",
        "worklist/panel_scanners.html",
        "worklist.view_querylog",
        41,
        health,
        roles=(Role.INFORMATICS, Role.ADMINISTRATOR),
        leads=(Role.INFORMATICS, Role.ADMINISTRATOR),
    )
)
