"""What people type for a time beside the message list."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from hl7.moments import period

BERLIN = ZoneInfo("Europe/Berlin")


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2026-11-20", (at(20), at(21))),
        ("20.11.2026", (at(20), at(21))),
        (" 2026-11-20 14 ", (at(20, 14), at(20, 15))),
        ("2026-11-20T14:30", (at(20, 14, 30), at(20, 14, 31))),
        ("2026-11-20 - 2026-11-21", (at(20), at(22))),
        ("2026-11-20 8:15 - 9:45", (at(20, 8, 15), at(20, 9, 46))),
        ("2026-11-20 8 to 2026-11-21 9", (at(20, 8), at(21, 10))),
        ("2026-11-20..2026-11-21 06:00", (at(20), at(21, 6, 1))),
        ("2026-11-21 - 2026-11-20", None),
        ("2026-11-20 25", None),
        ("2026-11-20 - never", None),
        ("2026-02-30", None),
        ("9999-12-31", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_time_is_a_day_an_hour_a_minute_or_from_one_to_another(
    typed: str, meant: tuple[datetime, datetime] | None
) -> None:
    assert period(typed) == meant


def test_an_hour_that_comes_twice_is_both_of_them() -> None:
    found = period("2026-10-25 02")
    assert found
    assert (found[1].astimezone(UTC) - found[0].astimezone(UTC)).total_seconds() == 7200
