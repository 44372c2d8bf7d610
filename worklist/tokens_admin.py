"""Access tokens on the desk: made, shown once, revoked; every change is told."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ris import audit
from ris.admin.audited import AuditedAdmin
from ris.desk import INTERFACES, Page, register_page
from ris.models import EventKind, User
from ris.views import frame
from worklist.tokens import ApiToken

STATES = {"valid": _("valid"), "expired": _("expired"), "revoked": _("revoked")}


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A new token."""

    class Meta:
        model = ApiToken
        fields = ("name", "ae_title", "may_search", "may_report", "expires_at")

    def clean_expires_at(self) -> Any:
        """Refuse a time that has passed: such a token opens nothing."""
        said = self.cleaned_data["expires_at"]
        if said is not None and said <= timezone.now():
            raise forms.ValidationError(_("This time has passed."))
        return said


@admin.register(ApiToken)
class ApiTokenAdmin(AuditedAdmin):
    """The devices that may use DICOMweb. A token is never changed: it is revoked, and another one is made."""

    event_kind = EventKind.ACCOUNT_CHANGED
    form = TokenForm
    list_display = ("name", "ae_title", "may_search", "may_report", "shown_state", "expires_at", "last_used_at", "end")
    search_fields = ("name", "=ae_title")
    sortable_by = ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the trail names it."""
        return False

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Show the button to those who may press it."""
        if request.user.has_perm("worklist.revoke_apitoken"):
            return self.list_display
        return tuple(name for name in self.list_display if name != "end")

    def get_urls(self) -> list[URLPattern]:
        """Add what can be done with one."""
        view = self.admin_site.admin_view
        return [path("<int:pk>/revoke/", view(revoke), name="worklist_apitoken_revoke"), *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Give it a secret, which lives no longer than this request."""
        if isinstance(request.user, User):
            obj.created_by = request.user
        form.text = obj.draw()
        super().save_model(request, obj, form, change)
        request.token_text = form.text  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        """Show the token, once: a redirect would have to keep it somewhere."""
        response = frame.page(
            request,
            "worklist/token.html",
            title=_("Access token of %s") % obj,
            text=request.token_text,  # type: ignore[attr-defined]
        )
        response["Cache-Control"] = "no-store"
        return response

    @admin.display(description=_("state"))
    def shown_state(self, token: ApiToken) -> str:
        """Show what became of it."""
        return str(STATES[token.state])

    @admin.display(description="")
    def end(self, token: ApiToken) -> SafeString | str:
        """Offer to revoke one that is in use."""
        if token.revoked_at is not None:
            return ""
        return format_html('<a class="quiet-button" href="{}/revoke/">{}</a>', token.pk, _("Revoke …"))


def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then revoke a token."""
    frame.require(request, "worklist.view_apitoken", "worklist.revoke_apitoken")
    token = get_object_or_404(ApiToken, pk=pk)
    if request.method != "POST":
        return frame.page(request, "worklist/revoke_token.html", title=_("Revoke this token?"), token=token)

    def end(*, by: Any) -> bool:
        changed = token.revoke()
        if changed:
            details = {"changes": {"revoked": [False, True]}}
            audit.row_changed(request, EventKind.ACCOUNT_CHANGED, token, "changed", details)
        return changed

    if frame.do(end, request):
        messages.success(request, _("It opens nothing any more."))
    else:
        messages.info(request, _("It was revoked already."))
    return frame.leads_to("worklist_apitoken_changelist")


register_page(Page(_("Access tokens"), "worklist_apitoken_changelist", "worklist.view_apitoken", 64, group=INTERFACES))
