"""What a process of Bucky loads while it starts."""

import os
import signal
import subprocess
import sys

import pytest

from ris.config import PROJECT

DOORS_AND_CLOCK = """
import sys
import django
django.setup()
from django.core.checks import run_checks
import hl7.door, ris.celery, worklist.server
ris.celery.app.loader.import_default_modules()
assert "hl7.tasks" in sys.modules
assert not {"ris.urls", "ris.views", "reportlab", "openpyxl"} & set(sys.modules), "a door has loaded the pages"
assert run_checks() == []
assert "ris.urls" in sys.modules, "the pages were checked without having been loaded"
"""


def test_the_doors_and_the_clock_load_no_pages_but_checks_see_them() -> None:
    environment = {**os.environ, "CELERY_SKIP_CHECKS": "1"}  # as the supervisor starts Celery
    words = [sys.executable, "-c", DOORS_AND_CLOCK]
    subprocess.run(words, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, check=True)


@pytest.mark.parametrize("words", [["help"], ["help", "--commands"]])
def test_a_command_whose_reader_has_enough_ends_without_a_traceback(words: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "manage.py", *words], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        assert command.stdout
        assert command.stderr
        command.stdout.close()  # before it has written anything
        assert command.stderr.read() == b""
    assert command.returncode == 128 + signal.SIGPIPE
