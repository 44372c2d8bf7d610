"""The day of a step: each button, in each state, on real rows."""

import pytest
from pytest_django import DjangoAssertNumQueries

from ris.actions import exams
from ris.errors import ForbiddenMove
from ris.models import Event, ScheduledProcedureStep
from ris.states import STEP_MOVES, StepState, roll_up
from tests import factories
from tests.refusals import refused

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", StepState.values)
@pytest.mark.parametrize("move", exams.KINDS)
def test_a_button_moves_the_step_or_leaves_no_trace(move: str, state: str) -> None:
    step = factories.step(state)
    before = Event.objects.count()
    if state not in STEP_MOVES[move].sources:
        with refused(ForbiddenMove):
            exams.go(move, by=factories.CLERK, step=step)
        step.refresh_from_db()
        assert (step.state, Event.objects.count()) == (state, before)
        return
    after = exams.go(move, by=factories.CLERK, step=step, reason="a reason")
    event = Event.objects.first()
    assert after.state == STEP_MOVES[move].target
    assert after.requested_procedure.order.state == roll_up([after.state])
    assert event
    assert (event.kind, event.step, event.reason, event.actor_name) == (exams.KINDS[move], after, "a reason", "clara")
    assert event.data == {"changes": {"state": [state, after.state]}}


def test_a_verb_works_on_the_row_as_it_is_not_as_it_was() -> None:
    step = factories.step()
    exams.go("cancel", by=factories.BY, step=step)
    assert step.state == "SCHEDULED"  # what another window still shows
    with refused(ForbiddenMove):
        exams.go("start", by=factories.CLERK, step=step)


def test_two_procedures_of_one_order_go_their_own_way() -> None:
    factories.station("CT1")
    factories.station("MR1")
    order = factories.order(
        requests=[factories.request(), factories.request(exam=factories.exam("MRHEAD"), start=factories.today_at(11))]
    )
    first, second = ScheduledProcedureStep.objects.order_by("pk")
    seen = []
    for move, step in (("start", first), ("complete", first), ("miss", second), ("reopen", second), ("start", second)):
        exams.go(move, by=factories.BY, step=step)
        order.refresh_from_db()
        seen.append(order.state)
    assert seen == ["IN_PROGRESS", "IN_PROGRESS", "COMPLETED", "IN_PROGRESS", "IN_PROGRESS"]


def test_a_button_costs_few_statements(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    step = factories.step()
    with django_assert_max_num_queries(6):
        exams.go("arrive", by=factories.BY, step=step)
