"""Act the plan of the demo department out: through the verbs, in order of time, as if each had been called then."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ris.actions import exams, orders, patients, schedule, visits
from ris.actions.requests import ProcedureRequest
from ris.actor import system
from ris.demo import calendars, details, screening, waiting
from ris.demo.exams import EXAMS
from ris.demo.fates import Happening, Place
from ris.demo.plan import PlannedOrder, make_plan
from ris.demo.sites import SITES, STATIONS
from ris.errors import AgainstRules, ForbiddenMove
from ris.models import (
    Exam,
    ExamGap,
    ExamPreparation,
    ExamQuestion,
    ExamStep,
    Order,
    Patient,
    ProtocolCode,
    ScheduledProcedureStep,
    Site,
    Station,
)

BY = system("demo")
HIS = "HIS"
"""Who the demo's orders come from, as a placer."""


class NotEmpty(ForbiddenMove):
    """The demo department needs an empty database; this one has a patient or a site already."""

    words = _("The demo department needs an empty database; this one has a patient or a site already.")


@contextmanager
def clock_at(moment: datetime) -> Iterator[None]:
    """Let Django's clock stand at `moment`, so that rows and events made meanwhile bear the time of the story.

    Only for a command in a process of its own: it would stop the clock of every thread.
    """
    real = timezone.now
    timezone.now = lambda: moment
    try:
        yield
    finally:
        timezone.now = real


@transaction.atomic
def load(*, seed: int, patients: int, orders: int, now: datetime | None = None) -> None:
    """Fill an empty database with the demo department of today. Raises NotEmpty."""
    if Patient.objects.exists() or Site.objects.exists():
        raise NotEmpty
    now = now or timezone.now()
    zone = ZoneInfo(settings.BUCKY_TIME_ZONE)
    plan = make_plan(seed=seed, now=now, zone=zone, patients=patients, orders=orders)
    with clock_at(min(order.ordered for order in plan.orders) - timedelta(days=30)):
        actors = _Actors(_people(plan.people))
    for order, happening in plan.timeline(now):
        with clock_at(happening.at):
            actors.act(order, happening)
    calendars.keep(actors.sites, actors.stations, now.astimezone(zone).date())
    with clock_at(now):
        waiting.keep(by=BY, now=now, zone=zone)


def _people(people: Sequence[Any]) -> list[Patient]:
    registered = []
    for number, person in enumerate(people, start=1):
        known = [patients.Identifier(f"{10_000_000 + number}", settings.BUCKY_PATIENT_ID_ISSUER)]
        if person.at_clinic:
            known.append(patients.Identifier(f"H{5000 + number}", SITES[1].code))
        registered.append(patients.register(by=BY, identifiers=known, **person.columns))
    return registered


