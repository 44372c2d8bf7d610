"""The worklist as a station sees it, for screens."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.dsutils import encode

from ris.models import ScheduledProcedureStep
from worklist.answer import answer
from worklist.attributes import ATTRIBUTES, STEP_SEQUENCE
from worklist.callers import profile_for
from worklist.describe import Line, as_lines
from worklist.encoding import decode, syntax_of
from worklist.prepared import reply_to
from worklist.profiles import PLAIN, Profile
from worklist.query import Caller, find
from worklist.spelling import Change, Notes, What


@dataclass(frozen=True)
class Preview:
    """One step as the station would be sent it."""

    step_id: int
    data_set: Dataset
    lines: list[Line]


@dataclass(frozen=True)
class Listing:
    """A station's list. left_out: steps that would be on it but for a value that DICOM cannot write: id -> keyword."""

    previews: list[Preview]
    left_out: dict[int, str]


def station_worklist(ae_title: str, day: date | None = None) -> Listing:
    """Return what the station with this AE title gets when it asks for itself and one day, with every key.

    day: at the station's site; None asks for all days. Raises worklist.errors.QueryError as a scanner's query would.
    """
    result = find(usual_query(ae_title, day, profile_for(ae_title)), Caller(ae_title))
    previews = [Preview(one.step_id, one.data_set, list(as_lines(one.data_set))) for one in result]
    return Listing(previews, result.faults)


_OF_THE_TABLE = frozenset(one.keyword for row in (*ATTRIBUTES, *STEP_SEQUENCE.items) for one in (row, *row.items))
"""What the usual query asks for anyway, in itself or in a sequence."""


def usual_query(ae_title: str, day: date | None, profile: Profile = PLAIN) -> Dataset:
    """Return the identifier of a device that asks for itself and one day, with every attribute of the table.

    profile: whose rules name further attributes, which it asks for as well.
    """
    step = Dataset()
    for attribute in STEP_SEQUENCE.items:
        setattr(step, attribute.keyword, [] if attribute.vr == "SQ" else None)
    step.ScheduledStationAETitle = ae_title
    step.ScheduledProcedureStepStartDate = day.strftime("%Y%m%d") if day else ""
    identifier = Dataset()
    for attribute in ATTRIBUTES:
        setattr(identifier, attribute.keyword, [] if attribute.vr == "SQ" else None)
    identifier.ScheduledProcedureStepSequence = [step]
    for rule in profile.rules:
        if rule.keyword not in _OF_THE_TABLE:
            setattr(identifier, rule.keyword, None)
    return identifier


@dataclass(frozen=True)
class SentLine(Line):
    """One data element with the bytes of its value in hexadecimal, and how it differs from what is stored."""

    sent: str = ""
    changes: tuple[What, ...] = ()


@dataclass(frozen=True)
class Sent:
    """One step as it goes over the wire."""

    length: int
    transfer_syntax: str
    lines: list[SentLine]


def sent(step: ScheduledProcedureStep, ae_title: str, profile: Profile | None = None) -> Sent | None:
    """Return the bytes that a device gets of a step when it asks for it with every key; None where it gets nothing.

    ae_title: of the device. profile: instead of the one that it has. Raises worklist.errors.QueryError as a scanner's
    query would.
    """
    agreed = profile or profile_for(ae_title)
    identifier = usual_query(step.station.ae_title if step.station else "", None, agreed)
    identifier.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID = step.sps_id
    caller = Caller(ae_title)
    asked = encode(identifier, False, True) or b""
    data = next(iter(reply_to(asked, ExplicitVRLittleEndian, caller, profile)), None)
    if data is None:
        return None
    notes = Notes()
    result = find(identifier, caller, profile)
    for row in result.rows[:1]:
        answer(result.request, row, result.style, notes)
    lines = _sent_lines(decode(data, syntax_of(ExplicitVRLittleEndian)), notes.changes)
    return Sent(len(data), ExplicitVRLittleEndian.name, list(lines))


def _sent_lines(data_set: Dataset, changes: list[Change], depth: int = 0) -> Iterator[SentLine]:
    for tag in sorted(data_set.keys()):
        raw = data_set.get_item(tag)
        value = getattr(raw, "value", None)
        element = data_set[tag]
        line = next(as_lines(Dataset({tag: element}), depth))
        is_sequence = element.VR == "SQ"
        yield SentLine(
            depth,
            line.tag,
            line.keyword,
            line.vr,
            line.value,
            value.hex(" ") if isinstance(value, bytes) and not is_sequence else "",
            tuple(change.what for change in changes if change.keyword == line.keyword),
        )
        for item in element.value if is_sequence else ():
            yield from _sent_lines(item, changes, depth + 1)
