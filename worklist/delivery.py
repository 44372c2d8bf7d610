"""Passes MPPS requests on to the archives, as MPPS SCU: in the order in which they came, until each is taken.

An archive is served by one worker at a time, who claims its row. What fails is tried again after ever longer pauses, up
to ten minutes; what is refused for good, or fails for a day, is given up and waits for a person.
"""

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from pydicom.dataset import Dataset
from pynetdicom.association import Association

from worklist.encoding import decode, syntax_of
from worklist.errors import QueryError
from worklist.models import Archive, Forwarding, MppsRequest
from worklist.mpps_rules import (
    DUPLICATE_INSTANCE,
    INVALID_INSTANCE,
    INVALID_VALUE,
    MAY_NO_LONGER_BE_UPDATED,
    MISSING_ATTRIBUTE,
    MISSING_VALUE,
    NO_SUCH_INSTANCE,
    PROCESSING_FAILURE,
    SUCCESS,
)
from worklist.negotiation import PERFORMED_STEP
from worklist.scu import Called, CallFailed, calling, code_of, status_of

log = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=10)
MOST_ATTEMPTS = 150
"""About a day, with ten minutes between the later ones."""
CLAIM = timedelta(minutes=3)
"""How long a worker has an archive for itself; longer than one request can take."""
AT_ONCE = 50
FOR_GOOD = frozenset({INVALID_VALUE, NO_SUCH_INSTANCE, INVALID_INSTANCE, MISSING_ATTRIBUTE, MISSING_VALUE})
"""Statuses that another attempt would not change."""
WARNINGS = frozenset({0x0001, 0x0107, 0x0116, 0xB000, 0xB006, 0xB007})


class Refused(Exception):
    """The archive will never take it."""


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts that failed."""
    return min(FIRST_PAUSE * int(2 ** min(attempts - 1, 10)), LONGEST_PAUSE)


def deliver() -> int:
    """Send what is due to each archive that nobody else serves now; returns how many were taken."""
    waiting = Forwarding.objects.filter(state=Forwarding.State.WAITING)
    archives = Archive.objects.filter(active=True, pk__in=waiting.values("archive"))
    return sum(_serve(archive) for archive in archives)


def _serve(archive: Archive) -> int:
    now = timezone.now()
    free = Archive.objects.filter(Q(claimed_until=None) | Q(claimed_until__lt=now), pk=archive.pk)
    if not free.update(claimed_until=now + CLAIM):
        return 0
    try:
        return _send_all(archive)
    finally:
        Archive.objects.filter(pk=archive.pk).update(claimed_until=None)


def _next(archive: Archive) -> Forwarding | None:
    """Return the oldest that waits, if it is due: a later one must not overtake it."""
    rows = Forwarding.objects.filter(archive=archive, state=Forwarding.State.WAITING).select_related("request")
    row = rows.order_by("pk").first()
    return row if row is not None and row.next_at <= timezone.now() else None


def _send_all(archive: Archive) -> int:
    """Send over one association what is due, until something fails; returns how many were taken."""
    row, sent = _next(archive), 0
    if row is None:
        return 0
    called = Called(archive.host, archive.port, archive.ae_title, settings.BUCKY_AE_TITLE)
    try:
        with calling(called, PERFORMED_STEP) as assoc:
            while row is not None and sent < AT_ONCE:
                Archive.objects.filter(pk=archive.pk).update(claimed_until=timezone.now() + CLAIM)
                try:
                    _send(assoc, called, row)
                except Refused as reason:
                    _failed(row, str(reason), for_good=True)
                else:
                    sent += 1
                    _change(row, state=Forwarding.State.SENT, sent_at=timezone.now(), problem="")
                row = _next(archive)
    except CallFailed as reason:
        if row is not None:
            _failed(row, str(reason))
    return sent


def _send(assoc: Association, called: Called, row: Forwarding) -> None:
    """Send one request. Raises Refused, and CallFailed when it may be tried again."""
    request = row.request
    try:
        data_set = decode(bytes(request.data), syntax_of(request.transfer_syntax))
    except QueryError:
        raise Refused("The data set cannot be decoded") from None
    answer = _ask(assoc, request, data_set)
    status = status_of(answer, called)
    said = answer.get("AffectedSOPInstanceUID")
    if said and said != request.sop_instance_uid:
        raise CallFailed(f"{called} answered for another instance")
    if status == SUCCESS or status in WARNINGS or _is_there_already(request, row, status, answer):
        return
    if status in FOR_GOOD or answer.get("ErrorID") == MAY_NO_LONGER_BE_UPDATED:
        raise Refused(f"{called} refused it: {code_of(answer)}")
    raise CallFailed(f"{called} could not take it: {code_of(answer)}")


def _ask(assoc: Association, request: MppsRequest, data_set: Dataset) -> Dataset:
    try:
        if request.operation == MppsRequest.Operation.CREATE:
            return assoc.send_n_create(data_set, PERFORMED_STEP, request.sop_instance_uid)[0]
        return assoc.send_n_set(data_set, PERFORMED_STEP, request.sop_instance_uid)[0]
    except (ValueError, RuntimeError) as trouble:
        # What pynetdicom cannot encode or send: the association may be gone, or the data set may be odd.
        if not assoc.is_established:
            raise CallFailed("The association ended") from None
        raise Refused(f"It cannot be encoded ({type(trouble).__name__})") from None


def _is_there_already(request: MppsRequest, row: Forwarding, status: int, answer: Dataset) -> bool:
    """Tell whether an earlier attempt, whose answer was lost, had arrived all the same."""
    if request.operation == MppsRequest.Operation.CREATE:
        return status == DUPLICATE_INSTANCE
    return row.attempts > 0 and status == PROCESSING_FAILURE and answer.get("ErrorID") == MAY_NO_LONGER_BE_UPDATED


def _failed(row: Forwarding, problem: str, *, for_good: bool = False) -> None:
    attempts = row.attempts + 1
    dead = for_good or attempts >= MOST_ATTEMPTS
    log.log(
        logging.ERROR if dead else logging.WARNING,
        "report %d to an archive %s: %s",
        row.pk,
        "is given up" if dead else f"failed {attempts} time(s)",
        problem,
    )
    _change(
        row,
        state=Forwarding.State.DEAD if dead else Forwarding.State.WAITING,
        attempts=attempts,
        next_at=timezone.now() + pause_after(attempts),
        problem=problem[:200],
    )


def _change(row: Forwarding, **values: object) -> None:
    """Write the outcome, unless somebody else has changed the row meanwhile."""
    Forwarding.objects.filter(pk=row.pk, state=row.state, attempts=row.attempts).update(**values)


def send_again(row: Forwarding) -> bool:
    """Let a report that was given up wait for its turn again; tells whether it had been given up."""
    given_up = Forwarding.objects.filter(pk=row.pk, state=Forwarding.State.DEAD)
    changed = given_up.update(state=Forwarding.State.WAITING, attempts=0, next_at=timezone.now(), problem="")
    return bool(changed)
