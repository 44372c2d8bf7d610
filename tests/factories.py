"""The cast of the stories: a hospital, its stations, its exams, its patients and their orders.

    ct1 = factories.station("CT1")                         # makes the hospital as well, if it is not there yet
    jane = factories.patient("Doe^Jane", "4711")
    order = factories.order(patient=jane)                  # a CT of the abdomen, today at 10:00
    order = factories.order(exam=factories.exam("MRHEAD", modality="MR"), start=factories.today_at(9, 30))
    step = factories.step_of(order)

Everything is made as the department makes it: patients and orders through the verbs, the catalogue through `new`.
What is not said has a believable default; numbers that must be unique count on by themselves.
"""

import itertools
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from ris.actions import exams, orders, patients, visits
from ris.actions.requests import ProcedureRequest
from ris.actor import Actor, ActorKind, system
from ris.models import (
    Block,
    Closure,
    Exam,
    ExamStep,
    OpeningHours,
    Order,
    Patient,
    ProtocolCode,
    Resource,
    ScheduledProcedureStep,
    Site,
    Station,
    User,
    Visit,
)
from ris.roles import Role

BY: Actor = system("tests")
"""Who does it where a story does not care."""
CLERK = Actor(ActorKind.USER, "clara", address="127.0.0.1")
"""A person at the front desk, without an account row."""
HIS = Actor(ActorKind.HL7, "HIS|HOSPITAL", address="10.0.0.1", cause="hl7:1")
"""A hospital information system that sends messages."""

ISSUER = "HIS"
"""Who gives the patients of these stories their numbers."""
PASSWORD = "correct horse battery"

_numbers = itertools.count(1000)


def site(code: str = "HOSPITAL", **values: Any) -> Site:
    """Return the site of this code, made if it is not there yet; the first one is the default site."""
    found = Site.objects.filter(code=code).first()
    if found is not None:
        return found
    defaults = {
        "name": code.title(),
        "time_zone": "Europe/Berlin",
        "accession_prefix": code[0],
        "is_default": not Site.objects.exists(),
    }
    return Site.new(code=code, **(defaults | values))


def station(ae_title: str = "CT1", **values: Any) -> Station:
    """Return the station of this AE title, made if it is not there yet; its modality is how the title begins."""
    found = Station.objects.filter(ae_title=ae_title).first()
    if found is not None:
        return found
    defaults: dict[str, Any] = {
        "name": ae_title,
        "modality": ae_title[:2],
        "location": f"Room {ae_title}"[:16],
        "rank": 1 + Station.objects.count(),
    }
    values.setdefault("site", None)
    values["site"] = values["site"] or site()
    return Station.new(ae_title=ae_title, **(defaults | values))


def resource(name: str = "Injector 1", **values: Any) -> Resource:
    """Return the resource of this name, made if it is not there yet; equipment of the hospital unless said."""
    found = Resource.objects.filter(name=name).exclude(kind="SCANNER").first()
    if found is not None:
        return found
    values.setdefault("site", values["station"].site if values.get("station") else site())
    return Resource.new(name=name, **({"kind": "EQUIPMENT"} | values))


def hours(opens: str = "08:00", closes: str = "17:00", **values: Any) -> OpeningHours:
    """Open a `site` or a `resource` on workdays, or on the days of a `rule`."""
    return OpeningHours.new(opens=time.fromisoformat(opens), closes=time.fromisoformat(closes), **values)


def block(opens: str = "12:00", closes: str = "13:00", **values: Any) -> Block:
    """Block hours of every day, or of the days of a `rule`, for cleaning unless `kind` says otherwise."""
    defaults = {"kind": "CLEANING", "rule": "FREQ=DAILY", "reason": "Wipe down"}
    return Block.new(opens=time.fromisoformat(opens), closes=time.fromisoformat(closes), **(defaults | values))


def closure(start: datetime, end: datetime, **values: Any) -> Closure:
    """Close a `site` or a `resource` for maintenance."""
    return Closure.new(start=start, end=end, **({"kind": "MAINTENANCE", "reason": "New tube"} | values))


def exam(code: str = "CTABD", *, steps: Sequence[tuple[str, str, int]] = (), **values: Any) -> Exam:
    """Return the exam of this code, made if it is not there yet.

    steps: (description, modality, minutes) of each step of an exam that has several.
    """
    found = Exam.objects.filter(code=code, coding_scheme=values.get("coding_scheme", "L")).first()
    if found is not None:
        return found
    defaults: dict[str, Any] = {"meaning": f"Exam {code}", "modality": code[:2], "duration": 20}
    if code == "CTABD":
        defaults |= {"meaning": "CT abdomen with contrast", "body_part": "ABDOMEN", "contrast_agent": "Iodine 350"}
    made = Exam.new(code=code, **(defaults | values))
    for number, (description, modality, minutes) in enumerate(steps, start=1):
        ExamStep.new(exam=made, number=number, description=description, modality=modality, duration=minutes)
    return made


