"""Choose the station and the resources of a step whose time is known."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from django.db import connection
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from ris.actions import places
from ris.actions.calendars import claim_of
from ris.errors import AgainstRules, ForbiddenMove, NotOpen, SlotTaken, UnknownStation
from ris.models import Attention, Exam, ExamNeed, RequestedProcedure, ScheduledProcedureStep, Site, Station
from ris.models.statements import Statement
from ris.models.step import end_of
from ris.states import OPEN


class How(Enum):
    """How firm a time is before anybody has looked whether it is free.

    PROMISED: a sender of orders has given it to the patient already. Where it is taken the step is booked on top and
    the order is marked. ASKED: whoever asks can still choose another time, so a taken one is refused. OVERBOOKED: a
    person wants it all the same.
    """

    PROMISED = "promised"
    ASKED = "asked"
    OVERBOOKED = "overbooked"


@dataclass(frozen=True)
class Placement:
    """A station for a step, or none, what a person should know about it, and the keys of further resources."""

    station: Station | None
    attention: Attention | None = None
    resources: tuple[int, ...] = ()


def choose_station(
    *,
    modality: str,
    site: Site,
    exam: Exam | None,
    start: datetime,
    duration: int,
    moving: ScheduledProcedureStep | None = None,
) -> Placement:
    """Return the station that fits best: allowed for the exam, at this site first, free at this time, lowest rank.

    moving: the step that is being moved; it does not count as taking time, and its own station comes before others.
    Where all are taken the best one is returned with DOUBLE_BOOKED, because the sender has already promised the time.
    """
    if not modality:
        return Placement(None, Attention.NO_MODALITY)
    adapt = connection.ops.adapt_datetimefield_value
    values = {
        "start": adapt(start),
        "end": adapt(end_of(start, duration)),
        "moving": moving.pk if moving else 0,
        "modality": modality,
        "exam": exam.pk if exam else 0,
        "site": site.pk,
        "own": (moving and moving.station_id) or 0,
    }
    with connection.cursor() as cursor:
        _CHOICE.execute(cursor, [values[name] for name in _CHOICE_VALUES])
        found = cursor.fetchone()
    if found is None:
        return Placement(None, Attention.NO_STATION)
    *columns, taken = found
    choice = Station.from_db(connection.alias, _STATION, columns)
    return Placement(choice, Attention.DOUBLE_BOOKED if taken else None)


_STATION = [field.attname for field in Station._meta.concrete_fields]
_CHOICE_TEXT = f"""
SELECT {", ".join(f"s.{column}" for column in _STATION)}, EXISTS (
    SELECT 1 FROM ris_scheduledprocedurestep t
    WHERE t.station_id = s.id AND t.state IN ({", ".join(f"'{state}'" for state in sorted(OPEN))})
      AND t.start < %(end)s AND t."end" > %(start)s AND t.id <> %(moving)s
) AS taken
FROM ris_station s
WHERE s.active AND s.modality = %(modality)s AND (
    NOT EXISTS (SELECT 1 FROM ris_exam_stations a WHERE a.exam_id = %(exam)s)
    OR EXISTS (SELECT 1 FROM ris_exam_stations a WHERE a.exam_id = %(exam)s AND a.station_id = s.id)
)
ORDER BY
    CASE WHEN s.site_id = %(site)s THEN 0 ELSE 1 END,
    taken,
    CASE WHEN s.id = %(own)s THEN 0 ELSE 1 END,
    s.rank,
    s.ae_title
