"""Who may read the message log."""

from typing import Any

from django.db import migrations

from ris.roles import Grants, Role, grant

GRANTS: Grants = {
    Role.INFORMATICS: ("view_inboundmessage",),
    Role.ADMINISTRATOR: ("view_inboundmessage",),
}


def give(apps: Any, schema_editor: Any) -> None:
    """Give the roles their permissions on the message log."""
    grant(apps, "hl7", GRANTS)


class Migration(migrations.Migration):
    dependencies = (("hl7", "0001_initial"), ("ris", "0002_guards_and_roles"))
    operations = (migrations.RunPython(give, migrations.RunPython.noop),)
