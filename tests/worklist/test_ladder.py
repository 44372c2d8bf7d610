"""Exams whose study lies in the archive are closed: by C-FIND and by QIDO-RS, pynetdicom and Orthanc being asked."""

import io
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pydicom import config, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from ris.config import Login
from ris.models import Evidence, ScheduledProcedureStep, StepClosure
from tests import factories
from tests.services import Orthanc
from tests.waiting import wait_until
from tests.worklist.archive import FakeArchive
from tests.worklist.performing import create, item_of
from worklist import ladder
from worklist.ladder import QUIET, close_what_is_archived
from worklist.models import Archive, Sighting
from worklist.scu import CallFailed
from worklist.tasks import ask_archives

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _as_in_the_door(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
    levels = {name: logging.getLogger(name).level for name in ("pynetdicom", "pydicom")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def pacs() -> Iterator[FakeArchive]:
    factories.station("CT1", closed_by_archive=True)
    with FakeArchive() as opened:
        opened.row(asked=True, forwards=False)
        yield opened


def step_now(state: str = "STARTED") -> ScheduledProcedureStep:
    return factories.step(state, start=timezone.now() - timedelta(hours=1))


def study_of(step: ScheduledProcedureStep) -> str:
    return step.requested_procedure.study_instance_uid


def state(step: ScheduledProcedureStep) -> str:
    return ScheduledProcedureStep.objects.get(pk=step.pk).state


def ask(after: timedelta) -> int:
    return close_what_is_archived(timezone.now() + after)


@pytest.mark.parametrize("before", ["SCHEDULED", "STARTED"])
def test_a_study_that_grows_no_more_closes_its_exam(pacs: FakeArchive, before: str) -> None:
    step = step_now(before)
    assert ask(timedelta()) == 0, "the archive has nothing"
    pacs.studies[study_of(step)] = (["CT"], 10)
    assert ask(timedelta(minutes=1)) == 0
    pacs.studies[study_of(step)] = (["CT"], 12)
    assert ask(timedelta(minutes=7)) == 0, "it has grown"
    assert ask(timedelta(minutes=8)) == 0
    assert ask(timedelta(minutes=13)) == 1
    assert state(step) == "COMPLETED"
    closure = StepClosure.objects.get()
    assert closure.evidence == Evidence.ARCHIVE
    assert closure.words == "PACS has 12 images of its study, and has got no more for 6 minutes."
    assert ask_archives() == 0


def test_another_modality_in_the_study_is_another_step(pacs: FakeArchive) -> None:
    step = step_now()
    pacs.studies[study_of(step)] = (["PT"], 10)
    ask(timedelta())
    assert ask(QUIET) == 0
    pacs.studies[study_of(step)] = (["PT", "CT"], 20)
    ask(QUIET)
    assert ask(QUIET * 2) == 1


def test_an_archive_that_says_neither_modality_nor_number_is_believed(pacs: FakeArchive) -> None:
    step = step_now()
    pacs.studies[study_of(step)] = (None, None)
    ask(timedelta())
    assert ask(QUIET) == 1
    assert state(step) == "COMPLETED"
    assert StepClosure.objects.get().words == (
        "PACS has had its study for 5 minutes; it does not say of how many images."
    )


def test_where_more_are_open_than_one_look_asks_for_each_has_its_turn(
    pacs: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred exams of which no study ever comes must not keep the archive from being asked for the others."""
    monkeypatch.setattr(ladder, "AT_ONCE", 1)
    steps = [step_now() for _ in range(3)]
    pacs.studies[study_of(steps[2])] = (["CT"], 5)
    for minutes in range(3):
        ask(timedelta(minutes=minutes))
    assert [ask(QUIET + timedelta(minutes=minutes)) for minutes in range(3, 6)].count(1) == 1
    assert [state(step) for step in steps] == ["STARTED", "STARTED", "COMPLETED"]


def test_who_reports_itself_and_who_is_not_asked_for_is_left_alone(pacs: FakeArchive) -> None:
    reporting = step_now("SCHEDULED")
    create(item_of(reporting))
    old = factories.step("STARTED", start=timezone.now() - timedelta(days=3))
    other = step_now()
    ScheduledProcedureStep.objects.filter(pk=other.pk).update(station=factories.station("CT2"))
    for step in (reporting, old, other):
        pacs.studies[study_of(step)] = (["CT"], 5)
    ask(timedelta())
    assert ask(QUIET) == 0
    assert [state(step) for step in (reporting, old, other)] == ["STARTED"] * 3


def test_an_archive_that_is_away_or_refuses_closes_nothing(pacs: FakeArchive) -> None:
    step = step_now()
    pacs.studies[study_of(step)] = (["CT"], 5)
    pacs.answers = [0xA700]
    assert ask(timedelta()) == 0
    Archive.objects.update(port=1)
    assert ask(QUIET) == 0
    assert not Sighting.objects.exists()


def test_an_archive_that_hangs_up_between_two_questions_is_a_failed_call(pacs: FakeArchive) -> None:

    def two_questions() -> None:
        with ladder._asking(Archive.objects.get()) as ask_for:
            assert ask_for("1.2.3") is None
            for association in pacs.associations:
                association.abort()
            wait_until(lambda: ask_for("1.2.3"), what="the end of the association")

    with pytest.raises(CallFailed):
        two_questions()


def ct_image(study: str) -> bytes:
    """A file as small as an archive takes it."""
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = study, generate_uid()
    image.PatientID, image.PatientName, image.Modality = "4711", "Doe^Jane", "CT"
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = CTImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = io.BytesIO()
    dcmwrite(file, image, enforce_file_format=True)
    return file.getvalue()


def test_orthanc_is_asked_and_closes_an_exam() -> None:
    factories.station("CT1", closed_by_archive=True)
    step, other = step_now(), factories.step("STARTED", start=timezone.now() + timedelta(hours=1))
    now: datetime = timezone.now()
    with Orthanc(ae_title="PACS", called=("BUCKY", "127.0.0.1", 1)) as orthanc:
        Archive.objects.create(name="PACS", ae_title="PACS", host="127.0.0.1", port=orthanc.dicom_port, asked=True)
        orthanc.store(ct_image(study_of(step)))
        assert close_what_is_archived(now) == 0
        assert close_what_is_archived(now + QUIET) == 1
    assert (state(step), state(other)) == ("COMPLETED", "STARTED")
    assert "PACS has 1 image of its study" in StepClosure.objects.get().words


def test_orthanc_is_asked_by_qido_and_closes_an_exam(settings: Any) -> None:
    factories.station("CT1", closed_by_archive=True)
    step, other = step_now(), factories.step("STARTED", start=timezone.now() + timedelta(hours=1))
    now: datetime = timezone.now()
    with Orthanc(ae_title="PACS", called=("BUCKY", "127.0.0.1", 1), dicomweb=True, login="bucky:secret") as orthanc:
        url = f"http://127.0.0.1:{orthanc.port}/dicom-web/"
        # Its DICOM port is wrong: nobody is asked by C-FIND.
        Archive.objects.create(name="PACS", ae_title="PACS", host="127.0.0.1", port=1, asked=True, dicomweb_url=url)
        orthanc.store(ct_image(study_of(step)))
        close_what_is_archived(now)
        assert not Sighting.objects.exists(), "without a login it says nothing"
        settings.BUCKY_ARCHIVE_LOGINS = {"PACS": Login(url, "Basic YnVja3k6c2VjcmV0")}
        assert close_what_is_archived(now) == 0
        assert close_what_is_archived(now + QUIET) == 1
    assert (state(step), state(other)) == ("COMPLETED", "STARTED")
    assert "PACS has 1 image of its study" in StepClosure.objects.get().words
