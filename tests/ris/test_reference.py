"""The printed pages say what the code does."""

from pathlib import Path

import pytest

from ris.config import PROJECT
from ris.reference import all_pages, markdown_table


@pytest.mark.parametrize("path", all_pages())
def test_a_printed_page_is_up_to_date(path: str) -> None:
    assert (PROJECT / path).read_text() == all_pages()[path](), "run: .venv/bin/python manage.py print_reference"


def test_no_page_of_the_reference_is_written_by_hand() -> None:
    on_disk = {str(path.relative_to(PROJECT)) for path in Path(PROJECT, "docs/reference").glob("*.md")}
    assert on_disk - {"docs/reference/performance.md"} <= set(all_pages())


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert markdown_table(["a"], [["x|y"]]) == "| a |\n| --- |\n| x\\|y |\n"
