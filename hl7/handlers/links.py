"""ADT^A24 and A37: two patients linked, and parted again (HL7 v2.5.1 sections 3.3.24 and 3.3.37)."""

from collections.abc import Iterator

from hl7 import mapping, values
from hl7.ack import Condition, Place
from hl7.handlers import people
from hl7.handlers.refusals import refusals
from hl7.handlers.sites import zone_of
from hl7.message import Message, Segment
from hl7.undone import Undone
from ris.actions import links, unmerging
from ris.actor import Actor
from ris.models import Patient


def link(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Link the patient of the first PID with that of each other one; nothing of theirs moves."""
    zone = zone_of(message)
    for first, second in _pairs(message):
        one, other = (
            people.keep_patient(
                pid, mapping.fill(mapping.PATIENT, {"PID": pid}, zone, warnings), by=by, warnings=warnings
            )
            for pid in (first, second)
        )
        with refusals({}, Place("PID", second.number, 3)):
            links.link(by=by, one=one, other=other)


def part(message: Message, event: str, *, by: Actor, warnings: list[str]) -> None:
    """Undo the merge of the two patients, else take their link away; who is neither is told by a warning."""
    for pids in _pairs(message):
        rows = [people.look_up(people.pid_numbers(pid)).row() for pid in pids]
        one, other = (row.patient if row else None for row in rows)
        if one is None or other is None:
            warnings.append(_unparted(pids[1], "nobody is known by one of the numbers, so nothing was parted"))
        elif loser := _merged(one, other):
            with refusals({}, Place("PID", pids[1].number, 3)):
                _unmerge(loser, by=by, warnings=warnings)
        elif not links.unlink(by=by, one=one, other=other):
            warnings.append(_unparted(pids[1], "the two are neither merged nor linked here"))


def _unparted(pid: Segment, what: str) -> Undone:
    return Undone(Condition.UNKNOWN_KEY, f"PID-3: {what}", Place("PID", pid.number, 3))


def _merged(one: Patient, other: Patient) -> Patient | None:
    """Return which of the two was merged into the other; None when neither was."""
    for loser, survivor in ((other, one), (one, other)):
        if loser.pk != survivor.pk and loser.survivor().pk == survivor.pk:
            return loser
    return None


def _unmerge(loser: Patient, *, by: Actor, warnings: list[str]) -> None:
    plan = unmerging.parting(loser)
    unmerging.unmerge(by=by, loser=loser)
    if plan is not None and plan.later.exists():
        warnings.append("the orders that came after the merge stay with the patient who survived it")


def _pairs(message: Message) -> Iterator[tuple[Segment, Segment]]:
    first, *others = message.all("PID") or [message["PID"]]
    if not others:
        raise values.missing(first, "3", "two patients are needed, each with a PID segment.")
    return ((first, other) for other in others)
