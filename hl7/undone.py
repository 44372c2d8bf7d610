"""Warnings that the sender is told too: the message was applied, but something that it asks for was not done.

They go out as ERR with severity W beside AA (docs/decisions/acknowledgements.md). All other warnings are for the people
of the department.
"""

from collections.abc import Iterable

from hl7.ack import Condition, Place, Problem

MOST = 20
"""Of one answer."""


class Undone(str):
    """A warning of which the sender is told."""

    problem: Problem

    def __new__(cls, condition: Condition, text: str, place: Place | None = None) -> "Undone":
        """Take the code of table 0357, the words (naming no patient), and the place in the message if it has one."""
        made = super().__new__(cls, text)
        made.problem = Problem(condition, text, place)
        return made


def told(warnings: Iterable[str]) -> tuple[Problem, ...]:
    """Return what the sender is told, each thing once."""
    return tuple(dict.fromkeys(warning.problem for warning in warnings if isinstance(warning, Undone)))[:MOST]
