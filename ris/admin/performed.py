"""What scanners have done: the list of performed steps."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ris import audit
from ris.admin.lists import PatientDataAdmin
from ris.models import Order, PerformedLink, PerformedProcedureStep
from ris.templatetags.desk import badge, scanner_time
from ris.views import performed as pages
from ris.views import searching


class LinkedFilter(SimpleListFilter):
    """By whether an order is known."""

    title = _("order")
    parameter_name = "order"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Offer what waits first."""
        return [("waiting", _("Waits for an order")), ("linked", _("Linked")), ("aside", _("Set aside"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list."""
        rows = PerformedProcedureStep.objects
        match self.value():
            case "waiting":
                return queryset.filter(pk__in=rows.waiting().values("pk"))
            case "linked":
                return queryset.filter(pk__in=rows.linked().values("pk"))
            case "aside":
                return queryset.exclude(set_aside="")
        return queryset


@admin.register(PerformedProcedureStep)
class PerformedAdmin(PatientDataAdmin):
    """See what was done, and what no order is known for."""

    list_display = ("when", "station_ae_title", "modality", "patient", "number", "shown_state", "images", "orders")
    list_display_links = ("when",)
    list_filter = (LinkedFilter, "state", "modality")
    list_select_related = ("station__site",)
    search_fields = ("pps_id",)  # shows the box; what it finds is decided in get_search_results
    search_help_text = _("Accession number, name or number of the patient, AE title, study UID")
    ordering = ("-start", "-pk")
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[PerformedProcedureStep]:
        """Bring the orders along; leave the data sets where they are."""
        rows: QuerySet[PerformedProcedureStep] = super().get_queryset(request)
        return rows.defer("content").prefetch_related(pages.linked())

    def tell_list(self, request: HttpRequest, rows: Any, search: str) -> None:
        """Name the patients of the orders on the page."""
        rows = list(rows)
        shown = {link.step.requested_procedure.order.patient_id for row in rows for link in row.links.all()}
        shown |= pages.known_as([row for row in rows if not row.links.all()])
        audit.patients_listed(request, shown, search=search, subject=self.opts.label_lower)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PerformedProcedureStep], search_term: str
    ) -> tuple[QuerySet[PerformedProcedureStep], bool]:
        """Find by the scanner, the study, or the order and patient that it is linked with."""
        text = search_term.strip()
        if not text:
            return queryset, False
        orders = searching.orders(Order.objects.order_by(), text).values("pk")
        links = PerformedLink.objects.active().filter(step__requested_procedure__order__in=orders)
        found = Q(pk__in=links.values("performed")) | Q(station_ae_title=text) | Q(study_instance_uid=text)
        return queryset.filter(found | Q(said__id=text) | Q(sop_instance_uid=text)), False

    def get_urls(self) -> list[URLPattern]:
        """Add what can be done with one."""
        view = self.admin_site.admin_view
        return [path("<int:pk>/act/", view(pages.act), name="ris_performed_act"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one."""
        return pages.show(request, object_id)

    @admin.display(description=_("start"))
    def when(self, row: PerformedProcedureStep) -> str:
        """Show the start by the clock of the site."""
        return scanner_time(row)

    @admin.display(description=_("patient as the scanner says"))
    def patient(self, row: PerformedProcedureStep) -> str:
        """Show the name."""
        return row.patient_name

    @admin.display(description=_("patient ID"))
    def number(self, row: PerformedProcedureStep) -> str:
        """Show the number."""
        return str(row.said.get("id", ""))

    @admin.display(description=_("state"))
    def shown_state(self, row: PerformedProcedureStep) -> SafeString:
        """Show the state in its colour."""
        return badge(row)

    @admin.display(description=_("images"))
    def images(self, row: PerformedProcedureStep) -> int:
        """Show how many images there are."""
        return row.images

    @admin.display(description=_("orders"))
    def orders(self, row: PerformedProcedureStep) -> SafeString | str:
        """Show the accession numbers, whether one is of another patient, and whether it waits."""
        numbers = {link.step.requested_procedure.order.accession_number for link in row.links.all()}
        known: SafeString | str = ", ".join(sorted(numbers))
        if pages.others(row):
            known = format_html('{} <span class="mark">{}</span>', known, gettext("another patient"))
        if row.set_aside:
            return known or gettext("set aside")
        if len(row.links.all()) < row.steps_meant:
            return format_html('{} <span class="mark">{}</span>', known, gettext("waits"))
        return known
