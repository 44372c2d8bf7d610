"""What worklist.why finds, as people read it."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from ris.models import ScheduledProcedureStep
from ris.models.step import Gate
from ris.states import ON_WORKLIST, StepState
from worklist import refusals
from worklist.answer import Row
from worklist.charsets import UTF_8
from worklist.conditions import PROFILE_RULES, Part, wall_clock
from worklist.identifier import Match
from worklist.matching import EMPTY, AllOf, AnyOf, Condition, DateSpan, Single, Wildcard, Window
from worklist.models import QueryLog, Road
from worklist.profile_pages import WORDS
from worklist.profiles import PLAIN, Profile
from worklist.why import Explanation, Line

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

SUCCESS, CANCELED = "0000", "FE00"


@dataclass(frozen=True)
class Told:
    """One line of the table: what it is about, what is asked for, what the step has, whether that fits."""

    label: str
    asked: str
    has: str
    holds: bool


def told(line: Line, step: ScheduledProcedureStep, profile: Profile = PLAIN, ae_title: str = "") -> Told:
    """Return a line in words. profile, ae_title: of the caller."""
    part = line.part
    match part.wanted:
        case Match():
            has = _values(line)
        case Window():
            has = _start(line, profile)
        case _ if part.name == "profile_days":
            has = _start(line, profile)
        case _ if part.name in PROFILE_RULES:
            has = _profiled(part.name, step)
        case _:
            return _rule(part.name, step, line.holds)
    return Told(*wanted_in_words(part, profile, ae_title), has, line.holds)


def wanted_in_words(part: Part, profile: Profile = PLAIN, ae_title: str = "") -> tuple[str, str]:
    """Return what a key, or a rule of the caller's profile, is about, and what it asks for."""
    match part.wanted:
        case Match():
            asked = _condition(part.wanted.condition)
            if part.name == "ScheduledStationAETitle" and (own := profile.meant(ae_title, asked)) != asked:
                asked = _("%(alias)s, which means %(station)s") % {"alias": asked, "station": own}
            return part.wanted.attribute.name, asked
        case Window():
            return _("Start date and time"), _on_clock(window_in_words(part.wanted), profile)
    return _("Station profile"), _profile(part.name, profile, ae_title)


def _rule(name: str, step: ScheduledProcedureStep, holds: bool) -> Told:
    order = step.requested_procedure.order
    if name == "state":
        wanted = ", ".join(str(state.label) for state in StepState if state in ON_WORKLIST)
        has = step.get_state_display()
        return Told(_("State"), _("one of: %s") % wanted, has, holds)
    if name == "hold":
        return Told(_("Hold"), _("not on hold"), _("on hold") if order.on_hold else _("not on hold"), holds)
    if name == "gate":
        has = str(Gate(step.gate).label) if step.gate else _("no question applies")
        return Told(_("Safety gate"), _("let through, or begun"), has, holds)
    has = _("in use") if order.patient.merged_into_id is None else _("merged into another one")
    return Told(_("Patient's record"), _("in use"), has, holds)


def _profile(name: str, profile: Profile, ae_title: str) -> str:
    """Return what the profile of a device asks of a step."""
    if name == "profile_stations":
        return _("a station that the device may see: %s") % ", ".join(sorted(profile.visible(ae_title) or ()))
    if name == "profile_states":
        shown = ", ".join(str(state.label) for state in StepState if state in ON_WORKLIST - profile.hidden)
        return _("a state that is not hidden from the device: %s") % shown
    words = [_("at most %d days back") % profile.look_back] if profile.look_back is not None else []
    words += [_("at most %d days ahead") % profile.look_ahead] if profile.look_ahead is not None else []
    return ", ".join(words)


def _profiled(name: str, step: ScheduledProcedureStep) -> str:
    """Return what of a step a rule of the profile is about."""
    if name == "profile_stations":
        return step.station.ae_title if step.station else "–"
    return step.get_state_display()


