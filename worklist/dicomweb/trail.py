"""What is kept of what was read here: the query log for devices, the trail for everybody."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from ris import audit
from ris.models import Event, EventKind
from worklist.dicomweb.access import Visitor

REMEMBERED = 10_000


class _Told:
    """What this process has told today: a scanner that polls and sees the same patients is told of once a day."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[int] = set()

    @contextmanager
    def once(self, *what: object) -> Iterator[bool]:
        """Tell whether this was not told before; it was, when the block ends well."""
        number = hash((timezone.localdate(), *what))
        is_new = number not in self._known
        yield is_new
        with self._lock:
            if is_new and len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known.add(number)


_told = _Told()


def tell_listed(request: HttpRequest, visitor: Visitor, patients: Iterable[int]) -> None:
    """Tell which patients (by primary key) were in an answer; where that fails, nothing is shown."""
    shown = sorted(set(patients))
    search = request.META.get("QUERY_STRING", "")[:250]
    if visitor.token is None:
        audit.patients_listed(request, shown, search=search, subject="dicomweb")
        return
    with _told.once(visitor.token.key, visitor.caller.address, search, tuple(shown)) as is_new:
        if is_new:
            data: dict[str, Any] = {"path": request.path, "patients": shown, "search": search}
            data["token"] = visitor.token.name
            subject = audit.subject_of(visitor.token)
            Event.objects.record(EventKind.PATIENTS_LISTED, by=visitor.actor, subject=subject, data=data)
