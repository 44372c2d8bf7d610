"""What Django's schema cannot say: number sequences, events that nobody can rewrite, the roles."""

from typing import Any

from django.db import migrations

from ris.identifiers import Series
from ris.roles import RIS_GRANTS, grant

POSTGRESQL_GUARD = """
CREATE FUNCTION ris_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'events are append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$;
CREATE TRIGGER ris_event_append_only BEFORE UPDATE OR DELETE ON ris_event
FOR EACH ROW EXECUTE FUNCTION ris_event_is_append_only();
"""
# SQLite has no TRUNCATE: Django's flush empties tables by DELETE, so deleting stays possible there for whoever can
# open the file, who could remove the trigger as well.
SQLITE_GUARD = """
CREATE TRIGGER ris_event_append_only BEFORE UPDATE ON ris_event
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
"""


def guard(apps: Any, schema_editor: Any) -> None:
    """Make the sequences and the trigger of this vendor."""
    if schema_editor.connection.vendor == "postgresql":
        for series in Series:
            schema_editor.execute(f"CREATE SEQUENCE {series.value}")
        schema_editor.execute(POSTGRESQL_GUARD)
    else:
        schema_editor.execute(SQLITE_GUARD)


def unguard(apps: Any, schema_editor: Any) -> None:
    """Drop them again."""
    if schema_editor.connection.vendor == "postgresql":
        for series in Series:
            schema_editor.execute(f"DROP SEQUENCE {series.value}")
        schema_editor.execute("DROP TRIGGER ris_event_append_only ON ris_event")
        schema_editor.execute("DROP FUNCTION ris_event_is_append_only()")
    else:
        schema_editor.execute("DROP TRIGGER ris_event_append_only")


def make_roles(apps: Any, schema_editor: Any) -> None:
    """Make the groups with their permissions on the floor."""
    grant(apps, "ris", RIS_GRANTS)


class Migration(migrations.Migration):
    dependencies = (("ris", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length"))
    operations = (
        migrations.RunPython(guard, unguard),
        migrations.RunPython(make_roles, migrations.RunPython.noop),
    )
