"""The log of the web server, kept as private as every other."""

import logging
from typing import Any

from gunicorn import glogging

from ris.logs import PrivateFormatter


class WebLogger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's logger with our formatter: it would log the query string of a request that it cannot handle."""

    def _set_handler(self, log: logging.Logger, output: str | None, fmt: logging.Formatter, stream: Any = None) -> None:
        super()._set_handler(log, output, PrivateFormatter(fmt._fmt), stream)
