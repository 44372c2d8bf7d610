"""Who may see what scanners have done, and link it with orders."""

from typing import Any

from django.db import migrations

from ris.roles import RIS_GRANTS, grant


def give(apps: Any, schema_editor: Any) -> None:
    """Grant the whole table again: permissions that were not there before are now."""
    grant(apps, "ris", RIS_GRANTS)


class Migration(migrations.Migration):
    dependencies = (("ris", "0009_performed_steps"),)
    operations = (migrations.RunPython(give, migrations.RunPython.noop),)
