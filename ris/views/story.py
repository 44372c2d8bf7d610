"""Events as people read them: what happened, when, who did it, what changed."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from ris import person_name
from ris.models import Attention, Event, EventKind, Exam, Order, Patient, RequestedProcedure, Site, Station

DOCUMENTS = {"letter": _lazy("appointment letter"), "label": _lazy("label"), "wristband": _lazy("wristband")}
"""What an event of a printed document calls it."""
NAMED: tuple[tuple[str, type[models.Model]], ...] = (
    *(("station", Station), ("stations", Station), ("site", Site), ("exam", Exam)),
    *(("replaced_by", Order), ("parent", Order)),
)
"""Columns that hold keys, or a list of keys, and the rows that these name."""
PERSONS = frozenset(
    {
        *("patient_name", "patient_name_ideographic", "patient_name_phonetic"),
        *("requesting_physician", "referring_physician", "performing_physician", "technologist"),
    }
)
"""Columns that hold a person's name as DICOM writes it."""
LOCATIONS = frozenset({"location", "prior_location"})
"""Columns that hold where a patient lies, ward^room^bed."""
MERGES = (EventKind.PATIENT_MERGED, EventKind.PATIENT_UNMERGED)
READS = (EventKind.PATIENT_VIEWED, EventKind.PATIENTS_LISTED, EventKind.RECORD_VIEWED)
OF_THE_RECORD = tuple(kind for kind in EventKind if kind.startswith("patient.") and kind not in READS)
"""What changes a patient's record."""


@dataclass(frozen=True)
class Change:
    """One value that an event changed."""

    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Line:
    """One event of a story."""

    event: Event
    what: str
    changes: list[Change] = field(default_factory=list)

    @property
    def who(self) -> str:
        """Return who did it as people read it."""
        return who(self.event)


def of_order(
    order: Order, most: int, *, record: Collection[EventKind] = MERGES, after: datetime | None = None
) -> list[Event]:
    """Return the newest events of an order, and those of the patients' records that it was in, while it was in them.

    record: the kinds of the latter. after: none that are as old or older.
    """
    told = Event.objects.select_related("patient", "order").order_by("-pk")
    told = told.filter(at__gt=after) if after else told
    own = told.filter(order=order).exclude(kind__in=READS)[:most]
    found = {event.pk: event for event in (*own, *_of_records(order, told.filter(kind__in=record), most))}
    return [found[pk] for pk in sorted(found, reverse=True)][:most]


def _of_records(order: Order, told: QuerySet[Event], most: int) -> list[Event]:
    """Go back from the record that an order is in to those that a merge, or its undoing, has moved it out of."""
    found: list[Event] = []
    patient, moved, last = order.patient_id, True, None
    while moved and len(found) < most:
        moved = False
        rows = told.filter(patient=patient, at__gte=order.created_at)
        for event in (rows.filter(pk__lt=last.pk) if last else rows)[:most]:
            if last and (event.kind, event.data) == (last.kind, last.data):
                continue  # the same merge, as it was told of the other one of the two
            found.append(event)
            if event.kind in MERGES and order.pk in event.data.get("orders", ()):
                moved, last = True, event
                patient = event.data["loser" if event.kind == EventKind.PATIENT_MERGED else "survivor"]
                break
    return found


def who(event: Event) -> str:
    """Return the account, device or sender of an event; a sender, "application|facility", as two words."""
    return ", ".join(part for part in event.actor_name.split("|") if part)


def tell(events: Iterable[Event]) -> list[Line]:
    """Return the events as lines, in their order; names of rows are read in one query for each kind."""
    rows = list(events)
    names = _names(rows)
    return [Line(event, event.get_kind_display(), _changes(event, names)) for event in rows]


def as_text(kept: object) -> str:
    """Return what a JSON column keeps as indented text."""
    return json.dumps(kept, ensure_ascii=False, indent=2, default=str)


Names = dict[str, dict[Any, str]]


