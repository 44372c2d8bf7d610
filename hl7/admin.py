"""The inbox on the desk: find messages by text, patient, order, sender, type, state and time, and mend them."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from hl7 import control_admin as control_admin  # registers the table of order controls
from hl7 import endpoint_admin as endpoint_admin  # registers the endpoints
from hl7 import pages, replay_pages, replaying, texts
from hl7.filters import (
    AnswerFilter,
    EventFilter,
    OrderFilter,
    PatientFilter,
    ReceivedFilter,
    SenderFilter,
    TimeFilter,
    TroubleFilter,
    TypeFilter,
    touching,
)
from hl7.models import OPEN_STATES, Chosen, InboundMessage, MessageState
from ris import audit
from ris.admin.lists import PatientDataAdmin
from ris.desk import Page, Panel, register_page, register_panel
from ris.models import Event
from ris.roles import Role
from ris.views import frame, searching

NAME_SHOWN = 40
MENDED_SHOWN = 6


@admin.register(InboundMessage)
class InboundMessageAdmin(PatientDataAdmin):
    """Every message as it came; nobody can change one."""

    list_display = ("received", "sender", "kind", "control_id", "shown_state", "answer_code", "problem")
    list_display_links = ("received", "control_id")
    list_filter = (
        *(TroubleFilter, PatientFilter, OrderFilter, SenderFilter, ReceivedFilter, TimeFilter),
        *("state", AnswerFilter, TypeFilter, EventFilter),
    )
    search_fields = ("control_id",)  # shows the box; what it finds is decided in get_search_results
    search_help_text = _("Words of the text, control ID, type as in ADT^A08, patient, accession number")
    ordering = ("-pk",)
    sortable_by = ()
    actions = ("send_again",)
    actions_selection_counter = True
    change_list_template = "hl7/messages.html"

    def get_urls(self) -> list[URLPattern]:
        """Add what can be done with messages."""
        view = self.admin_site.admin_view
        return [
            path("replay/", view(self.replay_found), name="hl7_replay_found"),
            path("replay/<int:pk>/", view(replay_pages.show), name="hl7_replay"),
            path("replay/<int:pk>/stop/", view(replay_pages.stop), name="hl7_replay_stop"),
            path("<int:pk>/try/", view(pages.try_it), name="hl7_message_try"),
            path("<int:pk>/edit/", view(pages.edit), name="hl7_message_edit"),
            path("<int:pk>/again/", view(pages.send_again), name="hl7_message_again"),
            path("<int:pk>/dismiss/", view(pages.dismiss), name="hl7_message_dismiss"),
            *super().get_urls(),
        ]

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Tell whether a person may send messages again."""
        return request.user.has_perm(pages.REPLAY)

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundMessage]:
        """Leave the bytes where they are: a list does not show them."""
        rows: QuerySet[InboundMessage] = super().get_queryset(request)
        return rows.defer("raw", "answer")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[InboundMessage], search_term: str
    ) -> tuple[QuerySet[InboundMessage], bool]:
        """Find by what the message says, what it is called, or what it touched."""
        text = search_term.strip()
        if not text:
            return queryset, False
        searched = texts.search(text)
        request.searched = searched  # type: ignore[attr-defined]  # the page says what was searched
        found = Q(control_id=text) | Q(pk__in={*searched.keys, *touching(searching.about(text))})
        kind, _caret, event = text.upper().partition("^")
        found |= Q(message_type=kind, event=event) if event else Q(message_type=kind)
        return queryset.filter(found), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list with the last replays."""
        more = {"replays": replay_pages.latest(), "may_replay": self.has_replay_permission(request)}
        return super().changelist_view(request, more | (extra_context or {}))

    def tell_list(self, request: HttpRequest, rows: Any, search: str) -> None:
        """Name the patients that the messages touched."""
        causes = [row.cause for row in rows]
        patients = Event.objects.filter(cause__in=causes, patient__isnull=False).values_list("patient", flat=True)
        audit.patients_listed(request, patients.distinct().order_by(), search=search, subject=self.opts.label_lower)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one message."""
        return pages.show(request, object_id)

    @admin.action(description=_("Send again"), permissions=["replay"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[InboundMessage]) -> HttpResponse | None:
        """Send the chosen messages again, as far as they are open."""
        return self._start(request, queryset, Chosen.TICKED)

    def replay_found(self, request: HttpRequest) -> HttpResponse:
        """Ask, then send again every open message that the list would show with the same search and filters."""
        frame.require(request, pages.VIEW, pages.REPLAY)
        found = self.get_changelist_instance(request).get_queryset(request).filter(state__in=OPEN_STATES)
        found = replaying.once(found.order_by())
        said = " ".join(f"{name}={value}" for name, value in request.GET.items())
        audit.record_viewed(request, self.opts.label_lower, search=said)
        if request.method == "POST":
            answer = self._start(request, found, _without_values(request.GET.keys()) or Chosen.ALL)
            return answer or frame.leads_to("hl7_inboundmessage_changelist")
        count = found.order_by()[: replaying.MOST].count()
        context = {"title": _("Send messages again"), "count": count, "said": said, "query": request.GET.urlencode()}
        return frame.page(request, "hl7/replay_found.html", **context)

    def _start(self, request: HttpRequest, rows: QuerySet[InboundMessage], about: str) -> HttpResponse | None:
        waiting = replaying.once(rows.filter(state__in=OPEN_STATES).order_by())
        keys = list(waiting.order_by("pk").values_list("pk", flat=True)[: replaying.MOST])
        if not keys:
            messages.warning(request, _("None of these messages waits to be mended."))
            return None
        return replay_pages.start(request, keys, about)

    @admin.display(description=_("received"))
    def received(self, message: InboundMessage) -> SafeString:
        """Show the time with seconds, by which it is found in the log of its sender."""
        at = timezone.localtime(message.received_at)
        return format_html('<span class="clock">{}</span> <span class="clock">{}</span>', at.date(), f"{at:%H:%M:%S}")

    @admin.display(description=_("sender"))
    def sender(self, message: InboundMessage) -> SafeString:
        """Show application, facility and address; of a long name the beginning, the rest on pointing at it."""
        name = " ".join(filter(None, (message.sending_application, message.sending_facility)))
        short = Truncator(name).chars(NAME_SHOWN)
        return format_html('<span title="{}">{}</span> <span class="quiet">{}</span>', name, short, message.peer)

    @admin.display(description=_("type"))
    def kind(self, message: InboundMessage) -> str:
        """Show type and event."""
        return message.kind

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, message: InboundMessage) -> SafeString:
        """Show the state in its colour."""
        text = message.get_state_display()
        return format_html('<span class="state message-{}">{}</span>', message.state, text)

    @admin.display(description=_("error or warnings"))
    def problem(self, message: InboundMessage) -> str:
        """Show why it was not taken, or how many warnings it had."""
        if message.error_text:
            return message.error_words
        return " · ".join(str(warning) for warning in message.warnings[:2])


