"""What the benchmarks share: building the load generators, starting servers, printing tables."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
LOAD = Path(__file__).resolve().parent / "load"

Figures = dict[str, Any]
"""What a load generator prints: connections, done, errors, refused, p50, p95, p99 (ms), seconds, per_second."""


def build(name: str, directory: Path) -> Path:
    """Compile one of the load generators and return the program."""
    if shutil.which("g++") is None:
        sys.exit("The load generators need a C++ compiler: apt-get install g++")
    program = directory / name
    subprocess.run(["g++", "-std=c++20", "-O2", "-pthread", "-o", str(program), str(LOAD / f"{name}.cpp")], check=True)
    return program


def load(program: Path, *words: object) -> Figures:
    """Run a load generator and return what it measured; errors and refusals stay in the figures for all to see."""
    done = subprocess.run([str(program), *map(str, words)], capture_output=True, text=True, check=False)
    if not done.stdout:
        raise RuntimeError(f"{program.name} said nothing: {done.stderr}")
    figures: Figures = json.loads(done.stdout)
    return figures


@contextmanager
def running(command: Sequence[str], port: int, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """Run a server until the block ends; gives its process id once its port accepts connections."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, cwd=PROJECT, env={**os.environ, **(environment or {})}, stdout=log, stderr=log
        )
        try:
            _wait_for(port, process)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(port: int, process: "subprocess.Popen[bytes]", seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen on {port}")


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process and of all below it, those that have ended included. Linux only."""
    ticks, waiting = 0, [pid]
    while waiting:
        process = Path("/proc") / str(waiting.pop())
        try:
            ticks += sum(map(int, (process / "stat").read_text().rpartition(")")[2].split()[11:15]))
            for thread in (process / "task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
        except OSError:
            continue  # it has ended meanwhile
    return ticks / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Return the memory of a process in MiB. Linux only."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def manage(environment: Mapping[str, str], *words: str) -> None:
    """Run one manage.py command with these settings."""
    subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=PROJECT,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    return "\n".join([head(heads), *map(line, rows)])


def head(heads: Sequence[str]) -> str:
    """Return the head of a Markdown table, for those that print each row as it is measured."""
    return f"{line(heads)}\n|{'---|' * len(heads)}"


def line(row: Sequence[object]) -> str:
    """Return one row of a Markdown table."""
    return f"| {' | '.join(f'{cell:.2f}' if isinstance(cell, float) else str(cell) for cell in row)} |"
