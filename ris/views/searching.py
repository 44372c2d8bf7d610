"""What people type into a search box, and the rows it means."""

from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils.formats import get_format

from ris.models import Order, Patient, ScheduledProcedureStep
from ris.models.patient import PatientQuerySet

DATES = ("%d.%m.%Y", "%d/%m/%Y")
"""Ways to write a day that are understood in every language, besides ISO and the language's own."""


def normal(text: str) -> str:
    """Return what was typed with each birth date in ISO form, as Patient.objects.search takes it."""
    return " ".join(_iso(word) for word in text.split())


def _iso(word: str) -> str:
    if not word[:1].isdigit() or not any(sign in word for sign in ".-/"):
        return word
    for form in (*get_format("DATE_INPUT_FORMATS"), *DATES):
        try:
            return datetime.strptime(word, form).date().isoformat()  # noqa: DTZ007 (a day has no zone)
        except ValueError:
            continue
    return word


def patients(rows: PatientQuerySet, text: str) -> PatientQuerySet:
    """Narrow patients to those that the words mean: parts of names, identifiers, birth date."""
    return rows.search(normal(text))


def orders(rows: QuerySet[Order], text: str) -> QuerySet[Order]:
    """Narrow orders by accession number, placer's or filler's number, or by their patient."""
    found = Q(patient__in=Patient.objects.search(normal(text)).values("pk"))
    if " " not in text.strip():
        number = text.strip()
        found |= Q(accession_number__istartswith=number)
        found |= Q(placer_order_number__istartswith=number) | Q(filler_order_number__istartswith=number)
    return rows.filter(found)


def steps(rows: QuerySet[ScheduledProcedureStep], text: str) -> QuerySet[ScheduledProcedureStep]:
    """Narrow steps as orders are narrowed, and by the step's own ID."""
    found = Q(requested_procedure__order__in=orders(Order.objects.order_by(), text).values("pk"))
    return rows.filter(found | Q(sps_id__iexact=text.strip()))
