"""The catalogue: sites, stations, exams with their steps and protocol codes."""

from typing import TYPE_CHECKING, Any, TypeAlias

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ris.admin.audited import AuditedAdmin
from ris.models import Exam, ExamStep, ProtocolCode, Site, Station

if TYPE_CHECKING:
    Rows: TypeAlias = admin.TabularInline[Any, Any]
else:
    Rows = admin.TabularInline


@admin.register(Site)
class SiteAdmin(AuditedAdmin):
    """The places of the department."""

    list_display = ("code", "name", "time_zone", "accession_prefix", "is_default")


@admin.register(Station)
class StationAdmin(AuditedAdmin):
    """The scanners and rooms."""

    list_display = ("ae_title", "name", "modality", "site", "location", "rank", "active")
    list_filter = ("modality", "site", "active")
    list_select_related = ("site",)
    search_fields = ("ae_title", "name")


class ExamStepRows(Rows):
    """The steps of an exam that has more than one."""

    model = ExamStep
    extra = 0


class ProtocolCodeRows(Rows):
    """The protocols that its steps run."""

    model = ProtocolCode
    extra = 0


@admin.register(Exam)
class ExamAdmin(AuditedAdmin):
    """What referrers can order."""

    list_display = ("code", "meaning", "modality", "body_part", "duration", "active")
    list_display_links = ("code", "meaning")
    list_filter = ("modality", "active")
    search_fields = ("code", "meaning", "body_part", "modality")
    filter_horizontal = ("stations",)
    inlines = (ExamStepRows, ProtocolCodeRows)
    fieldsets = (
        (None, {"fields": ("code", "coding_scheme", "meaning", "modality", "body_part", "duration", "active")}),
        (_("Preparation"), {"fields": ("preparation", "contrast_agent", "pre_medication")}),
        (_("Where"), {"fields": ("stations",)}),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Exam], search_term: str
    ) -> tuple[QuerySet[Exam], bool]:
        """Suggest only exams in use while an order is written."""
        rows, duplicates = super().get_search_results(request, queryset, search_term)
        suggesting = request.resolver_match is not None and request.resolver_match.url_name == "autocomplete"
        return (rows.filter(active=True) if suggesting else rows), duplicates