def _without_values(names: Iterable[str]) -> str:
    """Return by what a list was narrowed, without what was typed: that may be a patient, and a replay is no audit."""
    return " ".join(f"{name}=…" for name in sorted(names))


def health(request: HttpRequest) -> dict[str, Any]:
    """Count the messages of the last 24 hours by what became of them; name the newest that wait to be mended."""
    since = timezone.now() - timedelta(hours=24)
    rows = InboundMessage.objects.filter(received_at__gte=since).order_by().values_list("state")
    found = list(rows.annotate(Count("pk"), Max("received_at")))
    counts = Counter({state: count for state, count, _latest in found})
    states = [(state, counts[state]) for state in MessageState if counts[state]]
    latest = max((latest for _state, _count, latest in found), default=None)
    to_mend = InboundMessage.objects.filter(state__in=OPEN_STATES).defer("raw", "answer").order_by("-pk")
    return {"states": states, "latest": latest, "to_mend": list(to_mend[:MENDED_SHOWN])}


register_page(Page(_("Messages"), "hl7_inboundmessage_changelist", "hl7.view_inboundmessage", 50))
register_panel(
    Panel(
        "messages",
        "hl7/panel_messages.html",
        "hl7.view_inboundmessage",
        40,
        health,
        roles=(Role.INFORMATICS, Role.ADMINISTRATOR),
        leads=(Role.INFORMATICS, Role.ADMINISTRATOR),
    )
)
