"""Visits: what each event of registration says about the visit that a message names."""

from dataclasses import dataclass
from typing import Any

from hl7 import values
from hl7.handlers.refusals import refusals
from hl7.mapping import Filled
from hl7.message import NULL, Message
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
    "A23": Stay(VisitState.DELETED, EventKind.VISIT_DELETED, meant=()),
    "A38": Stay(VisitState.CANCELED, EventKind.VISIT_CANCELED, meant=(VisitState.EXPECTED,)),
}
"""ADT event -> what it says about the visit (standards: HL7 v2.5.1 section 3.3)."""


def number_of(message: Message) -> tuple[str, str, str]:
    """Return number and issuer of the visit that the message names, and its field; empty where it names none."""
    for name, number in (("PV1", 19), ("PID", 18)):
        segment = message[name]
        value = segment.get(f"{number}.1")
        if value and value is not NULL:
            issuer = _said(segment.get(f"{number}.4.1")) or _said(segment.get(f"{number}.4.2"))
            return value, issuer, f"{name}-{number}"
    return "", "", "PV1-19"


def keep(
    message: Message, patient: Patient, *, by: Actor, said: Filled, warnings: list[str], event: str = ""
) -> Visit | None:
    """Return the visit that the message names, opened or brought up to date; None when it names none."""
    stay = STAYS.get(event, Stay(meant=()))
    number, issuer, source = number_of(message)
    if not number:
        meant = visits.named_by_state(patient, *stay.meant) if stay.meant else None
        if meant is None:
            if stay.meant:
                warnings.append("PV1-19: no visit is named, so none was changed")
            return None
        number, issuer = meant.visit_number, meant.issuer
    name, path = source.split("-")
    with refusals(said.places, values.place(message[name], path)):
        return visits.keep(
            by=by,
            patient=patient,
            visit_number=number,
            issuer=issuer,
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
