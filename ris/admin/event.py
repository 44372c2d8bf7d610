"""The audit trail: who did or saw what, when and from where. Nobody can change it."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ris.admin.filters import DayFilter, bounds, span_of
from ris.admin.lists import PatientDataAdmin
from ris.models import Event, User
from ris.views import searching, story


class EventDayFilter(DayFilter):
    """By the day on which it happened."""

    offered = ("today", "yesterday", "last7")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow a list of events."""
        span = span_of(self.value())
        if span is None:
            return queryset
        begin, end = bounds(*span)
        return queryset.filter(at__gte=begin, at__lt=end)


@admin.register(Event)
class EventAdmin(PatientDataAdmin):
    """Search the audit trail."""

    list_display = ("at", "kind", "who", "actor_kind", "address", "patient", "order", "subject", "because")
    list_filter = (EventDayFilter, "actor_kind", "kind")
    list_select_related = ("patient", "order")
    search_fields = ("actor_name",)  # shows the box; what it finds is decided in get_search_results
    search_help_text = _("Account or sender, name or number of a patient, accession number, hl7:12 for a message")
    ordering = ("-pk",)
    sortable_by = ()
    fields = (
        *("at", "kind", "patient", "order", "step", "subject", "reason", "details"),
        *("actor_kind", "who", "user", "address", "cause"),
    )
    readonly_fields = ("details", "who")

    def patient_of(self, row: Event) -> int | None:
        """Return the patient whom the event is about, if it is about one."""
        return row.patient_id

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """Find by who did it, or by the patient or order that it is about."""
        text = search_term.strip()
        if not text:
            return queryset, False
        if ":" in text:
            return queryset.filter(Q(cause=text) | Q(subject=text)), False
        by_account = Q(user__in=list(User.objects.filter(username__iexact=text).values_list("pk", flat=True)))
        found = queryset.filter(searching.about(text) | by_account)
        # Senders and devices have no key: they are looked for only when nothing else is called so.
        sender = Q(actor_name__iexact=text) | Q(actor_name__iexact="|".join(part.strip() for part in text.split(",")))
        return (found if found.exists() else queryset.filter(sender)), False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Tell that somebody looks at one event."""
        event = super().get_object(request, object_id, from_field)
        if event is not None and self.has_view_permission(request, event):
            self.tell_list(request, [event], "")
        return event

    @admin.display(description=_("who"))
    def who(self, event: Event) -> str:
        """Show the account, device or sender as people read it."""
        return story.who(event)

    @admin.display(description=_("because of"))
    def because(self, event: Event) -> str:
        """Show what a message or a scanner caused; the number of a form only keeps it from being sent twice."""
        return "" if event.cause.startswith("form:") else event.cause

    @admin.display(description=_("details"))
    def details(self, event: Event) -> SafeString:
        """Show the kept details as text."""
        return format_html('<pre class="raw">{}</pre>', story.as_text(event.data))
