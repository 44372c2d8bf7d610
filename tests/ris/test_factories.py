"""The cast itself: the defaults of the factories make a department that works."""

import pytest

from ris.states import StepState
from tests import factories

pytestmark = pytest.mark.django_db


def test_an_order_is_on_a_station_today() -> None:
    step = factories.step_of(factories.order())
    assert (step.station and step.station.ae_title, step.start) == ("CT1", factories.today_at(10))


@pytest.mark.parametrize("state", StepState.values)
def test_a_step_reaches_the_state_that_is_asked_for(state: str) -> None:
    assert factories.step(state).state == state
