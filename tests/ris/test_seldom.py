"""What devices that keep trying leave in the log."""

import pytest

from ris import seldom
from ris.seldom import Seldom


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock shows."""
    shows = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: shows[0])
    return shows


def test_the_same_is_told_of_an_address_once_in_a_while(clock: list[float]) -> None:
    told = Seldom()
    assert [told.due("DICOM", "192.0.2.1") for _ in range(3)] == ["192.0.2.1", None, None]
    assert told.due("TLS", "192.0.2.1") == "192.0.2.1", "something else"
    assert told.due("DICOM", "192.0.2.2") == "192.0.2.2", "somebody else"
    clock[0] += seldom.EVERY + 1
    assert told.due("DICOM", "192.0.2.1") == "192.0.2.1"


def test_strangers_from_everywhere_fill_neither_log_nor_memory(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seldom, "REMEMBERED", 3)
    told = Seldom()
    said = [told.due("DICOM", f"192.0.2.{number}") for number in range(1, 9)]
    assert said == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "", None, None, None, None]
    assert len(told._told) == 4
    clock[0] += seldom.EVERY + 1
    assert told.due("DICOM", "192.0.2.9") == "192.0.2.9", "what is long ago makes room"
    assert len(told._told) == 1
