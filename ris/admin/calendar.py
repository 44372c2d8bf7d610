"""The calendars: resources, when they are open, what keeps patients out."""

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import ngettext

from ris.admin.audited import AuditedAdmin
from ris.models import Block, Closure, OpeningHours, Resource
from ris.views import closures


@admin.register(Resource)
class ResourceAdmin(AuditedAdmin):
    """Scanners, rooms, staff, equipment."""

    list_display = ("name", "kind", "role", "site", "station", "active")
    list_filter = ("kind", "site", "active")
    list_select_related = ("site", "station")
    search_fields = ("name", "role")


@admin.register(OpeningHours)
class OpeningHoursAdmin(AuditedAdmin):
    """When resources are open."""

    list_display = ("__str__", "site", "resource", "valid_from", "valid_until", "reason")
    list_filter = ("site", "resource")
    list_select_related = ("site", "resource")


@admin.register(Block)
class BlockAdmin(AuditedAdmin):
    """What comes back and keeps patients out, or some of them."""

    list_display = ("__str__", "rule", "site", "resource", "valid_from", "valid_until", "reason")
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
