"""Every move from every state, and the state of an order for every mix of its steps."""

import re
from itertools import chain, combinations

import pytest

from ris.errors import ForbiddenMove
from ris.states import (
    BEFORE_START,
    NEEDS_PLACE,
    ON_WORKLIST,
    OPEN,
    REFUSALS,
    STEP_MOVES,
    OrderState,
    StepState,
    check_move,
    roll_up,
)

# What a department may do, written down a second time. A row is a state, a column a move; "." is refused.
SHORT = {
    "REQ": StepState.REQUESTED,
    "SCH": StepState.SCHEDULED,
    "ARR": StepState.ARRIVED,
    "RDY": StepState.READY,
    "STA": StepState.STARTED,
    "DEP": StepState.DEPARTED,
    "COM": StepState.COMPLETED,
    "CAN": StepState.CANCELED,
    "DIS": StepState.DISCONTINUED,
    "NOS": StepState.NO_SHOW,
}
MATRIX = """
      book move unbook arrive make_ready start perform depart complete discontinue cancel miss reopen
REQ   SCH  .    .      .      .          .     STA     .      .        .           CAN    .    .
SCH   .    SCH  REQ    ARR    RDY        STA   STA     .      .        .           CAN    NOS  .
ARR   .    .    .      .      RDY        STA   STA     .      .        .           CAN    .    SCH
RDY   .    .    .      .      .          STA   STA     .      .        .           CAN    .    SCH
STA   .    .    .      .      .          .     .       DEP    COM      DIS         .      .    SCH
DEP   .    .    .      .      .          .     .       .      COM      DIS         .      .    SCH
COM   .    .    .      .      .          .     .       .      .        .           .      .    SCH
CAN   .    .    .      .      .          .     .       .      .        .           .      .    .
DIS   .    .    .      .      .          .     STA     .      .        .           .      .    SCH
NOS   SCH  .    .      .      .          .     STA     .      .        .           CAN    .    SCH
"""
HEAD, *ROWS = [line.split() for line in MATRIX.strip().splitlines()]
ALLOWED = {
    (verb.replace("_", " "), SHORT[row[0]]): target for row in ROWS for verb, target in zip(HEAD, row[1:], strict=True)
}


def test_the_matrix_of_this_test_is_whole() -> None:
    assert {verb for verb, _ in ALLOWED} == set(STEP_MOVES)
    assert len(ALLOWED) == len(StepState) * len(STEP_MOVES)


@pytest.mark.parametrize(("verb", "state"), ALLOWED)
def test_a_move_is_allowed_or_refused(verb: str, state: StepState) -> None:
    target = ALLOWED[verb, state]
    if target == ".":
        with pytest.raises(ForbiddenMove, match=re.escape(str(REFUSALS[verb] % {"state": state.label}))):
            check_move(verb, state)
    else:
        assert check_move(verb, state) == SHORT[target]


def test_every_state_can_be_reached_from_a_new_step() -> None:
    reached = {StepState.REQUESTED}
    for _ in StepState:
        reached |= {move.target for move in STEP_MOVES.values() if move.sources & reached}
    assert reached == set(StepState)


def test_what_is_on_a_worklist_has_a_place_and_is_not_over() -> None:
    assert ON_WORKLIST <= NEEDS_PLACE
    assert ON_WORKLIST <= OPEN
    assert StepState.STARTED in ON_WORKLIST  # a scanner that was restarted has to find its patient again
    assert BEFORE_START < OPEN


def oracle(states: frozenset[StepState]) -> OrderState:
    """The state of an order, told as a person would tell it."""
    if states & {StepState.STARTED, StepState.DEPARTED}:
        return OrderState.IN_PROGRESS
    waiting = states & {StepState.REQUESTED, StepState.SCHEDULED, StepState.ARRIVED, StepState.READY}
    if waiting:
        if StepState.COMPLETED in states:
            return OrderState.IN_PROGRESS
        return OrderState.REQUESTED if waiting == {StepState.REQUESTED} else OrderState.SCHEDULED
    for ended in ("COMPLETED", "DISCONTINUED", "NO_SHOW", "CANCELED"):
        if StepState(ended) in states:
            return OrderState(ended)
    return OrderState.REQUESTED


def test_the_state_of_an_order_is_right_for_every_mix_of_steps() -> None:
    mixes = chain.from_iterable(combinations(StepState, size) for size in range(len(StepState) + 1))
    wrong = [mix for mix in mixes if roll_up(mix) != oracle(frozenset(mix))]
    assert wrong == []


@pytest.mark.parametrize("state", StepState)
def test_an_order_of_one_step_is_where_its_step_is(state: StepState) -> None:
    same = {"ARRIVED": "SCHEDULED", "READY": "SCHEDULED", "STARTED": "IN_PROGRESS", "DEPARTED": "IN_PROGRESS"}
    assert roll_up([state]) == same.get(state, state)


def test_the_order_of_the_steps_does_not_matter() -> None:
    for first, second in combinations(StepState, 2):
        assert roll_up([first, second]) == roll_up([second, first, first])
