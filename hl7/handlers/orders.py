"""ORM^O01, OMG^O19, OMI^O23: orders placed, changed, ended, replaced, linked, asked about (HL7 v2.5.1 chapter 4).

What each order control does is looked up in the table of order controls. All orders of a message apply in one
transaction, or none of them.
"""

from collections.abc import Callable, Sequence
from typing import Any

from hl7 import mapping, values
from hl7.ack import Condition, Place, Problem
from hl7.controls import Action
from hl7.handlers import people, stays
from hl7.handlers.marks import marks_of, unknown_exam
from hl7.handlers.order_case import Case, Done, accession_of, parent_numbers, placer_of
from hl7.handlers.order_controls import action_of
from hl7.handlers.order_groups import Group, order_groups, readable_segments
from hl7.handlers.refusals import refusals
from hl7.handlers.requests import Catalogue, ordered_codes, read_request
from hl7.handlers.sites import site_of, zone_of
from hl7.handlers.unsupported import Undecided
from hl7.mapping import Filled
from hl7.message import NULL, Message
from hl7.undone import Undone
from hl7.values import FieldError
from ris.actions import orders, relations, reports
from ris.actions.requests import ProcedureRequest
from ris.actor import Actor
from ris.errors import DuplicateOrder, UnknownOrder
from ris.models import Order
from ris.states import OrderState


def apply(message: Message, event: str, *, by: Actor, warnings: list[str]) -> list[Done]:
    """Apply every order of the message; returns what became of each."""
    groups = order_groups(message)
    if not groups:
        raise _out_of_order(Place("ORC"), "The message has no ORC segment.")
    unread = len(message.all("OBR")) - sum(len(group.details) for group in groups)
    if unread:
        warnings.append(f"{unread} OBR of earlier results, or before any ORC, were not read as orders")
    _read_actions(groups)
    return apply_groups(message, groups, by=by, warnings=warnings)


def apply_groups(message: Message, groups: list[Group], *, by: Actor, warnings: list[str]) -> list[Done]:
    """Do what is to be done with each order of the message; returns what became of each."""
    described = [detail.obr for group in groups if group.action in _DESCRIBING for detail in group.details]
    case = Case(message, by, warnings, site_of(message), Catalogue.of(described))
    case.read_known(groups)
    _keep_people(case, groups)
    done = [Done(group, group.action, ACTIONS[group.action](case, group)) for group in groups]
    if case.replaced and not case.replacing:
        raise _out_of_order(Place("ORC", case.replaced[0].orc.number), "No order follows that replaces this one.")
    return done


def _read_actions(groups: list[Group]) -> None:
    """Look up what each group asks for; raises Undecided where the table does not say it."""
    for group in groups:
        action = action_of(group.control, group.status)
        if action is None or action == Action.KEEP:
            text = "ORC-1: a person decides what this order control means with this order status (ORC-5)."
            raise Undecided(Problem(Condition.TABLE_VALUE_NOT_FOUND, text, values.place(group.orc, "1")))
        group.action = action


def _out_of_order(place: Place, text: str) -> FieldError:
    return FieldError(Problem(Condition.SEGMENT_SEQUENCE, text, place))


def _keep_people(case: Case, groups: list[Group]) -> None:
    """Find the patient; messages that bring or change an order may register them and tell about them."""
    pid = case.message["PID"]
    placing = any(_places(case, group) for group in groups)
    if not placing and all(group.action != Action.CHANGE for group in groups):
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


def _places(case: Case, group: Group) -> bool:
    """Tell whether a group brings a new order, and so perhaps a patient whom nobody knows."""
    if group.action in _PLACING_UNKNOWN:
        return bool(group.details) and not _find(case, group)
    return group.action in _PLACING and bool(group.details)


def _find(case: Case, group: Group) -> Order | None:
    return case.known.find(placer_of(case.message, group), group.number(3), accession_of(group))


