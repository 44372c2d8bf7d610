"""ORM^O01, OMG^O19, OMI^O23: orders placed, changed, cancelled, discontinued, held and released (HL7 v2.5.1 chapter 4).

All orders of a message apply in one transaction, or none of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from hl7 import mapping, values
from hl7.ack import Condition, Place, Problem
from hl7.handlers import people, stays
from hl7.handlers.order_groups import Detail, Group, order_groups
from hl7.handlers.refusals import refusals
from hl7.handlers.requests import Catalogue, ordered_codes, read_request
from hl7.handlers.sites import site_of, zone_of
from hl7.handlers.unsupported import Unsupported
from hl7.mapping import Filled
from hl7.message import NULL, Message
from hl7.values import FieldError
from ris.actions import orders
from ris.actions.requests import ProcedureRequest
from ris.actor import Actor
from ris.errors import DuplicateOrder, UnknownOrder
from ris.models import Order, Patient, Site, Visit


@dataclass(slots=True)
class _KnownOrders:
    """Orders by their numbers; each number with its issuer."""

    placers: dict[tuple[str, str], Order] = field(default_factory=dict)
    fillers: dict[tuple[str, str], Order] = field(default_factory=dict)
    accessions: dict[str, Order] = field(default_factory=dict)

    def add(self, order: Order) -> None:
        """Note an order under the numbers that it has."""
        if order.placer_order_number:
            self.placers[order.placer_order_number, order.placer_issuer] = order
        if order.filler_order_number:
            self.fillers[order.filler_order_number, order.filler_issuer] = order
        self.accessions[order.accession_number] = order


@dataclass(slots=True)
class _Case:
    """What all orders of one message share."""

    message: Message
    by: Actor
    warnings: list[str]
    site: Site | None
    catalogue: Catalogue
    known: _KnownOrders
    patient: Patient | None = None
    visit: Visit | None = None


def apply(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Apply every order of the message."""
    groups = order_groups(message)
    if not groups:
        raise FieldError(Problem(Condition.SEGMENT_SEQUENCE, "The message has no ORC segment.", Place("ORC")))
    for group in groups:
        if group.control not in CONTROLS:
            place = values.place(group.orc, "1")
            raise Unsupported(
                Problem(Condition.UNSUPPORTED_EVENT, "ORC-1: this order control is not taken here.", place)
            )
    case = _Case(
        message,
        by,
        warnings,
        site_of(message),
        Catalogue.of([detail.obr for group in groups if group.control in _DESCRIBING for detail in group.details]),
        _known_orders(message, groups),
    )
    _keep_people(case, groups)
    for group in groups:
        CONTROLS[group.control](case, group)


def _keep_people(case: _Case, groups: list[Group]) -> None:
    """Find the patient; messages that bring or change an order may register them and tell about them."""
    pid = case.message["PID"]
    placing = any(group.control == "NW" for group in groups)
    if not any(group.control in _DESCRIBING for group in groups):
        wanted = people.identifiers(pid, 3, 2, 4)
        row = people.look_up(wanted).row() if wanted else None
        case.patient = row.patient.survivor() if row else None
        return
    if not placing and not pid:
        return
    zone = zone_of(case.message) if case.site is None else case.site.zone
    first = groups[0]
    segments = {"PID": pid, **first.segments(case.message, first.details[0] if first.details else None)}
    said = mapping.fill(mapping.PATIENT + mapping.CLINICAL, segments, zone, case.warnings)
    people.clinical(case.message, segments, case.warnings, said)
    visit = mapping.fill(mapping.VISIT, segments, zone, case.warnings)
    case.patient = people.keep_patient(pid, said, by=case.by, warnings=case.warnings, overwrite=False)
    case.visit = stays.keep(case.message, case.patient, by=case.by, said=visit, warnings=case.warnings)


def _place(case: _Case, group: Group) -> None:
    """NW: a new order. One that is known already is changed instead, because senders repeat themselves."""
    number, issuer = _placer(case.message, group)
    if not number:
        raise values.missing(group.orc, "2", "a new order needs a placer order number.")
    if not group.details:
        place = Place("ORC", group.orc.number)
        raise FieldError(Problem(Condition.SEGMENT_SEQUENCE, "A new order needs an OBR segment below its ORC.", place))
    for detail in group.details:
        if not ordered_codes(detail.obr):
            raise values.missing(detail.obr, "4", "a new order needs the code or the name of an exam.")
    if (number, issuer) in case.known.placers:
        case.warnings.append("ORC-2: the order was known already, so it was changed and not placed again")
        _change(case, group)
        return
    assert case.patient is not None
    said, requests = _read(case, group)
    filler, filler_issuer = _free_filler(case, group)
    with refusals(said.places, values.place(group.orc, "2")):
        order = orders.place(
            by=case.by,
            patient=case.patient,
            requests=requests,
            site=case.site,
            accession_number=_accession(group),
            visit=case.visit,
            placer_order_number=number,
            placer_issuer=issuer,
            filler_order_number=filler,
            filler_issuer=filler_issuer,
            **said.values,
        )
    case.known.add(order)
    _warn(case, order)


