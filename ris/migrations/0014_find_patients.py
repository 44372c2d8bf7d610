"""What patients are found by: parts of names, sounds, phones, beginnings of numbers; fast among a million."""

from typing import Any

from django.db import migrations, models

from ris import findable
from ris.extensions import need_extension

INDEXES = {
    "patient_search_text_idx": "ris_patient USING gin (search_text gin_trgm_ops)",
    "patient_sounds_idx": "ris_patient USING gin (sounds gin_trgm_ops)",
    "patient_name_begins_idx": "ris_patient (patient_name_folded text_pattern_ops)",
    "patient_identifier_upper_idx": "ris_patientidentifier (upper(value::text) text_pattern_ops)",
}
# How common a part of a name is decides how it is looked up: the planner needs a good sample.
STATISTICS = "ALTER TABLE ris_patient ALTER COLUMN {0} SET STATISTICS 1000"


def fill(apps: Any, schema_editor: Any) -> None:
    """Work out what the patients who are there already are found by."""
    patients = apps.get_model("ris", "Patient").objects
    columns = ("patient_name", "patient_name_ideographic", "patient_name_phonetic")
    batch = []
    for patient in patients.only("pk", "phone", *columns).iterator(chunk_size=1000):
        names = [getattr(patient, column) for column in columns]
        patient.search_text = findable.search_text(names, patient.phone)
        patient.sounds = findable.sounds(*names)
        batch.append(patient)
        if len(batch) == 1000:
            patients.bulk_update(batch, ("search_text", "sounds"))
            batch = []
    patients.bulk_update(batch, ("search_text", "sounds"))


def make_indexes(apps: Any, schema_editor: Any) -> None:
    """Make the indexes that only PostgreSQL has. SQLite reads all patients: good for some ten thousand."""
    if schema_editor.connection.vendor != "postgresql":
        return
    need_extension(schema_editor, "pg_trgm")
    for name, what in INDEXES.items():
        schema_editor.execute(f"CREATE INDEX {name} ON {what}")
    for column in ("search_text", "sounds"):
        schema_editor.execute(STATISTICS.format(column))


def drop_indexes(apps: Any, schema_editor: Any) -> None:
    """Drop them; the extension stays."""
    if schema_editor.connection.vendor == "postgresql":
        for name in INDEXES:
            schema_editor.execute(f"DROP INDEX {name}")


class Migration(migrations.Migration):
    dependencies = (("ris", "0013_catalogue_upload"),)
    operations = (
        *(
            migrations.AddField(
                "patient",
                name,
                models.TextField(blank=True, editable=False, help_text="See ris.findable", default=""),
                preserve_default=False,
            )
            for name in ("search_text", "sounds")
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunPython(make_indexes, drop_indexes),
    )
