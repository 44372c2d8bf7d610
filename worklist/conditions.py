"""What a query asks for and what its caller may see, as SQL; and the checks that SQL cannot make."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from django.db.models import Exists, FilteredRelation, OuterRef, Q

from ris import findable
from ris.models import PatientIdentifier, ScheduledProcedureStep
from ris.models.step import WORKLIST_RULES, StepQuerySet
from ris.person_name import fold
from ris.states import ON_WORKLIST
from worklist import lookups as lookups  # registers `fits`
from worklist.answer import Row, site_zone
from worklist.attributes import IDENTIFIER, PATIENT, SITE_ZONE
from worklist.identifier import Match, Request
from worklist.matching import EMPTY, AllOf, AnyOf, Condition, DateSpan, Single, Wildcard, Window
from worklist.profiles import PLAIN, Profile

EASTMOST, WESTMOST = timedelta(hours=14), timedelta(hours=12)
"""How far the wall clocks of the world are ahead of UTC and behind it."""
STATION = "station__ae_title"
PATIENT_NAME = PATIENT + "patient_name_folded"
NUMBER, ISSUER = IDENTIFIER + "value", IDENTIFIER + "issuer"

Check = tuple[tuple[str, ...], Callable[[Row], bool]]
"""What SQL cannot decide: the columns that it takes, and the decision, which is kept for rows that are the same."""


@dataclass(frozen=True)
class Part:
    """One thing that a step must meet to be an answer: a rule of the worklist or a key of the query.

    A step is an answer when it meets every part, so each can also be asked alone (worklist.why).

    name: the key of the rule in RULES, one of PROFILE_RULES, or the keyword of the key. terms: what SQL can tell.
    check: what is left. wanted: what the key asks for; start date and start time are one part, with a window.
    alone: of keys that one search answers together (a number and its issuer), what this one asks for by itself. A step
    meets all of those where it meets the terms.
    """

    name: str
    terms: Q = field(default_factory=Q)
    check: Check | None = None
    wanted: Match | Window | None = None
    alone: Q | None = None

    @property
    def by_itself(self) -> Q:
        """What SQL can tell of this part alone."""
        return self.terms if self.alone is None else self.alone


RULES: dict[str, Q] = {**WORKLIST_RULES, "merged": Q(**{PATIENT + "merged_into__isnull": True})}
"""What holds for every query, by name: what puts a step on the worklist at all."""

PROFILE_RULES = ("profile_stations", "profile_states", "profile_days")
"""What a caller's profile may add: stations that it sees, states, days around today."""


def candidates() -> StepQuerySet:
    """Return every step, with the alias that the paths of the table need."""
    return ScheduledProcedureStep.objects.alias(
        primary_identifier=FilteredRelation(
            PATIENT + "identifiers", condition=Q(**{PATIENT + "identifiers__primary": True})
        )
    )


def parts(request: Request, ae_title: str = "", profile: Profile = PLAIN) -> list[Part]:
    """Return everything that a step must meet to be an answer: rules of the worklist, keys, rules of the profile.

    ae_title, profile: of the caller.
    """
    found = [Part(name, terms) for name, terms in RULES.items()]
    window = request.window
    if not window.open:
        exactly: Check = (("start", SITE_ZONE), lambda row: window.contains(wall_clock(row, profile)))
        found.append(Part("ScheduledProcedureStepStartDate", _coarse(window), exactly, window))
    for match in request.matches:
        if match.condition is EMPTY:
            found.append(Part(match.attribute.keyword, _without_value(match), wanted=match))
        elif match.folded and match.path != match.attribute.folded:
            # No column keeps this name without case and accents.
            found.append(Part(match.attribute.keyword, check=((match.path,), _name_check(match)), wanted=match))
        else:
            condition = _meant(match.condition, ae_title, profile) if match.path == STATION else match.condition
            terms = _number(request, match, profile) or _term(match.path, condition, folded=match.folded)
            if request.ways.by_ear and match.path == PATIENT_NAME:
                terms |= _by_ear(condition)
            found.append(Part(match.attribute.keyword, terms, wanted=match, alone=_alone(request, match, profile)))
    return [*found, *_parts_of(profile, ae_title)]


def matching(request: Request, ae_title: str, profile: Profile) -> tuple[StepQuerySet, list[Check]]:
    """Return the steps that match and that the caller may see as far as SQL can tell, and the checks that are left."""
    terms = Q()
    checks: list[Check] = []
    for part in parts(request, ae_title, profile):
        terms &= part.terms
        checks += [part.check] if part.check else []
    order = ("-start", "-sps_id") if profile.newest_first else ("start", "sps_id")
    return candidates().filter(terms).order_by(*order), checks


