"""Which profile a caller has: read once a second, not once for each query.

A change made in this process is seen at once, one made by another process a second later at most. Nothing needs a
restart.
"""

import threading
from time import monotonic
from typing import Any

from django.db import Error as DatabaseError
from django.db.models.signals import m2m_changed, post_delete, post_save

from ris.models import Station
from worklist.profile_models import ProfileValue, StationProfile
from worklist.profiles import PLAIN, Profile, Row

SECONDS = 1.0
_MOST = 2000  # callers remembered; endless made-up names must not fill the memory


class _Known:
    """The profiles as they were read at one time, and which caller has which."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.callers: dict[str, Profile] = {}

    def profile_of(self, ae_title: str) -> Profile:
        """Return what is agreed with a caller."""
        profile = self.callers.get(ae_title)
        if profile is None:
            if len(self.callers) >= _MOST:
                self.callers.clear()
            profile = next((row.profile for row in self.rows if row.is_for(ae_title)), PLAIN)
            self.callers[ae_title] = profile
        return profile


class _Memory:
    """What was read last. Threads that find it old wait for the one that reads."""

    def __init__(self) -> None:
        self.until = 0.0
        self.known: _Known | None = None
        self.lock = threading.Lock()

    def now(self) -> _Known:
        """Return the profiles in use. While they cannot be read those known before count on, else DatabaseError."""
        known = self.known
        if known is not None and monotonic() <= self.until:
            return known
        if not self.lock.acquire(timeout=-1 if known is None else SECONDS) and known is not None:
            self.until = monotonic() + SECONDS  # the thread that reads hangs with its connection
            return known
        try:
            if self.known is not None and monotonic() <= self.until:
                return self.known  # another thread was faster
            try:
                rows = StationProfile.objects.in_use()
            except DatabaseError:
                if self.known is None:
                    raise
                rows = self.known.rows
            if self.known is None or rows != self.known.rows:
                self.known = _Known(rows)
            self.until = monotonic() + SECONDS
            return self.known
        finally:
            self.lock.release()


_memory = _Memory()


def profile_for(ae_title: str) -> Profile:
    """Return what is agreed with a caller: the profile that names it most exactly. Raises DatabaseError."""
    return _memory.now().profile_of(ae_title)


def forget(**_: Any) -> None:
    """Read the profiles anew before the next query."""
    _memory.until = 0.0


for _model in (StationProfile, ProfileValue, Station):
    for _signal in (post_save, post_delete):
        _signal.connect(forget, sender=_model, dispatch_uid=f"profiles {_model.__name__}")
m2m_changed.connect(forget, sender=StationProfile.stations.through, dispatch_uid="profiles stations")
