"""What is said of an address once in a while: a device that keeps trying must fill neither the log nor the memory."""

import time

EVERY = 60.0  # seconds
REMEMBERED = 1000
"""Of so many it is known when they were told; more at a time are told without an address."""


class Seldom:
    """What was told lately."""

    def __init__(self) -> None:
        """Begin with nothing told."""
        self._told: dict[tuple[str, str], float] = {}

    def due(self, what: str, address: str) -> str | None:
        """Return the address to name when this is to be told now, empty for one of too many; None if it was lately."""
        now = time.monotonic()
        if len(self._told) >= REMEMBERED:
            self._told = {one: until for one, until in self._told.items() if until >= now}
            address = address if len(self._told) < REMEMBERED else ""
        if self._told.get((what, address), 0.0) >= now:
            return None
        self._told[what, address] = now + EVERY
        return address