def replacements(request: Request, ae_title: str, profile: Profile) -> dict[str, Callable[[Any], Any]]:
    """Return the columns whose values the caller gets otherwise, and how: its alias, its clock."""
    found: dict[str, Callable[[Any], Any]] = {}
    if profile.time_zone:
        found[SITE_ZONE] = lambda _zone: profile.time_zone
    aliases = _aliases_asked(request, ae_title, profile)
    if aliases:
        found[STATION] = lambda title: aliases.get(title, title)
    return found


def _aliases_asked(request: Request, ae_title: str, profile: Profile) -> dict[str, str]:
    """Return the AE title of the caller's station -> the alias by which the caller asked for it."""
    asked = [one.value for match in request.matches if match.path == STATION for one in _singles(match.condition)]
    own = profile.own(ae_title)
    alias = next((title for title in asked if title != own and profile.meant(ae_title, title) == own), "")
    return {own: alias} if alias else {}


def _parts_of(profile: Profile, ae_title: str) -> Iterator[Part]:
    """Return what a profile lets its device see."""
    visible = profile.visible(ae_title)
    if visible is not None:
        yield Part("profile_stations", Q(station__ae_title__in=sorted(visible)))
    if profile.hidden:
        yield Part("profile_states", Q(state__in=sorted(ON_WORKLIST - profile.hidden)))
    if profile.has_window:
        now = this_quarter()
        first, last = profile.window(now.date())
        # Today may be a day earlier or later at the site than it is in UTC.
        low = datetime.combine(first - timedelta(days=1), time.min) if first else None
        high = datetime.combine(last + timedelta(days=1), time.max) if last else None
        yield Part(
            "profile_days", _coarse(Window(low, high)), (("start", SITE_ZONE), lambda row: _shows(profile, row, now))
        )


def this_quarter() -> datetime:
    """Return the last quarter of an hour: a day begins at one of them everywhere, so until the next it is the same."""
    now = datetime.now(UTC)
    return now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)


def _shows(profile: Profile, row: Row, now: datetime) -> bool:
    return profile.shows(wall_clock(row, profile).date(), now.astimezone(_zone(row, profile)).date())


def _meant(condition: Condition, ae_title: str, profile: Profile) -> Condition:
    """Put the station's own AE title for those that mean it."""
    if isinstance(condition, AnyOf | AllOf):
        return type(condition)(tuple(Single(profile.meant(ae_title, one.value)) for one in _singles(condition)))
    return Single(profile.meant(ae_title, condition.value)) if isinstance(condition, Single) else condition


def authority_of(request: Request, profile: Profile) -> str:
    """Return whose numbers are meant by Patient ID: the issuer asked for beside one, else that of the profile.

    Empty where the primary number is meant.
    """
    asked = {match.path: match.condition for match in request.matches if match.path in (NUMBER, ISSUER)}
    issuer = asked.get(ISSUER)
    if issuer is None:
        return profile.issuer
    return issuer.value if asked.get(NUMBER, EMPTY) is not EMPTY and isinstance(issuer, Single) else ""


def number_asked(request: Request) -> Q:
    """Return the condition on the number itself that a query makes beside its issuer."""
    asked = {match.path: match.condition for match in request.matches if match.path in (NUMBER, ISSUER)}
    return _term("value", asked[NUMBER]) if len(asked) == 2 and EMPTY not in asked.values() else Q()


def _number(request: Request, match: Match, profile: Profile) -> Q | None:
    """Return what Patient ID and its issuer ask for where another number than the primary one may be meant."""
    authority = authority_of(request, profile)
    if not authority or match.path not in (NUMBER, ISSUER):
        return None
    patient = PATIENT + "pk__in"
    of_authority = PatientIdentifier.objects.filter(issuer=authority).order_by()
    number = number_asked(request)
    if number:
        return Q(**{patient: of_authority.filter(number).values("patient")})
    found = Q(**{patient: of_authority.filter(_term("value", match.condition)).values("patient")})
    has_none = ~Q(Exists(of_authority.filter(patient=OuterRef(PATIENT + "pk"))))
    return found | (_term(NUMBER, match.condition) & has_none)


