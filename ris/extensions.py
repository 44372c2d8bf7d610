"""Extensions of PostgreSQL that migrations need."""

from typing import Any

from django.core.management.base import CommandError
from django.db import ProgrammingError, transaction


def need_extension(schema_editor: Any, name: str) -> None:
    """Make an extension of PostgreSQL in this database unless it is there.

    Raises CommandError that says what the owner of the database has to do, where Bucky's account may not.
    """
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = %s", [name])
        if cursor.fetchone():
            return
    try:
        with transaction.atomic(using=connection.alias):
            schema_editor.execute(f"CREATE EXTENSION {connection.ops.quote_name(name)}")
    except ProgrammingError as error:
        database = connection.settings_dict["NAME"]
        raise CommandError(
            f"Bucky's account may not make the extension {name}, which comes with PostgreSQL. "
            f'Let a superuser run once: psql -d {database} -c "CREATE EXTENSION {name}". Then start again.'
        ) from error
