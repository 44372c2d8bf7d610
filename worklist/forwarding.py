"""The outbox of MPPS requests for archives: rows written with the request that they pass on."""

from worklist.models import Archive, Forwarding, MppsRequest
from worklist.tasks import wake


def put(request: MppsRequest) -> None:
    """Leave a row for each archive that gets scanners' reports, in the transaction of the request; wake the sender."""
    rows = [
        Forwarding(archive=archive, request=request) for archive in Archive.objects.filter(active=True, forwards=True)
    ]
    if rows:
        Forwarding.objects.bulk_create(rows)
        wake()
