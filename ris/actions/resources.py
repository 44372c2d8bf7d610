"""Keep the resources that others bring along."""

from ris.models import Resource, ResourceKind, Station


def keep_scanner(station: Station) -> Resource:
    """Make the scanner of a station, or bring its name and site up to date; returns it."""
    scanner = Resource.objects.filter(station=station, kind=ResourceKind.SCANNER).first()
    values = {"name": station.name, "site": station.site}
    if scanner is None:
        return Resource.new(kind=ResourceKind.SCANNER, station=station, **values)
    scanner.change(**values)
    return scanner
