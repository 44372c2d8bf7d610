"""Endpoints: who sends messages, and what is agreed with each sender."""

import re
from ipaddress import ip_network

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hl7.ack import VERSIONS
from hl7.charsets import NAMES
from hl7.dialect import ANY_PROCESSING_ID, CharsetPolicy, CodeTable, Dialect, MasterMissing, Waiting
from ris.models import Site

_CHARSET_POLICIES = (
    (CharsetPolicy.UTF_8.value, _("Valid UTF-8 is UTF-8, with a warning")),
    (CharsetPolicy.DECLARED.value, _("MSH-18, as long as the bytes can be read by it")),
    (CharsetPolicy.KEEP.value, _("Keep the message for a person")),
)
_MASTER_MISSING = (
    (MasterMissing.ACCEPT.value, _("Take the surest other number")),
    (MasterMissing.KEEP.value, _("Keep the message for a person")),
    (MasterMissing.REFUSE.value, _("Refuse the message")),
)
_PROCESSING_IDS = (
    ("P", _("Production only (P)")),
    ("PT", _("Production and training (P, T)")),
    ("PTD", _("Production, training and debugging (P, T, D)")),
    (ANY_PROCESSING_ID, _("Any")),
)
_WAITING = (
    (Waiting.GO_ON.value, _("Later messages go on")),
    (Waiting.WAIT.value, _("Later messages wait as well")),
)

_authority = RegexValidator(r"^[^|^~\\&\x00-\x1f]*\Z", _("This is not the name of an authority: it holds a delimiter."))

_century = MaxValueValidator(36_500)


def _network(text: str) -> None:
    try:
        ip_network(text, strict=False)
    except ValueError:
        raise ValidationError(_("This is not an address or a network such as 10.1.2.0/24.")) from None


def _versions(text: str) -> None:
    unknown = [version for version in _words(text) if version not in VERSIONS]
    if unknown:
        raise ValidationError(_("There is no such version of HL7: %s") % ", ".join(unknown))


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,;]+", text) if word]


class Endpoint(models.Model):
    """One sender, known by MSH-3, MSH-4 and its address, and what is agreed with it.

    A row without any of the three speaks for every sender that no other row knows.
    """

    name = models.CharField(_("name"), max_length=64, unique=True)
    active = models.BooleanField(_("in use"), default=True)
    sending_application = models.CharField(
        _("sending application"),
        max_length=180,
        blank=True,
        help_text=_("MSH-3, whole or its first component; * and ? stand for any text and any sign. Empty: any."),
    )
    sending_facility = models.CharField(
        _("sending facility"), max_length=180, blank=True, help_text=_("MSH-4, in the same way. Empty: any.")
    )
    address = models.CharField(
        _("address"),
        max_length=64,
        blank=True,
        validators=(_network,),
        help_text=_("Network address of the sender, or a network such as 10.1.2.0/24. Empty: any."),
    )

    site = models.ForeignKey(
        Site,
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("site"),
        help_text=_("Where the message names no site. Empty: the default site."),
    )
    issuer = models.CharField(
        _("authority of patient numbers"),
        max_length=64,
        blank=True,
        validators=(_authority,),
        help_text=_("Where CX-4 is empty. Empty: the setting BUCKY_PATIENT_ID_ISSUER."),
    )
    charset = models.CharField(
        _("character set"),
        max_length=32,
        blank=True,
        choices=[(name, name) for name in NAMES.values()],
        help_text=_("Where MSH-18 is empty. Empty: ASCII, and a guess with a warning."),
    )
    charset_policy = models.CharField(
        _("when the text does not fit MSH-18"),
        max_length=16,
        choices=_CHARSET_POLICIES,
        default=CharsetPolicy.UTF_8.value,
    )

    master_authority = models.CharField(
        _("master authority"),
        max_length=64,
        blank=True,
        validators=(_authority,),
        help_text=_("CX-4 of the number by which a patient is known first. Empty: none."),
    )
    master_missing = models.CharField(
        _("when no number of it is sent"),
        max_length=16,
        choices=_MASTER_MISSING,
        default=MasterMissing.ACCEPT.value,
    )
    arrival_checks_in = models.BooleanField(
        _("an arrival checks in"),
        default=False,
        help_text=_("ADT^A10 checks the patient in for the exams of the visit that are due today."),
    )

    processing_ids = models.CharField(
        _("processing IDs taken"), max_length=4, choices=_PROCESSING_IDS, default="P", help_text=_("MSH-11")
    )
    versions = models.CharField(
        _("versions taken"),
        max_length=120,
        blank=True,
        validators=(_versions,),
        help_text=_("MSH-12, such as 2.3.1, 2.5.1. Empty: any."),
    )

    application_replies = models.BooleanField(
        _("application replies"),
        default=False,
        help_text=_("Answer an order with ORR, ORG or ORI, also when MSH-16 does not ask for it."),
    )
    waiting = models.CharField(
        _("while an earlier message of the patient waits"),
        max_length=16,
        choices=_WAITING,
        default=Waiting.GO_ON.value,
    )

    keep_applied_days = models.PositiveIntegerField(
        _("days that applied messages are kept"),
        null=True,
        blank=True,
        default=365,
        validators=(_century,),
        help_text=_("Empty: for ever."),
    )
    keep_failed_days = models.PositiveIntegerField(
        _("days that other messages are kept"),
        null=True,
        blank=True,
        default=730,
        validators=(_century,),
        help_text=_("Empty: for ever."),
    )

    class Meta:
        verbose_name = _("endpoint")
        verbose_name_plural = _("endpoints")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                fields=("sending_application", "sending_facility", "address"),
                condition=Q(active=True),
                name="endpoint_one_for_a_sender",
                violation_error_message=_("Another endpoint in use has the same application, facility and address."),
            ),
            models.CheckConstraint(
                condition=Q(charset_policy__in=[policy.value for policy in CharsetPolicy]),
                name="endpoint_charset_policy_known",
            ),
            models.CheckConstraint(
                condition=Q(master_missing__in=[policy.value for policy in MasterMissing]),
                name="endpoint_master_missing_known",
            ),
            models.CheckConstraint(
                condition=Q(processing_ids__in=[value for value, _label in _PROCESSING_IDS]),
                name="endpoint_processing_ids_known",
            ),
            models.CheckConstraint(
                condition=Q(waiting__in=[policy.value for policy in Waiting]), name="endpoint_waiting_known"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def dialect(self) -> Dialect:
        """What is agreed with the sender, as its messages carry it along."""
        codes: dict[CodeTable, dict[str, str]] = {}
        for row in self.codes.all() if self.pk else ():
            codes.setdefault(CodeTable(row.table), {})[row.code.upper()] = row.meaning
        fields = self.field_sources.all() if self.pk else ()
        return Dialect(
            endpoint=self.pk,
            site=self.site.code if self.site else "",
            issuer=self.issuer,
            charset=self.charset,
            charset_policy=CharsetPolicy(self.charset_policy),
            master_authority=self.master_authority,
            master_missing=MasterMissing(self.master_missing),
            arrival_checks_in=self.arrival_checks_in,
            processing_ids=self.processing_ids,
            versions=frozenset(_words(self.versions)),
            application_replies=self.application_replies,
            waiting=Waiting(self.waiting),
            sources={row.argument: tuple(_words(row.sources.upper())) for row in fields},
            codes=codes,
        )
