"""Each key is judged by itself, and a start by one clock."""

from zoneinfo import ZoneInfo

import pytest
from django.db.models import Q
from django.utils import timezone

from ris.models import PatientIdentifier, ScheduledProcedureStep
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of
from tests.worklist.asking import CT1, keys
from tests.worklist.test_why import agreed, asked, page_of, today
from worklist.models import QueryLog
from worklist.why import explain, near_misses

pytestmark = pytest.mark.django_db


def test_the_number_of_one_hospital_with_the_issuer_of_another_fails_the_issuer() -> None:
    jane = factories.patient("Doe^Jane", "4711")
    PatientIdentifier.objects.create(patient=jane, value="9", issuer="OTHER")
    step = factories.step(patient=jane)
    told = explain(step, keys(PatientID="4711", IssuerOfPatientID="OTHER"), CT1)
    assert [line.part.name for line in told.against] == ["IssuerOfPatientID"]
    assert explain(step, keys(PatientID="9", IssuerOfPatientID="OTHER"), CT1).found
    at, wrong = timezone.now(), keys(PatientID="4711", IssuerOfPatientID="OTHER")
    assert [miss.line.part.name for miss in near_misses(wrong, CT1, Q(), at)] == ["IssuerOfPatientID"]


def test_a_start_is_told_also_where_there_is_no_station_yet() -> None:
    step = factories.step(start=None)
    ScheduledProcedureStep.objects.filter(pk=step.pk).update(
        station=None, start=factories.today_at(9), end=factories.today_at(10)
    )
    asked()
    assert "Start date and time" in page_of(step, "?station=CT1")


def test_the_start_is_told_by_the_clock_of_the_device_and_the_advice_names_the_hour() -> None:
    step = factories.step(start=factories.today_at(13))
    asked(ScheduledProcedureStepStartDate=today(), ScheduledProcedureStepStartTime="0800-1200")
    assert "13:00 no The day is right, the hour is not: ask for other hours at the scanner" in page_of(step)
    agreed(time_zone="America/New_York")
    assert step.start is not None
    there = step.start.astimezone(ZoneInfo("America/New_York"))
    asked(ScheduledProcedureStepStartDate=f"{there:%Y%m%d}", ScheduledProcedureStepStartTime="1200-1500")
    words = page_of(step)
    assert f"15:00 (America/New_York) {there:%Y-%m-%d %H:%M} (America/New_York) no The day is right" in words
    assert "gives the device a clock of its own (America/New_York)" in words
    near = text_of(Desk(Role.INFORMATICS).get(f"/worklist/querylog/{QueryLog.objects.latest('pk').pk}/near/"))
    assert f"{there:%H:%M} (America/New_York) The day is right" in near
