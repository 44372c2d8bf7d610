"""The catalogue: sites, their stations, the exams and the steps they are made of."""

import zoneinfo
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ris.models.base import Noun

AE_TITLE = RegexValidator(
    r"^(?! )[\x20-\x5b\x5d-\x7e]{1,16}(?<! )$",
    _("Up to 16 printable ASCII characters, no backslash, no blank at either end (DICOM VR AE)."),
)
MODALITY = RegexValidator(r"^[A-Z0-9_ ]{1,16}$", _("Up to 16 capital letters, digits or _ (DICOM VR CS)."))
ACCESSION_PREFIX = RegexValidator(r"^[A-Z]{1,4}$", _("One to four capital letters."))


def check_time_zone(name: str) -> None:
    """Raise ValidationError when the machine knows no such IANA time zone."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValidationError(_("No such time zone, write it as Europe/Berlin.")) from None


class Site(Noun):
    """A place of the department: hospital, clinic. Its wall clock is what people and scanners there see."""

    code = models.CharField(_("code"), max_length=16, unique=True, help_text=_("As in MSH-4 or PV1-3.4"))
    name = models.CharField(_("name"), max_length=64)
    time_zone = models.CharField(_("time zone"), max_length=64, validators=[check_time_zone])
    accession_prefix = models.CharField(
        _("accession prefix"),
        max_length=4,
        default="A",
        validators=[ACCESSION_PREFIX],
        help_text=_("Letters before the accession numbers that Bucky mints for this site"),
    )
    is_default = models.BooleanField(_("default"), default=False, help_text=_("Used where an order names no site"))

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")
        ordering = ("code",)
        constraints = (
            models.UniqueConstraint(fields=("is_default",), condition=Q(is_default=True), name="site_one_default"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The site's time zone."""
        return zoneinfo.ZoneInfo(self.time_zone)


class StationQuerySet(models.QuerySet["Station"]):
    """Ways to find stations."""

    def active(self) -> Self:
        """Leave out stations that are out of use."""
        return self.filter(active=True)


class Station(Noun):
    """A scanner or room with a DICOM application entity: one column of the day."""

    ae_title = models.CharField(_("AE title"), max_length=16, unique=True, validators=[AE_TITLE])
    name = models.CharField(_("name"), max_length=16, help_text=_("Scheduled Station Name (0040,0010)"))
    site = models.ForeignKey(Site, models.PROTECT, related_name="stations", verbose_name=_("site"))
    modality = models.CharField(_("modality"), max_length=16, validators=[MODALITY])
    location = models.CharField(
        _("location"), max_length=16, blank=True, help_text=_("Scheduled Procedure Step Location (0040,0011)")
    )
    rank = models.PositiveSmallIntegerField(_("rank"), default=100, help_text=_("Lower numbers are filled first"))
    active = models.BooleanField(_("in use"), default=True)

    objects = StationQuerySet.as_manager()

    class Meta:
        verbose_name = _("station")
        verbose_name_plural = _("stations")
        ordering = ("site", "modality", "rank", "ae_title")
        indexes = (models.Index(fields=("modality", "active"), name="station_modality_idx"),)
        constraints = (models.CheckConstraint(condition=~Q(ae_title=""), name="station_ae_title_not_empty"),)

    def __str__(self) -> str:
        return f"{self.name} ({self.ae_title})" if self.name != self.ae_title else self.name


class Exam(Noun):
    """An exam of the catalogue (a DICOM procedure type): what referrers order by its code."""

    code = models.CharField(_("code"), max_length=64)
    coding_scheme = models.CharField(_("coding scheme"), max_length=16, default="L", help_text=_("L = local"))
    meaning = models.CharField(_("name"), max_length=64)
    modality = models.CharField(_("modality"), max_length=16, validators=[MODALITY])
    body_part = models.CharField(_("body region"), max_length=64, blank=True)
    duration = models.PositiveSmallIntegerField(_("duration (min)"), default=15, validators=[MinValueValidator(1)])
    preparation = models.TextField(_("preparation"), blank=True)
    contrast_agent = models.CharField(_("contrast agent"), max_length=64, blank=True)
    pre_medication = models.CharField(_("pre-medication"), max_length=64, blank=True)
    stations = models.ManyToManyField(
        Station,
        blank=True,
        related_name="exams",
        verbose_name=_("stations"),
        help_text=_("Where it may be done; none chosen means any station of the modality"),
    )
    active = models.BooleanField(_("in use"), default=True)

    class Meta:
        verbose_name = _("exam")
        verbose_name_plural = _("exams")
        ordering = ("modality", "code")
        constraints = (
            models.UniqueConstraint(fields=("coding_scheme", "code"), name="exam_code_unique"),
            models.CheckConstraint(condition=Q(duration__gt=0), name="exam_takes_time"),
        )

    def __str__(self) -> str:
        return f"{self.code} {self.meaning}"


class ExamStep(Noun):
    """One step of an exam. An exam without any is done in one step of its own modality and duration."""

    exam = models.ForeignKey(Exam, models.CASCADE, related_name="steps", verbose_name=_("exam"))
    number = models.PositiveSmallIntegerField(_("number"), default=1)
    description = models.CharField(_("description"), max_length=64)
    modality = models.CharField(
        _("modality"), max_length=16, blank=True, validators=[MODALITY], help_text=_("Empty: as the exam")
    )
    duration = models.PositiveSmallIntegerField(_("duration (min)"), validators=[MinValueValidator(1)])

    class Meta:
        verbose_name = _("exam step")
        verbose_name_plural = _("exam steps")
        ordering = ("exam", "number")
        constraints = (
            models.UniqueConstraint(fields=("exam", "number"), name="exam_step_number_unique"),
            models.CheckConstraint(condition=Q(duration__gt=0), name="exam_step_takes_time"),
        )

    def __str__(self) -> str:
        return self.description


class ProtocolCode(Noun):
    """A code that tells the scanner which protocol to run (Scheduled Protocol Code Sequence)."""

    exam = models.ForeignKey(Exam, models.CASCADE, related_name="protocol_codes", verbose_name=_("exam"))
    step_number = models.PositiveSmallIntegerField(_("step"), default=1, help_text=_("Number of the exam's step"))
    code = models.CharField(_("code"), max_length=64)
    coding_scheme = models.CharField(_("coding scheme"), max_length=16, default="L")
    meaning = models.CharField(_("name"), max_length=64)

    class Meta:
        verbose_name = _("protocol code")
        verbose_name_plural = _("protocol codes")
        ordering = ("exam", "step_number", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=("exam", "step_number", "coding_scheme", "code"), name="protocol_code_once_a_step"
            ),
        )

    def __str__(self) -> str:
        return f"{self.code} {self.meaning}"
