"""Worklist queries beside DCMTK's wlmscpfs, Orthanc's worklists plugin and pynetdicom's AE, on the same items.

    python -m bench.worklist [--quick] [--items 100 1000 10000] [--connections 1 8 32] [--seconds 1]

Each row is measured on one server after the other and printed at once; on a quiet machine the whole takes less than
five minutes, with `--quick` less than one. Bucky reads live rows of PostgreSQL, wlmscpfs and Orthanc read files,
pynetdicom's items are in memory. TCP_NODELAY is on everywhere. Every answer is counted.
"""

import argparse
import os
import socket
import struct
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.harness import Figures, build, head, line, load
from bench.items import A_DAY, Question, of_each_station, questions
from bench.scps import Scp, all_of_them, migrated
from tests.services import Postgres
from worklist.pdu import APPLICATION_CONTEXT, item, title

KEPT, EACH = "keep", "reconnect"
IDLE = {"Bucky": 1000, "wlmscpfs": 32, "Orthanc": 32, "pynetdicom": 32}
"""Associations that are held open without a word."""
OTHERS = ("wlmscpfs", "Orthanc", "pynetdicom")
HEADS = (
    *("items", "question", "association", "connections"),
    *("Bucky p50 ms", "p95 ms", "queries/s", "processor ms a query", "with PostgreSQL"),
    *(f"{other} {figure}" for other in OTHERS for figure in ("p50 ms", "queries/s")),
    "wrong answers",
)
IDLE_HEADS = ("server", "idle associations", "processor, % of a core", "MiB before", "MiB with them")


class Bench:
    """The load generator, and how long it runs."""

    def __init__(self, directory: Path, seconds: float) -> None:
        self._client = build("worklist", directory)
        self._directory = directory
        self._seconds = seconds

    def ask(self, scp: Scp, question: Question, items: int, mode: str, connections: int) -> Figures:
        """Ask for some seconds, each connection at least once; adds processor milliseconds to the figures."""
        files = []
        for number, identifier in enumerate(question.encoded()):
            files.append(self._directory / f"{question.name} {number}")
            files[-1].write_bytes(identifier)
        words = ("127.0.0.1", scp.port, "BUCKY", "CT1", mode, connections, 1_000_000, min(items, question.most))
        before = [scp.processor_seconds(), scp.processor_seconds(own=True)]
        figures = load(self._client, *words, self._seconds, *files)
        after = [scp.processor_seconds(), scp.processor_seconds(own=True)]
        done = max(figures["done"], 1)
        figures["processor"], figures["own"] = (1000 * (b - a) / done for a, b in zip(before, after, strict=True))
        return figures


def row(bench: Bench, scps: list[Scp], question: Question, items: int, mode: str, connections: int) -> str:
    """Measure one row: Bucky's figures, then the others' with how many times Bucky is better in brackets."""
    figures = {scp.name: bench.ask(scp, question, items, mode, connections) for scp in scps}
    ours = figures["Bucky"]
    cells: list[object] = [items, question.name, "kept" if mode == KEPT else "each query", connections]
    cells += [ours["p50"], ours["p95"], ours["per_second"], ours["own"], ours["processor"]]
    for other in OTHERS:
        theirs = figures[other]
        if theirs["done"]:
            cells.append(f"{theirs['p50']:.1f} ({theirs['p50'] / ours['p50']:.1f})")
            cells.append(f"{theirs['per_second']:.1f} ({ours['per_second'] / theirs['per_second']:.1f})")
        else:
            cells += ["none in 30 s"] * 2
    wrong = {name: f["errors"] + f["refused"] for name, f in figures.items() if f["errors"] + f["refused"]}
    return line([*cells, ", ".join(f"{name} {count}" for name, count in wrong.items()) or 0])


def idle(scp: Scp, seconds: float) -> str:
    """Hold associations open without a word, and measure what they cost."""
    before, many = scp.resident(), IDLE[scp.name]
    with ExitStack() as held:
        for _ in range(many):
            peer = held.enter_context(socket.create_connection(("127.0.0.1", scp.port), 30))
            peer.sendall(_request())
            if peer.recv(1) != b"\2":
                raise RuntimeError(f"{scp.name} takes fewer than {many} associations")
        time.sleep(1)  # what they cost to open is not what they cost
        taken, clock = scp.processor_seconds(own=True), time.monotonic()
        time.sleep(seconds)
        share = (scp.processor_seconds(own=True) - taken) / (time.monotonic() - clock)
        return line([scp.name, many, 100 * share, before, scp.resident()])


def _request() -> bytes:
    """Return an A-ASSOCIATE-RQ for the worklist (PS3.8 section 9.3.2)."""
    context = b"\1\0\0\0" + item(0x30, b"1.2.840.10008.5.1.4.31") + item(0x40, b"1.2.840.10008.1.2")
    user = item(0x51, struct.pack(">I", 65536)) + item(0x52, b"2.25.1")
    body = struct.pack(">HH", 1, 0) + title("BUCKY") + title("CT1") + bytes(32)
    body += item(0x10, APPLICATION_CONTEXT.encode()) + item(0x20, context) + item(0x50, user)
    return struct.pack(">BxI", 1, len(body)) + body


def say(words: str = "") -> None:
    """Print at once."""
    print(words, flush=True)  # noqa: T201


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--quick", action="store_true", help="fewer rows, half a second each")
    words.add_argument("--items", type=int, nargs="+")
    words.add_argument("--connections", type=int, nargs="+")
    words.add_argument("--seconds", type=float, help="how long each server is asked for a row")
    asked = words.parse_args()
    items_of = asked.items or ([100, 1000] if asked.quick else [100, 1000, 10_000])
    connections = asked.connections or ([1, 32] if asked.quick else [1, 8, 32])
    seconds = asked.seconds or (0.4 if asked.quick else 1.0)
    began = time.monotonic()
    say(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the beginning\n")
    with tempfile.TemporaryDirectory(prefix="bucky-bench-") as name, Postgres(durable=True) as postgres:
        bench = Bench(Path(name), seconds)
        template = migrated(Path(name), postgres)
        say(head(HEADS))
        idling: list[str] = []
        for items in items_of:
            directory = Path(name) / str(items)
            directory.mkdir()
            with all_of_them(directory, items, postgres, template) as scps:
                measure(bench, scps, items, connections)
                if items == items_of[-1]:
                    idling = [idle(scp, 5 * seconds) for scp in scps]
    say("\n".join(["", head(IDLE_HEADS), *idling, ""]))
    say(f"{time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f} at the end")


def measure(bench: Bench, scps: list[Scp], items: int, connections: list[int]) -> None:
    """Print the rows of one length of list."""
    typical, *others = questions()
    for scp in scps:
        bench.ask(scp, typical, items, EACH, 1)  # nobody is measured cold
    for mode in (KEPT, EACH):
        for many in connections:
            say(row(bench, scps, typical, items, mode, many))
    if items >= A_DAY and connections[-1] > 1:
        bench.ask(scps[0], of_each_station(), items, KEPT, connections[-1])
        say(row(bench, scps, of_each_station(), items, KEPT, connections[-1]))
    for question in others:
        say(row(bench, scps, question, items, KEPT, 1))


if __name__ == "__main__":
    main()
