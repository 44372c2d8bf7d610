"""Expect that a verb refuses, and go on: what it had written is undone, as each door and screen does it.

A verb has no savepoint of its own (docs/decisions/verbs-without-savepoints.md), so a test that looks at the database
after a refusal gives it one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import transaction


@contextmanager
def refused(error: type[BaseException], match: str | None = None) -> Iterator["pytest.ExceptionInfo[BaseException]"]:
    """Expect `error` (with words that `match`) from the block, and undo what the block wrote."""
    with pytest.raises(error, match=match) as info, transaction.atomic():
        yield info
