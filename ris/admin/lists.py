"""Lists that stay fast however long they get, and tell who looked at them."""

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst

from ris import audit

if TYPE_CHECKING:
    AnyModelAdmin: TypeAlias = admin.ModelAdmin[Any]
    AnyPaginator: TypeAlias = Paginator[Any]
else:
    AnyModelAdmin = admin.ModelAdmin
    AnyPaginator = Paginator

COUNTED = 1000
"""Rows that a list counts and pages through; who wants more has to search or filter."""


class BoundedPaginator(AnyPaginator):
    """Counts no further than COUNTED: counting 100,000 rows takes longer than showing 50 of them."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, at most COUNTED."""
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[:COUNTED].count()


class ListAdmin(AnyModelAdmin):
    """A list without a full count, without bulk actions, whose views are told as events."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    actions: Any = None
    empty_value_display = ""
    has_history = False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, then tell who saw it."""
        title = capfirst(str(self.opts.verbose_name_plural))
        response = super().changelist_view(request, {"title": title, **(extra_context or {})})
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            changelist = response.context_data["cl"]
            changelist.is_cut = changelist.result_count >= COUNTED
            said = {name: value for name, value in request.GET.items() if name != "p"}
            self.tell_list(request, changelist.result_list, " ".join(f"{n}={v}" for n, v in said.items()))
        return response

    def tell_list(self, request: HttpRequest, rows: Iterable[Any], search: str) -> None:
        """Write the event of one view of this list."""
        audit.record_viewed(request, self.opts.label_lower, search=search)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the page of the row: Django's own history is empty here, and names a patient without telling it."""
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[object_id]))


class PatientDataAdmin(ListAdmin):
    """A list of rows that belong to patients: read-only here, the pages behind it have their own forms."""

    preserve_filters = False  # or the address of each page behind it would hold what was searched for

    def patient_of(self, row: Any) -> int | None:
        """Return the primary key of the patient that a row belongs to."""
        raise NotImplementedError

    def tell_list(self, request: HttpRequest, rows: Iterable[Any], search: str) -> None:
        """Name the patients that were on the page."""
        patients = {pk for row in rows if (pk := self.patient_of(row)) is not None}
        audit.patients_listed(request, patients, search=search, subject=self.opts.label_lower)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse the stock form."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: nothing of a patient is deleted."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse the stock form."""
        return False
