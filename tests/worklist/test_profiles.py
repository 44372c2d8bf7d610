"""What is agreed with a device: what it may see, how much of it, and by which names."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event as Signal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom.dsutils import encode

from ris.actions import exams
from ris.models import Event, EventKind, Station
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of
from tests.worklist.asking import door_sends, keys, step
from worklist import callers
from worklist.callers import profile_for
from worklist.errors import OUT_OF_RESOURCES, QueryError
from worklist.models import StationProfile
from worklist.prepared import reply_to
from worklist.profile_models import ProfileQuerySet
from worklist.profiles import PLAIN, Profile, Row, Scope, Setting, ValueRule
from worklist.query import Caller, find
from worklist.server import is_active_station
from worklist.why import explain, near_misses
from worklist.why_words import told

pytestmark = pytest.mark.django_db


def agreed(callers: str = "CT1", **values: Any) -> StationProfile:
    """Make a profile as the desk would: checked."""
    stations = values.pop("stations", ())
    profile = StationProfile(name=values.pop("name", callers or "all others"), callers=callers, **values)
    profile.full_clean()
    profile.save()
    profile.stations.set(stations)
    return profile


def seen(ae_title: str = "CT1", **values: Any) -> list[str]:
    """Return the step IDs that a device gets, after a look whether the door sends the same bytes."""
    found = [one.data_set for one in find(keys(**values), Caller(ae_title))]
    door_sends(keys(**values), found, Caller(ae_title))
    return [str(step(one).ScheduledProcedureStepID) for one in found]


# --- whose profile ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ae_title", "name"),
    [("CT1", "CT1"), ("CT2", "CT*"), ("CTX", "CT*"), ("CT", "CT*"), ("MR1", "others"), ("ct1", "others")],
)
def test_the_profile_that_names_a_caller_most_exactly_counts(ae_title: str, name: str) -> None:
    agreed("", name="others"), agreed("C*"), agreed("CT*"), agreed("CT1")
    agreed("CT2", active=False)
    assert profile_for(ae_title).name == name


def test_without_a_profile_nothing_is_agreed() -> None:
    assert profile_for("CT1") is PLAIN


def test_a_change_counts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "SECONDS", 3600.0)
    ct2 = factories.step(station=factories.station("CT2"))
    assert seen() == [ct2.sps_id]
    profile = agreed(scope=Scope.OWN)
    assert seen() == []
    profile.stations.add(factories.station("CT2"))
    StationProfile.objects.filter(pk=profile.pk).update(scope=Scope.GROUP)
    profile.refresh_from_db()
    profile.save()
    assert seen() == [ct2.sps_id]
    profile.delete()
    assert profile_for("CT1") is PLAIN


def test_what_is_agreed_is_not_read_for_each_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "SECONDS", 3600.0)
    agreed(most=5)
    factories.step()
    question = encode(keys(ScheduledStationAETitle="CT1"), True, True) or b""
    reply_to(question, ImplicitVRLittleEndian, Caller("CT1"))
    with CaptureQueriesContext(connection) as taken:
        assert reply_to(question, ImplicitVRLittleEndian, Caller("CT1")).matches == 1
    assert len(taken) == 1


def test_while_the_database_is_away_what_was_agreed_counts_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: object) -> None:
        raise OperationalError("away")

    agreed(most=5)
    assert profile_for("CT1").most == 5
    monkeypatch.setattr(ProfileQuerySet, "in_use", away)
    callers.forget()
    assert profile_for("CT1").most == 5
    monkeypatch.setattr(callers, "_memory", callers._Memory())
    with pytest.raises(QueryError) as refused:
        find(keys(), Caller("CT1"))
    assert refused.value.status == OUT_OF_RESOURCES


def test_two_threads_at_once_read_what_is_agreed_before_they_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row("CT1", Profile("first"))
    begun, go_on = Signal(), Signal()

    def slowly(_: object) -> list[Row]:
        begun.set()
        assert go_on.wait(60)
        return [row]

    monkeypatch.setattr(ProfileQuerySet, "in_use", slowly)
    monkeypatch.setattr(callers, "_memory", callers._Memory())
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(profile_for, "CT1")
        assert begun.wait(60)
        second = pool.submit(profile_for, "CT1")
        go_on.set()
        assert first.result(60) is second.result(60) is row.profile


def test_a_connection_that_hangs_while_it_reads_what_is_agreed_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on = Signal(), Signal()

    def hangs(_: object) -> list[Row]:
        begun.set()
        assert go_on.wait(60)
        return []

    agreed(most=5)
    assert profile_for("CT1").most == 5
    monkeypatch.setattr(ProfileQuerySet, "in_use", hangs)
    monkeypatch.setattr(callers, "SECONDS", 0.1)
    callers.forget()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(profile_for, "CT1")
        assert begun.wait(60)
        try:
            assert pool.submit(profile_for, "CT1").result(60).most == 5
        finally:
            go_on.set()
        assert first.result(60) is PLAIN


# --- which stations -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "asked", "found"),
    [
        ("ANY", None, ["CT1", "CT2", "CT3"]),
        ("ANY", "CT3", ["CT3"]),
        ("OWN", None, ["CT1"]),
        ("OWN", "CT2", []),
        ("GROUP", None, ["CT1", "CT2"]),
        ("GROUP", "CT2", ["CT2"]),
        ("GROUP", "CT3", []),
    ],
)
def test_a_device_sees_its_stations(scope: str, asked: str | None, found: list[str]) -> None:
    made = {
        name: factories.step(station=factories.station(name), start=factories.today_at(9)).sps_id
        for name in ("CT1", "CT2", "CT3")
    }
    agreed(scope=scope, stations=Station.objects.filter(ae_title="CT2"))
    assert sorted(seen(ScheduledStationAETitle=asked)) == sorted(made[name] for name in found)


@pytest.mark.parametrize("asked", ["CT1", "CT1_WL", "OLD_NAME", ["OLD_NAME", "MR1"]])
def test_a_device_of_many_names_is_one_station_and_answered_by_the_name_it_used(asked: Any) -> None:
    made = factories.step(station=factories.station("CT1"))
    factories.step(station=factories.station("CT2"))
    agreed("CT1_WL", station=Station.objects.get(ae_title="CT1"), aliases="OLD_NAME\nCONSOLE", scope=Scope.OWN)
    assert seen("CT1_WL", ScheduledStationAETitle=asked) == [made.sps_id]
    (found,) = find(keys(ScheduledStationAETitle=asked), Caller("CT1_WL"))
    assert step(found.data_set).ScheduledStationAETitle == (asked if isinstance(asked, str) else "OLD_NAME")


def test_a_device_that_asks_by_no_name_is_told_that_of_its_station() -> None:
    factories.step(station=factories.station("CT1"))
    agreed("CT1_WL", station=Station.objects.get(ae_title="CT1"))
    (found,) = find(keys(ScheduledStationAETitle=None), Caller("CT1_WL"))
    assert step(found.data_set).ScheduledStationAETitle == "CT1"
    assert is_active_station("CT1_WL")
    assert not is_active_station("CT9_WL")
    Station.objects.update(active=False)
    assert not is_active_station("CT1_WL"), "a device is refused with its station"


# --- which days and states ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("back", "ahead", "found"),
    [(None, None, [-2, -1, 0, 1, 2]), (0, 0, [0]), (1, 1, [-1, 0, 1]), (None, 0, [-2, -1, 0]), (0, None, [0, 1, 2])],
)
def test_a_device_sees_the_days_around_today(back: int | None, ahead: int | None, found: list[int]) -> None:
    made = {day: factories.step(start=factories.today_at(12, days=day)).sps_id for day in range(-2, 3)}
    agreed(look_back=back, look_ahead=ahead)
    assert seen() == [made[day] for day in found]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_today_is_that_of_the_site(zone: str) -> None:
    site = factories.site("ISLAND", time_zone=zone)
    station = factories.station("CT7", site=site)
    noon = datetime.now(site.zone).replace(hour=12, minute=0)
    made = factories.step(station=station, start=noon)
    factories.step(station=station, start=noon + timedelta(days=1))
    agreed("CT7", look_back=0, look_ahead=0)
    assert seen("CT7") == [made.sps_id]


def test_a_device_sees_only_who_has_arrived() -> None:
    factories.step()
    arrived = factories.step("ARRIVED", start=factories.today_at(11))
    agreed(hidden_states=["SCHEDULED", "STARTED"])
    assert seen() == [arrived.sps_id]
    exams.go("start", by=factories.BY, step=arrived)
    assert seen() == []


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"scope": "OWN"}, "profile_stations"),
        ({"hidden_states": ["SCHEDULED"]}, "profile_states"),
        ({"look_back": 0, "look_ahead": 0}, "profile_days"),
    ],
)
def test_why_an_exam_is_hidden_is_told(rule: dict[str, Any], reason: str) -> None:
    made = factories.step(station=factories.station("CT2"), start=factories.today_at(12, days=3))
    agreed(**rule)
    (line,) = explain(made, keys(), Caller("CT1")).against
    assert line.part.name == reason
    assert told(line, made).label == "Station profile"
    (miss,) = near_misses(keys(), Caller("CT1"), Q(pk=made.pk), factories.today_at(12))
    assert miss.line.part.name == reason


# --- how much -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [None, "19000101-99991231"])
def test_a_device_that_takes_few_is_refused_or_gets_the_newest(days: str | None) -> None:
    made = [factories.step(start=factories.today_at(hour)).sps_id for hour in (9, 10, 11)]
    asked: dict[str, Any] = {"ScheduledProcedureStepStartDate": days}
    profile = agreed(most=2)
    with pytest.raises(QueryError) as refused:
        seen(**asked)
    assert refused.value.status == OUT_OF_RESOURCES
    profile.when_more = "NEWEST"
    profile.save()
    assert seen(**asked) == [made[2], made[1]]
    assert find(keys(**asked), Caller("CT1")).cut
    profile.most = 3
    profile.save()
    assert seen(**asked) == made[::-1]
    assert not find(keys(**asked), Caller("CT1")).cut


# --- on the desk ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"callers": "CT*1"}, "callers"),
        ({"callers": " CT1"}, "callers"),
        ({"callers": "A" * 17}, "callers"),
        ({"callers": "CT\\1"}, "callers"),
        ({"aliases": "CT2"}, "aliases"),
        ({"aliases": "A" * 17}, "aliases"),
        ({"hidden_states": ["SCHEDULED", "ARRIVED", "READY", "STARTED"]}, "hidden_states"),
        ({"hidden_states": ["COMPLETED"]}, "hidden_states"),
        ({"hidden_states": "SCHEDULED"}, "hidden_states"),
        ({"most": 0}, "most"),
        ({"look_back": 4000}, "look_back"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, Any], field: str) -> None:
    factories.station("CT2")
    with pytest.raises(ValidationError) as refused:
        agreed(**values)
    assert field in refused.value.message_dict


def test_many_devices_cannot_be_one_station_and_one_device_has_one_profile() -> None:
    with pytest.raises(ValidationError):
        agreed("CT*", station=factories.station("CT1"))
    agreed("CT1", name="first")
    with pytest.raises(ValidationError, match="same calling AE title"):
        agreed("CT1", name="second")


def test_informatics_keeps_the_profiles_and_every_change_is_told() -> None:
    factories.station("CT1")
    nurse, informatics = Desk(Role.TECHNOLOGIST), Desk(Role.INFORMATICS)
    nurse.get("/worklist/stationprofile/", status=403)
    form = {"name": "Room 1", "active": "on", "callers": "CT1", "scope": "OWN", "when_more": "REFUSE"}
    form |= {"character_set": "ISO_IR 100", "transliterate": "True"}
    form |= {"values-TOTAL_FORMS": "1", "values-INITIAL_FORMS": "0"}
    form |= {"values-0-keyword": "InstitutionName", "values-0-setting": "DEFAULT", "values-0-value": "Clinic"}
    page = text_of(informatics.post("/worklist/stationprofile/add/", **form, look_back="x"))
    assert "Enter a whole number." in page
    informatics.post("/worklist/stationprofile/add/", **form, look_back="1", hidden_states=["READY"])
    profile = StationProfile.objects.get()
    assert (profile.look_back, profile.hidden_states, profile.scope) == (1, ["READY"], "OWN")
    assert profile_for("CT1").rules == (ValueRule("InstitutionName", Setting.DEFAULT, "Clinic"),)
    assert "Room 1 CT1" in text_of(informatics.get("/worklist/stationprofile/"))
    assert Event.objects.filter(
        kind=EventKind.CATALOG_CHANGED, subject=f"worklist.stationprofile:{profile.pk}"
    ).exists()
