"""Accounts and their roles; every change of them is told."""

from typing import TYPE_CHECKING, Any, TypeAlias

from axes.utils import reset as forget_failures
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, UserCreationForm
from django.contrib.auth.models import Group, Permission
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ris import audit
from ris.admin.audited import AuditedAdmin
from ris.models import EventKind, User
from ris.roles import NAMES

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    StockUserAdmin: TypeAlias = UserAdmin[User]
    StockPasswordForm: TypeAlias = AdminPasswordChangeForm[User]
else:
    StockUserAdmin = UserAdmin
    StockPasswordForm = AdminPasswordChangeForm

admin.site.unregister(Group)


@admin.register(Group)
class RoleAdmin(AuditedAdmin, GroupAdmin):
    """What a role may do."""

    event_kind = EventKind.ACCOUNT_CHANGED
    search_fields = ("name",)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        """Name the permissions in the language of the screen; the database keeps them in English."""
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "permissions":
            field.label_from_instance = _name_of_permission  # type: ignore[assignment, method-assign]
        return field


_VERBS = {
    "add": _("Can add %(what)s"),
    "change": _("Can change %(what)s"),
    "delete": _("Can delete %(what)s"),
    "view": _("Can see %(what)s"),
}
"""What Django's own permissions let one do."""


def _name_of_permission(permission: Permission) -> str:
    """Return what a screen calls a permission: Django's own four by the name of the model, others by their own."""
    model = permission.content_type.model_class()
    verb, _line, of = permission.codename.partition("_")
    if model is not None and of == model._meta.model_name and verb in _VERBS:
        name = _VERBS[verb] % {"what": model._meta.verbose_name}
    else:
        name = gettext(permission.name)
    return f"{permission.content_type} | {name}"


def _name_of_role(group: Group) -> str:
    """Return what a screen calls a role; a site may have roles of its own."""
    return str(NAMES.get(group.name, group.name))


class RoleFilter(admin.RelatedFieldListFilter):
    """Accounts of one role."""

    def field_choices(
        self, field: Any, request: HttpRequest, model_admin: Any
    ) -> "list[tuple[str, str | _StrPromise]]":
        """Name the roles in the language of the screen."""
        return [(str(group.pk), _name_of_role(group)) for group in Group.objects.order_by("name")]


class PasswordForm(StockPasswordForm):
    """A new password for somebody. There is no other way to sign in, so that it cannot be done without one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Leave out the choice to have none: whoever shall not sign in is not active."""
        super().__init__(*args, **kwargs)
        self.fields.pop("usable_password", None)


@admin.register(User)
class AccountAdmin(AuditedAdmin, StockUserAdmin):
    """Who may sign in, and in which roles."""

    event_kind = EventKind.ACCOUNT_CHANGED
    add_form = UserCreationForm  # the stock one of the admin has the same choice
    add_fieldsets = ((None, {"fields": ("username", "password1", "password2")}),)
    change_password_form = PasswordForm
    change_user_password_template = "desk/set_password.html"  # noqa: S105 (the name of a page)
    list_display = ("username", "last_name", "first_name", "is_active", "last_login")
    list_filter = ("is_active", ("groups", RoleFilter))
    filter_horizontal = ()
    actions = ("unlock",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email", "language")}),
        (_("Roles"), {"fields": ("is_active", "groups")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Call groups what they are at the desk; there are few, so that each has a box to tick."""
        if db_field.name == "groups":
            kwargs["widget"] = forms.CheckboxSelectMultiple
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "groups":
            field.label = _("Roles")
            field.help_text = _("What this account may do; an account without a role may do nothing.")
            field.label_from_instance = _name_of_role  # type: ignore[assignment, method-assign]
        return field

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keep the accounts of superusers to superusers."""
        if isinstance(obj, User) and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: events name accounts for ever; an account is taken out of use instead."""
        return False

    @admin.action(description=_("Let them sign in again after a lock-out"), permissions=("change",))
    def unlock(self, request: HttpRequest, queryset: Any) -> None:
        """Forget the failed sign-ins of the chosen accounts."""
        for account in queryset:
            forget_failures(username=account.get_username())
            audit.row_changed(request, EventKind.ACCOUNT_CHANGED, account, "changed", {"message": "unlocked"})
        messages.success(request, _("They can sign in again."))
