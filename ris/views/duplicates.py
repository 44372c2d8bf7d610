"""Who may be the person that is about to be registered, and why."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from ris import audit, findable, person_name
from ris.actions.patients import Identifier
from ris.actions.patients import find as holder_of
from ris.forms import RegisterForm
from ris.models import Patient
from ris.views import frame

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

SHOWN = 8
LOOKED_AT = 300
"""Patients of one birth date or one name that are compared."""


@dataclass(frozen=True)
class Alike:
    """A patient who may be the same person, with what speaks for it, the strongest first."""

    patient: Patient
    why: "list[_StrPromise]"
    weight: int


@dataclass(frozen=True)
class Said:
    """What has been typed of a new patient so far; anything may be missing."""

    names: tuple[str, str, str]
    born: Any = None
    phones: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The family name in Latin letters, folded."""
        return findable.spread(person_name.split(self.names[0])["family"]).strip()

    @property
    def given(self) -> str:
        """The given name in Latin letters, folded."""
        return findable.spread(person_name.split(self.names[0])["given"]).strip()

    @classmethod
    def of(cls, said: dict[str, Any]) -> "Said":
        """Take what a form of a person has understood so far."""
        names = (
            person_name.join(said.get("family", ""), said.get("given", "")),
            person_name.join(said.get("ideographic_family", ""), said.get("ideographic_given", "")),
            person_name.join(said.get("phonetic_family", ""), said.get("phonetic_given", "")),
        )
        phones = tuple(digits[-findable.TAIL :] for digits in findable.phone_numbers(said.get("phone", "")))
        return cls(names, said.get("birth_date"), phones)


def _hears(one: str, other: str) -> bool:
    return one == other or bool(set(findable.codes_of(one)) & set(findable.codes_of(other)))


def _same_name(said: Said, patient: Patient) -> bool:
    there = Said((patient.patient_name, "", ""))
    return bool(said.family) and (said.family, said.given) == (there.family, there.given)


def _sounds_alike(said: Said, patient: Patient) -> bool:
    there = Said((patient.patient_name, "", ""))
    family = bool(said.family and there.family) and _hears(said.family, there.family)
    return family and (not said.given or not there.given or _hears(said.given, there.given))


def _swapped(said: Said, patient: Patient) -> bool:
    there = Said((patient.patient_name, "", ""))
    return bool(said.given) and (said.family, said.given) == (there.given, there.family)


def _part_alike(said: Said, patient: Patient) -> bool:
    there = Said((patient.patient_name, "", ""))
    return any(one and other and _hears(one, other) for one, other in _both(said, there))


def _both(said: Said, there: Said) -> Iterable[tuple[str, str]]:
    return (said.family, there.family), (said.given, there.given)


def _same_script(said: Said, patient: Patient) -> bool:
    pairs = zip(said.names[1:], patient.names[1:], strict=True)
    return any(one and findable.spread(one) == findable.spread(other) for one, other in pairs)


def _same_day(said: Said, patient: Patient) -> bool:
    return said.born is not None and said.born == patient.birth_date


def _slipped_day(said: Said, patient: Patient) -> bool:
    """Tell whether two birth dates differ by one slip: day and month changed places, or one digit."""
    one, other = str(said.born or ""), str(patient.birth_date or "")
    if len(one) != 10 or len(other) != 10 or one == other:
        return False
    swapped = f"{one[:5]}{one[8:]}-{one[5:7]}" == other
    return swapped or sum(a != b for a, b in zip(one, other, strict=True)) == 1


def _same_phone(said: Said, patient: Patient) -> bool:
    there = {digits[-findable.TAIL :] for digits in findable.phone_numbers(patient.phone)}
    return bool(there & set(said.phones))


@dataclass(frozen=True)
class Sign:
    """One thing that speaks for the same person: its words and its weight; of those of one group the first counts."""

    group: str
    weight: int
    words: "_StrPromise"
    holds: Callable[[Said, Patient], bool]


SIGNS: tuple[Sign, ...] = (
    Sign("name", 4, _("same name"), _same_name),
    Sign("name", 3, _("name sounds the same"), _sounds_alike),
    Sign("name", 3, _("family and given name changed places"), _swapped),
    Sign("name", 2, _("family or given name sounds the same"), _part_alike),
    Sign("script", 3, _("same name in another script"), _same_script),
    Sign("birth date", 3, _("same birth date"), _same_day),
    Sign("birth date", 2, _("birth date differs by one slip"), _slipped_day),
    Sign("phone", 3, _("same phone"), _same_phone),
)
NUMBER_WEIGHT = 10
ENOUGH = 5
"""Weight from which on somebody is asked about: a name alone is not enough, a name and a birth date are."""


def probable(said: dict[str, Any]) -> list[Alike]:
    """Return the patients who may be the person of a form, the likeliest first."""
    person = Said.of(said)
    found = {alike.patient.pk: alike for alike in _by_number(said)}
    for patient in _candidates(person):
        signs: dict[str, Sign] = {}
        for sign in SIGNS:
            if sign.group not in signs and sign.holds(person, patient):
                signs[sign.group] = sign
        weight = sum(sign.weight for sign in signs.values())
        if weight >= ENOUGH and patient.pk not in found:
            found[patient.pk] = Alike(patient, [sign.words for sign in signs.values()], weight)
    return sorted(found.values(), key=lambda alike: (-alike.weight, alike.patient.pk))[:SHOWN]


def _by_number(said: dict[str, Any]) -> list[Alike]:
    if not (number := said.get("number", "").strip()):
        return []
    holder = holder_of(Identifier(number, said.get("issuer", "").strip()))
    return [Alike(holder, [_("has this number")], NUMBER_WEIGHT)] if holder else []


def _candidates(said: Said) -> list[Patient]:
    """Return whom to compare: who has the birth date, the phone, or a name like it. Each question has an index."""
    questions = [Q(birth_date=said.born)] if said.born else []
    questions += [Q(search_text__contains=tail) for tail in said.phones]
    questions += [Q(search_text__contains=findable.spread(name)) for name in said.names[1:] if name]
    if said.family and said.given:
        questions.append(Q(patient_name_folded=person_name.fold(said.names[0])))
        questions.append(_heard(said.family) & _heard(said.given))
    found: dict[int, Patient] = {}
    for question in questions:
        rows = Patient.objects.current().filter(question).order_by().prefetch_related("identifiers")
        found |= {row.pk: row for row in rows[:LOOKED_AT]}
    return list(found.values())


def _heard(name: str) -> Q:
    terms = Q(search_text__contains=f" {name}")
    for code in findable.codes_of(name):
        terms |= Q(sounds__contains=f" {code} ")
    return terms


def live(request: HttpRequest) -> HttpResponse:
    """Answer with a part of a page: who may be the person that is being typed."""
    frame.require(request, "ris.view_patient", "ris.add_patient")
    form = RegisterForm(request.POST or None)
    form.is_valid()
    alike = probable(form.cleaned_data) if form.is_bound else []
    if alike:
        audit.patients_listed(request, [one.patient.pk for one in alike], subject="ris.patient")
    return render(request, "desk/alike.html", {"alike": alike})
