"""A scanner's C-FIND is explained first, whatever else asks under its AE title; its other queries are a click away."""

import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ris.actions import patients
from ris.actions.unmerging import unmerge
from ris.models import Station
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of
from tests.worklist.test_why import asked, page_of
from tests.worklist.web import Device
from worklist import models
from worklist.models import QueryLog, Road, StationProfile

pytestmark = pytest.mark.django_db
STEP = "ScheduledProcedureStepSequence"


def over_the_web(query: str, ae_title: str = "CT1") -> QueryLog:
    Device(ae_title).get(query=query)
    return QueryLog.objects.order_by("-pk")[0]


# --- which query is explained ----------------------------------------------------------------------------


def test_the_last_c_find_is_explained_and_the_others_are_one_click_away() -> None:
    """A viewer that pages under the scanner's AE title must not hide what the scanner asked."""
    step = factories.step()
    early = asked(Modality="MR", PatientName="Roe*", SpecificCharacterSet="ISO_IR 100", ago=timedelta(minutes=10))
    found = asked(ago=timedelta(minutes=5))
    pages = [over_the_web(f"limit=1&offset={offset}") for offset in range(7)]
    assert {one.road for one in pages} == {Road.WEB}
    page = Desk(Role.TECHNOLOGIST).get(f"/worklist/querylog/why/{step.pk}/")
    words = text_of(page)
    assert re.search(r"Explained is the last C-FIND query of CT1, of [-0-9: ]+ from 10\.0\.0\.7\.", words)
    assert "This exam was sent to the scanner." in words
    assert "has not asked" not in words, "the scanner asked five minutes ago"
    assert f"?query={early.pk}#answer" in page
    assert f"?query={found.pk}#answer" not in page, "it is the one that is explained"
    assert [f"?query={one.pk}#answer" in page for one in pages] == [False, False, *[True] * 5]
    assert "C-FIND 10.0.0.7 PatientName=… SpecificCharacterSet=ISO_IR 100 Modality=MR 0" in words, (
        "whom the scanner looked for is not told here"
    )
    assert "DICOMweb 127.0.0.1 no key with a value; at most 1 answers after 6 0 on this page" in words

    words = page_of(step, f"?query={early.pk}")
    assert "Explained is an earlier C-FIND query of CT1" in words
    assert "It does not fit: Patient's Name, Modality." in words
    assert "has not asked" not in words, "that an earlier one is explained does not mean that it was the last"
    words = page_of(step, f"?query={pages[-1].pk}")
    assert "Explained is the last DICOMweb query of CT1" in words


def test_devices_that_have_asked_of_late_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    step = factories.step()
    now, day = timezone.now(), timedelta(days=1)
    assert QueryLog.objects.callers_since(now - 7 * day) == [], "nobody has asked yet"
    rows = [
        *((title, Road.FIND, now - ago) for title in ("MR2", "CT1", "CONSOLE") for ago in (day, 2 * day, 20 * day)),
        *(("VIEWER", road, at) for road, at in ((Road.FIND, now - 20 * day), (Road.WEB, now - day))),
        *(("OLD", road, now - 8 * day) for road in Road),
        ("", Road.WEB, now),
    ]
    for title, road, at in rows:
        QueryLog.objects.create(calling_ae_title=title, road=road, at=at, last_at=at, status="0000")
    assert QueryLog.objects.callers_since(now - 7 * day) == ["", "CONSOLE", "CT1", "MR2", "VIEWER"]
    page = Desk(Role.TECHNOLOGIST).get(f"/worklist/querylog/why/{step.pk}/")
    assert ['value="VIEWER"' in page, 'value="OLD"' in page] == [True, False]
    monkeypatch.setattr(models, "CALLERS_SHOWN", 2)
    assert QueryLog.objects.callers_since(now - 7 * day) == ["", "CONSOLE"]


def test_a_device_that_speaks_dicomweb_alone_is_explained_by_that() -> None:
    step = factories.step(patient=factories.patient("Müller^Łukasz"))
    StationProfile.objects.create(name="Console", callers="CT1", character_set="ISO_IR 100", transliterate=True)
    over_the_web(f"{STEP}.ScheduledStationAETitle=CT1")
    words = page_of(step)
    assert "Explained is the last DICOMweb query of CT1" in words
    assert "Every key fits still" in words
    assert "otherwise than it is kept" not in words, "over DICOMweb all letters are written"
    assert "the scanner asked in" not in words
    assert "The scanner last asked by DICOMweb" in text_of(
        Desk(Role.TECHNOLOGIST).get("/worklist/station/?station=CT1")
    )


def test_a_station_that_calls_under_another_name_is_found_by_its_profile() -> None:
    step = factories.step()
    StationProfile.objects.create(name="Console", callers="CONSOLE", station=factories.station("CT1"))
    asked("OTHER"), asked("CONSOLE")
    words = page_of(step)
    assert "Explained is the last C-FIND query of CONSOLE" in words
    assert "Every key fits still" in words


