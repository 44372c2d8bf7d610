"""What the floor does by the clock. CELERY_BEAT_SCHEDULE in the settings says when."""

from celery import shared_task
from django.core.management import call_command


@shared_task
def clear_sessions() -> None:
    """Delete the sessions of people who have been signed out for being idle."""
    call_command("clearsessions")
