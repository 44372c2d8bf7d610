"""What an exam takes besides the patient's time: scanners, rooms, staff, equipment, and when each of them is there."""

from datetime import date, datetime, time
from typing import Self

from dateutil.rrule import rrule, rrulestr
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ris.models.base import Noun
from ris.models.catalog import Exam, Site, Station

WORKDAYS = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"


_PARTS = frozenset({"FREQ", "INTERVAL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"})
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})


_LEAP_YEAR = datetime.combine(date(2024, 1, 1), time())
_A_CYCLE_LATER = datetime.combine(date(2052, 1, 1), time())  # by then every day of the year was every weekday


def rule_of_days(rule: str, start: datetime, until: datetime) -> rrule:
    """Return a rule that gives its days from a start on, as naive datetimes, and never goes on for ever."""
    made = rrulestr(rule, dtstart=start)
    assert isinstance(made, rrule)
    return made.replace(until=until)


def check_rule(rule: str) -> None:
    """Raise ValidationError when a text is no recurrence rule of days (RFC 5545 3.3.10).

    Parts smaller than a day and an end of its own are refused: hours and validity have columns of their own.
    """
    parts = dict(part.split("=", 1) for part in rule.upper().split(";") if "=" in part)
    if parts.get("FREQ") not in _FREQUENCIES:
        raise ValidationError(_("Begin with FREQ=DAILY, WEEKLY, MONTHLY or YEARLY, as in FREQ=WEEKLY;BYDAY=MO,TU."))
    if not set(parts) <= _PARTS or len(parts) != len(rule.split(";")):
        raise ValidationError(_("Say the days only, without times, a number of times or an end."))
    if not parts.get("INTERVAL", "1").isdecimal() or not 1 <= int(parts.get("INTERVAL", "1")) <= 100:
        raise ValidationError(_("The interval is a number from 1 to 100."))
    try:
        first = next(iter(rule_of_days(rule, _LEAP_YEAR, _A_CYCLE_LATER)), None)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        raise ValidationError(_("This is no rule of RFC 5545, write it as FREQ=WEEKLY;BYDAY=MO,TU.")) from None
    if first is None:
        raise ValidationError(_("There is no such day."))


class ResourceKind(models.TextChoices):
    """What can be booked."""

    SCANNER = "SCANNER", _("scanner")
    ROOM = "ROOM", _("room")
    STAFF = "STAFF", _("staff")
    EQUIPMENT = "EQUIPMENT", _("equipment")


_NEEDED = [(kind.value, kind.label) for kind in ResourceKind if kind != ResourceKind.SCANNER]


class Validity(Noun):
    """Days from which and up to which a row counts; open where they are empty."""

    valid_from = models.DateField(_("from"), null=True, blank=True, help_text=_("Its first day; empty: always"))
    valid_until = models.DateField(_("until"), null=True, blank=True, help_text=_("Its last day; empty: always"))

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Refuse a last day before the first."""
        super().clean()
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise ValidationError({"valid_until": _("The last day is before the first one.")})

    def is_valid_on(self, day: date) -> bool:
        """Tell whether the row counts on a day."""
        return (not self.valid_from or self.valid_from <= day) and (not self.valid_until or day <= self.valid_until)


def _in_order(name: str) -> models.CheckConstraint:
    condition = Q(valid_from__isnull=True) | Q(valid_until__isnull=True) | Q(valid_until__gte=models.F("valid_from"))
    return models.CheckConstraint(condition=condition, name=name)


class ResourceQuerySet(models.QuerySet["Resource"]):
    """Ways to find resources."""

    def usable(self) -> Self:
        """Leave out what is out of use, also scanners whose station is."""
        return self.filter(Q(station__isnull=True) | Q(station__active=True), active=True)


class Resource(Validity):
    """Something that one exam at a time can have: a scanner, a room, a person, a piece of equipment.

    The scanner of a station is made with the station. What else has a station stands there and serves it alone.
    """

    kind = models.CharField(_("kind"), max_length=16, choices=ResourceKind)
    name = models.CharField(_("name"), max_length=64)
    role = models.CharField(
        _("what it is"),
        max_length=64,
        blank=True,
        help_text=_("As exams ask for it, for example Injector or Contrast nurse"),
    )
    site = models.ForeignKey(Site, models.PROTECT, related_name="resources", verbose_name=_("site"))
    station = models.ForeignKey(
        Station,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="resources",
        verbose_name=_("station"),
        help_text=_("Where it stands; empty: it goes to any station of the site"),
    )
    active = models.BooleanField(_("in use"), default=True)

    objects = ResourceQuerySet.as_manager()

    class Meta:
        verbose_name = _("resource")
        verbose_name_plural = _("resources")
        ordering = ("site", "kind", "name")
        constraints = (
            models.UniqueConstraint(
                fields=("station",), condition=Q(kind=ResourceKind.SCANNER), name="resource_one_scanner_a_station"
            ),
            models.CheckConstraint(
                condition=~Q(kind=ResourceKind.SCANNER) | Q(station__isnull=False), name="resource_scanner_has_station"
            ),
            models.CheckConstraint(condition=Q(kind__in=ResourceKind.values), name="resource_kind_known"),
            models.CheckConstraint(condition=~Q(name=""), name="resource_name_not_empty"),
            _in_order("resource_validity_in_order"),
        )

    def __str__(self) -> str:
        return self.name


class ExamNeed(Noun):
    """What a step of an exam needs besides its scanner: one resource of a kind, from its beginning to its end."""

    exam = models.ForeignKey(Exam, models.CASCADE, related_name="needs", verbose_name=_("exam"))
    step_number = models.PositiveSmallIntegerField(_("step"), default=1, help_text=_("Number of the exam's step"))
    kind = models.CharField(_("kind"), max_length=16, choices=_NEEDED)
    role = models.CharField(_("what it is"), max_length=64, blank=True, help_text=_("Empty: any of the kind"))

    class Meta:
        verbose_name = _("need")
        verbose_name_plural = _("needs")
        ordering = ("exam", "step_number", "pk")
        constraints = (
            models.CheckConstraint(condition=Q(kind__in=[kind for kind, _label in _NEEDED]), name="need_kind_known"),
        )

    def __str__(self) -> str:
        return self.role or str(self.get_kind_display())

    def is_met_by(self, resource: Resource, station: Station) -> bool:
        """Tell whether a resource can be what the step needs at a station."""
        return (
            resource.kind == self.kind
            and (not self.role or resource.role.casefold() == self.role.casefold())
            and (resource.station_id or station.pk) == station.pk
            and resource.site_id == station.site_id
        )


class Owned(Noun):
    """A row of the calendar of one resource, or of all resources of a site."""

    site = models.ForeignKey(
        Site,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="%(class)s_rows",
        verbose_name=_("site"),
        help_text=_("For all that is there, or"),
    )
    resource = models.ForeignKey(
        Resource,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="%(class)s_rows",
        verbose_name=_("resource"),
        help_text=_("for this one alone"),
    )
    reason = models.CharField(_("reason"), max_length=100, help_text=_("Shown to who looks for a time"))

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Ask for a site or a resource, not both."""
        super().clean()
        if (self.site_id is None) == (self.resource_id is None):
            raise ValidationError(_("Choose a site or a resource, one of the two."))


