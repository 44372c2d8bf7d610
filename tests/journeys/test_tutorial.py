"""The tutorial, word for word: its commands are run against a real Bucky with the demo department."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ris.config import PROJECT
from tests.conftest import MakeDepartment
from tests.department import Department

OURS = ".venv/bin/python manage.py"


def commands(department: Department) -> str:
    """The shell blocks of the tutorial, with the addresses of this Bucky and the client of this virtual environment."""
    blocks = re.findall(r"```sh\n(.*?)```", (PROJECT / "docs/tutorial.md").read_text(), re.DOTALL)
    lines = "".join(blocks).replace("2575", str(department.mllp.port)).replace("11112", str(department.dicom.port))
    installed = [line for line in lines.splitlines() if "-m venv" not in line and "pip install" not in line]
    python = f"{sys.executable} {PROJECT}/manage.py"
    return "\n".join(installed).replace(".tutorial/bin", str(Path(sys.executable).parent)).replace(OURS, python)


@pytest.fixture
def printed(make_department: MakeDepartment, tmp_path: Path) -> str:
    """What a reader sees who pastes every command."""
    department = make_department(demo=True)
    department.private("Doe^Jane", "Doe-Müller")
    words, environment = ["sh", "-c", commands(department)], department.environment
    run = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    return run.stdout + run.stderr


def test_the_tutorial_works_as_it_is_written(printed: str) -> None:
    answers = re.findall(r"^MSA\|(\w\w)\|T(\d)", printed, re.MULTILINE)
    assert answers == [(("AE" if number == 9 else "AA"), str(number)) for number in range(1, 10)]
    assert "PID-7" in printed
    names = [name.strip() for name in re.findall(r"PN \[(.*?)\]", printed)]
    assert names == ["Doe^Jane", "Doe^Jane", "Doe-Müller^Jane", "Doe^Jane Mary"]
    assert re.findall(r"TM \[(\d+)\]", printed) == ["150000", "163000", "163000", "163000"]
    assert [number.strip() for number in re.findall(r"LO \[(47..)", printed)] == ["4711", "4711", "4711", "4712"]
    assert len(set(re.findall(r"UI \[(\S+?) ?\]", printed))) == 1
    assert len(set(re.findall(r"SH \[(R\d+) ?\]", printed))) == 1
    assert re.search(r"(?m)^in progress   2\.25\.\d+\ncompleted$", printed)
    assert re.search(r"(?m)^- State: one of: .* / completed$", printed)
