"""Files that wait between being looked at and being applied."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from ris.models.base import Noun


class CatalogueUpload(Noun):
    """A table of exams that somebody has uploaded. Its content goes when it is applied."""

    name = models.CharField(_("file"), max_length=200)
    content = models.BinaryField(_("content"))
    created_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    applied_at = models.DateTimeField(_("applied"), null=True, blank=True)

    class Meta:
        verbose_name = _("catalogue upload")
        verbose_name_plural = _("catalogue uploads")
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