LIMIT 1
"""  # noqa: S608 (nothing in it comes from outside)
# Written by hand: to have Django write it for every step costs more than to carry it out.
_CHOICE_VALUES = re.findall(r"%\((\w+)\)s", _CHOICE_TEXT)
_CHOICE = Statement(re.sub(r"%\(\w+\)s", "%s", _CHOICE_TEXT))


def on_station(
    station: Station,
    *,
    modality: str,
    start: datetime,
    duration: int,
    moving: ScheduledProcedureStep | None = None,
) -> Placement:
    """Return a placement on the station that somebody named. Raises UnknownStation, ForbiddenMove."""
    check_station(station, modality)
    taken = _taken(start, duration, moving).filter(station=station).exists()
    return Placement(station, Attention.DOUBLE_BOOKED if taken else None)


def check_station(station: Station, modality: str) -> None:
    """Raise UnknownStation for one out of use, ForbiddenMove for one that does not do the modality."""
    if not station.active:
        raise UnknownStation(field="station")
    if modality and station.modality != modality:
        words = {"station": station, "does": station.modality, "needed": modality}
        raise ForbiddenMove(_("%(station)s does %(does)s, the step needs %(needed)s.") % words, field="station")


def _taken(start: datetime, duration: int, moving: ScheduledProcedureStep | None) -> QuerySet[ScheduledProcedureStep]:
    """Return the open steps, but the one that is being moved, that take time within these minutes from start on."""
    steps = ScheduledProcedureStep.objects.filter(state__in=OPEN)
    steps = steps.overlapping(start, end_of(start, duration))
    return steps.exclude(pk=moving.pk) if moving else steps


def find(
    step: ScheduledProcedureStep,
    *,
    start: datetime,
    duration: int,
    station: Station | None,
    how: How,
    ruled: bool = True,
) -> Placement:
    """Return where a step goes: to the station that was named, else where the catalogue's rules put it.

    ruled: a place that is ASKED for against the rules of the exam is refused. The step is as `schedule.locked` gives
    it. Raises UnknownStation, ForbiddenMove, SlotTaken, NotOpen, AgainstRules.
    """
    procedure = step.requested_procedure
    if how == How.PROMISED:
        if station is not None:
            chosen = on_station(station, modality=step.modality, start=start, duration=duration, moving=step)
        else:
            chosen = choose_station(
                modality=step.modality,
                site=procedure.order.site,
                exam=procedure.exam,
                start=start,
                duration=duration,
                moving=step,
            )
        needs = places.needs_of(procedure.exam, places.number_of(step))
        return with_needs(chosen, procedure, needs, start=start, duration=duration, moving=step)
    if station is not None:
        check_station(station, step.modality)
        stations = [station]
    elif not step.modality:
        return Placement(None, Attention.NO_MODALITY)
    else:
        stations = _stations(step)
    if not stations:
        return Placement(None, Attention.NO_STATION)
    return _best(places.wish_of(step, minutes=duration), stations, start, how, ruled=ruled)


def _stations(step: ScheduledProcedureStep) -> list[Station]:
    """Return the stations that a step may go to: those of its site, else any; the one that it is on comes first."""
    procedure = step.requested_procedure
    found = places.stations_for(modality=step.modality, exam=procedure.exam, site=None)
    here = [row for row in found if row.site_id == procedure.order.site_id]
    return sorted(here or found, key=lambda row: row.pk != step.station_id)


def _best(wish: places.Wish, stations: list[Station], start: datetime, how: How, *, ruled: bool) -> Placement:
    """Return the first station where a wish fits; where none does and nobody insists, raise why the first does not."""
    table = places.Timetable(wish, stations, start, end_of(start, wish.minutes), locked=True, ruled=ruled)
    tried = []
    for station in stations:
        place = table.place(station, start)
        if not place.reasons:
            return Placement(station, resources=tuple(row.pk for row in place.resources))
        tried.append(place)
    first = tried[0]
    if how == How.OVERBOOKED:
        return Placement(first.station, resources=tuple(row.pk for row in first.resources))
    error = SlotTaken if first.taken else NotOpen if first.shut else AgainstRules
    raise error(" ".join(_sentence(text) for text in first.reasons), field="start")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


def with_needs(
    chosen: Placement,
    procedure: RequestedProcedure,
    needs: Sequence[ExamNeed],
    *,
    start: datetime,
    duration: int,
    moving: ScheduledProcedureStep | None = None,
) -> Placement:
    """Add to the placement of a promised time what else the exam needs, free where there is such."""
    station = chosen.station
    if station is None or not needs:
        return chosen
    wish = places.Wish(procedure, station.modality, duration, needs, claim_of(procedure), moving)
    place = places.Timetable(wish, [station], start, end_of(start, duration), ruled=False).place(station, start)
    return replace(chosen, resources=tuple(row.pk for row in place.resources))
