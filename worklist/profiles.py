"""What is agreed with one calling device: what it may see, and how it is written to. Plain data, no database."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class Scope(StrEnum):
    """Which stations' steps a device may see."""

    ANY = "ANY"
    OWN = "OWN"
    GROUP = "GROUP"


class WhenMore(StrEnum):
    """What to do when more steps match than a device can take."""

    REFUSE = "REFUSE"
    NEWEST = "NEWEST"


class Setting(StrEnum):
    """What a profile does with one attribute."""

    FORCED = "FORCED"
    DEFAULT = "DEFAULT"
    LONGEST = "LONGEST"


@dataclass(frozen=True)
class ValueRule:
    """What is done with one attribute. value: what is sent always or instead of nothing, or the most characters."""

    keyword: str
    setting: Setting
    value: str


@dataclass(frozen=True)
class Profile:
    """What is agreed with a device.

    name: of the row, empty where there is none. station: AE title of the station that it is, empty for its own.
    aliases: further AE titles by which it asks for that station. group: AE titles of stations that it may see beside
    its own. look_back, look_ahead: days before and after today that it may see, None without end. hidden: states that
    it does not see. most: answers that it takes, None for the setting.

    character_set: what it reads beyond ASCII, as in Specific Character Set, with backslashes. transliterate: write what
    that lacks in Latin letters; else such an answer is in UTF-8. time_zone: of the clock that it shows, empty for its
    site's. rules: what is done with single attributes. issuer: authority whose number of a patient it gets and asks
    for, where there is one; empty for the primary number.
    """

    name: str = ""
    scope: Scope = Scope.ANY
    station: str = ""
    aliases: frozenset[str] = frozenset()
    group: frozenset[str] = frozenset()
    look_back: int | None = None
    look_ahead: int | None = None
    hidden: frozenset[str] = frozenset()
    most: int | None = None
    when_more: WhenMore = WhenMore.REFUSE
    character_set: str = "ISO_IR 192"
    transliterate: bool = True
    upper_case_names: bool = False
    leave_out_empty_sequences: bool = False
    time_zone: str = ""
    rules: tuple[ValueRule, ...] = ()
    issuer: str = ""

    def own(self, ae_title: str) -> str:
        """Return the AE title of the station that the device calling so is."""
        return self.station or ae_title

    def visible(self, ae_title: str) -> frozenset[str] | None:
        """Return the AE titles of the stations that the device calling so may see; None for all."""
        if self.scope is Scope.ANY:
            return None
        return frozenset({self.own(ae_title)}) | (self.group if self.scope is Scope.GROUP else frozenset())

    def meant(self, ae_title: str, asked: str) -> str:
        """Return the AE title of the station that the device calling so means by one in its query."""
        return self.own(ae_title) if asked in self.aliases or asked == ae_title else asked

    @property
    def newest_first(self) -> bool:
        """Tell whether it gets the latest start first, and no more than it takes."""
        return self.when_more is WhenMore.NEWEST

    @property
    def has_window(self) -> bool:
        """Tell whether it sees some days only."""
        return self.look_back is not None or self.look_ahead is not None

    def window(self, today: date) -> tuple[date | None, date | None]:
        """Return the first and the last day that it sees; None for no end."""
        first = None if self.look_back is None else today - timedelta(days=self.look_back)
        return first, None if self.look_ahead is None else today + timedelta(days=self.look_ahead)

    def shows(self, day: date, today: date) -> bool:
        """Tell whether it sees a day."""
        first, last = self.window(today)
        return (first is None or first <= day) and (last is None or day <= last)


PLAIN = Profile()
"""Nothing is agreed: a device sees what it asks for."""


@dataclass(frozen=True)
class Row:
    """A profile and the callers that it is for: an AE title, the beginning of one with `*`, or any where empty."""

    callers: str
    profile: Profile

    @property
    def rank(self) -> tuple[int, int]:
        """The higher, the more it says about the caller."""
        return (0 if not self.callers else 1 if self.callers.endswith("*") else 2), len(self.callers)

    def is_for(self, ae_title: str) -> bool:
        """Tell whether a caller is meant."""
        if self.callers.endswith("*"):
            return ae_title.startswith(self.callers[:-1])
        return self.callers in ("", ae_title)
