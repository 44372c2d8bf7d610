"""What `./test` makes of failures: which get a second try, alone, and which never."""

import json
from pathlib import Path

import pytest

from tests.run import Result, worth_another_try

JOURNEY = "tests/journeys/test_run.py::test_a_secret_is_made_once"


@pytest.mark.parametrize(
    ("failed", "again"),
    [
        ([JOURNEY], True),
        ([f"{JOURNEY}[{number}]" for number in range(9)], True),
        ([JOURNEY, "tests/browser/test_desk.py::test_the_day"], True),
        ([JOURNEY, "tests/ris/test_orders.py::test_an_order"], False),
        (["tests/ris/test_orders.py::test_an_order"], False),
        ([f"tests/journeys/test_{name}.py::test" for name in "abcd"], False),
        (["tests/journeys/test_run.py"], False),  # it could not even be read
        ([], False),
    ],
)
def test_a_few_failed_journeys_are_tried_again_alone(tmp_path: Path, failed: list[str], again: bool) -> None:
    file = tmp_path / "v" / "cache" / "lastfailed"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(dict.fromkeys(failed, True)))
    assert worth_another_try(tmp_path) == (sorted(failed) if again else [])


def test_a_run_that_ended_before_its_first_test_is_not_tried_again(tmp_path: Path) -> None:
    assert worth_another_try(tmp_path) == []


def test_what_passed_only_alone_is_named_under_the_figures() -> None:
    line = str(Result("SQLite", passed=12, failed=0, skipped=0, seconds=3.4, fine=True, again=[JOURNEY]))
    assert line.splitlines() == [
        "SQLite: 12 passed, 0 failed in 3 s",
        f"  passed only when run once more, alone: {JOURNEY}",
    ]
