"""Celery's broker where there is no Redis: kombu's directory of files, each of them whole or not there.

kombu opens a file and then writes it, while the worker may read it; a full disk leaves it empty. What it cannot read
ends the worker, and with it all of Bucky.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path
from queue import Empty
from time import monotonic_ns
from typing import Any
from uuid import uuid4

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

log = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    """Messages as files that appear with their content, and go with the first who takes them."""

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]  # kombu disagrees with itself
        folder = Path(self.data_folder_out)
        name = f"{monotonic_ns()}_{uuid4()}"
        aside = folder / name  # not the name of a message yet
        try:
            aside.write_text(dumps(payload))
            aside.rename(folder / f"{name}.{queue}.msg")
        except OSError as trouble:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise ChannelError(f"the message cannot be written ({type(trouble).__name__})") from trouble

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for name in sorted(os.listdir(self.data_folder_in)):
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            file = Path(self.data_folder_in) / name
            try:
                text = file.read_bytes()  # what a disk has spoilt may be no text at all
                file.unlink()
            except OSError:
                continue  # somebody else took it
            try:
                return loads(text)
            except ValueError:
                log.warning("a task in the directory was cut off and is left out: the clock finds its work again")
        raise Empty


class Transport(filesystem.Transport):
    """kombu's transport with these files."""

    Channel = Channel
