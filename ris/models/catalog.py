"""The catalogue: sites, their stations, the exams and the steps they are made of."""

import zoneinfo
from datetime import date
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ris.models.base import Noun

AE_TITLE = RegexValidator(
    r"^(?! )[\x20-\x5b\x5d-\x7e]{1,16}(?<! )$",
    _("Up to 16 printable ASCII characters, no backslash, no blank at either end (DICOM VR AE)."),
)
MODALITY = RegexValidator(r"^[A-Z0-9_ ]{1,16}$", _("Up to 16 capital letters, digits or _ (DICOM VR CS)."))
ACCESSION_PREFIX = RegexValidator(r"^[A-Z]{1,4}$", _("One to four capital letters."))
LOINC = RegexValidator(r"^[0-9]{1,7}-[0-9]$", _("A LOINC code is digits, a dash and a check digit, as 30746-2."))
RPID = RegexValidator(r"^RPID[0-9]{1,8}$", _("A RadLex Playbook code is RPID and a number, as RPID16."))


def check_time_zone(name: str) -> None:
    """Raise ValidationError when the machine knows no such IANA time zone."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValidationError(_("No such time zone, write it as Europe/Berlin.")) from None


def age_on(day: date, born: date) -> int:
    """Return the age in full years that somebody born on a day has on another."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def limits_in_order(model: str, what: str) -> models.CheckConstraint:
    """Return the constraint that the least age or weight is not above the greatest."""
    least, most = f"min_{what}", f"max_{what}"
    return models.CheckConstraint(
        condition=Q(**{f"{least}__isnull": True})
        | Q(**{f"{most}__isnull": True})
        | Q(**{f"{most}__gte": models.F(least)}),
        name=f"{model}_{what}_limits_in_order",
        violation_error_message=_("The least value is above the greatest."),
    )


