"""The slot finder over 50 scanners and 60 days with 100,000 bookings on PostgreSQL.

    .venv/bin/python -m bench.slots [bookings]

Makes a department on a private PostgreSQL whose days are full up to one of them, asks for the first free places 30
times, and prints the median and the 95th percentile in milliseconds.
"""

import os
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles
from typing import TYPE_CHECKING

from bench.harness import table
from tests.services import Postgres

if TYPE_CHECKING:
    from ris.actions.slots import Search
    from ris.models import ScheduledProcedureStep

ASKED = 30
SCANNERS = 50
DAYS = 60

FILL = """
INSERT INTO ris_booking (step_id, resource_id, start, "end", active, overbooked, reason)
SELECT %s, r.id, t, t + interval '15 minutes', TRUE, FALSE, ''
FROM ris_resource r, generate_series(0, %s - 1) day, generate_series(0, %s - 1) slot,
LATERAL (SELECT timestamptz '2030-01-07 06:00+00' + day * interval '1 day' + slot * interval '15 minutes' t) at
WHERE r.kind = 'SCANNER'
"""


def fill(bookings: int) -> int:
    """Open 50 scanners from 6:00 on, each day until it is full with its share; returns the places of a day."""
    from django.db import connection

    from ris.models import OpeningHours, Site
    from tests import factories

    a_day = bookings // SCANNERS // DAYS
    closes = datetime(2030, 1, 7, 6, tzinfo=UTC) + a_day * timedelta(minutes=15)
    site: Site = factories.site(time_zone="UTC")
    for number in range(SCANNERS):
        factories.station(f"CT{number}")
    OpeningHours.new(site=site, rule="FREQ=DAILY", opens="06:00", closes=closes.time())
    step = factories.step("REQUESTED", exam=factories.exam("CTOTHER"))
    with connection.cursor() as cursor:
        cursor.execute(FILL, [step.pk, DAYS, a_day])
        cursor.execute("VACUUM ANALYZE")
    return a_day


def empty(day: int) -> None:
    """Take away what is booked on one day on every fifth scanner."""
    from ris.models import Booking

    start = datetime(2030, 1, 7, tzinfo=UTC) + timedelta(days=day)
    rows = Booking.objects.filter(start__gte=start, start__lt=start + timedelta(days=1))
    rows.filter(resource__station__rank__in=range(0, SCANNERS, 5)).delete()


def main() -> None:
    """Fill, ask, print."""
    bookings = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with Postgres(durable=True) as postgres, tempfile.TemporaryDirectory() as data:
        os.environ |= {"DATABASE_URL": postgres.new_database(), "BUCKY_DATA": data}
        os.environ["DJANGO_SETTINGS_MODULE"] = "ris.settings"
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import transaction

        from ris.actions import places, schedule, slots
        from ris.models import Booking
        from tests import factories

        call_command("migrate", verbosity=0)
        fill(bookings)
        print(f"{Booking.objects.count():,} bookings")  # noqa: T201
        with transaction.atomic():
            step = schedule.locked(factories.step("REQUESTED"))
        start = datetime(2030, 1, 7, tzinfo=UTC)
        rows = []
        earliest = slots.Search((places.wish_of(step),), start, start + timedelta(days=DAYS))
        for day in (DAYS - 1, 30, 7, 1, 0):
            empty(day)
            rows.append((f"as soon as possible, free from day {day + 1}", *asked(step, start, earliest)))
        for text, days, hours in (("one day, hour by hour", 1, 1), ("one week, by half days", 7, 12)):
            spread = slots.Spread(hours=hours, stations=6)
            search = replace(earliest, until=start + timedelta(days=days), most=144, spread=spread)
            rows.append((text, *asked(step, start, search)))
        print(table(("looked for", "found on day", "p50 ms", "p95 ms", "options"), rows))  # noqa: T201


def asked(step: "ScheduledProcedureStep", start: datetime, search: "Search") -> tuple[int, float, float, int]:
    """Ask 30 times; returns the day of the first place, the median, the 95th percentile, the number of places."""
    from ris.actions import places, slots

    times = []
    for _ in range(ASKED):
        begun = time.perf_counter()
        found = slots.find(replace(search, wishes=(places.wish_of(step),)))
        times.append(1000 * (time.perf_counter() - begun))
    first = (found.options[0].start - start).days
    return first + 1, median(times), quantiles(times, n=20)[-1], len(found.options)


if __name__ == "__main__":
    main()
