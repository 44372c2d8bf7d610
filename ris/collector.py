"""Python's garbage collector in a door: a process that serves for months and made most of its objects at its start."""

import gc

YOUNG = 20_000
"""Objects made before the young ones are looked at. A message makes some thousands, nearly none of them in circles."""


def spare_the_old() -> None:
    """Leave what was made so far out of all collections, and collect less often. Called once, before serving.

    Django, its models and the libraries are half a million objects. To walk over them again and again finds nothing,
    and the message or query that happens to set it off waits for it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
