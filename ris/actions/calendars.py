"""Read the calendars: when resources are open, what keeps patients out, and in which words."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from ris import intervals
from ris.intervals import Interval, Intervals
from ris.models import Block, BlockKind, Closure, OpeningHours, Order, Priority, RequestedProcedure, Resource, Site
from ris.models.resource import Recurring, rule_of_days

_ANCHOR = date(2024, 1, 1)
"""The Monday from which "every second week" counts where a rule has no first day."""
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Shut:
    """A period in which a resource is not for a patient. words: why, as said to a person."""

    start: datetime
    end: datetime
    words: str
    site: Site

    def __str__(self) -> str:
        """Say why and until when."""
        return _("%(why)s until %(time)s") % {"why": self.words, "time": clock(self.end, self.start, self.site.zone)}


@dataclass(frozen=True)
class Claim:
    """For whom a time is looked for, as far as reserved times ask. referrers: words of names, in small letters."""

    inpatient: bool = False
    emergency: bool = False
    referrers: tuple[frozenset[str], ...] = ()

    def opens(self, block: Block) -> bool:
        """Tell whether a block is there for this patient."""
        match block.kind:
            case BlockKind.INPATIENTS:
                return self.inpatient
            case BlockKind.EMERGENCIES:
                return self.emergency
            case BlockKind.REFERRER:
                wanted = _words(block.referrer)
                return any(wanted <= words for words in self.referrers)
        return False


def claim_of(procedure: RequestedProcedure) -> Claim:
    """Return what an ordered procedure may claim; its order and visit should be at hand."""
    order: Order = procedure.order
    names = (order.requesting_physician, order.referring_physician, order.requesting_service)
    return Claim(
        inpatient=order.visit is not None and order.visit.patient_class == "I",
        emergency=procedure.priority == Priority.STAT,
        referrers=tuple(_words(name) for name in names if name),
    )


def _words(name: str) -> frozenset[str]:
    return frozenset(name.replace("^", " ").replace(",", " ").casefold().split())


def clock(moment: datetime, beside: datetime, zone: ZoneInfo) -> str:
    """Return a time of day by the clock of a zone, with the day where it is another one than `beside`."""
    there = moment.astimezone(zone)
    same_day = there.date() == beside.astimezone(zone).date()
    return date_format(there, "TIME_FORMAT" if same_day else _("D j M H:i"))  # letters as of Django's date filter


class Calendars:
    """Hours, blocks and closures of some resources between two moments, read in three statements."""

    def __init__(self, resources: Iterable[Resource], since: datetime, until: datetime) -> None:
        """Read; the site of each resource should be at hand."""
        self.since, self.until = since.astimezone(UTC), until.astimezone(UTC)
        self.resources = {resource.pk: resource for resource in resources}
        self._hours = self._read(OpeningHours.objects.filter(self._valid()))
        self._blocks = self._read(Block.objects.filter(self._valid()))
        self._closures = self._read(Closure.objects.filter(start__lt=until, end__gt=since))
        self._expanded: dict[tuple[type, int], Intervals] = {}

    def opening(self, resource: Resource) -> Intervals:
        """Return when a resource is open by its own hours, else by those of its site, else always."""
        own, shared = self._hours["resource", resource.pk], self._hours["site", resource.site_id]
        if not own and not shared:
            return [(self.since, self.until)]
        zone = resource.site.zone
        if not own or not shared:
            return self._clip(period for row in own or shared for period in self._expand(row, zone))
        # Own hours count on the days for which there are any that are valid, even where these say "not on Sundays".
        periods = [period for row in own for period in self._expand(row, zone)]
        for row in shared:
            for start, end in self._expand(row, zone):
                day = start.astimezone(zone).date()
                if not any(mine.is_valid_on(day) for mine in own):
                    periods.append((start, end))
        return self._clip(periods)

    def shut(self, resource: Resource, claim: Claim) -> list[Shut]:
        """Return what keeps a patient out of a resource although it is open."""
        found = []
        site, zone = resource.site, resource.site.zone
        for closure in (*self._closures["resource", resource.pk], *self._closures["site", site.pk]):
            words = _("%(name)s: %(kind)s (%(reason)s)") % {
                "name": resource,
                "kind": closure.get_kind_display(),
                "reason": closure.reason,
            }
            found.append(Shut(closure.start, closure.end, words, site))
        for block in (*self._blocks["resource", resource.pk], *self._blocks["site", site.pk]):
            if claim.opens(block):
                continue
            kind = block.get_kind_display()
            if block.kind == BlockKind.REFERRER:
                kind = _("reserved for %s") % block.referrer
            words = _("%(name)s: %(kind)s (%(reason)s)") % {"name": resource, "kind": kind, "reason": block.reason}
            found += [Shut(start, end, words, site) for start, end in self._expand(block, zone)]
        here = [one for one in found if one.start < self.until and self.since < one.end]
        return sorted(here, key=lambda one: one.start)

    def free(self, resource: Resource, claim: Claim) -> Intervals:
        """Return when a resource is open and not shut."""
        away = intervals.union((period.start, period.end) for period in self.shut(resource, claim))
        periods = intervals.subtract(self.opening(resource), away)
        return intervals.intersect(periods, self._in_use(resource))

    def why_not(self, resource: Resource, start: datetime, end: datetime, claim: Claim) -> str:
        """Say why a resource is not to be had in a period by its calendar; empty when it is."""
        zone = resource.site.zone
        if not resource.is_valid_on(start.astimezone(zone).date()):
            return _("%(name)s is not in use on this day") % {"name": resource}
        opening = self.opening(resource)
        if not any(first <= start and end <= last for first, last in opening):
            return _closed(resource, start, opening)
        shut = next((one for one in self.shut(resource, claim) if one.start < end and start < one.end), None)
        return str(shut) if shut else ""

    def _in_use(self, resource: Resource) -> Intervals:
        """Return the days on which a resource is valid."""
        zone = resource.site.zone
        first, last = resource.valid_from, resource.valid_until
        since = _midnight(first, zone) if first else self.since
        until = _midnight(last + _DAY, zone) if last else self.until
        return [(since, until)] if since < until else []

    def _clip(self, periods: Iterable[Interval]) -> Intervals:
        return intervals.intersect(intervals.union(periods), [(self.since, self.until)])

    def _expand(self, row: Recurring, zone: ZoneInfo) -> Intervals:
        """Return the periods of a recurring row by the wall clock of a zone."""
        key = type(row), row.pk
        if key not in self._expanded:
            first = self.since.astimezone(zone).date() - _DAY  # hours that began yesterday may go on past midnight
            days = _days(row.rule, row.valid_from, first, self.until.astimezone(zone).date())
            self._expanded[key] = [period(day, row.opens, row.closes, zone) for day in days if row.is_valid_on(day)]
        return self._expanded[key]

    def _valid(self) -> Q:
        first, last = self.since.date() - _DAY, self.until.date() + _DAY
        begun = Q(valid_from__isnull=True) | Q(valid_from__lte=last)
        return begun & (Q(valid_until__isnull=True) | Q(valid_until__gte=first))

    def _read(self, rows: QuerySet[Any]) -> "defaultdict[tuple[str, int], list[Any]]":
        sites = {resource.site_id for resource in self.resources.values()}
        found: defaultdict[tuple[str, int], list[Any]] = defaultdict(list)
        for row in rows.filter(Q(resource__in=list(self.resources)) | Q(site__in=sites)):
            found["resource" if row.resource_id else "site", row.resource_id or row.site_id].append(row)
        return found


def period(day: date, begins: time, ends: time, zone: ZoneInfo) -> Interval:
    """Return hours of a day by the wall clock of a zone, in UTC; an end at or before the beginning is tomorrow's.

    Of an hour that a clock change repeats the whole is taken; in one that it skips the clock is as if it went on.
    """
    last = day if ends > begins else day + _DAY
    start = datetime.combine(day, begins, zone)
    end = datetime.combine(last, ends, zone)
    return start.astimezone(UTC), max(end.astimezone(UTC), end.replace(fold=1).astimezone(UTC))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


@lru_cache(maxsize=1024)
def _days(rule: str, anchor: date | None, first: date, last: date) -> tuple[date, ...]:
    """Return the days of a recurrence rule between two days."""
    wanted = rule.upper()
    if "INTERVAL" not in wanted and "BY" in wanted:
        anchor = first  # the rule names its days, so it need not count from a first one
    start = datetime.combine(anchor or _ANCHOR, time())
    days = rule_of_days(rule, start, datetime.combine(last, time()))
    return tuple(moment.date() for moment in days.xafter(datetime.combine(first, time()), inc=True))


def _closed(resource: Resource, start: datetime, opening: Intervals) -> str:
    zone = resource.site.zone
    now = intervals.around(opening, start)
    if now:
        return _("%(name)s closes at %(time)s") % {"name": resource, "time": clock(now[1], start, zone)}
    coming = next((first for first, _last in opening if first > start), None)
    if coming is None:
        return _("%(name)s is closed") % {"name": resource}
    return _("%(name)s is closed until %(time)s") % {"name": resource, "time": clock(coming, start, zone)}
