"""The message log on the desk: find a message, read it, see what it did and what was answered."""

from collections import Counter
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from hl7 import control_admin as control_admin  # registers the table of order controls
from hl7 import endpoint_admin as endpoint_admin  # registers the endpoints
from hl7 import lookups as lookups  # registers `holds`
from hl7.models import InboundMessage, MessageState
from hl7.readable import readable, readable_answer, visible
from ris import audit
from ris.admin.lists import PatientDataAdmin
from ris.desk import Page, Panel, register_page, register_panel
from ris.models import Event, Patient
from ris.roles import Role
from ris.views import frame, searching, story

SEARCHED = 10_000
"""Newest messages whose text is searched; older ones are found by control ID, patient and order."""
MOST_CAUSES = 500
NAME_SHOWN = 40
CAUSE = "hl7:"
PROBLEMS = (MessageState.FAILED, MessageState.KEPT, MessageState.INTERRUPTED)


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


@admin.register(InboundMessage)
class InboundMessageAdmin(PatientDataAdmin):
    """Every message as it came; nobody can change one."""

    list_display = ("received_at", "sender", "kind", "control_id", "shown_state", "answer_code", "problem")
    list_display_links = ("received_at", "control_id")
    list_filter = (TroubleFilter, "state", "answer_code", "message_type")
    search_fields = ("control_id",)  # shows the box; what it finds is decided in get_search_results
    search_help_text = _("Text of the newest 10,000, control ID, type as in ADT^A08, patient, accession number")
    ordering = ("-pk",)
    sortable_by = ()

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
        newest = InboundMessage.objects.aggregate(newest=Max("pk"))["newest"] or 0
        found = Q(control_id=text) | Q(pk__in=_touching(text))
        found |= Q(pk__gt=newest - SEARCHED, raw__holds=text.encode())
        kind, _caret, event = text.upper().partition("^")
        found |= Q(message_type=kind, event=event) if event else Q(message_type=kind)
        return queryset.filter(found), False

    def tell_list(self, request: HttpRequest, rows: Any, search: str) -> None:
        """Name the patients that the messages touched."""
        causes = [row.cause for row in rows]
        patients = Event.objects.filter(cause__in=causes, patient__isnull=False).values_list("patient", flat=True)
        audit.patients_listed(request, patients.distinct().order_by(), search=search, subject=self.opts.label_lower)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one message."""
        frame.require(request, "hl7.view_inboundmessage")
        message = get_object_or_404(InboundMessage.objects.select_related("repeat_of"), pk=frame.key(object_id))
        raw = bytes(message.raw)
        effects = Event.objects.filter(cause=(message.repeat_of or message).cause).exclude(kind__in=story.READS)
        events = list(effects.select_related("patient", "order").order_by("pk")[:200])
        patients = list({event.patient_id: event.patient for event in events if event.patient}.values())
        answer = frame.page(
            request,
            "hl7/message.html",
            title=_("Message %s") % (message.control_id or message.pk),
            message=message,
            segments=readable(raw),
            raw=visible(raw),
            answer=readable_answer(bytes(message.answer)),
            raw_answer=visible(bytes(message.answer)),
            patients=patients,
            orders=list({event.order_id: event.order for event in events if event.order}.values()),
            story=story.tell(events),
        )
        _tell(request, message, patients)
        return answer

    @admin.display(description=_("sender"))
    def sender(self, message: InboundMessage) -> SafeString:
        """Show application, facility and address; of a long name the beginning, the rest on pointing at it."""
        name = "|".join(filter(None, (message.sending_application, message.sending_facility)))
        short = Truncator(name).chars(NAME_SHOWN)
        return format_html('<span title="{}">{}</span>', name, " ".join(filter(None, (short, message.peer))))

    @admin.display(description=_("type"))
    def kind(self, message: InboundMessage) -> str:
        """Show type and event."""
        return "^".join(filter(None, (message.message_type, message.event)))

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, message: InboundMessage) -> SafeString:
        """Show the state in its colour."""
        text = message.get_state_display()
        return format_html('<span class="state message-{}">{}</span>', message.state, text)

    @admin.display(description=_("error"))
    def problem(self, message: InboundMessage) -> str:
        """Show why it was not taken, or how many warnings it had."""
        if message.error_text:
            return " ".join(filter(None, (message.error_place, message.error_text)))
        return " · ".join(str(warning) for warning in message.warnings[:2])


def _touching(text: str) -> list[int]:
    """Return the messages that touched the patients or the order that the words mean, the newest first."""
    touching = Event.objects.filter(searching.about(text), cause__startswith=CAUSE).order_by("-pk")
    causes = touching.values_list("cause", flat=True)
    keys = (cause.removeprefix(CAUSE) for cause in causes[:MOST_CAUSES])
    return [int(key) for key in keys if key.isdigit()]


def _tell(request: HttpRequest, message: InboundMessage, patients: list[Patient]) -> None:
    """Write the event of one view of a message."""
    subject = audit.subject_of(message)
    if len(patients) == 1:
        audit.patient_viewed(request, patients[0], subject=subject)
    elif patients:
        audit.patients_listed(request, [patient.pk for patient in patients], subject=subject)
    else:
        audit.record_viewed(request, subject)


def health(request: HttpRequest) -> dict[str, Any]:
    """Count the messages of the last 24 hours by what became of them; say when the last one came."""
    since = timezone.now() - timedelta(hours=24)
    rows = InboundMessage.objects.filter(received_at__gte=since).order_by().values_list("state").annotate(Count("pk"))
    counts = Counter(dict(rows))
    states = [(state, counts[state]) for state in MessageState if counts[state]]
    latest = InboundMessage.objects.order_by("-pk").values_list("received_at", flat=True).first()
    return {"states": states, "problems": sum(counts[state] for state in PROBLEMS), "latest": latest}


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
