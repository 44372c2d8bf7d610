"""What belongs to the inbox: the searchable text of messages, and messages that are sent again together."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from hl7.models.message import InboundMessage


class MessageText(models.Model):
    """The text of one message as it is searched: decoded, in small letters. Written a moment after the message came."""

    message = models.OneToOneField(
        InboundMessage, models.CASCADE, primary_key=True, related_name="text", verbose_name=_("message")
    )
    text = models.TextField(_("text"))

    class Meta:
        verbose_name = _("text of a message")
        verbose_name_plural = _("texts of messages")
        default_permissions = ()

    def __str__(self) -> str:
        return f"text of {self.message_id}"


class Chosen(models.TextChoices):
    """How the messages of a replay were chosen, where no search and no filter says it."""

    TICKED = "chosen", _("Chosen in the list")
    ALL = "all", _("All")


class Replay(models.Model):
    """Messages that somebody sends again together. The clock works it off; everybody sees how far it is."""

    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("started by")
    )
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("stopped by")
    )
    # A code of Chosen, or names that have no language: everybody reads it in their own.
    about = models.CharField(_("which messages"), max_length=250, blank=True)
    held_until = models.DateTimeField(null=True, blank=True, editable=False, help_text="Until then one process has it")

    class Meta:
        verbose_name = _("replay")
        verbose_name_plural = _("replays")
        ordering = ("-pk",)
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def which(self) -> str:
        """Which messages they are, in the reader's language."""
        return str(Chosen(self.about).label) if self.about in Chosen.values else self.about


class ReplayItem(models.Model):
    """One message of a replay. done_at is empty until its turn has come; `result` is the message that it became."""

    replay = models.ForeignKey(Replay, models.CASCADE, related_name="items", verbose_name=_("replay"))
    message = models.ForeignKey(InboundMessage, models.CASCADE, related_name="+", verbose_name=_("message"))
    result = models.ForeignKey(
        InboundMessage, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("became")
    )
    done_at = models.DateTimeField(_("done"), null=True, blank=True)

    class Meta:
        verbose_name = _("message of a replay")
        verbose_name_plural = _("messages of a replay")
        ordering = ("message_id",)
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("replay", "message"), name="replay_each_message_once"),)

    def __str__(self) -> str:
        return f"{self.replay_id}: {self.message_id}"


class Hold(models.Model):
    """A patient number whose later messages wait for a message that failed, is kept or waits itself."""

    message = models.ForeignKey(InboundMessage, models.CASCADE, related_name="holds", verbose_name=_("message"))
    issuer = models.CharField(_("authority"), max_length=250, blank=True)
    value = models.CharField(_("number"), max_length=250)

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        default_permissions = ()
        indexes = (models.Index(fields=("value", "issuer"), name="hold_number_idx"),)

    def __str__(self) -> str:
        return f"hold of {self.message_id}"