def _place(case: Case, group: Group, old: Sequence[Order] = ()) -> Order:
    """Place a new order. One that is known already is changed instead, because senders repeat themselves."""
    placer = placer_of(case.message, group)
    if not placer[0]:
        raise values.missing(group.orc, "2", "a new order needs a placer order number.")
    if not group.details:
        raise _out_of_order(Place("ORC", group.orc.number), "A new order needs an OBR segment below its ORC.")
    for detail in group.details:
        if not ordered_codes(detail.obr):
            raise values.missing(detail.obr, "4", "a new order needs the code or the name of an exam.")
    if placer in case.known.placers:
        case.warnings.append("ORC-2: the order was known already, so it was changed and not placed again")
        return _change(case, group)
    assert case.patient is not None
    said, requests = _read(case, group)
    filler, filler_issuer = _free_filler(case, group)
    fields: dict[str, Any] = said.values | {
        "site": case.site,
        "accession_number": accession_of(group),
        "visit": case.visit,
        "placer_order_number": placer[0],
        "placer_issuer": placer[1],
        "filler_order_number": filler,
        "filler_issuer": filler_issuer,
    }
    with refusals(said.places, values.place(group.orc, "2")):
        if old:
            order = relations.replace(
                by=case.by, old=old, patient=case.patient, requests=requests, reason=_reason(group), **fields
            )
        else:
            order = orders.place(by=case.by, patient=case.patient, requests=requests, **fields)
    case.known.add(order)
    case.warnings += _marks(group, order, requests)
    return order


def _change(case: Case, group: Group) -> Order:
    """Tell a known order what the message says is new about it."""
    order = case.order_of(group)
    said, requests = _read(case, group)
    fields: dict[str, Any] = dict(said.values)
    if case.visit is not None and order.visit_id is None:
        fields["visit"] = case.visit
    with refusals(said.places, values.place(group.orc, "2")):
        order = orders.change(by=case.by, order=order, requests=requests, reason=_reason(group), **fields)
    case.warnings += _marks(group, order, requests)
    return order


def _verb(verb: Callable[..., Order], **arguments: Any) -> Callable[[Case, Group], Order]:
    """Make the handler of an action that only needs to know which order, and why."""

    def handle(case: Case, group: Group) -> Order:
        order = case.order_of(group)
        with refusals({}, values.place(group.orc, "2")):
            return verb(by=case.by, order=order, reason=_reason(group), **arguments)

    return handle


def _note_replaced(case: Case, group: Group) -> Order:
    """Keep an order in mind that the next ones replace."""
    order = case.order_of(group)
    if case.replacing:
        case.replaced, case.replacing = [], False
    case.replaced.append(group)
    return order


def _replace(case: Case, group: Group) -> Order:
    """Place an order in the place of those that the message named before."""
    if not case.replaced:
        raise _out_of_order(Place("ORC", group.orc.number), "No order is named before that this one replaces.")
    case.replacing = True
    return _place(case, group, [case.order_of(old) for old in case.replaced])


def _number(case: Case, group: Group) -> Order:
    """Say which order it is, so that the answer carries our number; one that nobody knows is placed."""
    return _place(case, group) if _places(case, group) else case.order_of(group)


def _take_number(case: Case, group: Group) -> Order:
    """Note the number that the placer gives to an order of ours."""
    placer = placer_of(case.message, group)
    if not placer[0]:
        raise values.missing(group.orc, "2", "a number is said to be given here.")
    with refusals({}, values.place(group.orc, "3")):
        order = case.known.by_filler(group.number(3)) or case.known.accessions.get(accession_of(group))
        if order is None:
            raise UnknownOrder
        case.check_patient(order)
    place = values.place(group.orc, "2")
    with refusals({}, place):
        if case.known.placers.get(placer, order).pk != order.pk:
            raise DuplicateOrder
        return relations.take_number(by=case.by, order=order, placer_order_number=placer[0], placer_issuer=placer[1])


def _parent(case: Case, group: Group) -> Order:
    """Keep the parent of the orders that follow in mind; one that nobody knows is placed."""
    case.parent = _number(case, group)
    return case.parent


