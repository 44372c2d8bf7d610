"""The clock: Celery's application. It works after a commit or by the time of day, never on the way to an answer."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ris.settings")

app = Celery("bucky")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
