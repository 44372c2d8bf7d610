"""Puts Bucky's desk in the place of Django's stock admin site."""

from typing import Any

from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core.checks import CheckMessage, Tags, register


class DeskConfig(SimpleAdminConfig):
    """Django's admin, with the desk as its site.

    The screens are loaded with the addresses (ris.urls), not with every process: doors and background work, which show
    none, are a fifth smaller without them.
    """

    default_site = "ris.desk_site.DeskSite"

    def ready(self) -> None:
        """Have the screens loaded before they are checked."""
        register(check_dependencies, Tags.admin)
        register(_check_screens, Tags.admin)


def _check_screens(**options: Any) -> list[CheckMessage]:
    from django.contrib import admin

    admin.autodiscover()
    return check_admin_app(**options)