def _start(line: Line, profile: Profile) -> str:
    """Return when a step starts, by the clock that the question goes by: the device's own, else its site's."""
    return _on_clock(_moment(wall_clock(line.row, profile)), profile) if line.row["start"] else _("no time yet")


def _on_clock(words: str, profile: Profile) -> str:
    """Name the time zone where it is not the one of the site."""
    return f"{words} ({profile.time_zone})" if profile.time_zone else words


def _condition(condition: Condition) -> str:
    match condition:
        case Single(value):
            return value
        case Wildcard(pattern):
            return pattern
        case AnyOf(conditions):
            return _(" or ").join(_condition(one) for one in conditions)
        case AllOf(conditions):
            return _(" and ").join(_condition(one) for one in conditions)
        case DateSpan(low, high):
            return _span(low, high)
    return _("no value") if condition is EMPTY else _("anything")


def window_in_words(window: Window) -> str:
    """Return when a step may start."""
    words = [_span(window.low, window.high)] if window.low or window.high else []
    if window.daily is not None:
        daily = _span(window.daily.low, window.daily.high)
        words.append(_("at %s of any day") % daily)
    return ", ".join(words)


def _span(low: object, high: object) -> str:
    if low == high:
        return _moment(low)
    if low and high:
        return _("%(low)s to %(high)s") % {"low": _moment(low), "high": _moment(high)}
    return _("from %s on") % _moment(low) if low else _("until %s") % _moment(high)


def _moment(moment: object) -> str:
    if isinstance(moment, time):
        return time_format(moment, "TIME_FORMAT")
    assert isinstance(moment, date)
    return date_format(moment, "DATETIME_FORMAT" if isinstance(moment, datetime) else "DATE_FORMAT")


def _values(line: Line) -> str:
    """Return what the step has in the columns that were compared."""
    row: Row = line.row
    wanted = line.part.wanted
    values = [row[path] for path in wanted.paths] if isinstance(wanted, Match) else []
    texts = [_moment(value) if isinstance(value, date) else str(value or "") for value in values]
    return "=".join(texts).rstrip("=") or _("nothing")


ADVICE: dict[str, "_StrPromise"] = {
    "state": _lazy("Book the exam, or open it again if it was closed by mistake."),
    "hold": _lazy("Release the order."),
    "gate": _lazy("Answer the safety questions of the order, or let the exam through."),
    **{
        name: _lazy("The station profile of the device hides this exam. Change it if that is not meant.")
        for name in PROFILE_RULES
    },
    "merged": _lazy("The order belongs to a record that was merged away: tell informatics."),
    "ScheduledProcedureStepStartDate": _lazy("Choose the day of the exam in the scanner, or move the exam."),
    "hour": _lazy("The day is right, the hour is not: ask for other hours at the scanner, or move the exam."),
    "ScheduledStationAETitle": _lazy(
        "The scanner asks for another AE title than the exam's station. Move the exam to that station, or set the AE "
        "title in the scanner's query."
    ),
    "Modality": _lazy("The scanner asks for another modality. Correct the exam, or the scanner's query."),
    "IssuerOfPatientID": _lazy(
        "The scanner asks for a number of another authority. Correct the issuer in the scanner's query, or with "
        "the patient."
    ),
    **{
        name: _lazy(
            "The scanner asks for another one than the exam has. Look for a name or number typed at the scanner."
        )
        for name in ("PatientName", "PatientID", "AccessionNumber", "RequestedProcedureID", "ScheduledProcedureStepID")
    },
    "": _lazy("The scanner asks for another value than the exam has. Correct its query, or the value of the exam."),
}
"""What to do where a step fails a part of a question, by its name; `hour`: of the right day."""


def advice(line: Line, profile: Profile = PLAIN) -> str:
    """Return what to do where a line does not hold. profile: of the caller."""
    if line.holds:
        return ""
    window = line.part.wanted
    if not isinstance(window, Window) or not line.row["start"]:
        return str(ADVICE.get(line.part.name, ADVICE[""]))
    right_day = window.has_day(wall_clock(line.row, profile).date())
    found = str(ADVICE["hour" if right_day else line.part.name])
    if profile.time_zone:
        words = _("The station profile gives the device a clock of its own (%s): correct that if it is not so.")
        found += " " + words % profile.time_zone
    return found


