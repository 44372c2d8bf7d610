"""Django's entry to the HL7 door."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class Hl7Config(AppConfig):
    """The HL7 door: messages in, answers out."""

    name = "hl7"
    verbose_name = _("HL7")
    default_auto_field = "django.db.models.BigAutoField"
