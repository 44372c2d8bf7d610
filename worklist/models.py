"""What scanners asked and what they told: the audit of this door, and what it passes on to archives."""

from datetime import datetime, timedelta
from typing import Self, TypeVar
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, URLValidator
from django.db import connection, models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ris.models import PerformedProcedureStep
from ris.models.catalog import AE_TITLE
from worklist.logins import WrongAddress, login_for
from worklist.profile_models import ProfileValue as ProfileValue
from worklist.profile_models import StationProfile as StationProfile
from worklist.tokens import ApiToken as ApiToken

DICOMWEB_URL = URLValidator(schemes=("http", "https"))


def check_no_login(url: str) -> None:
    """Raise ValidationError when an address holds a name and password, or more than an address."""
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValidationError(_("An address without name, password, ? and #. Logins are a setting."))


class Road(models.TextChoices):
    """By which service a query came."""

    FIND = "C-FIND", "C-FIND"
    WEB = "DICOMweb", "DICOMweb"


CALLERS_SHOWN = 100
_CALLERS_SINCE = """
WITH RECURSIVE callers (title) AS (
    SELECT MIN(calling_ae_title) FROM worklist_querylog
    UNION ALL
    SELECT (SELECT MIN(calling_ae_title) FROM worklist_querylog WHERE calling_ae_title > title)
    FROM callers WHERE title IS NOT NULL
)
SELECT title FROM callers WHERE EXISTS (
    SELECT 1 FROM worklist_querylog WHERE calling_ae_title = title AND road IN (%s, %s) AND last_at > %s
) ORDER BY title LIMIT %s
"""


class QueryLogQuerySet(models.QuerySet["QueryLog"]):
    """Ways to find queries."""

    def newest(self, ae_title: str, road: Road) -> Self:
        """Narrow to what a device has asked by one road, the last first."""
        return self.filter(calling_ae_title=ae_title, road=road).order_by("-last_at", "-pk")

    def last_of(self, ae_title: str) -> "QueryLog | None":
        """Return the last C-FIND of a device, else the last query over DICOMweb.

        A viewer or a script may use a scanner's AE title over DICOMweb: what the scanner shows comes from its C-FIND.
        """
        return next((last for road in Road if (last := self.newest(ae_title, road).first())), None)

    def callers_since(self, moment: datetime) -> list[str]:
        """Return the AE titles that have asked since then, the first CALLERS_SHOWN of them by name.

        From each title the index leads to the next one: a department's week is hundreds of thousands of rows.
        """
        since = connection.ops.adapt_datetimefield_value(moment)
        with connection.cursor() as cursor:
            cursor.execute(_CALLERS_SINCE, [*Road.values, since, CALLERS_SHOWN])
            return [title for (title,) in cursor.fetchall()]

    def with_empty_list(self) -> Self:
        """Narrow to queries that were sent nothing; a page on which nothing is due, as one past the end, is no list."""
        due = Q(total=0) | Q(matches__gt=0) | ~Q(ways__has_any_keys=["offset", "limit"])
        return self.filter(due, step_ids=[])

    def older_than(self, days: int) -> Self:
        """Narrow to queries that were last asked more than `days` days ago."""
        return self.filter(last_at__lt=timezone.now() - timedelta(days=days))


class QueryLog(models.Model):
    """One query of a scanner and what it was answered.

    A scanner polls every few seconds: the same query with the same answer is one row, with its times counted.
    """

    at = models.DateTimeField(_("first asked"))
    last_at = models.DateTimeField(_("last asked"))
    times = models.PositiveIntegerField(_("times"), default=1)
    calling_ae_title = models.CharField(_("calling AE title"), max_length=16)
    called_ae_title = models.CharField(_("called AE title"), max_length=16)
    address = models.CharField(_("address"), max_length=64)
    road = models.CharField(_("service"), max_length=8, choices=Road, default=Road.FIND)
    keys = models.JSONField(_("keys"), default=dict, help_text=_("The identifier: keyword, value; empty keys too"))
    unread = models.JSONField(
        _("what was asked"),
        default=dict,
        help_text=_("The parameters of a DICOMweb query that could not be read as keys: name, values"),
    )
    ways = models.JSONField(
        _("agreed beside them"), default=dict, help_text=_("Fuzzy names, empty values, several values; a page")
    )
    matches = models.PositiveIntegerField(_("matches"), default=0, help_text=_("Of a page: those on it"))
    total = models.PositiveIntegerField(
        _("matches in all"), null=True, blank=True, help_text=_("Of a page, where it is known: those on all pages")
    )
    step_ids = models.JSONField(_("steps shown"), default=list, help_text=_("Row ids of the steps that were sent"))
    skipped = models.JSONField(
        _("steps left out"), default=list, help_text=_("Row ids of steps that hold what DICOM cannot write")
    )
    changed = models.PositiveIntegerField(
        _("values rewritten"),
        default=0,
        help_text=_("Values not sent as they are stored: the device cannot read them, or DICOM has no room for them"),
    )
    status = models.CharField(_("status"), max_length=4, help_text=_("Final DICOM status, hexadecimal"))
    comment = models.CharField(_("comment"), max_length=250, blank=True)
    milliseconds = models.FloatField(_("time taken (ms)"), default=0)

    objects = QueryLogQuerySet.as_manager()

    class Meta:
        verbose_name = _("worklist query")
        verbose_name_plural = _("worklist queries")
        ordering = ("-last_at", "-pk")
        permissions = (("explain_querylog", _("Can read why an exam is not on a scanner")),)
        indexes = (
            models.Index(fields=("-last_at",), name="querylog_last_idx"),
            models.Index(fields=("calling_ae_title", "road", "-last_at"), name="querylog_road_idx"),
        )

    def __str__(self) -> str:
        return f"{self.calling_ae_title} {timezone.localtime(self.last_at):%Y-%m-%d %H:%M:%S}"

    @property
    def sent(self) -> int:
        """How many answers the scanner got."""
        return len(self.step_ids)

    @property
    def left_out(self) -> int:
        """How many exams match and were not sent, because DICOM cannot write them."""
        return len(self.skipped)


