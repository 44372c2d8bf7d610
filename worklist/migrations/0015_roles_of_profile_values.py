"""Who keeps what single devices get otherwise."""

from typing import Any

from django.db import migrations

from ris.roles import Grants, Role, grant

_ALL = ("view_profilevalue", "add_profilevalue", "change_profilevalue", "delete_profilevalue")
GRANTS: Grants = {Role.INFORMATICS: _ALL, Role.ADMINISTRATOR: _ALL}


def give(apps: Any, schema_editor: Any) -> None:
    """Grant."""
    grant(apps, "worklist", GRANTS)


class Migration(migrations.Migration):
    dependencies = (("worklist", "0014_writing_of_profiles"),)
    operations = (migrations.RunPython(give, migrations.RunPython.noop),)
