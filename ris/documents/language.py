"""In which language a patient is written to."""

from django.conf import settings

from ris.models import Patient


def language_of(patient: Patient) -> str:
    """Return the language that Bucky writes to a patient in: theirs (PID-15, RFC 5646) where Bucky has it."""
    wanted = patient.primary_language.strip().lower().replace("_", "-").partition("-")[0]
    return wanted if wanted in dict(settings.LANGUAGES) else settings.BUCKY_LANGUAGE
