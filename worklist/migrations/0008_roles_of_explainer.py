"""Who may read why an exam is not on a scanner, and which calls were refused."""

from typing import Any

from django.db import migrations

from ris.roles import Grants, Role, grant

GRANTS: Grants = {
    Role.TECHNOLOGIST: ("explain_querylog",),
    Role.INFORMATICS: ("explain_querylog", "view_refusedcall"),
    Role.ADMINISTRATOR: ("explain_querylog", "view_refusedcall"),
}


def give(apps: Any, schema_editor: Any) -> None:
    """Grant."""
    grant(apps, "worklist", GRANTS)


class Migration(migrations.Migration):
    dependencies = (("worklist", "0007_explain_and_refused_calls"),)
    operations = (migrations.RunPython(give, migrations.RunPython.noop),)
