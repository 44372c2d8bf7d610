"""What the desk is made of: the pages in its menu and the panels on its first page.

The floor registers its own; each door adds what it has to show, so that the floor need not know the doors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from ris.roles import Role

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

EVERYBODY = tuple(Role)
KEEPERS = frozenset({Role.FRONT_DESK.value, Role.INFORMATICS.value, Role.ADMINISTRATOR.value})
CATALOG = _("Catalogue")
CALENDAR = _("Calendar")
INTERFACES = _("Interfaces")
CONTROL = _("Administration")


@dataclass(frozen=True)
class Page:
    """An entry of the menu. route and view: given where the page is not a list of the admin.

    url_name: in the admin's name space. permission: who does not have it does not see the entry. rank: from the left.
    group: the entry that it is found below; none for what is used all day.
    """

    label: "_StrPromise"
    url_name: str
    permission: str
    rank: int
    route: str = ""
    view: Callable[..., HttpResponseBase] | None = None
    group: "_StrPromise | str" = ""


@dataclass(frozen=True)
class Panel:
    """A part of the first page. rank: from the top; leads: the roles whose own work it is, which see it first.

    context: what its template gets, from the request; for whom: roles that see it if they have the permission.
    """

    name: str
    template: str
    permission: str
    rank: int
    context: Callable[[HttpRequest], dict[str, Any]]
    roles: tuple[Role, ...] = EVERYBODY
    leads: tuple[Role, ...] = ()


@dataclass(frozen=True)
class StepLink:
    """A page about one step, which the page of its order leads to. url_name: in the admin, takes the step's key."""

    label: "_StrPromise"
    url_name: str
    permission: str


_pages: dict[str, Page] = {}
_step_links: dict[str, StepLink] = {}
_panels: dict[str, Panel] = {}


def register_page(page: Page) -> None:
    """Add an entry to the menu; one of the same name is replaced."""
    _pages[page.url_name] = page


def register_panel(panel: Panel) -> None:
    """Add a panel to the first page; one of the same name is replaced."""
    _panels[panel.name] = panel


def register_step_link(link: StepLink) -> None:
    """Add a page to those that the page of an order leads to; one of the same name is replaced."""
    _step_links[link.url_name] = link


def step_links() -> list[StepLink]:
    """Return the pages about one step."""
    return list(_step_links.values())


def pages() -> list[Page]:
    """Return the entries of the menu from left to right."""
    return sorted(_pages.values(), key=lambda page: page.rank)


def panels_for(roles: frozenset[str]) -> list[Panel]:
    """Return the panels for a person of these roles, their own work first; who has none sees what keepers do."""
    shown_to = roles or KEEPERS
    fitting = [panel for panel in _panels.values() if shown_to & {role.value for role in panel.roles}]
    return sorted(fitting, key=lambda panel: (not roles & {role.value for role in panel.leads}, panel.rank))
