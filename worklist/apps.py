"""Django's entry to this door."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorklistConfig(AppConfig):
    """Door two: DICOM. Imports ris, never hl7."""

    name = "worklist"
    verbose_name = _("Modality worklist")
    default_auto_field = "django.db.models.BigAutoField"
    web = "dicomweb", "worklist.dicomweb.urls"
