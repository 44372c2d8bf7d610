"""People who sign in."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """An account. A model of our own from the first day, because Django cannot swap it in later."""

    language = models.CharField(
        _("language"),
        max_length=10,
        blank=True,
        choices=settings.LANGUAGES,
        help_text=_("Language of the screens; empty: the department's."),
    )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the account together with what is told of it (ris.management.accounts), or neither."""
        with transaction.atomic():
            super().save(*args, **kwargs)
