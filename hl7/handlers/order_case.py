"""What all orders of one message share, and how an order is found by the numbers that a message gives it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from hl7 import values
from hl7.controls import Action
from hl7.handlers.order_groups import Group
from hl7.handlers.refusals import refusals
from hl7.handlers.requests import Catalogue
from hl7.message import NULL, Message
from ris.actor import Actor
from ris.errors import DuplicateOrder, UnknownOrder
from ris.models import Order, Patient, Site, Visit
from ris.models.compiled import compiled

Number = tuple[str, str]
"""An order number and its issuer; empty where none is sent."""


@dataclass(slots=True)
class KnownOrders:
    """Orders by their numbers; each number with its issuer."""

    placers: dict[Number, Order] = field(default_factory=dict)
    fillers: dict[Number, Order] = field(default_factory=dict)
    accessions: dict[str, Order] = field(default_factory=dict)

    def add(self, order: Order) -> None:
        """Note an order under the numbers that it has."""
        if order.placer_order_number:
            self.placers[order.placer_order_number, order.placer_issuer] = order
        if order.filler_order_number:
            self.fillers[order.filler_order_number, order.filler_issuer] = order
        self.accessions[order.accession_number] = order

    def find(self, placer: Number, filler: Number, accession: str) -> Order | None:
        """Return the order of these numbers: where there is a placer number, by that alone."""
        if placer[0]:
            return self.placers.get(placer)
        return self.by_filler(filler) or self.accessions.get(accession)

    def by_filler(self, filler: Number) -> Order | None:
        """Return the order of a filler number; without an issuer it may be the accession number that we answer with."""
        return self.fillers.get(filler) or (self.accessions.get(filler[0]) if not filler[1] else None)


@dataclass(slots=True)
class Done:
    """What became of one group: for the answer."""

    group: Group
    action: Action
    order: Order | None


@dataclass(slots=True)
class Case:
    """What all orders of one message share."""

    message: Message
    by: Actor
    warnings: list[str]
    site: Site | None
    catalogue: Catalogue
    known: KnownOrders = field(default_factory=KnownOrders)
    patient: Patient | None = None
    visit: Visit | None = None
    replaced: list[Group] = field(default_factory=list)
    """Groups whose orders wait for their replacement."""
    replacing: bool = False
    """Whether a replacement for them has come already; more may follow."""
    parent: Order | None = None

    def order_of(self, group: Group) -> Order:
        """Return the order that a group names; raises FieldError when nobody knows it or it is another patient's."""
        place = values.place(group.orc, "2")
        with refusals({}, place):
            order = self.known.find(placer_of(self.message, group), group.number(3), accession_of(group))
            if order is None:
                raise UnknownOrder
            self.check_patient(order)
        return order

    def check_patient(self, order: Order) -> None:
        """Raise DuplicateOrder when the message names a patient whose order this is not."""
        if self.message["PID"] and (self.patient is None or order.patient_id != self.patient.pk):
            raise DuplicateOrder

    def read_known(self, groups: Iterable[Group]) -> None:
        """Read the orders that have any of the numbers of the groups or of their parents, in one query."""
        placers, fillers, accessions = [], [], []
        for group in groups:
            placer, accession = placer_of(self.message, group), accession_of(group)
            placers.append(placer)
            fillers.append(group.number(3))
            if accession and not placer[0]:
                accessions.append(accession)
            if group.action == Action.CHILD:
                placer, filler = parent_numbers(self.message, group)
                placers.append(placer)
                fillers.append(filler)
        accessions += [number for number, issuer in fillers if number and not issuer]
        wanted = (
            tuple(number for number in placers if number[0]),
            tuple(number for number in fillers if number[0]),
            tuple(accessions),
        )
        for order in _numbered(*wanted) if any(wanted) else ():
            self.known.add(order)


@compiled
def _numbered(placers: tuple[Number, ...], fillers: tuple[Number, ...], accessions: tuple[str, ...]) -> QuerySet[Order]:
    terms = Q(pk__in=())
    for number, issuer in placers:
        terms |= Q(placer_issuer=issuer, placer_order_number=number)
    for number, issuer in fillers:
        terms |= Q(filler_issuer=issuer, filler_order_number=number)
    for number in accessions:
        terms |= Q(accession_number=number)
    return Order.objects.filter(terms)


def placer_of(message: Message, group: Group) -> Number:
    """Return the placer order number and its issuer: the sender where none is named."""
    number, issuer = group.number(2)
    return number, issuer or _sender(message)


def parent_numbers(message: Message, group: Group) -> tuple[Number, Number]:
    """Return the placer and filler numbers of the parent (EIP) of ORC-8, else OBR-29."""
    for segment, field_number in ((group.orc, 8), *((detail.obr, 29) for detail in group.details[:1])):
        found = []
        for component in (1, 2):
            parts = [_said(segment.get(f"{field_number}.{component}.{part}")) for part in (1, 2, 3)]
            found.append((parts[0], parts[1] or parts[2]))
        (placer, issuer), filler = found
        if placer or filler[0]:
            return (placer, issuer or _sender(message)), filler
    return ("", ""), ("", "")


def accession_of(group: Group) -> str:
    """Return the accession number: OBR-18 of the first OBR, else IPC-1."""
    if not group.details:
        return ""
    first = group.details[0]
    return _said(first.obr.get("18")) or (_said(first.ipcs[0].get("1.1")) if first.ipcs else "")


def _sender(message: Message) -> str:
    return _said(message["MSH"].get("3.1"))


def _said(value: str | None) -> str:
    return value if value and value is not NULL else ""
