"""What each stage of the intake costs one listener: run by bench.intake, with the settings of its listener.

    python -m bench.stages FILE COUNT    # FILE as bench.intake writes it

Processor time does not depend as much as the clock does on what else the machine has to do. PostgreSQL's is read from
Linux (/proc); elsewhere it is left out.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

Costs = tuple[float, float, float]
"""Seconds: on the clock, of this thread's processor, of the processor of PostgreSQL's backend."""


class Stages:
    """The costs of functions by stage; what a stage calls of another one is the other's."""

    def __init__(self, backend: Callable[[], float]) -> None:
        """Take what tells the processor time of the backend."""
        self._backend = backend
        self._open: list[list[float]] = []
        self.spent: dict[str, list[float]] = {}

    def now(self) -> Costs:
        """Return the clocks."""
        return time.perf_counter(), time.thread_time(), self._backend()

    def timed(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its costs added to a stage."""

        def run(*arguments: Any, **named: Any) -> Any:
            self._open.append([0.0, 0.0, 0.0])
            before = self.now()
            try:
                return work(*arguments, **named)
            finally:
                costs = [after - first for after, first in zip(self.now(), before, strict=True)]
                inner = self._open.pop()
                if self._open:
                    self._open[-1] = [known + cost for known, cost in zip(self._open[-1], costs, strict=True)]
                total = self.spent.setdefault(stage, [0.0, 0.0, 0.0])
                own = [cost - part for cost, part in zip(costs, inner, strict=True)]
                self.spent[stage] = [known + cost for known, cost in zip(total, own, strict=True)]

        return run


def main() -> None:
    """Measure and print."""
    django.setup()
    from django.db import connection

    from bench.harness import table
    from hl7 import handlers, intake, mapping

    connection.ensure_connection()
    stat = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
    stages = Stages(lambda: int(stat.read_text().split()[0]) / 1e9 if stat.exists() else 0.0)
    texts, count = Path(sys.argv[1]).read_bytes().split(b"\x1e"), int(sys.argv[2])
    messages = [text.replace(b"{ID}", b"stages%d" % number) for number, text in enumerate(texts * (count // 10))]
    for message in messages[:100]:
        intake.receive(message, "127.0.0.1")
    places: tuple[tuple[Any, str, str], ...] = (
        (intake, "read_from", "read"),
        (intake, "store", "store the bytes, look for repeats, commit"),
        (mapping, "fill", "map fields to arguments"),
        (handlers, "apply", "find and change patient, visit, order, steps"),
    )
    for module, name, stage in places:
        setattr(module, name, stages.timed(stage, getattr(module, name)))
    receive = stages.timed("write what waits, commit, answer", intake.receive)
    for message in messages[100 : 100 + count]:
        receive(message, "127.0.0.1")
    whole = [sum(column) for column in zip(*stages.spent.values(), strict=True)]
    rows = []
    for stage, costs in [*stages.spent.items(), ("all", whole)]:
        figures = [cost / count * 1000 for cost in costs]
        share = (costs[1] + costs[2]) / (whole[1] + whole[2])
        rows.append((stage, *figures, f"{share:.0%}"))
    print(table(("stage", "ms", "processor of Bucky ms", "of PostgreSQL ms", "share"), rows))  # noqa: T201


if __name__ == "__main__":
    main()
