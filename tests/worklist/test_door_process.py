"""What the process of the DICOM door is made of."""

import subprocess
import sys

from django.conf import settings

SCREENS = {"ris.admin", "ris.views", "worklist.admin", "hl7.admin", "hl7.handlers", "hl7apy", "reportlab", "openpyxl"}
"""What only people and messages need, of some 18 MiB."""


def test_the_door_loads_no_screens() -> None:
    program = f"import django, sys; django.setup(); import worklist.server; print(*{SCREENS} & sys.modules.keys())"
    run = [sys.executable, "-c", program]
    done = subprocess.run(run, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=180, check=True)
    assert done.stdout.split() == []
