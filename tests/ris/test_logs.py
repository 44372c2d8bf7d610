"""A log line never holds a patient."""

import logging
import sys

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import InvalidChunkSize, InvalidHeaderName, InvalidHTTPVersion, InvalidRequestLine

from ris.logs import PrivateFormatter, logging_config, without_stack
from ris.web_log import WebLogger

NAME = "Ødegaard^Åse"


def formatted(message: str, *args: object, error: BaseException | None = None) -> str:
    trouble = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("ris", logging.ERROR, __file__, 1, message, args, trouble)
    return PrivateFormatter("{levelname} {name}: {message}", style="{").format(record)


def caught(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except type(error):
        raised = sys.exc_info()[1]
        assert isinstance(raised, Exception)
        return raised


def test_a_line_names_its_level_and_logger() -> None:
    assert formatted("message %s applied", 7) == "ERROR ris: message 7 applied"


def test_a_query_string_is_cut_off() -> None:
    assert formatted("Not Found: /ris/patient/?q=%s&x=1 (404)", NAME) == "ERROR ris: Not Found: /ris/patient/ (404)"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('a/b/?q=x then /c?d and "/e?f"', 'a/b/ then /c and "/e"'),
        ("why? because of a?b/c?d", "why? because of a?b/c"),
        ("https://pacs/studies?PatientName=x", "https://pacs/studies"),
    ],
)
def test_only_query_strings_are_cut_off(said: str, kept: str) -> None:
    assert formatted(said) == f"ERROR ris: {kept}"


def test_an_address_of_slashes_is_no_work() -> None:
    address = "/" * 1_000_000  # with a way back this takes hours
    assert formatted("%s", address) == f"ERROR ris: {address}"


def test_what_a_stranger_sent_stays_on_its_line() -> None:
    assert formatted("Not Found: %s", "/x\nERROR ris: all is lost\x1b[2J") == (
        r"ERROR ris: Not Found: /x\x0aERROR ris: all is lost\x1b[2J"
    )


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (InvalidHTTPVersion("Hugo Ødegaard HTTP/1.1"), "Invalid HTTP Version:"),
        (InvalidRequestLine("GET /?q=Ødegaard"), "Invalid HTTP request line:"),
        (InvalidHeaderName("O'Ødegaard"), "Invalid HTTP header name:"),
        (InvalidChunkSize(b"Hugo"), "Invalid chunk size:"),
    ],
)
def test_a_request_that_cannot_be_read_is_not_quoted(
    fault: Exception, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    WebLogger(Config()).warning(f"Invalid request from ip=::1: {fault}")
    assert capfd.readouterr().err.endswith(f"Invalid request from ip=::1: {said}\n")


def test_an_exception_keeps_its_class_and_its_places_and_loses_its_words() -> None:
    line = formatted("refused", error=caught(ValueError(f"{NAME} is not a date")))
    assert NAME not in line
    assert "builtins.ValueError" in line
    assert "test_logs.py:" in line
    assert "in caught" in line


def test_the_cause_of_an_exception_comes_first_and_is_silent_too() -> None:
    line = formatted("refused", error=caught(ValueError("late"), cause=caught(KeyError(NAME))))
    assert NAME not in line
    assert line.index("KeyError") < line.index("ValueError")


def test_words_that_another_handler_left_in_the_record_are_not_taken_over() -> None:
    error = caught(ValueError(NAME))
    record = logging.LogRecord("ris", logging.ERROR, __file__, 1, "x", (), (ValueError, error, error.__traceback__))
    logging.Formatter().format(record)
    assert record.exc_text
    assert NAME in record.exc_text
    assert NAME not in PrivateFormatter().format(record)


def test_a_failed_task_is_named_without_its_words() -> None:
    data = {"name": "hl7.tasks.flag", "id": "5", "description": "raised unexpected", "exc": NAME, "traceback": NAME}
    record = logging.LogRecord(
        "celery.app.trace",
        logging.ERROR,
        __file__,
        1,
        "Task %(name)s[%(id)s] %(description)s: %(exc)s\n%(traceback)s",
        (data,),
        None,
    )
    line = PrivateFormatter().format(record)
    assert "Task hl7.tasks.flag[5] raised unexpected" in line
    assert NAME not in line


def test_the_clock_says_in_one_line_what_it_could_not_send() -> None:
    error = caught(ConnectionError("refused"))
    words = ("Message Error: %s\n%s", ("Couldn't apply scheduled task: refused", ["  File x\n"]))
    record = logging.LogRecord("celery.beat", logging.ERROR, __file__, 1, *words, (ConnectionError, error, None))
    assert without_stack(record)
    assert PrivateFormatter().format(record) == "Message Error: Couldn't apply scheduled task: refused"


@pytest.mark.parametrize(("debug", "formatter"), [(False, "ris.logs.PrivateFormatter"), (True, "logging.Formatter")])
def test_only_debugging_shows_the_words_of_an_exception(*, debug: bool, formatter: str) -> None:
    assert logging_config(debug=debug)["formatters"]["line"]["()"] == formatter
