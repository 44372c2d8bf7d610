"""What the floor does by the clock. CELERY_BEAT_SCHEDULE in the settings says when."""

from typing import cast

from celery import shared_task
from django.core.management import call_command

from ris.actions import closing, gate, leftovers, waiting_list
from ris.actor import system
from ris.celery import NudgeTask, app


@shared_task
def clear_sessions() -> None:
    """Delete the sessions of people who have been signed out for being idle."""
    call_command("clearsessions")


@shared_task
def close_idle_exams() -> int:
    """Complete the exams of which nothing was heard for as long as their station says; returns how many."""
    return closing.close_idle(by=system("idle exams"))


@shared_task
def close_left_over_exams() -> int:
    """Go on with what people asked for from the list of left-over exams; returns how many exams were done."""
    return leftovers.work()


def wake() -> None:
    """Have `close_left_over_exams` run after the commit of the transaction that is open now."""
    cast(NudgeTask, app.tasks[close_left_over_exams.name]).delay_on_commit()


@shared_task
def close_gates() -> None:
    """Hold back the exams whose safety answers have run out."""
    gate.close_expired(by=system("clock"))


@shared_task
def tidy_waiting_list() -> int:
    """Close offers of freed times that nobody can have any more, and offer them to the next; returns how many."""
    return waiting_list.tidy(by=system("clock"))