def test_the_command_names_the_query_and_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    step = factories.step()
    early = asked(Modality="MR", PatientName="Roe*", AdmittingDiagnosesDescription="Secret", ago=timedelta(minutes=10))
    late = asked(ago=timedelta(minutes=5))
    paged = over_the_web("limit=x&PatientName=Secret")
    call_command("why", step.sps_id, "CT1")
    words = capsys.readouterr().out
    assert words.startswith(f"Explained: query {late.pk}, C-FIND of ")
    assert f"  query {early.pk}, C-FIND of" in words
    assert "from 10.0.0.7: PatientName=… AdmittingDiagnosesDescription=… Modality=MR (answers: 0, status 0000)" in words
    assert f"  query {paged.pk}, DICOMweb of" in words
    assert "limit=… PatientName=… (answers: 0, status A900)" in words
    call_command("why", step.sps_id, "CT1", "--query", str(early.pk))
    words = capsys.readouterr().out
    assert words.startswith(f"Explained: query {early.pk}, C-FIND of ")
    assert "It does not fit: Patient's Name, Modality." in words
    call_command("why", step.sps_id, "CT1", "--query", str(paged.pk))
    words = capsys.readouterr().out
    assert "(limit is a whole number from 0 to 999999999)" in words
    assert "It has no keys that can be read" in words
    assert "No key" not in words
    known = f"{paged.pk}, {late.pk}, {early.pk}"
    with pytest.raises(CommandError, match=f"CT1 has no query 999 in the log. Its last ones: {known}"):
        call_command("why", step.sps_id, "CT1", "--query", "999")


# --- what has happened since -------------------------------------------------------------------------------


def test_what_has_changed_the_answer_since_is_told() -> None:
    """A merge, a new name, a station's AE title, a profile: none of them is an event of the order."""
    jane, twin = factories.patient("Doe^Jane", "4711"), factories.patient("Doe^Jane", "4712")
    step = factories.step(patient=jane)
    asked(PatientID="4712")
    assert "Nothing yet." in page_of(step)
    patients.merge(by=factories.CLERK, survivor=twin, loser=jane)
    patients.update(by=factories.HIS, patient=twin, patient_name="Roe^Jane")
    expert = Desk(Role.INFORMATICS)
    factories.station("MR1")
    for title in ("CT1", "MR1"):
        station = Station.objects.get(ae_title=title)
        form = {"ae_title": title, "name": f"New {title}", "site": station.site_id, "modality": "CT"} | {
            "rank": "1",
            "active": "on",
        }
        expert.post(f"/ris/station/{station.pk}/change/", **form)
    words = page_of(step)
    since = words[words.index("What has happened since") :]
    assert "Every key fits now: the scanner gets this exam when it asks again. Something has changed." in words
    assert since.count("Patients merged") == 1
    assert "patient ID: 4711 → 4712" in since
    assert "name: Doe, Jane → Roe, Jane" in since
    assert "Catalogue changed: New CT1" in since
    assert "New MR1" not in since
    jane.refresh_from_db()
    unmerge(by=factories.CLERK, loser=jane)
    words = page_of(step)
    assert "It does not fit: Patient ID." in words
    assert "Merge undone" in words


# --- what the log shows of DICOMweb -----------------------------------------------------------------------


def test_what_could_not_be_read_is_shown_as_it_was_asked() -> None:
    step = factories.step()
    query = over_the_web("Modality=CT&PatientName=Do*")
    assert query.status == "A900"
    assert query.comment == "Modality is not in its place: ask for ScheduledProcedureStepSequence.Modality"
    assert query.unread == {"Modality": ["CT"], "PatientName": ["Do*"]}
    words = page_of(step)
    assert f"the query was refused with status A900 ({query.comment})." in words
    assert "Modality CT PatientName Do*" in words
    assert "No key" not in words
    assert "Asked now" not in words
    expert = Desk(Role.INFORMATICS)
    assert f"DICOMweb 127.0.0.1 Modality=CT PatientName=Do* {query.comment} 0 A900" in text_of(
        expert.get("/worklist/querylog/")
    )
    assert "&quot;Modality&quot;" in expert.get(f"/worklist/querylog/{query.pk}/change/")
    words = text_of(expert.get(f"/worklist/querylog/{query.pk}/near/"))
    assert f"What was asked could not be read: {query.comment}." in words


def test_what_is_refused_after_it_was_read_keeps_its_keys() -> None:
    factories.station("CT1")
    log = over_the_web(f"{STEP}.ScheduledProcedureStepStartDate=yesterday")
    assert (log.status, bool(log.keys), log.unread) == ("C001", True, {})
    Device("CT1").get(query="PatientID=4711", accept="image/png")
    log = QueryLog.objects.order_by("-pk")[0]
    assert (log.status, log.keys, log.unread) == ("A900", {}, {"PatientID": ["4711"]})


@pytest.mark.parametrize(
    ("query", "here", "total", "words"),
    [
        ("", 3, 3, "3"),
        ("limit=2", 2, 3, "2 of 3"),
        ("limit=2&offset=2", 1, 3, "1 of 3"),
        ("limit=0", 0, 3, "0 of 3"),
        ("offset=1", 2, 3, "2 of 3"),
        ("limit=2&offset=9", 0, None, "0 on this page"),
        ("PatientID=9&limit=2", 0, 0, "0 of 0"),
        ("PatientID=9", 0, 0, "0"),
    ],
)
def test_a_page_is_no_list_and_an_empty_page_no_empty_list(
    query: str, here: int, total: int | None, words: str
) -> None:
    for number in range(3):
        factories.step(start=factories.today_at(9 + number))
    log = over_the_web(query)
    assert (log.matches, log.total) == (here, total)
    assert QueryLog.objects.with_empty_list().exists() is (total == 0)
    shown = text_of(Desk(Role.INFORMATICS).get("/worklist/querylog/?answers=none"))
    assert ("CT1 DICOMweb 127.0.0.1" in shown) is (total == 0)
    shown = text_of(Desk(Role.INFORMATICS).get("/worklist/querylog/?road__exact=DICOMweb"))
    assert f" {words} 0000" in shown
    assert "CT1 DICOMweb" not in text_of(Desk(Role.INFORMATICS).get("/worklist/querylog/?road__exact=C-FIND"))


def test_an_empty_c_find_is_an_empty_list() -> None:
    factories.station("CT1")
    asked()
    assert QueryLog.objects.with_empty_list().exists()
