"""What a log line may hold: never a patient's data, a query string, or a value sent to the database.

Messages of our own code name row ids, control ids, AE titles and counts. What libraries and exceptions
say is not under our hand, so it is cut here, on the way out.
"""

import copy
import logging
import re
from types import TracebackType
from typing import Any

# From the beginning of a word on, and without a way back: a line may be as long as an address that a stranger makes up.
_QUERY_STRING = re.compile(r"(?<![^\s?\"'])([^\s?\"'/]*+/[^\s?\"']*+)\?[^\s\"']*")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class PrivateFormatter(logging.Formatter):
    """Write one line a record; of an exception its class and the places in the code, not its words.

    A database error quotes the row it refused and a parser quotes its input: both may be a patient.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Give the line, and below it the bare exception."""
        record = copy.copy(record)
        record.exc_text = None  # another handler may have left the words of the exception here
        if isinstance(record.args, dict) and "exc" in record.args:  # Celery puts them into the message
            record.args = {**record.args, "exc": "", "traceback": ""}
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name is logging's)
        """Give the line without query strings, as one line: what a stranger sent must not look like a line of ours."""
        line = _QUERY_STRING.sub(r"\1", super().formatMessage(record).rstrip())
        return _CONTROLS.sub(lambda sign: f"\\x{ord(sign[0]):02x}", line)

    def formatException(  # noqa: N802
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """Give the chain of exceptions as class names and `file:line in function`, innermost cause first."""
        lines: list[str] = []
        error, seen = ei[1], set[int]()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            places: list[str] = []
            walk = error.__traceback__
            while walk is not None:
                code = walk.tb_frame.f_code
                places.append(f"  {code.co_filename}:{walk.tb_lineno} in {code.co_name}")
                walk = walk.tb_next
            lines[:0] = [f"{type(error).__module__}.{type(error).__qualname__}", *places]
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(lines)


def without_stack(record: logging.LogRecord) -> bool:
    """Take the forty lines of code off what Celery's clock says, for every task, while the broker is away."""
    record.exc_info = None
    if isinstance(record.args, tuple):
        record.args = tuple("" if isinstance(value, list) else value for value in record.args)
    return True


def sign_in_origin(username: str, ip_address: str, user_agent: str, path_info: str, request: Any) -> str:
    """Name a failed sign-in in the log of django-axes: the address only, for people type passwords as names."""
    return ip_address


def logging_config(*, debug: bool) -> dict[str, Any]:
    """Build Django's LOGGING. With `debug` exceptions keep their words: never where there are patients."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": "logging.Formatter" if debug else "ris.logs.PrivateFormatter",
                "format": "{levelname} {name}: {message}",
                "style": "{",
            },
        },
        "filters": {"without stack": {"()": lambda: without_stack}},
        "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["out"], "level": "INFO"},
        "loggers": {
            "django": {"handlers": [], "propagate": True},  # no mails, no second copy
            "django.db.backends": {"level": "INFO"},  # statements with their values are DEBUG
            "pynetdicom": {"level": "ERROR"},  # identifiers are INFO, peers' text is WARNING
            "pydicom": {"level": "ERROR"},  # quotes values that it finds odd
            "axes": {"level": "WARNING"},
            "celery.beat": {"filters": [] if debug else ["without stack"]},
            "kombu.connection": {"level": "ERROR"},  # the file broker has no host name, and says so each time
        },
    }
