"""Filters beside the message list: what needs attention, when, from whom, about whom."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from hl7 import moments, texts
from hl7.models import OPEN_STATES, InboundMessage, MessageState, MessageText
from ris.admin.filters import DayFilter, bounds, span_of
from ris.models import Event, Order, Patient, PatientIdentifier
from ris.views import searching

CAUSE = "hl7:"
MOST_CAUSES = 500
NEWEST = 2000
MOST_NUMBERS = 20
PROBLEMS = (*OPEN_STATES, MessageState.WAITING)


class TroubleFilter(admin.SimpleListFilter):
    """Messages that a person should look at."""

    title = _("needs attention")
    parameter_name = "trouble"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Offer those that failed, and those that were applied with warnings as well."""
        return [("yes", _("Failed or kept")), ("warned", _("Also with warnings"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list."""
        states = {
            "yes": PROBLEMS,
            "warned": (*PROBLEMS, MessageState.APPLIED_WITH_WARNINGS),
        }.get(self.value() or "")
        return queryset.filter(state__in=states) if states else queryset


class ReceivedFilter(DayFilter):
    """By the day on which a message came."""

    offered = ("today", "yesterday", "last7")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list."""
        span = span_of(self.value())
        if span is None:
            return queryset
        begin, end = bounds(*span)
        return queryset.filter(received_at__gte=begin, received_at__lt=end)


class SeenFilter(admin.SimpleListFilter):
    """By a value of one column. Those of the newest messages are offered: to look for all would read every row."""

    column: int

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Offer the values seen lately, and the one that is chosen."""
        seen = {values[self.column] for values in _newest(request)} | {self.value() or ""}
        return [(value, value) for value in sorted(seen) if value]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list."""
        return queryset.filter(**{_SEEN[self.column]: self.value()}) if self.value() else queryset


_SEEN = ("message_type", "event", "answer_code")


def _newest(request: HttpRequest) -> set[tuple[str, ...]]:
    """Return the kinds and answers of the newest messages, read once for each page."""
    seen: set[tuple[str, ...]] | None = getattr(request, "seen_lately", None)
    if seen is None:
        seen = set(InboundMessage.objects.order_by("-pk").values_list(*_SEEN)[:NEWEST])
        request.seen_lately = seen  # type: ignore[attr-defined]
    return seen


class TypeFilter(SeenFilter):
    """By MSH-9.1."""

    title = _("type")
    parameter_name = _SEEN[0]
    column = 0


class EventFilter(SeenFilter):
    """By the trigger event."""

    title = _("event")
    parameter_name = _SEEN[1]
    column = 1


class AnswerFilter(SeenFilter):
    """By MSA-1 of the answer."""

    title = _("answered")
    parameter_name = _SEEN[2]
    column = 2


class TypedFilter(admin.SimpleListFilter):
    """A filter with a box to type into."""

    template = "hl7/typed_filter.html"

    def has_output(self) -> bool:
        """Show it always: there is nothing to choose from."""
        return True

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Offer nothing."""
        return []

    def choices(self, changelist: Any) -> Any:
        """Give the box what stands in it, and what else the address holds, which stays."""
        others = [(name, value) for name, value in changelist.params.items() if name != self.parameter_name]
        more = [(name, one) for name, value in others for one in (value if isinstance(value, list) else [value])]
        if changelist.query:
            more.append(("q", changelist.query))
        yield {"value": self.value() or "", "name": self.parameter_name, "others": more, "selected": True}


class TimeFilter(TypedFilter):
    """Messages that came at a time: a day, an hour, or from one to another."""

    title = _("time")
    parameter_name = "time"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list; to nothing where what was typed is no time."""
        typed = (self.value() or "").strip()
        if not typed:
            return queryset
        found = moments.period(typed)
        return queryset.filter(received_at__gte=found[0], received_at__lt=found[1]) if found else queryset.none()


class SenderFilter(TypedFilter):
    """Messages of one application, facility or address."""

    title = _("sender")
    parameter_name = "sender"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list: by the beginning of MSH-3 or MSH-4, or by the address."""
        typed = (self.value() or "").strip()
        if not typed:
            return queryset
        named = Q(sending_application__istartswith=typed) | Q(sending_facility__istartswith=typed)
        return queryset.filter(named | Q(peer=typed))


class PatientFilter(TypedFilter):
    """Messages that touched a patient, or hold one of their numbers."""

    title = _("patient")
    parameter_name = "patient"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list: by parts of the name, a number or the birth date."""
        typed = (self.value() or "").strip()
        if not typed:
            return queryset
        found = Patient.objects.search(searching.normal(typed)).values_list("pk", flat=True)
        people = list(found[: searching.MOST_PATIENTS])
        numbers = PatientIdentifier.objects.filter(patient__in=people[:MOST_NUMBERS]).values_list("value", flat=True)
        return queryset.filter(pk__in=_about(Q(patient__in=people), set(numbers[:MOST_NUMBERS])))


class OrderFilter(TypedFilter):
    """Messages that touched an order, or hold one of its numbers."""

    title = _("order")
    parameter_name = "order"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the list: by accession number, placer's or filler's number."""
        typed = (self.value() or "").strip()
        if not typed:
            return queryset
        named = Q(accession_number=typed.upper()) | Q(placer_order_number=typed) | Q(filler_order_number=typed)
        found = list(Order.objects.filter(named)[:MOST_NUMBERS])
        numbers = {order.placer_order_number or order.accession_number for order in found} | {typed}
        return queryset.filter(pk__in=_about(Q(order__in=found), numbers))


def touching(about: Q) -> list[int]:
    """Return the messages that touched the patients or orders of a condition on events, the newest first."""
    events = Event.objects.filter(about, cause__startswith=CAUSE).order_by("-pk")
    causes = events.values_list("cause", flat=True)
    keys = (cause.removeprefix(CAUSE) for cause in causes[:MOST_CAUSES])
    return [int(key) for key in keys if key.isdigit()]


def _about(touched: Q, numbers: set[str]) -> set[int]:
    """Return the messages that touched something, and those that only speak of it: they did nothing perhaps."""
    texts.catch_up()
    found = set(touching(touched))
    speaking = Q()
    for number in sorted(numbers)[:MOST_NUMBERS]:
        if len(number) >= texts.SHORT_WORD:
            speaking |= texts.holding(texts.words_in(number))
    if speaking:
        rows = MessageText.objects.filter(speaking).order_by("-pk")
        found.update(rows.values_list("pk", flat=True)[:MOST_CAUSES])
    return found
