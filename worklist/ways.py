"""How a query is asked beside its keys: what may match as well, and which page of the answers is wanted."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ways:
    """What a caller has negotiated, or asked for, beside the matching that always holds.

    by_ear: patients' names that only sound like the key match too (PS3.4 C.2.2.2.1, fuzzy semantic matching).
    empty: two quotation marks as a key ask for what has no value (PS3.4 C.2.2.2.7). every: several values in a key that
    may have several ask for steps that have all of them, not any (PS3.4 C.2.2.2.8).
    """

    by_ear: bool = False
    empty: bool = False
    every: bool = False


@dataclass(frozen=True)
class Page:
    """A part of the answers. offset: answers to skip. limit: most answers, None for all that are left."""

    offset: int = 0
    limit: int | None = None

    def total(self, here: int, after: int) -> int | None:
        """Return how many match on all pages, from those on this one and after it; None past the end of the answers."""
        return self.offset + here + after if here or after or not self.offset else None


LITERAL = Ways()
WHOLE = Page()
_USUAL = vars(LITERAL) | vars(WHOLE)


def kept(ways: Ways, page: Page = WHOLE) -> dict[str, Any]:
    """Return for the query log what differs from the usual."""
    return {name: value for name, value in (vars(ways) | vars(page)).items() if value != _USUAL[name]}


def ways_of(kept: dict[str, Any]) -> Ways:
    """Return the ways that `kept` has kept."""
    return Ways(**{name: bool(kept.get(name)) for name in vars(LITERAL)})


def page_of(kept: dict[str, Any]) -> Page:
    """Return the page that `kept` has kept."""
    return Page(kept.get("offset", 0), kept.get("limit"))
