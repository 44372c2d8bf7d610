"""The supervisor's small parts; how they work together is told in tests/journeys/test_run.py."""

import http.server
import io
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from ris.config import Address
from ris.supervisor import Doors, Supervisor, busy, exit_code, reachable
from tests.ports import free_port


@pytest.mark.parametrize(("returncode", "code"), [(0, 0), (3, 3), (-9, 137), (-15, 143)])
def test_an_exit_code_is_what_a_shell_would_say(returncode: int, code: int) -> None:
    assert exit_code(returncode) == code


def test_a_free_port_is_not_busy() -> None:
    assert busy(Address("127.0.0.1", free_port())) is None


def test_a_door_on_all_addresses_meets_one_on_loopback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        where = Address("0.0.0.0", port)  # noqa: S104
        assert busy(where) == f"0.0.0.0:{port} is busy: another program listens there"


@pytest.mark.parametrize(
    ("bound", "asked"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.1.2.3", "10.1.2.3")],  # noqa: S104
)
def test_a_door_on_all_addresses_is_asked_on_loopback(bound: str, asked: str) -> None:
    assert reachable(Address(bound, 104)) == (asked, 104)


class Page(http.server.BaseHTTPRequestHandler):
    """A web server that is not ready the first time."""

    status = 500

    def do_GET(self) -> None:
        self.send_response(Page.status)
        self.end_headers()
        Page.status = 200

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def web() -> Iterator[Address]:
    Page.status = 500
    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Address("127.0.0.1", server.server_port)
        server.shutdown()


def test_bucky_is_ready_when_the_web_serves_and_each_door_accepts(web: Address) -> None:
    door = Address("127.0.0.1", free_port())
    ready = Doors(http_at=web, others=[door], line="Bucky is ready")
    assert ready() is None  # no page yet, nobody at the door
    with socket.create_server(door) as server:
        assert ready() == "Bucky is ready"
        server.accept()[0].close()
        server.settimeout(0.05)
        ready()
        with pytest.raises(TimeoutError):  # a door that has opened is not asked again
            server.accept()


def supervise(capfd: pytest.CaptureFixture[str], **programs: str) -> tuple[int, str]:
    supervisor = Supervisor(lambda: None, stop_seconds=1)
    for name, program in programs.items():
        supervisor.add(name, [sys.executable, "-c", program], {})
    code = supervisor.loop()
    return code, capfd.readouterr().out


WAIT = "import signal; print('here', flush=True); signal.pause()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAIT}"


def test_the_exit_code_is_that_of_the_first_that_ends(capfd: pytest.CaptureFixture[str]) -> None:
    code, output = supervise(capfd, first="raise SystemExit(3)", second=WAIT)
    assert code == 3
    assert "first stopped (exit code 3)" in output
    assert "second stopped (exit code 143)" in output


def test_what_does_not_stop_in_time_is_killed(capfd: pytest.CaptureFixture[str]) -> None:
    code, output = supervise(capfd, first="import time; time.sleep(0.5)", second=STUBBORN)
    assert code == 0
    assert "second stopped (exit code 137)" in output


def test_each_line_says_who_wrote_it(capfd: pytest.CaptureFixture[str]) -> None:
    _, output = supervise(capfd, greeter="print('good morning')")
    assert "greeter | good morning" in output


def test_that_all_is_ready_is_printed_by_the_thread_of_all_other_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of a line and its end are written one after the other: another thread's would come in between."""
    writers: list[threading.Thread] = []

    class Page(io.StringIO):
        def write(self, text: str) -> int:
            writers.append(threading.current_thread())
            if "is ready" in text:
                os.kill(os.getpid(), signal.SIGTERM)  # which ends the loop
            return super().write(text)

    page = Page()
    monkeypatch.setattr("sys.stdout", page)
    supervisor = Supervisor(lambda: "Bucky is ready")
    supervisor.add("waiter", [sys.executable, "-c", WAIT], {})
    assert supervisor.loop() == 0
    assert "Bucky is ready" in page.getvalue().splitlines()
    assert set(writers) == {threading.current_thread()}
