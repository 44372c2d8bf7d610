"""Forms of Django's admin for the catalogue and the accounts, whose every change becomes an event."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from ris import audit
from ris.admin.lists import ListAdmin
from ris.models import Event, EventKind
from ris.models.event import name_of
from ris.views import story

SECRET_FIELDS = frozenset({"password", "password1", "password2", "usable_password"})


class AuditedAdmin(ListAdmin):
    """Stock forms; each addition, change and deletion is told with what the form changed, in its transaction."""

    event_kind: ClassVar[EventKind] = EventKind.CATALOG_CHANGED
    object_history_template = "desk/history.html"
    has_history = True

    def tell_list(self, request: HttpRequest, rows: Iterable[Any], search: str) -> None:
        """Tell nothing: there is no patient in these lists."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Return what the form and its inlines changed; log_addition and log_change put it into the event."""
        details: dict[str, Any] = {"changes": changes_of(form)}
        rows = [entry for formset in formsets or () for entry in _inline_changes(formset)]
        return details | ({"rows": rows} if rows else {})

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        """Tell of a new row."""
        audit.row_changed(request, self.event_kind, obj, "added", message)

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        """Tell of a change; stock pages other than the form give words or lists of them."""
        details = message if isinstance(message, dict) else {"message": message}
        if details.get("changes") or details.get("rows") or details.get("message"):
            audit.row_changed(request, self.event_kind, obj, "changed", details)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Tell of what goes."""
        for row in queryset:
            audit.row_changed(request, self.event_kind, row, "deleted", {})

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse in words what is in use; else ask and delete."""
        row = self.get_object(request, object_id)
        users = _users_of(row) if row is not None and self.has_delete_permission(request, row) else []
        if users:
            text = _("%(row)s is in use (%(users)s), so it cannot be deleted. Take it out of use instead.")
            messages.error(request, text % {"row": row, "users": ", ".join(users)})
            name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change"
            return HttpResponseRedirect(reverse(name, args=[object_id]))
        return super().delete_view(request, object_id, extra_context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the events about one row."""
        row = self.get_object(request, object_id)
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        events = Event.objects.filter(subject=audit.subject_of(row), kind=self.event_kind)[:200]
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": _("History of %s") % row,
            "opts": self.opts,
            "object": row,
            "story": story.tell(events),
        }
        return TemplateResponse(request, self.object_history_template, context)


def changes_of(form: Any) -> dict[str, list[Any]]:
    """Return field -> [before, after] of what a form changed; of secrets only that they changed."""
    changes: dict[str, list[Any]] = {}
    for name in form.changed_data:
        if name in SECRET_FIELDS:
            changes["password"] = ["", "changed"]
        else:
            changes[name] = [_plain(form.initial.get(name)), _plain(form.cleaned_data.get(name))]
    return changes


def values_of(form: Any) -> dict[str, list[Any]]:
    """Return field -> [None, value] of what a form says of a new row, also where it was suggested and left so."""
    return {name: [None, _plain(value)] for name, value in form.cleaned_data.items() if value not in (None, "")}


def _inline_changes(formset: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for form in formset.initial_forms:
        if form in formset.deleted_forms:
            rows.append({"row": name_of(form.instance), "change": "deleted"})
        elif form.has_changed():
            rows.append({"row": name_of(form.instance), "change": "changed", "changes": changes_of(form)})
    rows += [{"row": name_of(row), "change": "added"} for row in formset.new_objects]
    return rows


def _plain(value: Any) -> Any:
    """Return a form's value as an event keeps it."""
    if isinstance(value, models.Model):
        return name_of(value)
    if isinstance(value, models.QuerySet | Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | date | datetime | None) else str(value)


def _users_of(row: models.Model) -> list[str]:
    """Name the kinds of rows that hold on to this one."""
    found = []
    for relation in row._meta.related_objects:
        if relation.on_delete is models.PROTECT and relation.related_model is not Event:
            rows = relation.related_model._default_manager.filter(**{relation.field.name: row})
            if rows.exists():
                found.append(str(relation.related_model._meta.verbose_name_plural))
    return found
