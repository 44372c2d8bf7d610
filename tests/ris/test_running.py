"""Commands in another terminal find the Bucky that runs."""

import os
from pathlib import Path

import pytest

from ris import config, running

VALUES = {"BUCKY_HTTP": "127.0.0.1:1", "BUCKY_MLLP": "127.0.0.1:2", "BUCKY_DICOM": "[::1]:3", "BUCKY_AE_TITLE": "RIS"}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory, in an environment that says nothing of doors."""
    known = {name: value for name, value in os.environ.items() if name not in running.NAMES}
    monkeypatch.setattr("os.environ", known | {"BUCKY_DATA": str(tmp_path)})
    monkeypatch.setattr(config, "PROJECT", tmp_path)  # which has no .env
    return tmp_path


def said() -> dict[str, str]:
    return {name: os.environ[name] for name in running.NAMES if name in os.environ}


def test_what_was_left_is_taken_where_nothing_else_is_said(data: Path) -> None:
    os.environ["BUCKY_MLLP"] = "127.0.0.1:4"
    os.environ["BUCKY_DICOM"] = " "  # as if it were not there, for settings
    with running.told(data, config.load(VALUES)):
        running.adopt()
    assert said() == VALUES | {"BUCKY_MLLP": "127.0.0.1:4"}
    assert list(data.iterdir()) == []


def test_after_a_stop_nothing_is_taken(data: Path) -> None:
    with running.told(data, VALUES):
        pass
    running.adopt()
    assert said() == {}


@pytest.mark.parametrize("left", ["", "{", "[]", '{"BUCKY_MLLP": 2575}', "\xff"])
def test_a_file_that_is_spoilt_is_left_alone(data: Path, left: str) -> None:
    (data / "doors").write_text(left, "latin-1")
    running.adopt()
    assert said() == {}


def test_a_data_directory_that_cannot_be_is_for_the_settings_to_refuse(data: Path) -> None:
    os.environ["BUCKY_DATA"] = "/dev/null"
    running.adopt()
    assert said() == {}
