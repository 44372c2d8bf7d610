"""The calendars: resources, when they are open, what keeps patients out."""

from django.contrib import admin

from ris.admin.audited import AuditedAdmin
from ris.models import Block, Closure, OpeningHours, Resource


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
