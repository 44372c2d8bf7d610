"""In which language a patient is written to."""

from django.conf import settings
from django.utils.translation import pgettext

from ris.models import Patient


def language_of(patient: Patient) -> str:
    """Return the language that Bucky writes to a patient in: theirs (PID-15, RFC 5646) where Bucky has it."""
    wanted = patient.primary_language.strip().lower().replace("_", "-").partition("-")[0]
    return wanted if wanted in dict(settings.LANGUAGES) else settings.BUCKY_LANGUAGE


def long_date() -> str:
    """Return how a date is written out in the language that is on, as a format of Django: 23 November 2026."""
    return pgettext("format of a date that is written out", "j F Y")
