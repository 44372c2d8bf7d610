"""An index of trigrams over the texts of messages, where PostgreSQL has them; who may send messages again."""

from typing import Any

from django.db import migrations

from ris.roles import Grants, Role, grant

GRANTS: Grants = {Role.INFORMATICS: ("replay_inboundmessage",)}
INDEX = "CREATE INDEX hl7_messagetext_trigrams ON hl7_messagetext USING gin (text gin_trgm_ops)"


def give(apps: Any, schema_editor: Any) -> None:
    """Give the roles their permissions on the inbox."""
    grant(apps, "hl7", GRANTS)


def index(apps: Any, schema_editor: Any) -> None:
    """Make the index; a PostgreSQL without the extension pg_trgm reads all texts instead, which takes longer."""
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'")
        if cursor.fetchone()[0]:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            cursor.execute(INDEX)


class Migration(migrations.Migration):
    dependencies = (("hl7", "0008_inbox"),)
    operations = (
        migrations.RunPython(give, migrations.RunPython.noop),
        migrations.RunPython(index, migrations.RunPython.noop),
    )
