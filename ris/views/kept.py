"""What somebody typed into a form whose session had ended: kept until they have signed in again, then shown once.

The desk (ris.desk_site) calls `keep` before it leads to the sign-in page, for views that are marked. It lies in the new
session, on the server, and is gone when it was shown, when that session ends, or when somebody else signs in.
"""

from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.utils.translation import gettext as _

KEY = "typed before signing in"
MOST = 20_000
"""Characters; nobody types more into a form."""
_MARK = "keeps_what_was_typed"

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def keeps_what_was_typed(view: View) -> View:
    """Mark a view whose form comes back as it was typed. The view asks `typed` for it."""
    setattr(view, _MARK, True)
    return view


def keep(view: Callable[..., HttpResponseBase], request: HttpRequest) -> None:
    """Keep what was sent to a marked view by somebody whose session has ended; nothing of who was never signed in."""
    if request.method != "POST" or not getattr(view, _MARK, False):
        return
    said = request.POST.copy()
    said.pop("csrfmiddlewaretoken", None)
    text = said.urlencode()
    who = _who(request)
    if who and len(text) <= MOST:
        request.session[KEY] = {"path": request.path, "said": text, "by": who}


def _who(request: HttpRequest) -> str:
    """Return the key of the account whose session has ended, from its row, which stays until it is cleaned up."""
    before = request.session.get(KEY)
    if before:
        return str(before["by"])
    rows = Session.objects.filter(session_key=request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""))
    return "".join(str(row.get_decoded().get(SESSION_KEY, "")) for row in rows)


def typed(request: HttpRequest) -> QueryDict | None:
    """Return what a form begins with: what was sent now, else what was kept for this page; None for an empty form."""
    if request.method == "POST":
        return request.POST
    kept = request.session.get(KEY)
    if not kept:
        return None
    is_theirs = kept["by"] == str(request.user.pk)
    if is_theirs and kept["path"] != request.path:
        return None
    del request.session[KEY]
    if not is_theirs:
        return None
    messages.warning(
        request, _("You were signed out meanwhile. What you typed is still here; look, and send it again.")
    )
    return QueryDict(kept["said"])
