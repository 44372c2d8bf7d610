"""Questions that are worked out once: the answers stay those of the moment."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom.dsutils import encode

from ris.actions import exams, patients
from ris.actions.patients import Identifier
from ris.models import ScheduledProcedureStep, Site, Station
from tests import factories
from tests.worklist.asking import CT1, keys, statements
from worklist import prepared
from worklist.errors import OUT_OF_RESOURCES, QueryError
from worklist.prepared import Reply, reply_to
from worklist.preview import usual_query

pytestmark = pytest.mark.django_db

QUESTION = encode(keys(PatientName="Doe*", ScheduledStationAETitle="CT1"), True, True) or b""


def ask() -> Reply:
    """Ask the same question as ever."""
    return reply_to(QUESTION, ImplicitVRLittleEndian, CT1)


def test_the_same_question_costs_one_statement() -> None:
    factories.step()
    ask()
    with CaptureQueriesContext(connection) as taken:
        assert len(list(ask())) == 1
    assert len(statements(taken)) == 1


def test_the_answer_is_that_of_the_moment() -> None:
    jane = factories.patient("Doe^Jane")
    step = factories.step(patient=jane)
    assert [b"Doe^Jane" in one for one in ask()] == [True]
    patients.update(by=factories.BY, patient=jane, patient_name="Doe^Joan")
    assert [b"Doe^Joan" in one for one in ask()] == [True]
    exams.go("cancel", by=factories.BY, step=step)
    assert list(ask()) == []


def test_no_change_is_missed_whatever_was_kept() -> None:
    """What is kept of a row is compared with a question that has never been asked, after each change of the day."""
    site, jane = factories.site(), factories.patient("Doe^Jane", "4711", weight="70")
    station = factories.station("CT1", site=site)
    step = factories.step(patient=jane, station=station)
    asked = encode(usual_query("CT1", None), True, True) or b""
    by = factories.BY

    changes: list[Callable[[], object]] = [
        lambda: patients.update(by=by, patient=jane, patient_name="Müller^Jane"),
        lambda: patients.update(by=by, patient=jane, weight="71.5"),
        lambda: patients.update(by=by, patient=jane, allergies="Iodine"),
        lambda: patients.identify(by=by, patient=jane, identifier=Identifier("H-1", "OTHER")),
        lambda: patients.merge(by=by, survivor=factories.patient("Doe^Janet", "4712"), loser=jane),
        lambda: ScheduledProcedureStep.objects.filter(pk=step.pk).update(gate_alerts="Pacemaker"),
        lambda: ScheduledProcedureStep.objects.filter(pk=step.pk).update(start=F("start") + timedelta(minutes=5)),
        lambda: ScheduledProcedureStep.objects.filter(pk=step.pk).update(description="CT abdomen"),
        lambda: Station.objects.filter(pk=station.pk).update(name="CT ONE"),
        lambda: Site.objects.filter(pk=site.pk).update(time_zone="Asia/Tokyo"),
    ]
    seen = [list(reply_to(asked, ImplicitVRLittleEndian, CT1))]
    for number, change in enumerate(changes):
        change()
        seen.append(list(reply_to(asked, ImplicitVRLittleEndian, CT1)))
        assert seen[-1] == list(prepared.Prepared(asked, ImplicitVRLittleEndian, prepared.Who()).ask())
        assert len(seen[-1]) == 1
        assert seen[-1] != seen[-2], number


def test_what_was_shown_can_be_written_down() -> None:
    steps = [factories.step() for _ in range(3)]
    reply = ask()
    assert (reply.matches, reply.shown) == (3, [])
    assert len(list(reply)) == 3
    assert sorted(reply.shown) == [step.pk for step in steps]
    assert reply.keys["PatientName"] == "Doe*"


def test_more_than_may_be_answered_is_refused(settings: LazySettings) -> None:
    settings.BUCKY_WORKLIST_MAX_ANSWERS = 2
    for _ in range(3):
        factories.step()
    with pytest.raises(QueryError) as refused:
        ask()
    assert refused.value.status == OUT_OF_RESOURCES


def test_a_question_that_cannot_be_understood_is_written_down_with_its_keys() -> None:
    asked = encode(keys(ScheduledProcedureStepStartDate="20260230"), True, True) or b""
    with pytest.raises(QueryError) as refused:
        reply_to(asked, ImplicitVRLittleEndian, CT1)
    (step,) = refused.value.keys["ScheduledProcedureStepSequence"]
    assert step["ScheduledProcedureStepStartDate"] == "20260230"


def test_a_database_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(prepared._Statements, "execute", away)
    with pytest.raises(QueryError) as refused:
        ask()
    assert refused.value.status == OUT_OF_RESOURCES


def test_a_thread_forgets_the_question_asked_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "REMEMBERED", 2)
    monkeypatch.setattr(prepared, "_questions", prepared._Questions())
    for name in ("A*", "B*", "C*", "D*"):
        asked = encode(keys(PatientName=name), True, True) or b""
        assert list(reply_to(asked, ImplicitVRLittleEndian, CT1)) == []
    assert len(prepared._questions._known) == 2


def test_rows_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "ROWS_REMEMBERED", 3)
    monkeypatch.setattr(prepared, "_questions", prepared._Questions())
    for _ in range(2):
        factories.step()
    for name in ("D*", "Do*", "D*"):
        asked = encode(keys(PatientName=name), True, True) or b""
        assert len(list(reply_to(asked, ImplicitVRLittleEndian, CT1))) == 2
        assert sum(len(one.met) for one in prepared._questions._known.values()) <= 3
