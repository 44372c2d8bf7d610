"""The calendars: resources, when they are open, what keeps patients out."""

from typing import Any

from django.contrib import admin, messages
from django.forms import Field
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ris.admin.audited import AuditedAdmin
from ris.admin.weekdays import DaysField, in_words
from ris.models import Block, Closure, OpeningHours, Resource
from ris.models.resource import Recurring
from ris.views import closures


@admin.register(Resource)
class ResourceAdmin(AuditedAdmin):
    """Scanners, rooms, staff, equipment."""

    list_display = ("name", "kind", "role", "site", "station", "active")
    list_filter = ("kind", "site", "active")
    list_select_related = ("site", "station")
    search_fields = ("name", "role")


class RecurringAdmin(AuditedAdmin):
    """Hours that come back on certain days, which are ticked."""

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Field | None:
        """Let the days be ticked."""
        if db_field.name != "rule":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        words = _("Tick days of the week, or write a rule of RFC 5545 below, for example FREQ=MONTHLY;BYDAY=1SA.")
        return DaysField(label=db_field.verbose_name, initial=db_field.get_default(), help_text=words)

    @admin.display(description=_("days"), ordering="rule")
    def days(self, row: Recurring) -> str:
        """Show the days as people call them."""
        return in_words(row.rule)

    @admin.display(description=_("hours"), ordering="opens")
    def hours(self, row: Recurring) -> str:
        """Show from when to when."""
        return f"{row.opens:%H:%M}–{row.closes:%H:%M}"


@admin.register(OpeningHours)
class OpeningHoursAdmin(RecurringAdmin):
    """When resources are open."""

    list_display = ("hours", "days", "site", "resource", "valid_from", "valid_until", "reason")
    list_filter = ("site", "resource")
    list_select_related = ("site", "resource")


@admin.register(Block)
class BlockAdmin(RecurringAdmin):
    """What comes back and keeps patients out, or some of them."""

    list_display = ("__str__", "days", "site", "resource", "valid_from", "valid_until", "reason")
    list_filter = ("kind", "site", "resource")
    list_select_related = ("site", "resource")


@admin.register(Closure)
class ClosureAdmin(AuditedAdmin):
    """Holidays, maintenance, days off."""

    list_display = ("start", "end", "kind", "site", "resource", "reason")
    list_filter = ("kind", "site", "resource")
    list_select_related = ("site", "resource")

    def get_urls(self) -> list[URLPattern]:
        """Add the appointments that a closure was laid over."""
        shown = self.admin_site.admin_view(closures.show)
        return [path("<int:pk>/affected/", shown, name="ris_closure_affected"), *super().get_urls()]

    def response_add(self, request: HttpRequest, obj: Closure, post_url_continue: str | None = None) -> HttpResponse:
        """Lead to the appointments in this time, where there are any."""
        return self._lead_to_affected(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Closure) -> HttpResponse:
        """Do the same after a change."""
        return self._lead_to_affected(request, obj) or super().response_change(request, obj)

    def _lead_to_affected(self, request: HttpRequest, closure: Closure) -> HttpResponse | None:
        count = closures.affected(closure).count()
        if not count:
            return None
        text = ngettext(
            "The closure is saved. %d appointment is in this time and has to be moved.",
            "The closure is saved. %d appointments are in this time and have to be moved.",
            count,
        )
        messages.warning(request, text % count)
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:ris_closure_affected", args=[closure.pk]))
