"""What somebody typed into a form whose session had ended: kept until they have signed in again, then shown once.

The desk (ris.desk_site) calls `keep` before it leads to the sign-in page, for views that are marked. It lies in the new
session, on the server, and is gone when it was shown or when that session ends.
"""

from collections.abc import Callable
from typing import TypeVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.utils.translation import gettext as _

KEY = "typed before signing in"
MOST = 20_000
"""Characters; nobody types more into a form, and who is not signed in must not fill the database."""
_MARK = "keeps_what_was_typed"

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def keeps_what_was_typed(view: View) -> View:
    """Mark a view whose form comes back as it was typed. The view asks `typed` for it."""
    setattr(view, _MARK, True)
    return view


def keep(view: Callable[..., HttpResponseBase], request: HttpRequest) -> None:
    """Keep what was sent to a marked view by somebody whose session has ended."""
    if request.method != "POST" or not getattr(view, _MARK, False):
        return
    said = request.POST.copy()
    said.pop("csrfmiddlewaretoken", None)
    text = said.urlencode()
    if len(text) <= MOST:
        request.session[KEY] = {"path": request.path, "said": text}


def typed(request: HttpRequest) -> QueryDict | None:
    """Return what a form begins with: what was sent now, else what was kept for this page; None for an empty form."""
    if request.method == "POST":
        return request.POST
    kept = request.session.get(KEY)
    if not kept or kept["path"] != request.path:
        return None
    del request.session[KEY]
    messages.warning(
        request, _("You were signed out meanwhile. What you typed is still here; look, and send it again.")
    )
    return QueryDict(kept["said"])
