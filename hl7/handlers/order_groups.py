"""The ORC/OBR groups of an order message, whatever their number and nesting (HL7 v2.5.1 section 4.4)."""

from dataclasses import dataclass, field
from typing import Any

from hl7.controls import Action
from hl7.mapping import Segments
from hl7.message import NULL, Message, Segment


@dataclass(slots=True)
class Detail:
    """One OBR and what stands below it."""

    obr: Segment
    tq1: Segment | None = None
    zds: Segment | None = None
    ipcs: list[Segment] = field(default_factory=list)
    ipc_comments: dict[int, list[str]] = field(default_factory=dict)
    """NTE-3 below an IPC, by the place of the IPC in `ipcs`."""
    comments: list[str] = field(default_factory=list)
    diagnoses: list[Segment] = field(default_factory=list)


@dataclass(slots=True)
class Group:
    """One order: an ORC, its OBRs and what stands between."""

    orc: Segment
    tq1: Segment | None = None
    comments: list[str] = field(default_factory=list)
    details: list[Detail] = field(default_factory=list)
    further: list[Segment] = field(default_factory=list)
    """Insurance, guarantor and the sender's own segments, those before the first ORC included."""
    action: Action = Action.KEEP

    @property
    def control(self) -> str:
        """ORC-1."""
        return _said(self.orc, "1").upper()

    @property
    def status(self) -> str:
        """ORC-5."""
        return _said(self.orc, "5").upper()

    def number(self, field_number: int) -> tuple[str, str]:
        """Return an order number (EI) and its issuer from ORC, else from the first OBR; empty where none is sent."""
        segments = [self.orc, *(detail.obr for detail in self.details[:1])]
        for segment in segments:
            value = _said(segment, f"{field_number}.1")
            if value:
                issuer = _said(segment, f"{field_number}.2") or _said(segment, f"{field_number}.3")
                return value, issuer
        return "", ""

    def segments(self, message: Message, detail: Detail | None) -> Segments:
        """Return the segments that speak about one procedure of the order."""
        found = {"ORC": self.orc, "PV1": message["PV1"]}
        tq1 = (detail.tq1 if detail else None) or self.tq1
        if tq1 is not None:
            found["TQ1"] = tq1
        if detail is not None:
            found["OBR"] = detail.obr
            if detail.zds is not None:
                found["ZDS"] = detail.zds
            if detail.ipcs:
                found["IPC"] = detail.ipcs[0]
        return found


def order_groups(message: Message) -> list[Group]:
    """Return the orders of a message; ORCs with the same control, status and placer number are one order.

    Earlier results that OMG^O19 brings along (PRIOR_RESULT: a PID behind the order, or ORC-1 PR) are not ordered again.
    """
    groups: list[Group] = []
    shared: list[Segment] = []
    previous = ""
    prior = False
    for segment in message:
        if segment.name == "ORC":
            control = _said(segment, "1").upper()
            prior = bool(groups) and (control == _PRIOR or (prior and not control))
            if not prior:
                groups.append(Group(segment))
        elif groups:
            prior = prior or segment.name == "PID"
            if prior:
                continue
            _add(groups[-1], segment, previous)
        elif segment.name == "DG1" or _is_further(segment):
            shared.append(segment)
        previous = segment.name if segment.name != "NTE" else previous
    for group in groups:
        group.further[:0] = [segment for segment in shared if segment.name != "DG1"]
        for detail in group.details:
            detail.diagnoses = detail.diagnoses or [segment for segment in shared if segment.name == "DG1"]
    return _joined(groups)


_PRIOR = "PR"
"""ORC-1 (table 0119) of previous results that come with a new order."""

_FURTHER = ("IN1", "IN2", "IN3", "GT1")


_MOST, _LONGEST = 40, 1000


def readable_segments(segments: list[Segment]) -> list[dict[str, Any]]:
    """Return segments as people read them, as they are kept with an order; of very many or long ones the beginning."""
    found = []
    for segment in segments[:_MOST]:
        texts = ((f"{segment.name}-{number}", segment.text(number)[:_LONGEST]) for number in range(1, segment.length))
        found.append({"segment": segment.name, "fields": [[place, text] for place, text in texts if text]})
    return found


def further_segments(message: Message) -> list[dict[str, Any]]:
    """Return insurance, guarantor and the sender's own segments of a message, as people read them."""
    return readable_segments([segment for segment in message if _is_further(segment)])


def _is_further(segment: Segment) -> bool:
    return segment.name in _FURTHER or (segment.name.startswith("Z") and segment.name != "ZDS")


def _add(group: Group, segment: Segment, previous: str) -> None:
    current = group.details[-1] if group.details else None
    if segment.name == "OBR":
        group.details.append(Detail(segment))
    elif segment.name == "TQ1":
        if current is None:
            group.tq1 = group.tq1 or segment
        else:
            current.tq1 = current.tq1 or segment
    elif segment.name == "NTE" and previous not in ("OBX", "DG1", "CTI"):
        text = segment.text(3)
        if text and current is not None and previous == "IPC":
            current.ipc_comments.setdefault(len(current.ipcs) - 1, []).append(text)
        elif text:
            (current or group).comments.append(text)
    elif segment.name == "IPC":
        if current is not None:
            current.ipcs.append(segment)
    elif segment.name == "DG1":
        if current is not None:
            current.diagnoses.append(segment)
    elif _is_further(segment):
        group.further.append(segment)
    elif segment.name == "ZDS":
        # One at the end speaks for all procedures of the order that have none of their own (IHE RAD-4).
        for detail in group.details:
            detail.zds = detail.zds or segment


def _joined(groups: list[Group]) -> list[Group]:
    by_number: dict[tuple[str, str, tuple[str, str]], Group] = {}
    joined = []
    for group in groups:
        key = (group.control, group.status, group.number(2))
        first = by_number.get(key) if key[2][0] else None
        if first is None:
            by_number[key] = group
            joined.append(group)
            continue
        for detail in group.details:
            detail.tq1 = detail.tq1 or group.tq1
        first.details += group.details
        first.further += [segment for segment in group.further if segment not in first.further]
        first.comments += [text for text in group.comments if text not in first.comments]
    return joined


def _said(segment: Segment, path: str) -> str:
    value = segment.get(path)
    return value if value and value is not NULL else ""
