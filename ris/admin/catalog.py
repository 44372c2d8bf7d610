"""The catalogue: sites, stations, exams with their steps and protocol codes."""

from typing import TYPE_CHECKING, Any, TypeAlias

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from ris.admin.audited import AuditedAdmin
from ris.models import Exam, ExamGap, ExamNeed, ExamPreparation, ExamQuestion, ExamStep, ProtocolCode, Site, Station
from ris.views import exam_exchange

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

    list_display = ("ae_title", "name", "modality", "site", "location", "max_weight", "rank", "active")
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


class ExamPreparationRows(Rows):
    """How patients prepare, by language."""

    model = ExamPreparation
    extra = 0


class ExamGapRows(Rows):
    """What it must be kept apart from."""

    model = ExamGap
    fk_name = "exam"
    autocomplete_fields = ("after",)
    extra = 0


class ExamQuestionRows(Rows):
    """What is asked when it is ordered."""

    model = ExamQuestion
    extra = 0


class ExamNeedRows(Rows):
    """What its steps need besides the scanner."""

    model = ExamNeed
    extra = 0


@admin.register(Exam)
class ExamAdmin(AuditedAdmin):
    """What referrers can order."""

    list_display = ("code", "meaning", "modality", "body_part", "laterality", "taken", "active")
    list_display_links = ("code", "meaning")
    list_filter = ("modality", "active")
    search_fields = ("code", "meaning", "body_part", "modality", "loinc_code", "playbook_code")
    filter_horizontal = ("stations",)
    inlines = (ExamStepRows, ProtocolCodeRows, ExamPreparationRows, ExamGapRows, ExamQuestionRows, ExamNeedRows)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("code", "coding_scheme"),
                    "meaning",
                    ("modality", "body_part", "laterality"),
                    ("loinc_code", "playbook_code"),
                    ("active", "valid_from", "valid_until"),
                )
            },
        ),
        (
            _("Minutes"),
            {
                "description": _(
                    "The station is taken for all three. An exam with steps takes the minutes of its steps."
                ),
                "fields": (
                    ("preparation_minutes", "duration", "cleanup_minutes"),
                    ("child_preparation_minutes", "child_duration", "child_cleanup_minutes"),
                    "child_below",
                ),
            },
        ),
        (_("Preparation"), {"fields": ("preparation", "contrast_agent", "pre_medication")}),
        (_("Limits"), {"fields": ("lead_time", ("min_age", "max_age"), ("min_weight", "max_weight"))}),
        (_("Where"), {"fields": ("stations",)}),
    )

    def get_urls(self) -> list[URLPattern]:
        """Add the ways in and out for tables of exams."""
        view = self.admin_site.admin_view
        return [
            path("export.<slug:kind>", view(exam_exchange.export), name="ris_exam_export"),
            path("import/", view(exam_exchange.upload), name="ris_exam_import"),
            path("import/<int:pk>/", view(exam_exchange.review), name="ris_exam_review"),
            *super().get_urls(),
        ]

    @admin.display(description=_("minutes"))
    def taken(self, exam: Exam) -> int:
        """Show how long it takes in all."""
        steps = exam.steps.all()
        return sum(step.minutes() for step in steps) if steps else exam.minutes()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Exam]:
        """Bring the steps along, whose minutes the list adds up."""
        rows: QuerySet[Exam] = super().get_queryset(request)
        return rows.prefetch_related("steps")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Exam], search_term: str
    ) -> tuple[QuerySet[Exam], bool]:
        """Suggest only exams in use while an order is written."""
        rows, duplicates = super().get_search_results(request, queryset, search_term)
        suggesting = request.resolver_match is not None and request.resolver_match.url_name == "autocomplete"
        return (rows.filter(pk__in=Exam.objects.in_use()) if suggesting else rows), duplicates
