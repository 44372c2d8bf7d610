"""The services of a scheduling message: what is to be done, when and where (HL7 v2.5.1 section 10.4)."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from hl7 import mapping
from hl7.mapping import Filled
from hl7.message import NULL, Message, Segment

_RESOURCES = ("AIG", "AIL", "AIP")


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
        return mapping.fill(mapping.APPOINTMENT, segments, zone, warnings)

    def names(self) -> list[str]:
        """Return what the places and things of the service are called: AIG-3 and AIL-3, all their components."""
        found = []
        for segment in self.resources:
            if segment.name != "AIP":
                repetitions = segment.repetitions(3)
                found += [text for repetition in repetitions for text in repetition.texts() if text]
        return found

    def staff(self) -> list[str]:
        """Return the numbers and family names of the people of the service (AIP-3)."""
        people = [repetition for one in self.resources if one.name == "AIP" for repetition in one.repetitions(3)]
        return [text for person in people for text in (person.get(1), person.get(2)) if text and text is not NULL]


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
