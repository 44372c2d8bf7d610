"""The pages that people read: what they point at is there."""

import re
from pathlib import Path

import pytest

from ris.config import PROJECT

PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md"), PROJECT / "bench" / "README.md"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    inside = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in inside if not (page.parent / link).exists()] == []


def test_every_page_can_be_reached_from_the_first_one() -> None:
    docs = PROJECT / "docs"
    listed = {(docs / link).resolve() for link in re.findall(r"\]\(([^)#\s]+\.md)", (docs / "README.md").read_text())}
    assert sorted(set(docs.rglob("*.md")) - listed - {docs / "README.md"}) == []
