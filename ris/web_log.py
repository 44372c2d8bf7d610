"""The log of the web server, kept as private as every other."""

import logging
import re
from typing import Any

from gunicorn import glogging

from ris.logs import PrivateFormatter

_QUOTED = re.compile(r"\s*b?['\"].*", re.DOTALL)


class WebLogger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's logger with our formatter: it would log the query string of a request that it cannot handle."""

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Name the fault of a request that cannot be read, without quoting it: it may be a search for a patient."""
        super().warning(_QUOTED.sub("", msg) if msg.startswith("Invalid request from") else msg, *args, **kwargs)

    def _set_handler(self, log: logging.Logger, output: str | None, fmt: logging.Formatter, stream: Any = None) -> None:
        super()._set_handler(log, output, PrivateFormatter(fmt._fmt), stream)
