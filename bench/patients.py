"""Search among a million patients on PostgreSQL, as the desk does while somebody types.

    .venv/bin/python -m bench.patients [patients]

Makes the rows on a private PostgreSQL, then asks each kind of question 40 times, each time for somebody else, and
prints the median and the 95th percentile in milliseconds. Names are drawn as in life: a few are very common.
"""

import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from io import StringIO
from random import Random
from statistics import median, quantiles

from bench.harness import table
from tests.services import Postgres

ASKED = 40
BATCH = 50_000
SYLLABLES = re.findall(
    "..",
    "babebobudadedodufifogagehahehojajokakekokulalelolumamemimomunanenonupapepirarerirosasesisotatetotuvavewawezazi",
)
ENDINGS = re.findall(r"\w+", "bauer berger mann ner ler ski schmidt sen son ova ing ez ert ig el ke ow meier")


class People:
    """Draws names, birth dates and phones; the same seed draws the same."""

    def __init__(self, seed: int) -> None:
        """Make the names first: 30,000 family names and 3,000 given ones, the first of them the commonest."""
        self.random = Random(seed)  # noqa: S311 (nothing secret)
        self.families = self._names(30_000)
        self.givens = self._names(3_000)
        self.weights = {
            names: [1 / (place + 5) for place in range(len(names))] for names in (self.families, self.givens)
        }

    def _names(self, count: int) -> tuple[str, ...]:
        draw = self.random.choice
        found: dict[str, None] = {}
        while len(found) < count:
            found[f"{draw(SYLLABLES)}{draw(SYLLABLES)}{draw(ENDINGS)}".title()] = None
        return tuple(found)

    def rows(self, count: int) -> Iterator[tuple[str, str, date, str]]:
        """Return name, ideographic name, birth date and phone of each."""
        families = self.random.choices(self.families, self.weights[self.families], k=count)
        givens = self.random.choices(self.givens, self.weights[self.givens], k=count)
        for number, (family, given) in enumerate(zip(families, givens, strict=True)):
            signs = "".join(chr(0x4E00 + int(self.random.expovariate(1 / 400))) for _ in range(3))
            born = date(1930, 1, 1) + timedelta(days=self.random.randrange(34_000))
            ideographic = f"{signs[0]}^{signs[1:]}" if number % 20 == 0 else ""
            yield f"{family}^{given}", ideographic, born, f"0{self.random.randrange(10**8, 10**10)}"


def fill(count: int, people: People) -> None:
    """Make the patients with a number each, by COPY: through the verbs it would take an hour."""
    from django.db import connection

    from ris import findable
    from ris.person_name import fold

    rows = people.rows(count)
    with connection.cursor() as cursor:
        for first in range(1, count + 1, BATCH):
            patients, numbers = StringIO(), StringIO()
            for key in range(first, min(first + BATCH, count + 1)):
                name, ideographic, born, phone = next(rows)
                names = (name, ideographic, "")
                found_by = (fold(name), findable.search_text(names, phone), findable.sounds(*names))
                patients.write("\t".join((str(key), name, ideographic, str(born), phone, *found_by)) + "\n")
                numbers.write(f"{key}\t{key}\t{4_000_000 + key}\n")
            for text in (patients, numbers):
                text.seek(0)
            cursor.copy_expert(COPY_PATIENTS, patients)
            cursor.copy_expert(COPY_NUMBERS, numbers)
        cursor.execute("VACUUM ANALYZE")


COPY_PATIENTS = """COPY ris_patient (id, patient_name, patient_name_ideographic, birth_date, phone,
    patient_name_folded, search_text, sounds) FROM STDIN"""
COPY_NUMBERS = "COPY ris_patientidentifier (id, patient_id, value) FROM STDIN"
DEFAULTS = {
    "ris_patient": (
        *("patient_name_phonetic", "sex", "address", "primary_language", "medical_alerts", "allergies"),
        *("special_needs", "patient_state", "confidentiality", "comments"),
    ),
    "ris_patientidentifier": ("issuer_universal_id", "issuer_universal_id_type"),
}


def prepare() -> None:
    """Give the columns that all rows share a default, so that COPY need not name them."""
    from django.db import connection

    with connection.cursor() as cursor:
        for name, columns in DEFAULTS.items():
            for column in columns:
                cursor.execute(f"ALTER TABLE {name} ALTER COLUMN {column} SET DEFAULT ''")
        cursor.execute("ALTER TABLE ris_patient ALTER COLUMN created_at SET DEFAULT now()")
        cursor.execute("ALTER TABLE ris_patientidentifier ALTER COLUMN issuer SET DEFAULT 'HIS'")
        cursor.execute("ALTER TABLE ris_patientidentifier ALTER COLUMN type SET DEFAULT 'MR'")
        cursor.execute('ALTER TABLE ris_patientidentifier ALTER COLUMN "primary" SET DEFAULT true')


def questions(people: People) -> dict[str, Callable[[], str]]:
    """Return what is typed, by its kind: each call draws somebody else."""
    from ris.models import Patient

    random = people.random
    count = Patient.objects.count()

    def somebody() -> Patient:
        return Patient.objects.get(pk=random.randint(1, count))

    def family() -> str:
        return somebody().patient_name.partition("^")[0]

    def signs() -> str:
        return Patient.objects.get(pk=1 + 20 * random.randrange(count // 20)).patient_name_ideographic

    return {
        "one letter": lambda: family()[:1],
        "two letters": lambda: family()[:2],
        "three letters": lambda: family()[:3],
        "middle of a name": lambda: family()[1:5],
        "family name": family,
        "one of the ten commonest": lambda: random.choice(people.families[:10]),
        "family, given": lambda: somebody().patient_name.replace("^", ", "),
        "beginnings of both": lambda: " ".join(part[:4] for part in somebody().patient_name.split("^")),
        "misspelt": lambda: family().replace("e", "ä").replace("k", "ck").replace("i", "y") + "h",
        "nobody's name": lambda: "xq" + family()[::-1],
        "one sign": lambda: signs()[:1],
        "ideographic name": lambda: signs().replace("^", ""),
        "number": lambda: str(4_000_000 + random.randint(1, count)),
        "beginning of a number": lambda: str(4_000_000 + random.randint(1, count))[:4],
        "birth date": lambda: str(somebody().birth_date),
        "family name, birth date": lambda: f"{family()} {somebody().birth_date}",
        "phone": lambda: somebody().phone,
    }


def main() -> None:
    """Fill, ask, print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with Postgres(durable=True) as postgres, tempfile.TemporaryDirectory() as data:
        os.environ |= {"DATABASE_URL": postgres.new_database(), "BUCKY_DATA": data}
        os.environ["DJANGO_SETTINGS_MODULE"] = "ris.settings"
        import django

        django.setup()
        from django.core.management import call_command

        from ris.models import Patient
        from ris.views import finding

        call_command("migrate", verbosity=0)
        people = People(1)
        started = time.monotonic()
        prepare()
        fill(count, people)
        print(f"{count:,} patients made in {time.monotonic() - started:.0f} s")  # noqa: T201
        rows = []
        for kind, ask in questions(people).items():
            times, seen = [], []
            for _ in range(ASKED):
                text = ask()
                begun = time.perf_counter()
                seen.append(len(finding.find(Patient.objects.current(), text)))
                times.append(1000 * (time.perf_counter() - begun))
            rows.append((kind, median(times), quantiles(times, n=20)[-1], max(times), sum(seen) / len(seen)))
        print(table(("typed", "p50 ms", "p95 ms", "max ms", "shown"), rows))  # noqa: T201


if __name__ == "__main__":
    main()
