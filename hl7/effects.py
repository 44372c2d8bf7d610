"""What a message did, told for each patient, visit, order and step: what happened, and each value before and after.

It is read from the events that the message's transaction wrote, so it is what was done and not what might follow from
the text. hl7/rehearsal.py tells in the same way what a message would do.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from hl7.models import InboundMessage
from ris.models import Event, EventKind, Exam, Order, Patient, RequestedProcedure, Visit
from ris.models import ScheduledProcedureStep as Step
from ris.views import story
from ris.views.story import Change

SHOWN = 500
"""Events of one message that are read at most: a merge may move hundreds of orders."""


@dataclass(frozen=True)
class Touched:
    """One row that a message changed. page: the patient or order on whose page it is found, if there is one."""

    kind: str
    name: str
    page: Patient | Order | None
    what: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address of its page; empty where there is none."""
        return (
            reverse(f"{admin.site.name}:ris_{self.page._meta.model_name}_change", args=[self.page.pk])
            if self.page
            else ""
        )


@dataclass(frozen=True)
class Effect:
    """Everything that a message changed, in the order in which it happened."""

    rows: list[Touched]
    patients: list[Patient]
    orders: list[Order]


def events_of(cause: str) -> "QuerySet[Event]":
    """Return the events that a message caused, without the looks at it."""
    found = Event.objects.filter(cause=cause).exclude(kind__in=story.READS)
    return found.select_related("patient", "order", "step").order_by("pk")


def effect_of(cause: str) -> Effect:
    """Return what the message of this cause ("hl7:12") did."""
    events = list(events_of(cause)[:SHOWN])
    names = _Names(events)
    for event in events:
        _made_readable(event, names)
    rows: dict[tuple[str, int], Touched] = {}
    for line in story.tell(events):
        key, made = _row(line.event, names)
        row = rows.setdefault(key, made)
        row.what.append(line.what + (f" ({line.event.reason})" if line.event.reason else ""))
        own = [] if line.event.kind in story.MERGES else line.changes  # a merge is told with names below
        for change in [*own, *_more(line.event, names)]:
            _add(row.changes, change)
    patients = {event.patient_id: event.patient for event in events if event.patient}
    orders = {event.order_id: event.order for event in events if event.order}
    return Effect(list(rows.values()), list(patients.values()), list(orders.values()))


class _Names:
    """The rows that events name by their keys, read at once."""

    def __init__(self, events: Iterable[Event]) -> None:
        data = [event.data for event in events if isinstance(event.data, dict)]
        subjects = [event.subject.partition(":") for event in events]
        visits = {int(key) for label, _colon, key in subjects if label == "ris.visit" and key.isdigit()}
        visits |= {key for one in data for key in _keys(_values(one).get("visit")) + _keys(one.get("visits"))}
        self.visits = {row.pk: row.visit_number for row in Visit.objects.filter(pk__in=visits)}
        orders = {key for one in data for key in _keys(one.get("orders"))}
        self.orders = {row.pk: row.accession_number for row in Order.objects.filter(pk__in=orders)}
        exams = {key for one in data for request in _requests(one) for key in _keys(request.get("exam"))}
        self.exams = {row.pk: str(row) for row in Exam.objects.filter(pk__in=exams)}
        patients = {key for one in data for name in ("survivor", "loser", "from", "to") for key in _keys(one.get(name))}
        self.patients = {row.pk: f"{row} ({row.patient_id})" for row in Patient.objects.filter(pk__in=patients)}


def _keys(value: Any) -> list[int]:
    """Return the primary keys that a kept value holds."""
    found = value if isinstance(value, list) else [value]
    return [key for key in found if isinstance(key, int) and not isinstance(key, bool)]


