"""The day board with 12 stations and 400 appointments on PostgreSQL: what a page and a glance at it cost the server.

    .venv/bin/python -m bench.board [stations] [appointments]

Makes a full day on a private PostgreSQL, asks for the page, for what has changed when something has, and when nothing
has, 40 times each, and prints queries, the processor time of the web server's side, the median and the 95th percentile
in milliseconds, and the size.
"""

import os
import sys
import tempfile
import time
from statistics import median, quantiles

from bench.harness import table
from tests.services import Postgres

ASKED = 40


def main() -> None:
    """Fill, ask, print."""
    stations, appointments = (int(word) for word in (sys.argv[1:] + ["12", "400"][len(sys.argv) - 1 :])[:2])
    with Postgres(durable=True) as postgres, tempfile.TemporaryDirectory() as data:
        os.environ |= {"DATABASE_URL": postgres.new_database(), "BUCKY_DATA": data}
        os.environ["DJANGO_SETTINGS_MODULE"] = "ris.settings"
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection
        from django.test.utils import CaptureQueriesContext, setup_test_environment

        from ris.roles import Role
        from tests.ris.crowd import full_day
        from tests.ris.desk import Desk

        setup_test_environment()  # lets the test client's host in
        call_command("migrate", verbosity=0)
        full_day(stations=stations, appointments=appointments)
        client = Desk(Role.SCHEDULER).client
        live = "/ris/scheduledprocedurestep/board/live/"
        tag = client.get(live)["ETag"]
        rows = []
        for name, address, known in (
            ("page", "/board/", ""),
            ("what has changed", live, ""),
            ("nothing has changed", live, tag),
        ):
            times = []
            worked = time.process_time()
            for _ in range(ASKED):
                begun = time.perf_counter()
                answer = client.get(address, headers={"If-None-Match": known})
                times.append(1000 * (time.perf_counter() - begun))
            worked = 1000 * (time.process_time() - worked) / ASKED
            with CaptureQueriesContext(connection) as captured:
                client.get(address, headers={"If-None-Match": known})
            queries = sum(
                not query["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")) for query in captured
            )
            size = len(answer.content) / 1024
            rows.append((name, answer.status_code, queries, worked, median(times), quantiles(times, n=20)[-1], size))
        print(f"{stations} stations, {appointments} appointments")  # noqa: T201
        print(table(("asked for", "status", "queries", "processor ms", "p50 ms", "p95 ms", "KiB"), rows))  # noqa: T201


if __name__ == "__main__":
    main()
