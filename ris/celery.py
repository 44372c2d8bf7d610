"""The clock: Celery's application. It works after a commit or by the time of day, never on the way to an answer."""

import os
from typing import Any

from celery import Celery
from celery.contrib.django.task import DjangoTask
from celery.signals import beat_init, worker_ready
from django.db import transaction
from kombu.transport import TRANSPORT_ALIASES

from ris import collector

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ris.settings")


class NudgeTask(DjangoTask):  # type: ignore[type-arg]  # generic in its stub only
    """A task that is only woken through the broker: what it must do is in the database.

    So a broker that is away is logged and forgotten; the page or the acknowledgement that came with the commit
    does not fail, and the clock finds the work later.
    """

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]  # the stub is wrong
        """Ask for the task to run after the commit of the transaction that is open now."""

        def nudge() -> None:  # a named function: Django's log of a failure asks for its name
            self.delay(*args, **kwargs)

        transaction.on_commit(nudge, robust=True)


TRANSPORT_ALIASES["filesystem"] = "ris.file_broker:Transport"

app = Celery("bucky", task_cls=NudgeTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@beat_init.connect
@worker_ready.connect
def _spare_the_old(**_: Any) -> None:
    collector.spare_the_old()
