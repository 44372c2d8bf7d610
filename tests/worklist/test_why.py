"""Why an exam is not on a scanner: the answer is the engine's own, and names the reason."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Q
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from ris.actions import exams, orders, patients, schedule
from ris.models import Event, EventKind, ScheduledProcedureStep, Station
from ris.roles import Role
from ris.states import StepState
from tests import factories
from tests.ris.desk import Desk, text_of
from tests.worklist.asking import CT1, keys
from tests.worklist.test_safety import rule
from worklist.describe import as_json, from_json, is_whole
from worklist.errors import QueryError
from worklist.models import QueryLog, RefusedCall, StationProfile, UnknownCaller
from worklist.query import Caller, find
from worklist.tasks import purge_query_log
from worklist.ways import LITERAL, Ways, kept
from worklist.why import explain, near_misses

pytestmark = pytest.mark.django_db


def today(days: int = 0) -> str:
    return f"{factories.today_at(12, days=days):%Y%m%d}"


def asked(ae_title: str = "CT1", *, ago: timedelta = timedelta(), ways: Ways = LITERAL, **values: Any) -> QueryLog:
    """Write down a query as the door does, with what it got; keys as for `keys`, else the usual ones."""
    log: dict[str, Any] = {name: values.pop(name) for name in ("status", "comment", "step_ids") if name in values}
    identifier = keys(**(values or {"ScheduledStationAETitle": ae_title, "ScheduledProcedureStepStartDate": today()}))
    log.setdefault("status", "0000")
    at = timezone.now() - ago
    if "step_ids" not in log:
        result = find(identifier, Caller(ae_title, ways=ways))
        log |= {"step_ids": [one.step_id for one in result], "skipped": result.skipped, "matches": result.matches}
    return QueryLog.objects.create(
        at=at, last_at=at, calling_ae_title=ae_title, called_ae_title="BUCKY", address="10.0.0.7",
        keys=as_json(identifier), ways=kept(ways), **log,
    )  # fmt: skip


def page_of(step: ScheduledProcedureStep, more: str = "", role: Role = Role.TECHNOLOGIST) -> str:
    return text_of(Desk(role).get(f"/worklist/querylog/why/{step.pk}/{more}"))


# --- key by key ---------------------------------------------------------------------------------------------


KEYS: list[tuple[dict[str, Any], str]] = [
    ({"ScheduledStationAETitle": "CT2"}, "ScheduledStationAETitle"),
    ({"ScheduledStationAETitle": ["CT2", "CT3"]}, "ScheduledStationAETitle"),
    ({"ScheduledProcedureStepStartDate": "20200101"}, "ScheduledProcedureStepStartDate"),
    ({"ScheduledProcedureStepStartDate": "20200101-20200131"}, "ScheduledProcedureStepStartDate"),
    ({"ScheduledProcedureStepStartTime": "0600-0700"}, "ScheduledProcedureStepStartDate"),
    ({"Modality": "MR"}, "Modality"),
    ({"ScheduledProcedureStepStatus": "READY"}, "ScheduledProcedureStepStatus"),
    ({"ScheduledProcedureStepDescription": "Chest*"}, "ScheduledProcedureStepDescription"),
    ({"PatientName": "Roe*"}, "PatientName"),
    ({"PatientName": "=山田*"}, "PatientName"),
    ({"PatientID": "4712"}, "PatientID"),
    ({"IssuerOfPatientID": "OTHER"}, "IssuerOfPatientID"),
    ({"PatientID": "4711", "IssuerOfPatientID": "OTHER"}, "IssuerOfPatientID"),
    ({"PatientID": "4712", "IssuerOfPatientID": factories.ISSUER}, "PatientID"),
    ({"PatientBirthDate": "19700101"}, "PatientBirthDate"),
    ({"PatientSex": "M"}, "PatientSex"),
    ({"AccessionNumber": "X*"}, "AccessionNumber"),
    ({"StudyInstanceUID": "1.2.3"}, "StudyInstanceUID"),
    ({"RequestingPhysician": "Nobody"}, "RequestingPhysician"),
]


@pytest.mark.parametrize(("wrong", "name"), KEYS, ids=[f"{name}-{number}" for number, (_, name) in enumerate(KEYS)])
def test_the_key_that_does_not_fit_is_named(wrong: dict[str, Any], name: str) -> None:
    step = factories.step(patient=factories.patient("Doe^Jane", "4711"))
    told = explain(step, keys(**wrong), CT1)
    assert [line.part.name for line in told.against] == [name]
    assert not told.found


def held() -> ScheduledProcedureStep:
    step = factories.step()
    orders.hold(by=factories.BY, order=step.requested_procedure.order)
    return step


def gated() -> ScheduledProcedureStep:
    rule()
    factories.station("MR1")
    return factories.step(exam=factories.exam("MRHEAD"))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        *((lambda state=state: factories.step(state), "state") for state in ("REQUESTED", "DEPARTED", "COMPLETED")),
        *((lambda state=state: factories.step(state), "state") for state in ("CANCELED", "DISCONTINUED", "NO_SHOW")),
        (held, "hold"),
        (gated, "gate"),
    ],
)
def test_what_keeps_an_exam_off_every_list_is_named(make: Callable[[], ScheduledProcedureStep], name: str) -> None:
    told = explain(make(), keys(PatientName=None), CT1)
    assert [line.part.name for line in told.against] == [name]
    assert not told.found


def test_several_reasons_are_all_named() -> None:
    step = factories.step("NO_SHOW")
    told = explain(step, keys(Modality="MR", ScheduledStationAETitle="CT9"), CT1)
    assert {line.part.name for line in told.against} == {"state", "Modality", "ScheduledStationAETitle"}


def test_an_exam_on_the_list_meets_every_key_and_the_others_are_counted() -> None:
    step = factories.step()
    factories.step(start=factories.today_at(11))
    told = explain(step, keys(ScheduledStationAETitle="CT1", ScheduledProcedureStepStartDate=today()), CT1)
    assert (told.found, told.matches, told.against) == (True, 2, [])


def test_the_row_cap_and_keys_that_cannot_be_read_are_the_engines_own_words(settings: Any) -> None:
    settings.BUCKY_WORKLIST_MAX_ANSWERS = 1
    step = factories.step()
    factories.step(start=factories.today_at(11))
    full = explain(step, keys(PatientName=None), CT1)
    assert full.refused is not None
    assert (full.refused.status, full.against, full.found) == (0xA700, [], False)
    odd = explain(step, keys(ScheduledProcedureStepStartDate="yesterday"), CT1)
    assert odd.refused is not None
    assert odd.refused.status == 0xC001


def test_what_dicom_cannot_write_and_what_is_beyond_ascii_is_told() -> None:
    nameless = factories.step(patient=factories.patient(""))
    assert explain(nameless, keys(PatientName=None), CT1).unwritable == "PatientName"
    step = factories.step(patient=factories.patient("Müller^Łukasz"), start=factories.today_at(11))
    assert explain(step, keys(PatientName=None), CT1).character_set == "ISO_IR 192"
    assert explain(step, keys(AccessionNumber=None), CT1).character_set == ""


# --- the explanation cannot drift from the answer -----------------------------------------------------------

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "ScheduledStationAETitle": st.sampled_from(["CT1", "MR1", "CT9", "*", ["CT1", "MR1"]]),
    "ScheduledProcedureStepStartDate": st.sampled_from(
        [today(), today(1), f"{today()}-", f"-{today(1)}", f"{today()}-{today(1)}", "20200101", "x", '""']
    ),
    "ScheduledProcedureStepStartTime": st.sampled_from(["10", "0900-1030", "1030-", "-0930", "2200-0600", "25"]),
    "Modality": st.sampled_from(["CT", "MR", ["CT", "MR"], "C*"]),
    "ScheduledProcedureStepStatus": st.sampled_from(["SCHEDULED", "STARTED"]),
    "PatientName": st.sampled_from(["doe*", "Doe^Jane", "*^J?ne", "=山*", "müller*", ["Doe*", "Roe*"], "Miller", '""']),
    "PatientID": st.sampled_from(["1", "2", "9", '""']),
    "PatientBirthDate": st.sampled_from(["19620417", "19700101-", "-19700101", '""']),
    "PatientSex": st.sampled_from(["F", "M"]),
    "ScheduledPerformingPhysicianName": st.sampled_from(["*", "Curie*", '""']),
    "RequestingPhysician": st.sampled_from(["curie^marie", "C*", "Bohr*"]),
}
NEAR_ALL = Q()
PLAIN_ROW: dict[str, Any] = {
    "callers": "CT1",
    "scope": "ANY",
    "aliases": "",
    "look_back": None,
    "look_ahead": None,
    "hidden_states": [],
    "most": None,
    "when_more": "REFUSE",
}
QUERIES = st.lists(st.sampled_from(sorted(VALUES)), unique=True, max_size=4).flatmap(
    lambda names: st.fixed_dictionaries({name: VALUES[name] for name in names})
)


def a_department() -> list[ScheduledProcedureStep]:
    """Return an exam in every state, on two scanners, and some that are held, shut or begin another day."""
    factories.station("CT1"), factories.station("MR1")
    names = ["Doe^Jane", "Müller^Ärne", "Roe^Joe", "Doe^John"]
    people = [factories.patient(name, str(number)) for number, name in enumerate(names, start=1)]
    patients.update(by=factories.BY, patient=people[2], patient_name_ideographic="山田^太郎", sex="M")
    patients.update(by=factories.BY, patient=people[3], birth_date=date(1980, 1, 1))
    steps = [
        factories.step(state.value, patient=people[number % 4], start=factories.today_at(7 + number))
        if state != StepState.REQUESTED
        else factories.step(patient=people[0], start=None)
        for number, state in enumerate(StepState)
    ]
    rule()
    magnet: dict[str, Any] = {"exam": factories.exam("MRHEAD"), "station": factories.station("MR1")}
    steps += [factories.step(patient=people[0], start=factories.today_at(9), **magnet), held_on(people[1], magnet)]
    return steps


def held_on(patient: Any, magnet: dict[str, Any]) -> ScheduledProcedureStep:
    step = factories.step(patient=patient, start=factories.today_at(10, days=1), **magnet)
    orders.hold(by=factories.BY, order=step.requested_procedure.order)
    return step


@pytest.fixture
def department() -> list[ScheduledProcedureStep]:
    return a_department()


def outcome_of(identifier: Dataset, caller: Caller) -> set[int] | str:
    """Return the steps that the engine finds, or how it refuses."""
    try:
        return {one.step_id for one in find(identifier, caller)}
    except QueryError as reason:
        return str(reason)


WAYS = st.builds(Ways, by_ear=st.booleans(), empty=st.booleans(), every=st.booleans())
PROFILES = st.fixed_dictionaries(
    {},
    optional={
        "scope": st.sampled_from(["ANY", "OWN"]),
        "aliases": st.sampled_from(["", "CT9"]),
        "look_back": st.sampled_from([None, 0, 1]),
        "look_ahead": st.sampled_from([None, 0, 1]),
        "hidden_states": st.sampled_from([[], ["SCHEDULED"], ["STARTED", "READY"]]),
        "most": st.sampled_from([None, 1, 3]),
        "when_more": st.sampled_from(["REFUSE", "NEWEST"]),
    },
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=QUERIES, agreed=PROFILES, ways=st.builds(Ways, st.booleans(), st.booleans(), st.booleans()), data=st.data()
)
def test_it_would_match_exactly_if_the_engine_returns_it(
    department: list[ScheduledProcedureStep], query: dict[str, Any], agreed: dict[str, Any], ways: Ways, data: Any
) -> None:
    caller = Caller("CT1", ways=ways)
    StationProfile.objects.update_or_create(name="CT1", defaults=PLAIN_ROW | agreed)
    identifier = from_json(as_json(keys(**query)))  # as it comes back from the log
    answered = outcome_of(keys(**query), caller)
    if isinstance(answered, str):
        assert str(explain(department[0], identifier, caller).refused) == answered
        return
    found = answered
    for step in data.draw(st.lists(st.sampled_from(department), min_size=1, max_size=4, unique=True)):
        told = explain(step, identifier, caller)
        assert told.found is (step.pk in found)
        assert (told.against == []) is (told.found or told.cut)
    missed = near_misses(identifier, caller, NEAR_ALL, timezone.now())
    assert not {miss.step_id for miss in missed} & found
    for miss in missed[:3]:
        (only,) = explain(ScheduledProcedureStep.objects.get(pk=miss.step_id), identifier, caller).against
        assert only.part.name == miss.line.part.name


def test_what_is_kept_of_a_query_reads_the_same_again() -> None:
    identifier = keys(
        PatientName="Müller^J*=山*", StudyInstanceUID=["1.2", "1.3"], Modality=["CT", "MR"], PatientBirthDate="1962-",
        SpecificCharacterSet=["ISO 2022 IR 6", "ISO 2022 IR 87"], PregnancyStatus=None, PatientComments=r"a\b",
    )  # fmt: skip
    kept = as_json(identifier)
    assert as_json(from_json(kept)) == kept
    assert is_whole(kept)
    odd = {"ScheduledProcedureStepSequence": "CT", "PatientName": ""}  # explicit VR, and not SQ
    assert as_json(from_json(odd)) == odd
    assert is_whole(as_json(from_json({"NoSuchKeyword": "x", "(0009,1001)": "y", "PatientID": "cannot be read"})))
    assert not is_whole({"PatientName": "x" * 1024})
    assert not is_whole({"ScheduledProcedureStepSequence": [{"...": "cut"}]})


# --- the page ----------------------------------------------------------------------------------------------


def test_a_technologist_comes_from_the_order_and_reads_why() -> None:
    factories.station("CT2")
    step = factories.step(station=factories.station("CT2"))
    asked("CT1")
    desk = Desk(Role.TECHNOLOGIST)
    order = step.requested_procedure.order
    assert f"/worklist/querylog/why/{step.pk}/" in desk.get(f"/ris/order/{order.pk}/change/")
    words = text_of(desk.get(f"/worklist/querylog/why/{step.pk}/?station=CT1"))
    assert "It does not fit: Scheduled Station AE Title." in words
    assert "Scheduled Station AE Title CT1 CT2 no The scanner asks for another AE title" in words
    assert "State one of: scheduled, arrived, ready, in progress scheduled yes" in words
    told = Event.objects.filter(kind=EventKind.PATIENT_VIEWED).order_by("-pk")[0]
    assert (told.patient_id, told.step_id, told.subject) == (
        order.patient_id,
        step.pk,
        f"worklist.querylog:{QueryLog.objects.get().pk}",
    )


def _never(step: ScheduledProcedureStep) -> None:
    """Nobody asks."""


def _long_ago(step: ScheduledProcedureStep) -> None:
    asked(ago=timedelta(hours=2))


def _unknown(step: ScheduledProcedureStep) -> None:
    UnknownCaller.objects.note("CT1", "10.0.0.66", timezone.now(), refused=True)


def _wrong_called(step: ScheduledProcedureStep) -> None:
    RefusedCall.objects.note("CT1", "BUCKI", "10.0.0.66", "CALLED", timezone.now())


def _door_full(step: ScheduledProcedureStep) -> None:
    RefusedCall.objects.note("CT1", "BUCKY", "10.0.0.66", "FULL", timezone.now())


def _stranger(step: ScheduledProcedureStep) -> None:
    UnknownCaller.objects.note("ANONYMOUS", "10.0.0.66", timezone.now(), refused=False)


def _out_of_use(step: ScheduledProcedureStep) -> None:
    Station.objects.update(active=False)
    asked()


def _too_many(step: ScheduledProcedureStep) -> None:
    asked(step_ids=[], status="A700", comment="More than 1000 steps match, ask for fewer")


def _broken_off(step: ScheduledProcedureStep) -> None:
    asked(step_ids=[], status="FE00")


def _ended(step: ScheduledProcedureStep) -> None:
    asked(step_ids=[], comment="The association ended before the answer did")


def _shown(step: ScheduledProcedureStep) -> None:
    asked()


def _moved_here(step: ScheduledProcedureStep) -> None:
    schedule.book(by=factories.BY, step=step, start=factories.today_at(10, days=1))
    asked(ago=timedelta(seconds=5))
    schedule.book(by=factories.BY, step=step, start=factories.today_at(16))


def _gone(step: ScheduledProcedureStep) -> None:
    asked(ago=timedelta(seconds=5))
    exams.go("miss", by=factories.BY, step=step)


def _character_set(step: ScheduledProcedureStep) -> None:
    patients.update(by=factories.BY, patient=step.requested_procedure.order.patient, patient_name="Müller^Łukasz")
    asked(SpecificCharacterSet="ISO_IR 100", PatientName=None)


def _agreed_character_set(step: ScheduledProcedureStep) -> None:
    agreed(character_set="ISO_IR 100", transliterate=True)
    patients.update(by=factories.BY, patient=step.requested_procedure.order.patient, patient_name="Müller^Łukasz")
    asked(PatientName=None)


def _nameless(step: ScheduledProcedureStep) -> None:
    patients.update(by=factories.BY, patient=step.requested_procedure.order.patient, patient_name="")
    asked(PatientName=None)


def agreed(**values: Any) -> None:
    StationProfile.objects.create(name="Console of CT1", callers="CT1", **values)


def _window(step: ScheduledProcedureStep) -> None:
    agreed(look_back=1, look_ahead=0)
    schedule.book(by=factories.BY, step=step, start=factories.today_at(10, days=1))
    asked(ScheduledStationAETitle="CT1")


def _hidden(step: ScheduledProcedureStep) -> None:
    agreed(hidden_states=["SCHEDULED"])
    asked()


def _not_its_own(step: ScheduledProcedureStep) -> None:
    agreed(scope="OWN", station=factories.station("CT2"))
    asked(PatientName=None)


def _alias(step: ScheduledProcedureStep) -> None:
    agreed(aliases="OLDNAME")
    asked(ScheduledStationAETitle="OLDNAME")


def _cut(step: ScheduledProcedureStep) -> None:
    agreed(most=1, when_more="NEWEST")
    factories.step(start=factories.today_at(11))
    asked()


def _full(step: ScheduledProcedureStep) -> None:
    agreed(most=1)
    factories.step(start=factories.today_at(11))
    asked(step_ids=[], status="A700", comment="More than 1 steps match, ask for fewer")


def _too_long(step: ScheduledProcedureStep) -> None:
    asked(StudyInstanceUID=["1.2.3" + "4" * 50] * 30)


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (_never, "No device has asked for a worklist as CT1 in 30 days."),
        (_never, "If the scanner asked for itself and the day of the exam, it would get this exam."),
        (_long_ago, "It has not asked by C-FIND since"),
        (_unknown, "because no station has its AE title."),
        (_wrong_called, "it called BUCKI, and our AE title is"),
        (_door_full, "from 10.0.0.66: too many associations were open."),
        (_stranger, "may be it: ANONYMOUS (10.0.0.66)."),
        (_out_of_use, "The station is out of use."),
        (_too_many, "refused with status A700 (More than 1000 steps match, ask for fewer)."),
        (_broken_off, "The scanner broke the query off before all answers were sent."),
        (_ended, "The query was not answered to its end: The association ended before the answer did."),
        (_shown, "This exam was sent to the scanner. Every key fits still: if the exam is not seen there"),
        (_shown, "Asked now, it finds 0 other exams."),
        (_moved_here, "the scanner gets this exam when it asks again. Something has changed."),
        (_moved_here, "What has happened since"),
        (_gone, "This exam was sent to the scanner. It does not fit any more: State."),
        (
            _character_set,
            "is written in ISO_IR 192, because it holds more than ASCII; the scanner asked in ISO_IR 100.",
        ),
        (_character_set, "may hide the exam: say in its station profile what it reads."),
        (
            _agreed_character_set,
            "The device gets PatientName otherwise than it is kept here: written in Latin letters. Answers: 1, in",
        ),
        (_nameless, "This exam was left out, because it holds something that DICOM cannot write."),
        (_nameless, "PatientName is missing or cannot be written in DICOM."),
        (_window, "Station profile at most 1 days back, at most 0 days ahead"),
        (_hidden, "a state that is not hidden from the device: arrived, ready, in progress scheduled no"),
        (_hidden, "agreed in the station profile Console of CT1."),
        (_not_its_own, "Station profile a station that the device may see: CT2 CT1 no"),
        (_alias, "OLDNAME, which means CT1 CT1 yes"),
        (_cut, "more exams match than the device takes: it gets the 1 that start last."),
        (_full, "This query cannot be answered: more than 1 exams match, and a list holds no more (status A700)."),
        (_too_long, "The query was too long to be kept whole"),
    ],
)
def test_the_page_names_the_reason(happens: Callable[[ScheduledProcedureStep], None], words: str) -> None:
    step = factories.step()
    happens(step)
    assert words in page_of(step)


def test_what_is_wrong_beside_the_first_reason_is_told_too() -> None:
    """Whoever mends what the page names must not come back for the next reason."""
    step = factories.step()
    _full(step)
    schedule.book(by=factories.BY, step=step, start=step.start, station=factories.station("CT2"))
    factories.step(start=factories.today_at(12), station=factories.station("CT1"))
    words = page_of(step, "?station=CT1")
    assert "more than 1 exams match, and a list holds no more (status A700)." in words
    assert "Besides, it does not fit: Scheduled Station AE Title." in words
    words = page_of(step, "?station=ct1")
    assert "No station has the AE title ct1." in words
    assert "There is CT1: capital and small letters are not the same in an AE title." in words


def test_an_earlier_query_is_a_click_away_and_devices_that_are_no_station_can_be_chosen() -> None:
    step = factories.step()
    early = asked(Modality="MR", ago=timedelta(minutes=2))
    asked("WORKSTATION"), asked()
    assert "WORKSTATION" in page_of(step)
    assert "It does not fit: Modality." in page_of(step, f"?query={early.pk}")
    assert "No station has the AE title WORKSTATION." in page_of(step, "?station=WORKSTATION")


@pytest.mark.parametrize("role", list(Role))
def test_who_may_ask_why(role: Role) -> None:
    step, query = factories.step(), asked()
    may = role in (Role.TECHNOLOGIST, Role.INFORMATICS, Role.ADMINISTRATOR)
    desk = Desk(role)
    desk.get(f"/worklist/querylog/why/{step.pk}/", status=200 if may else 403)
    sees_queries = role in (Role.INFORMATICS, Role.ADMINISTRATOR)
    desk.get(f"/worklist/querylog/{query.pk}/near/", status=200 if sees_queries else 403)


@pytest.mark.parametrize("more", ["?station=" + "x" * 300, "?station=<b>", "?station=%5C"])
def test_odd_addresses_of_the_page_are_no_trouble(more: str) -> None:
    assert "Why is it not on my scanner?" in page_of(factories.step(), more)


@pytest.mark.parametrize("more", ["999999/", "1/?query=999999", "1/?query=x", "1/?query=-1"])
def test_what_is_not_there_is_not_found(more: str) -> None:
    pk = str(factories.step().pk)
    Desk(Role.TECHNOLOGIST).get(f"/worklist/querylog/why/{more.replace('1/', pk + '/', 1)}", status=404)


def test_days_are_written_as_the_reader_writes_them() -> None:
    step = factories.step(patient=factories.patient(birth_date=date(1962, 4, 17)), start=factories.today_at(9))
    asked(PatientBirthDate="19630418", ScheduledProcedureStepStartDate="20200131")
    desk = Desk(Role.TECHNOLOGIST)
    desk.post("/language", language="de")
    page = text_of(desk.get(f"/worklist/querylog/why/{step.pk}/?station=CT1"))
    for day in ("18.04.1963", "17.04.1962", "31.01.2020", f"{timezone.localdate():%d.%m.%Y} 09:00"):
        assert day in page


# --- from a shell ------------------------------------------------------------------------------------------


def test_the_command_tells_the_same_without_the_patient(capsys: pytest.CaptureFixture[str]) -> None:
    step = factories.step(patient=factories.patient("Secret^Name", "4711"))
    asked(ScheduledStationAETitle="CT2", PatientName="Roe*", PatientID="4712")
    for name in (step.sps_id, step.requested_procedure.order.accession_number):
        call_command("why", name, "CT1")
        words = capsys.readouterr().out
        assert "It does not fit: Patient's Name, Patient ID, Scheduled Station AE Title." in words
        assert "what is asked / what the exam has; - marks what does not fit\n" in words
        assert "- Scheduled Station AE Title: CT2 / CT1\n" in words
        assert "- Patient's Name\n" in words
        for secret in ("Secret", "SECRET", "Roe", "4711", "4712"):
            assert secret not in words
    call_command("why", step.sps_id, "MR7")
    assert "No device has asked for a worklist as MR7" in capsys.readouterr().out


def test_the_command_says_what_it_does_not_find() -> None:
    two = factories.exam("PETCT", modality="CT", steps=[("Low dose", "CT", 10), ("Diagnostic", "CT", 20)])
    order = factories.order(exam=two)
    with pytest.raises(CommandError, match=r"has several steps: name one by its ID \(SPS\d+, SPS\d+\)"):
        call_command("why", order.accession_number, "CT1")
    with pytest.raises(CommandError, match=r"neither a step .* nor an order .accession number. X"):
        call_command("why", "X", "CT1")


# --- lists and retention ------------------------------------------------------------------------------------


def test_queries_are_filtered_by_how_they_ended() -> None:
    asked("CT1"), asked("CT2", step_ids=[], status="A700", comment="x"), asked("CT3", step_ids=[])
    QueryLog.objects.filter(calling_ae_title="CT3").update(matches=1, skipped=[5])
    expert = Desk(Role.INFORMATICS)
    for chosen, shown in (("outcome=failed", "CT2"), ("answers=left_out", "CT3"), ("q=CT1", "CT1")):
        words = text_of(expert.get(f"/worklist/querylog/?{chosen}"))
        assert [title for title in ("CT1", "CT2", "CT3") if f"{title} C-FIND 10.0.0.7" in words] == [shown]
    words = text_of(expert.get("/worklist/querylog/?outcome=answered&answers=none"))
    assert [title for title in ("CT1", "CT2", "CT3") if f"{title} C-FIND 10.0.0.7" in words] == ["CT1", "CT3"]


def test_a_wrong_called_title_is_seen_on_the_desk_and_forgotten_in_time(settings: Any) -> None:
    settings.BUCKY_QUERY_LOG_DAYS = 30
    now = timezone.now()
    for _ in range(2):
        RefusedCall.objects.note("CT1", "BUCKI", "10.0.0.66", "CALLED", now)
    RefusedCall.objects.note("CT1", "BUCKO", "10.0.0.66", "CALLED", now - timedelta(days=31))
    UnknownCaller.objects.note("OLD", "10.0.0.66", now - timedelta(days=31), refused=False)
    expert = Desk(Role.INFORMATICS)
    assert "CT1 → BUCKI 10.0.0.66" in text_of(expert.get("/"))
    purge_query_log()
    assert not UnknownCaller.objects.exists()
    call = RefusedCall.objects.get()
    assert (call.called_ae_title, call.times) == ("BUCKI", 2)
    assert "it calls another AE title" in text_of(expert.get("/worklist/refusedcall/"))
    RefusedCall.objects.note("", "", "10.0.0.67", "TLS", now)
    stranger = RefusedCall.objects.get(ae_title="")
    page = expert.get("/worklist/refusedcall/")
    assert f'<a href="/worklist/refusedcall/{stranger.pk}/change/">it began TLS on the plain port</a>' in page
    assert str(stranger) == "it began TLS on the plain port (10.0.0.67)"


def test_what_was_refused_is_explained_by_why_it_was_refused() -> None:
    """Nothing was read, or it was refused after that: the reason is that of then, never that no key was asked for."""
    step = factories.step()
    for calling, keys_kept, comment, words in (
        ("CT1", {}, "The identifier cannot be decoded", "It has no keys that can be read"),
        ("CT2", {"ScheduledProcedureStepSequence": "CT"}, "Not a sequence", "cannot be answered: Not a sequence"),
    ):
        query = asked(calling, step_ids=[], status="A900", comment=comment)
        QueryLog.objects.filter(pk=query.pk).update(keys=keys_kept)
        told = page_of(step, f"?query={query.pk}")
        assert f"the query was refused with status A900 ({comment})." in told
        assert words in told
        assert "No key" not in told
    assert "ScheduledProcedureStepSequence CT" in told


def test_an_identifier_that_is_no_dictionary_is_explained_as_refused() -> None:
    told = explain(factories.step(), Dataset(), CT1)
    assert told.refused is not None
    assert told.refused.status == 0xA900
