"""Who may see what scanners asked."""

from typing import Any

from django.db import migrations

from ris.roles import Grants, Role, grant

GRANTS: Grants = {
    Role.INFORMATICS: ("view_querylog", "view_unknowncaller"),
    Role.ADMINISTRATOR: ("view_querylog", "view_unknowncaller"),
}


def grant_permissions(apps: Any, schema_editor: Any) -> None:
    """Give the roles their permissions of this door."""
    grant(apps, "worklist", GRANTS)


class Migration(migrations.Migration):
    dependencies = [("worklist", "0001_initial"), ("ris", "0002_guards_and_roles")]

    operations = [migrations.RunPython(grant_permissions, migrations.RunPython.noop)]
