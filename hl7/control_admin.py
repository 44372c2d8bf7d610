"""The table of order controls on the desk: rows with a history, and the way back to the rows to begin with."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from hl7.controls import DEFAULTS, Action
from hl7.models import OrderControl
from ris import audit
from ris.admin.audited import AuditedAdmin
from ris.desk import INTERFACES, Page, register_page
from ris.models import EventKind
from ris.views import frame

_RIGHTS = tuple(f"hl7.{verb}_ordercontrol" for verb in ("add", "change", "delete"))


@admin.register(OrderControl)
class OrderControlAdmin(AuditedAdmin):
    """What each pair of ORC-1 and ORC-5 does."""

    list_display = ("control", "status", "action")
    list_display_links = ("control", "status")
    list_filter = ("action",)
    list_per_page = 200
    change_list_template = "hl7/order_controls.html"

    def get_urls(self) -> list[URLPattern]:
        """Add the way back to the rows to begin with."""
        view = self.admin_site.admin_view(restore)
        return [path("restore/", view, name="hl7_ordercontrol_restore"), *super().get_urls()]


def restore(request: HttpRequest) -> HttpResponse:
    """Show what differs from the rows to begin with; on sending the form make the table as it was."""
    frame.require(request, *_RIGHTS)
    if request.method == "POST":
        with transaction.atomic():
            count = _restore(request)
        text = ngettext("%(count)d row was put back.", "%(count)d rows were put back.", count)
        messages.success(request, text % {"count": count})
        return frame.leads_to("hl7_ordercontrol_changelist")
    return frame.page(
        request,
        "hl7/restore_order_controls.html",
        title=_("Restore the order controls"),
        differences=[(row, _label(now), _label(then)) for row, now, then in _differences()],
        back=reverse("admin:hl7_ordercontrol_changelist"),
    )


def _differences() -> list[tuple[OrderControl, str, str]]:
    """Return the rows that are not as in the beginning: the row, its action, and that of the beginning; empty: none."""
    rows = {(row.control, row.status): row for row in OrderControl.objects.all()}
    found = [(row, row.action, DEFAULTS.get(key, "")) for key, row in rows.items() if row.action != DEFAULTS.get(key)]
    missing = [(OrderControl(control=key[0], status=key[1]), "", DEFAULTS[key]) for key in DEFAULTS if key not in rows]
    return sorted([*found, *missing], key=lambda difference: (difference[0].control, difference[0].status))


def _restore(request: HttpRequest) -> int:
    """Make the table as it was in the beginning; returns how many rows changed."""
    differences = _differences()
    for row, now, then in differences:
        change = "deleted" if not then else "changed" if now else "added"
        if then:
            row.action = then
            row.save()
        details: dict[str, Any] = {"changes": {"action": [now, then]}}
        audit.row_changed(request, EventKind.CATALOG_CHANGED, row, change, details)
        if not then:
            row.delete()
    return len(differences)


def _label(action: str) -> str:
    return str(Action(action).label) if action else ""


register_page(
    Page(gettext_lazy("Order controls"), "hl7_ordercontrol_changelist", "hl7.view_ordercontrol", 70, group=INTERFACES)
)
