"""Who may see and change what an endpoint writes in its own way."""

from typing import Any

from django.db import migrations

from ris.roles import Grants, Role, grant

_ALL = tuple(
    f"{verb}_{noun}" for verb in ("view", "add", "change", "delete") for noun in ("fieldsource", "codetranslation")
)
GRANTS: Grants = {Role.INFORMATICS: _ALL, Role.ADMINISTRATOR: _ALL}


def give(apps: Any, schema_editor: Any) -> None:
    """Give the roles their permissions on the rows of endpoints."""
    grant(apps, "hl7", GRANTS)


class Migration(migrations.Migration):
    dependencies = (("hl7", "0010_agreements"), ("ris", "0002_guards_and_roles"))
    operations = (migrations.RunPython(give, migrations.RunPython.noop),)
