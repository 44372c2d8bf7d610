"""Django's entry to the floor."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RisConfig(AppConfig):
    """The floor: patients, orders, steps, catalogue, events."""

    name = "ris"
    verbose_name = _("Department")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Listen to sign-ins."""
        from ris import receivers  # noqa: F401 (connects itself)
