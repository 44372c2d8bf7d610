"""The desk as an admin site: its menu, its first page, and who may sign in.

Not in ris/admin/, which registers itself with this site while it is imported.
"""

from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.auth.forms import AuthenticationForm
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext_lazy as _

from ris import audit, desk
from ris.models import EventKind, Order, Patient, User
from ris.views import kept


class AuditedAutocomplete(AutocompleteJsonView):
    """Suggestions while typing; an event tells which patients they name."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer, then tell."""
        self.shown: list[int] = []
        answer = super().get(request, *args, **kwargs)
        if self.shown:
            audit.patients_listed(request, self.shown, search=self.term, subject=self.model_admin.opts.label_lower)
        return answer

    def serialize_result(self, obj: models.Model, to_field_name: str) -> dict[str, str]:
        """Note whose row is sent, if it is a patient's."""
        match obj:
            case Patient():
                self.shown.append(obj.pk)
            case Order():
                self.shown.append(obj.patient_id)
        return super().serialize_result(obj, to_field_name)


class DeskSite(admin.AdminSite):
    """Django's admin as the working place of the department."""

    site_title = _("Bucky")
    site_header = _("Bucky")
    index_title = _("Desk")
    site_url = None
    enable_nav_sidebar = False
    login_form = AuthenticationForm
    index_template = "desk/index.html"

    def has_permission(self, request: HttpRequest) -> bool:
        """Let every active account in; what it sees there follows from its roles."""
        return request.user.is_active

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Keep what was typed into a form when its session has ended, where the view asks for that."""
        checked = super().admin_view(view, cacheable)

        @wraps(checked)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not self.has_permission(request):
                kept.keep(view, request)
            response: HttpResponseBase = checked(request, *args, **kwargs)
            return response

        return answer

    def get_urls(self) -> list[URLResolver | URLPattern]:
        """Add the pages that are not lists of rows."""
        own = [path(page.route, self.admin_view(page.view), name=page.url_name) for page in desk.pages() if page.view]
        return [*own, *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Add the menu: the pages that this person may see."""
        context = super().each_context(request)
        return context | {"desk_menu": self._menu(request) if context["has_permission"] else []}

    def _menu(self, request: HttpRequest) -> list[dict[str, Any]]:
        """Return the entries; those of a group are the `pages` of one, which stands where the first of them would."""
        menu: dict[str, dict[str, Any]] = {}
        for page in desk.pages():
            if request.user.has_perm(page.permission):
                url = reverse(f"{self.name}:{page.url_name}")
                entry = {"label": page.label, "url": url, "current": request.path.startswith(url)}
                if page.group:
                    menu.setdefault(str(page.group), {"label": page.group, "pages": []})["pages"].append(entry)
                else:
                    menu[url] = entry
        return [entry["pages"][0] if len(entry.get("pages", ())) == 1 else entry for entry in menu.values()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Show each role its own work."""
        roles = frozenset(request.user.groups.values_list("name", flat=True))
        panels = [
            {"template": panel.template, "name": panel.name, **panel.context(request)}
            for panel in desk.panels_for(roles)
            if request.user.has_perm(panel.permission)
        ]
        patients = {pk for panel in panels for pk in panel.get("patient_ids", ())}
        if patients or any(panel.get("names_people") for panel in panels):
            audit.patients_listed(request, patients, subject="desk")
        return super().index(request, {"panels": panels, **(extra_context or {})})

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Let a person change their own password; an event tells that they did."""
        response = super().password_change(request, extra_context)
        if request.method == "POST" and response.status_code == HTTPStatus.FOUND and isinstance(request.user, User):
            details = {"changes": {"password": ["", "changed"]}}
            audit.row_changed(request, EventKind.ACCOUNT_CHANGED, request.user, "changed", details)
        return response

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        """Suggest while typing."""
        return AuditedAutocomplete.as_view(admin_site=self)(request)  # type: ignore[return-value]
