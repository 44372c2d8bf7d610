"""Profiles of calling devices: what is agreed with each, as a row that people keep on the desk."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ris.models import Station
from ris.models.catalog import AE_TITLE, check_time_zone
from ris.person_name import GROUP_LENGTH
from ris.states import ON_WORKLIST, StepState
from worklist import charsets
from worklist.profiles import Profile, Row, Scope, Setting, ValueRule, WhenMore
from worklist.spelling import SAYS_UNKNOWN, is_allowed, is_of_patient, is_valid, may_be_set, vr_of
from worklist.values import RULES

_SCOPES = (
    (Scope.ANY.value, _("The steps that it asks for, of any station")),
    (Scope.OWN.value, _("Only the steps of its own station")),
    (Scope.GROUP.value, _("The steps of its own station and of those below")),
)
_WHEN_MORE = (
    (WhenMore.REFUSE.value, _("Refuse (A700), so that nobody takes a part for the whole")),
    (WhenMore.NEWEST.value, _("Send the newest, the latest start first")),
)
_UNWRITABLE = (
    (True, _("Write the letters that are missing in Latin ones, and count it in the query log")),
    (False, _("Send the answer in UTF-8")),
)
_SETTINGS = (
    (Setting.FORCED.value, _("is always")),
    (Setting.DEFAULT.value, _("if empty, is")),
    (Setting.LONGEST.value, _("has at most so many characters:")),
)
_BAD_CHARACTER_SETS = {
    "unknown": _("There is no such character set: “%s”."),
    "alone": _("%s stands alone, without further values."),
    "first": _("“%s” cannot stand here: sets of one byte come first, and the first value alone may be empty."),
    "extension": _("Beside other values it is written ISO 2022 IR …, not %s."),
    "twice": _("A value is there twice."),
}
_REFUSED = {
    Setting.FORCED: _("This attribute tells of the patient or says what the exam is, or is no single value."),
    Setting.DEFAULT: _("This attribute identifies, or is no single value."),
    Setting.LONGEST: _("This attribute identifies, or is no text."),
}
_NOT_KNOWN = _("This attribute tells of the patient: what nobody has told of a patient is not made up.")
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


def _character_set(text: str) -> None:
    try:
        charsets.check(text)
    except charsets.BadCharacterSet as wrong:
        words = _BAD_CHARACTER_SETS[wrong.reason]
        raise ValidationError(words % wrong.value if wrong.value or wrong.reason != "twice" else words) from None


def lines_of(text: str) -> list[str]:
    """Return the lines of a text that say anything."""
    return [line.strip() for line in text.splitlines() if line.strip()]


class ProfileQuerySet(models.QuerySet["StationProfile"]):
    """Ways to find profiles."""

    def in_use(self) -> list[Row]:
        """Return the profiles in use, the one that says most about its caller first."""
        found = self.filter(active=True).select_related("station").prefetch_related("stations", "values").order_by("pk")
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

    character_set = models.CharField(
        _("character set"),
        max_length=120,
        default=charsets.UTF_8,
        validators=(_character_set,),
        help_text=_(
            "As in Specific Character Set (0008,0005), values with a backslash between them: ISO_IR 192 (UTF-8),"
            " ISO_IR 100 (Western Europe), ISO_IR 101 (Central Europe), ISO_IR 144 (Cyrillic), ISO_IR 126 (Greek),"
            " ISO_IR 166 (Thai), \\ISO 2022 IR 87 and ISO 2022 IR 13\\ISO 2022 IR 87 (Japanese),"
            " \\ISO 2022 IR 149 (Korean), GB18030 and GBK (Chinese). ISO_IR 6: ASCII and nothing else."
        ),
    )
    transliterate = models.BooleanField(
        _("when a text cannot be written in it"),
        choices=_UNWRITABLE,
        default=True,
        help_text=_(
            "Of a name, another representation that is kept goes before Latin letters. Numbers and codes are never"
            " rewritten: they are left empty, and a step that cannot be without them is left out."
        ),
    )
    upper_case_names = models.BooleanField(_("names in capitals"), default=False)
    leave_out_empty_sequences = models.BooleanField(
        _("leave out empty sequences"),
        default=False,
        help_text=_("For devices that stumble over a sequence without items."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=(check_time_zone,),
        help_text=_("Of the clock that the device shows, such as Europe/Berlin. Empty: that of the station's site."),
    )

    issuer = models.CharField(
        _("authority of patient numbers"),
        max_length=64,
        blank=True,
        help_text=_(
            "Whose number the device gets and asks for as Patient ID (the issuer), where a patient has one of it."
            " Empty: the primary number."
        ),
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
            character_set=self.character_set,
            transliterate=self.transliterate,
            upper_case_names=self.upper_case_names,
            leave_out_empty_sequences=self.leave_out_empty_sequences,
            time_zone=self.time_zone,
            issuer=self.issuer,
            rules=tuple(one.rule for one in self.values.all() if is_allowed(one.rule)) if self.pk else (),
        )

    @property
    def ignored(self) -> list["ProfileValue"]:
        """The rows that no device is written to by: they were saved before such rows were refused."""
        return [one for one in self.values.all() if not is_allowed(one.rule)] if self.pk else []


class ProfileValue(models.Model):
    """What a device is sent in one attribute instead of what is stored."""

    station_profile = models.ForeignKey(
        StationProfile, models.CASCADE, related_name="values", verbose_name=_("station profile")
    )
    keyword = models.CharField(
        _("attribute"), max_length=64, help_text=_("Keyword of the DICOM dictionary, such as InstitutionName.")
    )
    setting = models.CharField(_("rule"), max_length=8, choices=_SETTINGS)
    value = models.CharField(_("value"), max_length=1024)

    class Meta:
        verbose_name = _("attribute")
        verbose_name_plural = _("attributes that the device gets otherwise")
        ordering = ("keyword", "setting")
        constraints = (
            models.UniqueConstraint(
                fields=("station_profile", "keyword", "setting"),
                name="profile_value_once",
                violation_error_message=_("This rule is in another row already."),
            ),
            models.CheckConstraint(
                condition=Q(setting__in=[setting.value for setting in Setting]), name="profile_setting_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.keyword} {self.get_setting_display()} {self.value}"

    def clean(self) -> None:
        """Check that the attribute may be changed in this way, and that the value is one of its kind."""
        if not self.keyword or not self.setting:
            return
        vr = vr_of(self.keyword)
        setting = Setting(self.setting)
        if not vr:
            raise ValidationError({"keyword": _("The DICOM dictionary has no such keyword.")})
        if not may_be_set(self.keyword, setting):
            of_patient = setting is Setting.DEFAULT and is_of_patient(self.keyword)
            raise ValidationError({"keyword": _NOT_KNOWN if of_patient else _REFUSED[setting]})
        if setting is Setting.LONGEST:
            most = GROUP_LENGTH if vr == "PN" else RULES[vr].length
            if not (re.fullmatch("[0-9]{1,6}", self.value) and 0 < int(self.value) <= most):
                words = _("A whole number from 1 to %(most)d (VR %(vr)s).")
                raise ValidationError({"value": words % {"most": most, "vr": vr}})
        elif not is_valid(self.keyword, self.value):
            raise ValidationError({"value": _("This is not a value of its kind (VR %s).") % vr})
        elif not is_allowed(self.rule):
            words = _("Of a patient only %s can be sent instead of nothing: it says that this is not known.")
            raise ValidationError({"value": words % SAYS_UNKNOWN[self.keyword]})

    @property
    def rule(self) -> ValueRule:
        """The rule, as queries carry it along."""
        return ValueRule(self.keyword, Setting(self.setting), self.value)
