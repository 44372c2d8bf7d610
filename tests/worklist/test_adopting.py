"""A device that called without being known becomes a station."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.utils import timezone

from ris.models import Event, EventKind, Resource, Station
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of
from tests.worklist.asking import ask, keys
from worklist.callers import forget
from worklist.models import QueryLog, UnknownCaller
from worklist.profile_models import StationProfile
from worklist.query import Caller, find

pytestmark = pytest.mark.django_db


def called(ae_title: str = "CT9", address: str = "10.0.0.66") -> UnknownCaller:
    UnknownCaller.objects.note(ae_title, address, timezone.now() - timedelta(minutes=3), refused=True)
    return UnknownCaller.objects.get(ae_title=ae_title, address=address)


def asked_for(ae_title: str, *modalities: str) -> None:
    for modality in modalities:
        keys = {"ScheduledProcedureStepSequence": [{"Modality": modality}]}
        now = timezone.now()
        QueryLog.objects.create(at=now, last_at=now, calling_ae_title=ae_title, address="10.0.0.66", keys=keys)


def test_a_caller_is_adopted_with_what_it_has_told_of_itself() -> None:
    site = factories.site()
    caller = called()
    called(address="10.0.0.67")
    asked_for("CT9", "CT", "")
    expert = Desk(Role.INFORMATICS)
    assert f"{caller.pk}/adopt/" in expert.get("/worklist/unknowncaller/")
    assert f"/worklist/unknowncaller/{caller.pk}/adopt/" in expert.get("/")
    page = expert.get(f"/worklist/unknowncaller/{caller.pk}/adopt/")
    assert "A device at 10.0.0.66 has called as CT9" in text_of(page)
    assert 'name="modality" value="CT"' in page
    said = expert.post(f"/worklist/unknowncaller/{caller.pk}/adopt/", name="CT 9", site=site.pk, modality="CT")
    assert "CT 9 (CT9) is a station now." in text_of(said)
    station = Station.objects.get()
    assert (station.ae_title, station.name, station.modality, station.active) == ("CT9", "CT 9", "CT", True)
    assert Resource.objects.get().station == station, "exams can be booked on it"
    assert not UnknownCaller.objects.exists()
    event = Event.objects.get(kind=EventKind.CATALOG_CHANGED)
    assert (event.subject, event.user, event.data["address"]) == (
        f"ris.station:{station.pk}",
        expert.user,
        "10.0.0.66",
    )
    told = {"ae_title": "CT9", "name": "CT 9", "site": str(site), "modality": "CT"}
    assert event.data["changes"] == {name: [None, value] for name, value in told.items()}, "suggested or not"
    factories.step(station=station)
    assert ask(ScheduledStationAETitle="CT9").matches == 1


def test_a_caller_that_is_a_station_under_another_name_gets_that_station_s_list() -> None:
    station = factories.station("CT1")
    factories.step(station=station)
    caller, expert = called("NEWNAME"), Desk(Role.INFORMATICS)
    said = expert.post(f"/worklist/unknowncaller/{caller.pk}/adopt/", station=station.pk, link="1")
    profile = StationProfile.objects.get()
    assert f"counts as CT1 now: the station profile “{profile}” was made for it." in text_of(said)
    assert (profile.callers, profile.station, profile.active) == ("NEWNAME", station, True)
    assert not UnknownCaller.objects.exists()
    event = Event.objects.get(kind=EventKind.CATALOG_CHANGED)
    assert (event.subject, event.data["adopted"]) == (f"worklist.stationprofile:{profile.pk}", "NEWNAME")
    assert event.data["changes"]["callers"] == [None, "NEWNAME"]
    assert event.data["changes"]["station"] == [None, "CT1"]
    forget()
    assert find(keys(ScheduledStationAETitle="NEWNAME"), Caller("NEWNAME")).matches == 1
    again = called("NEWNAME")
    words = text_of(expert.post(f"/worklist/unknowncaller/{again.pk}/adopt/", station=station.pk, link="1"))
    assert "This AE title has been given to a station meanwhile." in words


@pytest.mark.parametrize(
    ("ae_title", "asked", "guessed"),
    [("VIEWER", "MR7", "MR7"), ("mr7", "", "MR7"), ("VIEWER", "XX", ""), ("V", "", "")],
)
def test_the_station_that_it_may_be_is_guessed(ae_title: str, asked: str, guessed: str) -> None:
    """By its own name in other letters, else by whose list it asks for; the modality is that station's then."""
    factories.station("CT1"), factories.station("MR7", modality="MR")
    now, keys = timezone.now(), {"ScheduledProcedureStepSequence": [{"ScheduledStationAETitle": asked}]}
    QueryLog.objects.create(at=now, last_at=now, calling_ae_title=ae_title, address="10.0.0.66", keys=keys)
    page = Desk(Role.INFORMATICS).get(f"/worklist/unknowncaller/{called(ae_title).pk}/adopt/")
    first = min(("It is a new station", "It is a station that is there already"), key=page.index)
    assert first == ("It is a station that is there already" if guessed else "It is a new station")
    assert re.findall(r"<option[^>]* selected[^>]*>(MR7|CT1)", page) == [guessed] * bool(guessed)
    assert ('name="modality" value="MR"' in page) is bool(guessed)
    assert (f"C-FIND ScheduledStationAETitle={asked}" in text_of(page)) is bool(asked)


