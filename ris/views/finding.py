"""Find patients as somebody types, and say why each one is found."""

from dataclasses import dataclass, field

from django.db.models import Case, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from ris import audit, findable, person_name
from ris.models import Patient, PatientIdentifier
from ris.models.patient import PatientQuerySet
from ris.views import frame
from ris.views.searching import normal

SHOWN = 12
"""Patients shown while typing."""
FEW = 50
"""Where fewer than these are found, those whose names sound alike are looked for as well."""
LISTED = 1000
"""Patients that a list goes through; who looks for others types more."""
HEARD = 500
"""Names that sound alike, of which the closest are shown."""


@dataclass(frozen=True)
class Found:
    """A patient and what led to them, in words; by_ear: only the sound did."""

    patient: Patient
    why: list[str] = field(default_factory=list)


def patients(rows: PatientQuerySet, text: str) -> PatientQuerySet:
    """Narrow a list to the patients whom the words mean, at most LISTED; where these are few, who sounds alike follows.

    The keys are looked up first: to read a million patients by name until enough fit takes seconds.
    """
    keys = _meant(rows, text, LISTED)
    if len(keys) >= FEW:
        return rows.filter(pk__in=keys)
    keys += _by_ear(rows, text, keys)[: FEW - len(keys)]
    order = Case(*(When(pk=key, then=Value(place)) for place, key in enumerate(keys)), default=Value(0))
    return rows.filter(pk__in=keys).order_by(order)


def find(rows: PatientQuerySet, text: str, most: int = SHOWN) -> list[Found]:
    """Return the patients whom the words mean, then those who sound alike, and why each is found."""
    keys = _meant(rows, text, most)
    if len(keys) < most:
        keys += _by_ear(rows, text, keys)[: most - len(keys)]
    found = {row.pk: row for row in rows.filter(pk__in=keys).order_by().prefetch_related("identifiers")}
    return explain([found[key] for key in keys if key in found], text)


def _meant(rows: PatientQuerySet, text: str, most: int) -> list[int]:
    """Return patients whom all words mean, those whose family name begins with the first word before the others.

    Each question stops when it has enough: of a very common name these are any.
    """
    words = findable.words(normal(text))
    if not words:
        return []
    meant = rows.search(normal(text)).order_by()
    first = meant.filter(patient_name_folded__startswith=words[0].part.strip())
    found: dict[int, str] = {}
    for names in (first, meant):
        if len(found) < most:
            more = dict(names.values_list("pk", "patient_name_folded")[:most])
            found |= dict(sorted(more.items() - found.items(), key=lambda row: (row[1], row[0])))
    return list(found)[:most]


def _by_ear(rows: PatientQuerySet, text: str, known: list[int]) -> list[int]:
    """Return the patients whose names only sound like what was typed, the closest first."""
    if not any(word.codes for word in findable.words(normal(text))):
        return []
    heard = rows.search(normal(text), by_ear=True).exclude(pk__in=known).order_by()
    names = heard.values_list("pk", "patient_name")[:HEARD]
    typed = " ".join(word.typed for word in findable.words(normal(text)) if word.codes)
    return [key for key, name in sorted(names, key=lambda row: (-findable.closeness(typed, row[1]), row[0]))]


def explain(rows: list[Patient], text: str) -> list[Found]:
    """Say for each patient what of the words led to them."""
    words = findable.words(normal(text))
    numbers = _numbers(rows, words)
    return [Found(row, [why for word in words if (why := _why(row, word, numbers.get(row.pk, [])))]) for row in rows]


def _numbers(rows: list[Patient], words: list[findable.Word]) -> dict[int, list[PatientIdentifier]]:
    """Return for each patient the numbers, own ones and those of patients merged into them, that a word may name."""
    found = {row.pk: list(row.identifiers.all()) for row in rows}
    survivors = {row.pk: row.pk for row in rows}
    level = list(survivors) if any(any(map(str.isdigit, word.typed)) for word in words) else []
    while level:
        merged = Patient.objects.filter(merged_into__in=level).order_by().values_list("pk", "merged_into")
        survivors |= {pk: survivors[into] for pk, into in merged if into}
        level = [pk for pk, _into in merged]
    away = survivors.keys() - found.keys()
    for number in PatientIdentifier.objects.filter(patient__in=away).select_related("patient") if away else ():
        found[survivors[number.patient_id]].append(number)
    return found


def _why(patient: Patient, word: findable.Word, numbers: list[PatientIdentifier]) -> str:
    for number in numbers:
        if number.value.upper().startswith(word.typed.upper()):
            if number.patient_id == patient.pk:
                return _("number %(number)s (%(issuer)s)") % {"number": number.value, "issuer": number.issuer}
            said = {"number": number.value, "who": number.patient}
            return _("number %(number)s of %(who)s, who was merged into this patient") % said
    if word.day and word.day == patient.birth_date:
        return _("birth date")
    if word.part in findable.search_text(patient.names, ""):
        return _("name") if word.part in findable.spread(patient.patient_name) else _("name in another script")
    if word.phone and word.phone in patient.search_text:
        return _("phone %s") % patient.phone
    for group in patient.names:
        for name in person_name.display(group).replace(",", " ").split():
            if set(findable.codes_of(name)) & set(word.codes):
                return _("“%(name)s” sounds like “%(typed)s”") % {"name": name, "typed": word.typed}
    return ""


def live(request: HttpRequest) -> HttpResponse:
    """Answer with a part of a page: who is found by what is in the search box, and why."""
    frame.require(request, "ris.view_patient")
    text = request.GET.get("q", "").strip()
    found = find(Patient.objects.current(), text) if text else []
    if text:
        audit.patients_listed(request, [row.patient.pk for row in found], search=text, subject="ris.patient")
    return render(request, "desk/found.html", {"found": found, "text": text, "more": len(found) == SHOWN})