MOST_CALLERS = 1000
"""Rows kept of callers: nobody can fill a table by calling under ever new names."""


def _note(
    rows: "models.QuerySet[AnyCaller]", at: datetime, identity: dict[str, str], times: int = 1, **values: bool
) -> None:
    """Note calls in their row. The row seen longest ago makes room for a new one."""
    if rows.filter(**identity).update(last_seen=at, times=F("times") + times, **values):
        return
    for oldest in rows.order_by("-last_seen").values_list("pk", flat=True)[MOST_CALLERS - 1 :]:
        rows.filter(pk=oldest).delete()
    rows.create(first_seen=at, last_seen=at, times=times, **identity, **values)


class UnknownCallerQuerySet(models.QuerySet["UnknownCaller"]):
    """Noting and finding unknown callers."""

    def note(self, ae_title: str, address: str, at: datetime, *, refused: bool) -> None:
        """Note one call."""
        _note(self, at, {"ae_title": ae_title, "address": address}, refused=refused)


class UnknownCaller(models.Model):
    """A device that called under an AE title that is no station here."""

    ae_title = models.CharField(_("AE title"), max_length=16)
    address = models.CharField(_("address"), max_length=64)
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))
    times = models.PositiveIntegerField(_("times"), default=1)
    refused = models.BooleanField(_("refused"), default=False)

    objects = UnknownCallerQuerySet.as_manager()

    class Meta:
        verbose_name = _("unknown caller")
        verbose_name_plural = _("unknown callers")
        ordering = ("-last_seen",)
        constraints = (models.UniqueConstraint(fields=("ae_title", "address"), name="unknown_caller_once"),)

    def __str__(self) -> str:
        return f"{self.ae_title} ({self.address})"


class RefusedCallQuerySet(models.QuerySet["RefusedCall"]):
    """Noting and finding calls that were refused."""

    def note(
        self, ae_title: str, called_ae_title: str, address: str, reason: str, at: datetime, times: int = 1
    ) -> None:
        """Note calls that are the same."""
        identity = {"ae_title": ae_title, "called_ae_title": called_ae_title, "address": address, "reason": reason}
        _note(self, at, identity, times)


