"""Work by the clock for this door."""

from celery import shared_task
from django.conf import settings

from worklist.models import QueryLog


@shared_task
def purge_query_log() -> int:
    """Forget queries that were last asked longer ago than settings.BUCKY_QUERY_LOG_DAYS; return how many."""
    deleted, _by_model = QueryLog.objects.older_than(settings.BUCKY_QUERY_LOG_DAYS).delete()
    return deleted
