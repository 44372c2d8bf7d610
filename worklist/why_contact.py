"""What is known of how a device reaches this door: never asked, silent for long, unknown, refused."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from ris.models import Station
from worklist.callers import profile_for
from worklist.models import QueryLog, RefusedCall, UnknownCaller

SILENT = timedelta(minutes=30)
"""After so long without a query its list may be an old one."""
LATELY = timedelta(days=1)


def contact(ae_title: str, query: QueryLog | None, now: datetime) -> list[str]:
    """Return in words what may keep a device from any answer. query: its last one by the road that it takes."""
    return [*_asked(ae_title, query, now), *_known(ae_title), *_refused(ae_title, query, now)]


def _asked(ae_title: str, query: QueryLog | None, now: datetime) -> list[str]:
    if query is None:
        words = _(
            "No device has asked for a worklist as %(title)s in %(days)d days. Look at the AE title, address and port "
            "in the scanner."
        )
        return [words % {"title": ae_title or "–", "days": settings.BUCKY_QUERY_LOG_DAYS}]
    if now - query.last_at > SILENT:
        words = _("It has not asked by %(road)s since %(when)s: what it shows is as old as that. Let it ask again.")
        return [words % {"road": query.road, "when": _clock(query.last_at)}]
    return []


def _known(ae_title: str) -> list[str]:
    """Tell what is wrong with the AE title itself."""
    own = profile_for(ae_title).own(ae_title)
    station = Station.objects.filter(ae_title=own).first()
    if station is None:
        alike = Station.objects.filter(ae_title__iexact=own).first()
        words = [_("No station has the AE title %s.") % (ae_title or "–")]
        hint = _("There is %s: capital and small letters are not the same in an AE title.")
        return words + ([hint % alike.ae_title] if alike else [])
    return [] if station.active else [_("The station is out of use.")]


def _refused(ae_title: str, query: QueryLog | None, now: datetime) -> list[str]:
    """Tell of calls that were refused, later than its last query."""
    after = query.last_at if query else now - timedelta(days=settings.BUCKY_QUERY_LOG_DAYS)
    found = []
    for stranger in UnknownCaller.objects.filter(ae_title=ae_title, refused=True, last_seen__gt=after):
        words = _("It was refused at %(when)s from %(address)s, because no station has its AE title.")
        found.append(words % {"when": _clock(stranger.last_seen), "address": stranger.address})
    for call in RefusedCall.objects.filter(ae_title=ae_title, last_seen__gt=after):
        found.append(in_words(call))
    if query is None:
        found += _others(ae_title, now)
    return found


def in_words(call: RefusedCall) -> str:
    """Return why a call was refused."""
    if call.reason == RefusedCall.Reason.CALLED:
        words = _("It was refused at %(when)s from %(address)s: it called %(called)s, and our AE title is %(ours)s.")
    else:
        words = _("It was refused at %(when)s from %(address)s: %(reason)s.")
    return words % {
        "when": _clock(call.last_seen),
        "address": call.address,
        "called": call.called_ae_title or "–",
        "ours": settings.BUCKY_AE_TITLE,
        "reason": call.get_reason_display(),
    }


def _others(ae_title: str, now: datetime) -> list[str]:
    """Name unknown devices that have called of late: one of them may be the scanner under another name."""
    lately = UnknownCaller.objects.filter(~Q(ae_title=ae_title), last_seen__gt=now - LATELY)[:5]
    names = ", ".join(f"{one.ae_title} ({one.address})" for one in lately)
    return [_("One of these unknown devices, seen in the last 24 hours, may be it: %s.") % names] if names else []


def _clock(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")
