"""The services of a scheduling message: what is to be done, when and where (HL7 v2.5.1 section 10.4)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from hl7 import mapping, values
from hl7.ack import Place
from hl7.mapping import Filled
from hl7.message import NULL, Message, Segment
from ris.models.step import end_of

_RESOURCES = ("AIG", "AIL", "AIP")
_OF_THE_WHOLE = ("SCH", "TQ1")
"""Segments whose time is that of the whole appointment."""


@dataclass(slots=True)
class Service:
    """One AIS, or a group (RGS) without any, with the resources of its group."""

    ais: Segment | None = None
    resources: list[Segment] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def read(self, message: Message, zone: ZoneInfo, warnings: list[str]) -> Filled:
        """Return start, minutes and reason as said."""
        segments = {"SCH": message["SCH"], "TQ1": message["TQ1"]}
        segments |= {segment.name: segment for segment in reversed(self.resources)}
        if self.ais is not None:
            segments["AIS"] = self.ais
        said = mapping.fill(mapping.APPOINTMENT, segments, zone, warnings)
        self._shift(said)
        return said

    def _shift(self, said: Filled) -> None:
        """Begin as long after the appointment as AIS-5 says, where the service has no time of its own."""
        place = said.places.get("start")
        later = values.minutes(self.ais, "5") if self.ais is not None else None
        if self.ais is not None and later and place is not None and place.segment in _OF_THE_WHOLE:
            said.values["start"] = end_of(said.values["start"], later)
            said.places["start"] = values.place(self.ais, "5")

    @property
    def action(self) -> str:
        """AIS-2: A adds the service, D takes it away, U changes it (table 0206)."""
        return _said(self.ais.get("2")).upper() if self.ais is not None else ""

    def names(self) -> list[str]:
        """Return what the places and things of the service are called: AIG-3 and AIL-3, all their components.

        What the appointment loses (AIG-2, AIL-2 is D) counts only where it gets nothing.
        """
        places = [segment for segment in self.resources if segment.name != "AIP"]
        named = [one for one in places if not _is_lost(one)] or places
        return [text for one in named for name in one.repetitions(3) for text in name.texts() if text]

    def named_at(self) -> Place:
        """Return where the first of these names stands."""
        named = next((one for one in self.resources if one.name != "AIP" and one.field(3)), None)
        return values.place(named, "3") if named is not None else Place("AIG", field=3)

    def physician(self) -> str:
        """Return who performs the service: AIP-3 of the first whose role (AIP-4) is not that of somebody else."""
        return next((name for name, role in self._people() if not role & _OTHERS), "")

    def technologist(self) -> str:
        """Return who is at the scanner: AIP-3 of the first whose role (AIP-4) is a technologist's."""
        return next((name for name, role in self._people() if role & mapping.TECHNOLOGISTS), "")

    def _people(self) -> Iterator[tuple[str, set[str]]]:
        """Return the people whom the service has, each with the code and the words of their role."""
        for one in self.resources:
            name = values.physician(one, "3") if one.name == "AIP" and not _is_lost(one) else None
            if name and name is not NULL:
                yield name, {_said(one.get(f"4.{number}")).upper() for number in (1, 2)}

    def staff(self) -> list[str]:
        """Return the numbers and family names of the people of the service (AIP-3)."""
        people = [repetition for one in self.resources if one.name == "AIP" for repetition in one.repetitions(3)]
        return [text for person in people for text in (person.get(1), person.get(2)) if text and text is not NULL]


_OTHERS = mapping.TECHNOLOGISTS | {"N", "RN", "NURSE", "A", "ANESTHETIST", "PORTER"}
"""AIP-4 (a table of the site's own) of people who are not the performing physician."""


def _is_lost(segment: Segment) -> bool:
    return _said(segment.get("2")).upper() == "D"


def _said(value: str | None) -> str:
    return value if value and value is not NULL else ""


def notes(message: Message) -> list[str]:
    """Return NTE-3 of the notes about the whole appointment: those below SCH, before the patient."""
    found = []
    for segment in message:
        if segment.name == "NTE":
            found.append(segment.text(3))
        elif segment.name not in ("MSH", "SCH", "TQ1", "SFT"):
            break
    return [text for text in found if text]


def services(message: Message) -> list[Service]:
    """Return the services of a message, each with the resources of its RGS."""
    found: list[Service] = []
    group: list[Service] = []
    pending: list[Segment] = []

    def close() -> None:
        if not group and pending:
            group.append(Service())
        for service in group:
            service.resources = list(pending)
        found.extend(group)
        group.clear()
        pending.clear()

    for segment in message:
        if segment.name == "RGS":
            close()
        elif segment.name == "AIS":
            group.append(Service(segment))
        elif segment.name in _RESOURCES:
            pending.append(segment)
        elif segment.name == "NTE" and group and not pending:
            group[-1].comments.append(segment.text(3))
    close()
    return found