class RefusedCall(models.Model):
    """A device whose association, or request over DICOMweb, was refused for another reason than its own AE title."""

    class Reason(models.TextChoices):
        """Why it was refused; see worklist.negotiation, worklist.strangers and worklist.dicomweb.access."""

        CONTEXT = "CONTEXT", _("it does not ask in DICOM's application context")
        CALLED = "CALLED", _("it calls another AE title")
        LOOK_UP = "LOOK_UP", _("the stations could not be looked up")
        FULL = "FULL", _("too many associations were open")
        TOKEN = "TOKEN", _("its access token is revoked or has expired")
        SCOPE = "SCOPE", _("its access token does not allow what it wanted to do")
        TLS = "TLS", _("it began TLS on the plain port")
        HTTP = "HTTP", _("it began HTTP, not DICOM")
        MLLP = "MLLP", _("it began HL7 (MLLP), not DICOM")
        NO_CERT = "NO_CERT", _("it showed no certificate")
        BAD_CERT = "BAD_CERT", _("its certificate is of another authority, or has expired")
        VERSION = "VERSION", _("its version of TLS or its ciphers are too old")
        NOT_TLS = "NOT_TLS", _("it did not speak TLS on the TLS port")
        OUR_CERT = "OUR_CERT", _("it does not trust our certificate")
        NO_SHAKE = "NO_SHAKE", _("the TLS handshake failed; the log has the reason")

    ae_title = models.CharField(_("AE title"), max_length=16)
    called_ae_title = models.CharField(_("called AE title"), max_length=16)
    address = models.CharField(_("address"), max_length=64)
    reason = models.CharField(_("reason"), max_length=8, choices=Reason)
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))
    times = models.PositiveIntegerField(_("times"), default=1)

    objects = RefusedCallQuerySet.as_manager()

    class Meta:
        verbose_name = _("refused call")
        verbose_name_plural = _("refused calls")
        ordering = ("-last_seen",)
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(
                fields=("ae_title", "called_ae_title", "address", "reason"), name="refused_call_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.ae_title or self.get_reason_display()} ({self.address})"


AnyCaller = TypeVar("AnyCaller", UnknownCaller, RefusedCall)


class MppsRequest(models.Model):
    """One N-CREATE or N-SET as it came: what is kept of each payload, also of those that were refused."""

    class Operation(models.TextChoices):
        """What was asked for."""

        CREATE = "N-CREATE", _("begin (N-CREATE)")
        SET = "N-SET", _("update (N-SET)")

    at = models.DateTimeField(_("when"), auto_now_add=True)
    operation = models.CharField(_("operation"), max_length=8, choices=Operation)
    calling_ae_title = models.CharField(_("calling AE title"), max_length=16)
    called_ae_title = models.CharField(_("called AE title"), max_length=16)
    address = models.CharField(_("address"), max_length=64)
    sop_instance_uid = models.CharField(_("SOP instance UID"), max_length=64)
    performed = models.ForeignKey(
        PerformedProcedureStep,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="requests",
        verbose_name=_("performed procedure step"),
    )
    transfer_syntax = models.CharField(_("transfer syntax"), max_length=64)
    data = models.BinaryField(_("data set"))
    status = models.CharField(_("status"), max_length=4, default="0000", help_text=_("DICOM status, hexadecimal"))
    comment = models.CharField(_("comment"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("MPPS request")
        verbose_name_plural = _("MPPS requests")
        ordering = ("-pk",)
        default_permissions = ("view",)
        indexes = (models.Index(fields=("status", "-id"), name="mppsrequest_status_idx"),)

    def __str__(self) -> str:
        return f"{self.operation} {self.calling_ae_title} {timezone.localtime(self.at):%Y-%m-%d %H:%M:%S}"

    @property
    def cause(self) -> str:
        """How events name this request as their cause."""
        return f"mpps:{self.pk}"


class Archive(models.Model):
    """An archive (PACS) that is told what scanners do, and may be asked what it holds."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    ae_title = models.CharField(_("AE title"), max_length=16, validators=[AE_TITLE])
    host = models.CharField(_("host"), max_length=253)
    port = models.PositiveIntegerField(
        _("port"), default=104, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    forwards = models.BooleanField(
        _("gets scanners' reports"), default=True, help_text=_("Every MPPS request is passed on to it")
    )
    asked = models.BooleanField(
        _("asked for studies"),
        default=False,
        help_text=_("It answers C-FIND or QIDO-RS for studies: closes exams, see Stations"),
    )
    dicomweb_url = models.CharField(
        _("DICOMweb address"),
        max_length=250,
        blank=True,
        validators=[DICOMWEB_URL, check_no_login],
        help_text=_("Such as https://pacs.example/dicom-web: studies are asked for there by QIDO-RS, not by C-FIND"),
    )
    active = models.BooleanField(_("in use"), default=True)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("archive")
        verbose_name_plural = _("archives")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse an address that the login of the archive is not for."""
        try:
            if self.dicomweb_url:
                login_for(self.name, self.dicomweb_url)
        except WrongAddress as wrong:
            words = _("BUCKY_ARCHIVE_LOGINS has a login for an archive of this name at %s, and for no other address.")
            raise ValidationError({"dicomweb_url": words % wrong.url}) from None


class Forwarding(models.Model):
    """An MPPS request on its way to an archive: written with the request itself, so that none is forgotten."""

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "WAITING", _("waits")
        SENT = "SENT", _("sent")
        DEAD = "DEAD", _("given up")

    archive = models.ForeignKey(Archive, models.PROTECT, related_name="forwardings", verbose_name=_("archive"))
    request = models.ForeignKey(MppsRequest, models.PROTECT, related_name="forwardings", verbose_name=_("request"))
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.WAITING)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_at = models.DateTimeField(_("next attempt"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    problem = models.CharField(_("problem"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("report to an archive")
        verbose_name_plural = _("reports to archives")
        ordering = ("-pk",)
        default_permissions = ("view",)
        permissions = (("resend_forwarding", _("Can send a report to an archive again")),)
        indexes = (models.Index(fields=("archive", "id"), name="forwarding_open_idx", condition=~Q(state="SENT")),)
        constraints = (models.UniqueConstraint(fields=("archive", "request"), name="forwarding_once"),)

    def __str__(self) -> str:
        return f"{self.request} → {self.archive}"


class Sighting(models.Model):
    """How many images an archive had of a study, and since when it is so many."""

    archive = models.ForeignKey(Archive, models.CASCADE, related_name="sightings", verbose_name=_("archive"))
    study_instance_uid = models.CharField(_("study instance UID"), max_length=64)
    images = models.PositiveIntegerField(_("images"), default=0)
    since = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("study seen at an archive")
        verbose_name_plural = _("studies seen at archives")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("archive", "study_instance_uid"), name="sighting_once_an_archive"),
        )

    def __str__(self) -> str:
        return f"{self.archive} {self.images}"
