"""What happened, in words that people read: names without carets, senders in two words, merges with both numbers."""

import re
from typing import Any

import pytest

from ris.actions import orders, patients, visits
from ris.actions.unmerging import unmerge
from ris.models import Attention, Event
from ris.roles import Role
from tests import factories
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def expert() -> Desk:
    """Somebody who sees everything."""
    return Desk(Role.INFORMATICS)


def test_names_and_senders_are_written_as_people_read_them(expert: Desk) -> None:
    jane = factories.patient("Doe^Jane")
    patients.update(by=factories.HIS, patient=jane, patient_name="Doe-Müller^Jane^^Dr")
    page = text_of(expert.get(f"/ris/patient/{jane.pk}/change/"))
    assert "name: Doe, Jane → Doe-Müller, Jane (Dr)" in page
    assert "HIS, HOSPITAL (HL7 sender)" in page
    order = factories.order(patient=jane)
    orders.change(by=factories.HIS, order=order, requesting_physician="Curie^Eve")
    orders.change(by=factories.HIS, order=order, requests=[factories.request(start=None, technologist="Meier^Tom")])
    page = text_of(expert.get(f"/ris/order/{order.pk}/change/"))
    assert "requesting physician: Curie, Marie → Curie, Eve" in page
    assert "technologist: Meier, Tom" in page
    assert "^" not in page


def test_where_a_patient_lies_is_written_as_people_read_it(expert: Desk) -> None:
    visit = factories.visit()
    stay: dict[str, Any] = {"patient": visit.patient, "visit_number": visit.visit_number, "issuer": visit.issuer}
    for location in ("Ward 3^04", "Ward 9^^2"):
        visits.keep(by=factories.HIS, location=location, **stay)
    page = text_of(expert.get(f"/ris/patient/{visit.patient_id}/change/"))
    assert "location: Ward 3, 04 → Ward 9, 2" in page
    assert "· Ward 9, 2" in page
    assert "^" not in page


def test_the_trail_is_searched_by_the_sender_as_it_is_shown(expert: Desk) -> None:
    jane = factories.patient("Doe^Jane")
    patients.update(by=factories.HIS, patient=jane, patient_name="Roe^Jane")
    for search in ("HIS, HOSPITAL", "HIS|HOSPITAL"):
        page = text_of(expert.get(f"/ris/event/?q={search}"))
        assert "patient updated" in page.lower(), search
    event = Event.objects.filter(actor_name="HIS|HOSPITAL").latest("pk")
    assert "HIS, HOSPITAL" in text_of(expert.get(f"/ris/event/{event.pk}/change/"))


def test_a_merge_and_its_undoing_name_both_numbers(expert: Desk) -> None:
    stays, goes = factories.patient("Doe^Jane", "4712"), factories.patient("Doe^Jane", "4711")
    patients.merge(by=factories.CLERK, survivor=stays, loser=goes)
    assert "patient ID: 4711 → 4712" in text_of(expert.get(f"/ris/patient/{stays.pk}/change/"))
    goes.refresh_from_db()
    unmerge(by=factories.CLERK, loser=goes)
    assert "patient ID: 4712 → 4711" in text_of(expert.get(f"/ris/patient/{stays.pk}/change/"))


def test_lists_say_what_needs_attention(expert: Desk) -> None:
    factories.step()
    order = factories.step().requested_procedure.order
    words = str(Attention.DOUBLE_BOOKED.label)
    for address in ("/ris/order/", f"/ris/patient/{order.patient_id}/change/"):
        assert words in text_of(expert.get(address))


def test_an_order_tells_of_the_merges_that_it_has_lived_through_and_of_no_others(expert: Desk) -> None:
    early, goes, stays, last = (factories.patient("Doe^Jane", number) for number in ("4700", "4711", "4712", "4713"))
    patients.merge(by=factories.CLERK, survivor=goes, loser=early)
    order = factories.order(patient=goes)
    other = factories.order(patient=stays)

    def told(row: Any) -> list[str]:
        page = text_of(expert.get(f"/ris/order/{row.pk}/change/"))
        return re.findall(r"(?:Patients merged|Merge undone).*?patient ID: (\d+ → \d+)", page)

    assert told(order) == []
    patients.merge(by=factories.CLERK, survivor=stays, loser=goes)
    patients.merge(by=factories.CLERK, survivor=last, loser=stays)
    assert told(order) == told(other) == ["4712 → 4713", "4711 → 4712"]
    for row in (stays, goes):
        row.refresh_from_db()
    unmerge(by=factories.CLERK, loser=stays)
    unmerge(by=factories.CLERK, loser=goes)
    assert told(order) == ["4712 → 4711", "4713 → 4712", "4712 → 4713", "4711 → 4712"]
    assert told(other) == ["4712 → 4711", "4713 → 4712", "4712 → 4713", "4711 → 4712"]
    patients.merge(by=factories.CLERK, survivor=early, loser=last)
    assert (told(order)[0], len(told(other))) == ("4713 → 4711", 4)
