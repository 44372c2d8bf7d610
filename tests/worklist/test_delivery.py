"""Reports of scanners on their way to an archive: in order, until they are taken or a person has to look."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pydicom import config
from pydicom.uid import generate_uid
from pynetdicom.events import Event as DicomEvent

from ris.models import Event, EventKind
from ris.roles import Role
from tests import factories
from tests.ports import free_port
from tests.ris.desk import Desk, text_of
from tests.worklist.archive import FakeArchive
from tests.worklist.performing import ask, create, creation, ending, item_of, update
from worklist import delivery
from worklist.dimse import Command
from worklist.models import Archive, Forwarding, MppsRequest
from worklist.tasks import forward, purge_query_log

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _as_in_the_door(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
    levels = {name: logging.getLogger(name).level for name in ("pynetdicom", "pydicom")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def states() -> list[str]:
    return list(Forwarding.objects.order_by("pk").values_list("state", flat=True))


def due_now() -> None:
    """Let the pauses be over."""
    Forwarding.objects.update(next_at=timezone.now() - timedelta(seconds=1))


def problems() -> list[str]:
    return list(Forwarding.objects.order_by("pk").values_list("problem", flat=True))


def test_what_a_scanner_tells_reaches_the_archive_in_order() -> None:
    with FakeArchive() as pacs:
        pacs.row()
        step = factories.step()
        performed = create(item_of(step), PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 100")
        update(performed, ending())
        assert states() == ["WAITING", "WAITING"]
        assert forward() == 2
        assert states() == ["SENT", "SENT"]
        uid = performed.sop_instance_uid
        assert pacs.uids == [("N-CREATE", uid), ("N-SET", uid)]
        assert pacs.told[0][2].PatientName == "Müller^Jürgen"
        assert pacs.told[1][2].PerformedProcedureStepStatus == "COMPLETED"
        assert forward() == 0


def test_nothing_waits_for_an_archive_that_wants_none_and_refused_requests_go_nowhere() -> None:
    FakeArchive().row(forwards=False)
    FakeArchive().row(name="OLD", active=False)
    create()
    assert states() == []
    FakeArchive().row(name="NEW")
    assert ask(Command.N_CREATE, generate_uid(), creation(Modality="")).status == 0x0121
    assert states() == []


def test_an_archive_that_is_away_gets_it_later_and_nothing_overtakes() -> None:
    pacs = FakeArchive()
    pacs.row()
    performed = create()
    update(performed, ending())
    assert forward() == 0
    first, second = Forwarding.objects.order_by("pk")
    assert (first.attempts, second.attempts) == (1, 0)
    assert "cannot be reached" in first.problem
    assert timedelta(seconds=5) < first.next_at - timezone.now() <= timedelta(seconds=10)
    with pacs:
        assert forward() == 0, "not due yet, and the second waits behind it"
        due_now()
        assert forward() == 2
    assert [operation for operation, _ in pacs.uids] == ["N-CREATE", "N-SET"]


def test_pauses_grow_to_ten_minutes() -> None:
    pauses = [delivery.pause_after(attempts).total_seconds() for attempts in range(1, 12)]
    assert pauses == [10, 20, 40, 80, 160, 320, 600, 600, 600, 600, 600]
    assert delivery.pause_after(delivery.MOST_ATTEMPTS).total_seconds() == 600


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        (0x0111, "SENT", ""),
        (0x0107, "SENT", ""),
        (0x0106, "DEAD", "refused it: status 0106"),
        (0x0120, "DEAD", "refused it: status 0120"),
        (0x0110, "WAITING", "could not take it: status 0110"),
        (0x0213, "WAITING", "could not take it: status 0213"),
    ],
)
def test_an_answer_decides(status: int, state: str, words: str) -> None:
    with FakeArchive(status) as pacs:
        pacs.row()
        create()
        forward()
    assert states() == [state]
    assert words in problems()[0]


def test_what_was_refused_does_not_hold_up_the_others() -> None:
    with FakeArchive(0x0106) as pacs:
        pacs.row()
        create()
        other = create()
        assert forward() == 1
        assert states() == ["DEAD", "SENT"]
        assert pacs.uids == [("N-CREATE", other.sop_instance_uid)]


def test_a_half_answer_does_not_count() -> None:
    def hang_up(event: DicomEvent) -> int:
        event.assoc.abort()
        return 0

    with FakeArchive(hang_up) as pacs:
        pacs.row()
        create()
        assert forward() == 0
        assert states() == ["WAITING"]
        assert "did not answer" in problems()[0] or "ended" in problems()[0]
        due_now()
        pacs.answers = [0x0111]
        assert forward() == 1, "it had arrived"


def test_after_a_day_it_is_given_up_and_a_person_sends_it_again() -> None:
    informatics, technologist = Desk(Role.INFORMATICS), Desk(Role.TECHNOLOGIST)
    pacs = FakeArchive()
    pacs.row()
    create()
    Forwarding.objects.update(attempts=delivery.MOST_ATTEMPTS - 1)
    forward()
    row = Forwarding.objects.get()
    assert row.state == "DEAD"
    assert "1 report was given up." in text_of(informatics.get("/"))
    assert "Send again" in text_of(informatics.get("/worklist/forwarding/?state__exact=DEAD"))
    address = f"/worklist/forwarding/{row.pk}/again/"
    technologist.get(address, status=403)
    assert "cannot be reached" in text_of(informatics.get(address))
    with pacs:
        assert "It will be sent again now." in text_of(informatics.post(address))
        assert "It is on its way already." in text_of(informatics.post(address))
        assert forward() == 1
    assert Event.objects.filter(kind=EventKind.PERFORMED_RESENT, user=informatics.user).count() == 1


def test_one_worker_serves_an_archive_and_a_dead_one_lets_go() -> None:
    with FakeArchive() as pacs:
        archive = pacs.row()
        create()
        Archive.objects.filter(pk=archive.pk).update(claimed_until=timezone.now() + timedelta(minutes=1))
        assert forward() == 0
        Archive.objects.filter(pk=archive.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))
        assert forward() == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ae_title": "OTHER"}, "it is not called OTHER"),
        ({"port": 1}, "cannot be reached"),
        ({"host": "no.such.host.invalid"}, "cannot be"),
    ],
)
def test_why_an_archive_cannot_be_called_is_told(values: dict[str, Any], words: str) -> None:
    with FakeArchive() as pacs:
        pacs.row(**values)
        create()
        forward()
    assert words in problems()[0]


def test_an_archive_is_kept_on_the_desk() -> None:
    informatics = Desk(Role.INFORMATICS)
    port = free_port()
    informatics.post(
        "/worklist/archive/add/", name="PACS", ae_title="PACS", host="pacs", port=port, forwards="on", active="on"
    )
    assert Archive.objects.get().port == port
    assert Event.objects.filter(kind=EventKind.CATALOG_CHANGED, subject__startswith="worklist.archive").exists()
    assert "PACS" in text_of(informatics.get("/worklist/archive/"))


def test_what_scanners_sent_can_be_read_also_what_was_refused() -> None:
    informatics, clerk = Desk(Role.INFORMATICS), Desk(Role.FRONT_DESK)
    ask(Command.N_CREATE, generate_uid(), creation(Modality="", PatientName="Doe^Jane"))
    ask(Command.N_CREATE, generate_uid(), b"garbage that is no data set")
    page = text_of(informatics.get("/worklist/mppsrequest/?status=0121"))
    assert "N-CREATE" in page
    assert "Attribute has no value" in page
    first, second = MppsRequest.objects.order_by("pk")
    assert "Doe^Jane" in text_of(informatics.get(f"/worklist/mppsrequest/{first.pk}/change/"))
    informatics.get(f"/worklist/mppsrequest/{second.pk}/change/")
    assert Event.objects.filter(subject=f"worklist.mppsrequest:{first.pk}", user=informatics.user).exists()
    clerk.get("/worklist/mppsrequest/", status=403)


def test_refused_requests_are_forgotten_with_the_queries_and_others_are_kept() -> None:
    create()
    for _ in range(2):
        ask(Command.N_CREATE, generate_uid(), creation(Modality=""))
    old = timezone.now() - timedelta(days=400)
    MppsRequest.objects.exclude(pk=MppsRequest.objects.latest("pk").pk).update(at=old)
    purge_query_log()
    assert list(MppsRequest.objects.order_by("pk").values_list("status", flat=True)) == ["0000", "0121"]
