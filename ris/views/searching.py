"""What people type into a search box, and the rows it means."""

from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils.formats import get_format

from ris.models import Order, Patient, ScheduledProcedureStep

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


def orders(rows: QuerySet[Order], text: str) -> QuerySet[Order]:
    """Narrow orders by accession number, placer's or filler's number, or by their patient.

    A whole accession number means that one order: nothing else is looked for, which is ten times as fast.
    """
    number = text.strip()
    exact = rows.filter(accession_number=number.upper())
    if exact.exists():
        return exact
    found = Q(patient__in=Patient.objects.search(normal(text)).order_by().values("pk"))
    if " " not in number:
        found |= Q(accession_number__istartswith=number)
        found |= Q(placer_order_number__istartswith=number) | Q(filler_order_number__istartswith=number)
    return rows.filter(found)


def steps(rows: QuerySet[ScheduledProcedureStep], text: str) -> QuerySet[ScheduledProcedureStep]:
    """Narrow steps as orders are narrowed; a whole step ID means that one step.

    The orders are looked up first where they are few: PostgreSQL then goes by its indexes instead of reading all steps.
    """
    exact = rows.filter(sps_id=text.strip().upper())
    if exact.exists():
        return exact
    found = orders(Order.objects.order_by(), text).values_list("pk", flat=True)
    few = list(found[: FEW + 1])
    return rows.filter(requested_procedure__order__in=few if len(few) <= FEW else found)


FEW = 500
MOST_PATIENTS = 500


def about(text: str) -> Q:
    """Return the condition on events that are about the patients or the order that the words mean.

    Keys are looked up first, so that the database finds the events by its indexes; of a name that more than
    MOST_PATIENTS share, the first ones count.
    """
    people = list(Patient.objects.search(normal(text)).values_list("pk", flat=True)[:MOST_PATIENTS])
    numbers = list(Order.objects.filter(accession_number=text.strip().upper()).values_list("pk", flat=True))
    return Q(patient__in=people) | Q(order__in=numbers)
