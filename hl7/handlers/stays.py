"""Visits: what each event of registration says about the visit that a message names."""

from dataclasses import dataclass
from typing import Any

from hl7 import values
from hl7.ack import Condition, Place
from hl7.handlers.refusals import refusals
from hl7.mapping import Filled
from hl7.message import NULL, Message, Segment
from hl7.undone import Undone
from ris.actions import visits
from ris.actor import Actor
from ris.models import EventKind, Patient, Visit, VisitState

_UNDER_WAY = (VisitState.ACTIVE, VisitState.EXPECTED)


@dataclass(frozen=True)
class Stay:
    """What an event says about a visit.

    state: the visit's from now on; None: as before. happened: the name under which the change is told. meant: states in
    which a visit may be that is meant without being named, if the patient has one such visit only. patient_class: PV1-2
    where the message leaves it out.
    """

    state: VisitState | None = None
    happened: EventKind = EventKind.VISIT_UPDATED
    meant: tuple[VisitState, ...] = _UNDER_WAY
    patient_class: str = ""


STAYS: dict[str, Stay] = {
    "A01": Stay(VisitState.ACTIVE, meant=()),
    "A02": Stay(None, EventKind.VISIT_TRANSFERRED),
    "A03": Stay(VisitState.DISCHARGED, EventKind.VISIT_DISCHARGED),
    "A04": Stay(VisitState.ACTIVE, meant=()),
    "A05": Stay(VisitState.EXPECTED, meant=()),
    "A06": Stay(VisitState.ACTIVE, EventKind.VISIT_CLASS_CHANGED, patient_class="I"),
    "A07": Stay(VisitState.ACTIVE, EventKind.VISIT_CLASS_CHANGED, patient_class="O"),
    "A08": Stay(meant=()),
    "A09": Stay(None, EventKind.VISIT_DEPARTED),
    "A10": Stay(None, EventKind.VISIT_ARRIVED),
    "A11": Stay(VisitState.CANCELED, EventKind.VISIT_CANCELED),
    "A12": Stay(None, EventKind.VISIT_TRANSFER_CANCELED),
    "A13": Stay(VisitState.ACTIVE, EventKind.VISIT_DISCHARGE_CANCELED, meant=(VisitState.DISCHARGED,)),
    "A14": Stay(VisitState.EXPECTED, meant=()),
    "A15": Stay(),
    "A16": Stay(),
    "A17": Stay(None, EventKind.VISIT_TRANSFERRED),
    "A21": Stay(None, EventKind.VISIT_DEPARTED),
    "A22": Stay(None, EventKind.VISIT_ARRIVED),
    "A23": Stay(VisitState.DELETED, EventKind.VISIT_DELETED, meant=()),
    "A25": Stay(),
    "A26": Stay(),
    "A27": Stay(VisitState.CANCELED, EventKind.VISIT_CANCELED, meant=(VisitState.EXPECTED,)),
    "A32": Stay(None, EventKind.VISIT_ARRIVAL_CANCELED),
    "A33": Stay(None, EventKind.VISIT_DEPARTURE_CANCELED),
    "A38": Stay(VisitState.CANCELED, EventKind.VISIT_CANCELED, meant=(VisitState.EXPECTED,)),
    "A51": Stay(),
    "A52": Stay(None, EventKind.VISIT_DEPARTURE_CANCELED),
    "A53": Stay(None, EventKind.VISIT_ARRIVAL_CANCELED),
    "A54": Stay(),
    "A55": Stay(),
    "A60": Stay(meant=()),
    "A61": Stay(),
    "A62": Stay(),
}
"""ADT event -> what it says about the visit (standards: HL7 v2.5.1 section 3.3)."""


@dataclass(frozen=True, slots=True)
class Number:
    """The number of a visit or account, who gave it, and where it stands."""

    value: str
    issuer: str
    place: Place


def number_in(segment: Segment | None, path: str) -> Number | None:
    """Return the number (CX) in a field; None where there is none."""
    value = segment.get(f"{path}.1") if segment else None
    if segment is None or not value or value is NULL:
        return None
    issuer = _said(segment.get(f"{path}.4.1")) or _said(segment.get(f"{path}.4.2"))
    return Number(value, issuer, values.place(segment, path))


def number_of(message: Message) -> Number | None:
    """Return the visit that a message names: PV1-19, else PID-18."""
    return number_in(message["PV1"], "19") or number_in(message["PID"], "18")


def keep_numbered(number: Number, patient: Patient, *, by: Actor) -> Visit:
    """Return the visit of this number, opened where nobody knows it."""
    with refusals({}, number.place):
        return visits.keep(by=by, patient=patient, visit_number=number.value, issuer=number.issuer)


def unmoved(number: Number) -> Undone:
    """Return what is told where a sender names a visit or account that nobody knows, as if it had orders."""
    text = f"{number.place}: nobody knew this number (a visit has that of PV1-19, else of PID-18), so no order moved"
    return Undone(Condition.UNKNOWN_KEY, text, number.place)


def merge_prior(mrg: Segment, survivor: Visit, *, by: Actor, warnings: list[str], path: str = "") -> None:
    """Merge the visit that MRG names (MRG-5, else MRG-3, unless `path` says which) into another of the same patient.

    One that nobody knows leaves a tombstone, so that late messages find the survivor. Naming the survivor itself is a
    repeat where the sender did not ask for a merge (A06, A07).
    """
    number = number_in(mrg, path) if path else number_in(mrg, "5") or number_in(mrg, "3")
    if number is None or (not path and (number.value, number.issuer) == (survivor.visit_number, survivor.issuer)):
        return
    loser = visits.named(number.value, number.issuer)
    if loser is None:
        warnings.append(unmoved(number))
        loser = keep_numbered(number, survivor.patient, by=by)
    with refusals({}, number.place):
        visits.merge(by=by, survivor=survivor, loser=loser)


def keep(
    message: Message, patient: Patient, *, by: Actor, said: Filled, warnings: list[str], event: str = ""
) -> Visit | None:
    """Return the visit that the message names, opened or brought up to date; None when it names none."""
    stay = STAYS.get(event, Stay(meant=()))
    number = number_of(message)
    if number is None:
        meant = visits.named_by_state(patient, *stay.meant) if stay.meant else None
        if meant is None:
            if stay.meant:
                place = Place("PV1", field=19)
                text = "PV1-19: no visit is named, so none was changed"
                warnings.append(Undone(Condition.REQUIRED_FIELD_MISSING, text, place))
            return None
        number = Number(meant.visit_number, meant.issuer, Place("PV1", field=19))
    with refusals(said.places, number.place):
        return visits.keep(
            by=by,
            patient=patient,
            visit_number=number.value,
            issuer=number.issuer,
            happened=stay.happened,
            **_fields(message, stay, said),
        )


def _fields(message: Message, stay: Stay, said: Filled) -> dict[str, Any]:
    """Return the columns of the visit: what the message says, and what its event means."""
    fields = dict(said.values)
    if stay.state is not None:
        fields["state"] = stay.state
    if stay.patient_class:
        fields.setdefault("patient_class", stay.patient_class)
    if stay.happened == EventKind.VISIT_DISCHARGE_CANCELED:
        fields["discharged_at"] = None
    return fields


def _said(value: str | None) -> str:
    return value if value and value is not NULL else ""
