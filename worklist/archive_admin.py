"""Reports of scanners on the desk as they came, the archives that get them, and what was given up on the way."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ris import audit
from ris.admin.audited import AuditedAdmin
from ris.admin.lists import ListAdmin, PatientDataAdmin
from ris.desk import INTERFACES, Page, Panel, register_page, register_panel
from ris.models import Event, EventKind, PerformedLink
from ris.roles import Role
from ris.views import frame, story
from worklist import delivery
from worklist.describe import as_json
from worklist.encoding import decode, syntax_of
from worklist.errors import QueryError
from worklist.models import Archive, Forwarding, MppsRequest
from worklist.tasks import wake


@admin.register(Archive)
class ArchiveAdmin(AuditedAdmin):
    """The archives that are told what scanners do."""

    list_display = ("name", "ae_title", "host", "port", "forwards", "asked", "active")


@admin.register(Forwarding)
class ForwardingAdmin(ListAdmin):
    """Every report on its way; nobody can change one."""

    list_display = ("when", "archive", "operation", "scanner", "shown_state", "attempts", "next_at", "problem", "again")
    list_filter = ("state", "archive")
    list_select_related = ("archive", "request")
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: the door writes these."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the door writes these."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: what was told stays known."""
        return False

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Show the button to those who may press it."""
        if request.user.has_perm("worklist.resend_forwarding"):
            return self.list_display
        return tuple(name for name in self.list_display if name != "again")

    def get_urls(self) -> list[URLPattern]:
        """Add what can be done with one."""
        view = self.admin_site.admin_view
        return [path("<int:pk>/again/", view(send_again), name="worklist_forwarding_again"), *super().get_urls()]

    @admin.display(description=_("when"))
    def when(self, row: Forwarding) -> Any:
        """Show when the scanner told it."""
        return row.request.at

    @admin.display(description=_("operation"))
    def operation(self, row: Forwarding) -> str:
        """Show what it is."""
        return row.request.operation

    @admin.display(description=_("scanner"))
    def scanner(self, row: Forwarding) -> str:
        """Show who told it."""
        return row.request.calling_ae_title

    @admin.display(description=_("state"))
    def shown_state(self, row: Forwarding) -> SafeString:
        """Show the state in its colour."""
        return format_html('<span class="state forwarding-{}">{}</span>', row.state, row.get_state_display())

    @admin.display(description="")
    def again(self, row: Forwarding) -> SafeString | str:
        """Offer to send again what was given up."""
        if row.state != Forwarding.State.DEAD:
            return ""
        return format_html('<a class="quiet-button" href="{}/again/">{}</a>', row.pk, _("Send again …"))


class StatusFilter(admin.SimpleListFilter):
    """By what was answered."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Offer what was refused, and each status that there is."""
        found = MppsRequest.objects.exclude(status="0000").order_by().values_list("status", flat=True).distinct()
        return [("refused", _("Refused")), *((status, status) for status in sorted(found))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list."""
        if self.value() == "refused":
            return queryset.exclude(status="0000")
        return queryset.filter(status=self.value()) if self.value() else queryset


@admin.register(MppsRequest)
class MppsRequestAdmin(PatientDataAdmin):
    """What scanners told, as it came, also what was refused; nobody can change it."""

    list_display = ("at", "operation", "calling_ae_title", "address", "status", "comment")
    list_filter = ("operation", StatusFilter)
    search_fields = ("=calling_ae_title", "=sop_instance_uid")
    search_help_text = _("AE title of the scanner, SOP instance UID")
    sortable_by = ()
    fields = (
        *("at", "operation", "calling_ae_title", "called_ae_title", "address", "sop_instance_uid", "performed"),
        *("status", "comment", "transfer_syntax", "told"),
    )
    readonly_fields = ("told",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[MppsRequest]:
        """Leave the bytes where they are: a list does not show them."""
        rows: QuerySet[MppsRequest] = super().get_queryset(request)
        return rows.defer("data")

    def tell_list(self, request: HttpRequest, rows: Any, search: str) -> None:
        """The list names no patient."""
        audit.record_viewed(request, self.opts.label_lower, search=search)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Tell that somebody reads one: it names a patient."""
        row = super().get_object(request, object_id, from_field)
        if row is not None and self.has_view_permission(request, row):
            links = row.performed.links.filter(undone_at=None) if row.performed else PerformedLink.objects.none()
            patients = links.values_list("step__requested_procedure__order__patient", flat=True)
            audit.patients_listed(request, patients, subject=audit.subject_of(row))
        return row

    @admin.display(description=_("data set"))
    def told(self, row: MppsRequest) -> SafeString:
        """Show the data set as text, as far as it can be read."""
        try:
            text = story.as_text(as_json(decode(bytes(row.data), syntax_of(row.transfer_syntax))))
        except QueryError:
            text = repr(bytes(row.data[:2000]))
        return format_html('<pre class="raw">{}</pre>', text)


def send_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then send a report again that was given up."""
    frame.require(request, "worklist.view_forwarding", "worklist.resend_forwarding")
    row = get_object_or_404(Forwarding.objects.select_related("archive", "request__performed"), pk=pk)
    if request.method != "POST":
        audit.record_viewed(request, audit.subject_of(row))
        return frame.page(request, "worklist/send_again.html", title=_("Send it again?"), row=row)
    return _sent_again(request, row)


def _sent_again(request: HttpRequest, row: Forwarding) -> HttpResponse:
    def again(*, by: Any) -> bool:
        changed = delivery.send_again(row)
        if changed:
            Event.objects.record(EventKind.PERFORMED_RESENT, by=by, subject=audit.subject_of(row))
            wake()
        return changed

    if frame.do(again, request):
        messages.success(request, _("It will be sent again now."))
    else:
        messages.info(request, _("It is on its way already."))
    return frame.leads_to("worklist_forwarding_changelist")


def trouble(request: HttpRequest) -> dict[str, Any]:
    """Count what waits for the archives and what was given up."""
    dead, waiting = Q(state=Forwarding.State.DEAD), Q(state=Forwarding.State.WAITING)
    counts = Forwarding.objects.aggregate(dead=Count("pk", filter=dead), waiting=Count("pk", filter=waiting))
    failing = Forwarding.objects.filter(waiting, attempts__gt=0).select_related("archive")
    return {
        **counts,
        "failing": failing[:3] if counts["waiting"] else [],
        "archives": Archive.objects.filter(active=True, forwards=True).count(),
    }


register_page(Page(_("Archives"), "worklist_archive_changelist", "worklist.view_archive", 63, group=INTERFACES))
register_page(
    Page(_("Scanner reports"), "worklist_mppsrequest_changelist", "worklist.view_mppsrequest", 52, group=INTERFACES)
)
register_page(
    Page(_("Reports to archives"), "worklist_forwarding_changelist", "worklist.view_forwarding", 53, group=INTERFACES)
)
register_panel(
    Panel(
        "archives",
        "worklist/panel_archives.html",
        "worklist.view_forwarding",
        42,
        trouble,
        roles=(Role.INFORMATICS, Role.ADMINISTRATOR),
    )
)
