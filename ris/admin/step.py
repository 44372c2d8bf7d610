"""The schedule: steps by day, station and state."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ris.admin.filters import DayFilter, StationFilter, StepModalityFilter
from ris.admin.lists import PatientDataAdmin
from ris.models import Patient, ScheduledProcedureStep
from ris.templatetags.desk import badge, site_time
from ris.views import appointments, board, board_moves, safety, searching, slots, steps, waiting_list


@admin.register(ScheduledProcedureStep)
class StepAdmin(PatientDataAdmin):
    """See what is to be done, when and where."""

    list_display = ("when", "station", "patient", "number", "exam", "shown_state", "accession")
    list_display_links = ("when",)
    list_filter = (DayFilter, "state", StepModalityFilter, ("station", StationFilter))
    list_select_related = ("station__site", "requested_procedure__exam", "requested_procedure__order__patient")
    search_fields = ("sps_id",)  # shows the box; what it finds is decided in get_search_results
    search_help_text = _("Name or number of the patient, accession number, step ID")
    ordering = ("start", "pk")
    sortable_by = ("when",)

    def patient_of(self, row: ScheduledProcedureStep) -> int:
        """Return the patient of the step's order."""
        return row.requested_procedure.order.patient_id

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScheduledProcedureStep]:
        """Bring the patients' identifiers along."""
        rows: QuerySet[ScheduledProcedureStep] = super().get_queryset(request)
        return rows.prefetch_related("requested_procedure__order__patient__identifiers")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ScheduledProcedureStep], search_term: str
    ) -> tuple[QuerySet[ScheduledProcedureStep], bool]:
        """Find by step ID, the order's numbers or its patient."""
        return (searching.steps(queryset, search_term) if search_term.strip() else queryset), False

    def get_urls(self) -> list[URLPattern]:
        """Add what can be done with a step."""
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/go/", view(steps.go), name="ris_step_go"),
            path("<int:pk>/open-again/", view(steps.open_again), name="ris_step_open_again"),
            path("<int:pk>/override/", view(safety.override), name="ris_step_override"),
            path("<int:pk>/book/", view(steps.book), name="ris_step_book"),
            path("<int:pk>/slots/", view(slots.find), name="ris_step_slots"),
            path("<int:pk>/fits/", view(board_moves.fits), name="ris_step_fits"),
            path("<int:pk>/put/", view(board_moves.put), name="ris_step_put"),
            path("board/live/", view(board.live), name="ris_board_live"),
            path("<int:pk>/swap/", view(appointments.swap), name="ris_step_swap"),
            path("<int:pk>/series/", view(appointments.book_series), name="ris_step_series"),
            path("<int:pk>/waiting-list/", view(waiting_list.put_on), name="ris_step_waiting_list"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Call the list what people call it."""
        return super().changelist_view(request, {"title": _("Schedule"), **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Lead to the step's order, which shows it."""
        return steps.show(request, object_id)

    @admin.display(description=_("start"), ordering="start")
    def when(self, step: ScheduledProcedureStep) -> Any:
        """Show the start by the clock of the site."""
        return site_time(step) or _("not yet known")

    @admin.display(description=_("patient"))
    def patient(self, step: ScheduledProcedureStep) -> Patient:
        """Show the patient."""
        return step.requested_procedure.order.patient

    @admin.display(description=_("patient ID"))
    def number(self, step: ScheduledProcedureStep) -> str:
        """Show the patient's primary identifier."""
        return step.requested_procedure.order.patient.patient_id

    @admin.display(description=_("exam"))
    def exam(self, step: ScheduledProcedureStep) -> str:
        """Show what is to be done."""
        return step.description

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, step: ScheduledProcedureStep) -> SafeString:
        """Show the state in its colour."""
        return badge(step)

    @admin.display(description=_("accession number"))
    def accession(self, step: ScheduledProcedureStep) -> str:
        """Show the order's accession number."""
        return step.requested_procedure.order.accession_number
