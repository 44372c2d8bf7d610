# ruff: noqa: DTZ001 - wall clocks, as scanners write them
"""One engine: what is asked, against the rows of the department."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from ris.actions import orders, patients, schedule
from ris.models import ScheduledProcedureStep, Site
from ris.person_name import fold
from ris.states import ON_WORKLIST, StepState
from tests import factories
from tests.worklist.asking import answers, ask, door_sends, keys, statements, step, step_ids
from worklist.errors import CANNOT_UNDERSTAND, IDENTIFIER_DOES_NOT_FIT, OUT_OF_RESOURCES, QueryError
from worklist.matching import Wildcard
from worklist.query import Caller, find
from worklist.ways import Ways

pytestmark = pytest.mark.django_db


def today(days: int = 0) -> str:
    return f"{factories.today_at(12, days=days):%Y%m%d}"


def status_of(action: Callable[[], object]) -> int:
    with pytest.raises(QueryError) as refused:
        action()
    return refused.value.status


# --- a scanner's morning ------------------------------------------------------------------------------


def test_a_scanner_asks_for_itself_and_today() -> None:
    factories.station("CT1"), factories.station("CT2")
    first = factories.step(start=factories.today_at(10), station=factories.station("CT1"))
    factories.step(start=factories.today_at(11), station=factories.station("CT2"))
    factories.step(start=factories.today_at(10, days=1), station=factories.station("CT1"))
    earlier = factories.step(start=factories.today_at(8), station=factories.station("CT1"))
    asked = {"ScheduledStationAETitle": "CT1", "ScheduledProcedureStepStartDate": today()}
    assert step_ids(**asked) == [earlier.sps_id, first.sps_id]


def test_the_answer_tells_what_and_when() -> None:
    jane = factories.patient("Doe^Jane", "4711")
    made = factories.step(patient=jane, start=factories.today_at(10, 30))
    (data_set,) = answers(
        PatientName=None,
        PatientID="4711",
        AccessionNumber=None,
        StudyInstanceUID=None,
        RequestedProcedureID=None,
        ReferencedStudySequence=[],
        ScheduledStationAETitle=None,
        ScheduledProcedureStepStartDate=None,
        ScheduledProcedureStepStartTime=None,
        Modality=None,
    )
    procedure = made.requested_procedure
    assert data_set.PatientName == "Doe^Jane"
    assert data_set.PatientID == "4711"
    assert data_set.AccessionNumber == procedure.order.accession_number
    assert data_set.StudyInstanceUID == procedure.study_instance_uid
    assert data_set.ReferencedStudySequence[0].ReferencedSOPInstanceUID == procedure.study_instance_uid
    assert data_set.RequestedProcedureID == procedure.requested_procedure_id
    assert step(data_set).ScheduledStationAETitle == "CT1"
    assert step(data_set).ScheduledProcedureStepStartDate == today()
    assert step(data_set).ScheduledProcedureStepStartTime == "103000"
    assert step(data_set).Modality == "CT"


def test_asked_twice_the_answer_is_the_same() -> None:
    factories.step()
    everything: dict[str, Any] = {
        "StudyInstanceUID": None,
        "AccessionNumber": None,
        "ScheduledProcedureStepSequence": [],
    }
    assert answers(**everything) == answers(**everything)


def test_each_step_of_a_procedure_is_one_answer() -> None:
    two = factories.exam("PETCT", modality="CT", steps=[("Low dose", "CT", 10), ("Diagnostic", "CT", 20)])
    order = factories.order(exam=two)
    found = answers(AccessionNumber=order.accession_number, ScheduledProcedureStepDescription=None)
    assert [step(one).ScheduledProcedureStepDescription for one in found] == ["Low dose", "Diagnostic"]


@pytest.mark.parametrize("state", list(StepState))
def test_only_open_steps_are_on_the_list(state: StepState) -> None:
    made = factories.step(state.value)
    assert step_ids() == ([made.sps_id] if state in ON_WORKLIST else [])


def test_an_order_on_hold_is_hidden_until_it_is_released() -> None:
    made = factories.step()
    order = made.requested_procedure.order
    orders.hold(by=factories.BY, order=order)
    assert step_ids() == []
    orders.release(by=factories.BY, order=order)
    assert step_ids() == [made.sps_id]


def test_a_renamed_patient_and_a_moved_step_are_on_the_next_query() -> None:
    jane = factories.patient("Doe^Jane", "4711")
    made = factories.step(patient=jane)
    patients.update(by=factories.BY, patient=jane, patient_name="Smith^Jane")
    schedule.book(by=factories.BY, step=made, start=factories.today_at(16, days=1))
    (found,) = answers(PatientName=None, ScheduledProcedureStepStartDate=today(1), ScheduledProcedureStepStartTime=None)
    assert found.PatientName == "Smith^Jane"
    assert step(found).ScheduledProcedureStepStartTime == "160000"


def test_after_a_merge_the_step_carries_the_survivor() -> None:
    loser, survivor = factories.patient("Doe^Jane", "1"), factories.patient("Doe^Janet", "2")
    made = factories.step(patient=loser)
    patients.merge(by=factories.BY, survivor=survivor, loser=loser)
    assert step_ids(PatientID="1") == []
    assert step_ids(PatientID="2") == [made.sps_id]


# --- the required keys ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("CT1", 1),
        ("ct1", 0),
        ("CT*", 0),
        ("CT2", 0),
        ("", 1),
        ("*", 1),
    ],
)
def test_station_ae_title(key: str, found: int) -> None:
    factories.step()
    assert len(step_ids(ScheduledStationAETitle=key)) == found


@pytest.mark.parametrize(("key", "found"), [("CT", 1), ("MR", 0), (["MR", "CT"], 1), ("C?", 0)])
def test_modality(key: Any, found: int) -> None:
    factories.step()
    assert len(step_ids(Modality=key)) == found


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("Müller^Łucja", 1),
        ("MULLER^LUCJA", 1),
        ("muller*", 1),
        ("MUEL*", 0),
        ("Müller", 0),
        ("Müller^*", 1),
        ("M?ller^L*", 1),
        ("*lucja", 1),
        ("Müller^Łucja^^^", 1),
        ("ma_er*", 0),
        ("m%", 0),
    ],
)
def test_patient_name_without_case_and_accents(key: str, found: int) -> None:
    factories.step(patient=factories.patient("Müller^Łucja"))
    assert len(step_ids(PatientName=key, SpecificCharacterSet="ISO_IR 192")) == found


def test_component_groups_match_their_own_columns() -> None:
    yamada = factories.patient(
        "Yamada^Tarou", patient_name_ideographic="山田^太郎", patient_name_phonetic="やまだ^たろう"
    )
    factories.step(patient=yamada)
    assert len(step_ids(PatientName="=山田^*", SpecificCharacterSet="ISO_IR 192")) == 1
    assert len(step_ids(PatientName="Yamada*==やまだ*", SpecificCharacterSet="ISO_IR 192")) == 1
    assert len(step_ids(PatientName="=田中*", SpecificCharacterSet="ISO_IR 192")) == 0


@pytest.mark.parametrize(("key", "found"), [("4711", 1), ("471", 0), ("471*", 0), ("9999", 0)])
def test_patient_id(key: str, found: int) -> None:
    factories.step(patient=factories.patient(number="4711"))
    assert len(step_ids(PatientID=key)) == found


@pytest.mark.parametrize(("key", "found"), [("Röntgen*", 1), ("RONTGEN^W*", 1), ("Curie*", 0), ("*", 1), ("?", 0)])
def test_performing_physician(key: str, found: int) -> None:
    factories.step(performing_physician="Röntgen^Wilhelm")
    asked = {"ScheduledPerformingPhysicianName": key, "SpecificCharacterSet": "ISO_IR 192"}
    assert len(step_ids(**asked)) == found


def test_a_step_without_a_physician_matches_none() -> None:
    factories.step()
    assert step_ids(ScheduledPerformingPhysicianName="?*") == []


@pytest.mark.parametrize(
    ("days", "times", "found"),
    [
        ((0, 0), "", [0, 1]),
        ((0, 0), "100000-120000", [0]),
        ((0, 1), "150000-090000", [1, 2]),
        ((1, 1), "", [2]),
        ((0, None), "", [0, 1, 2]),
        ((None, 0), "", [0, 1]),
        (None, "100000", [0]),
        (None, "09-", [0, 1]),
        ((2, 3), "", []),
    ],
)
def test_start_date_and_time(days: tuple[int | None, int | None] | None, times: str, found: list[int]) -> None:
    made = [factories.step(start=factories.today_at(hour, days=day)) for hour, day in ((10, 0), (16, 0), (8, 1))]
    low, high = days or (None, None)
    ends = [today(end) if end is not None else "" for end in (low, high)]
    date_key = "" if days is None else ends[0] if low == high else "-".join(ends)
    asked = {"ScheduledProcedureStepStartDate": date_key, "ScheduledProcedureStepStartTime": times}
    assert step_ids(**asked) == [made[place].sps_id for place in found]


@pytest.mark.parametrize(
    "zone", ["Pacific/Kiritimati", "Asia/Tokyo", "Europe/Berlin", "America/New_York", "Pacific/Midway"]
)
@pytest.mark.parametrize("hour", [0, 23])
def test_dates_are_those_of_the_site(zone: str, hour: int) -> None:
    site = factories.site("FAR", time_zone=zone)
    factories.station("MR9", site=site)
    start = datetime(2026, 3, 3, hour, 30, tzinfo=ZoneInfo(zone))
    made = factories.step(exam=factories.exam("MRHEAD"), start=start, site=site)
    (found,) = answers(ScheduledProcedureStepStartDate="20260303", ScheduledProcedureStepStartTime=None)
    assert step(found).ScheduledProcedureStepStartTime == f"{hour:02}3000"
    assert step_ids(ScheduledProcedureStepStartDate="20260302") == []
    assert step_ids(ScheduledProcedureStepStartDate="20260304") == []
    assert made.start == start.astimezone(UTC)


def test_two_sites_have_two_todays() -> None:
    for code, zone, station in (("EAST", "Asia/Tokyo", "MR1"), ("WEST", "America/New_York", "MR2")):
        site = factories.site(code, time_zone=zone)
        factories.station(station, site=site)
    moment = datetime(2026, 3, 3, 20, tzinfo=UTC)  # the 4th in Tokyo, the 3rd in New York
    exam = factories.exam("MRHEAD")
    east = factories.step(exam=exam, start=moment, station=factories.station("MR1"))
    west = factories.step(exam=exam, start=moment, station=factories.station("MR2"))
    assert step_ids(ScheduledProcedureStepStartDate="20260304") == [east.sps_id]
    assert step_ids(ScheduledProcedureStepStartDate="20260303") == [west.sps_id]


def test_the_hour_that_comes_twice_belongs_to_its_day() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    made = [factories.step(start=datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=berlin)) for fold in (0, 1)]
    asked = {"ScheduledProcedureStepStartDate": "20261025", "ScheduledProcedureStepStartTime": "02-0259"}
    assert step_ids(**asked) == [one.sps_id for one in made]


# --- optional keys -------------------------------------------------------------------------------------


def test_patient_based_query_combines_keys() -> None:
    jane = factories.patient("Doe^Jane", "4711")
    made = factories.step(patient=jane)
    factories.step(patient=jane)
    procedure = made.requested_procedure
    asked = {"PatientName": "DOE*", "PatientID": "4711", "AccessionNumber": procedure.order.accession_number}
    assert step_ids(**asked) == [made.sps_id]
    assert step_ids(**asked, RequestedProcedureID=procedure.requested_procedure_id) == [made.sps_id]
    assert step_ids(**asked, RequestedProcedureID="nobody's") == []


def test_wildcards_other_than_names_tell_capitals_from_small_letters() -> None:
    made = factories.step()
    accession = made.requested_procedure.order.accession_number
    assert step_ids(AccessionNumber=accession[:3] + "*") == [made.sps_id]
    assert step_ids(AccessionNumber=accession[:-1] + "?") == [made.sps_id]
    assert step_ids(AccessionNumber=accession[:3].lower() + "*") == []


def test_a_list_of_study_uids() -> None:
    made = [factories.step() for _ in range(3)]
    uids = [one.requested_procedure.study_instance_uid for one in made[:2]]
    assert len(step_ids(StudyInstanceUID=uids)) == 2


def test_birth_date_range_and_sex() -> None:
    made = factories.step(patient=factories.patient(birth_date=date(1990, 5, 5), sex="M"))
    factories.step(patient=factories.patient(birth_date=None, sex=""))
    assert step_ids(PatientBirthDate="19900101-19901231") == [made.sps_id]
    assert step_ids(PatientBirthDate="-19891231") == []
    assert step_ids(PatientSex="M") == [made.sps_id]


def test_a_procedure_is_found_by_its_code() -> None:
    made = factories.step()
    code = Dataset()
    code.CodeValue = "CTABD"
    assert step_ids(RequestedProcedureCodeSequence=[code]) == [made.sps_id]
    code.CodeValue = "MRHEAD"
    assert step_ids(RequestedProcedureCodeSequence=[code]) == []


@pytest.mark.parametrize(
    ("values", "usually", "found"),
    [
        ({"PatientBirthDate": '""'}, None, ["4712"]),
        ({"PatientSex": '""'}, [], ["4712"]),
        ({"ScheduledPerformingPhysicianName": '""'}, [], ["4711", "4712"]),
        ({"AdmissionID": '""'}, [], ["4711", "4712"]),
        ({"PatientName": '""'}, [], []),
        ({"PatientID": '""', "IssuerOfPatientID": factories.ISSUER}, [], []),
        ({"ScheduledStationName": ["CT1", "CT2*"]}, ["4711", "4712"], None),
        ({"ScheduledStationAETitle": ["CT1", "CT2"]}, ["4711", "4712"], []),
        ({"ScheduledStationAETitle": ["CT1", "CT1"]}, ["4711"], ["4711"]),
        ({"Modality": ["CT", "MR"]}, ["4711", "4712"], ["4711", "4712"]),
    ],
)
def test_empty_and_several_values_where_they_are_agreed(
    values: dict[str, Any], usually: list[str] | None, found: list[str] | None
) -> None:
    """Both faces of the engine: data sets, and the bytes that the door sends. None: refused."""
    factories.step(patient=factories.patient("Doe^Jane", "4711"), station=factories.station("CT1"))
    nobody = factories.patient("Roe^Jim", "4712", birth_date=None, sex="")
    factories.step(patient=nobody, station=factories.station("CT2"), start=factories.today_at(15))
    for ways, expected in ((Ways(), usually), (Ways(empty=True, every=True), found)):
        caller, asked = Caller("CT1", ways=ways), keys(**({"PatientID": None} | values))
        if expected is None:
            with pytest.raises(QueryError, match="C001"):
                find(asked, caller)
            continue
        data_sets = [one.data_set for one in find(asked, caller)]
        assert [str(one.PatientID) for one in data_sets] == expected
        door_sends(asked, data_sets, caller)


def test_a_key_that_cannot_be_matched_is_ignored_and_told() -> None:
    made = factories.step()
    result = ask(PatientWeight="70", InstitutionName="Elsewhere")
    assert result.pending == 0xFF01
    (found,) = result
    assert found.step_id == made.pk
    assert found.data_set["PatientWeight"].is_empty
    assert found.data_set["InstitutionName"].is_empty
    assert ask(PatientWeight=None, InstitutionName="*").pending == 0xFF00


# --- how much is read ----------------------------------------------------------------------------------


def test_one_statement_however_many_answers() -> None:
    for _ in range(5):
        factories.step()
    with CaptureQueriesContext(connection) as taken:
        assert ask(PatientName="*", PatientID=None, AdmissionID=None, ScheduledStationName=None).matches == 5
    assert len(statements(taken)) == 1


def test_other_patient_ids_cost_one_statement_more_and_only_when_asked() -> None:
    jane = factories.patient(number="4711")
    patients.identify(by=factories.BY, patient=jane, identifier=patients.Identifier("99", "INSURER", "NI"))
    for _ in range(3):
        factories.step(patient=jane)
    with CaptureQueriesContext(connection) as taken:
        ask(PatientID=None, OtherPatientIDsSequence=[])
    assert len(statements(taken)) == 2
    for one in answers(PatientID=None, OtherPatientIDsSequence=[]):
        (other,) = one.OtherPatientIDsSequence
        assert (other.PatientID, other.IssuerOfPatientID, other.TypeOfPatientID) == ("99", "INSURER", "TEXT")


# --- what cannot be answered ---------------------------------------------------------------------------


def test_two_items_in_the_step_sequence_are_refused() -> None:
    identifier = keys(PatientName=None)
    identifier.ScheduledProcedureStepSequence = [Dataset(), Dataset()]
    assert status_of(lambda: find(identifier, Caller("CT1"))) == IDENTIFIER_DOES_NOT_FIT


def test_no_keys_are_refused() -> None:
    assert status_of(lambda: find(Dataset(), Caller("CT1"))) == IDENTIFIER_DOES_NOT_FIT


@pytest.mark.parametrize(
    "wrong",
    [
        {"ScheduledProcedureStepStartDate": "20260230"},
        {"ScheduledProcedureStepStartDate": "20260302-20260301"},
        {"ScheduledProcedureStepStartTime": "2500"},
        {"PatientBirthDate": "1962"},
        {"PatientName": "X" * 2000},
    ],
)
def test_a_key_that_cannot_be_understood_is_named(wrong: dict[str, str], recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(QueryError) as refused:
        ask(**wrong)
    assert refused.value.status == CANNOT_UNDERSTAND
    assert str(refused.value.tag) in refused.value.comment
    assert not any(value in refused.value.comment for value in wrong.values())


def test_too_many_matches_are_refused_not_cut(settings: Any) -> None:
    settings.BUCKY_WORKLIST_MAX_ANSWERS = 2
    factories.step(), factories.step()
    assert len(answers()) == 2
    factories.step()
    assert status_of(lambda: answers()) == OUT_OF_RESOURCES
    assert status_of(lambda: answers(ScheduledProcedureStepStartDate=today())) == OUT_OF_RESOURCES


def test_a_database_that_is_away_is_no_empty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("could not connect to 4711")

    monkeypatch.setattr("worklist.query._rows", away)
    assert status_of(lambda: answers()) == OUT_OF_RESOURCES


def test_one_bad_row_does_not_hide_the_others(caplog: pytest.LogCaptureFixture) -> None:
    made = [factories.step(start=factories.today_at(hour)) for hour in (8, 9, 10)]
    bad = made[1].requested_procedure
    type(bad).objects.filter(pk=bad.pk).update(study_instance_uid="1.2.x")
    result = ask(StudyInstanceUID=None)
    assert [one.step_id for one in result] == [made[0].pk, made[2].pk]
    assert result.skipped == [made[1].pk]
    assert f"step {made[1].pk} is left off the worklist: StudyInstanceUID" in caplog.text
    list(ask(StudyInstanceUID=None))
    assert caplog.text.count("left off") == 1
    assert len(step_ids(AccessionNumber=None)) == 3


# --- against a plain Python filter -----------------------------------------------------------------------

NAMES = ["Doe^Jane", "Doe^John", "Müller^Ute", "O'Hara^Max", "Ng^A_b%c", "Ng^[x]", "Иванов^Пётр"]


@pytest.fixture
def busy_days() -> list[ScheduledProcedureStep]:
    """Three days on two scanners of two sites."""
    for code, zone, station in (("HOSPITAL", "Europe/Berlin", "CT1"), ("FAR", "Asia/Tokyo", "CT2")):
        factories.station(station, site=factories.site(code, time_zone=zone))
    people = [factories.patient(name) for name in NAMES]
    start = datetime(2026, 3, 28, tzinfo=UTC)  # Berlin's clock changes on the 29th
    for number in range(24):
        factories.step(
            patient=people[number % len(people)],
            station=factories.station(f"CT{number % 2 + 1}"),
            start=start + timedelta(hours=3 * number, minutes=number),
        )
    rows = ScheduledProcedureStep.objects.select_related("station__site", "requested_procedure__order__patient")
    return list(rows.order_by("start", "sps_id"))


def expected(rows: list[ScheduledProcedureStep], station: str, name: str, low: datetime, high: datetime) -> list[str]:
    """Filter as a person would."""

    def fits(row: ScheduledProcedureStep) -> bool:
        assert row.station
        assert row.start
        site: Site = row.station.site
        local = row.start.astimezone(site.zone).replace(tzinfo=None)
        stored = fold(row.requested_procedure.order.patient.patient_name)
        right_name = name == "*" or Wildcard(fold(name)).fits(stored)
        return station in ("", row.station.ae_title) and right_name and low <= local <= high

    return [row.sps_id for row in rows if fits(row)]


MOMENTS = st.datetimes(datetime(2026, 3, 27), datetime(2026, 4, 1)).map(lambda at: at.replace(second=0, microsecond=0))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    station=st.sampled_from(["", "CT1", "CT2", "CT3"]),
    name=st.sampled_from(
        ["*", "doe^jane", "DOE*", "*^J*", "Mull*", "ng^a_*", "ng^a%*", "Ng^[x]", "?????^*", "иванов*"]
    ),
    ends=st.tuples(MOMENTS, MOMENTS).map(sorted),
)
def test_the_engine_agrees_with_a_plain_filter(
    busy_days: list[ScheduledProcedureStep], station: str, name: str, ends: list[datetime]
) -> None:
    low, high = ends
    found = step_ids(
        SpecificCharacterSet="ISO_IR 192",
        ScheduledStationAETitle=station,
        PatientName=name,
        ScheduledProcedureStepStartDate=f"{low:%Y%m%d}-{high:%Y%m%d}",
        ScheduledProcedureStepStartTime=f"{low:%H%M}00-{high:%H%M}00",
    )
    assert found == expected(busy_days, station, name, low, high + timedelta(microseconds=999999))