def verdict(step: ScheduledProcedureStep, query: QueryLog | None, now: Explanation) -> list[str]:
    """Return in a few sentences what became of a step in a query, and what would become of it now."""
    return [*_then(step, query), *_now(step, query, now)]


def _then(step: ScheduledProcedureStep, query: QueryLog | None) -> list[str]:
    """Tell what the query was answered."""
    if query is None:
        return []
    found = []
    if query.status == CANCELED:
        found.append(_("The scanner broke the query off before all answers were sent."))
    elif query.status != SUCCESS:
        words = _("The scanner got no list: the query was refused with status %(status)s (%(comment)s).")
        found.append(words % {"status": query.status, "comment": query.comment or "–"})
    elif query.comment:
        found.append(_("The query was not answered to its end: %s.") % query.comment)
    if step.pk in query.step_ids:
        found.append(_("This exam was sent to the scanner."))
    elif step.pk in query.skipped:
        found.append(_("This exam was left out, because it holds something that DICOM cannot write."))
    return found


def _now(step: ScheduledProcedureStep, query: QueryLog | None, now: Explanation) -> list[str]:
    """Tell what the same query would be answered now."""
    if now.unread:
        return [_("It has no keys that can be read, so nothing can be held against the exam. Correct the request.")]
    if now.refused:
        words = _("This query cannot be answered: %(comment)s (status %(status)s).")
        found = [words % {"comment": refusals.in_words(now.refused), "status": f"{now.refused.status:04X}"}]
        return found + ([_("Besides, it does not fit: %s.") % _failed(step, now)] if now.against else [])
    if now.unwritable:
        words = _("Every key fits, but the exam is left out: %s is missing or cannot be written in DICOM.")
        return [words % now.unwritable]
    if now.cut:
        words = _("Every key fits, but more exams match than the device takes: it gets the %d that start last.")
        return [words % now.matches]
    if now.elsewhere:
        return [_("Every key fits, but the exam is on another page of the answers than the one that was asked for.")]
    if not now.found:
        sent = query is not None and step.pk in query.step_ids
        words = _("It does not fit any more: %s.") if sent else _("It does not fit: %s.")
        return [words % _failed(step, now)]
    found = []
    if query is None:
        found.append(_("If the scanner asked for itself and the day of the exam, it would get this exam."))
    elif step.pk not in query.step_ids:
        found.append(_("Every key fits now: the scanner gets this exam when it asks again. Something has changed."))
    else:
        found.append(_("Every key fits still: if the exam is not seen there, the scanner hides it."))
    return [*found, *_spelled(query, now)]


def _failed(step: ScheduledProcedureStep, now: Explanation) -> str:
    return ", ".join(told(line, step).label for line in now.against)


def _spelled(query: QueryLog | None, now: Explanation) -> list[str]:
    """Tell what of an exam the device may not be able to read, and what it gets otherwise than it is stored."""
    found = []
    for change in now.changes:
        words = _("The device gets %(attribute)s otherwise than it is kept here: %(how)s.")
        found.append(words % {"attribute": change.keyword, "how": WORDS[change.what]})
    spoken = str(query.keys.get("SpecificCharacterSet", "")) if query else ""
    agreed = now.character_set == now.profile.character_set != UTF_8
    asked_for_letters = query is not None and query.road == Road.FIND  # over DICOMweb all is in UTF-8
    if now.character_set and query and asked_for_letters and not agreed and now.character_set not in spoken.split("\\"):
        words = _(
            "The answer is written in %(sent)s, because it holds more than ASCII; the scanner asked in %(spoken)s. A "
            "scanner that cannot read it may hide the exam: say in its station profile what it reads."
        )
        found.append(words % {"sent": now.character_set, "spoken": spoken or "ASCII"})
    return found
