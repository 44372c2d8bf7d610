"""Where the Bucky that runs listens: left in its data directory, so that commands in another terminal find it."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ris import config

NAMES = ("BUCKY_HTTP", "BUCKY_MLLP", "BUCKY_DICOM", "BUCKY_AE_TITLE")
"""Settings of ris.config by which commands find a door."""
_FILE = "doors"


@contextmanager
def told(data: Path, values: Mapping[str, object]) -> Iterator[None]:
    """Leave these settings in the data directory while the block runs. Whoever calls it holds the directory's lock."""
    file = data / _FILE
    file.write_text(json.dumps({name: str(values[name]) for name in NAMES}))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def adopt() -> None:
    """Take what was left there into the environment, where neither it nor `.env` says anything.

    What a killed Bucky has left is the best guess as well. `serve` itself does not ask: it would go on where another
    one was.
    """
    config.read_env_file()
    setting = next(setting for setting in config.SETTINGS if setting.name == "BUCKY_DATA")
    try:
        data = config.folder(os.environ.get("BUCKY_DATA", "").strip() or setting.default)
        left = json.loads((data / _FILE).read_text())
    except (OSError, ValueError):
        return  # nothing runs here, or not for this account
    for name in NAMES:
        said = os.environ.get(name, "").strip()
        if not said and isinstance(left, dict) and isinstance(left.get(name), str):
            os.environ[name] = left[name]