class _Actors:
    """The catalogue's and the patients' rows, and the orders made so far."""

    def __init__(self, people: Sequence[Patient]) -> None:
        self.people = people
        self.sites = {
            row.code: Site.new(
                code=row.code,
                name=row.name,
                accession_prefix=row.accession_prefix,
                phone=row.phone,
                time_zone=settings.BUCKY_TIME_ZONE,
                is_default=row is SITES[0],
            )
            for row in SITES
        }
        self.stations = {
            row.ae_title: Station.new(
                ae_title=row.ae_title,
                name=row.ae_title,
                site=self.sites[row.site],
                modality=row.modality,
                location=row.location,
                max_weight=details.TABLE_CARRIES.get(row.modality),
                rank=rank,
            )
            for rank, row in enumerate(STATIONS, start=1)
        }
        self.exams = self._catalogue()
        calendars.add_resources(self.stations, self.exams)
        self.orders: dict[int, Order] = {}
        self.steps: dict[int, list[ScheduledProcedureStep]] = {}

    def _catalogue(self) -> dict[str, Exam]:
        for row in EXAMS:
            exam = Exam.new(
                code=row.code,
                meaning=row.meaning,
                modality=row.modality,
                body_part=row.body_part,
                **details.fields(row),
                preparation=row.preparation,
                contrast_agent=row.contrast,
                pre_medication=row.pre_medication,
            )
            exam.stations.set([self.stations[ae_title] for ae_title in row.stations])
            for number, (description, modality, minutes) in enumerate(row.steps, start=1):
                parts = details.minutes(modality or row.modality, minutes)
                ExamStep.new(exam=exam, number=number, description=description, modality=modality, **parts)
            for number, (code, meaning) in enumerate(row.protocols, start=1):
                ProtocolCode.new(exam=exam, step_number=number, code=code, meaning=meaning)
            if row.preparation in details.GERMAN:
                ExamPreparation.new(exam=exam, language="de", text=details.GERMAN[row.preparation])
            for number, (text, kind, required, choices) in enumerate(details.QUESTIONS.get(row.code, ()), start=1):
                ExamQuestion.new(exam=exam, number=number, text=text, kind=kind, required=required, choices=choices)
        self._gaps()
        screening.make()
        return {exam.code: exam for exam in Exam.objects.prefetch_related("steps", "protocol_codes")}

    def _gaps(self) -> None:
        made = {exam.code: exam for exam in Exam.objects.all()}
        for gap in details.GAPS:
            ExamGap.new(
                exam=made[gap.exam],
                after=made[gap.after] if gap.after else None,
                after_contrast=gap.after_contrast,
                length=gap.length,
                unit=gap.unit,
                reason=gap.reason,
            )

    def act(self, planned: PlannedOrder, happening: Happening) -> None:
        """Let one thing happen to an order."""
        what, key = happening.what, id(planned)
        if what == "place":
            self.orders[key] = self._place(planned, happening)
            self.steps[key] = _steps(self.orders[key])
            self._put(key, happening)
            screening.ask_when_booked(self.orders[key], len(self.orders), by=BY)
        elif what == "book":
            self._put(key, happening)
        elif what == "hold":
            orders.hold(by=BY, order=self.orders[key], reason=happening.reason)
        elif what == "release":
            orders.release(by=BY, order=self.orders[key])
        elif what == "cancel":
            orders.cancel(by=BY, order=self.orders[key], reason=happening.reason)
        else:
            if what in ("arrive", "start"):
                screening.ask_at_the_door(self.orders[key], self.steps[key][happening.step], by=BY)
            exams.go(what, by=BY, step=self.steps[key][happening.step], reason=happening.reason)

    def _place(self, planned: PlannedOrder, happening: Happening) -> Order:
        patient = self.people[planned.person]
        number = len(self.orders) + 1
        first = happening.places[0] if happening.places else None
        request = ProcedureRequest(
            exam=self.exams[planned.exam.code] if planned.exam else None,
            code=planned.code or None,
            meaning=planned.meaning or None,
            modality=planned.modality or None,
            study_instance_uid=planned.study_instance_uid,
            priority=planned.priority,
            reason=planned.reason,
            start=first.start if first else None,
            station=self.stations.get(first.station) if first else None,
        )
        visit = None
        if planned.inpatient:
            visit = visits.keep(
                by=BY,
                patient=patient,
                visit_number=f"V{20_000 + number}",
                issuer=settings.BUCKY_PATIENT_ID_ISSUER,
                patient_class="I",
                location=f"Ward {number % 9 + 1}^{number % 20 + 1:02d}^{'AB'[number % 2]}",
                admitted_at=happening.at - timedelta(hours=3),
            )
        return orders.place(
            by=BY,
            patient=patient,
            site=self.sites[planned.site],
            requests=[request],
            accession_number=planned.accession_number,
            placer_order_number=f"{7_000_000 + number}" if planned.from_his else "",
            placer_issuer=HIS if planned.from_his else "",
            requesting_physician=planned.doctor,
            referring_physician=planned.doctor,
            requesting_service=planned.service,
            ordered_at=happening.at,
            visit=visit,
        )

    def _put(self, key: int, happening: Happening) -> None:
        """Put steps where the plan has them, as far as the catalogue's rules did not do so already."""
        for step, place in zip(self.steps[key], happening.places, strict=False):
            if place.station and not _is_at(step, place):
                self._book(step, place, happening.reason)

    def _book(self, step: ScheduledProcedureStep, place: Place, reason: str) -> None:
        """Book as the front desk does: where a rule of the exam speaks against it, the radiologist is asked."""
        station = self.stations[place.station]
        try:
            with transaction.atomic():  # a savepoint: a verb that refuses undoes its transaction
                schedule.book(by=BY, step=step, start=place.start, station=station, reason=reason)
        except AgainstRules:
            said = f"{reason}; the radiologist agrees".removeprefix("; ")
            schedule.book(by=BY, step=step, start=place.start, station=station, reason=said, overbook=True)


def _steps(order: Order) -> list[ScheduledProcedureStep]:
    steps = ScheduledProcedureStep.objects.filter(requested_procedure__order=order)
    return list(steps.select_related("station").order_by("pk"))


def _is_at(step: ScheduledProcedureStep, place: Place) -> bool:
    return step.station is not None and step.station.ae_title == place.station and step.start == place.start