def _alone(request: Request, match: Match, profile: Profile) -> Q | None:
    """Return what Patient ID, or the issuer beside it, asks for by itself; None for other keys and without both.

    A patient who has the number, but not of that issuer, fails the issuer alone; one who has another number fails it.
    """
    number = number_asked(request)
    if not number or match.path not in (NUMBER, ISSUER) or not authority_of(request, profile):
        return None
    of_patient = PatientIdentifier.objects.filter(patient=OuterRef(PATIENT + "pk")).order_by()
    of_authority = of_patient.filter(issuer=authority_of(request, profile))
    has_number = Exists(of_patient.filter(number))
    if match.path == NUMBER:
        return Q(has_number)
    return Q(Exists(of_authority.filter(number))) | (Q(Exists(of_authority)) & ~Q(has_number))


def _by_ear(condition: Condition) -> Q:
    """Return what sounds like the key: each of its words begins a word of the patient's names, or sounds like one."""
    conditions = condition.conditions if isinstance(condition, AnyOf) else (condition,)
    found = Q(pk__in=[])
    for one in conditions:
        text = one.pattern if isinstance(one, Wildcard) else one.value if isinstance(one, Single) else ""
        words = re.split(r"[\s^*?]+", text)
        terms = Q()
        for word in filter(None, words):
            sounding = Q(**{PATIENT + "search_text__contains": findable.spread(word)})
            for code in findable.codes_of(word):
                sounding |= Q(**{PATIENT + "sounds__contains": f" {code} "})
            terms &= sounding
        found |= terms if terms else Q(pk__in=[])
    return found


def _singles(condition: Condition) -> list[Single]:
    conditions = condition.conditions if isinstance(condition, AnyOf | AllOf) else (condition,)
    return [one for one in conditions if isinstance(one, Single)]


def _term(path: str, condition: Condition, *, folded: bool = False) -> Q:
    """Return a condition on one column as SQL. An empty column never matches (PS3.4 C.2.2.2.1)."""
    match condition:
        case Single(value):
            return Q(**{path: fold(value) if folded else value})
        case Wildcard(pattern):
            return Q(**{f"{path}__fits": fold(pattern) if folded else pattern}) & ~Q(**{path: ""})
        case AnyOf(conditions):
            terms = Q()
            for one in conditions:
                terms |= _term(path, one, folded=folded)
            return terms
        case AllOf(conditions):
            terms = Q()
            for one in conditions:
                terms &= _term(path, one, folded=folded)
            return terms
        case DateSpan(low, high):
            terms = Q(**{f"{path}__isnull": False})
            terms &= Q(**{f"{path}__gte": low}) if low else Q()
            return terms & Q(**{f"{path}__lte": high}) if high else terms
        case _:
            raise TypeError(type(condition).__name__)


def _without_value(match: Match) -> Q:
    """Return what holds where nothing is stored (PS3.4 C.2.2.2.7)."""
    missing = Q(**{f"{match.path}__isnull": True})
    return missing if match.attribute.vr in ("DA", "TM") else missing | Q(**{match.path: ""})


def _coarse(window: Window) -> Q:
    """Narrow the start in UTC to what any time zone could mean; the exact check follows, site by site."""
    terms = Q()
    if window.low is not None and window.low.year > 1:
        terms &= Q(start__gte=window.low.replace(tzinfo=UTC) - EASTMOST)
    if window.high is not None and window.high.year < 9999:
        terms &= Q(start__lte=window.high.replace(tzinfo=UTC) + WESTMOST)
    return terms


def wall_clock(row: Row, profile: Profile = PLAIN) -> datetime:
    """Return the start as the clock at the site, or of the caller, shows it, without a time zone."""
    start: datetime = row["start"]
    return start.astimezone(_zone(row, profile)).replace(tzinfo=None)


def _zone(row: Row, profile: Profile) -> tzinfo:
    return site_zone({SITE_ZONE: profile.time_zone} if profile.time_zone else row)


def _name_check(match: Match) -> Callable[[Row], bool]:
    conditions = match.condition.conditions if isinstance(match.condition, AnyOf) else (match.condition,)
    patterns = [
        Wildcard(fold(one.pattern if isinstance(one, Wildcard) else one.value))
        for one in conditions
        if isinstance(one, Single | Wildcard)
    ]

    def fits(row: Row) -> bool:
        stored = fold(row[match.path] or "").rstrip("^ ")
        return bool(stored) and any(pattern.fits(stored) for pattern in patterns)

    return fits
