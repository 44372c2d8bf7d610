"""Messages of one patient in their order: while one waits for a person, its endpoint may have the later ones wait.

A message that failed or is kept for a person, of an endpoint whose policy is to wait, holds the numbers that it names
(PID and MRG). A later message that names one of them, or another number of the same patient, waits as well and holds
its own. When the earlier one is mended or dismissed its hold ends (docs/decisions/messages-wait-in-order.md).
"""

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from hl7.dialect import Waiting
from hl7.handlers import people
from hl7.message import Message
from hl7.models import Hold, InboundMessage
from hl7.values import FieldError
from ris.models import Patient, PatientIdentifier

Number = tuple[str, str]
"""Authority and value of a patient's number."""

_LONGEST = 250


def numbers_of(message: Message) -> set[Number]:
    """Return the patient numbers that a message names; none where they cannot be read."""
    found: set[Number] = set()
    try:
        for pid in message.all("PID"):
            found |= {(one.issuer, one.value) for one in people.identifiers(pid, 3, 2, 4)}
        for mrg in message.all("MRG"):
            found |= {(one.issuer, one.value) for one in people.identifiers(mrg, 1)}
    except FieldError:
        return set()
    return {(issuer[:_LONGEST], value[:_LONGEST]) for issuer, value in found}


def waits(message: Message) -> bool:
    """Tell whether messages of this sender wait for earlier ones of the same patient."""
    return message.dialect.waiting == Waiting.WAIT


def holder_of(message: Message, *, before: int | None = None) -> int | None:
    """Return the first message that holds a patient of this one; None when there is none.

    before: only messages with a smaller primary key count.
    """
    numbers = numbers_of(message)
    if not numbers:
        return None
    holds = Hold.objects.filter(_any(numbers | _of_the_same(numbers)))
    if before is not None:
        holds = holds.filter(message__lt=before)
    return holds.order_by("message_id").values_list("message_id", flat=True).first()


def _of_the_same(numbers: set[Number]) -> set[Number]:
    """Return every number of the patients whom these numbers name, also of those merged into them."""
    named = PatientIdentifier.objects.filter(_any(numbers)).values("patient")
    people_named = Patient.objects.filter(pk__in=named).values_list("pk", "merged_into")
    keys = {key for pair in people_named for key in pair if key is not None}
    same = PatientIdentifier.objects.filter(Q(patient__in=keys) | Q(patient__merged_into__in=keys))
    return set(same.values_list("issuer", "value"))


def _any(numbers: Iterable[Number]) -> Q:
    found = Q(pk__in=())
    for issuer, value in sorted(numbers):
        found |= Q(issuer=issuer, value=value)
    return found


def hold(row: InboundMessage, message: Message) -> None:
    """Have later messages of the same patients wait for this one, if its endpoint wants that."""
    if waits(message):
        numbers = sorted(numbers_of(message))
        Hold.objects.bulk_create([Hold(message=row, issuer=issuer, value=value) for issuer, value in numbers])


def earlier_than(row: InboundMessage) -> "QuerySet[InboundMessage]":
    """Return the messages that one waits for, the oldest first; those that name the patient by the same number."""
    numbers = list(row.holds.values_list("issuer", "value"))
    held = Hold.objects.filter(_any(numbers), message__lt=row.pk).order_by().values("message")
    return InboundMessage.objects.filter(pk__in=held).order_by("pk")


def release(keys: Iterable[int]) -> bool:
    """End what these messages hold; tells whether they held anything."""
    return bool(Hold.objects.filter(message__in=list(keys)).delete()[0])
