"""A series: the same exam every few days or weeks, which days do not fit and why, all of it or nothing."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ris.actions import series
from ris.errors import ForbiddenMove, InvalidValue, SlotTaken
from ris.models import ExamStep, ScheduledProcedureStep
from tests import factories
from tests.refusals import refused

pytestmark = pytest.mark.django_db

BY = factories.CLERK
WEEK = timedelta(weeks=1)


def waiting(**values: object) -> ScheduledProcedureStep:
    factories.station("CT1")
    return factories.step("REQUESTED", **values)


def test_a_series_keeps_the_time_on_the_wall_when_the_clock_changes() -> None:
    ct1 = factories.station("CT1")
    first = datetime(2026, 10, 20, 9, 0, tzinfo=ZoneInfo("Europe/Berlin"))  # the clock changes on the 25th
    found = series.starts(first, station=ct1, every=WEEK, count=3)
    assert [f"{start:%d %H:%M %z}" for start in found] == ["20 09:00 +0200", "27 09:00 +0100", "03 09:00 +0100"]
    for every, count in ((timedelta(hours=36), 3), (timedelta(0), 3), (WEEK, 0), (WEEK, 61), (50 * WEEK, 4)):
        with refused(InvalidValue):
            series.starts(first, station=ct1, every=every, count=count)


def test_days_that_do_not_fit_say_why() -> None:
    ct1, step = factories.station("CT1"), waiting()
    first = factories.today_at(9, days=7)
    factories.order(start=first + WEEK, patient=factories.patient("Roe^Ann"))
    factories.closure(first + 2 * WEEK, first + 3 * WEEK - timedelta(hours=2), site=factories.site())
    wanted = series.starts(first, station=ct1, every=WEEK, count=4)
    found = [" ".join(place.reasons) for place in series.preview(step, station=ct1, wanted=wanted)]
    assert (found[0], found[3]) == ("", "")
    assert found[1].startswith("CT1 is taken until")
    assert "New tube" in found[2]


def test_what_waits_in_the_order_is_taken_first_and_the_rest_is_added() -> None:
    ct1, exam = factories.station("CT1"), factories.exam("CTABD")
    requests = [factories.request(exam=exam, start=None, priority="HIGH") for _ in range(2)]
    order = factories.order(requests=requests)
    step = ScheduledProcedureStep.objects.filter(requested_procedure__order=order).order_by("pk")[0]
    wanted = series.starts(factories.today_at(9, days=7), station=ct1, every=WEEK, count=3)
    done = series.book(by=BY, step=step, station=ct1, wanted=wanted, reason="radiotherapy")
    assert [row.start for row in done] == wanted
    procedures = list(order.procedures.order_by("pk"))
    assert [(row.exam_id, row.priority) for row in procedures] == [(exam.pk, "HIGH")] * 3
    assert len({row.study_instance_uid for row in procedures}) == 3


def test_a_series_of_which_one_day_does_not_fit_is_not_booked_at_all() -> None:
    ct1, step = factories.station("CT1"), waiting()
    first = factories.today_at(9, days=7)
    factories.order(start=first + WEEK)
    wanted = series.starts(first, station=ct1, every=WEEK, count=3)
    with refused(SlotTaken, r"\d: CT1 is taken until"):
        series.book(by=BY, step=step, station=ct1, wanted=wanted)
    step.refresh_from_db()
    assert step.state == "REQUESTED"
    assert step.requested_procedure.order.procedures.count() == 1
    series.book(by=BY, step=step, station=ct1, wanted=wanted, overbook=True, reason="comes from far away")
    assert step.requested_procedure.order.procedures.count() == 3


def test_only_an_exam_of_one_step_that_waits_begins_a_series() -> None:
    ct1 = factories.station("CT1")
    wanted = series.starts(factories.today_at(9, days=7), station=ct1, every=WEEK, count=2)
    exam = factories.exam("CTTWO", steps=(("First", "CT", 10), ("Second", "CT", 10)))
    two = ScheduledProcedureStep.objects.filter(requested_procedure__order=factories.order(exam=exam, start=None))
    for step in (factories.step(), two[0]):
        with refused(ForbiddenMove):
            series.book(by=BY, step=step, station=ct1, wanted=wanted)
    with refused(InvalidValue):
        series.book(by=BY, step=waiting(), station=ct1, wanted=[])


def test_an_exam_that_has_got_more_steps_since_it_was_ordered_is_no_series() -> None:
    ct1, exam = factories.station("CT1"), factories.exam("CTABD")
    step = factories.step("REQUESTED", exam=exam)
    for number in (1, 2):
        ExamStep.new(exam=exam, number=number, description=f"Part {number}", modality="CT", duration=10)
    wanted = series.starts(factories.today_at(9, days=7), station=ct1, every=WEEK, count=2)
    with refused(ForbiddenMove):
        series.book(by=BY, step=step, station=ct1, wanted=wanted)