def _values(data: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a row that was made, and the pairs of one that was changed."""
    return {**(data.get("fields") or {}), **(data.get("changes") or {})}


def _made_readable(event: Event, names: _Names) -> None:
    """Give the event in hand its values as `story.tell` reads them: what was made as a change from nothing."""
    if not isinstance(event.data, dict):
        return
    made = {name: [None, value] for name, value in (event.data.get("fields") or {}).items() if value not in (None, "")}
    changes = made | (event.data.get("changes") or {})
    if isinstance(changes.get("visit"), list):
        changes["visit"] = [names.visits.get(key, key) for key in changes["visit"]]
    event.data = event.data | {"changes": {name: changes[name] for name in sorted(changes, key=_rank)}}


def _rank(name: str) -> tuple[int, str]:
    """Sort fields as their models list them: PostgreSQL keeps the keys of JSON in an order of its own."""
    return _RANKS.get(name, len(_RANKS)), name


_RANKS = {
    field.name: rank
    for model in (Step, RequestedProcedure, Order, Visit, Patient)
    for rank, field in enumerate(model._meta.concrete_fields)
}


def _add(changes: list[Change], new: Change) -> None:
    """Note a change; of two changes of one value the first one's before and the last one's after count."""
    for number, known in enumerate(changes):
        if known.label == new.label and known.after == new.before:
            changes[number] = Change(new.label, known.before, new.after)
            return
    changes.append(new)


def _row(event: Event, names: _Names) -> tuple[tuple[str, int], Touched]:
    """Return the key and the name of the row that an event is about: the nearest one to the exam."""
    label, _colon, key = event.subject.partition(":")
    if event.step is not None:
        return ("step", event.step.pk), Touched(_("Step"), event.step.sps_id, event.order)
    if event.order is not None:
        name = event.order.accession_number
        return ("order", event.order.pk), Touched(_("Order"), name, event.order)
    if label == "ris.visit" and key.isdigit():
        name = names.visits.get(int(key), key)
        return ("visit", int(key)), Touched(_("Visit"), name, event.patient)
    if event.patient is not None:
        name = f"{event.patient} ({event.patient.patient_id})"
        return ("patient", event.patient.pk), Touched(_("Patient"), name, event.patient)
    if label == _MESSAGE:
        return (event.subject, 0), Touched(_("Message"), f"hl7:{key}", None)
    return (event.subject, 0), Touched(event.subject, "", None)


_MESSAGE = InboundMessage._meta.label_lower


def _requests(data: dict[str, Any]) -> list[dict[str, Any]]:
    return [request for request in data.get("requests") or () if isinstance(request, dict)]


def _more(event: Event, names: _Names) -> list[Change]:
    """Return what an event tells beside the fields of its row: exams, numbers, who became who, what moved along."""
    data = event.data if isinstance(event.data, dict) else {}
    found = []
    for request in _requests(data):
        ordered = " ".join(filter(None, (request.get("code"), request.get("meaning"))))
        found.append(Change(_("exam"), "", names.exams.get(request.get("exam") or 0, ordered)))
    numbers = [*(data.get("identifiers") or ()), *filter(None, [data.get("identifier")])]
    found += [Change(_("number"), "", _number(number)) for number in numbers]
    if "old" in data and "new" in data:
        found.append(Change(_("number"), _number(data["old"]), _number(data["new"])))
    if event.kind in story.MERGES and event.patient_id == data.get("loser"):  # the survivor's row tells what moved
        survivor = _named(names.patients, data.get("survivor"))
        merged = event.kind == EventKind.PATIENT_MERGED
        return [*found, Change(_("merged into"), *(("", survivor) if merged else (survivor, "")))]
    if _keys(data.get("to")):
        moved = _named(names.patients, data.get("from")), _named(names.patients, data["to"])
        found.append(Change(_("moved to"), *moved))
    for name, known, label in (("orders", names.orders, _("orders")), ("visits", names.visits, _("visits"))):
        if _keys(data.get(name)):
            found.append(Change(label, "", _named(known, data[name])))
    return found


def _number(kept: Any) -> str:
    """Return an identifier as a message writes it."""
    parts = (kept.get("value"), kept.get("issuer"), kept.get("type")) if isinstance(kept, dict) else (str(kept),)
    return "^".join(filter(None, parts))


def _named(known: dict[int, str], keys: Any) -> str:
    return ", ".join(known.get(key, str(key)) for key in _keys(keys))
