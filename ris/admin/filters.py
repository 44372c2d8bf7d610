"""Filters beside the lists of the desk."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib.admin import ModelAdmin, RelatedFieldListFilter, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ris.days import day_named
from ris.models import RequestedProcedure, ScheduledProcedureStep, Station

Span = tuple[date, date]
"""First day and the day after the last one."""

DAYS: dict[str, tuple[Any, Callable[[date], Span]]] = {
    "today": (_("Today"), lambda today: (today, today + timedelta(1))),
    "tomorrow": (_("Tomorrow"), lambda today: (today + timedelta(1), today + timedelta(2))),
    "next7": (_("Next 7 days"), lambda today: (today, today + timedelta(7))),
    "yesterday": (_("Yesterday"), lambda today: (today - timedelta(1), today)),
    "last7": (_("Last 7 days"), lambda today: (today - timedelta(6), today + timedelta(1))),
}


def bounds(first: date, end: date) -> tuple[datetime, datetime]:
    """Return the moments at which the first day begins and the last one ends, by the department's clock."""
    return _midnight(first), _midnight(end)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def span_of(word: str | None) -> Span | None:
    """Return the days that a word of DAYS or an ISO date stands for; None when it is neither."""
    if not word:
        return None
    if word in DAYS:
        return DAYS[word][1](timezone.localdate())
    day = day_named(word)
    return (day, day + timedelta(1)) if day else None


class DayFilter(SimpleListFilter):
    """By the day of a step: a word of DAYS, or any ISO date in the address."""

    title = _("day")
    parameter_name = "day"
    offered: tuple[str, ...] = tuple(DAYS)

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> list[tuple[str, Any]]:
        """Offer the words, and the date that is in the address."""
        offered = [(word, DAYS[word][0]) for word in self.offered]
        asked = request.GET.get(self.parameter_name, "")
        return offered if asked in DAYS or not span_of(asked) else [*offered, (asked, asked)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow a list of steps."""
        span = span_of(self.value())
        if span is None:
            return queryset
        begin, end = bounds(*span)
        return queryset.filter(start__gte=begin, start__lt=end)


class OrderDayFilter(DayFilter):
    """Orders with a step on the day."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow a list of orders."""
        span = span_of(self.value())
        if span is None:
            return queryset
        begin, end = bounds(*span)
        steps = ScheduledProcedureStep.objects.filter(start__gte=begin, start__lt=end)
        return queryset.filter(pk__in=_orders_of(steps))


class OrderModalityFilter(SimpleListFilter):
    """Orders with a step of a modality."""

    title = _("modality")
    parameter_name = "modality"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> list[tuple[str, str]]:
        """Offer what the stations do."""
        modalities = Station.objects.order_by("modality").values_list("modality", flat=True).distinct()
        return [(modality, modality) for modality in modalities]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow a list of orders."""
        if not self.value():
            return queryset
        return queryset.filter(pk__in=_orders_of(ScheduledProcedureStep.objects.filter(modality=self.value())))


class StepModalityFilter(OrderModalityFilter):
    """Steps of a modality."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow a list of steps."""
        return queryset.filter(modality=self.value()) if self.value() else queryset


class StationFilter(RelatedFieldListFilter):
    """Steps of a station; those without one are found by their state."""

    @property
    def include_empty_choice(self) -> bool:
        """Offer stations only: a link without a name helps nobody."""
        return False


class AttentionFilter(SimpleListFilter):
    """Orders that a person has to look at."""

    title = _("needs attention")
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> list[tuple[str, Any]]:
        """Offer those that do."""
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow a list of orders."""
        return queryset.exclude(attention="") if self.value() == "yes" else queryset


class MergedFilter(SimpleListFilter):
    """Patients as they are; those that were merged into another only on demand."""

    title = _("merged")
    parameter_name = "merged"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> list[tuple[str, Any]]:
        """Offer the others."""
        return [("only", _("Merged into another")), ("all", _("All"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Leave merged patients out unless they are asked for."""
        match self.value():
            case "only":
                return queryset.filter(merged_into__isnull=False)
            case "all":
                return queryset
            case _:
                return queryset.filter(merged_into__isnull=True)

    def choices(self, changelist: Any) -> Any:
        """Call the default what it is."""
        first, *others = super().choices(changelist)
        return [first | {"display": _("Current patients")}, *others]


def _orders_of(steps: QuerySet[ScheduledProcedureStep]) -> QuerySet[Any, Any]:
    procedures = RequestedProcedure.objects.filter(pk__in=steps.values("requested_procedure"))
    return procedures.values("order")
