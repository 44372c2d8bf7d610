"""Who looked at what, and who changed the catalogue or an account: events written by the screens.

Changes of patients and orders are not told here: the verbs tell those.
"""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.http import HttpRequest

from ris.actor import Actor, ActorKind
from ris.models import Event, EventKind, Order, Patient, ScheduledProcedureStep
from ris.models.event import name_of


def actor_of(request: HttpRequest) -> Actor:
    """Return the signed-in person of a request, with the address they work from."""
    user = request.user
    return Actor(ActorKind.USER, user.get_username(), user_id=user.pk, address=address_of(request))


def address_of(request: HttpRequest | None) -> str:
    """Return the network address that a request came from; empty where there is none."""
    return str(request.META.get("REMOTE_ADDR") or "")[:64] if request is not None else ""


def subject_of(row: models.Model) -> str:
    """Return how an event names any row: "app.model:id"."""
    return f"{row._meta.label_lower}:{row.pk}"


def patient_viewed(
    request: HttpRequest,
    patient: Patient,
    *,
    order: Order | None = None,
    step: ScheduledProcedureStep | None = None,
    subject: str = "",
) -> None:
    """Tell that a page about one patient, or about something of theirs, was shown."""
    Event.objects.record(
        EventKind.PATIENT_VIEWED,
        by=actor_of(request),
        patient=patient,
        order=order,
        step=step,
        subject=subject,
        data={"path": request.path},
    )


def document_printed(request: HttpRequest, document: str, patient: Patient, *, order: Order | None = None) -> None:
    """Tell that somebody printed a document (its name in ris.views.printing) about a patient."""
    Event.objects.record(
        EventKind.DOCUMENT_PRINTED,
        by=actor_of(request),
        patient=patient,
        order=order,
        data={"document": document},
    )


def patients_listed(request: HttpRequest, patients: Iterable[int], *, search: str = "", subject: str = "") -> None:
    """Tell that a list was shown, what was searched for, and which patients (by primary key) were in it."""
    data: dict[str, Any] = {"path": request.path, "patients": sorted(set(patients))}
    if search:
        data["search"] = search[:250]
    Event.objects.record(EventKind.PATIENTS_LISTED, by=actor_of(request), subject=subject, data=data)


def record_viewed(request: HttpRequest, subject: str, *, search: str = "") -> None:
    """Tell that a record that is no patient's, or a list of such, was shown."""
    data = {"path": request.path} | ({"search": search[:250]} if search else {})
    Event.objects.record(EventKind.RECORD_VIEWED, by=actor_of(request), subject=subject, data=data)


def row_changed(request: HttpRequest, kind: EventKind, row: models.Model, change: str, details: dict[str, Any]) -> None:
    """Tell that a person changed a row of the catalogue or an account.

    change: added, changed or deleted. details: what the form changed, without any password.
    """
    Event.objects.record(
        kind,
        by=actor_of(request),
        subject=subject_of(row),
        data={"change": change, "name": name_of(row), **details},
    )
