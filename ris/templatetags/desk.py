"""States, times and people as the desk shows them."""

from datetime import date, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ris import person_name
from ris.actions.places import Place
from ris.models import Order, Patient, PerformedProcedureStep, ScheduledProcedureStep, SlotOffer

register = template.Library()


@register.filter
def badge(row: Order | ScheduledProcedureStep | PerformedProcedureStep) -> SafeString:
    """Return the state of a step or order, coloured by a class of its name; an order on hold says so as well."""
    text = row.get_state_display()
    name = row.state.lower().replace(" ", "_")
    held = isinstance(row, Order) and row.on_hold
    more = format_html(' <span class="state state-hold">{}</span>', _("on hold")) if held else ""
    return format_html('<span class="state state-{}">{}</span>{}', name, text, more)


@register.filter
def site_time(step: ScheduledProcedureStep) -> str:
    """Return the start of a step by the clock of its station's site, with the zone where it is not the department's."""
    if step.start is None:
        return ""
    here = timezone.localtime(step.start)
    if step.station is None:
        return date_format(here, "DATETIME_FORMAT")
    there = step.start.astimezone(step.station.site.zone)
    text = date_format(there, "DATETIME_FORMAT")
    return text if there.utcoffset() == here.utcoffset() else f"{text} {there:%Z}"


@register.filter
def to_the_second(moment: datetime) -> str:
    """Return a moment with its seconds, where several things happen in a minute."""
    here = timezone.localtime(moment)
    return f"{date_format(here, 'DATE_FORMAT')} {here:%H:%M:%S}"


@register.filter
def scanner_time(performed: PerformedProcedureStep) -> str:
    """Return when a scanner began, by the clock of its site."""
    station = performed.station
    return date_format(performed.start.astimezone(station.site.zone if station else None), "DATETIME_FORMAT")


@register.filter
def site_clock(step: ScheduledProcedureStep) -> str:
    """Return only the time of day of `site_time`."""
    return site_time(step).partition(" ")[2]


@register.filter
def place_time(place: Place | SlotOffer) -> str:
    """Return when a place that was found or offered begins, with the weekday, by the clock of its station's site."""
    there = place.start.astimezone(place.station.site.zone)
    text = date_format(there, "D ") + date_format(there, "DATETIME_FORMAT")
    return text if there.utcoffset() == timezone.localtime(place.start).utcoffset() else f"{text} {there:%Z}"


@register.filter
def place_clock(place: Place) -> str:
    """Return only the time of day at which a place begins, by the clock of its station's site."""
    there = place.start.astimezone(place.station.site.zone)
    text = date_format(there, "TIME_FORMAT")
    return text if there.utcoffset() == timezone.localtime(place.start).utcoffset() else f"{text} {there:%Z}"


@register.filter
def is_late(step: ScheduledProcedureStep) -> bool:
    """Tell whether a patient should have been checked in by now."""
    return step.state == "SCHEDULED" and step.start is not None and step.start < timezone.now()


@register.filter
def age(patient: Patient) -> str:
    """Return the age in years, or in months below two years; empty where the birth date is not known."""
    if patient.birth_date is None:
        return ""
    months = _months(patient.birth_date, timezone.localdate())
    return _("%d y") % (months // 12) if months >= 24 else _("%d mo") % max(months, 0)


def _months(born: date, today: date) -> int:
    return (today.year - born.year) * 12 + today.month - born.month - (today.day < born.day)


@register.filter
def person(name: str) -> str:
    """Return a person's name, kept as DICOM writes it, as people read it."""
    return person_name.display(name)


@register.filter
def ward(location: str) -> str:
    """Return where a patient lies, kept as ward^room^bed, as people read it."""
    return ", ".join(filter(None, location.split("^")))


@register.filter
def may(user: Any, permission: str) -> bool:
    """Tell whether a person has a permission."""
    return bool(user.has_perm(permission))
