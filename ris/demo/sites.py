"""The sites of the demo department, their stations and when these are open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time


@dataclass(frozen=True)
class SiteRow:
    """One site."""

    code: str
    name: str
    accession_prefix: str
    phone: str


@dataclass(frozen=True)
class StationRow:
    """One station; hours are (opens, closes) by the site's clock, None where it is closed. Midnight closes a day."""

    ae_title: str
    site: str
    modality: str
    location: str
    week: tuple[time, time]
    saturday: tuple[time, time] | None = None
    sunday: tuple[time, time] | None = None

    def hours(self, weekday: int) -> tuple[time, time] | None:
        """Return when it is open on a weekday (Monday is 0)."""
        return self.week if weekday < 5 else (self.saturday, self.sunday)[weekday - 5]


_DAY = (time(7, 30), time(17, 0))
_CLINIC = (time(8, 0), time(18, 0))
_SHORT = (time(9, 0), time(14, 0))
_ALWAYS = (time(0, 0), time(23, 55))
"""Emergencies come at night too."""

SITES: Sequence[SiteRow] = (
    SiteRow("RIVERSIDE", "Riverside Hospital", "R", "+00 555 010010"),
    SiteRow("HARBOUR", "Harbour Clinic", "H", "+00 555 010020"),
)
"""The first one is the default site."""

STATIONS: Sequence[StationRow] = (
    StationRow("CT1", "RIVERSIDE", "CT", "Emergency 1", _ALWAYS, _ALWAYS, _ALWAYS),
    StationRow("CT2", "RIVERSIDE", "CT", "Radiology 2", _DAY),
    StationRow("MR1", "RIVERSIDE", "MR", "Radiology 4", _DAY, _SHORT, _SHORT),
    StationRow("XR1", "RIVERSIDE", "DX", "Emergency 2", _ALWAYS, _ALWAYS, _ALWAYS),
    StationRow("XR2", "RIVERSIDE", "DX", "Radiology 6", _DAY),
    StationRow("US1", "RIVERSIDE", "US", "Radiology 7", _DAY, _SHORT, _SHORT),
    StationRow("RF1", "RIVERSIDE", "RF", "Radiology 8", _DAY),
    StationRow("NM1", "RIVERSIDE", "NM", "Nuclear 1", _DAY),
    StationRow("MR2", "HARBOUR", "MR", "Ground floor", _CLINIC, _SHORT),
    StationRow("MG1", "HARBOUR", "MG", "First floor", _CLINIC, _SHORT),
    StationRow("US2", "HARBOUR", "US", "First floor", _CLINIC, _SHORT),
    StationRow("XR3", "HARBOUR", "DX", "Ground floor", _CLINIC, _SHORT),
)
