"""What a day board was asked to show: its days and their minutes, the stations, the filters; read from an address."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, QueryDict
from django.utils import timezone

from ris.actions.daysheet import Scanner
from ris.days import day_named
from ris.models import Site
from ris.states import StepState

_MINUTE = timedelta(minutes=1)
_ALL = "all"
REMEMBERED = "board"
"""Where a session keeps the filters that its person used last."""
SHOWN_STATES = tuple(state for state in StepState if state not in (StepState.REQUESTED, StepState.CANCELED))


@dataclass(frozen=True)
class Days:
    """Some days by the clock of a zone, and how their minutes are counted, from midnight on.

    The minutes of a single day are those that pass: on the day of a clock change it has 23 or 25 hours. Days that
    stand side by side are counted by the clock on the wall, so that noon is at the same height in all of them.
    """

    first: date
    count: int
    zone: ZoneInfo

    def __iter__(self) -> Any:
        """Go through the days."""
        return iter([self.first + timedelta(days=number) for number in range(self.count)])

    @property
    def since(self) -> datetime:
        """The first moment."""
        return _midnight(self.first, self.zone)

    @property
    def until(self) -> datetime:
        """The moment after the last."""
        return _midnight(self.first + timedelta(days=self.count), self.zone)

    def length(self, day: date) -> int:
        """Return how many minutes a day has."""
        return self.minute(day, _midnight(day + timedelta(days=1), self.zone))

    def minute(self, day: date, moment: datetime) -> int:
        """Return the minute of a day at which a moment is."""
        if self.count == 1:
            return (moment - _midnight(day, self.zone)) // _MINUTE
        return (moment.astimezone(self.zone).replace(tzinfo=None) - datetime.combine(day, time())) // _MINUTE

    def moment(self, day: date, minute: int) -> datetime:
        """Return the moment, in UTC, at which a minute of a day begins."""
        if self.count == 1:
            return _midnight(day, self.zone) + minute * _MINUTE
        wall = datetime.combine(day, time()) + minute * _MINUTE
        return wall.replace(tzinfo=self.zone).astimezone(UTC)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


@dataclass(frozen=True)
class Asked:
    """What somebody wants to see. site: None means all; state: others are there without their patients.

    station: of the week view, which shows one; None is the day view. whole: from midnight to midnight.
    """

    day: date
    site: Site | None
    zone: ZoneInfo
    modality: str = ""
    state: str = ""
    station: Scanner | None = None
    whole: bool = False

    @property
    def days(self) -> Days:
        """The day, or its week from Monday on."""
        monday = self.day - timedelta(days=self.day.weekday())
        return Days(monday, 7, self.zone) if self.station else Days(self.day, 1, self.zone)

    @property
    def today(self) -> date:
        """The day that it is there."""
        return timezone.localdate(timezone=self.zone)

    def shown(self, scanners: Sequence[Scanner]) -> list[Scanner]:
        """Return the scanners that become columns."""
        if self.station:
            return [self.station]
        here = [row for row in scanners if self.site is None or row.station.site_id == self.site.pk]
        return [row for row in here if not self.modality or row.station.modality == self.modality]

    def filters(self) -> dict[str, str]:
        """Return what is remembered, as parameters of an address."""
        said = {
            "site": str(self.site.pk) if self.site else _ALL,
            "modality": self.modality,
            "state": self.state,
            "station": str(self.station.station.pk) if self.station else "",
            "whole": "1" if self.whole else "",
        }
        return {name: value for name, value in said.items() if value}

    def address(self, **changes: Any) -> str:
        """Return the parameters of the same board, with what is changed."""
        asked = replace(self, **changes)
        said = QueryDict(mutable=True)
        said.update({"day": asked.day.isoformat(), **asked.filters()})
        return f"?{said.urlencode()}"

    def later(self, times: int) -> str:
        """Return the parameters of the board so many pages later; a negative number of pages is before."""
        return self.address(day=self.day + timedelta(days=times * self.days.count))


def read(request: HttpRequest, scanners: Sequence[Scanner]) -> Asked | None:
    """Return what an address asks for; what makes no sense in it is as if it were not there. None without stations."""
    sites = sites_of(scanners)
    if not sites:
        return None
    said = request.GET
    station = next((row for row in scanners if str(row.station.pk) == said.get("station")), None)
    home = next((site for site in sites if site.is_default), sites[0])
    site = next((site for site in sites if str(site.pk) == said.get("site")), None)
    if station is not None:
        site = station.station.site
    elif site is None and not (said.get("site") == _ALL and have_one_clock(sites)):
        site = home
    zone = (site or home).zone
    return Asked(
        day=day_named(said.get("day", "")) or timezone.localdate(timezone=zone),
        site=site,
        zone=zone,
        modality=next((name for name in modalities_of(scanners) if name == said.get("modality")), ""),
        state=next((state.value for state in SHOWN_STATES if state == said.get("state")), ""),
        station=station,
        whole=bool(said.get("whole")),
    )


def sites_of(scanners: Sequence[Scanner]) -> list[Site]:
    """Return the sites of scanners."""
    return list({row.station.site_id: row.station.site for row in scanners}.values())


def modalities_of(scanners: Sequence[Scanner]) -> list[str]:
    """Return the modalities of scanners."""
    return sorted({row.station.modality for row in scanners})


def have_one_clock(sites: Sequence[Site]) -> bool:
    """Tell whether several sites can stand on one board: they have the same time zone."""
    return len(sites) > 1 and len({site.time_zone for site in sites}) == 1
