"""Python's garbage collector in a process that serves for months and made most of its objects at its start."""

import gc

YOUNG = 20_000
"""Objects made before the young ones are looked at. A message makes some thousands, nearly none of them in circles."""


def collect_rarely() -> None:
    """Collect less often than Python would. For a process that begins to load Django, which makes no garbage."""
    gc.set_threshold(YOUNG, 20, 20)


def spare_the_old() -> None:
    """Leave what was made so far out of all collections. Called once, before serving.

    Django, its models and the libraries are half a million objects. To walk over them again and again finds nothing,
    and the message or query that happens to set it off waits for it. So does who stops Bucky: the last collection
    comes when the process ends.
    """
    gc.collect()
    gc.freeze()
    collect_rarely()
