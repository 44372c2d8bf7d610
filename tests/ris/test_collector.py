"""A door spares the garbage collector what it has loaded."""

import gc
from collections.abc import Iterator

import pytest

from ris import collector


@pytest.fixture
def as_before() -> Iterator[None]:
    """Give the collector of the tests its work back."""
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("as_before")
def test_what_was_loaded_is_left_out_and_new_circles_still_go() -> None:
    before = gc.get_freeze_count()
    collector.spare_the_old()
    assert gc.get_freeze_count() > before
    circle: list[object] = []
    circle.append(circle)
    del circle
    assert gc.collect() >= 1
