"""The worklist on the desk: what a scanner would get now, what scanners asked, who called without being known."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ris import audit
from ris.admin.lists import ListAdmin, PatientDataAdmin
from ris.desk import INTERFACES, Page, Panel, StepLink, register_page, register_panel, register_step_link
from ris.models import ScheduledProcedureStep
from ris.roles import Role
from ris.views import story
from worklist import adopting, near_pages, pages, why_pages
from worklist import archive_admin as archive_admin  # registers itself
from worklist import profile_admin as profile_admin  # registers itself
from worklist import tokens_admin as tokens_admin  # registers itself
from worklist.models import QueryLog, RefusedCall, UnknownCaller
from worklist.query_words import answers_in_words, asked_in_words, ways_in_words
from worklist.why_words import SUCCESS

MOST_NAMED = 1000
"""Steps of a query that are named on its page."""


class FailedFilter(admin.SimpleListFilter):
    """Queries that were not answered to their end."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Offer both."""
        return [("answered", _("answered")), ("failed", _("refused or broken off"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list."""
        answered = {"status": SUCCESS, "comment": ""}
        if self.value() == "answered":
            return queryset.filter(**answered)
        return queryset.exclude(**answered) if self.value() == "failed" else queryset


class EmptyFilter(admin.SimpleListFilter):
    """Queries that were sent nothing, or not all that matches."""

    title = _("answers")
    parameter_name = "answers"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Offer what makes people ask."""
        return [("none", _("an empty list")), ("left_out", _("steps left out"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Narrow the list."""
        if self.value() == "none":
            return queryset.with_empty_list()
        return queryset.exclude(skipped=[]) if self.value() == "left_out" else queryset


@admin.register(QueryLog)
class QueryLogAdmin(PatientDataAdmin):
    """What scanners asked; nobody can change it."""

    list_display = (
        *("last_at", "calling_ae_title", "road", "address", "asked_for", "answered", "status", "times"),
        "milliseconds",
    )
    list_filter = ("last_at", "road", FailedFilter, EmptyFilter)
    search_fields = ("=calling_ae_title", "=address")
    search_help_text = _("AE title or address of the scanner")
    ordering = ("-last_at", "-pk")
    sortable_by = ()
    fields = (
        *("at", "last_at", "times", "calling_ae_title", "road", "called_ae_title", "address"),
        *("asked", "agreed", "answered", "matches", "total", "shown", "left_out", "near"),
        *("changed", "status", "comment"),
        "milliseconds",
    )
    readonly_fields = ("asked", "agreed", "answered", "shown", "left_out", "near")

    def get_urls(self) -> list[URLPattern]:
        """Add what a query is held against."""
        view = self.admin_site.admin_view
        return [
            path("why/<int:pk>/", view(why_pages.why), name="worklist_why"),
            path("<int:pk>/near/", view(near_pages.near), name="worklist_near_misses"),
            *super().get_urls(),
        ]

    def tell_list(self, request: HttpRequest, rows: Any, search: str) -> None:
        """The keys of a query may name a patient: the view is told with the queries that were on the page."""
        audit.record_viewed(request, self.opts.label_lower, search=search)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Tell whose steps the page of one query names."""
        query = super().get_object(request, object_id, from_field)
        if query is not None and self.has_view_permission(request, query):
            named = [*query.step_ids[:MOST_NAMED], *query.skipped[:MOST_NAMED]]
            steps = ScheduledProcedureStep.objects.filter(pk__in=named)
            patients = steps.order_by().values_list("requested_procedure__order__patient", flat=True).distinct()
            audit.patients_listed(request, patients, subject=audit.subject_of(query))
        return query

    @admin.display(description=_("keys"))
    def asked_for(self, query: QueryLog) -> SafeString:
        """Show the keys that have a value, or what could not be read, which page was wanted, and why it ended ill."""
        why = format_html('<br><span class="quiet">{}</span>', query.comment) if query.comment else ""
        return format_html("{}{}", asked_in_words(query), why)

    @admin.display(description=_("answers"))
    def answered(self, query: QueryLog) -> str:
        """Show how many were sent, and how many left out."""
        return answers_in_words(query)

    @admin.display(description=_("keys"))
    def asked(self, query: QueryLog) -> SafeString:
        """Show the whole identifier, or what was asked where that could not be read."""
        return format_html('<pre class="raw">{}</pre>', story.as_text(query.unread or query.keys))

    @admin.display(description=_("agreed beside them"))
    def agreed(self, query: QueryLog) -> str:
        """Tell what was agreed beside the keys."""
        return "; ".join(ways_in_words(query.ways))

    @admin.display(description=_("near misses"))
    def near(self, query: QueryLog) -> SafeString:
        """Lead to what was missed by one key."""
        address = reverse("admin:worklist_near_misses", args=[query.pk])
        return format_html('<a href="{}">{}</a>', address, _("Exams that one key alone kept off"))

    @admin.display(description=_("steps shown"))
    def shown(self, query: QueryLog) -> SafeString:
        """Lead to the steps that were sent."""
        return _named(query.step_ids)

    @admin.display(description=_("steps left out"))
    def left_out(self, query: QueryLog) -> SafeString:
        """Lead to the steps that hold what DICOM cannot write."""
        return _named(query.skipped)


def _named(step_ids: list[int]) -> SafeString:
    """Return the IDs of steps, each of which leads to its order."""
    steps = ScheduledProcedureStep.objects.filter(pk__in=step_ids[:MOST_NAMED])
    found = steps.order_by("start", "pk").values_list("requested_procedure__order", "sps_id")
    links = ((reverse("admin:ris_order_change", args=[order]), sps_id) for order, sps_id in found)
    return format_html_join(", ", '<a href="{}">{}</a>', links)


class CallerAdmin(ListAdmin):
    """A list of callers, which the door writes and nobody changes."""

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


@admin.register(UnknownCaller)
class UnknownCallerAdmin(CallerAdmin):
    """Devices that called under a name that no station here has."""

    list_display = ("ae_title", "address", "last_seen", "first_seen", "times", "served", "adopt")
    list_filter = ("refused",)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Show the button to those who may press it."""
        if request.user.has_perms(adopting.ADOPT):
            return self.list_display
        return tuple(name for name in self.list_display if name != "adopt")

    def get_urls(self) -> list[URLPattern]:
        """Add what can be done with one."""
        view = self.admin_site.admin_view
        return [path("<int:pk>/adopt/", view(adopting.adopt), name="worklist_adopt"), *super().get_urls()]

    @admin.display(description=_("what it got"))
    def served(self, caller: UnknownCaller) -> str:
        """Tell whether it was let in all the same."""
        return str(_("refused") if caller.refused else _("let in"))

    @admin.display(description="")
    def adopt(self, caller: UnknownCaller) -> SafeString:
        """Offer to make a station of it."""
        return format_html('<a class="quiet-button" href="{}/adopt/">{}</a>', caller.pk, _("Adopt …"))


@admin.register(RefusedCall)
class RefusedCallAdmin(CallerAdmin):
    """Devices that were refused for another reason, as for calling an AE title that is not ours, or for no DICOM."""

    list_display = ("ae_title", "called_ae_title", "address", "reason", "last_seen", "first_seen", "times")
    list_display_links = ("reason",)  # who does not speak DICOM has no AE title
    list_filter = ("reason",)


def health(request: HttpRequest) -> dict[str, Any]:
    """Show which scanners asked last, and who called without being known in the last 24 hours."""
    since = timezone.now() - timedelta(hours=24)
    latest: QuerySet[QueryLog] = QueryLog.objects.only(
        "calling_ae_title", "road", "last_at", "ways", "total", "status", "step_ids", "skipped"
    )
    unknown = UnknownCaller.objects.filter(last_seen__gte=since)
    refused = RefusedCall.objects.filter(last_seen__gte=since)
    return {
        "queries": [(query, answers_in_words(query)) for query in latest.order_by("-last_at")[:6]],
        "unknown": unknown.order_by("-last_seen")[:6],
        "refused": refused.order_by("-last_seen")[:6],
    }


register_page(
    Page(
        _("Worklists"), "worklist_station", "ris.view_worklist", 40, route="worklist/station/", view=pages.station_page
    )
)
register_page(
    Page(_("Worklist queries"), "worklist_querylog_changelist", "worklist.view_querylog", 51, group=INTERFACES)
)
register_page(
    Page(
        _("Unknown callers"),
        "worklist_unknowncaller_changelist",
        "worklist.view_unknowncaller",
        51,
        group=INTERFACES,
    )
)
register_page(
    Page(_("Refused calls"), "worklist_refusedcall_changelist", "worklist.view_refusedcall", 51, group=INTERFACES)
)
register_step_link(StepLink(_("Why is it not on my scanner?"), "worklist_why", why_pages.EXPLAIN))
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
