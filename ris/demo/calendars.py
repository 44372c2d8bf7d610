"""The calendars of the demo department: hours, staff and equipment, closures and reserved times."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from ris.demo.plan import DAYS_AHEAD
from ris.demo.sites import STATIONS
from ris.models import Block, Booking, Closure, Exam, ExamNeed, OpeningHours, Resource, Site, Station

_WEEK = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
_INJECTORS = ("CT1", "CT2", "MR1", "MR2")
_RADIOLOGISTS = ("Dr Asante", "Dr Bianchi", "Dr Novak")
_BLOCKS: tuple[tuple[str, str, str, time, time, str, str], ...] = (
    ("CT1", "EMERGENCIES", _WEEK, time(12, 0), time(13, 0), "Stroke unit", ""),
    ("MR1", "INPATIENTS", _WEEK, time(7, 30), time(9, 0), "Wards come first in the morning", ""),
    (
        "XR2",
        "REFERRER",
        "FREQ=WEEKLY;BYDAY=MO",
        time(10, 0),
        time(12, 0),
        "Contract of the bone clinic",
        "Orthopaedics",
    ),
)
"""Station, kind, days, hours, reason, referrer."""
_LATER_BLOCKS: tuple[tuple[str, str, time, time, str], ...] = (
    ("US1", "BREAK", time(12, 0), time(12, 30), "One sonographer only"),
    ("RF1", "CLEANING", time(16, 30), time(17, 0), "Barium"),
)
"""The same from after the planned weeks on, so that nobody has an appointment then."""
_MAINTENANCE: tuple[tuple[str, int, str], ...] = (("CT2", 120, "New tube"), ("NM1", 240, "Yearly check"))
"""Station, minutes, reason: laid where nobody has an appointment."""


def add_resources(stations: Mapping[str, Station], exams: Mapping[str, Exam]) -> None:
    """Make staff and equipment, and say which exams need them."""
    for name in _INJECTORS:
        station = stations[name]
        values = {"kind": "EQUIPMENT", "role": "Injector", "site": station.site, "station": station}
        Resource.new(name=f"Injector {name}", **values)
    hospital = stations["CT1"].site
    for name in _RADIOLOGISTS:
        Resource.new(kind="STAFF", role="Interventional radiologist", name=name, site=hospital)
    Resource.new(kind="ROOM", role="Recovery room", name="Recovery", site=hospital)
    for exam in exams.values():
        if exam.modality in ("CT", "MR") and exam.contrast_agent:
            own = exam.steps.filter(modality__in=("", exam.modality)).first()  # an arthrography begins elsewhere
            ExamNeed.new(exam=exam, step_number=own.number if own else 1, kind="EQUIPMENT", role="Injector")
    ExamNeed.new(exam=exams["CTBIOPSY"], step_number=2, kind="STAFF", role="Interventional radiologist")


def keep(sites: Mapping[str, Site], stations: Mapping[str, Station], today: date) -> None:
    """Fill the calendars once the orders are there."""
    scanners = {row.station_id: row for row in Resource.objects.filter(kind="SCANNER").select_related("site")}
    scanner = {name: scanners[station.pk] for name, station in stations.items()}
    for row in STATIONS:
        days = ((_WEEK, row.week), ("FREQ=WEEKLY;BYDAY=SA", row.saturday), ("FREQ=WEEKLY;BYDAY=SU", row.sunday))
        for rule, hours in days:
            if hours is not None:
                opens, closes = hours
                OpeningHours.new(resource=scanner[row.ae_title], rule=rule, opens=opens, closes=_midnight(closes))
    for person in Resource.objects.filter(kind="STAFF"):
        OpeningHours.new(resource=person, rule=_WEEK, opens=time(8), closes=time(16))
    for name, kind, rule, opens, closes, reason, referrer in _BLOCKS:
        values = {"opens": opens, "closes": closes, "reason": reason, "referrer": referrer}
        Block.new(resource=scanner[name], kind=kind, rule=rule, **values)
    after = today + timedelta(days=DAYS_AHEAD + 1)
    for name, kind, opens, closes, reason in _LATER_BLOCKS:
        values = {"opens": opens, "closes": closes, "reason": reason, "valid_from": after}
        Block.new(resource=scanner[name], kind=kind, rule=_WEEK, **values)
    clinic = list(sites.values())[-1]
    start = datetime.combine(after + timedelta(days=2), time(), clinic.zone)
    Closure.new(site=clinic, kind="HOLIDAY", start=start, end=start + timedelta(days=1), reason="Founders' day")
    for name, minutes, reason in _MAINTENANCE:
        _lay(scanner[name], today, timedelta(minutes=minutes), reason)


def _midnight(closes: time) -> time:
    """Return midnight for hours that never end."""
    return time() if closes >= time(23, 55) else closes


def _lay(scanner: Resource, today: date, length: timedelta, reason: str) -> None:
    """Lay a maintenance on the first two hours, or whatever its length, in which nobody has an appointment."""
    for number in range(2 * 48, 14 * 48):
        day = datetime.combine(today, time(), scanner.site.zone).astimezone(UTC)
        start = day + timedelta(minutes=30 * number)
        local = start.astimezone(scanner.site.zone)
        if local.weekday() > 4 or not time(8) <= local.time() <= time(13):
            continue
        if not Booking.objects.filter(resource=scanner).overlapping(start, start + length).exists():
            Closure.new(resource=scanner, kind="MAINTENANCE", start=start, end=start + length, reason=reason)
            return
