"""Who pays: IN1, GT1 and a hospital's own segments in ADT, for people to read on the page of the patient."""

import pytest

from ris.models import Event, EventKind, Insurance, Patient
from ris.roles import Role
from tests.hl7.stories import Accepted
from tests.messages import adt, mrg, pid, pv1
from tests.ris.desk import Desk, text_of

IN1 = "IN1|1||AOK^^^AOK|AOK Nordost|Street 1^^Berlin"
FURTHER = (IN1, "GT1|1||Doe^John", "ZPV|private room")


@pytest.fixture
def jane(accepted: Accepted) -> Patient:
    accepted(adt("A04", pid(), pv1(), *FURTHER))
    return Patient.objects.get()


def kept(patient: Patient) -> list[str]:
    return [segment["segment"] for segment in Insurance.objects.get(patient=patient).sent_along]


def test_it_is_on_the_page_of_the_patient(jane: Patient, accepted: Accepted) -> None:
    page = text_of(Desk(Role.FRONT_DESK).get(f"/ris/patient/{jane.pk}/change/"))
    assert all(text in page for text in ("IN1-4", "AOK Nordost", "GT1-3", "Doe John", "private room"))


def test_what_comes_next_takes_its_place_and_nothing_leaves_it(jane: Patient, accepted: Accepted) -> None:
    accepted(adt("A08", pid(), pv1()))
    assert kept(jane) == ["IN1", "GT1", "ZPV"]
    row = accepted(adt("A08", pid(), pv1(), IN1))
    assert kept(jane) == ["IN1"]
    event = Event.objects.get(cause=row.cause, kind=EventKind.PATIENT_UPDATED)
    assert [len(segments) for segments in event.data["changes"]["sent_along"]] == [3, 1]
    row = accepted(adt("A31", pid(), IN1))
    assert not Event.objects.filter(cause=row.cause).exists(), "a repeat changes nothing"


def test_that_of_a_number_merged_away_is_left(jane: Patient, accepted: Accepted) -> None:
    accepted(adt("A04", pid("4712", "Poe^Jim"), pv1("V2")))
    accepted(adt("A40", pid(), mrg("4712")))
    accepted(adt("A08", pid("4712", "Poe^Jim"), pv1("V2"), IN1))
    assert kept(jane) == ["IN1", "GT1", "ZPV"]
