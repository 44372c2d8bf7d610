"""What was received is kept, however the listener ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from ris.config import PROJECT
from tests.messages import adt
from tests.races import Track

KILLED_WHILE_APPLYING = """
import os, signal, sys
import django
django.setup()
from hl7 import handlers, intake
handlers.apply = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
intake.receive(bytes.fromhex(sys.argv[1]), "10.0.0.7")
"""
KEPT = "[(row.state, bytes(row.raw).hex()) for row in __import__('hl7.models').models.InboundMessage.objects.all()]"


def test_a_listener_killed_while_it_applies_a_message_has_stored_it(tmp_path: Path) -> None:
    raw = adt("A04").hex()
    with Track(tmp_path, runners=1) as track:
        killed = subprocess.run(
            [sys.executable, "-c", KILLED_WHILE_APPLYING, raw],
            cwd=PROJECT,
            env={**os.environ, **track.environment},
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL
        assert track.run(KEPT) == f"[('received', '{raw}')]"