def _one_owner(name: str) -> models.CheckConstraint:
    condition = Q(site__isnull=True, resource__isnull=False) | Q(site__isnull=False, resource__isnull=True)
    return models.CheckConstraint(condition=condition, name=name)


class Recurring(Owned, Validity):
    """Hours that come back on certain days, by the wall clock of the site."""

    rule = models.CharField(
        _("days"),
        max_length=200,
        default=WORKDAYS,
        validators=[check_rule],
        help_text=_("A rule of RFC 5545, for example FREQ=WEEKLY;BYDAY=MO,TU or FREQ=MONTHLY;BYDAY=1SA"),
    )
    opens = models.TimeField(_("begins"))
    closes = models.TimeField(_("ends"), help_text=_("00:00 is midnight; before the beginning: on the next day"))

    class Meta:
        abstract = True


class OpeningHours(Recurring):
    """When a resource can be booked. A resource without hours has those of its site, a site without any is open."""

    reason = models.CharField(_("reason"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("opening hours")
        verbose_name_plural = _("opening hours")
        ordering = ("site", "resource", "opens", "pk")
        constraints = (_one_owner("hours_one_owner"), _in_order("hours_validity_in_order"))

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}–{self.closes:%H:%M} {self.rule}"


class BlockKind(models.TextChoices):
    """What comes back in a calendar and keeps patients out of it, or some of them."""

    CLEANING = "CLEANING", _("cleaning")
    BREAK = "BREAK", _("break")
    INPATIENTS = "INPATIENTS", _("reserved for inpatients")
    EMERGENCIES = "EMERGENCIES", _("reserved for emergencies")
    REFERRER = "REFERRER", _("reserved for a referrer")


class Block(Recurring):
    """Hours of a resource that come back and are not for everybody: cleaning, breaks, reserved times."""

    kind = models.CharField(_("kind"), max_length=16, choices=BlockKind)
    referrer = models.CharField(
        _("referrer"), max_length=64, blank=True, help_text=_("The physician or service that it is reserved for")
    )

    class Meta:
        verbose_name = _("block")
        verbose_name_plural = _("blocks")
        ordering = ("site", "resource", "opens", "pk")
        constraints = (
            _one_owner("block_one_owner"),
            _in_order("block_validity_in_order"),
            models.CheckConstraint(condition=Q(kind__in=BlockKind.values), name="block_kind_known"),
            models.CheckConstraint(
                condition=~Q(kind=BlockKind.REFERRER) | ~Q(referrer=""), name="block_referrer_named"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.opens:%H:%M}–{self.closes:%H:%M}"

    def clean(self) -> None:
        """Ask for whom a referrer's time is."""
        super().clean()
        if self.kind == BlockKind.REFERRER and not self.referrer:
            raise ValidationError({"referrer": _("Say for whom it is reserved.")})


class ClosureKind(models.TextChoices):
    """Why a resource or a site is closed once."""

    HOLIDAY = "HOLIDAY", _("holiday")
    CLOSED = "CLOSED", _("closed")
    MAINTENANCE = "MAINTENANCE", _("maintenance")
    ABSENCE = "ABSENCE", _("absence")


class Closure(Owned):
    """One period in which nothing takes place: a holiday, maintenance, a day off."""

    kind = models.CharField(_("kind"), max_length=16, choices=ClosureKind, default=ClosureKind.CLOSED)
    start = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("until"))

    class Meta:
        verbose_name = _("closure")
        verbose_name_plural = _("closures")
        ordering = ("-start", "pk")
        indexes = (models.Index(fields=("end",), name="closure_end_idx"),)
        constraints = (
            _one_owner("closure_one_owner"),
            models.CheckConstraint(condition=Q(end__gt=models.F("start")), name="closure_ends_after_start"),
            models.CheckConstraint(condition=Q(kind__in=ClosureKind.values), name="closure_kind_known"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.reason}"

    def clean(self) -> None:
        """Refuse an end before the start."""
        super().clean()
        if self.start and self.end and self.end <= self.start:
            raise ValidationError({"end": _("It ends before it begins.")})