def _child(case: Case, group: Group) -> Order:
    """Place or change a part of the order that ORC-8 or OBR-29 names, else of the parent named before."""
    placer, filler = parent_numbers(case.message, group)
    place = values.place(group.orc, "8")
    if placer[0] or filler[0]:
        parent = case.known.find(placer, filler, "")
    else:
        parent = case.parent
        if parent is None:
            raise values.missing(group.orc, "8", "a part of an order needs the number of its parent.")
    with refusals({}, place):
        if parent is None:
            raise UnknownOrder
    order = _place(case, group) if placer_of(case.message, group) not in case.known.placers else _change(case, group)
    with refusals({}, place):
        return relations.make_part(by=case.by, child=order, parent=parent)


ACTIONS: dict[Action, Callable[[Case, Group], Order | None]] = {
    Action.PLACE: _place,
    Action.CHANGE: _change,
    Action.CANCEL: _verb(orders.cancel),
    Action.DISCONTINUE: _verb(orders.discontinue),
    Action.HOLD: _verb(orders.hold),
    Action.RELEASE: _verb(orders.release),
    Action.REPLACED: _note_replaced,
    Action.REPLACEMENT: _replace,
    Action.SEND_NUMBER: _number,
    Action.TAKE_NUMBER: _take_number,
    Action.START: _verb(reports.follow, state=OrderState.IN_PROGRESS),
    Action.COMPLETE: _verb(reports.follow, state=OrderState.COMPLETED),
    Action.STATUS: Case.order_of,
    Action.PARENT: _parent,
    Action.CHILD: _child,
    Action.NOTHING: _find,
}
"""What is done with an order -> the function that does it, on the order that the group names."""

_PLACING = frozenset({Action.PLACE, Action.REPLACEMENT, Action.CHILD})
_PLACING_UNKNOWN = frozenset({Action.SEND_NUMBER, Action.PARENT})
"""Actions that bring a new order; the latter only where nobody knows the one that they name."""
_DESCRIBING = _PLACING | _PLACING_UNKNOWN | {Action.CHANGE}
"""Actions whose messages say what is to be done, and to whom."""


def _read(case: Case, group: Group) -> tuple[Filled, list[ProcedureRequest]]:
    """Return the columns of the order and its requests; the places of both, for refusals."""
    zone = zone_of(case.message) if case.site is None else case.site.zone
    first = group.details[0] if group.details else None
    said = mapping.fill(mapping.ORDER, group.segments(case.message, first), zone, case.warnings)
    said.places |= {
        "placer_order_number": values.place(group.orc, "2"),
        "placer_issuer": values.place(group.orc, "2.2"),
        "filler_order_number": values.place(group.orc, "3"),
    }
    if group.further:
        said.values["sent_along"] = readable_segments(group.further)
    requests = []
    for detail in group.details:
        read = mapping.fill(mapping.PROCEDURE, group.segments(case.message, detail), zone, case.warnings)
        said.places = read.places | said.places
        requests.append(read_request(case.catalogue, group, detail, read, case.warnings))
    return said, requests


def _free_filler(case: Case, group: Group) -> tuple[str, str]:
    """Return the filler number for a new order; empty, with a warning, when another order has it."""
    filler = group.number(3)
    if filler[0] and case.known.by_filler(filler):
        text = "ORC-3: another order has this filler number, so it was left out"
        case.warnings.append(Undone(Condition.DUPLICATE_KEY, text, values.place(group.orc, "3")))
        return "", ""
    return filler


def _marks(group: Group, order: Order, requests: list[ProcedureRequest]) -> list[str]:
    asked = zip((detail.obr for detail in group.details), requests, strict=True)
    return marks_of(order, values.place(group.orc, "2"), unknown_exam(asked, "4"))


def _reason(group: Group) -> str:
    value = values.coded_text(group.orc, "16")
    return value[:250] if value and value is not NULL else ""
