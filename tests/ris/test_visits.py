"""Visits: opened by the first message that names them, kept up to date by the next ones."""

from typing import Any

import pytest

from ris.actions import visits
from ris.errors import DuplicateVisit, InvalidValue
from ris.models import Event, EventKind, Visit, VisitState
from tests import factories
from tests.refusals import refused

pytestmark = pytest.mark.django_db


def test_a_visit_is_opened_once_and_then_follows_the_patient_through_the_house() -> None:
    jane = factories.patient()
    for location in ("Ward 1^101^A", "Ward 1^101^A", "Ward 2^201^B"):
        visits.keep(by=factories.HIS, patient=jane, visit_number="V1", issuer="HIS", location=location)
    assert Visit.objects.get().location == "Ward 2^201^B"
    told = Event.objects.filter(kind__startswith="visit.").order_by("pk").values_list("kind", flat=True)
    assert list(told) == [EventKind.VISIT_OPENED, EventKind.VISIT_UPDATED]


def test_a_number_of_another_issuer_is_another_visit() -> None:
    jane = factories.patient()
    for issuer in ("HIS", "CLINIC"):
        visits.keep(by=factories.BY, patient=jane, visit_number="V1", issuer=issuer)
    assert Visit.objects.count() == 2


def test_a_visit_never_moves_to_another_patient_by_its_number() -> None:
    jane, john = factories.patient(), factories.patient("Doe^John")
    visits.keep(by=factories.BY, patient=jane, visit_number="V1")
    with refused(DuplicateVisit):
        visits.keep(by=factories.BY, patient=john, visit_number="V1", state=VisitState.DISCHARGED)
    assert (Visit.objects.get().patient, Visit.objects.get().state) == (jane, VisitState.ACTIVE)


@pytest.mark.parametrize("values", [{"state": "GONE"}, {"location": "X" * 65}, {"visit_number": "V" * 65}])
def test_a_value_that_does_not_fit_is_refused(values: dict[str, Any]) -> None:
    with refused(InvalidValue):
        visits.keep(**{"by": factories.BY, "patient": factories.patient(), "visit_number": "V1", **values})
    assert not Visit.objects.exists()