def _names(events: list[Event]) -> Names:
    """Look up the rows that the changes name by their keys."""
    found: Names = {}
    for name, model in NAMED:
        values = (value for event in events for value in _changes_of(event).get(name, ()))
        flat = (key for value in values for key in (value if isinstance(value, list) else [value]))
        keys = {key for key in flat if isinstance(key, int)}
        if keys:
            found[name] = {row.pk: str(row) for row in model._default_manager.filter(pk__in=keys)}
    merged = {event.data.get(name) for event in events if event.kind in MERGES for name in ("survivor", "loser")}
    if merged:
        patients = Patient.objects.filter(pk__in=merged).prefetch_related("identifiers")
        found["patient"] = {patient.pk: patient.patient_id for patient in patients}
    return found


def _changes_of(event: Event) -> dict[str, Any]:
    changes = event.data.get("changes", {}) if isinstance(event.data, dict) else {}
    return changes if isinstance(changes, dict) else {}


def _changes(event: Event, names: Names) -> list[Change]:
    model = _model_of(event)
    changes = [
        Change(_label(model, name), _text(model, name, pair[0], names, ""), _text(model, name, pair[1], names))
        for name, pair in _changes_of(event).items()
        if isinstance(pair, list) and len(pair) == 2
    ]
    if event.kind == EventKind.DOCUMENT_PRINTED:
        name = event.data.get("document", "")
        return [Change(_("document"), "", str(DOCUMENTS.get(name, name)))]
    if event.kind in MERGES:
        loser, survivor = (names["patient"].get(event.data.get(name), "") for name in ("loser", "survivor"))
        pair = (loser, survivor) if event.kind == EventKind.PATIENT_MERGED else (survivor, loser)
        return [Change(_("patient ID"), *pair)]
    rows = event.data.get("rows", ()) if isinstance(event.data, dict) else ()
    return [*changes, *(Change(str(row.get("row", "")), "", _change_word(row.get("change"))) for row in rows)]


def _change_word(word: object) -> str:
    return {"added": _("added"), "changed": _("changed"), "deleted": _("deleted")}.get(str(word), str(word))


def _model_of(event: Event) -> type[models.Model] | None:
    """Return the kind of row whose fields an event names."""
    if event.step_id:
        return apps.get_model("ris", "ScheduledProcedureStep")
    label = event.subject.partition(":")[0]
    try:
        if label:
            return apps.get_model(label)
    except (LookupError, ValueError):
        return None
    if event.order_id:
        return RequestedProcedure if event.subject else Order
    return Patient if event.patient_id else None


def _label(model: type[models.Model] | None, name: str) -> str:
    try:
        return str(model._meta.get_field(name).verbose_name) if model else name  # type: ignore[union-attr]
    except FieldDoesNotExist:
        return name


def _text(model: type[models.Model] | None, name: str, value: Any, names: Names, empty: str = "–") -> str:
    if value in (None, "", []):
        return empty
    if name == "sent_along":
        return ", ".join(segment["segment"] for segment in value)
    if isinstance(value, list):
        return ", ".join(_text(model, name, one, names) for one in value)
    if name in names:
        return names[name].get(value, str(value))
    if name == "attention":
        return " ".join(str(Attention(code).label) for code in str(value).split() if code in Attention.values)
    if name in PERSONS:
        return person_name.display(str(value))
    if name in LOCATIONS:
        return ", ".join(filter(None, str(value).split("^")))
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, str) and (moment := _moment(value)):
        return date_format(timezone.localtime(moment), "DATETIME_FORMAT")
    return str(_choices(model, name).get(value, value))


def _moment(value: str) -> datetime | None:
    """Return the time that a text is, if it is one with a zone."""
    try:
        moment = parse_datetime(value)
    except ValueError:
        return None
    return moment if moment and timezone.is_aware(moment) else None


def _choices(model: type[models.Model] | None, name: str) -> dict[Any, Any]:
    try:
        return dict(model._meta.get_field(name).flatchoices) if model else {}  # type: ignore[union-attr]
    except FieldDoesNotExist:
        return {}
