"""Puts Bucky's desk in the place of Django's stock admin site."""

from django.contrib.admin.apps import AdminConfig


class DeskConfig(AdminConfig):
    """Django's admin, with the desk as its site."""

    default_site = "ris.desk_site.DeskSite"