@pytest.mark.parametrize(
    ("ae_title", "modalities", "found"),
    [("ROOM9", ("MR",), "MR"), ("CT9", ("MR", "US"), "CT"), ("ROOM9", ("MR", "US"), ""), ("ct9", (), "CT")],
)
def test_its_modality_is_guessed(ae_title: str, modalities: tuple[str, ...], found: str) -> None:
    factories.station("CT1")
    asked_for(ae_title, *modalities)
    page = Desk(Role.INFORMATICS).get(f"/worklist/unknowncaller/{called(ae_title).pk}/adopt/")
    assert (f'name="modality" value="{found}"' in page) is bool(found)


@pytest.mark.parametrize(
    ("ae_title", "values", "words"),
    [
        ("CT9", {"modality": ""}, "This field is required."),
        ("CT9", {"modality": "c t"}, "Up to 16 capital letters"),
        ("CT9", {"site": "999"}, "Select a valid choice."),
        ("CT9", {"name": "x" * 17}, "at most 16 characters"),
        ("CT1", {}, "already exists"),
        ("B\\D", {}, "no backslash"),
        ("CT9", {"link": "1", "station": "999"}, "Select a valid choice."),
    ],
)
def test_what_cannot_be_a_station_is_told(ae_title: str, values: dict[str, Any], words: str) -> None:
    site = factories.station("CT1").site
    caller = called(ae_title)
    form = {"name": "CT 9", "site": site.pk, "modality": "CT"} | values
    page = Desk(Role.INFORMATICS).post(f"/worklist/unknowncaller/{caller.pk}/adopt/", **form)
    assert words in text_of(page)
    assert Station.objects.count() == 1
    assert UnknownCaller.objects.exists()


@pytest.mark.parametrize("ae_title", ["", "C*"])
def test_a_caller_whose_name_means_others_becomes_no_station_s_device(ae_title: str) -> None:
    station, caller = factories.station("CT1"), called(ae_title)
    page = Desk(Role.INFORMATICS).post(f"/worklist/unknowncaller/{caller.pk}/adopt/", station=station.pk, link="1")
    assert "Several devices cannot be one station" in text_of(page)
    assert not StationProfile.objects.exists()
    assert UnknownCaller.objects.exists()


def test_a_caller_whose_station_is_out_of_use_is_put_into_use_again() -> None:
    station, other = factories.station("CT9"), factories.station("CT1")
    Station.objects.filter(pk=station.pk).update(active=False)
    address, expert = f"/worklist/unknowncaller/{called().pk}/adopt/", Desk(Role.INFORMATICS)
    page = expert.get(address)
    assert "CT9 has this AE title and is out of use" in text_of(page)
    assert "It is a new station" not in page
    page = expert.post(address, name="CT 9", site=station.site_id, modality="CT")
    assert "already exists" not in page
    assert "is out of use" in page
    assert f'<option value="{other.pk}">' in page, "it may be another one by now"
    assert "CT9 is in use again." in text_of(expert.post(address, again="1"))
    station.refresh_from_db()
    assert station.active
    assert not UnknownCaller.objects.exists()
    event = Event.objects.get(kind=EventKind.CATALOG_CHANGED)
    assert (event.subject, event.user) == (f"ris.station:{station.pk}", expert.user)
    assert (event.data["change"], event.data["changes"]) == ("changed", {"active": [False, True]})


def test_who_may_not_change_stations_is_told_who_can() -> None:
    station, expert = factories.station("CT9"), Desk(Role.INFORMATICS)
    Station.objects.filter(pk=station.pk).update(active=False)
    Group.objects.get(name=Role.INFORMATICS).permissions.remove(Permission.objects.get(codename="change_station"))
    address = f"/worklist/unknowncaller/{called().pk}/adopt/"
    assert "Somebody who may change stations" in text_of(expert.get(address))
    expert.post_in_vain(403, address, again="1")
    assert not Station.objects.active().exists()


@pytest.mark.parametrize("role", list(Role))
def test_who_may_adopt(role: Role) -> None:
    may = role in (Role.INFORMATICS, Role.ADMINISTRATOR)
    Desk(role).get(f"/worklist/unknowncaller/{called().pk}/adopt/", status=200 if may else 403)


def test_a_second_click_finds_it_gone_and_is_no_error() -> None:
    site, caller, expert = factories.site(), called(), Desk(Role.INFORMATICS)
    form = {"name": "CT 9", "site": site.pk, "modality": "CT"}
    expert.post(f"/worklist/unknowncaller/{caller.pk}/adopt/", **form)
    words = text_of(expert.post(f"/worklist/unknowncaller/{caller.pk}/adopt/", **form))
    assert "This caller is not unknown any more." in words
    assert Station.objects.count() == 1
