"""Profiles of calling devices: what is agreed with each, as a row that people keep on the desk."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ris.models import Station
from ris.models.catalog import AE_TITLE
from ris.states import ON_WORKLIST, StepState
from worklist.profiles import Profile, Row, Scope, WhenMore

_SCOPES = (
    (Scope.ANY.value, _("The steps that it asks for, of any station")),
    (Scope.OWN.value, _("Only the steps of its own station")),
    (Scope.GROUP.value, _("The steps of its own station and of those below")),
)
_WHEN_MORE = (
    (WhenMore.REFUSE.value, _("Refuse (A700), so that nobody takes a part for the whole")),
    (WhenMore.NEWEST.value, _("Send the newest, the latest start first")),
)
HIDEABLE = [(state.value, state.label) for state in StepState if state in ON_WORKLIST]
_YEARS = MaxValueValidator(3650)
_callers = RegexValidator(
    r"^(?! )(?:[\x20-\x29\x2b-\x5b\x5d-\x7e]{1,16}(?<! )|[\x20-\x29\x2b-\x5b\x5d-\x7e]{1,15}\*)\Z",
    _("An AE title, or the beginning of one and *: printable ASCII characters, at most 16."),
)


def _aliases(text: str) -> None:
    for line in lines_of(text):
        AE_TITLE(line)
    taken = Station.objects.active().filter(ae_title__in=lines_of(text)).values_list("ae_title", flat=True)
    if taken:
        raise ValidationError(_("This is a station of its own: %s") % ", ".join(taken))


def _states(states: Any) -> None:
    known = {value for value, _label in HIDEABLE}
    if not isinstance(states, list) or not known.issuperset(states):
        raise ValidationError(_("These are not states of the worklist."))
    if known.issubset(states):
        raise ValidationError(_("With every state hidden, the device would never see anything."))


def lines_of(text: str) -> list[str]:
    """Return the lines of a text that say anything."""
    return [line.strip() for line in text.splitlines() if line.strip()]


class ProfileQuerySet(models.QuerySet["StationProfile"]):
    """Ways to find profiles."""

    def in_use(self) -> list[Row]:
        """Return the profiles in use, the one that says most about its caller first."""
        found = self.filter(active=True).select_related("station").prefetch_related("stations").order_by("pk")
        return sorted((Row(one.callers, one.profile) for one in found), key=lambda row: row.rank, reverse=True)


class StationProfile(models.Model):
    """What is agreed with one calling device, or with all whose AE titles begin alike.

    A row without callers speaks for every device that no other row knows.
    """

    name = models.CharField(_("name"), max_length=64, unique=True)
    active = models.BooleanField(_("in use"), default=True)
    callers = models.CharField(
        _("calling AE title"),
        max_length=16,
        blank=True,
        validators=(_callers,),
        help_text=_(
            "As the device sends it; capitals and small letters count. CT* stands for all that begin so."
            " Empty: every device that no other profile knows."
        ),
    )
    station = models.ForeignKey(
        Station,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("station"),
        help_text=_("The station that the device is. Empty: the one with its calling AE title."),
    )
    aliases = models.TextField(
        _("aliases"),
        blank=True,
        validators=(_aliases,),
        help_text=_(
            "Other AE titles by which the device asks for its station, one a line. It is answered with the one that"
            " it asked for. Its calling AE title is one of them by itself."
        ),
    )

    scope = models.CharField(_("sees"), max_length=8, choices=_SCOPES, default=Scope.ANY.value)
    stations = models.ManyToManyField(
        Station,
        blank=True,
        related_name="+",
        verbose_name=_("further stations"),
        help_text=_("The group that the device belongs to, such as two rooms with one console."),
    )
    look_back = models.PositiveSmallIntegerField(
        _("days back"),
        null=True,
        blank=True,
        validators=(_YEARS,),
        help_text=_("Steps of so many days before today; 0: none before today. Empty: all."),
    )
    look_ahead = models.PositiveSmallIntegerField(
        _("days ahead"),
        null=True,
        blank=True,
        validators=(_YEARS,),
        help_text=_("Steps of so many days after today; 0: none after today. Empty: all."),
    )
    hidden_states = models.JSONField(
        _("hidden states"),
        default=list,
        blank=True,
        validators=(_states,),
        help_text=_("Steps in these states are not sent: without “scheduled”, only who has arrived is on the list."),
    )
    most = models.PositiveIntegerField(
        _("most answers"),
        null=True,
        blank=True,
        validators=(MinValueValidator(1), MaxValueValidator(100_000)),
        help_text=_("As many as the device can take. Empty: the setting BUCKY_WORKLIST_MAX_ANSWERS."),
    )
    when_more = models.CharField(
        _("when more steps match"), max_length=8, choices=_WHEN_MORE, default=WhenMore.REFUSE.value
    )

    objects = ProfileQuerySet.as_manager()

    class Meta:
        verbose_name = _("station profile")
        verbose_name_plural = _("station profiles")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                fields=("callers",),
                condition=Q(active=True),
                name="profile_one_for_a_caller",
                violation_error_message=_("Another profile in use is for the same calling AE title."),
            ),
            models.CheckConstraint(condition=Q(scope__in=[scope.value for scope in Scope]), name="profile_scope_known"),
            models.CheckConstraint(
                condition=Q(when_more__in=[policy.value for policy in WhenMore]), name="profile_when_more_known"
            ),
            models.CheckConstraint(condition=Q(most__isnull=True) | Q(most__gt=0), name="profile_takes_answers"),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Check what two fields say together."""
        if self.station is not None and (not self.callers or self.callers.endswith("*")):
            raise ValidationError({"station": _("Several devices cannot be one station: name one calling AE title.")})

    @property
    def profile(self) -> Profile:
        """What is agreed, as queries carry it along."""
        return Profile(
            name=self.name,
            scope=Scope(self.scope),
            station=self.station.ae_title if self.station else "",
            aliases=frozenset(lines_of(self.aliases)),
            group=frozenset(station.ae_title for station in self.stations.all()) if self.pk else frozenset(),
            look_back=self.look_back,
            look_ahead=self.look_ahead,
            hidden=frozenset(self.hidden_states),
            most=self.most,
            when_more=WhenMore(self.when_more),
        )
