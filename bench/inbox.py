"""Search the inbox among 100,000 messages on PostgreSQL, as somebody does at the desk.

    .venv/bin/python -m bench.inbox [messages]

Makes the rows on a private PostgreSQL, a fifth as many patients and orders, then opens the list of messages with each
kind of question 20 times, each time about another message, and prints the best, the median and the 95th percentile in
milliseconds of the whole page. With -v also the slowest statement of each. One message in a hundred has failed.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from importlib import import_module
from random import Random
from statistics import median, quantiles
from typing import Any

from bench.harness import table
from bench.patients import People, fill, prepare
from tests.services import Postgres

ASKED = 20
BATCH = 5_000
KINDS = ("ADT^A08", "ADT^A04", "ORM^O01", "ORM^O01", "SIU^S12")
SENDERS = ("HIS", "LAB", "EDIS", "CARD")
DAYS = 365


def make(count: int, people: People) -> None:
    """Make messages with their texts, one order for every five of them, and an event or two of each message."""
    from django.db import connection
    from django.utils import timezone

    from hl7 import texts
    from hl7.models import InboundMessage, MessageState, MessageText
    from ris.models import Event, Order, Patient, Site

    search: Any = import_module("hl7.migrations.0009_inbox_search_and_roles")
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX hl7_messagetext_trigrams")  # made anew at the end, which is quicker
    patients = count // 5
    prepare()
    fill(patients, people)
    site = Site.objects.create(code="MAIN", name="Main", is_default=True)
    named = dict(Patient.objects.values_list("pk", "patient_name"))
    now = timezone.now()
    for first in range(1, patients + 1, BATCH):
        keys = range(first, min(first + BATCH, patients + 1))
        Order.objects.bulk_create(
            Order(
                pk=key,
                patient_id=key,
                site=site,
                accession_number=f"A{key:08d}",
                placer_order_number=f"P{key:07d}",
                placer_issuer="HIS",
            )
            for key in keys
        )
    for first in range(1, count + 1, BATCH):
        messages, words, events = [], [], []
        for key in range(first, min(first + BATCH, count + 1)):
            patient = people.random.randint(1, patients)
            kind, _, event = KINDS[key % len(KINDS)].partition("^")
            sender = SENDERS[key % 7 % len(SENDERS)]
            raw = written(key, patient, named[patient], kind, event, sender)
            failed = key % 100 == 0
            messages.append(
                InboundMessage(
                    pk=key,
                    raw=raw,
                    peer=f"10.0.0.{key % 20}",
                    sending_application=sender,
                    sending_facility="HOSPITAL",
                    control_id=f"M{key:08d}",
                    message_type=kind,
                    event=event,
                    content_hash=sha256(raw).hexdigest(),
                    state=MessageState.FAILED if failed else MessageState.APPLIED,
                    answer_code="AE" if failed else "AA",
                )
            )
            words.append(MessageText(message_id=key, text=texts.text_of(raw, "")))
            order = patient if kind != "ADT" else None
            if not failed:
                told = Event(kind="order.changed" if order else "patient.updated", actor_kind="HL7", actor_name=sender)
                told.patient_id, told.order_id, told.cause = patient, order, f"hl7:{key}"
                events.append(told)
        InboundMessage.objects.bulk_create(messages)
        MessageText.objects.bulk_create(words)
        Event.objects.bulk_create(events)
        moment = now - timedelta(days=DAYS * (1 - first / count))
        InboundMessage.objects.filter(pk__gte=first, pk__lt=first + BATCH).update(received_at=moment)
    with connection.cursor() as cursor:
        cursor.execute(search.INDEX)
        cursor.execute("VACUUM ANALYZE")


def written(key: int, patient: int, name: str, kind: str, event: str, sender: str) -> bytes:
    """Write a message of usual length."""
    lines = [
        rf"MSH|^~\&|{sender}|HOSPITAL|BUCKY|RAD|20260105080000||{kind}^{event}|M{key:08d}|P|2.5.1||||||UNICODE UTF-8",
        f"PID|1||{4_000_000 + patient}^^^HIS^MR||{name}||19620417|F|||Long Street {key % 900}^^Town^^{key % 99999:05d}",
        f"PV1|1|O|WARD{key % 40}^{key % 12}^A|||||77^Curie^Marie^^^Dr|||||||||||V{key:08d}^^^HIS",
    ]
    if kind != "ADT":
        lines.append(f"ORC|XO|P{patient:07d}^HIS|||||1^once^^20260105101500^^R|||||77^Curie^Marie")
        lines.append(f"OBR|1|P{patient:07d}^HIS||CTABD^CT abdomen with contrast^L||||||||||||||||||||CT")
        lines.append(
            f"NTE|1||Seen at {key % 24:02d}:{key % 60:02d}, no known allergies, please call back {key * 7919 % 10**8}"
        )
    return "\r".join(lines).encode()


def questions(count: int, random: Random) -> dict[str, Callable[[], dict[str, str]]]:
    """Return what is asked in the address of the list, by its kind."""
    from hl7.models import InboundMessage
    from ris.models import Patient

    def patient() -> Patient:
        return Patient.objects.get(pk=random.randint(1, count // 5))

    def message() -> InboundMessage:
        return InboundMessage.objects.get(pk=random.randint(1, count))

    return {
        "nothing": dict,
        "text: a rare word": lambda: {"q": str(random.randint(1, count) * 7919 % 10**8)},
        "text: a word of half of them": lambda: {"q": "contrast"},
        "text: two words": lambda: {"q": f"WARD{random.randrange(40)} {patient().patient_name.partition('^')[0]}"},
        "text: two letters": lambda: {"q": "ct"},
        "text: nobody has it": lambda: {"q": "xqxqxq"},
        "control ID": lambda: {"q": message().control_id},
        "family name": lambda: {"q": patient().patient_name.partition("^")[0]},
        "patient: name": lambda: {"patient": patient().patient_name.partition("^")[0]},
        "patient: one of the ten commonest": lambda: {"patient": common(random)},
        "patient: number": lambda: {"patient": str(4_000_000 + random.randint(1, count // 5))},
        "order: accession number": lambda: {"order": f"A{random.randint(1, count // 5):08d}"},
        "order: placer's number": lambda: {"order": f"P{random.randint(1, count // 5):07d}"},
        "order: unknown": lambda: {"order": "P9999999"},
        "sender: name": lambda: {"sender": random.choice(SENDERS)},
        "sender: unknown": lambda: {"sender": "nobody"},
        "sender: address": lambda: {"sender": f"10.0.0.{random.randrange(20)}"},
        "type and event": lambda: {"message_type": "ADT", "event": "A04"},
        "event": lambda: {"event": "S12"},
        "state": lambda: {"state__exact": "failed"},
        "needs attention": lambda: {"trouble": "warned"},
        "answer": lambda: {"answer_code": "AE"},
        "time: today": lambda: {"day": "today"},
        "time: last 7 days": lambda: {"day": "last7"},
        "all of it": lambda: {
            "q": "contrast",
            "sender": "HIS",
            "day": "last7",
            "message_type": "ORM",
            "patient": patient().patient_name.partition("^")[0],
        },
    }


def common(random: Random) -> str:
    """Return a name that many have."""
    from ris.models import Patient

    names = Patient.objects.order_by("pk").values_list("patient_name", flat=True)[:2000]
    families = [name.partition("^")[0] for name in names]
    return random.choice(sorted(set(families), key=families.count)[-10:])


def main() -> None:
    """Fill, ask, print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with Postgres(durable=True) as postgres, tempfile.TemporaryDirectory() as data:
        os.environ |= {"DATABASE_URL": postgres.new_database(), "BUCKY_DATA": data}
        os.environ["DJANGO_SETTINGS_MODULE"] = "ris.settings"
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection
        from django.test import Client
        from django.test.utils import CaptureQueriesContext

        from ris.models import User

        call_command("migrate", verbosity=0)
        people = People(1)
        started = time.monotonic()
        make(count, people)
        print(f"{count:,} messages made in {time.monotonic() - started:.0f} s")  # noqa: T201
        browser = Client(SERVER_NAME="localhost")
        browser.force_login(User.objects.create(username="expert", is_superuser=True))
        rows: list[tuple[Any, ...]] = []
        for kind, ask in questions(count, people.random).items():
            times = []
            for number in range(ASKED + 1):
                asked = ask()
                begun = time.perf_counter()
                answer = browser.get("/hl7/inboundmessage/", asked)
                times += [1000 * (time.perf_counter() - begun)] if number else []  # the first one warms up
                assert answer.status_code == 200, answer.status_code
            with CaptureQueriesContext(connection) as captured:
                browser.get("/hl7/inboundmessage/", ask())
            slowest = max(captured, key=lambda query: float(query["time"]))
            rows.append((kind, min(times), median(times), quantiles(times, n=20)[-1], max(times), len(captured)))
            if "-v" in sys.argv:
                print(f"{kind}: {1000 * float(slowest['time']):.0f} ms {slowest['sql'][:900]}")  # noqa: T201
        print(table(("asked", "best ms", "p50 ms", "p95 ms", "max ms", "statements"), rows))  # noqa: T201


if __name__ == "__main__":
    main()
