"""Tell of accounts that are made or changed at a shell, where no screen does."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models.signals import post_save

from ris.actor import system
from ris.audit import subject_of
from ris.models import Event, EventKind, User
from ris.models.event import name_of


@contextmanager
def told(command: str) -> Iterator[None]:
    """Write an event for each account that the block saves, in the transaction of the change, never its password.

    command: the name of the command, which stands as the actor. Who typed it is known by the account of the operating
    system alone.
    """

    def saved(instance: User, created: bool, **_: Any) -> None:
        details = {} if created else {"changes": {"password": ["", "changed"]}}
        data = {"change": "added" if created else "changed", "name": name_of(instance), "shell": _who(), **details}
        Event.objects.record(EventKind.ACCOUNT_CHANGED, by=system(command), subject=subject_of(instance), data=data)

    post_save.connect(saved, sender=User, weak=False)
    try:
        yield
    finally:
        post_save.disconnect(saved, sender=User)


def _who() -> str:
    """Return the account of the operating system; its number where it has no name. LOGNAME may say anything."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
