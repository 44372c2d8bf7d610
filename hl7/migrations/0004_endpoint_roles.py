"""Who may see and change endpoints, and the endpoint of every sender that no other one knows."""

from typing import Any

from django.db import migrations

from ris.roles import Grants, Role, grant

_ALL = ("view_endpoint", "add_endpoint", "change_endpoint", "delete_endpoint")
GRANTS: Grants = {Role.INFORMATICS: _ALL, Role.ADMINISTRATOR: _ALL}


def give(apps: Any, schema_editor: Any) -> None:
    """Give the roles their permissions on endpoints."""
    grant(apps, "hl7", GRANTS)


def add(apps: Any, schema_editor: Any) -> None:
    """Add the endpoint that speaks for all senders, with the defaults."""
    apps.get_model("hl7", "Endpoint").objects.create(name="Any other sender")


class Migration(migrations.Migration):
    dependencies = (("hl7", "0003_endpoints"), ("ris", "0002_guards_and_roles"))
    operations = (
        migrations.RunPython(give, migrations.RunPython.noop),
        migrations.RunPython(add, migrations.RunPython.noop),
    )
