"""The inbox: every message as it came, what became of it, and what was answered."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class MessageState(models.TextChoices):
    """What became of a message."""

    RECEIVED = "received", _("received")
    APPLIED = "applied", _("applied")
    APPLIED_WITH_WARNINGS = "warned", _("applied with warnings")
    FAILED = "failed", _("failed")
    KEPT = "kept", _("kept for a person")
    WAITING = "waiting", _("waits for an earlier one")
    REPEATED = "repeated", _("repeated")
    INTERRUPTED = "interrupted", _("interrupted")
    MENDED = "mended", _("mended by a later one")
    DISMISSED = "dismissed", _("dismissed")


APPLIED_STATES = (MessageState.APPLIED, MessageState.APPLIED_WITH_WARNINGS)
OPEN_STATES = (MessageState.FAILED, MessageState.KEPT, MessageState.INTERRUPTED)
"""Not applied, and nobody has settled it: it can be sent again, edited or dismissed."""


class InboundMessage(models.Model):
    """One message that came in. The raw bytes are stored, in a commit of their own, before anything is done with them.

    What it touched is found through `Event.cause`, which is `cause` here.
    """

    raw = models.BinaryField(_("message"))
    received_at = models.DateTimeField(_("received"), auto_now_add=True, db_index=True)
    peer = models.CharField(_("from"), max_length=64, blank=True, help_text=_("Network address"))
    sending_application = models.CharField(_("sending application"), max_length=180, blank=True)
    sending_facility = models.CharField(_("sending facility"), max_length=180, blank=True)
    control_id = models.CharField(_("message control ID"), max_length=180, blank=True)
    message_type = models.CharField(_("type"), max_length=16, blank=True)
    event = models.CharField(_("event"), max_length=16, blank=True)
    version = models.CharField(_("version"), max_length=16, blank=True)
    charset = models.CharField(_("character set"), max_length=64, blank=True)
    # No constraint of the database: a message is stored also when its endpoint has just gone.
    endpoint = models.ForeignKey(
        "hl7.Endpoint",
        models.PROTECT,
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
        related_name="messages",
        verbose_name=_("endpoint"),
    )
    content_hash = models.CharField(max_length=64, editable=False)
    state = models.CharField(_("state"), max_length=16, choices=MessageState, default=MessageState.RECEIVED)
    answer = models.BinaryField(_("answer"), blank=True, default=b"")
    answer_code = models.CharField(_("answered"), max_length=2, blank=True)
    error_code = models.PositiveSmallIntegerField(_("error code"), null=True, blank=True, help_text=_("HL7 table 0357"))
    error_text = models.CharField(_("error"), max_length=250, blank=True)
    error_place = models.CharField(_("place of the error"), max_length=32, blank=True)
    warnings = models.JSONField(_("warnings"), default=list, blank=True)
    repeat_of = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="repeats", verbose_name=_("repeats")
    )
    purged_at = models.DateTimeField(
        _("bytes deleted"), null=True, blank=True, help_text=_("When the message and its answer were kept long enough")
    )
    replay_of = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="replays",
        verbose_name=_("sent again for"),
    )
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        verbose_name=_("sent again by"),
    )
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        verbose_name=_("settled by"),
    )
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    settled_reason = models.CharField(_("why it was settled"), max_length=250, blank=True)
    milliseconds = models.FloatField(
        _("time taken (ms)"), null=True, blank=True, help_text=_("From the last byte of the message to its answer")
    )

    class Meta:
        verbose_name = _("message received")
        verbose_name_plural = _("messages received")
        ordering = ("-pk",)
        default_permissions = ("view",)
        permissions = (("replay_inboundmessage", _("Can try, edit, send again and dismiss messages")),)
        indexes = (
            models.Index(fields=("state", "-id"), name="inbound_state_idx"),
            models.Index(fields=("message_type", "event", "-id"), name="inbound_type_idx"),
            models.Index(fields=("control_id",), name="inbound_control_id_idx"),
            models.Index(fields=("replay_of",), name="inbound_replay_idx", condition=Q(replay_of__isnull=False)),
        )
        constraints = (
            # One effect for each message, whatever connections it comes over at the same time.
            models.UniqueConstraint(
                fields=("sending_application", "sending_facility", "control_id", "content_hash"),
                condition=Q(state__in=[state.value for state in APPLIED_STATES]),
                name="inbound_applied_once",
            ),
            models.CheckConstraint(condition=Q(state__in=MessageState.values), name="inbound_state_known"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.control_id}".strip() or self.cause

    @property
    def kind(self) -> str:
        """Message type and event, as in ADT^A08."""
        return "^".join(filter(None, (self.message_type, self.event)))

    @property
    def error_words(self) -> str:
        """Why it was not taken, with the place, which most texts begin with."""
        if not self.error_place or self.error_text.startswith(self.error_place):
            return self.error_text
        return f"{self.error_place}: {self.error_text}"

    @property
    def cause(self) -> str:
        """How events name this message."""
        return f"hl7:{self.pk}"