def protocol_code(of: Exam, code: str = "P-ABD", **values: Any) -> ProtocolCode:
    """Return a protocol code of an exam."""
    return ProtocolCode.new(exam=of, code=code, **({"meaning": f"Protocol {code}"} | values))


def patient(name: str = "Doe^Jane", number: str = "", *, issuer: str = ISSUER, **values: Any) -> Patient:
    """Register a patient; the number counts on where none is given."""
    defaults: dict[str, Any] = {"birth_date": date(1962, 4, 17), "sex": "F"}
    return patients.register(
        by=BY,
        identifiers=[patients.Identifier(number or f"P{next(_numbers)}", issuer)],
        patient_name=name,
        **(defaults | values),
    )


def visit(number: str = "", *, patient: Patient | None = None, **values: Any) -> Visit:
    """Open a visit of a patient, a new Jane Doe where none is given; the number counts on where none is given."""
    return visits.keep(
        by=BY,
        patient=patient or _new_patient(),
        visit_number=number or f"V{next(_numbers)}",
        issuer=ISSUER,
        **({"location": "WARD3^12^B", "patient_class": "I"} | values),
    )


def request(**values: Any) -> ProcedureRequest:
    """Return a request for one procedure: today at 10:00 unless `start` says otherwise (None: no time yet).

    The exam is CTABD unless `exam` or `code` says otherwise.
    """
    values.setdefault("start", today_at(10))
    if "exam" not in values and "code" not in values:
        values["exam"] = exam()
    return ProcedureRequest(**values)


def order(
    *,
    patient: Patient | None = None,
    requests: Sequence[ProcedureRequest] = (),
    by: Actor = BY,
    site: Site | None = None,
    accession_number: str = "",
    placer_order_number: str = "",
    placer_issuer: str = ISSUER,
    order_fields: dict[str, Any] | None = None,
    **values: Any,
) -> Order:
    """Place an order of one procedure (`values` as for `request`) or of several `requests`.

    Without a patient a new Jane Doe comes. The hospital and its CT1 are made where there is no station at all.
    """
    if not Station.objects.exists():
        station()
    return orders.place(
        by=by,
        patient=patient or _new_patient(),
        requests=list(requests) or [request(**values)],
        site=site,
        accession_number=accession_number,
        placer_order_number=placer_order_number or f"PL{next(_numbers)}",
        placer_issuer=placer_issuer,
        **({"requesting_physician": "Curie^Marie", "referring_physician": "Curie^Marie"} | (order_fields or {})),
    )


def _new_patient() -> Patient:
    return patient()


def step_of(order: Order) -> ScheduledProcedureStep:
    """Return the one step of an order that is not cancelled."""
    return ScheduledProcedureStep.objects.select_related("station", "requested_procedure").get(
        requested_procedure__order=order, state__in=set(STEP_PATHS) - {"CANCELED"}
    )


STEP_PATHS: dict[str, Sequence[str]] = {
    "REQUESTED": (),
    "SCHEDULED": (),
    "ARRIVED": ("arrive",),
    "READY": ("arrive", "make ready"),
    "STARTED": ("arrive", "start"),
    "DEPARTED": ("start", "depart"),
    "COMPLETED": ("start", "complete"),
    "CANCELED": ("cancel",),
    "DISCONTINUED": ("start", "discontinue"),
    "NO_SHOW": ("miss",),
}
"""For each state of a step the moves that lead there from a new order (one without a time for REQUESTED)."""


def step(state: str = "SCHEDULED", **values: Any) -> ScheduledProcedureStep:
    """Return the step of a new order, brought to `state` by the moves that lead there; `values` as for `order`."""
    if state == "REQUESTED":
        values.setdefault("start", None)
    made = ScheduledProcedureStep.objects.get(requested_procedure__order=order(**values))
    for move in STEP_PATHS[state]:
        exams.go(move, by=BY, step=made)
    return ScheduledProcedureStep.objects.select_related("station", "requested_procedure").get(pk=made.pk)


def user(role: Role | None = Role.FRONT_DESK, username: str = "", **values: Any) -> User:
    """Return an account that may sign in to the desk with PASSWORD, with one role or none."""
    account = User.objects.create_user(
        username=username or f"user{next(_numbers)}", password=PASSWORD, is_staff=True, **values
    )
    if role is not None:
        account.groups.add(Group.objects.get(name=role.value))
    return account


def today_at(hour: int, minute: int = 0, *, days: int = 0) -> datetime:
    """Return a time of today (or `days` later) by the wall clock of the department."""
    day = timezone.localdate() + timedelta(days=days)
    return timezone.make_aware(datetime.combine(day, time(hour, minute)))
