"""Questions that are worked out once: the answers stay those of the moment."""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection, connections, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom.dsutils import encode

from ris.actions import exams, patients
from ris.actions.patients import Identifier
from ris.models import Patient, RequestedProcedure, ScheduledProcedureStep, Site, Station
from ris.states import StepState
from tests import factories
from tests.worklist.asking import CT1, keys, statements
from worklist import prepared
from worklist.errors import OUT_OF_RESOURCES, QueryError
from worklist.host import Opened
from worklist.moment import Moment, look
from worklist.prepared import LIVE, Reply, reply_to
from worklist.preview import usual_query
from worklist.profile_models import StationProfile
from worklist.profiles import WhenMore
from worklist.query import Caller
from worklist.ways import Ways

pytestmark = pytest.mark.django_db

QUESTION = encode(keys(PatientName="Doe*", ScheduledStationAETitle="CT1"), True, True) or b""


_states = itertools.count()


def a_moment() -> Moment:
    """Return a moment at which the database was never looked at before."""
    return Moment(f"state {next(_states)}", timezone.now())


def shown(opened: Opened | None) -> list[bytes]:
    """Return the data sets of a kept answer."""
    return list(opened[2]) if opened else []


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


def changes_of_a_day() -> tuple[bytes, list[Callable[[], object]]]:
    """Return what CT1 asks every few seconds, and changes of which each makes another answer of the one before."""
    site, jane = factories.site(), factories.patient("Doe^Jane", "4711", weight="70")
    station = factories.station("CT1", site=site)
    step = factories.step(patient=jane, station=station)
    by = factories.BY
    return encode(usual_query("CT1", None), True, True) or b"", [
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


def read_anew(asked: bytes) -> list[bytes]:
    """Return the answer of a question that has never been asked."""
    return list(prepared.Prepared(asked, ImplicitVRLittleEndian, prepared.Who()).ask())


def test_no_change_is_missed_whatever_was_kept() -> None:
    """What is kept of a row is compared with a question that has never been asked, after each change of the day."""
    asked, changes = changes_of_a_day()
    seen = [list(reply_to(asked, ImplicitVRLittleEndian, CT1))]
    for number, change in enumerate(changes):
        change()
        seen.append(list(reply_to(asked, ImplicitVRLittleEndian, CT1)))
        assert seen[-1] == read_anew(asked)
        assert len(seen[-1]) == 1
        assert seen[-1] != seen[-2], number


@pytest.mark.django_db(transaction=True)
def test_what_was_committed_is_in_the_next_answer() -> None:
    """Where nothing was committed the rows are not read again, which PostgreSQL can tell; SQLite is asked each time."""
    asked, changes = changes_of_a_day()
    question = asked, ImplicitVRLittleEndian, CT1
    moment = LIVE.look()
    assert (moment is not None) == (connection.vendor == "postgresql")
    seen = [list(LIVE.reply(*question, moment))]
    for number, change in enumerate(changes):
        assert moment is None or shown(LIVE.kept(*question, moment)) == seen[-1]
        change()
        moment = LIVE.look()
        assert moment is None or LIVE.kept(*question, moment) is None, number
        seen.append(list(LIVE.reply(*question, moment)))
        assert seen[-1] == read_anew(asked)
        assert seen[-1] != seen[-2], number


@pytest.mark.django_db(transaction=True)
def test_a_transaction_counts_when_it_is_committed_however_early_it_began() -> None:
    jane = factories.patient("Doe^Jane")
    factories.step(patient=jane)
    question = QUESTION, ImplicitVRLittleEndian, CT1
    begun, commit = threading.Event(), threading.Event()

    def marry() -> None:
        try:
            with transaction.atomic():
                Patient.objects.filter(pk=jane.pk).update(patient_name="Doe^Joan")
                begun.set()
                assert commit.wait(60)
        finally:
            connections.close_all()

    if connection.vendor == "postgresql":  # one that writes keeps no reader waiting
        with ThreadPoolExecutor(1) as elsewhere:
            committed = elsewhere.submit(marry)
            assert begun.wait(60)
            moment = look()
            assert moment
            assert b"Doe^Joan" not in b"".join(LIVE.reply(*question, moment))
            assert LIVE.kept(*question, moment)
            commit.set()
            committed.result(60)
        moment = look()
        assert moment
        assert LIVE.kept(*question, moment) is None
        assert b"Doe^Joan" in b"".join(LIVE.reply(*question, moment))


def test_in_a_transaction_nothing_can_be_told() -> None:
    assert look() is None


@pytest.mark.django_db(transaction=True)
def test_what_was_seen_through_a_connection_before_does_not_count() -> None:
    """A server that recovers from a crash gives numbers of transactions again that it has not written down."""
    if connection.vendor == "postgresql":
        before, again = look(), look()
        assert before
        assert again
        assert before.state.split()[0] == again.state.split()[0]
        connection.close()
        after = look()
        assert after
        assert before.state.split()[0] != after.state.split()[0]


@pytest.mark.django_db(transaction=True)
def test_a_server_that_follows_another_cannot_tell() -> None:
    """Its snapshots do not name who is under way: one of several may commit without another text."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA standby")
            cursor.execute("CREATE FUNCTION standby.pg_is_in_recovery() RETURNS bool LANGUAGE sql AS 'SELECT true'")
            cursor.execute("SET search_path = standby, public, pg_catalog")
            try:
                assert look() is None
            finally:
                cursor.execute("RESET search_path")
                cursor.execute("DROP SCHEMA standby CASCADE")
        assert look() is not None


@pytest.mark.parametrize(
    ("gate_until", "state", "later", "kept"),
    [
        (None, StepState.SCHEDULED, timedelta(days=1), True),
        (timedelta(hours=1), StepState.SCHEDULED, timedelta(minutes=59), True),
        (timedelta(hours=1), StepState.SCHEDULED, timedelta(hours=1), False),
        (timedelta(hours=-1), StepState.STARTED, timedelta(days=1), True),
    ],
    ids=["no gate", "still open", "shut by now", "begun before it shut"],
)
def test_an_answer_is_kept_until_the_safety_gate_shuts(
    gate_until: timedelta | None, state: StepState, later: timedelta, *, kept: bool
) -> None:
    """Nothing is written when the time has come: nothing is committed, and the step is off the list all the same."""
    moment = a_moment()
    step = factories.step()
    until = gate_until and moment.at + gate_until
    ScheduledProcedureStep.objects.filter(pk=step.pk).update(gate_until=until, state=state)
    question = QUESTION, ImplicitVRLittleEndian, CT1
    assert len(list(LIVE.reply(*question, moment))) == 1
    assert (LIVE.kept(*question, Moment(moment.state, moment.at + later)) is not None) == kept


def test_an_answer_is_kept_for_its_moment_and_gives_the_same_without_a_statement() -> None:
    factories.step()
    question = QUESTION, ImplicitVRLittleEndian, CT1
    moment, later = a_moment(), a_moment()
    assert LIVE.kept(*question, moment) is None
    first = LIVE.reply(*question, moment)
    answers = list(first)
    with CaptureQueriesContext(connection) as taken:
        assert shown(LIVE.kept(*question, moment)) == answers
        again = LIVE.reply(*question, moment)
        assert list(again) == answers
    assert statements(taken) == []
    assert (again.matches, again.shown, again.keys) == (first.matches, first.shown, first.keys)
    assert LIVE.kept(*question, later) is None
    assert LIVE.kept(QUESTION, ImplicitVRLittleEndian, Caller("CT9", ways=Ways(by_ear=True)), moment) is None


def test_a_kept_answer_is_told_to_all_as_it_was_told_to_the_first() -> None:
    factories.step()
    question = QUESTION, ImplicitVRLittleEndian, CT1
    moment = a_moment()
    answers = list(LIVE.reply(*question, moment))
    first, again = LIVE.kept(*question, moment), LIVE.kept(*question, moment)
    assert first
    assert first is again
    assert list(first[2]) == answers
    assert len(first[0].shown) == 1


def test_a_step_that_cannot_be_written_is_noted_for_each_who_asks() -> None:
    _, bad = factories.step(), factories.step()
    RequestedProcedure.objects.filter(pk=bad.requested_procedure_id).update(study_instance_uid="1.2.x")
    question = encode(keys(StudyInstanceUID=None), True, True) or b"", ImplicitVRLittleEndian, CT1
    moment = a_moment()
    assert len(list(LIVE.reply(*question, moment))) == 1
    for _ in range(2):
        kept = LIVE.kept(*question, moment)
        assert kept
        assert (len(kept[2]), kept[0].skipped) == (1, [bad.pk])


def test_a_list_that_was_cut_is_read_each_time() -> None:
    """A step that leaves makes room for one that was not read."""
    for _ in range(3):
        factories.step()
    StationProfile.objects.create(name="Old CT", callers="CT1", most=2, when_more=WhenMore.NEWEST)
    question = QUESTION, ImplicitVRLittleEndian, CT1
    moment = a_moment()
    assert LIVE.reply(*question, moment).cut
    assert LIVE.kept(*question, moment) is None


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
    moment = a_moment()
    for name in ("D*", "Do*", "D*"):
        asked = encode(keys(PatientName=name), True, True) or b""
        assert len(list(reply_to(asked, ImplicitVRLittleEndian, CT1, moment=moment))) == 2
        known = prepared._questions._known.values()
        assert sum(len(one.met) for one in known) <= 3
        assert sum(len(one._last.rows) for one in known if one._last) <= 3


def test_an_answer_that_is_not_kept_leaves_none_from_before_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "ROWS_REMEMBERED", 3)
    monkeypatch.setattr(prepared, "_questions", prepared._Questions())
    asked = [encode(keys(PatientName=name), True, True) or b"" for name in ("D*", "Do*")]
    known = prepared._questions._known
    for count in (3, 4):
        while ScheduledProcedureStep.objects.count() < count:
            factories.step()
        moment = a_moment()
        for one in asked:
            assert len(list(reply_to(one, ImplicitVRLittleEndian, CT1, moment=moment))) == count
    assert [one._last for one in known.values()] == [None, None]
