"""Free TCP ports that two tests cannot pick at the same time."""

import itertools
import os
import re
import socket
from collections.abc import Iterator

# Below the range from which Linux takes the ports of outgoing connections, so that nobody else picks one
# between our choosing it and the server's listening. Each pytest worker has a part of its own.
_FIRST, _LAST, _PARTS = 12000, 32000, 20


def _candidates() -> Iterator[int]:
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or _PARTS - 1) % _PARTS
    size = (_LAST - _FIRST) // _PARTS
    start = _FIRST + worker * size
    shift = os.getpid() * 7 % size
    return (start + (shift + n) % size for n in itertools.count())


_next = _candidates()


def free_port() -> int:
    """Give a port of 127.0.0.1 that is free now and that this process has not given before."""
    for port in _next:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("the ports never end")
