"""The floor: the domain of a radiology department and its screens."""

from ris.celery import app as celery_app  # shared tasks of every app find their broker through it

__all__ = ["celery_app"]
