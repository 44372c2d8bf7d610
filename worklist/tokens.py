"""Tokens by which devices without a person sign in over HTTP: who they are, until when, and what they may do."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ris.models import User
from ris.models.catalog import AE_TITLE

PREFIX = "bucky"
"""What a token begins with, so that a search for lost secrets finds it."""
USED_EVERY = timedelta(minutes=1)
"""How exactly the last use is kept: a scanner asks every few seconds."""


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Making and finding tokens."""

    def valid(self, at: datetime | None = None) -> Self:
        """Narrow to tokens that open the door at a time, now unless one is given."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=at or timezone.now()), revoked_at=None)

    def issue(self, **values: Any) -> tuple["ApiToken", str]:
        """Make a token; returns it and its text, which is nowhere kept."""
        token = ApiToken(**values)
        text = token.draw()
        token.save(force_insert=True)
        return token, text

    def named_by(self, text: str) -> "ApiToken | None":
        """Return the token of this text, valid or not; None where there is none."""
        prefix, _first, rest = text.partition("_")
        key, _second, secret = rest.partition("_")
        found = self.filter(key=key).first() if prefix == PREFIX and key else None
        # Compared in any case, and in constant time: how long the refusal takes tells nothing.
        same = hmac.compare_digest(found.digest if found else _digest(""), _digest(secret))
        return found if same else None


class ApiToken(models.Model):
    """A device that may use DICOMweb. Of its secret only a digest is kept."""

    name = models.CharField(_("name"), max_length=64, unique=True, help_text=_("What holds it: for people"))
    ae_title = models.CharField(
        _("AE title"), max_length=16, validators=[AE_TITLE], help_text=_("The device that calls: its own rules apply")
    )
    may_search = models.BooleanField(_("may read the worklist"), default=True)
    may_report = models.BooleanField(
        _("may report what it performs"), default=False, help_text=_("Begin, update and read performed procedure steps")
    )
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True, help_text=_("Empty: never"))
    key = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+", verbose_name=_("created by")
    )
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")
        ordering = ("name",)
        default_permissions = ("add", "view")
        permissions = (("revoke_apitoken", _("Can revoke an access token")),)

    def __str__(self) -> str:
        return self.name

    def draw(self) -> str:
        """Give it a secret; returns the text to show once."""
        secret = secrets.token_urlsafe(32)
        self.key, self.digest = secrets.token_hex(8), _digest(secret)
        return f"{PREFIX}_{self.key}_{secret}"

    @property
    def state(self) -> str:
        """Return what became of it: "valid", "expired" or "revoked"."""
        if self.revoked_at is not None:
            return "revoked"
        expired = self.expires_at is not None and self.expires_at <= timezone.now()
        return "expired" if expired else "valid"

    def note_use(self) -> None:
        """Keep when it was used last, to the minute."""
        now = timezone.now()
        rows = ApiToken.objects.filter(pk=self.pk)
        if self.last_used_at is None or self.last_used_at < now - USED_EVERY:
            rows.filter(Q(last_used_at=None) | Q(last_used_at__lt=now)).update(last_used_at=now)

    def revoke(self) -> bool:
        """Close the door to it from now on; tells whether it was open until now."""
        return ApiToken.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=timezone.now()) > 0


def _digest(secret: str) -> str:
    """Return what is kept of a secret. It has 256 random bits: no slow hash has to make up for a short one."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