class Site(Noun):
    """A place of the department: hospital, clinic. Its wall clock is what people and scanners there see."""

    code = models.CharField(_("code"), max_length=16, unique=True, help_text=_("As in MSH-4 or PV1-3.4"))
    name = models.CharField(_("name"), max_length=64)
    time_zone = models.CharField(_("time zone"), max_length=64, validators=[check_time_zone])
    phone = models.CharField(
        _("phone"), max_length=40, blank=True, help_text=_("Where patients call the department; printed on letters")
    )
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
    max_weight = models.PositiveSmallIntegerField(
        _("greatest weight (kg)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("What its table carries; empty: no limit"),
    )
    closed_by_archive = models.BooleanField(
        _("closed by the archive"),
        default=False,
        help_text=_("An exam is completed when its study lies in the archive and grows no more"),
    )
    idle_minutes = models.PositiveSmallIntegerField(
        _("closed when idle (min)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(5)],
        help_text=_("An exam in progress is completed after so long without a word; empty: never"),
    )
    active = models.BooleanField(_("in use"), default=True)

    objects = StationQuerySet.as_manager()

    class Meta:
        verbose_name = _("station")
        verbose_name_plural = _("stations")
        ordering = ("site", "modality", "rank", "ae_title")
        indexes = (models.Index(fields=("modality", "active"), name="station_modality_idx"),)
        constraints = (
            models.CheckConstraint(condition=~Q(ae_title=""), name="station_ae_title_not_empty"),
            models.CheckConstraint(
                condition=Q(max_weight__isnull=True) | Q(max_weight__gt=0), name="station_carries_weight"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.ae_title})" if self.name != self.ae_title else self.name


class Laterality(models.TextChoices):
    """The side that an exam is of."""

    RIGHT = "R", _("right")
    LEFT = "L", _("left")
    BOTH = "B", _("both sides")


class ExamQuerySet(models.QuerySet["Exam"]):
    """Ways to find exams."""

    def in_use(self, day: date | None = None) -> Self:
        """Leave out exams that are out of use or not valid on a day, today in the department where None."""
        day = day or timezone.localdate()
        begun = Q(valid_from__isnull=True) | Q(valid_from__lte=day)
        return self.filter(begun, Q(valid_until__isnull=True) | Q(valid_until__gte=day), active=True)


def _minutes(label: Any, *, help_text: Any = "") -> Any:
    return models.PositiveSmallIntegerField(label, null=True, blank=True, help_text=help_text)


class Timed(Noun):
    """What takes a station's time: minutes before the scan, for it, and after it, for adults and for children.

    The station is taken for all of them. Minutes for children are those of adults where they are empty.
    """

    preparation_minutes = models.PositiveSmallIntegerField(_("preparation (min)"), default=0)
    duration = models.PositiveSmallIntegerField(_("scan (min)"), default=15, validators=[MinValueValidator(1)])
    cleanup_minutes = models.PositiveSmallIntegerField(_("clean-up (min)"), default=0)
    child_preparation_minutes = _minutes(_("preparation, child (min)"))
    child_duration = _minutes(_("scan, child (min)"), help_text=_("Empty: as for adults"))
    child_cleanup_minutes = _minutes(_("clean-up, child (min)"))

    class Meta:
        abstract = True

    def minutes(self, *, child: bool = False) -> int:
        """Return how long the station is taken, in minutes."""
        pairs = (
            (self.child_preparation_minutes, self.preparation_minutes),
            (self.child_duration, self.duration),
            (self.child_cleanup_minutes, self.cleanup_minutes),
        )
        return sum(young if child and young is not None else adult for young, adult in pairs)


class Exam(Timed):
    """An exam of the catalogue (a DICOM procedure type): what referrers order by its code."""

    code = models.CharField(_("code"), max_length=64)
    coding_scheme = models.CharField(_("coding scheme"), max_length=16, default="L", help_text=_("L = local"))
    meaning = models.CharField(_("name"), max_length=64)
    modality = models.CharField(_("modality"), max_length=16, validators=[MODALITY])
    body_part = models.CharField(_("body region"), max_length=64, blank=True)
    laterality = models.CharField(_("side"), max_length=1, choices=Laterality, blank=True)
    loinc_code = models.CharField(
        _("LOINC code"), max_length=16, blank=True, validators=[LOINC], help_text=_("LOINC/RSNA Radiology Playbook")
    )
    playbook_code = models.CharField(
        _("RadLex Playbook code"), max_length=16, blank=True, validators=[RPID], help_text=_("As RPID16")
    )
    child_below = models.PositiveSmallIntegerField(
        _("child below (years)"), default=12, help_text=_("Younger patients get the minutes for children")
    )
    preparation = models.TextField(
        _("preparation"), blank=True, help_text=_("For patients whose language has no text of its own")
    )
    contrast_agent = models.CharField(_("contrast agent"), max_length=64, blank=True)
    pre_medication = models.CharField(_("pre-medication"), max_length=64, blank=True)
    lead_time = models.PositiveSmallIntegerField(
        _("lead time (hours)"),
        default=0,
        help_text=_("At least so long from now to the exam, for the patient to prepare"),
    )
    min_age = models.PositiveSmallIntegerField(_("from age (years)"), null=True, blank=True)
    max_age = models.PositiveSmallIntegerField(_("to age (years)"), null=True, blank=True)
    min_weight = models.PositiveSmallIntegerField(_("from weight (kg)"), null=True, blank=True)
    max_weight = models.PositiveSmallIntegerField(_("to weight (kg)"), null=True, blank=True)
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_until = models.DateField(_("valid until"), null=True, blank=True, help_text=_("The last day"))
    stations = models.ManyToManyField(
        Station,
        blank=True,
        related_name="exams",
        verbose_name=_("stations"),
        help_text=_("Where it may be done; none chosen means any station of the modality"),
    )
    active = models.BooleanField(_("in use"), default=True)

    objects = ExamQuerySet.as_manager()

    class Meta:
        verbose_name = _("exam")
        verbose_name_plural = _("exams")
        ordering = ("modality", "code")
        constraints = (
            models.UniqueConstraint(fields=("coding_scheme", "code"), name="exam_code_unique"),
            models.CheckConstraint(condition=Q(duration__gt=0), name="exam_takes_time"),
            models.CheckConstraint(
                condition=Q(child_duration__isnull=True) | Q(child_duration__gt=0), name="exam_takes_time_for_children"
            ),
            models.CheckConstraint(condition=Q(laterality__in=["", *Laterality.values]), name="exam_laterality_known"),
            limits_in_order("exam", "age"),
            limits_in_order("exam", "weight"),
            models.CheckConstraint(
                condition=Q(valid_from__isnull=True)
                | Q(valid_until__isnull=True)
                | Q(valid_until__gte=models.F("valid_from")),
                name="exam_validity_in_order",
                violation_error_message=_("“Valid until” is before “valid from”."),
            ),
        )

    def __str__(self) -> str:
        return f"{self.code} {self.meaning}"

    def is_for_child(self, born: date | None, day: date) -> bool:
        """Tell whether a patient born on a day counts as a child on another; nobody does whose birth is unknown."""
        return born is not None and age_on(day, born) < self.child_below


class ExamStep(Timed):
    """One step of an exam. An exam without any is done in one step of its own modality and minutes."""

    exam = models.ForeignKey(Exam, models.CASCADE, related_name="steps", verbose_name=_("exam"))
    number = models.PositiveSmallIntegerField(_("number"), default=1)
    description = models.CharField(_("description"), max_length=64)
    modality = models.CharField(
        _("modality"), max_length=16, blank=True, validators=[MODALITY], help_text=_("Empty: as the exam")
    )

    class Meta:
        verbose_name = _("exam step")
        verbose_name_plural = _("exam steps")
        ordering = ("exam", "number")
        constraints = (
            models.UniqueConstraint(fields=("exam", "number"), name="exam_step_number_unique"),
            models.CheckConstraint(condition=Q(duration__gt=0), name="exam_step_takes_time"),
            models.CheckConstraint(
                condition=Q(child_duration__isnull=True) | Q(child_duration__gt=0),
                name="exam_step_takes_time_for_children",
            ),
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
