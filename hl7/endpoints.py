"""Which endpoint a message comes from: read once a second, not once for each message.

A change made in this process is seen at once, one made by another process a second later at most. Nothing needs a
restart.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from time import monotonic
from typing import Any

from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet
from django.db.models.signals import post_delete, post_save

from hl7.dialect import PLAIN, Dialect
from hl7.message import Message, read
from hl7.models import CodeTranslation, Endpoint, FieldSource
from ris.models import Site

SECONDS = 1.0
_MOST = 2000  # senders remembered; endless made-up names must not fill the memory
_LONGEST = 180  # characters of a name that count, as many as the inbox keeps


@dataclass(frozen=True, slots=True)
class _Known:
    """An endpoint with its names made ready to compare. The higher the rank, the more it says about its sender."""

    dialect: Dialect
    application: Callable[[str], bool]
    facility: Callable[[str], bool]
    network: IPv4Network | IPv6Network | None
    rank: int

    def speaks_for(self, application: str, facility: str, address: str) -> bool:
        """Tell whether this is the sender's endpoint, or could be."""
        if not (self.application(application) and self.facility(facility)):
            return False
        return self.network is None or _is_within(address, self.network)


class _Memory:
    """What was read of the endpoints, and which sender has which."""

    def __init__(self) -> None:
        self.until = 0.0
        self.known: list[_Known] = []
        self.senders: dict[tuple[str, str, str], Dialect] = {}

    def refresh(self, now: float) -> None:
        """Read the endpoints in use. While the database is away those known before count on."""
        self.until = now + SECONDS
        try:
            rows = list(_endpoints())
        except (OperationalError, InterfaceError):
            return  # the message itself cannot be stored either, and is answered accordingly
        self.known = sorted(map(_made_ready, rows), key=lambda known: -known.rank)
        self.senders = {}


def _endpoints() -> QuerySet[Endpoint]:
    rows = Endpoint.objects.filter(active=True).select_related("site").prefetch_related("field_sources", "codes")
    return rows.order_by("pk")


_memory = _Memory()


def dialect_for(application: str, facility: str, address: str) -> Dialect:
    """Return what is agreed with a sender: with the endpoint that names it most exactly, else with the oldest of them.

    application, facility: MSH-3 and MSH-4 as sent. address: the network address that the message came from.
    """
    now = monotonic()
    if now > _memory.until:
        _memory.refresh(now)
    sender = application[:_LONGEST], facility[:_LONGEST], address
    dialect = _memory.senders.get(sender)
    if dialect is None:
        fitting = (known.dialect for known in _memory.known if known.speaks_for(*sender))
        dialect = next(fitting, PLAIN)
        if len(_memory.senders) >= _MOST:
            _memory.senders.clear()
        _memory.senders[sender] = dialect
    return dialect


def read_from(raw: bytes, address: str | None) -> Message:
    """Read a message as what is agreed with its sender says; without an address nothing is. Raises NotHL7."""
    return read(raw, None if address is None else partial(dialect_for, address=address))


def forget(**_: Any) -> None:
    """Read the endpoints anew before the next message."""
    _memory.until = 0.0


def _made_ready(row: Endpoint) -> _Known:
    network = ip_network(row.address, strict=False) if row.address else None
    return _Known(
        dialect=row.dialect,
        application=_comparison(row.sending_application),
        facility=_comparison(row.sending_facility),
        network=network,
        rank=sum(_ranks((row.sending_application, row.sending_facility)))
        + (0 if network is None else 2 if network.num_addresses == 1 else 1),
    )


def _ranks(patterns: Iterable[str]) -> Iterable[int]:
    """Return 2 for a name, 1 for one with wildcards, 0 for none."""
    return (0 if not pattern else 1 if set("*?") & set(pattern) else 2 for pattern in patterns)


def _comparison(pattern: str) -> Callable[[str], bool]:
    """Return the test of a field (HD) against a name: whole, or its first component. Case does not count."""
    if not pattern:
        return lambda said: True
    signs = {"*": ".*", "?": "."}
    expression = re.compile("".join(signs.get(sign) or re.escape(sign) for sign in pattern), re.IGNORECASE | re.DOTALL)
    return lambda said: bool(expression.fullmatch(said) or expression.fullmatch(said.partition("^")[0]))


def _is_within(address: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return found in network


for _model in (Endpoint, FieldSource, CodeTranslation, Site):
    for _signal in (post_save, post_delete):
        _signal.connect(forget, sender=_model, dispatch_uid=f"endpoints {_model.__name__}")
