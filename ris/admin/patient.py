"""Patients: the list with its search, and the addresses of the pages behind it."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from ris import person_name
from ris.admin.filters import MergedFilter
from ris.admin.lists import PatientDataAdmin
from ris.models import Patient
from ris.models.patient import PatientQuerySet
from ris.views import duplicates, finding, merging, ordering, patients, printing
from ris.views.kept import keeps_what_was_typed


@admin.register(Patient)
class PatientAdmin(PatientDataAdmin):
    """Find a patient, or register one."""

    list_display = ("name", "other_names", "number", "born", "sex", "merged_into")
    list_display_links = ("name",)
    list_filter = (MergedFilter,)
    list_select_related = ("merged_into",)
    search_fields = ("patient_name",)  # shows the box; what it finds is decided in get_search_results
    search_help_text = _(
        "Any part of a name or how it sounds, any number, a phone, or the birth date (1962-04-17 or 17.4.1962)"
    )
    ordering = ("patient_name_folded", "pk")

    def patient_of(self, row: Patient) -> int:
        """Return the patient's own key."""
        return row.pk

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let those register who may."""
        return request.user.has_perm("ris.add_patient")

    def get_queryset(self, request: HttpRequest) -> PatientQuerySet:
        """Bring the identifiers along."""
        return Patient.objects.prefetch_related("identifiers")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[PatientQuerySet, bool]:
        """Find by any part of the names or their sound, any identifier, the birth date, the phone."""
        return (finding.patients(queryset, search_term) if search_term.strip() else queryset), False

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Say why each is found, where something was searched for."""
        return (*self.list_display, "why") if request.GET.get("q", "").strip() else self.list_display

    def tell_list(self, request: HttpRequest, rows: Iterable[Patient], search: str) -> None:
        """Note with each row why it is found, for the page that is shown next."""
        shown = list(rows)
        for found in finding.explain(shown, request.GET.get("q", "")):
            found.patient.found_by = " · ".join(found.why)  # type: ignore[attr-defined]
        super().tell_list(request, shown, search)

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of one patient."""
        view = self.admin_site.admin_view
        return [
            path("live/", view(finding.live), name="ris_patient_live"),
            path("alike/", view(duplicates.live), name="ris_patient_alike"),
            path("<int:pk>/edit/", view(patients.edit), name="ris_patient_edit"),
            path("<int:pk>/identify/", view(patients.identify), name="ris_patient_identify"),
            path("<int:pk>/merge/", view(merging.merge), name="ris_patient_merge"),
            path("<int:pk>/unmerge/", view(merging.undo), name="ris_patient_unmerge"),
            path("<int:pk>/order/", view(ordering.place), name="ris_patient_order"),
            path("<int:pk>/story/", view(patients.tell), name="ris_patient_story"),
            path("<int:pk>/wristband/", view(printing.wristband), name="ris_patient_wristband"),
            *super().get_urls(),
        ]

    @keeps_what_was_typed
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Register a patient."""
        return patients.register(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a patient."""
        return patients.show(request, object_id)

    @admin.display(description=_("name"), ordering="patient_name_folded")
    def name(self, patient: Patient) -> str:
        """Show the name as people read it."""
        return str(patient)

    @admin.display(description=_("in other scripts"))
    def other_names(self, patient: Patient) -> str:
        """Show the ideographic and the phonetic name."""
        groups = (patient.patient_name_ideographic, patient.patient_name_phonetic)
        return " · ".join(person_name.display(group) for group in groups if group)

    @admin.display(description=_("patient ID"))
    def number(self, patient: Patient) -> str:
        """Show the primary identifier."""
        return patient.patient_id

    @admin.display(description=_("birth date"), ordering="birth_date")
    def born(self, patient: Patient) -> Any:
        """Show the birth date."""
        return patient.birth_date

    @admin.display(description=_("found by"))
    def why(self, patient: Patient) -> str:
        """Show what led to the patient."""
        found_by: str = getattr(patient, "found_by", "")
        return found_by
