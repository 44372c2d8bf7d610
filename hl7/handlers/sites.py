"""Which site a message speaks about: its clock is the clock of times without an offset."""

from zoneinfo import ZoneInfo

from django.utils import timezone

from hl7.message import Message
from ris.actions import catalogue
from ris.models import Site


def site_of(message: Message) -> Site | None:
    """Return the site that PV1-3.4, MSH-6 or MSH-4 names by its code, else the endpoint's, else the default site."""
    msh, pv1 = message["MSH"], message["PV1"]
    codes = [pv1.get("3.4"), msh.get("6"), msh.get("4"), message.dialect.site]
    sites = {site.code.upper(): site for site in catalogue.sites()}
    for code in codes:
        if code and code.upper() in sites:
            return sites[code.upper()]
    return next(reversed(sites.values()), None)  # the default site, else the oldest


def zone_of(message: Message) -> ZoneInfo:
    """Return the time zone of the message's site; the installation's where no site is set up."""
    site = site_of(message)
    return site.zone if site else ZoneInfo(timezone.get_default_timezone_name())
