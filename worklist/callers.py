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
from worklist.profile_models import StationProfile
from worklist.profiles import PLAIN, Profile, Row

SECONDS = 1.0
_MOST = 2000  # callers remembered; endless made-up names must not fill the memory


class _Memory:
    """What was read of the profiles, and which caller has which."""

    def __init__(self) -> None:
        self.until = 0.0
        self.rows: list[Row] | None = None
        self.callers: dict[str, Profile] = {}
        self.lock = threading.Lock()

    def refresh(self) -> None:
        """Read the profiles in use. While the database is away those known before count on; at first nobody's do."""
        with self.lock:
            now = monotonic()
            if now <= self.until:
                return  # another thread was faster
            self.until = now + SECONDS
            try:
                rows = StationProfile.objects.in_use()
            except DatabaseError:
                if self.rows is None:
                    self.until = 0.0
                    raise
                return  # the query itself cannot be answered either
            if rows != self.rows:
                self.rows, self.callers = rows, {}


_memory = _Memory()


def profile_for(ae_title: str) -> Profile:
    """Return what is agreed with a caller: the profile that names it most exactly. Raises DatabaseError."""
    if monotonic() > _memory.until:
        _memory.refresh()
    profile = _memory.callers.get(ae_title)
    if profile is None:
        profile = next((row.profile for row in _memory.rows or () if row.is_for(ae_title)), PLAIN)
        if len(_memory.callers) >= _MOST:
            _memory.callers = {}
        _memory.callers[ae_title] = profile
    return profile


def forget(**_: Any) -> None:
    """Read the profiles anew before the next query."""
    _memory.until = 0.0


for _model in (StationProfile, Station):
    for _signal in (post_save, post_delete):
        _signal.connect(forget, sender=_model, dispatch_uid=f"profiles {_model.__name__}")
m2m_changed.connect(forget, sender=StationProfile.stations.through, dispatch_uid="profiles stations")
