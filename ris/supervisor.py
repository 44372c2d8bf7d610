"""Keep the processes of Bucky together: start them, say when the doors are open, stop them all when one dies.

honcho does the running and the colours. Added here: an exit code that shells understand, children that do not
outlive a killed supervisor, and the one line `Bucky is ready`. docs/decisions/supervisor.md tells why.
"""

import contextlib
import ctypes
import errno
import http.client
import os
import queue
import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from honcho.manager import Manager
from honcho.printer import Message
from honcho.process import Popen, Process

from ris.config import Address

STOP_SECONDS = 7  # after this a process that has not stopped by itself is killed
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def busy(address: Address) -> str | None:
    """Say why nothing can listen at `address`, in words that follow the setting's name; None: it is free."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, where in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(where)
    except socket.gaierror:
        return f"{address} has a host name that this machine does not know"
    except OSError as reason:
        if reason.errno == errno.EADDRINUSE:
            return f"{address} is busy: another program listens there"
        if reason.errno == errno.EADDRNOTAVAIL:
            return f"{address} is not an address of this machine"
        return f"{address} cannot be used ({os.strerror(reason.errno or 0)})"
    return None


def exit_code(returncode: int) -> int:
    """Turn Popen's code into a shell's: a process killed by signal 9 is 137, not -9."""
    return 128 - returncode if returncode < 0 else returncode


def follow(parent: int, with_signal: signal.Signals) -> None:
    """Ask the kernel to send this process a signal when its parent dies, however it dies. Linux only."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, with_signal)
    if os.getppid() != parent:  # it died before we could ask
        os.kill(os.getpid(), with_signal)


class _Child(Process):  # type: ignore[misc]
    """A process and the runner that reads its output. Supervisor dies -> runner dies -> process stops."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._supervisor = os.getpid()
        self._child_ctor = self._start

    def _start(self, command: str, **kwargs: Any) -> Any:
        follow(self._supervisor, signal.SIGKILL)
        runner = os.getpid()
        return Popen(command, preexec_fn=lambda: follow(runner, signal.SIGTERM), **kwargs)


class Supervisor(Manager):  # type: ignore[misc]
    """honcho's manager with a loop of our own. Fill with `add`, then `loop`."""

    def __init__(self, ready: Callable[[], str | None], stop_seconds: float = STOP_SECONDS) -> None:
        """Take `ready`, asked until it gives the line to print, and the patience of a stop."""
        super().__init__()
        self._process_ctor = _Child
        self._ready = ready
        self._stop_seconds = stop_seconds
        self._stopping_since: float | None = None
        self._line: str | None = None
        self._announced = False

    def add(self, name: str, command: Iterable[str], environment: Mapping[str, str]) -> None:
        """Add a process: `name` heads its lines. The shell that honcho starts is replaced by the command."""
        self.add_process(name, "exec " + shlex.join(command), env=dict(environment))
        self._processes[name]["signals"] = set()

    def loop(self) -> int:
        """Run all until one ends or a signal comes, then stop the others. Out: the exit code for the shell.

        honcho's own loop cannot be stopped while it starts, waits for ever for a runner that was killed, and
        kills a stubborn process only after another one has stopped.
        """
        signal.signal(signal.SIGINT, self._asked_to_stop)
        signal.signal(signal.SIGTERM, self._asked_to_stop)
        self._start()
        threading.Thread(target=self._ask_whether_ready, daemon=True).start()
        while not self._all_stopped():
            with contextlib.suppress(queue.Empty):
                self._take(self.events.get(timeout=0.1))
            self._announce()
            self._look_after_runners()
            if self._stopping_since is not None:
                self._signal(signal.SIGTERM)
                if time.monotonic() - self._stopping_since > self._stop_seconds:
                    self._signal(signal.SIGKILL)
        return int(self.returncode or 0)

    def _asked_to_stop(self, number: int, _frame: object) -> None:
        """A stop that was asked for is a success; after Ctrl-C a shell wants 130, so that scripts end too."""
        self._stop(130 if number == signal.SIGINT else 0)

    def _stop(self, code: int) -> None:
        if self._stopping_since is None:
            self.returncode, self._stopping_since = code, time.monotonic()

    def _take(self, message: Message) -> None:
        entry = self._processes[message.name]
        if message.type == "line":
            self._printer.write(message)
        elif message.type == "start":
            entry["pid"] = message.data["pid"]
            self._system_print(f"{message.name} started (pid={entry['pid']})\n")
        elif "returncode" not in entry:
            entry["returncode"] = exit_code(message.data["returncode"])
            self._system_print(f"{message.name} stopped (exit code {entry['returncode']})\n")
            self._stop(entry["returncode"])

    def _look_after_runners(self) -> None:
        """A runner that was killed cannot report its process, which the kernel stops; report in its place."""
        for name, entry in self._processes.items():
            runner = entry["process"]
            if "returncode" not in entry and runner.exitcode not in (None, 0):
                code = {"returncode": runner.exitcode}
                self._take(Message(type="stop", data=code, time=self._clock.now(), name=name, colour=None))

    def _signal(self, number: signal.Signals) -> None:
        """Signal each process group once; one that is still starting gets it when it has started."""
        for entry in self._processes.values():
            if "pid" in entry and "returncode" not in entry and number not in entry["signals"]:
                entry["signals"].add(number)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(entry["pid"], number)

    def _ask_whether_ready(self) -> None:
        while self._stopping_since is None and self._line is None:
            self._line = self._ready()
            time.sleep(0.05)

    def _announce(self) -> None:
        """Print once that all is ready, in the thread of all other lines: two would tear each other's."""
        if self._line and not self._announced and self._stopping_since is None:
            self._announced = True
            sys.stdout.write(self._line + "\n")
            sys.stdout.flush()


class Doors:
    """Knock at each door until it has opened once; a door that has opened is left in peace."""

    def __init__(self, *, http_at: Address, others: Iterable[Address], line: str) -> None:
        """Take the web's address, which must serve a page, the others, which must accept, and the line."""
        self._closed: list[Callable[[], None]] = [lambda: _get_page(http_at)]
        self._closed += [lambda where=where: _connect(where) for where in others]  # type: ignore[misc]
        self._line = line

    def __call__(self) -> str | None:
        """Knock once at what is still closed; the line when all have opened."""
        for knock in list(self._closed):
            with contextlib.suppress(OSError, http.client.HTTPException):
                knock()
                self._closed.remove(knock)
        return None if self._closed else self._line


def reachable(address: Address) -> Address:
    """Where to knock: a door bound to every address answers on loopback."""
    return Address({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host), address.port)  # noqa: S104


def _connect(address: Address) -> None:
    socket.create_connection(reachable(address), timeout=2).close()


def _get_page(address: Address) -> None:
    where = reachable(address)
    connection = http.client.HTTPConnection(where.host, where.port, timeout=5)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        if connection.getresponse().status >= 500:
            raise ConnectionError
    finally:
        connection.close()
