"""Durable intake beside servers that only parse and acknowledge, in one run.

    python -m bench.intake [--messages 2000] [--connections 1 8 64] [--processes 2]

Bucky stores the bytes, applies each message to patient, order, steps and events, commits to PostgreSQL (synchronous
commit, fsync on) and answers. python-hl7's server parses and answers; so does hl7apy's, which closes the connection
after each message. The ratio is that of Bucky with one process, in messages a second, to the other's. A second table
says what each stage of the intake costs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.harness import PROJECT, Figures, build, load, manage, running, table
from tests.ports import free_port
from tests.services import Postgres

CATALOGUE = """
from ris.models import Exam, Site, Station
site = Site.new(code="B", name="Bench", time_zone="UTC", is_default=True)
for number in range(1, 5):
    Station.new(ae_title=f"CT{number}", name=f"CT{number}", site=site, modality="CT")
Exam.new(code="CTX", meaning="CT test", modality="CT", duration=10)
"""
# The peers run with -P: python-hl7's package is called hl7 as one of Bucky's is.
PYTHON_HL7 = """
import asyncio, sys, hl7
from hl7.mllp import start_hl7_server
async def serve(reader, writer):
    while True:
        message = await reader.readmessage()
        writer.writemessage(message.create_ack())
        await writer.drain()
async def main():
    async with await start_hl7_server(serve, host="127.0.0.1", port=int(sys.argv[1])) as server:
        await server.serve_forever()
asyncio.run(main())
"""
HL7APY = """
import sys
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message
class Acknowledge(AbstractHandler):
    def reply(self):
        message = parse_message(self.incoming_message, find_groups=False)
        control_id = message.msh.msh_10.value
        text = f"MSH|^~\\\\&|A|B|C|D|20260101||ACK|1|P|2.3.1\\rMSA|AA|{control_id}\\r"
        return "\\x0b" + text + "\\x1c\\r"
MLLPServer("127.0.0.1", int(sys.argv[1]), {"ADT^A04": (Acknowledge,), "ORM^O01": (Acknowledge,)}).serve_forever()
"""


def messages(count: int) -> str:
    """Return pairs of a registration and an order for `count` patients, separated by 0x1e, "{ID}" for numbers."""
    day = datetime.now(UTC).date() + timedelta(days=1)
    texts = []
    for number in range(count):
        person = f"PID|||B{number}^^^BENCH^MR||Bench^Person{number}||19700101|F"
        start = f"{day:%Y%m%d}{8 + number % 10:02d}{number % 6}0"
        texts.append(
            f"MSH|^~\\&|BENCH|B|BUCKY|R|20260101||ADT^A04|{{ID}}|P|2.3.1\r{person}\rPV1||O|||||||||||||||||V{number}\r"
        )
        texts.append(
            f"MSH|^~\\&|BENCH|B|BUCKY|R|20260101||ORM^O01|{{ID}}|P|2.3.1\r{person}\r"
            f"ORC|NW|{{ID}}^BENCH|||||^^^{start}\rOBR|1|{{ID}}^BENCH||CTX^CT test^L||||||||||||||||||||CT\r"
        )
    return "\x1e".join(texts)


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--messages", type=int, default=2000)
    words.add_argument("--connections", type=int, nargs="+", default=[1, 8, 64])
    words.add_argument("--processes", type=int, default=2, help="listeners that share the port, in the second row")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="bucky-bench-") as name, Postgres(durable=True) as postgres:
        directory = Path(name)
        program = build("mllp", directory)
        file = directory / "messages"
        file.write_text(messages(200))
        port, data = free_port(), directory / "data"
        settings = {
            "BUCKY_DATA": str(data),
            "BUCKY_MLLP": f"127.0.0.1:{port}",
            "BUCKY_TIME_ZONE": "UTC",
            "DATABASE_URL": postgres.new_database(),
        }
        manage(settings, "migrate")
        manage(settings, "shell", "-v0", "-c", CATALOGUE)
        listen = [sys.executable, "manage.py", "hl7_listen"]
        several = settings | {"BUCKY_MLLP_PROCESSES": str(asked.processes)}
        copies: dict[str, int] = {f"Bucky, durable, {asked.processes} processes": asked.processes}
        servers = {
            "Bucky, durable": (listen, port, "keep", settings),
            f"Bucky, durable, {asked.processes} processes": (listen, port, "keep", several),
            "python-hl7, parse and answer": (
                [sys.executable, "-P", "-c", PYTHON_HL7, "{port}"],
                free_port(),
                "keep",
                {},
            ),
            "hl7apy, parse and answer": ([sys.executable, "-P", "-c", HL7APY, "{port}"], free_port(), "reconnect", {}),
        }
        figures: dict[tuple[str, int], Figures] = {}
        for server, (command, at, mode, environment) in servers.items():
            with ExitStack() as stack:
                for _ in range(copies.get(server, 1)):
                    stack.enter_context(running([word.replace("{port}", str(at)) for word in command], at, environment))
                name = f"s{len(figures)}"
                load(program, "127.0.0.1", at, mode, 8 if mode == "keep" else 1, 200, file, f"{name}warm")
                for connections in asked.connections:
                    total = asked.messages if mode == "keep" else asked.messages // 20
                    figures[server, connections] = load(
                        program, "127.0.0.1", at, mode, connections, total, file, f"{name}c{connections}n"
                    )
        words_of_stages = [sys.executable, "-m", "bench.stages", str(file), "600"]
        environment = {**os.environ, **settings, "DJANGO_SETTINGS_MODULE": "ris.settings"}
        stages = subprocess.run(
            words_of_stages, cwd=PROJECT, env=environment, check=True, capture_output=True, text=True
        )
        rows = []
        for connections in asked.connections:
            ours = figures["Bucky, durable", connections]["per_second"]
            for server in servers:
                f = figures[server, connections]
                ratio = ours / f["per_second"]
                bad = f["errors"] + f["refused"]
                rows.append((connections, server, f["per_second"], f["p50"], f["p95"], f["p99"], bad, ratio))
        heads = ("connections", "server", "messages/s", "p50 ms", "p95 ms", "p99 ms", "not AA", "Bucky is times")
        print(table(heads, rows), stages.stdout, sep="\n\n")  # noqa: T201


if __name__ == "__main__":
    main()
