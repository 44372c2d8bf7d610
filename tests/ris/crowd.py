"""A day that is full: many stations with many appointments of as many patients, written in few statements."""

from datetime import timedelta

from django.db import transaction

from ris.models import Booking, Order, Patient, RequestedProcedure, Resource, ScheduledProcedureStep
from ris.states import StepState
from tests import factories

EVERY = timedelta(minutes=20)
STATES = (StepState.SCHEDULED, StepState.ARRIVED, StepState.STARTED, StepState.COMPLETED)


@transaction.atomic
def full_day(*, stations: int = 12, appointments: int = 400) -> None:
    """Open stations from 7 to 20 o'clock and fill today from 7 on, each with its share, in all states."""
    places = [factories.station(f"CT{number}") for number in range(stations)]
    site, exam = places[0].site, factories.exam()
    factories.hours("07:00", "20:00", site=site, rule="FREQ=DAILY")
    factories.block("12:00", "12:20", site=site, kind="BREAK", reason="Lunch")
    scanners = {row.station_id: row for row in Resource.objects.filter(kind="SCANNER")}
    numbers = range(appointments)
    patients = Patient.objects.bulk_create([Patient(patient_name=f"Crowd^Number{n}", sex="O") for n in numbers])
    orders = Order.objects.bulk_create(
        [Order(patient=patient, site=site, accession_number=f"CROWD{n}") for n, patient in enumerate(patients)]
    )
    procedures = RequestedProcedure.objects.bulk_create(
        [
            RequestedProcedure(order=order, exam=exam, requested_procedure_id=f"CR{n}", study_instance_uid=f"2.25.{n}")
            for n, order in enumerate(orders)
        ]
    )
    steps = []
    for n, procedure in enumerate(procedures):
        start = factories.today_at(7) + n // stations * EVERY
        steps.append(
            ScheduledProcedureStep(
                requested_procedure=procedure,
                sps_id=f"CS{n}",
                state=STATES[n % len(STATES)],
                modality="CT",
                description=exam.meaning,
                station=places[n % stations],
                start=start,
                end=start + EVERY,
                duration=20,
            )
        )
    steps = ScheduledProcedureStep.objects.bulk_create(steps)
    Booking.objects.bulk_create(
        [
            Booking(step=step, resource=scanners[step.station_id], start=step.start, end=step.end)
            for step in steps
            if step.start and step.end
        ]
    )
