"""Orders: the list with its filters, and the addresses of the pages behind it."""

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from ris.admin.filters import AttentionFilter, OrderDayFilter, OrderModalityFilter
from ris.admin.lists import PatientDataAdmin
from ris.models import Order, RequestedProcedure, ScheduledProcedureStep
from ris.states import StepState
from ris.templatetags.desk import badge, site_time
from ris.views import ordering, orders, printing, safety, searching


@admin.register(Order)
class OrderAdmin(PatientDataAdmin):
    """Find an order."""

    list_display = ("accession_number", "patient", "number", "exams", "shown_state", "start", "station", "marks")
    list_display_links = ("accession_number",)
    list_filter = ("state", AttentionFilter, OrderDayFilter, OrderModalityFilter, "site")
    list_select_related = ("patient",)
    search_fields = ("accession_number",)  # shows the box; what it finds is decided in get_search_results
    search_help_text = _("Accession number, placer's or filler's number, name or number of the patient, birth date")
    ordering = ("-pk",)
    sortable_by = ("accession_number", "shown_state")

    def patient_of(self, row: Order) -> int:
        """Return the order's patient."""
        return row.patient_id

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        """Bring along what the columns show, in one query each."""
        steps = ScheduledProcedureStep.objects.select_related("station__site").order_by("start", "pk")
        procedures = RequestedProcedure.objects.select_related("exam").prefetch_related(Prefetch("steps", steps))
        rows: QuerySet[Order] = super().get_queryset(request)
        return rows.prefetch_related("patient__identifiers", Prefetch("procedures", procedures))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        """Find by the order's numbers or its patient."""
        return (searching.orders(queryset, search_term) if search_term.strip() else queryset), False

    def get_urls(self) -> list[URLPattern]:
        """Add what can be done with an order."""
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/act/", view(orders.act), name="ris_order_act"),
            path("exams/", view(ordering.exams_live), name="ris_order_exams"),
            path("questions/", view(ordering.questions_live), name="ris_order_questions"),
            path("referrers/", view(ordering.referrers_live), name="ris_order_referrers"),
            path("<int:pk>/safety/", view(safety.questions), name="ris_order_safety"),
            path("<int:pk>/edit/", view(ordering.edit), name="ris_order_edit"),
            path("<int:pk>/letter/", view(printing.letter), name="ris_order_letter"),
            path("<int:pk>/label/", view(printing.label), name="ris_order_label"),
            path("<int:pk>/exam/<int:procedure>/", view(orders.assign_exam), name="ris_order_exam"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show an order."""
        return orders.show(request, object_id)

    @admin.display(description=_("patient ID"))
    def number(self, order: Order) -> str:
        """Show the patient's primary identifier."""
        return order.patient.patient_id

    @admin.display(description=_("exam"))
    def exams(self, order: Order) -> SafeString:
        """Show what was ordered, a line a procedure."""
        names = ((row.exam.meaning if row.exam else row.meaning or row.code,) for row in order.procedures.all())
        return format_html_join(mark_safe("<br>"), "{}", names)

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, order: Order) -> SafeString:
        """Show the state in its colour."""
        return badge(order)

    @admin.display(description=_("start"))
    def start(self, order: Order) -> str:
        """Show when its first step that is not cancelled begins."""
        step = _first_step(order)
        return site_time(step) if step else ""

    @admin.display(description=_("station"))
    def station(self, order: Order) -> str:
        """Show the station of that step."""
        step = _first_step(order)
        return step.station.name if step and step.station else ""

    @admin.display(description=_("needs attention"))
    def marks(self, order: Order) -> SafeString:
        """Say why a person has to look."""
        return format_html_join(" ", '<span class="why">{}</span>', ((mark.label,) for mark in order.attentions))


def _first_step(order: Order) -> ScheduledProcedureStep | None:
    """Return the earliest step that is not cancelled, from what was prefetched."""
    steps = [step for row in order.procedures.all() for step in row.steps.all() if step.state != StepState.CANCELED]
    return min(steps, key=lambda step: (step.start is None, step.start, step.pk), default=None)
