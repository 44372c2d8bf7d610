"""Work by the clock for this door."""

from datetime import timedelta
from typing import cast

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from ris.celery import NudgeTask, app
from worklist import delivery, ladder
from worklist.models import MppsRequest, QueryLog, RefusedCall, UnknownCaller


@shared_task
def purge_query_log() -> int:
    """Forget queries that were last asked longer ago than settings.BUCKY_QUERY_LOG_DAYS; return how many.

    MPPS requests that were refused, and callers not seen since, go with them. Requests that were carried out are kept
    with what they tell of.
    """
    deleted, _by_model = QueryLog.objects.older_than(settings.BUCKY_QUERY_LOG_DAYS).delete()
    since = timezone.now() - timedelta(days=settings.BUCKY_QUERY_LOG_DAYS)
    MppsRequest.objects.filter(performed=None, at__lt=since).delete()
    UnknownCaller.objects.filter(last_seen__lt=since).delete()
    RefusedCall.objects.filter(last_seen__lt=since).delete()
    return deleted


@shared_task
def forward() -> int:
    """Pass on to the archives what scanners have told; woken after each report, and by the clock. Returns how many."""
    return delivery.deliver()


@shared_task
def ask_archives() -> int:
    """Complete the exams whose study lies in an archive and grows no more; returns how many."""
    return ladder.close_what_is_archived()


def wake() -> None:
    """Have `forward` run after the commit of the transaction that is open now."""
    # By our own application: in a thread of the door Celery would take one that nobody has configured.
    cast(NudgeTask, app.tasks[forward.name]).delay_on_commit()
