"""In which language a patient is written to."""

from pathlib import Path

from django.conf import settings

from ris.models import Patient

_OWN = Path(__file__).parent.parent / "locale"


def language_of(patient: Patient) -> str:
    """Return the language that Bucky writes to a patient in: theirs (PID-15, RFC 5646) where Bucky has it."""
    wanted = patient.primary_language.strip().lower().replace("_", "-").partition("-")[0]
    return wanted if wanted.isalpha() and (_OWN / wanted).is_dir() else settings.LANGUAGE_CODE
