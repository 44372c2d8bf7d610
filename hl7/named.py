"""The patients whom a message names, whether or not it changed anything of theirs."""

from hl7.endpoints import read_from
from hl7.handlers import people
from hl7.message import NotHL7
from hl7.values import FieldError
from ris.models import Patient

MOST = 20
"""Segments of one message whose patients are looked up."""


def patients_named(raw: bytes, peer: str) -> list[Patient]:
    """Return who is known by the numbers of PID and MRG now; after a record that was merged away the one that stays."""
    try:
        message = read_from(raw, peer)
    except NotHL7:
        return []
    found: list[Patient] = []
    for segment in [*message.all("PID")[:MOST], *message.all("MRG")[:MOST]]:
        paths = (3, 2, 4) if segment.name == "PID" else (1, 4)
        try:
            row = people.look_up(people.identifiers(segment, *paths), segment.dialect).row()
        except FieldError:
            continue
        if row is not None:
            found += [row.patient, row.patient.survivor()]
    return list(dict.fromkeys(found))
