"""What every page of the desk does: check a permission, call a verb once, say in plain words what became of it."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from ris.actor import Actor
from ris.audit import actor_of
from ris.errors import DomainError, ForbiddenMove
from ris.models import Event, EventKind, User

Result = TypeVar("Result")


def page(request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
    """Answer with a page inside the desk's frame."""
    request.current_app = admin.site.name
    return TemplateResponse(request, template, admin.site.each_context(request) | context)


def require(request: HttpRequest, *permissions: str) -> None:
    """Raise PermissionDenied, which is answered 403, when the person lacks one of the permissions."""
    if not request.user.has_perms(permissions):
        raise PermissionDenied


def key(text: str) -> int:
    """Return the primary key that an address holds; Http404 when it is no number."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Http404
    return int(text)


def leads_to(view: str, *arguments: object) -> HttpResponse:
    """Redirect to a page of the admin by its name."""
    return redirect(f"{admin.site.name}:{view}", *arguments)


def back(request: HttpRequest, view: str, *arguments: object) -> HttpResponse:
    """Redirect to the page that the form named in `next`, if it is one of ours, else to the named one."""
    wanted = request.POST.get("next", "")
    if wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return redirect(wanted)
    return leads_to(view, *arguments)


def do(verb: Callable[..., Result], request: HttpRequest, **arguments: Any) -> Result:
    """Call a verb for the signed-in person, in a transaction of its own: a refusal undoes that and nothing else."""
    with transaction.atomic():
        return verb(by=actor_of(request), **arguments)


def words(error: DomainError) -> str:
    """Return what to tell a person of a refusal."""
    if type(error) is ForbiddenMove and not error.field:
        return _("This is not possible any more: somebody has changed it meanwhile. You see it as it is now.")
    return error.message


def refuse(form: BaseForm, error: DomainError, fields: dict[str, str] | None = None) -> None:
    """Put a refusal beside the field of the form that it is about."""
    name = (fields or {}).get(error.field, error.field)
    form.add_error(name if name in form.fields else None, words(error))


def reason_in(request: HttpRequest) -> str:
    """Return why, as it was typed beside a button."""
    return request.POST.get("reason", "").replace("\x00", "").strip()[:250]


def new_token() -> str:
    """Return the number of one showing of a form."""
    return uuid4().hex


def once(request: HttpRequest, token: str, kind: EventKind, act: Callable[[Actor], object]) -> Event:
    """Call `act` with an actor unless the same showing of the form was sent before; returns the event it left.

    A double click sends a form twice at the same moment: the second one waits for the lock on the person's account and
    then finds what the first one did, by the actor's cause.
    """
    cause = f"form:{token}"
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(username=request.user.get_username())
        done = Event.objects.filter(cause=cause, kind=kind)
        if not done.exists():
            act(actor_of(request).because(cause))
        return done.select_related("patient", "order").order_by("pk")[0]