def _change(case: _Case, group: Group) -> None:
    """XO: what the message says is new about a known order."""
    order = _known(case, group)
    said, requests = _read(case, group)
    fields: dict[str, Any] = dict(said.values)
    if case.visit is not None and order.visit_id is None:
        fields["visit"] = case.visit
    with refusals(said.places, values.place(group.orc, "2")):
        _warn(case, orders.change(by=case.by, order=order, requests=requests, reason=_reason(group), **fields))


def _verb(verb: Callable[..., Order]) -> Callable[[_Case, Group], None]:
    """Make the handler of an order control that only needs to know which order, and why."""

    def handle(case: _Case, group: Group) -> None:
        order = _known(case, group)
        with refusals({}, values.place(group.orc, "2")):
            verb(by=case.by, order=order, reason=_reason(group))

    return handle


CONTROLS: dict[str, Callable[[_Case, Group], None]] = {
    "NW": _place,
    "XO": _change,
    "CA": _verb(orders.cancel),
    "DC": _verb(orders.discontinue),
    "HD": _verb(orders.hold),
    "RL": _verb(orders.release),
}
"""ORC-1 (table 0119) -> what it does."""

_DESCRIBING = ("NW", "XO")
"""Order controls whose messages say what is to be done, and to whom."""


def _read(case: _Case, group: Group) -> tuple[Filled, list[ProcedureRequest]]:
    """Return the columns of the order and its requests; the places of both, for refusals."""
    zone = zone_of(case.message) if case.site is None else case.site.zone
    first = group.details[0] if group.details else None
    said = mapping.fill(mapping.ORDER, group.segments(case.message, first), zone, case.warnings)
    said.places |= {
        "placer_order_number": values.place(group.orc, "2"),
        "placer_issuer": values.place(group.orc, "2.2"),
        "filler_order_number": values.place(group.orc, "3"),
    }
    requests = []
    for detail in group.details:
        read = mapping.fill(mapping.PROCEDURE, group.segments(case.message, detail), zone, case.warnings)
        said.places = read.places | said.places
        requests.append(read_request(case.catalogue, group, detail, read, case.warnings))
    return said, requests


def _placer(message: Message, group: Group) -> tuple[str, str]:
    number, issuer = group.number(2)
    return number, issuer or _sender(message)


def _sender(message: Message) -> str:
    value = message["MSH"].get("3.1")
    return value if value and value is not NULL else ""


def _known_orders(message: Message, groups: list[Group]) -> _KnownOrders:
    """Return the orders that have any of the numbers of the groups, in one query."""
    terms = Q(pk__in=())
    for group in groups:
        (number, issuer), (filler, filler_issuer) = _placer(message, group), group.number(3)
        accession = _accession(group)
        if number:
            terms |= Q(placer_issuer=issuer, placer_order_number=number)
        if filler:
            terms |= Q(filler_issuer=filler_issuer, filler_order_number=filler)
        if accession and not number:
            terms |= Q(accession_number=accession)
    known = _KnownOrders()
    for order in Order.objects.filter(terms):
        known.add(order)
    return known


def _known(case: _Case, group: Group) -> Order:
    """Return the order that a group names; raises FieldError when nobody knows it or it is another patient's."""
    number, issuer = _placer(case.message, group)
    with refusals({}, values.place(group.orc, "2")):
        if number:
            order = case.known.placers.get((number, issuer))
        else:
            order = case.known.fillers.get(group.number(3)) or case.known.accessions.get(_accession(group))
        if order is None:
            raise UnknownOrder
        if case.message["PID"] and (case.patient is None or order.patient_id != case.patient.pk):
            raise DuplicateOrder
    return order


def _free_filler(case: _Case, group: Group) -> tuple[str, str]:
    """Return the filler number for a new order; empty, with a warning, when another order has it."""
    filler = group.number(3)
    if filler[0] and filler in case.known.fillers:
        case.warnings.append("ORC-3: another order has this filler number, so it was left out")
        return "", ""
    return filler


def _accession(group: Group) -> str:
    if not group.details:
        return ""
    first = group.details[0]
    value = first.ipcs[0].get("1.1") if first.ipcs else None
    return _said(first, "18") or (value if value and value is not NULL else "")


def _said(detail: Detail, path: str) -> str:
    value = detail.obr.get(path)
    return value if value and value is not NULL else ""


def _reason(group: Group) -> str:
    value = values.coded_text(group.orc, "16")
    return value[:250] if value and value is not NULL else ""


def _warn(case: _Case, order: Order) -> None:
    case.warnings.extend(str(mark.label) for mark in order.attentions)
